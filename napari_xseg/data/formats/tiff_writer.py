"""Slices into one multi-page TIFF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.formats.atomic import rename, sync_file
from napari_xseg.data.formats.slice_writer import SliceWriter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_xseg.data.formats.slice_writer import Compression
    from napari_xseg.data.formats.source import Array, DType, VoxelSize

# Offsets of a plain TIFF end at 4.29e9; this leaves room for tags and bad luck.
_CLASSIC_TIFF_BYTES = 3.9e9


class TiffWriter(SliceWriter):
    """Writes pages in order; ImageJ's tags keep the voxel size, a palette the colours.

    Files that may pass 3.9 GB are BigTIFF.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int, int],
        dtype: DType,
        voxel_size: VoxelSize | None,
        colours: Mapping[int, tuple[int, int, int]] | None,
        compression: Compression,
    ) -> None:
        super().__init__(path, shape, dtype)
        # A palette of 16 bits would take 400 kB a page.
        self._colormap = _colormap(colours) if colours and self.dtype == np.uint8 else None
        self._compression = _tiff_compression(compression, self.dtype)
        self._voxel_size = voxel_size
        self._file: Any = None

    def _open(self, temporary: Path) -> None:
        import tifffile

        big = float(np.prod(self.shape)) * self.dtype.itemsize > _CLASSIC_TIFF_BYTES
        self._file = tifffile.TiffWriter(temporary, bigtiff=big)

    def _write(self, z: int, plane: Array) -> None:
        if z and not self._written[z - 1]:
            raise ValueError(f"slice {z} came before slice {z - 1}; a TIFF takes them in order")
        more: dict[str, Any] = {}
        if self._colormap is not None:
            more["colormap"] = self._colormap
        if self._voxel_size is not None and self._voxel_size.unit:
            more["resolution"] = (1 / self._voxel_size.x, 1 / self._voxel_size.y)
            more["resolutionunit"] = "NONE"
        self._file.write(
            plane,
            photometric="minisblack" if self._colormap is None else "palette",
            compression=self._compression,
            description=_imagej_description(self.shape[0], self._voxel_size) if z == 0 else None,
            software="napari-xseg" if z == 0 else False,
            metadata=None,
            contiguous=False,
            maxworkers=1,
            **more,
        )

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _publish(self, temporary: Path) -> None:
        sync_file(temporary)
        rename(temporary, self.path)


def _colormap(colours: Mapping[int, tuple[int, int, int]]) -> Array:
    table = np.zeros((3, 256), np.uint16)
    for value, colour in colours.items():
        if 0 <= value < 256:
            # 257 brings 255 to 65535, the full scale of a TIFF palette.
            table[:, value] = np.asarray(colour, np.uint16) * 257
    return table


def _tiff_compression(compression: Compression, dtype: DType) -> str | None:
    if compression == "auto":
        return "packbits" if dtype.itemsize == 1 else "zlib"
    return None if compression == "none" else compression


def _imagej_description(slices: int, size: VoxelSize | None) -> str:
    lines = ["ImageJ=1.54f", f"images={slices}", f"slices={slices}"]
    if size is not None and size.unit:
        lines += [f"unit={size.unit}", f"spacing={size.z!r}"]
    return "\n".join([*lines, "loop=false", ""])

"""Slices into one OME-Zarr 0.5."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from napari_xseg.data.formats.atomic import rename_folder, sync_folder, writing_to
from napari_xseg.data.formats.slice_writer import SliceWriter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from napari_xseg.data.formats.slice_writer import Compression
    from napari_xseg.data.formats.source import Array, DType, VoxelSize

_CHUNK = 1024
_STORE_FILE = "zarr.json"
_OME_UNITS = {
    "um": "micrometer",
    "nm": "nanometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "m": "meter",
    "pm": "picometer",
    "angstrom": "angstrom",
    "inch": "inch",
}


class ZarrWriter(SliceWriter):
    """Writes slices in any order, one or more chunks each; label colours are kept."""

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
        self._voxel_size, self._colours = voxel_size, colours
        self._compressors: Any = _zarr_compressors(compression)

    @property
    def readable(self) -> Path | None:
        """The store under its temporary name, while it is being written."""
        return self._temporary

    def _open(self, temporary: Path) -> None:
        import zarr

        metadata = _ome_metadata(self.path.stem, self._voxel_size, self._colours)
        group = zarr.create_group(temporary, zarr_format=3, attributes={"ome": metadata})
        self._array = group.create_array(
            "0",
            shape=self.shape,
            chunks=(1, min(self.shape[1], _CHUNK), min(self.shape[2], _CHUNK)),
            dtype=self.dtype,
            compressors=self._compressors,
            fill_value=self.fill_value,
            dimension_names=["z", "y", "x"],
        )

    def _while_writing(self) -> AbstractContextManager[None]:
        return writing_to(self.path)

    def _write(self, z: int, plane: Array) -> None:
        self._check_there()
        self._array[z] = plane

    def _close(self) -> None:
        """Do nothing: Zarr keeps no file open."""

    def _publish(self, temporary: Path) -> None:
        self._check_there()
        sync_folder(temporary)
        rename_folder(temporary, self.path)

    def _check_there(self) -> None:
        """Zarr makes folders anew that were moved or deleted, with a part of the slices in them."""
        store = self._temporary
        if store is None or not (store / _STORE_FILE).exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(store))


def _zarr_compressors(compression: Compression) -> Any:
    from zarr.codecs import GzipCodec, ZstdCodec

    if compression == "none":
        return None
    return GzipCodec(level=6) if compression == "zlib" else ZstdCodec(level=3)


def _ome_metadata(
    name: str, size: VoxelSize | None, colours: Mapping[int, tuple[int, int, int]] | None
) -> dict[str, Any]:
    from yaozarrs import v05

    unit = _OME_UNITS.get(size.unit) if size else None
    scale = [size.z, size.y, size.x] if size else [1.0, 1.0, 1.0]
    image = v05.Image(
        multiscales=[
            v05.Multiscale(
                name=name,
                axes=[v05.SpaceAxis(name=axis, unit=unit) for axis in "zyx"],
                datasets=[
                    v05.Dataset(
                        path="0",
                        coordinateTransformations=[v05.ScaleTransformation(scale=scale)],
                    )
                ],
            )
        ]
    )
    metadata: dict[str, Any] = image.model_dump(mode="json", exclude_none=True, by_alias=True)
    if colours:
        label = v05.ImageLabel(
            colors=[
                v05.LabelColor.model_validate({"label-value": value, "rgba": [*colour, 255]})
                for value, colour in colours.items()
            ]
        )
        metadata["image-label"] = label.model_dump(mode="json", exclude_none=True, by_alias=True)
    return metadata

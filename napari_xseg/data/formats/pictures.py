"""PNG, JPEG and BMP: one plane a file."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.formats.colour import expand
from napari_xseg.data.formats.source import Array, DType, Palette, VoxelSize, file_size, reading
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.ImageFile import ImageFile

PNG, JPEG, BMP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM"
_DTYPES = {
    "1": "bool",
    "L": "uint8",
    "LA": "uint8",
    "P": "uint8",
    "PA": "uint8",
    "RGB": "uint8",
    "RGBA": "uint8",
    "RGBX": "uint8",
    "I": "int32",
    "F": "float32",
}


class Picture:
    """One PNG, JPEG or BMP file; opened for each read. Thread safe.

    Parameters
    ----------
    path
        The file.
    indexed
        Labels: palette images give their indices, and JPEG is refused.

    Raises
    ------
    XsegError
        Where the file cannot be decoded or its pixels are neither grey nor RGB.
    """

    planes = 1
    stored_bytes: int | None = None
    voxel_size: VoxelSize | None = None
    warnings: tuple[str, ...] = ()

    def __init__(self, path: Path, *, indexed: bool) -> None:
        self.path = path
        self.palette: Palette | None = None
        file_size(path)
        with reading(path, "picture"), _opened(path) as picture:
            if indexed and picture.format == "JPEG":
                raise XsegError(
                    f"{path}: is a JPEG, which blurs label values; save the labels as TIFF or PNG."
                )
            self._describe(picture, indexed)

    def read(self, z: int = 0) -> Array:
        """Read the plane: (y, x), or (y, x, 3) where `colour`."""
        with reading(self.path, "picture"):
            if self._deep:
                from imagecodecs import png_decode

                pixels: Array = png_decode(self.path.read_bytes())
            else:
                with _opened(self.path) as picture:
                    pixels = np.asarray(picture)
        return self._arranged(pixels)

    def files(self) -> tuple[Path, ...]:
        """List the one file."""
        return (self.path,)

    def close(self) -> None:
        """Do nothing: the file is closed already."""

    def _describe(self, picture: ImageFile, indexed: bool) -> None:
        mode = picture.mode
        # Pillow gives 16-bit colour as 8-bit.
        self._deep = picture.format == "PNG" and _png_depth(self.path) == 16
        if mode not in _DTYPES and not mode.startswith("I;16"):
            raise XsegError(
                f"{self.path}: has pixels of kind {mode}; grey values or RGB are expected: convert "
                "it first."
            )
        self.shape = (picture.height, picture.width)
        self.colour = mode.startswith("RGB")
        self.dtype: DType = np.dtype(
            "uint16" if self._deep or mode.startswith("I;16") else _DTYPES[mode]
        )
        self._expand: Palette | None = None
        if mode in ("P", "PA"):
            palette = _palette(picture)
            self.palette, self._expand = (palette, None) if indexed else (None, palette)
            self.colour = not indexed

    def _arranged(self, pixels: Array) -> Array:
        if pixels.ndim == 3:
            pixels = pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., 0]
        return expand(pixels, self._expand, str(self.path)) if self._expand is not None else pixels


def _opened(path: Path) -> ImageFile:
    from PIL.BmpImagePlugin import BmpImageFile
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    # The plugins themselves, since Image.open refuses slices of 13,400 x 13,400 and more.
    kinds: dict[bytes, Any] = {PNG: PngImageFile, JPEG: JpegImageFile, BMP: BmpImageFile}
    with path.open("rb") as file:
        start = file.read(len(PNG))
    for magic, kind in kinds.items():
        if start.startswith(magic):
            picture: ImageFile = kind(path)
            return picture
    raise ValueError("no PNG, JPEG or BMP")


def _png_depth(path: Path) -> int:
    with path.open("rb") as file:
        header = file.read(25)
    return int(struct.unpack(">B", header[24:25])[0])


def _palette(picture: ImageFile) -> Palette:
    table = picture.getpalette("RGB") or []
    return np.asarray(table, np.uint8).reshape(-1, 3)

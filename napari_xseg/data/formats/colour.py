"""Grey from colour, colour to label values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from napari_xseg.data.formats.source import Array, Palette


def grey(plane: Array, where: str) -> Array:
    """Take one channel of a (y, x, 3) grey copy; XsegError at real colour."""
    red = plane[..., 0]
    if not (np.array_equal(red, plane[..., 1]) and np.array_equal(red, plane[..., 2])):
        different = int((np.ptp(plane, axis=-1) != 0).sum())
        raise XsegError(
            f"{where}: is a colour image ({different} pixels whose red, green and blue differ); "
            "grey values are expected: convert it to grey, or give the original data."
        )
    return red


def pack_rgb(plane: Array, where: str) -> Array:
    """Pack (y, x, 3) uint8 colours into (y, x) uint32 values r << 16 | g << 8 | b."""
    if plane.dtype != np.uint8:
        raise XsegError(
            f"{where}: is a colour mask of {plane.dtype}; 8 bits a channel are expected: "
            "save it as 8-bit RGB."
        )
    channels = plane.astype(np.uint32)
    packed: Array = channels[..., 0] << 16 | channels[..., 1] << 8 | channels[..., 2]
    return packed


def whole_numbers(plane: Array, where: str) -> Array:
    """Turn (y, x) floats that are whole numbers into int32; XsegError where they are not."""
    with np.errstate(invalid="ignore"):
        whole = plane.astype(np.int32)
    if not np.array_equal(whole, plane):
        bad = plane[whole != plane].flat[0]
        raise XsegError(
            f"{where}: holds the value {bad:g}; labels are whole numbers: save the labels as "
            "integers, or give the label file instead of the image."
        )
    return whole


def expand(indices: Array, palette: Palette, where: str) -> Array:
    """Look the (y, x) `indices` up in a (n, 3) palette: (y, x, 3) uint8."""
    if int(indices.max(initial=0)) >= len(palette):
        raise XsegError(
            f"{where}: holds the index {int(indices.max())} outside its palette of "
            f"{len(palette)} colours; export it again."
        )
    return palette[indices]


def check_same_palette(plane: Array, palette: Palette, first: Palette, where: str) -> None:
    """Raise XsegError where used indices mean other colours than in the first file."""
    for index in np.unique(plane):
        known = index < len(palette) and index < len(first)
        if not known or not np.array_equal(palette[index], first[index]):
            raise XsegError(
                f"{where}: its palette gives the index {index} another colour than the first "
                "file's does, so that indices do not mean the same classes; save the labels "
                "without a palette, as RGB or plain values."
            )

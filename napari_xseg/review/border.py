"""The band around class borders, where people who label disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.errors import XsegError
from napari_xseg.metrics import IGNORE

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BORDER = 64
"""Widest band in pixels that is offered; its cost grows with the square of the width."""


def check_border(width: int) -> None:
    """Raise XsegError where `width` is not 0 to MAX_BORDER."""
    if not 0 <= width <= MAX_BORDER:
        raise XsegError(f"border: found {width}, expected 0 to {MAX_BORDER} pixels.")


def border_band(truth: NDArray[np.uint8], width: int) -> NDArray[np.bool_]:
    """Mark the pixels near a class border of the truth, on both of its sides.

    Parameters
    ----------
    truth : uint8 (y, x)
        Index map; the edge of the labelled part is no class border.
    width : int
        A pixel is in the band where a labelled pixel of another class lies at
        most `width` pixels away, centre to centre; 0 gives an empty band.

    Returns
    -------
    bool (y, x)
    """
    band = np.zeros(truth.shape, bool)
    labelled = truth != IGNORE
    for down, right in _half_disc(width):
        here, there = _overlap(truth.shape, down, right)
        differs = truth[here] != truth[there]
        differs &= labelled[here]
        differs &= labelled[there]
        band[here] |= differs
        band[there] |= differs
    return band


def _half_disc(width: int) -> list[tuple[int, int]]:
    reach = range(-width, width + 1)
    return [
        (down, right)
        for down in range(width + 1)
        for right in reach
        if (down, right) > (0, 0) and down**2 + right**2 <= width**2
    ]


def _overlap(
    shape: tuple[int, ...], down: int, right: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    rows, columns = shape
    left = max(-right, 0)
    right = max(right, 0)
    here = slice(0, max(rows - down, 0)), slice(left, max(columns - right, left))
    there = slice(down, None), slice(right, max(columns - left, right))
    return here, there

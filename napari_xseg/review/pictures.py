"""Slices as RGB pictures: classes, grey values and mistakes, uint8 (y, x, 3)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_xseg.metrics import IGNORE
from napari_xseg.review.mistakes import mistakes_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.review.matching import IndexMap

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

UNLABELLED_COLOUR: Colour = (96, 96, 96)
_DIMMED = 0.38


def class_picture(index_map: IndexMap, classes: ClassTable) -> Picture:
    """Paint each pixel of a uint8 (y, x) index map in its class's colour, grey where 255."""
    table = np.full((256, 3), UNLABELLED_COLOUR, np.uint8)
    table[: len(classes)] = classes.colours
    return table[index_map]


def grey_picture(plane: NDArray[Any]) -> Picture:
    """Show a (y, x) plane of any real dtype in grey between its 0.2 and 99.8 percentiles.

    Values that are not finite are black; a constant plane is mid-grey.
    """
    finite = np.isfinite(plane)
    if not finite.any():
        return np.zeros((*plane.shape, 3), np.uint8)
    low, high = np.percentile(plane[finite], (0.2, 99.8)).tolist()
    scaled = (np.where(finite, plane, low).astype(np.float64) - low) / ((high - low) or np.inf)
    grey = np.clip(255 * scaled, 0, 255) if high > low else np.full(plane.shape, 128.0)
    return np.repeat(np.where(finite, grey, 0).astype(np.uint8)[..., None], 3, axis=2)


def mistakes_picture(mistakes: IndexMap, classes: ClassTable, under: Picture | None) -> Picture:
    """Paint a mistakes map in the true class's colours over `under`, dimmed, or over black.

    Parameters
    ----------
    mistakes : uint8 (y, x)
        0 where right, k + 1 where wrong and the true class is k.
    under : uint8 (y, x, 3) or None
        The picture seen where nothing is wrong.
    """
    table = np.zeros((256, 3), np.uint8)
    table[1 : len(classes) + 1] = classes.colours
    painted = table[mistakes]
    if under is None:
        return painted
    return np.where(mistakes[..., None] > 0, painted, (under * _DIMMED).astype(np.uint8))


def shrink_factor(shape: Sequence[int], limit: int) -> int:
    """Return the whole number by which a (y, x) shape must shrink to fit `limit` pixels a side."""
    return max(1, math.ceil(max(shape) / limit))


def shrink(plane: NDArray[Any], factor: int) -> NDArray[Any]:
    """Keep every `factor`-th row and column of a (y, x) or (y, x, 3) array."""
    return plane[::factor, ::factor]


def shrink_mistakes(mistakes: IndexMap, factor: int) -> IndexMap:
    """Shrink a mistakes map to the size that `shrink` gives, so that no mistake is lost.

    A block is 0 only where nothing in it is wrong, else its commonest true
    class k + 1 among the wrong pixels.
    """
    if factor == 1:
        return mistakes
    rows, columns = (-(-size // factor) for size in mistakes.shape)
    padded = np.zeros((rows * factor, columns * factor), np.uint8)
    padded[: mistakes.shape[0], : mistakes.shape[1]] = mistakes
    blocks = padded.reshape(rows, factor, columns, factor)
    present = np.unique(mistakes[mistakes > 0])
    if not present.size:
        return np.zeros((rows, columns), np.uint8)
    votes = np.stack([(blocks == value).sum(axis=(1, 3)) for value in present])
    return np.where(votes.any(axis=0), present[votes.argmax(axis=0)], 0).astype(np.uint8)


def share_wrong(truth: IndexMap, prediction: IndexMap) -> float:
    """Share of the pixels labelled and predicted that are misclassified; nan where none is."""
    counted = np.count_nonzero((truth != IGNORE) & (prediction != IGNORE))
    wrong = np.count_nonzero(mistakes_map(truth, prediction))
    return wrong / counted if counted else math.nan

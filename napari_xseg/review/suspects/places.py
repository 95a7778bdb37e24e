"""From a chance of being wrong at each pixel to places: small connected regions, one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.metrics import IGNORE
from napari_xseg.review.suspects.table import KINDS, ROW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_xseg.review.matching import IndexMap
    from napari_xseg.review.suspects.table import Kind

# A border is unsure in a line one or two pixels wide; what is unsure in the mean over such a
# square is a place. Chosen on the real scan: docs/suspects.md.
SQUARE = 5
LEAST_CHANCE = 0.15
# A place is no larger than such a cell, so that it is seen at one glance.
CELL = 32
LEAST_PIXELS = 4


def unsure_places(
    kind: Kind,
    z: int,
    chance: NDArray[np.float32],
    mask: IndexMap,
    other: IndexMap | None = None,
) -> NDArray[np.void]:
    """Connected regions where `chance` is high over several pixels, those beyond a cell cut.

    Parameters
    ----------
    chance : float32 (y, x)
        That the pixel is wrong, 0 to 1.
    mask : uint8 (y, x)
        Class indices.
    other : uint8 (y, x), optional
        What they may be instead; without it, the second class of each region.
    """
    import cc3d
    from scipy.ndimage import uniform_filter

    high = uniform_filter(chance, SQUARE) > LEAST_CHANCE
    high &= mask != IGNORE
    if not high.any():
        return np.empty(0, ROW)
    numbers = cc3d.connected_components(high.astype(np.uint8), connectivity=8)
    return measure(kind, z, _cut(numbers.astype(np.int64)), chance, mask, other)


def measure(
    kind: Kind,
    z: int,
    numbers: NDArray[np.int64],
    chance: NDArray[np.float32],
    mask: IndexMap,
    other: IndexMap | None = None,
    least: int = LEAST_PIXELS,
) -> NDArray[np.void]:
    """One row for each region of `numbers` (y, x) int64, 0 for none, of `least` pixels and more.

    Its strength is the mean of `chance` over its pixels.
    """
    ys, xs = np.nonzero(numbers)
    _, which = np.unique(numbers[ys, xs], return_inverse=True)
    count = int(which.max()) + 1 if which.size else 0
    rows = np.zeros(count, ROW)
    if not count:
        return rows
    rows["kind"] = KINDS.index(kind)
    rows["kinds"] = 1 << KINDS.index(kind)
    rows["z"] = z
    rows["pixels"] = pixels = np.bincount(which, minlength=count)
    rows["strength"] = np.bincount(which, weights=chance[ys, xs], minlength=count) / pixels
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(count))
    for axis, at in (("y", ys), ("x", xs)):
        rows[axis] = np.bincount(which, weights=at, minlength=count) / pixels
        rows[f"{axis}0"] = np.minimum.reduceat(at[order], starts)
        rows[f"{axis}1"] = np.maximum.reduceat(at[order], starts) + 1
    rows["found"], second = _commonest(which, mask[ys, xs], count)
    rows["other"] = second if other is None else _another(which, other[ys, xs], rows["found"])
    return rows[pixels >= least]


def _cut(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Regions larger than a cell cut into equal parts, each with a number of its own."""
    ys, xs = np.nonzero(numbers)
    which = numbers[ys, xs]
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(1, int(numbers.max()) + 1))
    parts = which - 1
    for at in (ys, xs):
        first = np.minimum.reduceat(at[order], starts)
        extent = np.maximum.reduceat(at[order], starts) + 1 - first
        pieces = -(-extent // CELL)
        part = (at - first[which - 1]) * pieces[which - 1] // extent[which - 1]
        parts = parts * int(pieces.max()) + part
    cut = np.zeros_like(numbers)
    cut[ys, xs] = parts + 1
    return cut


def _commonest(which: NDArray[np.intp], classes: IndexMap, count: int) -> tuple[IndexMap, IndexMap]:
    """The first and the second commonest class of each region, 255 where there is none."""
    keys, pixels = np.unique(which.astype(np.int64) * 256 + classes, return_counts=True)
    groups, values = np.divmod(keys, 256)
    kept = values != IGNORE
    groups, values, pixels = groups[kept], values[kept], pixels[kept]
    order = np.lexsort((values, -pixels, groups))
    groups, values = groups[order], values[order].astype(np.uint8)
    starts = np.searchsorted(groups, np.arange(count))
    ends = np.searchsorted(groups, np.arange(count), side="right")
    padded = np.append(values, [np.uint8(IGNORE)] * 2)
    first = np.where(starts < ends, padded[starts], np.uint8(IGNORE))
    second = np.where(starts + 1 < ends, padded[starts + 1], np.uint8(IGNORE))
    return first, second


def _another(which: NDArray[np.intp], classes: IndexMap, found: IndexMap) -> IndexMap:
    """The commonest class of each region that is not the one found there."""
    others = np.where(classes == found[which], np.uint8(IGNORE), classes)
    return _commonest(which, others, len(found))[0]

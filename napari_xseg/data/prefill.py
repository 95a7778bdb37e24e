"""Labels for a whole slice at once: from grey values, or a mask, where nobody has painted.

Label planes are uint8 (y, x) as in our napari layers: class k is k + 1, 0 is not labelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

BINS = 256
# The share of the pixels at each end that may lie outside the histogram's range.
TAIL = 0.0005
# Pixels that are enough to find the range of the bulk.
SAMPLE = 1 << 18
# The range of grey values that gets no label.
NOTHING = -1


@dataclass(frozen=True, eq=False)
class GreyHistogram:
    """How often grey values occur.

    Attributes
    ----------
    edges : ndarray (bins + 1,) of float64
        Bounds of the bins, rising. Rare values beyond the ends count in the end bins.
    counts : ndarray (bins,) of int64
    low, high : float
        The least and the greatest finite value.
    whole : bool
        Whether grey values are integers; cuts are then integers as well.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    low: float
    high: float
    whole: bool


def grey_histogram(
    plane: NDArray[Any], within: NDArray[np.bool_] | None = None, bins: int = BINS
) -> GreyHistogram | None:
    """Histogram of the finite pixels of a slice.

    Parameters
    ----------
    plane : ndarray (y, x)
        Grey values of any real dtype.
    within : ndarray (y, x) of bool, optional
        The pixels that count.
    bins : int
        Number of bins at most.

    Returns
    -------
    GreyHistogram or None
        None where no pixel counts.
    """
    values = plane.ravel() if within is None else plane[within]
    whole = plane.dtype.kind in "biu"
    if plane.dtype.kind == "b":
        values = values.view(np.uint8)
    if not whole:
        values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = float(values.min()), float(values.max())
    first, last = _bulk(values, low, high)
    edges = _integer_edges(first, last, bins) if whole else _edges(first, last, bins)
    inside = np.clip(values, edges[0], edges[-1]) if (low, high) != (first, last) else values
    counts, _ = np.histogram(inside, edges)
    return GreyHistogram(edges, counts.astype(np.int64), low, high, whole)


def guess_cuts(histogram: GreyHistogram, classes: int) -> tuple[float, ...]:
    """Cuts that part the grey values into `classes` ranges of least variance within each.

    Otsu's criterion for several classes (Liao, Chen and Chung 2001), solved exactly for
    the histogram by dynamic programming. Where a cut may lie anywhere in a gap without
    pixels it lies in the gap's middle.

    Returns
    -------
    tuple of float
        classes - 1 rising values; whole numbers for integer grey values.
    """
    counts, edges = _padded(histogram, classes)
    centres = (edges[:-1] + edges[1:]) / 2
    scores = _segment_scores(counts, centres - centres.mean())
    places = [_middle_of_gap(counts, place) for place in _best_parts(scores, classes)]
    cuts = [float(edges[place]) for place in places]
    return tuple(float(np.floor(cut)) for cut in cuts) if histogram.whole else tuple(cuts)


def cut_slice(
    plane: NDArray[Any],
    cuts: Sequence[float],
    order: Sequence[int],
    free: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Label a slice by its grey values.

    Parameters
    ----------
    plane : ndarray (y, x)
        Grey values of any real dtype.
    cuts : sequence of float
        Rising; a value equal to a cut belongs to the range below it.
    order : sequence of int
        The class index of each range, one more than `cuts`; NOTHING for none.
    free : ndarray (y, x) of bool, optional
        The pixels that may get a label.

    Returns
    -------
    ndarray (y, x) of uint8
        Labels; 0 outside `free` and where the grey value is not finite.
    """
    ranges = np.zeros(plane.shape, np.uint8)
    for cut in cuts:
        ranges += plane > cut
    labels = np.array([index + 1 for index in order], np.uint8)[ranges]
    if plane.dtype.kind == "f":
        labels[~np.isfinite(plane)] = 0
    if free is not None:
        labels[~free] = 0
    return labels


def fill_unlabelled(
    labels: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    within: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Labels (y, x) with those of `mask` where they are 0, only `within` where that is given."""
    free = labels == 0
    if within is not None:
        free &= within
    return np.where(free, mask, labels)


def region_mask(
    outlines: Iterable[NDArray[np.floating[Any]]], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """The pixels whose centre lies inside any of the outlines.

    Parameters
    ----------
    outlines : iterable of ndarray (n, 2)
        Corners (y, x) of closed polygons, in pixels; pixel centres are whole numbers.
        A polygon that crosses itself has holes by the even-odd rule.
    shape : (int, int)
        (y, x) in pixels.
    """
    inside = np.zeros(shape, bool)
    for outline in outlines:
        inside |= _polygon(np.asarray(outline, np.float64), shape)
    return inside


def ellipse_outline(corners: NDArray[np.floating[Any]], points: int = 180) -> NDArray[np.float64]:
    """Points (points, n) on the ellipse that touches the sides of a box with four `corners`."""
    box = np.asarray(corners, np.float64)
    centre = box.mean(axis=0)
    first, second = (box[1] - box[0]) / 2, (box[3] - box[0]) / 2
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)[:, None]
    outline: NDArray[np.float64] = centre + np.cos(angle) * first + np.sin(angle) * second
    return outline


def _bulk(values: NDArray[Any], low: float, high: float) -> tuple[float, float]:
    """The range without the rare ends, or all of it where the ends are near."""
    some = values[:: max(1, values.size // SAMPLE)]
    first, last = (float(value) for value in np.quantile(some, (TAIL, 1 - TAIL)))
    if high - low <= 2 * (last - first):
        return low, high
    return first, last


def _edges(first: float, last: float, bins: int) -> NDArray[np.float64]:
    if last <= first:
        reach = max(abs(first), 1.0) * 1e-3
        first, last = first - reach, last + reach
    return np.linspace(first, last, bins + 1)


def _integer_edges(first: float, last: float, bins: int) -> NDArray[np.float64]:
    """Bins that hold equally many integers each, so that no bin stands out for its width."""
    start, stop = np.floor(first), np.ceil(last)
    width = np.ceil((stop - start + 1) / bins)
    count = int(np.ceil((stop - start + 1) / width))
    edges: NDArray[np.float64] = start - 0.5 + width * np.arange(count + 1)
    return edges


def _padded(
    histogram: GreyHistogram, classes: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Counts and edges with a bin for each class at least."""
    missing = max(0, classes - len(histogram.counts))
    width = histogram.edges[-1] - histogram.edges[-2]
    more = histogram.edges[-1] + width * np.arange(1, missing + 1)
    return np.pad(histogram.counts, (0, missing)), np.concatenate([histogram.edges, more])


def _segment_scores(counts: NDArray[np.int64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Between-class variance (bins + 1, bins + 1) of the segment from bin i up to bin j."""
    weight = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
    first = np.concatenate([[0.0], np.cumsum(counts * centres)])
    pixels = weight[None, :] - weight[:, None]
    sums = first[None, :] - first[:, None]
    scores: NDArray[np.float64] = np.divide(
        sums**2, pixels, out=np.zeros_like(sums), where=pixels > 0
    )
    scores[np.tril_indices(len(weight))] = -np.inf  # a segment has one bin at least
    return scores


def _best_parts(scores: NDArray[np.float64], parts: int) -> list[int]:
    """The rising places, parts - 1 of them, whose segments have the greatest sum."""
    best = scores[0].copy()
    came_from = []
    for _ in range(parts - 1):
        sums = best[:, None] + scores
        origin = sums.argmax(axis=0)
        came_from.append(origin)
        best = sums[origin, np.arange(len(origin))]
    places = []
    place = len(scores) - 1
    for origin in reversed(came_from):
        place = int(origin[place])
        places.append(place)
    return places[::-1]


def _middle_of_gap(counts: NDArray[np.int64], place: int) -> int:
    filled = np.flatnonzero(counts)
    below, above = filled[filled < place], filled[filled >= place]
    if not below.size or not above.size:
        return place
    return int(below[-1] + 1 + above[0]) // 2


def _polygon(corners: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Even-odd filling: along a row, each crossing of an edge flips inside and outside."""
    height, width = shape
    flips = np.zeros((height, width + 1), np.uint8)
    for (y0, x0), (y1, x1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        (top, at_top), (bottom, at_bottom) = sorted([(y0, x0), (y1, x1)])
        rows = np.arange(max(int(np.ceil(top)), 0), min(int(np.ceil(bottom)), height))
        crossing = at_top + (rows - top) * (at_bottom - at_top) / (bottom - top)
        flips[rows, np.clip(np.ceil(crossing), 0, width).astype(np.intp)] ^= 1
    inside: NDArray[np.bool_] = np.bitwise_xor.accumulate(flips, axis=1)[:, :width].astype(bool)
    return inside

"""What the grey values of slices tell before there is a model.

How far slices stay alike, and which of them look unlike those that are labelled.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.data.leakage import correlation

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_xseg.data.volume import Volume

    Statistics = NDArray[np.float64]
    """Figures (7,) of one slice."""

PERCENTS = (5.0, 25.0, 50.0, 75.0, 95.0)
DISTANCES = (1, 2, 5, 10, 20, 50, 100)
# Places in the volume at which slices are compared, and pixels looked at in each slice.
PLACES = 4
SAMPLES = 1 << 16


def correlation_length(images: Volume, slices: Sequence[int] | None = None) -> float:
    """Slices over which the grey values of neighbours fall to a correlation of 1 / e.

    Parameters
    ----------
    images : Volume
    slices : sequence of int, optional
        Those that may be read; by default all.

    Returns
    -------
    float
        In slices, 0.5 or more; 0 where it cannot be told: one slice, constant
        slices, or slices that are no neighbours.

    Raises
    ------
    XsegError
        A damaged image.
    """
    known = sorted(range(len(images)) if slices is None else set(slices))
    if len(known) < 2 or not images.has_neighbours:
        return 0.0
    last = (0, 1.0)
    for gap in DISTANCES:
        value = _mean_correlation(images, known, gap)
        if value is None:
            continue
        if value <= math.exp(-1):
            return max(0.5, _crossing(last, (gap, value)))
        last = (gap, value)
    gap, value = last
    return gap / -math.log(value) if 0 < value < 1 else 0.0


def slice_statistics(images: Volume, slices: Sequence[int]) -> dict[int, Statistics]:
    """Grey-value percentiles, spread and grain of slices, each (7,) float64.

    Slices without values, or of one value alone, are left out; those of more than
    65536 pixels are sampled. XsegError for a damaged image.
    """
    found = {}
    for z in slices:
        plane = images.read(z)
        step = max(1, round(math.sqrt(plane.size / SAMPLES)))
        # Grain is that of true neighbours: rows are left out, columns are not.
        lines = plane[:: step * step].astype(np.float64)
        values = lines[np.isfinite(lines)]
        if values.size and values.min() < values.max():
            grain = np.diff(lines, axis=1)
            grain = grain[np.isfinite(grain)]
            more = (values.std(), float(np.abs(grain).mean()) if grain.size else 0.0)
            found[z] = np.array([*np.percentile(values, PERCENTS), *more])
    return found


class BlankSlices:
    """Slices that show nothing: without a finite pixel, or of one value alone.

    Parameters
    ----------
    images : Volume
    slices : collection of int
        Those that may be read.

    Attributes
    ----------
    found : set of int
        Those that were met so far.
    """

    def __init__(self, images: Volume, slices: Collection[int]) -> None:
        self.found: set[int] = set()
        self._images, self._left = images, set(slices)

    def look(self, slices: Iterable[int]) -> bool:
        """Read `slices`, and all beside a blank one; whether there was a blank one not yet met."""
        known = len(self.found)
        for z in slices:
            waiting = [z]
            while waiting:
                one = waiting.pop()
                if self._is_blank(one):
                    waiting += [one - 1, one + 1]
        return len(self.found) > known

    def _is_blank(self, z: int) -> bool:
        """Whether `z` is blank, each slice being asked once."""
        if z not in self._left:
            return False
        self._left.remove(z)
        values = self._images.read(z)
        values = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        if values.size and values.min() < values.max():
            return False
        self.found.add(z)
        return True


def unlikeness(statistics: Mapping[int, Statistics], labelled: Collection[int]) -> dict[int, float]:
    """How unlike the most similar labelled slice each slice looks, in spreads over the volume.

    Empty where no slice with statistics is labelled; 0.1 or more, so that each
    slice counts a little.
    """
    places = sorted(statistics)
    known = [row for row, z in enumerate(places) if z in set(labelled)]
    if not known:
        return {}
    table = np.stack([statistics[z] for z in places])
    spread = table.std(axis=0)
    scaled = np.divide(table, spread, out=np.zeros_like(table), where=spread > 0)
    apart = np.abs(scaled[:, None] - scaled[known]).mean(axis=2).min(axis=1)
    return {z: max(0.1, float(value)) for z, value in zip(places, apart, strict=True)}


def _mean_correlation(images: Volume, known: list[int], gap: int) -> float | None:
    there = set(known)
    pairs = [z for z in known if z + gap in there]
    if not pairs:
        return None
    chosen = {pairs[round(at)] for at in np.linspace(0, len(pairs) - 1, PLACES)}
    values = [correlation(images.read(z), images.read(z + gap)) for z in sorted(chosen)]
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else None


def _crossing(before: tuple[float, float], after: tuple[float, float]) -> float:
    """Where a falling line between two (distance, correlation) reaches 1 / e."""
    (near, high), (far, low) = before, after
    return near + (far - near) * (high - math.exp(-1)) / (high - low)

"""Which slices to label next: those that bring most of what is uncertain near a labelled one.

A labelled slice stands for the slices around it, the less the farther they are:
by exp(-distance / length), where `length` is how far slices of this volume stay
alike. What a slice would add is, summed over all slices, how much better each
would be stood for than it is, times how uncertain it is. The slice that adds most
is taken, counts as labelled, and the next one is sought. So suggestions spread
along z, keep off the ends, and lean towards what the model is unsure of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from numpy.typing import NDArray

    from napari_xseg.events import NextSlices

    Floats = NDArray[np.float64]

By = Literal["model", "grey"]
# Uncertainty counts so many times the usual at most, and a part of it at least: one broken
# slice must not draw all suggestions.
MOST = 3.0
_BLOCK = 256
# Sums that differ by rounding alone are equal, and the first one is taken.
_DIGITS = 9


@dataclass(frozen=True)
class Suggestion:
    """A slice worth labelling.

    Attributes
    ----------
    z : int
    gain : float
        The share, 0 to 1, of what no labelled slice stands for that this one would.
    nearest : int or None
        The nearest slice that is labelled or suggested before; None without any.
    uncertainty : float or None
        Of the slice, where 1 is usual in the volume; None where it is not known.
    by : str
        What says so: "model", or "grey" values unlike those of the labelled slices.
    """

    z: int
    gain: float
    nearest: int | None = None
    uncertainty: float | None = None
    by: By = "model"

    @property
    def distance(self) -> int | None:
        """Slices to the nearest one that is labelled or suggested before."""
        return None if self.nearest is None else abs(self.z - self.nearest)

    @property
    def why(self) -> str:
        """The reason in words."""
        if self.nearest is None:
            place = "no slice is labelled yet, and this one is like most others"
        else:
            steps = f"{self.distance} slice{'s'[: self.distance != 1]}"
            place = f"{steps} from slice {self.nearest}, the nearest labelled or suggested one"
        doubt = _doubt(self.uncertainty, self.by)
        return f"{place}{doubt}; stands for {100 * self.gain:.0f} % of the rest"


def suggest_slices(
    depth: int,
    labelled: Collection[int],
    count: int = 3,
    *,
    uncertainty: Mapping[int, float] | None = None,
    length: float = 0.0,
    slices: Collection[int] | None = None,
    alike: Floats | None = None,
    by: By = "model",
    last: Collection[int] = (),
) -> tuple[Suggestion, ...]:
    """Choose slices to label, best first; the same input gives the same answer.

    Parameters
    ----------
    depth : int
        Slices of the volume.
    labelled : collection of int
        Each z that is labelled, as far as it may be.
    count : int
        How many are wanted; fewer where fewer are left.
    uncertainty : mapping of int to float, optional
        Of some slices, in any unit, 0 or more; interpolated between them, nan passed
        over. Without it, place alone decides.
    length : float
        Slices over which slices stay alike, as `correlation_length` gives it; 0 for
        a tenth of the volume.
    slices : collection of int, optional
        Only these are suggested, and only these need to be stood for.
    alike : ndarray (depth, depth), optional
        How well slice i stands for slice j, 0 to 1, in place of the distance.
    by : str
        What the uncertainty was taken from, for the words of the suggestions.
    last : collection of int
        They show nothing: they come after all others, and need not be stood for.

    Returns
    -------
    tuple of Suggestion
    """
    wanted = np.array(sorted(range(depth) if slices is None else set(slices)), np.int64)
    if not wanted.size:
        return ()
    taken = sorted(set(labelled))
    cover = _Cover(wanted, length or max(1.0, depth / 10), alike, taken)
    relative = _relative(wanted, uncertainty)
    shown = ~np.isin(wanted, sorted(last))
    weights = (np.ones(wanted.size) if relative is None else relative) * shown
    found: list[Suggestion] = []
    free = ~np.isin(wanted, taken)
    while len(found) < count and free.any():
        best, share = cover.best(weights, free & shown if (free & shown).any() else free)
        z = int(wanted[best])
        doubt = None if relative is None else float(relative[best])
        found.append(Suggestion(z, share, _nearest(z, taken), doubt, by))
        taken.append(z)
        cover.add(z)
        free[best] = False
    return tuple(found)


def suggestions_of(event: NextSlices) -> tuple[Suggestion, ...]:
    """Read what a job says."""
    rows = zip(event.slices, event.gains, event.nearest, event.uncertainties, strict=True)
    return tuple(
        Suggestion(
            z, gain, None if near < 0 else near, None if math.isnan(doubt) else doubt, event.by
        )
        for z, gain, near, doubt in rows
    )


class _Cover:
    """How well each of the slices wanted is stood for."""

    def __init__(
        self, wanted: NDArray[np.int64], length: float, alike: Floats | None, taken: Iterable[int]
    ) -> None:
        self._wanted, self._length, self._alike = wanted, length, alike
        self._covered = np.zeros(wanted.size)
        for z in taken:
            self.add(z)

    def add(self, z: int) -> None:
        self._covered = np.maximum(self._covered, self._rows(np.array([z])).reshape(-1))

    def best(self, weights: Floats, among: NDArray[np.bool_]) -> tuple[int, float]:
        """The place that adds most, and its share of what nothing stands for."""
        gains = self._gains(weights)
        best = int(np.argmax(np.where(among, gains, -1.0).round(_DIGITS)))
        left = float(weights @ (1 - self._covered))
        return best, min(float(gains[best]) / left, 1.0) if left > 0 else 0.0

    def _gains(self, weights: Floats) -> Floats:
        blocks = range(0, self._wanted.size, _BLOCK)
        rows = (self._rows(self._wanted[start : start + _BLOCK]) for start in blocks)
        better = [np.maximum(part - self._covered, 0) @ weights for part in rows]
        gains: Floats = np.concatenate(better)
        return gains

    def _rows(self, chosen: NDArray[np.int64]) -> Floats:
        if self._alike is not None:
            rows: Floats = np.asarray(self._alike, np.float64)[np.ix_(chosen, self._wanted)]
        else:
            rows = np.exp(-np.abs(chosen[:, None] - self._wanted) / self._length)
        return rows


def _relative(wanted: NDArray[np.int64], uncertainty: Mapping[int, float] | None) -> Floats | None:
    known = {z: u for z, u in (uncertainty or {}).items() if math.isfinite(u) and u >= 0}
    if not known:
        return None
    places = sorted(known)
    values = np.interp(wanted, places, [known[z] for z in places])
    usual = float(np.median(values))
    if usual <= 0:
        return None
    relative: Floats = np.clip(values / usual, 1 / MOST, MOST)
    return relative


def _nearest(z: int, taken: list[int]) -> int | None:
    return min(taken, key=lambda other: (abs(other - z), other)) if taken else None


def _doubt(relative: float | None, by: By) -> str:
    if relative is None:
        return ""
    what = "uncertain" if by == "model" else "unlike the labelled ones in its grey values"
    times = "as" if 0.9 < relative < 1.1 else f"{relative:.1f} times as"
    return f", {times} {what} as most"

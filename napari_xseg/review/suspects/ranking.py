"""Suspects of all kinds in one list: what most pixels are probably wrong in comes first.

Every kind says the same of a suspect: the share of its pixels that are probably
wrong. What a model says of its own doubt is taken as it is. The other kinds say no
such share by themselves; theirs are the constants below, measured once on 40
slices of a solid oxide cell with noise of sd 5000, away from the five slices that
trained the model: the share of truly wrong pixels among those that the kind named
(docs/suspects.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.review.suspects.places import CELL
from napari_xseg.review.suspects.table import KINDS, ROW

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Wrong pixels where one of seven turned slices gives another class, and what all seven add.
FLIPPED_ONCE = 0.33
FLIPPED_ALWAYS = 0.30
SECOND_DIFFERS = 0.46
ALONE_IN_ONE_SLICE = 0.60
# A small piece that neighbouring slices do not have, and one that they have or may have.
LONE_PIECE = 0.75
SMALL_PIECE = 0.50
DRIFTED_SLICE = 0.10

_DRIFT = KINDS.index("drift")
# Of the smaller of two boxes: so much in common, and they are one place.
_SAME_PLACE = 0.5


def expected_wrong(rows: NDArray[np.void]) -> NDArray[np.float64]:
    """Pixels (n,) that are probably wrong in each suspect: what they are ranked by.

    A whole slice counts as one place of the largest size, as it takes one look too.
    """
    scores: NDArray[np.float64] = rows["strength"] * np.minimum(rows["pixels"], CELL * CELL)
    return scores


class Strongest:
    """The `limit` places with most to mend of all that are added; memory for twice as many.

    Attributes
    ----------
    dropped : int
        Places that were left out.
    dropped_of : int64 array
        Of those, how many each of `KINDS` had named.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rows: list[NDArray[np.void]] = []
        self._held = 0
        self.dropped = 0
        self.dropped_of = np.zeros(len(KINDS), np.int64)

    def add(self, rows: NDArray[np.void]) -> None:
        """Take all suspects of some slices, rows of dtype `ROW`, of whatever kinds.

        What is merged later is not known when the weakest are left out, and with it
        the name of its kind would be lost.
        """
        rows = rank(rows)
        if len(rows) > self._limit:
            rows = self._best(rows)
        self._rows.append(rows)
        self._held += len(rows)
        if self._held > 2 * self._limit:
            self._rows = [self._best(np.concatenate(self._rows))]
            self._held = self._limit

    def ranked(self) -> NDArray[np.void]:
        """Those that are left, most to mend first."""
        rows = np.concatenate([np.empty(0, ROW), *self._rows])
        return self._best(rows) if len(rows) > self._limit else rows[_order(rows)]

    def _best(self, rows: NDArray[np.void]) -> NDArray[np.void]:
        order = _order(rows)
        gone = rows["kinds"][order[self._limit :]]
        self.dropped += len(gone)
        self.dropped_of += (gone[:, None] >> np.arange(len(KINDS)) & 1).sum(axis=0)
        return rows[order[: self._limit]]


def rank(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Merge suspects of one place, and put those with most to mend first.

    Two suspects of a slice are one place where their boxes have half of the smaller
    one in common: the one with more to mend stands, and names the kinds of both.
    """
    merged = [_merge(rows[rows["z"] == z]) for z in np.unique(rows["z"])]
    kept = np.concatenate([np.empty(0, ROW), *merged])
    return kept[_order(kept)]


def _order(rows: NDArray[np.void]) -> NDArray[np.intp]:
    keys = (rows["x0"], rows["y0"], rows["z"], -expected_wrong(rows))
    return np.lexsort(keys)


def _merge(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Suspects of one slice, each place once."""
    rows = rows[_order(rows)]
    free = rows["kind"] != _DRIFT
    stands = np.ones(len(rows), bool)
    for first in range(len(rows)):
        if not (stands[first] and free[first]):
            continue
        same = stands & free & _overlapping(rows, first)
        same[: first + 1] = False
        if same.any():
            rows["kinds"][first] |= np.bitwise_or.reduce(rows["kinds"][same])
            stands[same] = False
    return rows[stands]


def _overlapping(rows: NDArray[np.void], one: int) -> NDArray[np.bool_]:
    common = np.ones(len(rows), np.int64)
    area = np.ones(len(rows), np.int64)
    for axis in "yx":
        start = np.maximum(rows[f"{axis}0"], rows[f"{axis}0"][one])
        stop = np.minimum(rows[f"{axis}1"], rows[f"{axis}1"][one])
        common *= np.maximum(stop - start, 0)
        area *= rows[f"{axis}1"] - rows[f"{axis}0"]
    smaller: NDArray[np.int64] = np.minimum(area, area[one])
    return common >= _SAME_PLACE * smaller

"""What a further training has changed: suspects that went away, labelled slices that got worse.

Pure functions of places and index maps, one slice at a time.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_xseg import metrics
from napari_xseg.review.border import border_band

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from napari_xseg.events import Box
    from napari_xseg.metrics import Counts
    from napari_xseg.review.matching import IndexMap

MARGIN = 0.001
"""A Dice lower by this much or more is a worse one."""
BORDER = 2
"""Pixels up to so far from a class border of the labels do not count.

Two trainings draw a border a pixel apart, and who accepts a slice takes the older mask's.
"""
OVERLAP = 0.1
"""Boxes that share so much of the smaller one are the same place."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place that was found wrong or doubtful.

    Attributes
    ----------
    z : int
    box : (int, int, int, int)
        (y0, y1, x0, x1), half open.
    kind : str
    strength : float
    """

    z: int
    box: Box
    kind: str
    strength: float


@dataclass(frozen=True)
class SpotChanges:
    """What became of places.

    Attributes
    ----------
    gone : tuple of int
        Indices of those before that are there no more.
    stayed : tuple of (int, int)
        Indices before and after of the same place.
    appeared : tuple of int
        Indices of those after that were not there before.
    """

    gone: tuple[int, ...]
    stayed: tuple[tuple[int, int], ...]
    appeared: tuple[int, ...]


@dataclass(frozen=True)
class SliceChange:
    """The masks of one labelled slice, before and after, beside its labels.

    Attributes
    ----------
    z : int
    before, after : float
        Mean Dice of the classes that occur, 0 to 1; nan where nothing can be compared.
    wrong_before, wrong_after : int
        Pixels that differ from the labels, of those that count.
    """

    z: int
    before: float
    after: float
    wrong_before: int
    wrong_after: int

    def worse(self, margin: float = MARGIN) -> bool:
        """Whether the Dice fell by `margin` or more, and pixels were lost too."""
        return self.before - self.after >= margin and self.wrong_after > self.wrong_before


def spot_changes(
    before: Sequence[Spot], after: Sequence[Spot], *, overlap: float = OVERLAP
) -> SpotChanges:
    """Match places by slice, kind and box.

    Parameters
    ----------
    before, after : sequence of Spot
        Of the same slices, in any order.
    overlap : float
        The share of the smaller box, above 0, that both must have in common.

    Returns
    -------
    SpotChanges
        Each place is matched once at most, those that share most first.
    """
    there: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for index, spot in enumerate(after):
        there[spot.z, spot.kind].append(index)
    pairs = [
        (-share, first, second)
        for first, spot in enumerate(before)
        for second in there.get((spot.z, spot.kind), ())
        if (share := _shared(spot.box, after[second].box)) >= overlap and share > 0
    ]
    stayed: dict[int, int] = {}
    taken: set[int] = set()
    for _, first, second in sorted(pairs):
        if first not in stayed and second not in taken:
            stayed[first] = second
            taken.add(second)
    return SpotChanges(
        tuple(index for index in range(len(before)) if index not in stayed),
        tuple(sorted(stayed.items())),
        tuple(index for index in range(len(after)) if index not in taken),
    )


def slice_change(
    z: int,
    labels: IndexMap,
    before: IndexMap,
    after: IndexMap,
    classes: int,
    border: int = BORDER,
) -> SliceChange:
    """Compare two masks of slice `z` with its labels, away from the borders of their classes.

    Parameters
    ----------
    labels, before, after : uint8 arrays (y, x)
        Class indices, 255 where not labelled or not predicted. A pixel that is 255
        in one of the three is left out, so that both masks are judged by the same ones.
    classes : int
        How many there are.
    border : int
        Pixels at most so far from another class of the labels are left out, as
        `border_band` marks them; 0 leaves out none.

    Raises
    ------
    ValueError
        As `metrics.confusion` says.
    """
    known = (before != metrics.IGNORE) & (after != metrics.IGNORE) & ~border_band(labels, border)
    truth = np.where(known, labels, np.uint8(metrics.IGNORE))
    old, new = (metrics.confusion(truth, mask, classes) for mask in (before, after))
    return SliceChange(z, metrics.dice_all(old), metrics.dice_all(new), _wrong(old), _wrong(new))


def slice_changes(
    slices: Iterable[int],
    labels: Callable[[int], IndexMap],
    before: Callable[[int], IndexMap],
    after: Callable[[int], IndexMap],
    classes: int,
) -> Iterator[SliceChange]:
    """Compare slice by slice, as `slice_change`; each function gives the index map of a z."""
    for z in slices:
        yield slice_change(z, labels(z), before(z), after(z), classes)


def got_worse(changes: Iterable[SliceChange], margin: float = MARGIN) -> tuple[SliceChange, ...]:
    """Those that got worse, the worst first."""
    found = [change for change in changes if change.worse(margin)]
    return tuple(sorted(found, key=lambda change: (change.after - change.before, change.z)))


def progress_text(changes: Sequence[SliceChange], spots: SpotChanges | None = None) -> str:
    """Say in one or two sentences what was won and lost."""
    told = []
    if spots is not None:
        many = len(spots.gone) + len(spots.stayed)
        told.append(
            f"{len(spots.gone)} of {many} suspects went away, {len(spots.appeared)} came up."
        )
    if changes:
        worse = got_worse(changes)
        count = f"{len(changes)} labelled slice{'s'[: len(changes) != 1]}"
        names = ", ".join(f"{one.z} ({_points(one)})" for one in worse)
        told.append(
            f"Of {count} {len(worse)} got worse: {names}. Pixels up to {BORDER} from a class "
            "border do not count."
            if worse
            else f"None of {count} got worse."
        )
    return " ".join(told)


def _points(change: SliceChange) -> str:
    return f"Dice {100 * change.before:.2f} to {100 * change.after:.2f} %"


def _wrong(counts: Counts) -> int:
    return int(counts.sum() - np.trace(counts))


def _shared(one: Box, other: Box) -> float:
    """The common part of two boxes as a share of the smaller one."""
    height = min(one[1], other[1]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[2], other[2])
    smaller = min(_area(one), _area(other))
    return max(height, 0) * max(width, 0) / smaller if smaller else 0.0


def _area(box: Box) -> int:
    return (box[1] - box[0]) * (box[3] - box[2])

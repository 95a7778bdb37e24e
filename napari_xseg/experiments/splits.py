"""Which slices of an experiment train, and which are scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.data.split import LONGEST_GUARD
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_xseg.experiments.plan import SplitKind


@dataclass(frozen=True)
class Parts:
    """z of the slices that may train, in the order in which they are taken, and that are scored.

    Attributes
    ----------
    train, validation : tuple of int
        They share none.
    guard : int
        Training slices lie further than this from scored ones; 0 in a random split.
    scaled : bool
        Whether there are fewer labelled slices than the plan's published numbers.
    """

    train: tuple[int, ...]
    validation: tuple[int, ...]
    guard: int
    scaled: bool

    def first(self, count: int | None) -> tuple[int, ...]:
        """Z of `count` training slices, rising; of all without a count.

        XsegError where there are not so many.
        """
        if count is None:
            return tuple(sorted(self.train))
        if count > len(self.train):
            raise XsegError(
                f"{count} training slices: the labels have {len(self.train)} beside those that are "
                "scored; label more slices or take smaller counts."
            )
        return tuple(sorted(self.train[:count]))


def split_parts(
    usable: Sequence[int],
    kind: SplitKind,
    training: int,
    validation: int,
    repeat: int,
    repeats: int,
) -> Parts:
    """Split labelled slices for one repeat of an experiment.

    Parameters
    ----------
    usable : sequence of int
        z of the labelled slices, rising.
    kind : str
        "random", as the poster did: neighbours of scored slices train, and the figure
        is flattered. "blocked": a stretch of slices is scored, and slices nearer to it
        than a guard gap (a tenth of the labelled range, 20 at most) do not train; each
        repeat has its stretch elsewhere.
    training, validation : int
        How many of each; where there are fewer slices, both in proportion.
    repeat, repeats : int
        Number of the repeat, from 0, and how many there are.

    Raises
    ------
    XsegError
        Fewer than two labelled slices, or none left to train on.
    """
    count = len(usable)
    if count < 2:
        raise XsegError(f"{count} labelled slices: an experiment wants two or more.")
    share = min(1.0, count / (training + validation))
    scored = min(max(1, round(share * validation)), count - 1)
    learnt = max(1, min(count - scored, round(share * training)))
    if kind == "random":
        order = np.random.default_rng([repeat, 0]).permutation(count)
        val = [usable[index] for index in order[:scored]]
        rest = [usable[index] for index in order[scored:]]
        return Parts(tuple(rest[:learnt]), tuple(sorted(val)), 0, share < 1)
    start = round((count - scored) * (repeat + 0.5) / repeats)
    block = usable[start : start + scored]
    guard = min(LONGEST_GUARD, (usable[-1] - usable[0] + 1) // 10)
    far = [z for z in usable if z < block[0] - guard or z > block[-1] + guard]
    if not far:
        raise XsegError(
            f"a guard gap of {guard} slices leaves none of {count} to train on; label more slices."
        )
    return Parts(_spread(far)[:learnt], tuple(block), guard, share < 1)


def thinned(slices: tuple[int, ...], most: int | None) -> tuple[int, ...]:
    """At most `most` of the slices, evenly from the first to the last; all of them for None."""
    if most is None or most >= len(slices):
        return slices
    places = np.linspace(0, len(slices) - 1, most).round().astype(int)
    return tuple(slices[place] for place in places)


def _spread(slices: Sequence[int]) -> tuple[int, ...]:
    """The slices in an order whose first n are spread evenly along z, for each n."""
    left, taken = list(slices), [slices[len(slices) // 2]]
    left.remove(taken[0])
    near = {z: abs(z - taken[0]) for z in left}
    while left:
        far = max(left, key=lambda z: (near[z], -z))
        taken.append(far)
        left.remove(far)
        near = {z: min(near[z], abs(z - far)) for z in left}
    return tuple(taken)

"""Means with intervals over repeats, and where more slices stop to pay."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FEWEST = 3  # repeats from which on an interval is given
_RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A mean over repeats, and its 95 % interval where there are enough of them.

    Attributes
    ----------
    mean : float
    low, high : float
        Student's t; nan with fewer than three repeats.
    values : tuple of float
        Of each repeat.
    """

    mean: float
    low: float
    high: float
    values: tuple[float, ...]

    @property
    def known(self) -> bool:
        """Whether there are enough repeats for an interval."""
        return not math.isnan(self.low)


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of `values` with Student's 95 % interval; nan ones are left out."""
    known = tuple(float(value) for value in values if not math.isnan(value))
    if not known:
        return Estimate(math.nan, math.nan, math.nan, ())
    mean = float(np.mean(known))
    if len(known) < FEWEST:
        return Estimate(mean, math.nan, math.nan, known)
    from scipy.stats import t

    half = float(t.ppf(0.975, len(known) - 1)) * float(np.std(known, ddof=1)) / len(known) ** 0.5
    return Estimate(mean, mean - half, mean + half, known)


@dataclass(frozen=True)
class Threshold:
    """The smallest count of slices from which on more of them pay no longer.

    `low` and `high` are the 2.5th and 97.5th percentile over resampled repeats; None
    with fewer than three.
    """

    count: int
    low: int | None
    high: int | None


def threshold(
    dice: Mapping[int, Sequence[float]], margin: float, seed: int = 0
) -> Threshold | None:
    """The smallest count whose mean Dice comes within `margin` of the largest count's.

    Parameters
    ----------
    dice : mapping of int to sequence of float
        Dice of each repeat by count of slices, repeats in the same order.
    margin : float
        In the unit of `dice`. All larger counts must come as near, too.
    seed : int
        Of the resampling (bootstrap over repeats).

    Returns
    -------
    Threshold or None
        None with fewer than two counts.
    """
    counts = sorted(dice)
    repeats = min((len(dice[count]) for count in counts), default=0)
    if len(counts) < 2 or not repeats:
        return None
    table = np.array([list(dice[count])[:repeats] for count in counts])
    found = _first(counts, table.mean(axis=1), margin)
    if repeats < FEWEST:
        return Threshold(found, None, None)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, repeats, (_RESAMPLES, repeats))
    firsts = [_first(counts, table[:, chosen].mean(axis=1), margin) for chosen in drawn]
    low, high = np.percentile(firsts, [2.5, 97.5], method="nearest")
    return Threshold(found, int(low), int(high))


def _first(counts: Sequence[int], means: np.ndarray, margin: float) -> int:
    enough = means >= means[-1] - margin
    for index in range(len(counts)):
        if enough[index:].all():
            return counts[index]
    return counts[-1]

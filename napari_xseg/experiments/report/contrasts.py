"""How far two points of an experiment are apart, with an interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.experiments.statistics import FEWEST, Estimate, estimate

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.experiments.results import Point, Result


def difference(first: Point, second: Point, value: Callable[[Result], float]) -> Estimate:
    """How much larger `value` is at `second` than at `first`.

    Repeats that score the same slices are compared one by one (Student's t of the
    differences), others as two samples (Welch 1947). Without three repeats of each
    the interval is nan.
    """
    if _same_slices(first, second):
        pairs = zip(first.results, second.results, strict=True)
        return estimate([value(two) - value(one) for one, two in pairs])
    return welch([value(one) for one in first.results], [value(two) for two in second.results])


def welch(first: list[float], second: list[float]) -> Estimate:
    """Mean of `second` less mean of `first`, with Welch's 95 % interval; nan values are left out.

    `values` of the result is empty: the differences are of no pairs.
    """
    one, two = (
        np.array([item for item in part if not math.isnan(item)]) for part in (first, second)
    )
    if not (one.size and two.size):
        return Estimate(math.nan, math.nan, math.nan, ())
    mean = float(two.mean() - one.mean())
    if min(one.size, two.size) < FEWEST:
        return Estimate(mean, math.nan, math.nan, ())
    from scipy.stats import t

    shares = np.array([part.var(ddof=1) / part.size for part in (one, two)])
    if not shares.sum():
        return Estimate(mean, mean, mean, ())
    freedom = shares.sum() ** 2 / (shares**2 / [one.size - 1, two.size - 1]).sum()
    half = float(t.ppf(0.975, freedom)) * float(np.sqrt(shares.sum()))
    return Estimate(mean, mean - half, mean + half, ())


def is_sure(found: Estimate) -> bool:
    """Whether the interval is known and leaves out zero."""
    return found.known and (found.low > 0 or found.high < 0)


def _same_slices(first: Point, second: Point) -> bool:
    parts = [[result.trial.validation for result in point.results] for point in (first, second)]
    return parts[0] == parts[1]

"""Figures of scores: means, shares, agreement, differences, with their intervals.

All are functions of arrays; random choices have a seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Values = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 2000
# Fewer pairs than this are too few to say: with five, no sign-flip test comes below 0.06.
FEWEST = 6
_EXACT_UP_TO = 12
_FLIPS = 20_000
_AT_ONCE = 500_000


@dataclass(frozen=True)
class Estimate:
    """A figure of n values with its 95 % interval; nan where there is none."""

    value: float
    low: float
    high: float
    n: int


def resample(
    figure: Callable[[NDArray[np.intp]], float],
    clusters: Sequence[Any],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[float, float]:
    """Give the percentile bootstrap interval of a figure, whole clusters drawn at a time.

    Parameters
    ----------
    figure : callable
        Takes the indices (m,) of the values drawn, gives the figure; nan is left out.
    clusters : sequence of n
        To which cluster each value belongs, such as its slice: values of one
        cluster are not independent.
    seed, resamples, level
        Of the random draws, their number, and what the interval covers.

    Returns
    -------
    (float, float)
        nan where there are fewer than two clusters or the figure has no value.

    References
    ----------
    Efron, Tibshirani: An Introduction to the Bootstrap (1993), chapter 13.
    """
    cluster_of = _numbered(clusters)
    count = int(cluster_of.max(initial=-1)) + 1
    if count < 2:
        return math.nan, math.nan
    members = [np.flatnonzero(cluster_of == cluster) for cluster in range(count)]
    rng = np.random.default_rng(seed)
    alone = count == len(cluster_of)
    found = np.empty(resamples)
    for place in range(resamples):
        draw = rng.integers(0, count, count)
        found[place] = figure(draw if alone else np.concatenate([members[one] for one in draw]))
    return _percentiles(found[~np.isnan(found)], level)


def mean(
    values: Values,
    clusters: Sequence[Any],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimate:
    """Mean of (n,) values with its bootstrap interval, `clusters` drawn at a time."""
    if not len(values):
        return Estimate(math.nan, math.nan, math.nan, 0)
    drawn = _drawn_sums(values[None], clusters, seed, resamples)
    low, high = _percentiles(drawn[0] / drawn[-1], level)
    return Estimate(float(values.mean()), low, high, len(values))


def wilson(successes: int, n: int, level: float = LEVEL) -> Estimate:
    """Share of successes among n, with Wilson's score interval (1927, JASA 22, 209)."""
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    from statistics import NormalDist

    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == n else middle + half
    return Estimate(share, low, high, n)


def weighted_kappa(first: Values, second: Values) -> float:
    """Quadratically weighted kappa of two raters (Cohen 1968, Psychological Bulletin 70, 213).

    1 for full agreement, 0 for what chance gives with the raters' own habits.

    Parameters
    ----------
    first, second : float64 (n,)
        Scores of the same items.

    Returns
    -------
    float
        nan where both always give one and the same score, or there is none.
    """
    if not len(first):
        return math.nan
    seen = np.mean((first - second) ** 2)
    # The mean of (a - b)**2 over all pairs of one score of each.
    by_chance = first.var() + second.var() + (first.mean() - second.mean()) ** 2
    return math.nan if by_chance == 0 else float(1 - seen / by_chance)


def kappa(
    first: Values,
    second: Values,
    clusters: Sequence[Any],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimate | None:
    """Weighted kappa with its bootstrap interval; None where there are too few pairs to say."""
    value = weighted_kappa(first, second)
    if len(first) < FEWEST or math.isnan(value):
        return None
    columns = np.stack([first, second, first**2, second**2, first * second])
    *sums, count = _drawn_sums(columns, clusters, seed, resamples)
    one, other, one_squared, other_squared, product = (found / count for found in sums)
    seen = one_squared + other_squared - 2 * product
    by_chance = one_squared + other_squared - 2 * one * other
    # A draw of one and the same score has no kappa.
    varied = by_chance > 1e-9
    low, high = _percentiles(1 - seen[varied] / by_chance[varied], level)
    return Estimate(value, low, high, len(first))


def spearman(first: Values, second: Values) -> float:
    """Spearman's rank correlation, ties with their mean rank; nan where one does not vary."""
    from scipy.stats import rankdata

    if len(first) < 2:
        return math.nan
    one, other = (rankdata(values) - (len(values) + 1) / 2 for values in (first, second))
    scale = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / scale if scale else math.nan


def correlation(
    first: Values, second: Values, clusters: Sequence[Any], **options: Any
) -> Estimate | None:
    """Spearman's correlation with its bootstrap interval; None where there is too little to say."""
    value = spearman(first, second)
    if len(first) < FEWEST or math.isnan(value):
        return None
    low, high = resample(lambda drawn: spearman(first[drawn], second[drawn]), clusters, **options)
    return Estimate(value, low, high, len(first))


def sign_flip(differences: Values, seed: int = 0) -> float | None:
    """Test whether paired differences are 0 in the mean: the p of a sign-flip permutation test.

    Were there no difference, each could as well have the other sign. Ties need no
    rule: a difference of 0 stays 0. Up to 12 differences other than 0 all flips are
    tried, beyond that 20 000 random ones.

    Parameters
    ----------
    differences : float64 (n,)
        One for each slice or place, independent of each other.

    Returns
    -------
    float or None
        Two-sided; None for fewer than six pairs, which are too few to say.

    References
    ----------
    Fisher: The Design of Experiments (1935), section 21; for random flips Phipson,
    Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9, 39.
    """
    if len(differences) < FEWEST:
        return None
    moved = differences[differences != 0]
    if not len(moved):
        return 1.0
    reached = abs(moved.sum()) * (1 - 1e-9)
    if len(moved) <= _EXACT_UP_TO:
        bits = np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved)) & 1
        return float(np.mean(abs((1 - 2 * bits) @ moved) >= reached))
    rng = np.random.default_rng(seed)
    rows = max(1, _AT_ONCE // len(moved))
    beyond = 0
    for start in range(0, _FLIPS, rows):
        signs = 1 - 2 * rng.integers(0, 2, (min(rows, _FLIPS - start), len(moved)))
        beyond += int(np.count_nonzero(abs(signs @ moved) >= reached))
    return (beyond + 1) / (_FLIPS + 1)


def _drawn_sums(columns: Values, clusters: Sequence[Any], seed: int, resamples: int) -> Values:
    """Sums of k columns (k, n) and the count over whole clusters drawn: (k + 1, resamples).

    No column for fewer than two clusters. All draws are made at once: a mean of a draw
    needs no more than the sums of its clusters.
    """
    cluster_of = _numbered(clusters)
    count = int(cluster_of.max(initial=-1)) + 1
    if count < 2:
        return np.empty((len(columns) + 1, 0))
    ones = np.ones(len(cluster_of))
    sums = np.stack([np.bincount(cluster_of, column) for column in [*columns, ones]])
    rng = np.random.default_rng(seed)
    rows = max(1, _AT_ONCE // count)
    return np.concatenate(
        [
            sums[:, rng.integers(0, count, (min(rows, resamples - start), count))].sum(axis=2)
            for start in range(0, resamples, rows)
        ],
        axis=1,
    )


def _numbered(clusters: Sequence[Any]) -> NDArray[np.intp]:
    order: dict[Any, int] = {}
    numbers = [order.setdefault(cluster, len(order)) for cluster in clusters]
    return np.array(numbers, np.intp)


def _percentiles(values: Values, level: float) -> tuple[float, float]:
    if not len(values):
        return math.nan, math.nan
    low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)

"""What the scores of all reviewers say together."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.review.scoring import statistics
from napari_xseg.review.scoring.values import GOOD, SCORES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_xseg.review.scoring.reading import Row
    from napari_xseg.review.scoring.statistics import Estimate, Values

Unit = tuple[str, int, str]
"""What is looked at: volume, z, place."""

_Group = tuple[str, bool]
"""A mask's SHA-256, and whether places were scored: suspects are no sample of its slices."""

TOO_FEW = f"too few to say: fewer than {statistics.FEWEST} pairs"
NO_SPREAD = "too little to say: all scores are the same"
NO_SPREAD_EITHER = "too little to say: all scores or all confidences are the same"


@dataclass(frozen=True)
class MaskSummary:
    """The scores of one mask: of whole slices, or of suspects in it.

    Attributes
    ----------
    mask : str
        Its SHA-256.
    name : str
        What to call it.
    volume : str
        Name of the volume.
    reviewers : tuple of str
        Who scored it.
    scores : int
        Scores that count, repeats left out.
    mean : Estimate
        Mean score, each slice or place with the mean over its reviewers; the
        interval by bootstrap over slices.
    good : Estimate
        Share of slices or places whose mean is 4 or more; Wilson's interval.
    counts : tuple of int
        How many scores are 1, 2, 3, 4, 5.
    faults : dict
        Scores that name each kind of fault, most frequent first.
    along_z : tuple of (int, float, int)
        Slice, mean score, number of scores; by rising z.
    """

    mask: str
    name: str
    volume: str
    reviewers: tuple[str, ...]
    scores: int
    mean: Estimate
    good: Estimate
    counts: tuple[int, ...]
    faults: dict[str, int]
    along_z: tuple[tuple[int, float, int], ...]


@dataclass(frozen=True)
class Agreement:
    """Two reviewers on the same items; or one, the first time and the second.

    Attributes
    ----------
    n : int
        Pairs of scores.
    kappa : Estimate or None
        Quadratically weighted; None where there is too little to say.
    exact, near : float
        Share of pairs with the same score, and with scores at most 1 apart; nan without pairs.
    """

    first: str
    second: str
    n: int
    kappa: Estimate | None
    exact: float
    near: float


@dataclass(frozen=True)
class Comparison:
    """Two masks of one volume, on the slices or places scored for both.

    Attributes
    ----------
    n : int
        Slices or places.
    difference : Estimate
        Mean of first - second; the interval by bootstrap over slices.
    better, equal, worse : int
        Of the first: on how many it has the higher score.
    p : float or None
        Of a two-sided sign-flip permutation test over slices; None where there are
        too few to say.
    differences : tuple of float
        Of each slice or place.
    """

    first: str
    second: str
    n: int
    difference: Estimate
    better: int
    equal: int
    worse: int
    p: float | None
    differences: tuple[float, ...]

    def words(self) -> str:
        """Say it plainly."""
        if self.p is None:
            return TOO_FEW
        if self.p >= 0.05:
            return "no clear difference"
        best = self.first if self.difference.value > 0 else self.second
        return f"{best} is scored higher"


@dataclass(frozen=True)
class Correlation:
    """Scores of a mask against the mean confidence of their slices.

    Attributes
    ----------
    rho : Estimate or None
        Spearman's; None where there is too little to say.
    points : tuple of (float, float)
        Confidence and mean score of each slice or place.
    """

    name: str
    n: int
    rho: Estimate | None
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Summary:
    """All that is said of the scores; `hidden` while a blind session is under way."""

    masks: tuple[MaskSummary, ...]
    agreement: tuple[Agreement, ...]
    consistency: tuple[Agreement, ...]
    models: tuple[Comparison, ...]
    confidence: tuple[Correlation, ...]
    scores: int
    repeats: int
    hidden: bool


def summarise(
    rows: Sequence[Row],
    *,
    confidence: Mapping[tuple[str, int], float] | None = None,
    seed: int = 0,
    resamples: int = statistics.RESAMPLES,
) -> Summary:
    """Sum up scores.

    Parameters
    ----------
    rows : sequence of Row
        As `AllScores.rows` gives them. Where a reviewer scored an item of a mask in
        several sessions the latest counts; second askings count for consistency alone.
    confidence : mapping, optional
        Mean confidence, 0 to 1, by SHA-256 of the mask and z.
    seed, resamples
        Of the bootstrap.

    Returns
    -------
    Summary
        With empty tables where there is nothing to say.
    """
    options: dict[str, Any] = {"seed": seed, "resamples": resamples}
    first = _latest(row for row in rows if row.item.repeat_of is None)
    masks = _by_name(_grouped(first, lambda row: (row.mask, row.item.place is not None)))
    means = {mask: _unit_means(found) for mask, found in masks.items()}
    return Summary(
        tuple(_mask_summary(found, options) for found in masks.values()),
        tuple(_agreements(first, options)),
        tuple(_consistency(rows, options)),
        tuple(_comparisons(masks, means, options)),
        tuple(_correlations(masks, means, confidence or {}, options)),
        len(first),
        sum(row.item.repeat_of is not None for row in rows),
        any(row.hidden for row in rows),
    )


def _latest(rows: Iterable[Row]) -> list[Row]:
    """Of each reviewer, mask and unit the latest score."""
    latest: dict[tuple[str, str, Unit], Row] = {}
    for row in sorted(rows, key=lambda row: row.kept.made):
        latest[row.reviewer, row.mask, row.unit] = row
    return list(latest.values())


def _grouped(rows: Iterable[Row], key: Any) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return dict(groups)


def _by_name(masks: dict[_Group, list[Row]]) -> dict[_Group, list[Row]]:
    order = sorted(masks, key=lambda group: (_called(masks[group]).casefold(), group))
    return {group: masks[group] for group in order}


def _called(rows: Sequence[Row]) -> str:
    return rows[0].mask_name + (", suspects" if rows[0].item.place is not None else "")


def _unit_means(rows: Sequence[Row]) -> dict[Unit, float]:
    groups = _grouped(rows, lambda row: row.unit)
    return {unit: _mean(groups[unit]) for unit in sorted(groups)}


def _mean(rows: Sequence[Row]) -> float:
    return sum(row.score.score for row in rows) / len(rows)


def _mask_summary(rows: Sequence[Row], options: dict[str, Any]) -> MaskSummary:
    means = _unit_means(rows)
    counts = Counter(row.score.score for row in rows)
    faults = Counter(fault for row in rows for fault in row.score.faults)
    slices = _grouped(rows, lambda row: row.item.z)
    return MaskSummary(
        rows[0].mask,
        _called(rows),
        rows[0].session.volume.name,
        tuple(sorted({row.reviewer for row in rows})),
        len(rows),
        statistics.mean(_array(means.values()), [unit[:2] for unit in means], **options),
        statistics.wilson(sum(value >= GOOD for value in means.values()), len(means)),
        tuple(counts[score] for score in SCORES),
        dict(sorted(faults.items(), key=lambda found: (-found[1], found[0]))),
        tuple((z, _mean(slices[z]), len(slices[z])) for z in sorted(slices)),
    )


def _agreements(rows: Sequence[Row], options: dict[str, Any]) -> Iterable[Agreement]:
    by_reviewer = _grouped(rows, lambda row: row.reviewer)
    for first, second in itertools.combinations(sorted(by_reviewer), 2):
        theirs = {(row.mask, row.unit): row for row in by_reviewer[second]}
        pairs = [
            (row, theirs[row.mask, row.unit])
            for row in by_reviewer[first]
            if (row.mask, row.unit) in theirs
        ]
        yield _agreement(first, second, pairs, options)


def _consistency(rows: Sequence[Row], options: dict[str, Any]) -> Iterable[Agreement]:
    scored = {(row.reviewer, row.session.uid, row.item.number): row for row in rows}
    pairs: dict[str, list[tuple[Row, Row]]] = defaultdict(list)
    for row in rows:
        first = scored.get((row.reviewer, row.session.uid, row.item.repeat_of or 0))
        if first is not None:
            pairs[row.reviewer].append((first, row))
    for reviewer in sorted(pairs):
        yield _agreement(reviewer, reviewer, pairs[reviewer], options)


def _agreement(
    first: str, second: str, pairs: Sequence[tuple[Row, Row]], options: dict[str, Any]
) -> Agreement:
    one = _array(row.score.score for row, _ in pairs)
    other = _array(row.score.score for _, row in pairs)
    apart = abs(one - other)
    slices = [row.unit[:2] for row, _ in pairs]
    return Agreement(
        first,
        second,
        len(pairs),
        statistics.kappa(one, other, slices, **options),
        float(np.mean(apart == 0)) if pairs else math.nan,
        float(np.mean(apart <= 1)) if pairs else math.nan,
    )


def _comparisons(
    masks: Mapping[_Group, Sequence[Row]],
    means: Mapping[_Group, Mapping[Unit, float]],
    options: dict[str, Any],
) -> Iterable[Comparison]:
    for first, second in itertools.combinations(masks, 2):
        shared = [unit for unit in means[first] if unit in means[second]]
        if not shared:
            continue
        found = _array(means[first][unit] - means[second][unit] for unit in shared)
        slices = [unit[:2] for unit in shared]
        yield Comparison(
            _called(masks[first]),
            _called(masks[second]),
            len(shared),
            statistics.mean(found, slices, **options),
            int(np.count_nonzero(found > 0)),
            int(np.count_nonzero(found == 0)),
            int(np.count_nonzero(found < 0)),
            statistics.sign_flip(_slice_sums(found, slices), options["seed"]),
            tuple(found.tolist()),
        )


def _slice_sums(values: Values, slices: Sequence[Any]) -> Values:
    """Places of one slice are not independent: they change sign together."""
    sums: dict[Any, float] = defaultdict(float)
    for value, one in zip(values.tolist(), slices, strict=True):
        sums[one] += value
    return _array(sums.values())


def _correlations(
    masks: Mapping[_Group, Sequence[Row]],
    means: Mapping[_Group, Mapping[Unit, float]],
    confidence: Mapping[tuple[str, int], float],
    options: dict[str, Any],
) -> Iterable[Correlation]:
    for group, rows in masks.items():
        mask = group[0]
        known = [unit for unit in means[group] if (mask, unit[1]) in confidence]
        if not known:
            continue
        sure = _array(confidence[mask, unit[1]] for unit in known)
        scores = _array(means[group][unit] for unit in known)
        rho = statistics.correlation(sure, scores, [unit[:2] for unit in known], **options)
        points = tuple(zip(sure.tolist(), scores.tolist(), strict=True))
        yield Correlation(_called(rows), len(known), rho, points)


def _array(values: Iterable[float]) -> Values:
    return np.array(list(values), np.float64)

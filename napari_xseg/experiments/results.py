"""What came out of a plan's trainings, read from their folders."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg import metrics
from napari_xseg.experiments.running import TRIAL, fault_file, read_scores
from napari_xseg.experiments.statistics import Estimate, Threshold, estimate, threshold

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_xseg.experiments.glance import Glance
    from napari_xseg.experiments.plan import Conditions, Plan, SplitKind
    from napari_xseg.experiments.trial import Left, Trial

Counts = dict[int, "NDArray[np.int64]"]


@dataclass(frozen=True, eq=False)
class Result:
    """One training, trained and scored as far as it has come.

    Attributes
    ----------
    trial : Trial
    run : Path
    seconds : float
        Of training; nan where it has not ended.
    scores : mapping of float to dict
        Confusion counts of each z, by the noise's sd.
    fault : str
        Why it failed; empty where it did not.
    """

    trial: Trial
    run: Path
    seconds: float
    scores: Mapping[float, Counts]
    fault: str = ""

    def dice(self, std: float = 0.0) -> float:
        """Foreground Dice in percent over all scored slices together; nan where not scored."""
        counts = self.scores.get(std)
        if not counts:
            return math.nan
        return 100 * metrics.dice_foreground(np.sum(list(counts.values()), axis=0))

    def dice_mixed(self, clean: float, noisy: float) -> float:
        """The same over clean and noisy slices together, as the poster validated."""
        parts = [self.scores.get(std) for std in (clean, noisy)]
        if not all(parts):
            return math.nan
        total = np.sum([counts for part in parts for counts in (part or {}).values()], axis=0)
        return 100 * metrics.dice_foreground(total)

    def by_class(self, std: float = 0.0) -> NDArray[np.float64]:
        """Dice (C,) in percent by class."""
        counts = self.scores.get(std)
        if not counts:
            return np.full(0, math.nan)
        return 100 * metrics.dice(np.sum(list(counts.values()), axis=0))

    def by_slice(self, std: float = 0.0) -> dict[int, float]:
        """Foreground Dice in percent of each scored z."""
        found = self.scores.get(std) or {}
        return {z: 100 * metrics.dice_foreground(counts) for z, counts in found.items()}


@dataclass(frozen=True, eq=False)
class Point:
    """One combination of conditions, in one kind of split."""

    conditions: Conditions
    split: SplitKind
    results: tuple[Result, ...]

    def dice(self, std: float = 0.0) -> Estimate:
        """Foreground Dice in percent over the repeats."""
        return estimate([result.dice(std) for result in self.results])

    def mixed(self, noisy: float) -> Estimate:
        """The same over clean and noisy slices together."""
        return estimate([result.dice_mixed(0.0, noisy) for result in self.results])

    @property
    def seconds(self) -> Estimate:
        """Seconds of training over the repeats."""
        return estimate([result.seconds for result in self.results])


@dataclass(frozen=True, eq=False)
class Outcome:
    """A plan, and all that is known of it so far."""

    plan: Plan
    points: tuple[Point, ...]
    left: tuple[Left, ...]
    scaled: bool

    @property
    def results(self) -> tuple[Result, ...]:
        """Of all points."""
        return tuple(result for point in self.points for result in point.results)

    @property
    def complete(self) -> bool:
        """Whether every training is scored at every noise, or has failed."""
        return all(
            result.fault or set(self.plan.score_noise) <= set(result.scores)
            for result in self.results
        )

    def of(self, split: SplitKind) -> tuple[Point, ...]:
        """The points of one kind of split."""
        return tuple(point for point in self.points if point.split == split)

    def threshold(self, split: SplitKind, std: float, **fixed: Any) -> Threshold | None:
        """From how many slices on more pay no longer; `fixed` names other conditions."""
        margin = self.plan.threshold
        if margin is None:
            return None
        dice = {
            point.conditions.slices: [result.dice(std) for result in point.results]
            for point in self.of(split)
            if point.conditions.slices is not None
            and all(getattr(point.conditions, key) == value for key, value in fixed.items())
        }
        known = {count: values for count, values in dice.items() if np.isfinite(values).all()}
        return threshold(known, margin)


def read_outcomes(suite: Glance) -> tuple[Outcome, ...]:
    """What is there of each plan; a suite under way gives what it has."""
    read: dict[str, Result] = {}
    outcomes = []
    for plan in suite.plans:
        trials = suite.trials[plan.name]
        for trial in trials:
            if trial.key not in read:
                read[trial.key] = read_result(trial, suite.runs / trial.folder)
        points = []
        for conditions in plan.points():
            for split in plan.splits:
                mine = [one for one in trials if (one.conditions, one.split) == (conditions, split)]
                if mine:
                    found = tuple(read[trial.key] for trial in mine)
                    points.append(Point(conditions, split, found))
        count = len(suite.material.usable)
        scaled = count < plan.training + plan.validation
        outcomes.append(Outcome(plan, tuple(points), suite.left[plan.name], scaled))
    return tuple(outcomes)


def read_result(trial: Trial, run: Path) -> Result:
    """What a run folder holds of a trial."""
    try:
        told = json.loads((run / TRIAL).read_text(encoding="utf-8"))
        seconds = float(told["seconds"])
    except (OSError, ValueError, LookupError, TypeError):
        seconds = math.nan
    try:
        fault = fault_file(run).read_text(encoding="utf-8")
    except OSError:
        fault = ""
    return Result(trial, run, seconds, read_scores(run), fault)

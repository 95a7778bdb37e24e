"""How many training slices are enough: the threshold of diminishing returns, by its rule."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_xseg.experiments.report.measures import TOO_FEW, hardest_measure, label_of, varied

if TYPE_CHECKING:
    from napari_xseg.experiments.plan import Plan
    from napari_xseg.experiments.results import Outcome
    from napari_xseg.experiments.statistics import Threshold


@dataclass(frozen=True)
class Enough:
    """The threshold of one line of a plan, over the counts of slices that were tried."""

    label: str
    split: str
    counts: tuple[int, ...]
    threshold: Threshold

    @property
    def known(self) -> bool:
        """Whether the repeats narrow it down: to less than from the fewest to the most tried."""
        found = self.threshold
        return found.low is not None and (found.low, found.high) != (
            self.counts[0],
            self.counts[-1],
        )

    @property
    def words(self) -> str:
        """Such as "5 slices are enough (95 %: 5 to 10)"."""
        found = self.threshold
        count = f"{found.count} slice{'s'[: found.count != 1]}"
        if found.low is None:
            text = f"how many are enough cannot be said from these repeats ({TOO_FEW})"
        elif not self.known:
            text = "how many are enough cannot be said from these repeats"
        elif found.count == self.counts[-1]:
            text = f"all {count} still pay, more were not tried"
        elif found.count == self.counts[0]:
            text = f"{count} {'or fewer are' if found.count > 1 else 'is'} enough"
        else:
            text = f"{count} are enough"
        return text if found.low is None else f"{text} (95 %: {found.low} to {found.high})"


def enough_slices(outcome: Outcome) -> tuple[Enough, ...]:
    """The threshold of each line whose trainings are all scored."""
    plan = outcome.plan
    measure = hardest_measure(plan)
    noisy = plan.conditions.noise == "only" and plan.noise_std in plan.score_noise
    std = plan.noise_std if noisy else 0.0
    others = [key for key in varied(plan) if key != "slices"]
    choices = [getattr(plan.vary, key) for key in others]
    found = []
    for split, values in itertools.product(plan.splits, itertools.product(*choices)):
        fixed = dict(zip(others, values, strict=True))
        points = [
            point
            for point in outcome.of(split)
            if all(getattr(point.conditions, key) == value for key, value in fixed.items())
        ]
        if any(math.isnan(measure.of(result)) for point in points for result in point.results):
            continue
        threshold = outcome.threshold(split, std, **fixed)
        if threshold is not None:
            counts = sorted(point.conditions.slices or 0 for point in points)
            label = label_of(plan, points[0].conditions, {"slices"})
            found.append(Enough(label, split, tuple(counts), threshold))
    return tuple(found)


def threshold_rule(plan: Plan) -> str:
    """The rule in words."""
    return (
        f"Enough is the smallest count of slices that comes, with every larger one, within "
        f"{plan.threshold:g} points of the largest count's mean Dice; its interval holds 95 % of "
        "2000 resamplings of the repeats (bootstrap)."
    )

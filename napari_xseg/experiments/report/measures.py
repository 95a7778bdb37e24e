"""What is measured of a training, and what it is called in tables and figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_xseg import metrics
from napari_xseg.errors import XsegError
from napari_xseg.experiments.statistics import FEWEST, Estimate, estimate
from napari_xseg.review.figures import read_history

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from napari_xseg.experiments.plan import Conditions, Plan, Published
    from napari_xseg.experiments.results import Outcome, Point, Result
    from napari_xseg.review.figures import Curve

TOO_FEW = "too few repeats for an interval"
STAR = " *"
FOREGROUND = "dice_foreground"
HISTORY = "history.csv"

_NOISE = {
    "off": "no noise in training",
    "toggle": "random noise in training",
    "copies": "noisy copies in training",
    "only": "noisy slices only",
}
_AUGMENT = {
    "recipe": "augmentation of the recipe",
    "none": "no augmentation",
    "turns": "turns and mirror images",
    "context": "neighbours reversed, left out",
    "grey": "gain and offset of grey",
    "noise": "random noise",
    "all": "all augmentations",
}


@dataclass(frozen=True)
class Measure:
    """A figure of a training: what it is of, and how it is had (percent, nan where unknown)."""

    words: str
    of: Callable[[Result], float]

    def over(self, point: Point) -> Estimate:
        """The mean over the repeats of a point."""
        return estimate([self.of(result) for result in point.results])


def measures_of(plan: Plan) -> tuple[Measure, ...]:
    """What a plan's tables give of each point, that which was published first."""
    clean, std = 0.0, plan.noise_std
    found = []
    if plan.published and _mixes(plan):
        found.append(mixed_measure(std))
    if clean in plan.score_noise:
        found.append(noise_measure(clean))
    if std in plan.score_noise:
        found.append(noise_measure(std))
    return tuple(found) or (noise_measure(plan.score_noise[0]),)


def noise_measure(std: float) -> Measure:
    """Dice on the scored slices with noise of sd `std`."""
    words = f"noisy slices (sd {std:g})" if std else "clean slices"
    return Measure(words, lambda result: result.dice(std))


def mixed_measure(std: float) -> Measure:
    """Dice on the scored slices and their noisy copies together."""
    return Measure("clean and noisy slices together", lambda result: result.dice_mixed(0.0, std))


def published_measure(plan: Plan, published: Published) -> Measure:
    """What of a training stands beside a published figure."""
    if published.curve == "best":
        return Measure("best of the validation curve", best_of_curve)
    if published.curve == "end":
        return Measure("end of the validation curve", end_of_curve)
    return measures_of(plan)[0]


def hardest_measure(plan: Plan) -> Measure:
    """Dice under the noise that the plan trains with, else on clean slices."""
    noisy = plan.noise_std in plan.score_noise and plan.conditions.noise == "only"
    return noise_measure(plan.noise_std) if noisy else measures_of(plan)[0]


def all_classes(result: Result, std: float = 0.0) -> float:
    """Mean Dice (percent) of all classes, class 0 included."""
    counts = result.scores.get(std)
    return 100 * metrics.dice_all(sum(counts.values())) if counts else math.nan  # type: ignore[arg-type]


# -- the curve of a training ------------------------------------------------


def history_of(result: Result) -> Curve | None:
    """The columns of a training's history; None where there is none yet."""
    try:
        return read_history(result.run / HISTORY)
    except XsegError:
        return None


def validated(result: Result) -> tuple[list[float], list[float]]:
    """Steps, and foreground Dice (percent) on the validation slices at each of them."""
    curve = history_of(result) or {}
    pairs = zip(curve.get("step", []), curve.get(FOREGROUND, []), strict=False)
    known = [(step, 100 * dice) for step, dice in pairs if not math.isnan(dice)]
    return [step for step, _ in known], [dice for _, dice in known]


def best_of_curve(result: Result) -> float:
    """Best Dice (percent) of the validation curve; nan where the training is not over."""
    _, dice = validated(result)
    return max(dice) if dice and not math.isnan(result.seconds) else math.nan


def end_of_curve(result: Result) -> float:
    """Dice (percent) at the end of the validation curve; nan where the training is not over."""
    _, dice = validated(result)
    return dice[-1] if dice and not math.isnan(result.seconds) else math.nan


# -- words ------------------------------------------------------------------


def varied(plan: Plan) -> tuple[str, ...]:
    """Names of the conditions of which the plan has several."""
    return tuple(key for key, values in plan.vary.model_dump().items() if len(values) > 1)


def label_of(plan: Plan, conditions: Conditions, without: Collection[str] = ()) -> str:
    """What sets these conditions apart from others of the plan, `without` some names."""
    told = conditions.model_dump()
    words: dict[str, Callable[[Any], str]] = {
        "slices": lambda count: f"{count} slice{'s'[: count != 1]}",
        "noise": _NOISE.__getitem__,
        "augment": _AUGMENT.__getitem__,
        "crop": lambda side: f"crops of {side} px",
        "side": lambda side: f"images of {side} x {side} px",
    }
    parts = [words[key](told[key]) for key in varied(plan) if key not in without]
    return ", ".join(parts) or ("" if without else conditions.words())


def interval_text(found: Estimate) -> str:
    """A mean with its interval, or why there is none; a dash where nothing is known."""
    return interval_cell(found).replace(STAR, f" ({TOO_FEW})")


def interval_cell(found: Estimate, *, sign: bool = False) -> str:
    """The same for a table, whose note says what the star means."""
    if math.isnan(found.mean):
        return "-"
    form = "+.2f" if sign else ".2f"
    if not found.known:
        return f"{found.mean:{form}}{STAR}"
    return f"{found.mean:{form}} [{found.low:{form}}, {found.high:{form}}]"


def few_repeats(outcome: Outcome) -> bool:
    """Whether no point has the repeats that an interval wants."""
    return all(len(point.results) < FEWEST for point in outcome.points)


def _mixes(plan: Plan) -> bool:
    return plan.conditions.validation_noise and {0.0, plan.noise_std} <= set(plan.score_noise)

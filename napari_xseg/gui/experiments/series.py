"""Dice over what an experiment varies, as numbers to draw."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.experiments.results import Outcome, Point

# What is on the x axis, the first that a plan varies.
AXES = {
    "slices": "training slices",
    "crop": "side of the crops in pixels",
    "side": "side of the images in pixels",
}
NOISE = "sd of the noise in the scored slices"


@dataclass(frozen=True)
class Series:
    """One line: `low` and `high` are nan where there are too few repeats."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Chart:
    """Dice in percent by a number, or by words: `ticks` are then the words of x = 0, 1, ..."""

    axis: str
    ticks: tuple[str, ...]
    lines: tuple[Series, ...]


def chart_of(outcome: Outcome, std: float) -> Chart:
    """What is known of a plan, models scored at noise of sd `std`, a line for each other choice."""
    varied = [key for key in AXES if len(getattr(outcome.plan.vary, key)) > 1]
    if varied:
        key = varied[0]
        return _over(outcome, AXES[key], lambda point: _value(point, key), key, std)
    if len(outcome.plan.score_noise) > 1:
        return _over_noise(outcome)
    words = tuple(dict.fromkeys(point.conditions.words() for point in outcome.points))
    if len(words) < 2:
        return _over(outcome, "", lambda _: 0.0, "", std, ticks=words)

    def place(point: Point) -> float:
        return float(words.index(point.conditions.words()))

    return _over(outcome, "", place, "", std, ticks=words)


def _value(point: Point, key: str) -> float:
    value = getattr(point.conditions, key)
    return math.nan if value is None else float(value)


def _over(
    outcome: Outcome,
    axis: str,
    x_of: Callable[[Point], float],
    key: str,
    std: float,
    ticks: tuple[str, ...] = (),
) -> Chart:
    lines: dict[str, list[tuple[float, Point]]] = {}
    for point in outcome.points:
        same = point.conditions.replace(**{key: None}).words() if key else ""
        parts = ["" if same == "all slices" else same, point.split]
        lines.setdefault(", ".join(filter(None, parts)), []).append((x_of(point), point))
    made = []
    for name, points in lines.items():
        found = [(x, point.dice(std)) for x, point in points if not math.isnan(x)]
        known = sorted(
            ((x, dice) for x, dice in found if not math.isnan(dice.mean)), key=lambda one: one[0]
        )
        made.append(
            Series(
                name,
                tuple(x for x, _ in known),
                tuple(dice.mean for _, dice in known),
                tuple(dice.low for _, dice in known),
                tuple(dice.high for _, dice in known),
            )
        )
    return Chart(axis, ticks, tuple(made))


def _over_noise(outcome: Outcome) -> Chart:
    made = []
    for point in outcome.points:
        known = [(std, point.dice(std)) for std in sorted(outcome.plan.score_noise)]
        known = [(std, dice) for std, dice in known if not math.isnan(dice.mean)]
        made.append(
            Series(
                f"{point.conditions.words()}, {point.split}",
                tuple(std for std, _ in known),
                tuple(dice.mean for _, dice in known),
                tuple(dice.low for _, dice in known),
                tuple(dice.high for _, dice in known),
            )
        )
    return Chart(NOISE, (), tuple(made))

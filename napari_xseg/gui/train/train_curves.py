"""What there is to draw of a training: loss, learning rate and Dice over its steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from napari_xseg.events import Event, StepDone, Validated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# Points that a curve has at most.
POINTS = 1000
# Share that a point of the smoothed loss keeps of the one before.
SMOOTHING = 0.9


class Thinned:
    """A curve of any length as at most `POINTS` points, each the mean of equally many values."""

    def __init__(self) -> None:
        self._x: list[float] = []
        self._y: list[float] = []
        self._stride = 1
        self._held: list[tuple[float, float]] = []

    def add(self, x: float, y: float) -> None:
        """Take in one more value; x rises."""
        self._held.append((x, y))
        if len(self._held) < self._stride:
            return
        self._x.append(sum(held[0] for held in self._held) / self._stride)
        self._y.append(sum(held[1] for held in self._held) / self._stride)
        self._held.clear()
        if len(self._x) >= POINTS:
            self._x = np.asarray(self._x).reshape(-1, 2).mean(axis=1).tolist()
            self._y = np.asarray(self._y).reshape(-1, 2).mean(axis=1).tolist()
            self._stride *= 2

    def __len__(self) -> int:
        return len(self._x)

    def points(self) -> tuple[list[float], list[float]]:
        """The x and the y of the points."""
        return self._x, self._y


@dataclass(frozen=True)
class Look:
    """One validation: Dice as fractions, `dice` one value a class."""

    step: int
    dice_foreground: float
    dice: tuple[float, ...]


@dataclass
class TrainCurves:
    """What there is to draw of one training.

    Attributes
    ----------
    loss, rate : Thinned
        Training loss and learning rate over the steps.
    looks : list of Look
        The validations.
    """

    loss: Thinned = field(default_factory=Thinned)
    rate: Thinned = field(default_factory=Thinned)
    looks: list[Look] = field(default_factory=list)

    def hear(self, events: list[Event]) -> None:
        """Take in what the training says."""
        for event in events:
            if isinstance(event, StepDone):
                self.loss.add(event.step, event.loss)
                self.rate.add(event.step, event.learning_rate)
            elif isinstance(event, Validated) and event.dice:
                self.looks.append(Look(event.step, event.dice_foreground, event.dice))

    @classmethod
    def from_history(cls, columns: Mapping[str, NDArray[np.float64]]) -> Self:
        """Take the curves that `read_history` gives; their classes are in the run's order."""
        curves = cls()
        steps = columns.get("step", np.empty(0)).astype(int).tolist()
        for key, curve in (("loss", curves.loss), ("learning_rate", curves.rate)):
            for step, value in zip(steps, columns[key] if steps else (), strict=True):
                if not math.isnan(value):
                    curve.add(step, float(value))
        dice = [column for name, column in columns.items() if _is_class(name)]
        if "dice_foreground" in columns:
            rows = np.stack([columns["dice_foreground"], *dice], axis=1).tolist()
            for step, (mean, *each) in zip(steps, rows, strict=True):
                curves.looks.append(Look(step, mean, tuple(each)))
        return curves

    @property
    def best(self) -> Look | None:
        """The validation with the highest foreground Dice; None without one."""
        known = [look for look in self.looks if not math.isnan(look.dice_foreground)]
        return max(known, key=lambda look: look.dice_foreground, default=None)

    def smoothed_loss(self) -> list[float]:
        """The loss as a running mean, one value a point of `loss`."""
        smooth: list[float] = []
        for value in self.loss.points()[1]:
            smooth.append(SMOOTHING * smooth[-1] + (1 - SMOOTHING) * value if smooth else value)
        return smooth


def _is_class(column: str) -> bool:
    return column.startswith("dice_") and column not in ("dice_all", "dice_foreground")

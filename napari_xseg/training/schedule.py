"""How long a run is, and how its learning rate goes."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

# Steps and seconds after which the pace of a run is known well enough.
PROBE_STEPS = 10
PROBE_SECONDS = 2.0
# Shares of a time limit after which the pace is taken again, and of the steps left by which
# they must be off to be corrected: a steady machine keeps its first number.
AGAIN = 0.1
OFF = 0.05

Bend = tuple[int, float]
"""A step at which the number of steps was corrected, and the share of the fall before it."""


def one_cycle(step: int, steps: int | None, warmup: int, bend: Bend | None = None) -> float:
    """Factor of the learning rate at `step` (from 0): a linear rise, then a cosine to 0.

    Parameters
    ----------
    step : int
        Steps done.
    steps : int or None
        Steps in all; None while that is not known, which holds the factor at 1.
    warmup : int
        Steps of the rise, a quarter of all at most.
    bend : Bend, optional
        From there on the rest of the fall is spread over the steps that are left.
    """
    if bend is None:
        if steps is not None:
            warmup = min(warmup, steps // 4)
        if step < warmup:
            return (step + 1) / warmup
    if steps is None:
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * _fallen(step, steps, bend or (warmup, 0.0))))


def _fallen(step: int, steps: int, bend: Bend) -> float:
    at, before = bend
    return min(1.0, before + (1 - before) * (step - at) / max(1, steps - at))


@dataclass
class Length:
    """Steps of a run, and its learning rate: given, or kept in line with a time limit.

    The pace of the first steps gives their number. It is corrected where the machine turns
    out faster or slower, so that the learning rate has come down when the time is up.

    Attributes
    ----------
    steps : int or None
        Steps in all; None until the pace is known.
    limit : float or None
        Seconds of training.
    warmup : int
        Steps in which the learning rate rises.
    bend : Bend, optional
        The last correction, once the learning rate falls.
    """

    steps: int | None
    limit: float | None
    warmup: int = 0
    bend: Bend | None = None
    _paces: list[float] = field(default_factory=list)
    _looked: tuple[int, float] = (0, 0.0)

    def factor(self, step: int) -> float:
        """Factor of the learning rate at `step` (from 0)."""
        return one_cycle(step, self.steps, self.warmup, self.bend)

    def note(self, step: int, seconds: float, pace: float) -> None:
        """Take in that `step` steps took `seconds` of training, the last one `pace`."""
        if self.limit is None:
            return
        if self.steps is None:
            self._paces.append(pace)
            probed = step >= PROBE_STEPS and seconds >= min(PROBE_SECONDS, AGAIN * self.limit)
            if probed or seconds > 0.3 * self.limit:
                steady = self._paces[len(self._paces) // 2 :]  # the first ones build kernels
                self.steps = step + self._left(seconds, statistics.median(steady))
                self._looked = step, seconds
        elif self._looks_again(step, seconds):
            before, since = self._looked
            self._correct(step, self._left(seconds, (seconds - since) / (step - before)))
            self._looked = step, seconds

    def _looks_again(self, step: int, seconds: float) -> bool:
        assert self.limit is not None
        assert self.steps is not None
        before, since = self._looked
        # Few steps that are left may be over long before the share of the time is.
        half_done = 2 * (step - before) >= self.steps - before
        return half_done or seconds - since >= AGAIN * self.limit

    def _left(self, seconds: float, pace: float) -> int:
        assert self.limit is not None
        return max(1, int((self.limit - seconds) / pace))

    def _correct(self, step: int, left: int) -> None:
        assert self.steps is not None
        known = self.steps - step
        if abs(left - known) <= max(1, OFF * known):
            return
        warmup = min(self.warmup, self.steps // 4)
        if self.bend is not None or step >= warmup:
            self.bend = step, _fallen(step, self.steps, self.bend or (warmup, 0.0))
        self.steps = step + left

    def over(self, step: int, seconds: float) -> bool:
        """Whether the run is over after `step` steps and `seconds` of training."""
        if self.steps is not None and step >= self.steps:
            return True
        return self.limit is not None and seconds >= self.limit

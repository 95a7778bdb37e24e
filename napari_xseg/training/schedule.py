"""How long a run is, and how its learning rate goes."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

# Steps and seconds after which the pace of a run is known well enough.
PROBE_STEPS = 10
PROBE_SECONDS = 2.0


def one_cycle(step: int, steps: int | None, warmup: int) -> float:
    """Factor of the learning rate at `step` (from 0): a linear rise, then a cosine to 0.

    Parameters
    ----------
    step : int
        Steps done.
    steps : int or None
        Steps in all; None while that is not known, which holds the factor at 1.
    warmup : int
        Steps of the rise, a quarter of all at most.
    """
    if steps is not None:
        warmup = min(warmup, steps // 4)
    if step < warmup:
        return (step + 1) / warmup
    if steps is None:
        return 1.0
    done = (step - warmup) / max(1, steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


@dataclass
class Length:
    """Steps of a run: given, or fixed once from the pace of its first steps.

    Attributes
    ----------
    steps : int or None
        Steps in all; None until the pace is known.
    limit : float or None
        Seconds of training. A run whose pace slows down ends there; the cosine has
        come near zero by then, so that little is lost.
    """

    steps: int | None
    limit: float | None
    _paces: list[float] = field(default_factory=list)

    def note(self, step: int, seconds: float, pace: float) -> None:
        """Take in that `step` steps took `seconds` of training, the last one `pace`."""
        if self.steps is not None or self.limit is None:
            return
        self._paces.append(pace)
        probed = step >= PROBE_STEPS and seconds >= min(PROBE_SECONDS, 0.1 * self.limit)
        if probed or seconds > 0.3 * self.limit:
            steady = self._paces[len(self._paces) // 2 :]  # the first ones build kernels
            left = (self.limit - seconds) / statistics.median(steady)
            self.steps = step + max(1, int(left))

    def over(self, step: int, seconds: float) -> bool:
        """Whether the run is over after `step` steps and `seconds` of training."""
        if self.steps is not None and step >= self.steps:
            return True
        return self.limit is not None and seconds >= self.limit

"""How many threads a training computes in: fewer where other programs use the processor.

A step waits again and again for the slowest of its threads. Where another program keeps one
of two cores busy, two threads do 2 steps a second, and one does 30.
"""

from __future__ import annotations

import statistics
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

# Steps, or seconds of steps, after which the pace with a number of threads is known.
ENOUGH_STEPS = 5
ENOUGH_SECONDS = 0.3
# By how much another number must be faster to be taken.
FASTER = 0.9
# Trials take a twentieth of the time at most, and are this many seconds apart at least.
APART = 5.0
SHARE = 0.05


@contextmanager
def threads_kept() -> Iterator[None]:
    """Leave torch with as many threads as it had."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


class Threads:
    """Chooses the number of threads by the time that steps take, and tries others now and then.

    Parameters
    ----------
    most : int
        Threads to begin with; never more.
    """

    def __init__(self, most: int) -> None:
        self._numbers = sorted({1, max(1, most // 2), max(1, most - 1), most})
        self._best = most
        self._trial: int | None = None
        self._untried: list[int] = []  # in this round of trials
        self._known = 0.0  # seconds of a step with the best
        self._wait = 0.0  # seconds before the next round
        self._spent = 0.0  # seconds since the last round, or in this one
        self._took: deque[float] = deque(maxlen=2 * ENOUGH_STEPS)
        self._first: float | None = None

    @property
    def count(self) -> int:
        """Threads for the next step."""
        return self._trial or self._best

    def note(self, seconds: float) -> None:
        """Take in how long a step with `count` threads took."""
        self._spent += seconds
        if self._first is None:
            # The first step with another number prepares what the others find ready. It tells
            # nothing against a number, but for it.
            self._first = seconds
            if self._trial is None or seconds > FASTER * self._known:
                return
        self._took.append(seconds)
        if len(self._took) < ENOUGH_STEPS and sum(self._took) < ENOUGH_SECONDS:
            return
        if self._trial is not None:
            self._judge(self._trial)
        elif self._spent >= self._wait and len(self._numbers) > 1:
            self._known = statistics.median(self._took)
            self._untried = self._others()
            self._spent = 0.0
            self._try_next()

    def _others(self) -> list[int]:
        """The other numbers, those next to the best first."""
        at = self._numbers.index(self._best)
        apart = [(abs(place - at), number) for place, number in enumerate(self._numbers)]
        return [number for distance, number in sorted(apart) if distance]

    def _judge(self, trial: int) -> None:
        took = statistics.median(self._took)
        if took < FASTER * self._known:
            self._best, self._known = trial, took
            self._untried = [number for number in self._others() if number in self._untried]
        self._try_next()

    def _try_next(self) -> None:
        self._took.clear()
        self._first = None
        self._trial = self._untried.pop(0) if self._untried else None
        if self._trial is None:
            self._wait = max(APART, self._spent / SHARE)
            self._spent = 0.0

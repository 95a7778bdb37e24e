"""What a running job says, in the order in which it happens.

Jobs (`train`, `predict`) are plain generators of these values. They hold
numbers, strings and paths alone, so that they cross a process boundary as JSON.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

# Seconds between two looks of a paused job.
_LOOK_AGAIN = 0.02


@dataclass(frozen=True, slots=True)
class Event:
    """Anything a job says."""


@dataclass(frozen=True, slots=True)
class Message(Event):
    """One sentence for the user; `level` says how much it matters."""

    text: str
    level: Literal["info", "warning"] = "info"


@dataclass(frozen=True, slots=True)
class Started(Event):
    """The job has read what it needs and begins: `total` steps or slices."""

    what: str
    total: int
    device: str
    precision: str


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """`done` of `total` items of the phase `what` after `seconds`."""

    what: str
    done: int
    total: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StepDone(Event):
    """One optimiser step: mean loss over the batch, learning rate, training seconds so far."""

    step: int
    steps: int
    loss: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Validated(Event):
    """Figures of the averaged model on the validation pixels, fractions 0 to 1.

    `dice` holds one value a class, `nan` where the class does not occur.
    `seconds` is training time, validation apart. `best` says that the model
    was saved as the best so far.
    """

    step: int
    seconds: float
    loss: float
    dice_all: float
    dice_foreground: float
    dice: tuple[float, ...]
    best: bool


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """The job is over: `reason` says why, `path` where its result lies."""

    path: Path
    reason: Literal["done", "stopped", "early"]
    seconds: float
    figures: dict[str, float] = field(default_factory=dict)


class Control:
    """What a job is told while it runs; the job looks between two steps.

    Any thread, or a signal handler, may set it.
    """

    def __init__(self) -> None:
        # Plain flags: a lock that a signal handler finds taken would never be freed.
        self._stopped = False
        self._paused = False

    def stop(self) -> None:
        """Ask the job to end after the current step, its model saved."""
        self._stopped = True

    def pause(self) -> None:
        """Ask the job to wait after the current step."""
        self._paused = True

    def go_on(self) -> None:
        """End a pause."""
        self._paused = False

    @property
    def stopped(self) -> bool:
        """Whether a stop was asked for."""
        return self._stopped

    def wait_if_paused(self) -> None:
        """Return at once, or when the pause ends or a stop is asked for."""
        while self._paused and not self._stopped:
            time.sleep(_LOOK_AGAIN)

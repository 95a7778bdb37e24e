"""What a running job says, in the order in which it happens.

Jobs (`train`, `predict`) are plain generators of these values. They hold
numbers, strings and paths alone, so that they cross a process boundary as JSON.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

Box = tuple[int, int, int, int]
"""(y0, y1, x0, x1) in pixels of a slice, half open."""

# Seconds between two looks of a paused job, and the longest rest.
_LOOK_AGAIN = 0.02
_LONGEST_REST = 0.1


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
class SlicesDone(Event):
    """Slices of an unfinished mask are written and can be read by any process.

    `slices` are z of the images; they are the pages `first`, `first + 1`, ... of the
    mask, whose page i is slice i of those that the job was asked for. `path` is the
    place of the unfinished mask, a Zarr group with the array "0"; pages not written
    yet hold the unlabelled value. Opened before the job is over, it must be opened
    anew at the path that Finished says: it moves there. `confidence` is the place
    of the confidences, where they are made in a Zarr too.
    """

    slices: tuple[int, ...]
    path: Path
    first: int = 0
    confidence: Path | None = None


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
class Preview(Event):
    """What the model, as it is after `step` steps, makes of `box` in slice `z`.

    `path` is a fresh raw file of uint8 class indices, row by row, 255 where not
    predicted: (y1 - y0) * (x1 - x0) bytes. Whoever reads it deletes it. `seconds`
    is what making it cost.
    """

    z: int
    box: Box
    path: Path
    step: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Devices(Event):
    """What there is to compute on: names such as "cuda:0", and make and memory of each."""

    names: tuple[str, ...]
    descriptions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Crops(Event):
    """Crops as a training sees them, `shape` (n, y, x).

    `path` is a fresh raw file: little-endian float32 grey values of the data, then
    as many uint8 class indices, 255 where unlabelled. Whoever reads it deletes it.
    """

    path: Path
    shape: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class NextSlices(Event):
    """Slices worth labelling, best first, as `review.suggest.suggestions_of` reads them.

    `gains` are shares of what no labelled slice stands for, `nearest` the labelled or
    suggested z nearest to each, -1 without one, `uncertainties` relative to what is
    usual in the volume, nan where not known. `values` are those of the slices
    `measured`, from which the suggestions were made; `length` is how many slices
    stay alike, 0 where not known. `by` says what is uncertain: the "model", or, without
    one, how unlike the labelled slices the "grey" values are.
    """

    slices: tuple[int, ...]
    gains: tuple[float, ...]
    nearest: tuple[int, ...]
    uncertainties: tuple[float, ...]
    measured: tuple[int, ...]
    values: tuple[float, ...]
    length: float
    by: Literal["model", "grey"] = "model"


@dataclass(frozen=True, slots=True)
class TrialDone(Event):
    """One training of an experiment is over, or needed not be done.

    `path` is its run folder, `words` what it is, `reason` "done", "kept" (it was there
    already), "failed" or "stopped"; `fault` says why it failed. `done` of `total` are
    over, and `left` seconds are needed for the others, nan where not known.
    """

    path: Path
    words: str
    reason: Literal["done", "kept", "failed", "stopped"]
    seconds: float
    done: int
    total: int
    left: float
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """The job is over: `reason` says why, `path` where its result lies."""

    path: Path
    reason: Literal["done", "stopped", "early"]
    seconds: float
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """What of a volume is looked at, so that a training shows its mask of it.

    Attributes
    ----------
    z : int
        The slice.
    box : (int, int, int, int)
        The part of it that is seen, (y0, y1, x0, x1); it may reach outside.
    folder : Path
        Where previews are written; who asks for them owns it.
    images : dict, optional
        The images, a source of `jobs.sources` as JSON values, where they are not
        the job's own.
    """

    z: int
    box: Box
    folder: Path
    images: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON values."""
        box, folder = list(self.box), str(self.folder)
        return {"z": self.z, "box": box, "folder": folder, "images": self.images}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        y0, y1, x0, x1 = map(int, values["box"])
        return cls(int(values["z"]), (y0, y1, x0, x1), Path(values["folder"]), values["images"])


class Control:
    """What a job is told while it runs; the job looks between two steps.

    Any thread, or a signal handler, may set it.
    """

    def __init__(self) -> None:
        # Plain flags: a lock that a signal handler finds taken would never be freed.
        self._stopped = False
        self._paused = False
        self._view: View | None = None
        self._threads: int | None = None
        self._rests_until = 0.0

    def stop(self) -> None:
        """Ask the job to end after the current step, its model saved."""
        self._stopped = True

    def pause(self) -> None:
        """Ask the job to wait after the current step."""
        self._paused = True

    def go_on(self) -> None:
        """End a pause."""
        self._paused = False

    def look_at(self, view: View | None) -> None:
        """Ask for previews of `view` instead of those asked for before; None ends them."""
        self._view = view

    def use_threads(self, count: int | None) -> None:
        """Ask the job to compute in so many threads; None for as many as it began with."""
        self._threads = count

    def rest(self, seconds: float) -> None:
        """Ask the job to leave the processor alone from the next step on, 0.1 s at most."""
        self._rests_until = time.monotonic() + min(seconds, _LONGEST_REST)

    @property
    def stopped(self) -> bool:
        """Whether a stop was asked for."""
        return self._stopped

    @property
    def paused(self) -> bool:
        """Whether a pause was asked for, and no end of it."""
        return self._paused

    @property
    def view(self) -> View | None:
        """What previews are asked for of; None for no previews."""
        return self._view

    @property
    def threads(self) -> int | None:
        """Threads asked for; None for as many as the job began with."""
        return self._threads

    def wait_if_paused(self) -> None:
        """Return at once, or when the pause ends or a stop is asked for."""
        while self._paused and not self._stopped:
            time.sleep(_LOOK_AGAIN)

    def rest_if_asked(self) -> float:
        """Return when the rest asked for is over or a stop is asked for: after 0.0 s or so many."""
        if time.monotonic() >= self._rests_until:
            return 0.0
        begun = time.monotonic()
        while not self._stopped and (left := self._rests_until - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_AGAIN))
        return time.monotonic() - begun

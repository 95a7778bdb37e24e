"""All trainings of one or more plans: each once, kept, gone on with after a kill."""

from __future__ import annotations

import gc
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_xseg.data.formats.atomic import write_atomic, writing_to
from napari_xseg.data.locking import is_locked
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Finished, Message, TrialDone
from napari_xseg.experiments.glance import PLAN_FILES, SUITE, Glance, Task, read_suite, settled
from napari_xseg.experiments.material import Source
from napari_xseg.experiments.running import do_trial, note_fault

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from napari_xseg.experiments.material import Material
    from napari_xseg.experiments.plan import Budget, Plan
    from napari_xseg.experiments.running import Compute

Reason = Literal["done", "kept", "failed", "stopped"]
_WAIT = 0.5  # s between two looks at what another process trains


@dataclass(frozen=True, eq=False, kw_only=True)
class Suite(Glance):
    """An experiment with its data, ready to be run.

    Attributes
    ----------
    source : Source
        Where the data are.
    material : Material
        The data, open.
    """

    source: Source
    material: Material

    @classmethod
    def make(
        cls,
        folder: Path,
        plans: Sequence[Plan],
        source: Source,
        budget: Budget,
        *,
        unlabelled: str | None = None,
    ) -> Suite:
        """Open the data and settle what is to be done; writes nothing.

        XsegError for all that does not fit, before anything is trained.
        """
        told = settled(folder, plans, source.open(), budget)
        return cls(**told, source=source, unlabelled=unlabelled)

    @classmethod
    def open(cls, folder: Path) -> Suite:
        """The suite that was begun in a folder; XsegError where there is none."""
        told = read_suite(folder)
        source = Source.from_dict(told.get("source", {}), str(Path(folder) / SUITE))
        return cls.make(
            folder, told["plans"], source, told["budget"], unlabelled=told["unlabelled"]
        )

    def write(self) -> None:
        """Keep what is run, so that another process can go on with it."""
        with writing_to(self.folder):
            (self.folder / PLAN_FILES).mkdir(parents=True, exist_ok=True)
        for plan in self.plans:
            write_atomic(self.folder / PLAN_FILES / f"{plan.name}.toml", plan.to_toml())
        told = {
            "source": self.source.model_dump(mode="json", exclude_none=True),
            "budget": self.budget,
            "plans": [plan.name for plan in self.plans],
            "data": self.material.sha256,
            "slices": list(self.material.usable),
            "unlabelled": self.unlabelled,
        }
        write_atomic(self.folder / SUITE, json.dumps(told, indent=1))


def run_suite(
    suite: Suite,
    *,
    compute: Compute | None = None,
    command: str = "",
    control: Control | None = None,
    tasks: tuple[Task, ...] | None = None,
) -> Iterator[Event]:
    """Do what is not done yet, one training after the other.

    Parameters
    ----------
    suite : Suite
        What to do.
    compute : Compute, optional
        Where.
    command : str
        For the provenance of the runs.
    control : Control, optional
        Stops after the current step; the suite goes on there when it is run again.
    tasks : tuple of Task, optional
        Those alone.

    Yields
    ------
    Event
        Those of each training, a TrialDone after it, Finished. A training that fails is
        told in its TrialDone, and the others go on. One that another process is at comes
        last, and is waited for.
    """
    control = control or Control()
    if tasks is None:  # else another process may have written what these are a part of
        suite.write()
    left = list(suite.tasks if tasks is None else tasks)
    start, clock = time.monotonic(), Clock(len(left))
    while left:
        task = yield from _next_free(suite, left, control)
        if task is None:
            break
        left.remove(task)
        run, words = suite.runs / task.trial.folder, task.trial.words
        if suite.is_done(task):
            yield clock.over(run, words, "kept")
            continue
        began = time.monotonic()
        reason, fault = yield from _do(suite, task, compute, command, control)
        # Slices are kept by objects that hold each other, and soon fill the memory.
        gc.collect()
        if fault and is_locked(run):  # another process was quicker to begin with it
            left.append(task)
            continue
        note_fault(run, fault)
        yield clock.over(run, words, reason, time.monotonic() - began, fault)
        if reason == "stopped":
            break
    seconds = time.monotonic() - start
    yield Finished(suite.folder, "stopped" if control.stopped else "done", seconds, clock.figures)


def _next_free(
    suite: Suite, left: Sequence[Task], control: Control
) -> Generator[Event, None, Task | None]:
    """The first that no other process is at, once there is one; None where stopped before."""
    told = False
    while True:
        for task in left:
            if suite.is_done(task) or not is_locked(suite.runs / task.trial.folder):
                return task
        if control.stopped:
            return None
        if not told:
            told = True
            yield Message(f"{suite.folder}: another process is at the last trainings; waiting.")
        time.sleep(_WAIT)


def _do(
    suite: Suite, task: Task, compute: Compute | None, command: str, control: Control
) -> Generator[Event, None, tuple[Reason, str]]:
    """One training, with how it ended and why it failed."""
    reason: Reason = "done"
    try:
        for event in do_trial(
            task.trial,
            suite.material,
            suite.runs,
            score_noise=task.score_noise,
            compute=compute,
            command=command,
            control=control,
        ):
            if not isinstance(event, Finished):
                yield event
            elif event.reason == "stopped":
                reason = "stopped"
    except XsegError as error:
        return "failed", str(error)
    except (OSError, MemoryError, RuntimeError) as error:  # the night's other trainings go on
        return "failed", f"{type(error).__name__}: {error}"
    return reason, ""


class Clock:
    """How many trainings are over, and how long the others will take."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.over_by: dict[Reason, int] = {"done": 0, "kept": 0, "failed": 0, "stopped": 0}
        self._seconds: list[float] = []

    @property
    def figures(self) -> dict[str, float]:
        """How many ended in which way."""
        return {reason: float(count) for reason, count in self.over_by.items()}

    def over(
        self,
        run: Path,
        words: str,
        reason: Reason,
        seconds: float = 0.0,
        fault: str = "",
        *,
        at_once: int = 1,
    ) -> TrialDone:
        """One more is over, of `at_once` that run at the same time."""
        self.over_by[reason] += 1
        if reason == "done":
            self._seconds.append(seconds)
        done = sum(self.over_by.values())
        mean = sum(self._seconds) / len(self._seconds) if self._seconds else math.nan
        left = (self.total - done) * mean / at_once if done < self.total else 0.0
        return TrialDone(run, words, reason, seconds, done, self.total, left, fault)

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
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Finished, TrialDone
from napari_xseg.experiments.plan import Budget, Plan
from napari_xseg.experiments.running import Compute, do_trial, is_done, note_fault
from napari_xseg.experiments.trial import Left, Trial, make_trials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari_xseg.experiments.material import Material, Source

Reason = Literal["done", "kept", "failed", "stopped"]
RUNS, SUITE, PLAN_FILES = "runs", "experiment.json", "plans"


@dataclass(frozen=True)
class Task:
    """A trial, and all the noise that any plan wants it scored at."""

    trial: Trial
    score_noise: tuple[float, ...]


def tasks_of(plans: Sequence[Plan], trials: Mapping[str, Sequence[Trial]]) -> tuple[Task, ...]:
    """Every training once, in the order of the plans; first repeats first."""
    wanted: dict[str, tuple[Trial, set[float]]] = {}
    for plan in plans:
        for trial in trials[plan.name]:
            _, noise = wanted.setdefault(trial.key, (trial, set()))
            noise.update(plan.score_noise)
    tasks = [Task(trial, tuple(sorted(noise))) for trial, noise in wanted.values()]
    return tuple(sorted(tasks, key=lambda task: task.trial.repeat))


@dataclass(frozen=True, eq=False)
class Suite:
    """Plans on some data, in a folder.

    Attributes
    ----------
    folder : Path
        Holds `runs/`, the plans as they were run, and the report.
    plans : tuple of Plan
        What is asked.
    source : Source
        Where the data are.
    material : Material
        The data, open.
    budget : str
        "cpu", "gpu" or "full".
    trials, left : dict
        By plan name: its trials, and the points that the data are too few for.
    unlabelled : str, optional
        A volume without labels, for plans that predict one.
    """

    folder: Path
    plans: tuple[Plan, ...]
    source: Source
    material: Material
    budget: Budget
    trials: dict[str, tuple[Trial, ...]]
    left: dict[str, tuple[Left, ...]]
    unlabelled: str | None = None

    @classmethod
    def make(
        cls,
        folder: Path,
        plans: tuple[Plan, ...],
        source: Source,
        budget: Budget,
        *,
        unlabelled: str | None = None,
    ) -> Suite:
        """Open the data and settle what is to be done; writes nothing.

        XsegError for all that does not fit, before anything is trained.
        """
        material = source.open()
        trials, left = {}, {}
        for plan in plans:
            trials[plan.name], left[plan.name] = make_trials(plan, material, budget)
        return cls(Path(folder), plans, source, material, budget, trials, left, unlabelled)

    @classmethod
    def open(cls, folder: Path) -> Suite:
        """The suite that was begun in a folder; XsegError where there is none."""
        from napari_xseg.experiments.material import Source

        path = Path(folder) / SUITE
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            source, budget = Source.from_dict(told["source"], str(path)), told["budget"]
            names = [Path(folder) / PLAN_FILES / f"{name}.toml" for name in told["plans"]]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise XsegError(
                f"{folder}: holds no experiment ({path.name} is missing or damaged); give the "
                "folder that one was begun in."
            ) from error
        plans = tuple(map(Plan.from_toml, names))
        return cls.make(Path(folder), plans, source, budget, unlabelled=told.get("unlabelled"))

    @property
    def runs(self) -> Path:
        """Holds the run folders."""
        return self.folder / RUNS

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Every training once, in the order of the plans; first repeats first."""
        return tasks_of(self.plans, self.trials)

    def is_done(self, task: Task) -> bool:
        """Whether nothing of a task is left to do."""
        return is_done(self.runs / task.trial.folder, task.score_noise)

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
        told in its TrialDone, and the others go on.
    """
    control = control or Control()
    suite.write()
    wanted = suite.tasks if tasks is None else tasks
    start, clock = time.monotonic(), Clock(len(wanted))
    for task in wanted:
        run, trial = suite.runs / task.trial.folder, task.trial
        if suite.is_done(task):
            yield clock.over(run, trial.words, "kept")
            continue
        began, fault, stopped = time.monotonic(), "", False
        try:
            for event in do_trial(
                trial,
                suite.material,
                suite.runs,
                score_noise=task.score_noise,
                compute=compute,
                command=command,
                control=control,
            ):
                if isinstance(event, Finished):
                    stopped = event.reason == "stopped"
                else:
                    yield event
        except XsegError as error:
            fault = str(error)
        note_fault(run, fault)
        # Slices are kept by objects that hold each other, and soon fill the memory.
        gc.collect()
        seconds = time.monotonic() - began
        if stopped:
            yield clock.over(run, trial.words, "stopped", seconds)
            break
        yield clock.over(run, trial.words, "failed" if fault else "done", seconds, fault)
    seconds = time.monotonic() - start
    yield Finished(suite.folder, "stopped" if control.stopped else "done", seconds, clock.figures)


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

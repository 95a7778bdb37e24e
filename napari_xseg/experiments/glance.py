"""What an experiment is to do and how far it is, without its data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_xseg.errors import XsegError
from napari_xseg.experiments.material import Remembered
from napari_xseg.experiments.plan import Budget, Plan
from napari_xseg.experiments.running import is_done
from napari_xseg.experiments.trial import Left, Trial, make_trials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_xseg.experiments.material import Material

RUNS, SUITE, PLAN_FILES = "runs", "experiment.json", "plans"


@dataclass(frozen=True)
class Task:
    """A trial, and all the noise that any plan wants it scored at."""

    trial: Trial
    score_noise: tuple[float, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Glance:
    """Plans, and the slices that they are or would be run on.

    Attributes
    ----------
    folder : Path
        Holds `runs/`, the plans as they were run, and the report.
    plans : tuple of Plan
        What is asked.
    material : Remembered or Material
        The labelled slices.
    budget : str
        "cpu", "gpu" or "full".
    trials, left : dict
        By plan name: its trials, and the points that the data are too few for.
    unlabelled : str, optional
        A volume without labels, for plans that predict one.
    """

    folder: Path
    plans: tuple[Plan, ...]
    material: Remembered | Material
    budget: Budget
    trials: dict[str, tuple[Trial, ...]]
    left: dict[str, tuple[Left, ...]]
    unlabelled: str | None = None

    @classmethod
    def of(
        cls,
        folder: Path,
        plans: Sequence[Plan],
        material: Remembered,
        budget: Budget,
        *,
        unlabelled: str | None = None,
    ) -> Glance:
        """Settle what is to be done with these slices; XsegError as `make_trials`."""
        return cls(**settled(folder, plans, material, budget), unlabelled=unlabelled)

    @classmethod
    def open(cls, folder: Path) -> Glance:
        """The experiment that was begun in a folder; its data are taken to be as they were.

        XsegError where there is none.
        """
        told = read_suite(folder)
        try:
            material = Remembered(tuple(map(int, told["slices"])), str(told["data"]))
        except (LookupError, TypeError, ValueError) as error:
            raise _damaged(folder) from error
        plans, budget = told["plans"], told["budget"]
        return cls.of(folder, plans, material, budget, unlabelled=told["unlabelled"])

    @property
    def runs(self) -> Path:
        """Holds the run folders."""
        return self.folder / RUNS

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """Every training once, in the order of the plans; first repeats first."""
        wanted: dict[str, tuple[Trial, set[float]]] = {}
        for plan in self.plans:
            for trial in self.trials[plan.name]:
                _, noise = wanted.setdefault(trial.key, (trial, set()))
                noise.update(plan.score_noise)
        tasks = [Task(trial, tuple(sorted(noise))) for trial, noise in wanted.values()]
        return tuple(sorted(tasks, key=lambda task: task.trial.repeat))

    def task(self, key: str) -> Task:
        """The training of that key; XsegError where there is none."""
        found = next((task for task in self.tasks if task.trial.key == key), None)
        if found is None:
            raise XsegError(
                f"{self.folder}: has no training {key}; its plan or its data are not what they "
                "were when the training was asked for."
            )
        return found

    def is_done(self, task: Task) -> bool:
        """Whether nothing of a task is left to do."""
        return is_done(self.runs / task.trial.folder, task.score_noise)

    @property
    def seconds(self) -> float:
        """Time limits of what is not done, together; nan where a training has another length."""
        limits = [task.trial.config.time_limit for task in self.tasks if not self.is_done(task)]
        return sum(float("nan") if limit is None else limit for limit in limits)


def settled(
    folder: Path, plans: Sequence[Plan], material: Remembered | Material, budget: Budget
) -> dict[str, Any]:
    """The attributes of a `Glance`; XsegError as `make_trials`."""
    made = {plan.name: make_trials(plan, material, budget) for plan in plans}
    return {
        "folder": Path(folder),
        "plans": tuple(plans),
        "material": material,
        "budget": budget,
        "trials": {name: trials for name, (trials, _) in made.items()},
        "left": {name: left for name, (_, left) in made.items()},
    }


def read_suite(folder: Path) -> dict[str, Any]:
    """What `Suite.write` kept, the plans read; XsegError where there is nothing like it."""
    try:
        told = json.loads((Path(folder) / SUITE).read_text(encoding="utf-8"))
        names = [Path(folder) / PLAN_FILES / f"{name}.toml" for name in told["plans"]]
        kept = {**told, "budget": told["budget"], "unlabelled": told.get("unlabelled")}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _damaged(folder) from error
    return {**kept, "plans": tuple(map(Plan.from_toml, names))}


def _damaged(folder: Path) -> XsegError:
    return XsegError(
        f"{folder}: holds no experiment ({SUITE} is missing or damaged); give the folder that one "
        "was begun in."
    )

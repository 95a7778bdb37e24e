"""An experiment without its data: what it is to do, and how far it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from napari_xseg.errors import XsegError
from napari_xseg.experiments.material import Remembered
from napari_xseg.experiments.plan import Budget, Plan
from napari_xseg.experiments.running import is_done
from napari_xseg.experiments.suite import PLAN_FILES, RUNS, SUITE, Task, tasks_of
from napari_xseg.experiments.trial import Left, Trial, make_trials

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, eq=False)
class Glance:
    """Plans, and the slices that they are or would be run on; attributes as `Suite` has them."""

    folder: Path
    plans: tuple[Plan, ...]
    material: Remembered
    budget: Budget
    trials: dict[str, tuple[Trial, ...]]
    left: dict[str, tuple[Left, ...]]
    unlabelled: str | None = None

    @classmethod
    def make(
        cls,
        folder: Path,
        plans: Sequence[Plan],
        material: Remembered,
        budget: Budget,
        *,
        unlabelled: str | None = None,
    ) -> Glance:
        """Settle what is to be done with these slices; XsegError as `make_trials`."""
        made = {plan.name: make_trials(plan, material, budget) for plan in plans}
        trials = {name: trials for name, (trials, _) in made.items()}
        left = {name: left for name, (_, left) in made.items()}
        return cls(Path(folder), tuple(plans), material, budget, trials, left, unlabelled)

    @classmethod
    def open(cls, folder: Path) -> Glance:
        """The experiment that was begun in a folder; its data are taken to be as they were.

        XsegError where there is none.
        """
        path = Path(folder) / SUITE
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            budget: Budget = told["budget"]
            material = Remembered(tuple(map(int, told["slices"])), str(told["data"]))
            names = [Path(folder) / PLAN_FILES / f"{name}.toml" for name in told["plans"]]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise XsegError(
                f"{folder}: holds no experiment ({path.name} is missing or damaged); give the "
                "folder that one was begun in."
            ) from error
        plans = tuple(map(Plan.from_toml, names))
        return cls.make(Path(folder), plans, material, budget, unlabelled=told.get("unlabelled"))

    @property
    def runs(self) -> Path:
        """Holds the run folders."""
        return self.folder / RUNS

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """Every training once, in the order in which they are done."""
        return tasks_of(self.plans, self.trials)

    def is_done(self, task: Task) -> bool:
        """Whether nothing of a task is left to do."""
        return is_done(self.runs / task.trial.folder, task.score_noise)

    @property
    def seconds(self) -> float:
        """Time limits of what is not done, together; nan where a training has another length."""
        limits = [task.trial.config.time_limit for task in self.tasks if not self.is_done(task)]
        return sum(float("nan") if limit is None else limit for limit in limits)

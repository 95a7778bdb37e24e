"""Suites whose results are written by hand, so that reports can be checked number by number."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.experiments.plan import Plan, Scale, load_plan
from napari_xseg.experiments.running import SCORES, TRIAL
from napari_xseg.experiments.suite import Suite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari_xseg.experiments.glance import Task
    from napari_xseg.experiments.material import Source
    from napari_xseg.experiments.trial import Trial

    Wrong = Callable[[Trial, float], float]

PIXELS = 10_000  # of each class, in each slice


def small(name: str, repeats: int = 3, **changes: object) -> Plan:
    """A plan of the package in miniature."""
    plan = load_plan(name).replace(**changes)
    return plan.replace(budgets={"cpu": Scale(steps=3, repeats=repeats)})


def counts_of(wrong: float) -> np.ndarray:
    """Confusion of three equal classes: `wrong` of class 2 is called class 1."""
    missed = round(wrong * PIXELS)
    return np.array([[PIXELS, 0, 0], [0, PIXELS, 0], [0, missed, PIXELS - missed]])


def dice_of(wrong: float) -> float:
    """Foreground Dice in percent of those counts, by the formula."""
    missed = round(wrong * PIXELS)
    one = 2 * PIXELS / (2 * PIXELS + missed)
    two = 2 * (PIXELS - missed) / (2 * PIXELS - missed)
    return 100 * (one + two) / 2


def fabricate(
    folder: Path, plans: Sequence[Plan], source: Source, wrong: Wrong, leave: int = 0
) -> Suite:
    """A suite in which all trainings but the last `leave` have come out as `wrong` says."""
    suite = Suite.make(folder, tuple(plans), source, "cpu")
    suite.write()
    for task in suite.tasks[: len(suite.tasks) - leave]:
        write_result(suite, task, wrong)
    return suite


def write_result(suite: Suite, task: Task, wrong: Wrong) -> None:
    trial = task.trial
    run = suite.runs / trial.folder
    run.mkdir(parents=True, exist_ok=True)
    (run / TRIAL).write_text(json.dumps({"trained": True, "seconds": 12.5}))
    scores = {
        f"{std:g}": {str(z): counts_of(wrong(trial, std)).tolist() for z in trial.validation}
        for std in task.score_noise
    }
    (run / SCORES).write_text(json.dumps(scores))
    best = dice_of(wrong(trial, 0.0)) / 100
    history = [[10, 1.0, 0.9, best - 0.1], [20, 2.0, 0.5, best], [30, 3.0, 0.4, best - 0.02]]
    with (run / "history.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["step", "seconds", "loss", "dice_foreground"], *history])

"""How long an experiment will take, from a few steps of each kind of training."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_xseg.events import Control, Finished, StepDone
from napari_xseg.experiments.running import Compute, Scorer, job_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_xseg.events import Event
    from napari_xseg.experiments.glance import Task
    from napari_xseg.experiments.material import Material
    from napari_xseg.experiments.suite import Suite
    from napari_xseg.experiments.trial import Trial

SECONDS = 2.0  # of training for each kind
_START = 1.0  # s to open data and a network, beside training and scoring


def estimate_seconds(
    suite: Suite, compute: Compute | None = None, control: Control | None = None
) -> Generator[Event, None, float]:
    """Seconds that what is not done of a suite will take, one training after the other.

    Each kind of training (network, crops, batch) is tried for a few steps, in a folder
    that goes again, and one slice is scored.

    Yields
    ------
    Event
        Those of the short trainings.

    Returns
    -------
    float
        nan where `control` stopped it.
    """
    from napari_xseg.model.checkpoint import load_model

    compute, control = compute or Compute(), control or Control()
    paces: dict[str, tuple[float, float]] = {}
    total = 0.0
    for task in suite.tasks:
        if suite.is_done(task):
            continue
        kind = _kind(task.trial)
        if kind not in paces:
            folder = Path(tempfile.mkdtemp(prefix="napari-xseg-probe-"))
            try:
                pace = yield from _pace(task.trial, suite.material, folder, compute, control)
                if control.stopped:
                    return float("nan")
                scorer = Scorer(load_model(folder / "run"), suite.material, compute)
                start = time.monotonic()
                for _ in scorer.counts(task.trial.validation[:1], 0.0):
                    pass
                paces[kind] = (pace, time.monotonic() - start)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        total += _seconds(task, *paces[kind])
    return total


def _pace(
    trial: Trial, material: Material, folder: Path, compute: Compute, control: Control
) -> Generator[Event, None, float]:
    """Seconds of one step."""
    from napari_xseg.training.loop import train

    config = trial.config.with_budget(time_limit=SECONDS)
    job = replace(job_of(trial, material, folder / "run", compute), config=config)
    last = None
    for event in train(job, control):
        if isinstance(event, StepDone):
            last = event
        if not isinstance(event, Finished):
            yield event
    return SECONDS if last is None else last.seconds / last.step


def _seconds(task: Task, pace: float, scoring: float) -> float:
    trial, config = task.trial, task.trial.config
    scored = len(trial.validation) * len(task.score_noise) * scoring
    if config.time_limit is not None:
        return _START + config.time_limit + scored
    steps = config.steps
    if config.epochs is not None:
        copies = 2 if trial.conditions.noise == "copies" else 1
        steps = config.epochs * -(-len(trial.train) * copies // config.batch)
    return _START + (steps or 0) * pace + scored


def _kind(trial: Trial) -> str:
    config = trial.config
    told = (config.model.model_dump(mode="json"), config.crop, config.batch, trial.conditions.side)
    return json.dumps(told, sort_keys=True)

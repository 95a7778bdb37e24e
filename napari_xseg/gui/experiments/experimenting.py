"""The experiments of a viewer: begun, followed and looked at, with or without a dock."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_xseg.data.formats.atomic import writing_to
from napari_xseg.errors import XsegError
from napari_xseg.events import Event, Finished, Message, Progress, Started, TrialDone
from napari_xseg.experiments.after import mask_path
from napari_xseg.experiments.glance import Glance
from napari_xseg.experiments.report.page import PAGE
from napari_xseg.experiments.results import read_outcomes
from napari_xseg.gui.experiments.found import fresh_report
from napari_xseg.gui.train.train_curves import TrainCurves
from napari_xseg.jobs import EngineDied
from napari_xseg.jobs.experiment_request import (
    REPORT_WANTED,
    ExperimentEstimate,
    ExperimentReport,
    ExperimentRequest,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_xseg.experiments.results import Outcome, Result
    from napari_xseg.gui.experiments.preparing import ExperimentPlan
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Job
    from napari_xseg.jobs import Request

    _Read = tuple[Glance, tuple[Outcome, ...], Path | None]

COMMAND = "napari-xseg, Experiments dock"
_BUSY = "An experiment is under way: stop it first, or wait for its end."
# Of a job that the engine has been given, so that its folder is written.
_SENT = ("starting", "waiting", "running")


@dataclass(eq=False)
class Experiment:
    """One experiment that is looked at, under way or not.

    Attributes
    ----------
    folder : Path
    project : Path or None
        Folder of the project on whose image it runs.
    job : Job or None
        While it runs, and after.
    glance : Glance or None
        What it is to do, once it was read.
    outcomes : tuple of Outcome
        What is known so far.
    done, total : int
        Trainings that are over, in this run of it, and all.
    curves : TrainCurves
        Of the training under way.
    mask : Path or None
        That of the volume without labels, once it is predicted.
    faults : list of str
        Trainings that failed, and why.
    """

    folder: Path
    project: Path | None
    job: Job | None = None
    glance: Glance | None = None
    outcomes: tuple[Outcome, ...] = ()
    done: int = 0
    total: int = 0
    curves: TrainCurves = field(default_factory=TrainCurves)
    mask: Path | None = None
    faults: list[str] = field(default_factory=list)
    heard: list[Event] = field(default_factory=list)

    @property
    def running(self) -> bool:
        """Whether its trainings are under way."""
        return self.job is not None and not self.job.over

    @property
    def training(self) -> str:
        """What the training under way is, in words; empty where none is known."""
        tasks = () if self.glance is None else self.glance.tasks
        return tasks[self.done].trial.words if self.running and self.done < len(tasks) else ""


class Experiments:
    """The experiments of a session: one is looked at, and at most one runs.

    Attributes
    ----------
    current : Experiment or None
        The one that is looked at.
    """

    changed = Signal()  # another one is looked at, or it began or ended
    trial_over = Signal()  # one more training of it is over, or another began
    outcomes_changed = Signal()
    curves_changed = Signal()  # those of the training under way
    estimated = Signal(float)  # seconds
    report_written = Signal(object)  # Path

    def __init__(self, session: Session) -> None:
        self._session = session
        self.current: Experiment | None = None
        self.estimating: Job | None = None
        self.reporting: Job | None = None
        self._reading = self._read_again = self._report_wanted = False

    @property
    def running(self) -> bool:
        """Whether one is under way."""
        return self.current is not None and self.current.running

    # -- beginning ----------------------------------------------------------

    def start(self, plan: ExperimentPlan) -> Experiment:
        """Write data and plans, and train; XsegError while one is under way."""

        def prepare() -> ExperimentRequest:
            plan.write()
            return _request(plan.folder, plan.choices.device)

        return self._run(plan.folder, prepare)

    def go_on(self, folder: Path, device: str = "auto") -> Experiment:
        """Do what is left of the experiment in a folder; XsegError while one is under way."""
        return self._run(folder, partial(_request, folder, device))

    def _run(self, folder: Path, prepare: Callable[[], Request]) -> Experiment:
        self._check_free()
        session = self._session
        job = session.jobs.run(f"Experiment {folder.name}", prepare)
        current = self.current = Experiment(folder, session.project_folder, job)
        job.events.connect(partial(self._hear, current))
        job.events.connect(session.warn_of)
        job.state_changed.connect(partial(self._on_state, current))
        job.ended.connect(partial(self._on_end, current))
        self.changed.emit()
        return current

    def show(self, folder: Path | None) -> None:
        """Look at the experiment in a folder without running it; XsegError while one runs."""
        if self.current is not None and self.current.folder == folder:
            return
        self._check_free()
        session = self._session
        self.current = None if folder is None else Experiment(folder, session.project_folder)
        self.changed.emit()
        self._read()

    def _check_free(self) -> None:
        if self.running:
            raise XsegError(_BUSY)

    # -- how it goes --------------------------------------------------------

    def _on_state(self, experiment: Experiment) -> None:
        """Read what it is to do, once its folder is written."""
        job = experiment.job
        if experiment.glance is None and job is not None and job.state in _SENT:
            self._read()

    def _hear(self, experiment: Experiment, events: list[Event]) -> None:
        over = False
        for event in events:
            if isinstance(event, TrialDone):
                over = True
                experiment.done, experiment.total = event.done, event.total
                if event.fault:
                    experiment.faults.append(f"{event.words}: {event.fault}")
                    self._session.warn(f"{event.words} failed: {event.fault}")
            elif isinstance(event, Started) and event.what == "train":
                experiment.curves = TrainCurves()
                self.trial_over.emit()
            experiment.curves.hear([event])
            if isinstance(event, Progress) and event.what == "report":
                self._on_report_progress(experiment, event)
            if isinstance(event, TrialDone | Message):
                experiment.heard = [
                    one for one in experiment.heard if type(one) is not type(event)
                ] + [event]
        self.curves_changed.emit()
        if over or experiment.glance is None:
            self._read()
        if over:
            self.trial_over.emit()

    def _on_end(self, experiment: Experiment) -> None:
        job = experiment.job
        assert job is not None
        if isinstance(job.error, EngineDied):
            self._session.warn(
                f"{experiment.folder.name}: the experiment was cut short; what is done stands. "
                "Go on does the rest."
            )
        elif job.error is not None:
            self._session.show_error(job.error)
        self.changed.emit()
        self._read()
        if self._report_wanted:  # it ended before it came to it
            self._report_wanted = False
            self.report()

    # -- results ------------------------------------------------------------

    def _read(self) -> None:
        """Read the results in the background; once more where it is asked for meanwhile."""
        current = self.current
        if current is None:
            self.outcomes_changed.emit()
            return
        if self._reading:
            self._read_again = True
            return
        self._reading = True
        folder, known = current.folder, current.glance

        def read() -> _Read:
            glance = known or Glance.open(folder)
            mask = mask_path(glance)
            return glance, read_outcomes(glance), mask if mask.is_file() else None

        call = self._session.jobs.call(read)
        call.returned.connect(partial(self._take, current))
        call.failed.connect(partial(self._on_unread, current))

    def _take(self, experiment: Experiment, found: _Read) -> None:
        experiment.glance, experiment.outcomes, experiment.mask = found
        experiment.total = experiment.total or len(found[0].tasks)
        self._on_read()

    def _on_unread(self, experiment: Experiment, error: Exception) -> None:
        if not experiment.running and (experiment.job is None or experiment.job.error is None):
            self._session.show_error(error)
        self._on_read()

    def _on_read(self) -> None:
        self._reading = False
        self.outcomes_changed.emit()
        if self._read_again:
            self._read_again = False
            self._read()

    # -- how long -----------------------------------------------------------

    def estimate(self, plan: ExperimentPlan) -> Job:
        """Try a few steps of each kind of training; `estimated` tells the seconds."""
        if self.estimating is not None:
            return self.estimating

        def prepare() -> ExperimentEstimate:
            plan.write()
            return ExperimentEstimate(folder=plan.folder, device=plan.choices.device)

        job = self.estimating = self._session.jobs.run(
            "Estimating the time", prepare, worth_asking=False
        )
        job.ended.connect(partial(self._on_estimated, job, plan.folder))
        self.changed.emit()
        return job

    def _on_estimated(self, job: Job, folder: Path) -> None:
        self.estimating = None
        self._session.jobs.call(partial(_remove, folder))
        if job.error is not None:
            self._session.show_error(job.error)
        seconds = (
            math.nan if job.finished is None else job.finished.figures.get("seconds", math.nan)
        )
        if not math.isnan(seconds):
            self.estimated.emit(seconds)
        self.changed.emit()

    # -- the report ---------------------------------------------------------

    def report(self) -> None:
        """Have the report written, and tell `report_written`; at once where it is as it should be.

        While trainings run it is written after the one under way.
        """
        current = self.current
        if current is None or self.reporting is not None:
            return
        if current.running:
            self._report_wanted = True
            asking = self._session.jobs.call(partial(_ask_for_report, current.folder))
            asking.failed.connect(self._session.show_error)
            self._session.notify("The report is written after the training under way.")
            return
        call = self._session.jobs.call(partial(fresh_report, current.folder))
        call.returned.connect(partial(self._write_report, current.folder))

    def _write_report(self, folder: Path, page: Path | None) -> None:
        if page is not None:
            self.report_written.emit(page)
            return
        if self.reporting is not None:
            return
        job = self.reporting = self._session.jobs.run(
            "Writing the report", lambda: ExperimentReport(folder=folder), worth_asking=False
        )
        job.ended.connect(partial(self._on_report, job))
        self.changed.emit()

    def _on_report(self, job: Job) -> None:
        self.reporting = None
        if job.error is not None:
            self._session.show_error(job.error)
        elif isinstance(job.finished, Finished):
            self.report_written.emit(job.finished.path)
        self.changed.emit()

    def _on_report_progress(self, experiment: Experiment, event: Progress) -> None:
        if self._report_wanted and event.done == event.total:
            self._report_wanted = False
            self.report_written.emit(experiment.folder / PAGE)


def _request(folder: Path, device: str) -> ExperimentRequest:
    return ExperimentRequest(folder=folder, device=device, command=COMMAND)


def _ask_for_report(folder: Path) -> None:
    with writing_to(folder):
        (folder / REPORT_WANTED).touch()


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def worst_slice(result: Result, std: float) -> int | None:
    """Z of the scored slice with the lowest Dice; None where none is scored."""
    dice = {z: value for z, value in result.by_slice(std).items() if not math.isnan(value)}
    return min(dice, key=lambda z: dice[z], default=None)


_EXPERIMENTS: dict[Session, Experiments] = {}


def experiments_of(session: Session) -> Experiments:
    """The experiments of a session, whichever dock asks."""
    found = _EXPERIMENTS.get(session)
    if found is None:
        found = _EXPERIMENTS[session] = Experiments(session)
        session.closed.connect(lambda: _EXPERIMENTS.pop(session, None))
    return found

"""The Experiments dock: choose a plan, run it, watch its results, and have the report."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_xseg.data.runs_list import stamp_of
from napari_xseg.errors import XsegError
from napari_xseg.gui.data_bar import DataBar
from napari_xseg.gui.dock import Dock
from napari_xseg.gui.experiments.experiment_bar import ExperimentBar
from napari_xseg.gui.experiments.experimenting import experiments_of
from napari_xseg.gui.experiments.found import Found, find_experiments
from napari_xseg.gui.experiments.found_list import FoundList
from napari_xseg.gui.experiments.overview import left_words, overview_words
from napari_xseg.gui.experiments.plan_form import PlanForm
from napari_xseg.gui.experiments.preparing import (
    EXPERIMENTS,
    ExperimentChoices,
    ExperimentPlan,
    plan_experiment,
)
from napari_xseg.gui.experiments.results_page import ResultsPage
from napari_xseg.gui.forms import Fold, fill
from napari_xseg.gui.in_front import WhenSeen
from napari_xseg.gui.job_bar import time_words

if TYPE_CHECKING:
    from pathlib import Path

    import napari

    from napari_xseg.experiments.glance import Glance

# Milliseconds before it is told what will be run, in which choices may change again.
PACE = 200
# What the project's settings call the choices.
SETTINGS = "experiments"
START_TIP = "Train all that the plan says, one after the other."
ESTIMATE_TIP = "Try a few steps of each kind of training, and tell how long all will take."
_NUMBERS = count(1)


class ExperimentsDock(Dock):
    """Runs plans on the session's image and labels.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.experiments = experiments_of(self.session)
        self._overviews = self._findings = 0
        self._found: list[Found] = []
        self._make_widgets()
        self._lay_out()
        self.data.opener.take_drops(self)
        self._settling = WhenSeen(self, self._look_over, PACE)
        self._finding = WhenSeen(self, self._find)
        self._connect()
        self.form.set_devices(self.session.devices)
        self._on_project()
        self._on_theme()
        self._on_experiment()

    # -- making -------------------------------------------------------------

    def _make_widgets(self) -> None:
        self.data = DataBar(self.session)
        self.form = PlanForm()
        self.overview = QLabel()
        self.overview.setWordWrap(True)
        self.results = ResultsPage(self.session)
        self.found = FoundList()
        self.bar = ExperimentBar(self.session.jobs)
        self.start = self.bar.add_start("&Start", START_TIP)
        self.estimate = self.bar.add_start("Esti&mate", ESTIMATE_TIP)
        self.report = QPushButton("Repor&t")
        self.report.setToolTip(
            "Write the report of what is there so far, and open it in the browser."
        )
        self.reason = QLabel()
        self.reason.setWordWrap(True)
        self.cut_short = QWidget()
        self.cut_words = QLabel()
        self.cut_words.setWordWrap(True)
        self.go_on = QPushButton("Go on")
        self.go_on.setToolTip("Do what is left of this experiment, from where it was.")
        row = QHBoxLayout(self.cut_short)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.cut_words, 1)
        row.addWidget(self.go_on)

    def _lay_out(self) -> None:
        plan = QWidget()
        inside = QVBoxLayout(plan)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.form)
        inside.addWidget(self.overview)
        self.plan_fold = Fold(
            "Plan",
            plan,
            tip="What is trained, how often, for how long and on which device.",
            open_=True,
        )
        self.results_fold = Fold(
            "Results",
            self.results,
            tip="Dice of each training that is done, and the one that runs.",
        )
        self.found_fold = Fold(
            "Experiments of this project",
            self.found,
            tip="The experiments that are kept in this project: show one, or go on with it.",
            open_=True,
        )
        parts = (self.data, self.plan_fold, self.results_fold, self.found_fold)
        self.area = fill(self, parts, foot=(self.cut_short, self.bar, self.report, self.reason))

    def _connect(self) -> None:
        session, experiments = self.session, self.experiments
        self.form.value_changed.connect(self._settling.soon)
        self.start.clicked.connect(lambda: self.guarded(self._start))
        self.estimate.clicked.connect(lambda: self.guarded(self._estimate))
        self.report.clicked.connect(lambda: experiments.report())
        self.go_on.clicked.connect(self._go_on_last)
        self.found.asked.connect(self._on_asked)
        self.results.said.connect(self.bar.show_message)
        self.listen(
            (session.image_changed, self._on_project),
            (session.labels_changed, self._settling.soon),
            (session.slices_changed, self._settling.soon),
            (session.classes_changed, self._settling.soon),
            (session.project_changed, self._on_project),
            (session.devices_changed, self._on_devices),
            (experiments.changed, self._on_experiment),
            (experiments.trial_over, self.results.show_training),
            (experiments.curves_changed, self.results.curves.refresh),
            (experiments.outcomes_changed, self.results.show_outcomes),
            (experiments.estimated, self._on_estimated),
            (experiments.report_written, self._open_report),
            (session.viewer.events.theme, self._on_theme),
        )

    def let_go(self) -> None:
        """Leave the experiment to itself."""
        self._settling.stop()
        self._overviews += 1
        self._findings += 1
        self.data.leave()
        self.results.leave()
        self.bar.follow(None)

    # -- choices ------------------------------------------------------------

    def _on_project(self) -> None:
        """Take the choices of the project, and list its experiments."""
        project = self.session.project
        kept = {} if project is None else project.settings.get(SETTINGS, {})
        if kept:
            with suppress(XsegError):  # of another version, or a plan's file has gone
                self.form.set_value(ExperimentChoices.from_dict(kept, str(project)))
        current = self.experiments.current
        place = self.session.project_folder
        if current is not None and not current.running and current.project != place:
            self.experiments.show(None)
        self._finding.now()
        self._settling.soon()

    def _keep_choices(self, choices: ExperimentChoices) -> None:
        project = self.session.require_project()
        kept = choices.model_dump(mode="json", exclude_none=True)
        if project.settings.get(SETTINGS) != kept:
            project.save_settings({**project.settings, SETTINGS: kept})

    def _on_devices(self) -> None:
        self.form.set_devices(self.session.devices)

    def _plan(self, folder: Path | None = None) -> ExperimentPlan:
        """The experiment as it is chosen; XsegError where it cannot be."""
        if self.form.fault:
            raise XsegError(self.form.fault)
        return plan_experiment(self.session, self.form.value(), folder)

    def _place(self) -> Path:
        chosen = self.form.place()
        if chosen is not None:
            return chosen
        name = f"{self.form.value().name}-{stamp_of(datetime.now())}"
        return self.session.require_project().folder / EXPERIMENTS / name

    def _look_over(self) -> None:
        """Say what will be run, from a background thread."""
        self._overviews += 1
        try:
            plan = self._plan()
        except XsegError as error:
            self._show_overview(str(error), None)
            return
        call = self.session.jobs.call(plan.glance)
        call.returned.connect(partial(self._on_glance, self._overviews))
        call.failed.connect(partial(self._on_no_glance, self._overviews))

    def _on_glance(self, number: int, glance: Glance) -> None:
        if number == self._overviews:
            self._show_overview("", glance)

    def _on_no_glance(self, number: int, error: Exception) -> None:
        if number == self._overviews:
            self._show_overview(str(error), None)

    def _show_overview(self, fault: str, glance: Glance | None) -> None:
        volume = bool(self.form.value().unlabelled)
        words = [] if glance is None else overview_words(glance, volume=volume)
        self.overview.setText(" ".join(words))
        self.overview.setToolTip("" if glance is None else left_words(glance))
        self.overview.setVisible(bool(words))
        self.reason.setText(fault)
        self.reason.setVisible(bool(fault))
        self.start.setEnabled(not fault)
        self.start.setToolTip(fault or START_TIP)
        self.estimate.setEnabled(not fault)
        self.estimate.setToolTip(fault or ESTIMATE_TIP)

    # -- orders -------------------------------------------------------------

    def _start(self) -> None:
        self._keep_choices(self.form.value())
        self.experiments.start(self._plan(self._place()))

    def _estimate(self) -> None:
        folder = self.session.jobs.engine.folder / f"estimate-{next(_NUMBERS)}"
        self.experiments.estimate(self._plan(folder))

    def _on_estimated(self, seconds: float) -> None:
        self.bar.show_message(f"It will take about {time_words(seconds)}, scoring included.")

    def _on_asked(self, what: str, found: Found) -> None:
        experiments, folder = self.experiments, found.folder
        if what == "go_on":
            self.guarded(lambda: experiments.go_on(folder, self.form.value().device))
        else:
            self.guarded(lambda: experiments.show(folder))

    def _go_on_last(self) -> None:
        left = self._unfinished()
        if left is not None:
            self._on_asked("go_on", left)

    def _open_report(self, page: Path) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(page)))

    # -- what goes on -------------------------------------------------------

    def _on_experiment(self) -> None:
        """Follow what runs: the experiment, else an estimate, else a report."""
        current, experiments = self.experiments.current, self.experiments
        own = None if current is None else current.job
        jobs = [job for job in (own, experiments.estimating, experiments.reporting) if job]
        running = next((job for job in jobs if not job.over), None)
        if running is not None and self.bar.job is not running:
            told = current.heard if current is not None and running is own else []
            self.bar.follow(running, list(told))
            if running is own:  # the results take its place
                self.plan_fold.set_open(False)
        if current is not None:
            self.results_fold.set_open(True)
        self.found.set_busy(experiments.running)
        self.report.setEnabled(current is not None and experiments.reporting is None)
        self.results.show_outcomes()
        self._finding.now()

    def _find(self) -> None:
        """List the project's experiments in the background."""
        self._findings += 1
        folder = self.session.project_folder
        if folder is None:
            self._on_found(self._findings, [])
            return
        call = self.session.jobs.call(partial(find_experiments, folder / EXPERIMENTS))
        call.returned.connect(partial(self._on_found, self._findings))

    def _on_found(self, number: int, found: list[Found]) -> None:
        if number != self._findings:
            return
        self._found = found
        self.found.set_value(found)
        self.found_fold.setVisible(bool(found))
        left = None if self.experiments.running else self._unfinished()
        self.cut_short.setVisible(left is not None)
        if left is not None:
            self.cut_words.setText(
                f"{left.folder.name} is not finished: {left.done} of {left.total} trainings."
            )

    def _unfinished(self) -> Found | None:
        left = [one for one in self._found if not one.fault and not one.complete]
        return max(left, key=lambda one: one.changed, default=None)

    def _on_theme(self, _: object = None) -> None:
        self.results.set_theme(*self.colours)

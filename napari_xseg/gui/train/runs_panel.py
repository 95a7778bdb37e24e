"""The runs of the session's project and their curves, kept up to date."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QUrl, Signal
from qtpy.QtGui import QDesktopServices

from napari_xseg.data.runs_list import read_history
from napari_xseg.errors import XsegError
from napari_xseg.gui.dock import Links
from napari_xseg.gui.train.class_editor import ask
from napari_xseg.gui.train.curves import Curves
from napari_xseg.gui.train.runs_list import RunsList
from napari_xseg.gui.train.train_curves import TrainCurves
from napari_xseg.gui.train.training import trainings_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.data.runs_list import RunInfo
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Job

# How runs of one name are told apart: most have that of their recipe.
DATE = "%d %b %H:%M:%S"


class RunsPanel(QObject):
    """Keeps a list of runs and the curves beside it as the session and its project are.

    The curves are those of the training under way, else those of the selected run;
    ticked runs are drawn too.

    Attributes
    ----------
    list : RunsList
    curves : Curves
        Both are to be put into a dock.
    runs : list of RunInfo
        Newest first; `unfinished` are those that can be resumed.
    asked : Signal(str, object)
        "go_on" or "resume", and the RunInfo: for the dock to do.
    read : Signal()
        The runs were read anew; see `info`.
    """

    asked = Signal(str, object)
    read = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self.session = session
        self.trainings = trainings_of(session)
        self.list = RunsList()
        self.curves = Curves()
        self.unfinished: list[RunInfo] = []
        self.runs: list[RunInfo] = []
        self._readings = 0
        self._drawings = 0
        self._followed: Job | None = None
        self.list.asked.connect(self._on_asked)
        self.list.renamed.connect(self._rename)
        self.list.ticked.connect(self._draw)
        self.list.value_changed.connect(self._draw)
        self._links = Links(
            (session.runs_changed, self.read_runs),
            (session.project_changed, self.read_runs),
            (session.model_changed, self._show_runs),
            (session.classes_changed, self._show_classes),
            (self.trainings.changed, self._on_training),
        )
        self._show_classes()
        self._on_training()

    def leave(self) -> None:
        """Follow the session no more."""
        self._links.leave()
        self._follow(None)
        self._readings += 1
        self._drawings += 1

    def info(self, run: Path) -> RunInfo | None:
        """What is known of the run in that folder."""
        return next((info for info in self.runs if info.path == run), None)

    # -- the session --------------------------------------------------------

    def read_runs(self) -> None:
        """Read the run folders in the background, and show what they say."""
        project = self.session.project
        self._readings += 1
        number = self._readings
        if project is None:
            self._take([], [])
            return
        call = self.session.jobs.call(lambda: (project.runs(), project.unfinished()))

        def take(found: tuple[list[RunInfo], list[RunInfo]]) -> None:
            if number == self._readings:
                self._take(*found)

        call.returned.connect(take)
        call.failed.connect(self.session.show_error)

    def _take(self, runs: list[RunInfo], unfinished: list[RunInfo]) -> None:
        self.runs, self.unfinished = runs, unfinished
        self._show_runs()
        self._draw()
        self.read.emit()

    def _show_runs(self) -> None:
        self.list.set_value(
            self.runs,
            unfinished=[run.path for run in self.unfinished],
            model=self.session.model,
        )

    def _show_classes(self) -> None:
        self.curves.set_classes(self.session.classes)

    def _on_training(self) -> None:
        self.list.set_busy(self.trainings.running)
        current = self.trainings.current
        if current is not None and self.trainings.running:
            self._follow(current.job)
            self.curves.set_classes(current.classes)
            self.curves.show_training(current.curves)
        else:
            self._follow(None)
        self.read_runs()

    def _follow(self, job: Job | None) -> None:
        if self._followed is not None:
            self._followed.events.disconnect(self._on_events)
        self._followed = job
        if job is not None:
            job.events.connect(self._on_events)

    def _on_events(self, _: object) -> None:
        self.curves.refresh()

    # -- curves -------------------------------------------------------------

    def _draw(self) -> None:
        """Read the curves of the ticked runs, and of the selected one, in the background."""
        ticked, selected = self.list.compared(), self.list.value()
        running = self.trainings.current if self.trainings.running else None
        self._drawings += 1
        number = self._drawings
        wanted = {run.path for run in ticked}
        if selected is not None and running is None:
            wanted.add(selected.path)
        if not wanted:
            self._show_curves(ticked, selected, {})
            return
        call = self.session.jobs.call(lambda: {path: _curves(path) for path in wanted})

        def take(found: dict[Path, TrainCurves]) -> None:
            if number == self._drawings:
                self._show_curves(ticked, selected, found)

        call.returned.connect(take)

    def _show_curves(
        self, ticked: list[RunInfo], selected: RunInfo | None, found: dict[Path, TrainCurves]
    ) -> None:
        current = self.trainings.current
        if current is not None and (self.trainings.running or selected is None):
            shown, path = current.curves, current.run
        elif current is not None and selected is not None and selected.path == current.run:
            shown, path = current.curves, current.run  # they have more points than the file
        elif selected is not None:
            shown, path = found[selected.path], selected.path
        else:
            shown, path = None, None
        self.curves.show_training(shown)
        others = [run for run in ticked if run.path != path]
        names = Counter(run.name for run in others)
        self.curves.compare(
            {
                run.name if names[run.name] == 1 else f"{run.name}, {run.date:{DATE}}": found[
                    run.path
                ]
                for run in others
            }
        )

    # -- what the user asks for ---------------------------------------------

    def _on_asked(self, key: str, run: RunInfo) -> None:
        if key == "use":
            self.session.set_model(run.path)
        elif key == "reveal":
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(run.path)))
        elif key == "delete":
            self._delete(run)
        else:
            self.asked.emit(key, run)

    def _delete(self, run: RunInfo) -> None:
        details = f"The folder {run.path} is removed with its model. This cannot be undone."
        if not ask(self.list, f"Delete the run {run.name!r}?", details, "Delete"):
            return
        project = self.session.project
        if project is None:
            return
        try:
            project.delete_run(run)
        except XsegError as error:
            self.session.show_error(error)
        if self.session.model == run.path:
            self.session.set_model(None)
        self.session.runs_changed.emit()

    def _rename(self, run: RunInfo, name: str) -> None:
        project = self.session.project
        if project is None:
            return
        try:
            path = project.rename_run(run, name)
        except XsegError as error:
            self.session.show_error(error)
            return
        current = self.trainings.current
        if current is not None and current.run == run.path:
            current.run = path
        if self.session.model == run.path:
            self.session.set_model(path)
        self.list.select(path)
        self.session.runs_changed.emit()


def _curves(run: Path) -> TrainCurves:
    """The curves that a run has on disk; none where they cannot be read."""
    try:
        return TrainCurves.from_history(read_history(run))
    except XsegError:
        return TrainCurves()

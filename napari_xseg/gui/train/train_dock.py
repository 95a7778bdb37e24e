"""The Train dock: classes, labelled slices, settings, the training itself, and the runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QWidget

from napari_xseg.errors import XsegError
from napari_xseg.gui.data_bar import DataBar
from napari_xseg.gui.dock import Dock
from napari_xseg.gui.forms import Fold, fill
from napari_xseg.gui.job_bar import JobBar, phase_words
from napari_xseg.gui.train.class_editor import ClassEditor
from napari_xseg.gui.train.kept_choices import SETTINGS
from napari_xseg.gui.train.plan import check_labels
from napari_xseg.gui.train.runs_panel import RunsPanel
from napari_xseg.gui.train.slices_panel import SlicesPanel
from napari_xseg.gui.train.train_form import TrainChoices, TrainForm
from napari_xseg.gui.train.training import trainings_of
from napari_xseg.model.metadata import read_model_info

if TYPE_CHECKING:
    from pathlib import Path

    import napari

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.runs_list import RunInfo

# Milliseconds before choices are kept on disk, in which they may change again.
KEEP = 600
TRAIN_TIP = "Train a new model on the labelled slices."
NO_RUN = "There is no run to go on from: train one first."


class TrainDock(Dock):
    """Trains on the labels of the session.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.trainings = trainings_of(self.session)
        self._make_widgets()
        self._lay_out()
        self.data.opener.take_drops(self)
        self._known: dict[Path, ClassTable] = {}  # what runs know, as it was read last
        self._keeping = QTimer(self)
        self._keeping.setSingleShot(True)
        self._keeping.setInterval(KEEP)
        self._keeping.timeout.connect(self._keep_choices)
        self._connect()
        self._on_project()
        self._on_classes()
        self._on_theme()
        self._on_training()
        self.form.set_devices(self.session.devices)

    # -- making -------------------------------------------------------------

    def _make_widgets(self) -> None:
        self.data = DataBar(self.session)
        self.classes = ClassEditor(self._pixels)
        self.slices = SlicesPanel(self.session, self)
        self.form = TrainForm()
        self.panel = RunsPanel(self.session, self)
        self.live = QCheckBox("Show the mas&k while it trains")
        self.live.setToolTip(
            "From the first seconds on a layer shows what the model makes of the slice in view, "
            "and follows when you scroll. It costs at most a fifth of the training time."
        )
        self.live.setChecked(self.session.live.on)
        self.bar = JobBar(self.session.jobs)
        self.train = self.bar.add_start("&Train", TRAIN_TIP)
        self.go_on = self.bar.add_start("Continue", NO_RUN)
        self.reason = QLabel()
        self.reason.setWordWrap(True)
        self.cut_short = QWidget()
        self.cut_words = QLabel()
        self.cut_words.setWordWrap(True)
        self.resume = QPushButton("Resume")
        self.resume.setToolTip("Go on with this run exactly as it was begun.")
        row = QHBoxLayout(self.cut_short)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.cut_words, 1)
        row.addWidget(self.resume)

    def _lay_out(self) -> None:
        self.curves_fold = Fold(
            "Curves",
            self.panel.curves,
            tip="Loss, learning rate, and Dice of the validation slices, as they grow.",
        )
        self.runs_fold = Fold(
            "Runs",
            self.panel.list,
            tip="The trainings of this project: load one, compare curves, rename or delete.",
            open_=True,
        )
        parts = (
            self.data,
            Fold(
                "Classes",
                self.classes,
                tip="Names, colours and file values of the classes, and their pixels.",
                open_=True,
            ),
            Fold(
                "Labelled slices",
                self.slices,
                tip="Which slices are labelled, and which of them train or validate.",
                open_=True,
            ),
            Fold(
                "Settings",
                self.form,
                tip="Recipe, noise, device and how long the training takes.",
                open_=True,
            ),
            self.curves_fold,
            self.runs_fold,
        )
        self.area = fill(self, parts, foot=(self.cut_short, self.live, self.bar, self.reason))

    def _connect(self) -> None:
        session = self.session
        self.classes.edited.connect(self._set_classes)
        self.slices.changed.connect(self._count)
        self.slices.validation.value_changed.connect(self._on_choices)
        self.form.value_changed.connect(self._on_choices)
        self.form.preview_asked.connect(self._preview_crops)
        self.live.toggled.connect(self._set_live)
        self.train.clicked.connect(self._train)
        self.go_on.clicked.connect(self._continue)
        self.resume.clicked.connect(self._resume_last)
        self.panel.asked.connect(self._on_asked)
        self.panel.read.connect(self._on_read)
        self.panel.list.value_changed.connect(self._show_reason)
        self.listen(
            (session.image_changed, self._on_image),
            (session.classes_changed, self._on_classes),
            (session.project_changed, self._on_project),
            (session.model_changed, self._show_reason),
            (session.devices_changed, self._on_devices),
            (session.live.changed, self._on_live),
            (self.trainings.changed, self._on_training),
            (session.viewer.events.theme, self._on_theme),
        )

    def let_go(self) -> None:
        """Leave the training to itself, and keep the choices."""
        self.data.leave()
        self.slices.leave()
        self.panel.leave()
        self.bar.follow(None)
        if self._keeping.isActive():
            self._keeping.stop()
            self._keep_choices()

    def showEvent(self, event: Any) -> None:
        """Start the engine, so that the first training begins at once."""
        super().showEvent(event)
        QTimer.singleShot(0, self.session.warm_up)

    def enterEvent(self, event: Any) -> None:
        """Look again at what keeps a training from beginning: a lost folder comes back unsaid."""
        super().enterEvent(event)
        if self.reason.text():
            self._show_reason()
            if not self.reason.text():
                self.panel.read_runs()

    # -- labels, classes, slices --------------------------------------------

    def _set_classes(self, classes: Any, recode: dict[int, int] | None) -> None:
        try:
            self.session.set_classes(classes, recode)
        except XsegError as error:
            self.session.show_error(error)
            self.classes.set_value(self.session.classes)

    def _on_classes(self) -> None:
        self.classes.set_value(self.session.classes)
        self._count()

    def _pixels(self) -> list[int]:
        """Labelled pixels of each class."""
        store, count = self.session.store, len(self.session.classes)
        if store is None:
            return [0] * count
        counts: list[int] = store.totals()[1 : count + 1].tolist()
        return counts

    def _count(self) -> None:
        self.classes.set_pixels(self._pixels())
        self._show_reason()

    def _on_image(self) -> None:
        """Say no more of a training that was another image's."""
        if not self.trainings.running:
            self.bar.say("")
            self.bar.show_message("")
        self._show_reason()

    # -- choices ------------------------------------------------------------

    def _on_project(self) -> None:
        project = self.session.project
        kept = {} if project is None else project.settings.get(SETTINGS, {})
        if not kept:
            return
        try:
            self.form.set_value(TrainChoices.from_dict(kept["choices"], str(project)))
        except (XsegError, LookupError):  # of another version: the form stays as it is
            return
        self.slices.validation.set_value(kept.get("validation", ""), kept.get("slices", ""))

    def _on_choices(self) -> None:
        self._show_reason()
        self._keeping.start()

    def _keep_choices(self) -> None:
        project = self.session.project
        if project is None:
            return
        kept = {
            "choices": self.form.value().model_dump(mode="json"),
            "validation": self.slices.validation.choice.currentText(),
            "slices": self.slices.validation.slices.text(),
        }
        if project.settings.get(SETTINGS) != kept:
            try:
                project.save_settings({**project.settings, SETTINGS: kept})
            except XsegError as error:
                self.session.show_error(error)

    def _on_devices(self) -> None:
        self.form.set_devices(self.session.devices)

    def _set_live(self, on: bool) -> None:
        self.session.live.on = on

    def _on_live(self) -> None:
        self.live.setChecked(self.session.live.on)

    def _on_theme(self, _: object = None) -> None:
        self.panel.curves.set_theme(*self.colours)

    # -- training -----------------------------------------------------------

    def why_not(self) -> str:
        """Why no training can begin, in a sentence; empty where one can."""
        session = self.session
        try:
            images = session.require_images()
            if session.store is None:
                return "There are no labels: paint in the Label dock, or open label files."
            check_labels(session.store, session.classes)
            self.form.check_region(images.shape)
        except XsegError as error:
            return str(error)
        return self.slices.fault or self.form.fault

    def _basis(self) -> Path | None:
        """The run that Continue goes on from: the selected one, else that in use."""
        selected = self.panel.list.value()
        if selected is not None and selected.usable:
            return selected.path
        model = self.session.model
        return model if model is not None and self.panel.info(model) is not None else None

    def _strange(self, parent: Path) -> str:
        """Why the labels cannot be what this run goes on with; empty where they can."""
        if parent not in self._known:
            try:
                self._known[parent] = read_model_info(parent).classes
            except XsegError:  # what is wrong with it, the training says
                return ""
        other = self.session.classes.why_not_as(self._known[parent])
        return f"{parent.name} {other}: train a new model." if other else ""

    def _show_reason(self) -> None:
        reason, parent = self.why_not(), self._basis()
        self.train.setEnabled(not reason)
        self.train.setToolTip(reason or TRAIN_TIP)
        strange = "" if parent is None else self._strange(parent)
        self.go_on.setEnabled(not reason and parent is not None and not strange)
        tip = "Select a run to go on from." if self.panel.runs else NO_RUN
        if strange:
            tip = strange
        elif parent is not None:
            tip = (
                f"A new run that begins from the model of {parent.name}, with the labels of today."
            )
        self.go_on.setToolTip(reason or tip)
        self.panel.list.set_refusal(reason or strange)
        self.form.preview.setEnabled(not reason)
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason) and self.bar.job is None)

    def _train(self) -> None:
        self._begin(None)

    def _continue(self) -> None:
        self._begin(self._basis())

    def _begin(self, parent: Path | None) -> None:
        choices = self.form.value()
        self.guarded(
            lambda: self.trainings.start(
                choices.config,
                wish=self.slices.wish(),
                device=choices.device,
                region=choices.region,
                parent=parent,
            )
        )

    def _resume_last(self) -> None:
        if self.panel.unfinished:
            self._resume(self.panel.unfinished[0])

    def _resume(self, run: RunInfo) -> None:
        self.guarded(lambda: self.trainings.resume(run.path))

    def _on_asked(self, key: str, run: RunInfo) -> None:
        if key == "resume":
            self._resume(run)
        else:
            self._begin(run.path)

    def _preview_crops(self) -> None:
        choices = self.form.value()
        self.guarded(
            lambda: self.trainings.preview_crops(
                choices.config, wish=self.slices.wish(), region=choices.region
            )
        )

    def _on_training(self) -> None:
        current = self.trainings.current
        if current is not None and self.trainings.running and self.bar.job is not current.job:
            self.bar.follow(current.job, current.heard)
            self.curves_fold.set_open(True)
        self._show_reason()
        self._on_runs()

    def _on_read(self) -> None:
        self._known.clear()
        self._on_runs()

    def _on_runs(self) -> None:
        """Offer to go on with what has not ended, and say where the last Dice came from."""
        unfinished = self.panel.unfinished
        self.cut_short.setVisible(bool(unfinished) and not self.trainings.running)
        if unfinished:
            run = unfinished[0]
            self.cut_words.setText(
                f"The run {run.name} of {run.date:%d %b %H:%M} was {run.how_it_ended}."
            )
        current = self.trainings.current
        info = None if current is None else self.panel.info(current.run)
        if current is not None and info is not None and current.job.finished is not None:
            self.bar.say((phase_words(current.job.finished) or "") + _source(info))
        self._show_reason()


def _source(run: RunInfo) -> str:
    """Which slices a Dice came from, as the end of a sentence."""
    if run.dice_foreground is None or not run.val_slices:
        return ""
    if run.val_slices == run.slices:
        return ", a rough figure: from rows of the training slices"
    count = len(run.val_slices)
    where = f"slice {run.val_slices[0]}" if count == 1 else f"{count} slices"
    return f" on {where}, held out"

"""The results of the experiment that is looked at: table, the selected training, and curves."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_xseg.data.runs_list import read_history
from napari_xseg.errors import XsegError
from napari_xseg.gui.experiments.chart import ChartView
from napari_xseg.gui.experiments.chosen_run import ChosenRun
from napari_xseg.gui.experiments.experimenting import experiments_of
from napari_xseg.gui.experiments.predicted_volume import read_predicted, show_predicted
from napari_xseg.gui.experiments.results_tree import ResultsTree
from napari_xseg.gui.experiments.series import chart_of
from napari_xseg.gui.forms import Choice, Fold
from napari_xseg.gui.predict.predicting import predictions_of
from napari_xseg.gui.predict.prediction import PredictOptions
from napari_xseg.gui.train.curves import Curves
from napari_xseg.gui.train.train_curves import TrainCurves

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_xseg.experiments.results import Outcome, Result
    from napari_xseg.gui.session import Session


class ResultsPage(QWidget):
    """Shows what `experiments_of(session).current` has found; `said` tells what was done."""

    said = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.experiments = experiments_of(session)
        self._drawings = 0
        self._selected: tuple[Result, TrainCurves] | None = None
        self.title = QLabel()
        self.title.setWordWrap(True)
        self.noise = Choice()
        self.noise.setToolTip("The noise in the slices that the models are scored on.")
        self.which = Choice()
        self.which.setToolTip("The plan whose Dice is drawn.")
        self.tree = ResultsTree()
        self.chosen = ChosenRun()
        self.chart = ChartView()
        self.curves = Curves()
        self.volume = QPushButton("Open the predicted volume")
        self.volume.setToolTip(
            "Show the volume without labels and the mask that the best model under noise made of "
            "it, for the Review dock."
        )
        self.training = QLabel()
        self.training.setWordWrap(True)
        self._lay_out()
        self.noise.currentIndexChanged.connect(self.show_outcomes)
        self.which.currentIndexChanged.connect(self._show_chart)
        self.tree.chosen.connect(self._on_chosen)
        self.tree.itemActivated.connect(lambda *_: self.chosen.use.click())
        self.volume.clicked.connect(self._open_volume)
        self.chosen.used.connect(self._use)
        self.chosen.mistakes_asked.connect(self._show_mistakes)

    def _lay_out(self) -> None:
        choices = QWidget()
        form = QFormLayout(choices)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(3)
        for text, field in (("Scored at noise", self.noise), ("Draw the plan", self.which)):
            label = QLabel(text)
            label.setBuddy(field)
            form.addRow(label, field)
        self._choices = form
        growing = QWidget()
        below = QVBoxLayout(growing)
        below.setContentsMargins(0, 0, 0, 0)
        below.addWidget(self.training)
        below.addWidget(self.curves)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for part in (self.title, choices, self.tree, self.chosen, self.volume):
            layout.addWidget(part)
        layout.addWidget(
            Fold(
                "Dice over what varies",
                self.chart,
                tip="The score against what the plan varies, a line for each kind of training.",
                open_=True,
            )
        )
        layout.addWidget(
            Fold("Training", growing, tip="The curves of the training that runs.", open_=True)
        )

    def set_theme(self, text: str, background: str) -> None:
        """Draw in these colours."""
        self.chart.set_theme(text, background)
        self.curves.set_theme(text, background)

    @property
    def std(self) -> float:
        """Sd of the noise in the scored slices."""
        return float(self.noise.currentData() or 0.0)

    # -- what there is ------------------------------------------------------

    def show_outcomes(self) -> None:
        """Show what was read last."""
        current = self.experiments.current
        outcomes = () if current is None else current.outcomes
        self.title.setText(self._title())
        self.volume.setVisible(current is not None and current.mask is not None)
        self._offer(outcomes)
        self.tree.set_value(outcomes, self.std)
        self._show_chart()
        self._show_chosen()
        self.show_training()

    def show_training(self) -> None:
        """Draw the training under way and the selected one beside it, or that one alone."""
        current, selected = self.experiments.current, self._selected
        self.curves.set_classes(self.session.classes)
        if current is not None and current.running:
            words = current.training
            self.training.setText(f"Under way: {words}." if words else "")
            self.curves.show_training(current.curves)
            self.curves.compare({} if selected is None else {_words(selected[0]): selected[1]})
        else:
            self.training.setText("" if selected is None else f"{_words(selected[0])}.")
            self.curves.show_training(None if selected is None else selected[1])
            self.curves.compare({})

    def _title(self) -> str:
        current = self.experiments.current
        if current is None:
            return "No experiment was begun or chosen."
        left = "".join(f"\n{fault}" for fault in current.faults[-2:])
        return f"{current.folder.name}{left}"

    def _offer(self, outcomes: tuple[Outcome, ...]) -> None:
        stds = sorted({std for one in outcomes for std in one.plan.score_noise})
        self._fill(self.noise, [(f"sd {std:g}" if std else "none", std) for std in stds])
        plans = [(one.plan.title, one.plan.name) for one in outcomes]
        self._fill(self.which, plans)
        self._choices.setRowVisible(self.noise, len(stds) > 1)
        self._choices.setRowVisible(self.which, len(plans) > 1)

    def _fill(self, choice: Choice, entries: Sequence[tuple[str, object]]) -> None:
        there = [choice.itemData(index) for index in range(choice.count())]
        if there == [data for _, data in entries]:
            return
        with QSignalBlocker(choice):
            choice.clear()
            for text, data in entries:
                choice.addItem(text, data)

    def _show_chart(self) -> None:
        current, place = self.experiments.current, self.which.currentIndex()
        outcomes = () if current is None else current.outcomes
        shown = outcomes[place] if 0 <= place < len(outcomes) else None
        self.chart.set_value(None if shown is None else chart_of(shown, self.std))

    # -- the selected training ----------------------------------------------

    def _on_chosen(self, _: object) -> None:
        self._show_chosen()
        result = self.tree.value()
        self._drawings += 1
        self._selected = None
        self.show_training()
        if result is None:
            return
        call = self.session.jobs.call(partial(_history, result.run))
        call.returned.connect(partial(self._draw, self._drawings, result))

    def _draw(self, number: int, result: Result, curves: TrainCurves) -> None:
        if number == self._drawings:
            self._selected = (result, curves)
            self.show_training()

    def _show_chosen(self) -> None:
        current = self.experiments.current
        here = current is not None and current.project == self.session.project_folder
        self.chosen.set_value(self.tree.value(), self.std, here=here)

    def _use(self, result: Result) -> None:
        self.session.set_model(result.run)
        self.said.emit(f"Predict and Review use the model of {result.trial.words}.")

    def _show_mistakes(self, result: Result, z: int) -> None:
        """Predict its worst slice; Review compares the layer with the labels."""
        session = self.session
        session.set_model(result.run)
        session.go_to(z)
        try:
            predictions_of(session).look(PredictOptions())
        except XsegError as error:
            session.show_error(error)
            return
        self.said.emit(f"Slice {z} is predicted; the Review dock shows its mistakes.")

    def _open_volume(self) -> None:
        """Show what was predicted without labels."""
        current = self.experiments.current
        if current is None or current.mask is None or current.glance is None:
            return
        images = current.glance.unlabelled or ""
        call = self.session.jobs.call(partial(read_predicted, current.mask, images))
        call.returned.connect(partial(show_predicted, self.session))
        call.failed.connect(self.session.show_error)

    def leave(self) -> None:
        """Draw nothing that is still being read."""
        self._drawings += 1


def _words(result: Result) -> str:
    return result.trial.words


def _history(run: Path) -> TrainCurves:
    """The curves that a run has on disk; none where they cannot be read."""
    try:
        return TrainCurves.from_history(read_history(run))
    except XsegError:
        return TrainCurves()

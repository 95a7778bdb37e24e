"""What is to be run: a plan, how much of it, and where."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from napari_xseg.errors import XsegError
from napari_xseg.experiments.plan import BUDGETS, PLANS, POSTER, load_plans
from napari_xseg.gui.experiments.preparing import ExperimentChoices
from napari_xseg.gui.forms import Choice, NumberField

if TYPE_CHECKING:
    from napari_xseg.events import Devices
    from napari_xseg.experiments.plan import Plan

FROM_FILE, ALL = "from a file...", "all of them (the poster)"
BUDGET_WORDS = {
    "cpu": "small: for a processor",
    "gpu": "more: for a graphics card",
    "full": "full: as published",
}
AS_PLANNED, UNITS = "as planned", {"seconds": "seconds", "steps": "steps"}
MOST_REPEATS = 50


class PlanForm(QWidget):
    """Edits one `ExperimentChoices` and the folder; emits `value_changed`."""

    value_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fault = ""
        self._custom = ""  # file of a plan that is not the package's
        self._make_widgets()
        self._lay_out()
        self.plan.activated.connect(self._on_plan)
        for field in (self.budget, self.device, self.unit):
            field.activated.connect(self._on_edit)
        for number in (self.repeats, self.length):
            number.valueChanged.connect(self._on_edit)
        for line in (self.unlabelled, self.folder):
            line.editingFinished.connect(self._on_edit)
        self.choose_volume.clicked.connect(self._ask_volume)
        self.choose_folder.clicked.connect(self._ask_folder)
        self._describe()

    # -- making -------------------------------------------------------------

    def _make_widgets(self) -> None:
        self.plan = Choice()
        self.plan.setToolTip("What is asked: which trainings, on which slices, scored how.")
        for name in PLANS:
            self.plan.addItem(_known(name)[0].title, name)
        self.plan.addItem(ALL, POSTER)
        self.plan.addItem(FROM_FILE, "")
        self.plan.asking = {FROM_FILE}
        self.question = QLabel()
        self.question.setWordWrap(True)
        self.budget = Choice()
        self.budget.setToolTip(
            "How long each training is, and how often it is repeated: full trains as long as the "
            "poster did, which wants a graphics card and days."
        )
        for budget in BUDGETS:
            self.budget.addItem(BUDGET_WORDS[budget], budget)
        self.repeats = NumberField(
            0, MOST_REPEATS, 0, tip="Trainings of each point; intervals want three or more."
        )
        self.repeats.setSpecialValueText(AS_PLANNED)
        self.length = NumberField(1, 1e7, 20, tip="How long each training is.")
        self.unit = Choice()
        self.unit.setToolTip("Whether trainings are as long as the plan says, or how that is told.")
        self.unit.addItems([AS_PLANNED, *UNITS])
        self.unit.setMinimumContentsLength(6)
        self.device = Choice()
        self.device.setToolTip("What computes; auto takes the fastest.")
        self.device.addItem("auto", "auto")
        self.unlabelled, self.choose_volume = _place(
            "A volume without labels, which the best model under noise predicts.",
            "Choose the volume without labels.",
        )
        self.folder, self.choose_folder = _place(
            "The folder that gets data, models, results and the report. Without one, it is made in "
            "the project's folder experiments.",
            "Choose the folder.",
        )
        self.folder.setPlaceholderText("in the project")

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(8, 0, 0, 0)
        form.setVerticalSpacing(4)
        self._row(form, "Plan", self.plan)
        form.addRow(self.question)
        self._row(form, "&Budget", self.budget)
        self._row(form, "&Repeats", self.repeats)
        self._row(form, "&Each training", self.unit, self.length)
        self._row(form, "Devi&ce", self.device)
        self.unlabelled_label = self._row(
            form, "&Unlabelled", self.unlabelled, self.choose_volume, first=True
        )
        self._row(form, "Folder", self.folder, self.choose_folder, first=True)

    def _row(
        self, form: QFormLayout, text: str, field: QWidget, *more: QWidget, first: bool = False
    ) -> QLabel:
        label = QLabel(text)
        label.setBuddy(field)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(field, 1)
        for widget in more:
            row.addWidget(widget, 0 if first else 1)
        form.addRow(label, row)
        return label

    # -- value --------------------------------------------------------------

    def value(self) -> ExperimentChoices:
        """What is chosen."""
        unit = UNITS.get(self.unit.currentText())
        length = self.length.value()
        return ExperimentChoices(
            plan=self.plan.currentData(),
            budget=self.budget.currentData(),
            repeats=int(self.repeats.value()) or None,
            seconds=length if unit == "seconds" else None,
            steps=int(length) if unit == "steps" else None,
            device=self.device.currentData() or "auto",
            unlabelled=self.unlabelled.text().strip() if self.unlabelled.isEnabled() else "",
        )

    def set_value(self, choices: ExperimentChoices) -> None:
        """Show other choices."""
        with QSignalBlocker(self):
            self._show_plan(choices.plan)
            self.budget.setCurrentIndex(self.budget.findData(choices.budget))
            self.repeats.setValue(choices.repeats or 0)
            unit = "steps" if choices.steps else "seconds" if choices.seconds else AS_PLANNED
            self.unit.setCurrentText(unit)
            if unit != AS_PLANNED:
                self.length.setValue(choices.steps or choices.seconds or 1)
            self.device.setCurrentIndex(max(0, self.device.findData(choices.device)))
            self.unlabelled.setText(choices.unlabelled)
            self._describe()
        self.value_changed.emit()

    def place(self) -> Path | None:
        """The folder that was chosen; None for one in the project."""
        text = self.folder.text().strip()
        return Path(text).expanduser().absolute() if text else None

    def set_devices(self, devices: Devices | None) -> None:
        """Offer what there is to compute on."""
        if devices is None:
            return
        chosen = self.device.currentData()
        self.device.clear()
        self.device.addItem("auto", "auto")
        for name, words in zip(devices.names, devices.descriptions, strict=True):
            self.device.addItem(words, name)
        self.device.setCurrentIndex(max(0, self.device.findData(chosen)))

    # -- inside -------------------------------------------------------------

    def _show_plan(self, plan: str) -> None:
        place = self.plan.findData(plan)
        if place < 0:
            self._custom = plan
            self.plan.insertItem(self.plan.count() - 1, Path(plan).stem, plan)
            place = self.plan.count() - 2
        self.plan.setCurrentIndex(place)

    def _on_plan(self) -> None:
        if not self.plan.currentData():
            chosen, _ = QFileDialog.getOpenFileName(self, "A plan", "", "Plans (*.toml)")
            self._show_plan(chosen or self._before)
        self._on_edit()

    def _on_edit(self, _: object = None) -> None:
        self._describe()
        self.value_changed.emit()

    def _describe(self) -> None:
        choices = self.value()
        self._before = choices.plan
        self.fault, unlabelled = "", False
        try:
            plans = _plans(choices.plan)
            unlabelled = any(plan.unlabelled for plan in plans)
            words = plans[0].question if len(plans) == 1 else f"All {len(plans)} plans."
            self.question.setText(words)
        except XsegError as error:
            self.fault = str(error)
            self.question.setText(self.fault)
        self.length.setEnabled(self.unit.currentText() != AS_PLANNED)
        for widget in (self.unlabelled_label, self.unlabelled, self.choose_volume):
            widget.setEnabled(unlabelled)

    def _ask_volume(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "A volume without labels")
        if path:
            self.unlabelled.setText(path)
            self._on_edit()

    def _ask_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "The folder of the experiment")
        if path:
            self.folder.setText(path)
            self._on_edit()


def _plans(name: str) -> tuple[Plan, ...]:
    """The plans of a name; those of the package are read once."""
    return _known(name) if name in (*PLANS, POSTER) else load_plans(name)


@cache
def _known(name: str) -> tuple[Plan, ...]:
    return load_plans(name) if name != POSTER else tuple(_known(one)[0] for one in PLANS)


def _place(tip: str, button_tip: str) -> tuple[QLineEdit, QPushButton]:
    line, button = QLineEdit(), QPushButton("Choose...")
    line.setToolTip(tip)
    button.setToolTip(button_tip)
    return line, button

"""One training of an experiment: what it is, and what can be done with it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_xseg.gui.experiments.experimenting import worst_slice
from napari_xseg.gui.job_bar import time_words

if TYPE_CHECKING:
    from napari_xseg.experiments.results import Result

NOTHING = "Select a training to see its curves, use its model, or see its mistakes."


class ChosenRun(QWidget):
    """Says what the selected training is; `used` and `mistakes_asked` tell what is asked for."""

    used = Signal(object)  # Result
    mistakes_asked = Signal(object, int)  # Result, z

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._result: Result | None = None
        self._worst: int | None = None
        self.words = QLabel(NOTHING)
        self.words.setWordWrap(True)
        self.use = QPushButton("Use its mo&del")
        self.mistakes = QPushButton("Worst slice")
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.use)
        row.addWidget(self.mistakes)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.words)
        layout.addLayout(row)
        self.use.clicked.connect(lambda: self.used.emit(self._result))
        self.mistakes.clicked.connect(lambda: self.mistakes_asked.emit(self._result, self._worst))
        self.set_value(None, 0.0)

    def set_value(self, result: Result | None, std: float, *, here: bool = True) -> None:
        """Show another training, scored at noise of sd `std`.

        `here` says whether it is of the image that is open.
        """
        self._result = result
        self._worst = None if result is None else worst_slice(result, std)
        trained = result is not None and not math.isnan(result.seconds)
        self.use.setEnabled(trained)
        self.use.setToolTip("Predict and review with the model of this training.")
        self.mistakes.setEnabled(trained and self._worst is not None and here)
        self.mistakes.setToolTip(
            "Go to the scored slice with the lowest Dice and predict it with this model."
            if here
            else "It learnt from another image: open that one first."
        )
        self.words.setText(NOTHING if result is None else self._said(result, std))

    def _said(self, result: Result, std: float) -> str:
        trial = result.trial
        said = f"{trial.words}: {len(trial.train)} slices train, {len(trial.validation)} are scored"
        if not math.isnan(result.seconds):
            said += f"; trained {time_words(result.seconds)}"
        dice = result.dice(std)
        if not math.isnan(dice):
            said += f"; Dice {dice:.2f} %"
        if self._worst is not None:
            worst = result.by_slice(std)[self._worst]
            said += f", worst in slice {self._worst}: {worst:.2f} %"
        return f"{said}. {result.fault}".strip()

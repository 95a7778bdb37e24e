"""The two forms of the Review dock: what is compared and counted, and which mistakes are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.gui.forms import Choice, NumberField, swatch
from napari_xseg.gui.review.comparison import TRUTH_WORDS
from napari_xseg.gui.review.mistake_list import MistakeTable
from napari_xseg.review.border import MAX_BORDER
from napari_xseg.review.mistakes import Mistakes
from napari_xseg.review.selection import ANY_PAIR, ClassPair

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.gui.review.comparison import Sweep
    from napari_xseg.review.mistakes import Mistake

_SCOPES = (("This slice", "slice"), ("Labelled slices", "labelled"), ("Whole volume", "volume"))
_MOST_PIXELS = 10**9


class ReviewForm(QWidget):
    """Chooses the layers, the colours, what is left out and what is counted."""

    layers_chosen = Signal(object, object)  # truth, prediction: Labels or None
    by_prediction_changed = Signal(bool)
    rules_changed = Signal()
    scope_changed = Signal(str)
    again_asked = Signal()
    cancel_asked = Signal()
    figure_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layers: list[Labels] = []
        self.truth = Choice()
        self.prediction = Choice()
        self.truth.setToolTip("The Labels layer that is held to be right, or mask A of two masks")
        self.prediction.setToolTip("The mask that is looked at, or mask B of two masks")
        self._names = QLabel("&Truth"), QLabel("Pre&diction")
        self.by_truth = QRadioButton("true class")
        self.by_prediction = QRadioButton("predicted class")
        self.leave_out = QCheckBox("Leave &out")
        self.leave_out.setToolTip(
            "Pixels this near to a border between true classes take no part, where people who "
            "label disagree"
        )
        self._border = NumberField(1, MAX_BORDER, 2, suffix=" px", tip=self.leave_out.toolTip())
        self.scope = Choice()
        for text, scope in _SCOPES:
            self.scope.addItem(text, scope)
        self.scope.setToolTip("What the scores and the list of mistakes are of")
        self.again = QPushButton("Count again")
        self.again.setToolTip("Read and count every slice again, such as after a new prediction")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("End the count; the figures so far stay")
        self.progress = QProgressBar()
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.figure = QPushButton("Fi&gure 6...")
        self.figure.setToolTip(
            "Save this slice as a figure: the true classes beside the misclassified pixels, in "
            "the colour of their true class (PNG, SVG or PDF)"
        )
        self._build()
        self._connect()
        self.set_running(None)

    def border(self) -> tuple[int, bool]:
        """Give the half-width of the band around class borders, and whether it is left out."""
        return int(self._border.value()), self.leave_out.isChecked()

    def set_layers(
        self, layers: Sequence[Labels], truth: Labels | None, prediction: Labels | None
    ) -> None:
        """Offer these layers, with two of them chosen."""
        self._layers = list(layers)
        names = [layer.name for layer in layers]
        for choice, chosen in ((self.truth, truth), (self.prediction, prediction)):
            blocked = choice.blockSignals(True)
            # A list that is open keeps the entry under the mouse where it names the same.
            if names != [choice.itemText(row) for row in range(choice.count())]:
                choice.clear()
                choice.addItems(names)
            choice.setCurrentIndex(-1 if chosen is None else self._layers.index(chosen))
            choice.blockSignals(blocked)

    def set_words(self, words: tuple[str, str]) -> None:
        """Call the two truth and prediction, or A and B."""
        masks = words != TRUTH_WORDS
        for label, name in zip(
            self._names, ("&Mask A", "Mask &B") if masks else ("&Truth", "Pre&diction"), strict=True
        ):
            label.setText(name)
        self.by_truth.setText("class in A" if masks else "true class")
        self.by_prediction.setText("class in B" if masks else "predicted class")

    def set_running(self, sweep: Sweep | None) -> None:
        """Show how far a count is; None for none."""
        running = sweep is not None
        self.progress.setVisible(running)
        self.cancel.setVisible(running)
        self.again.setVisible(not running)
        if sweep is not None:
            self.progress.setRange(0, sweep.total)
            self.progress.setValue(sweep.done)
            self.progress.setFormat(f"{sweep.done} of {sweep.total} slices")

    def set_status(self, text: str) -> None:
        """Say in words what was found, or what is amiss."""
        self.status.setText(text)

    def _build(self) -> None:
        rows = QFormLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for label, choice in zip(self._names, (self.truth, self.prediction), strict=True):
            label.setBuddy(choice)
            rows.addRow(label, choice)
        group = QButtonGroup(self)
        for button in (self.by_truth, self.by_prediction):
            group.addButton(button)
            button.setToolTip("Which class gives a misclassified pixel its colour in the overlay")
        self.by_truth.setChecked(True)
        rows.addRow("Colour by", _row(self.by_truth, self.by_prediction))
        rows.addRow("Borders", _row(self.leave_out, self._border))
        name = QLabel("Cou&nt")
        name.setBuddy(self.scope)
        rows.addRow(name, _row(self.scope, self.again))
        rows.addRow(_row(self.progress, self.cancel))
        rows.addRow(self.status)
        rows.addRow(_row(self.figure))

    def _connect(self) -> None:
        for choice in (self.truth, self.prediction):
            choice.currentIndexChanged.connect(self._on_layers)
        self.by_prediction.toggled.connect(self.by_prediction_changed)
        self.leave_out.toggled.connect(self.rules_changed)
        self._border.valueChanged.connect(self.rules_changed)
        self.scope.currentIndexChanged.connect(self._on_scope)
        self.again.clicked.connect(self.again_asked)
        self.cancel.clicked.connect(self.cancel_asked)
        self.figure.clicked.connect(self.figure_asked)

    def _on_layers(self) -> None:
        chosen = [
            self._layers[choice.currentIndex()] if choice.currentIndex() >= 0 else None
            for choice in (self.truth, self.prediction)
        ]
        self.layers_chosen.emit(*chosen)

    def _on_scope(self) -> None:
        self.scope_changed.emit(self.scope.currentData())


class MistakeForm(QWidget):
    """Filters and lists the connected mistakes."""

    rules_changed = Signal()
    pair_changed = Signal(object)  # ClassPair
    ticked = Signal(object, bool)  # Mistakes
    export_asked = Signal()
    paint_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.true = Choice()
        self.predicted = Choice()
        for choice, words in ((self.true, "True"), (self.predicted, "Predicted")):
            choice.setMinimumContentsLength(5)
            choice.setToolTip(f"{words} class of the mistakes that are shown and listed")
        self._least = NumberField(
            1, _MOST_PIXELS, 1, suffix=" px", tip="List mistakes of this size and larger"
        )
        self.hide_ticked = QCheckBox("Hide tic&ked")
        self.hide_ticked.setToolTip("List only what is not ticked yet")
        self._across = QCheckBox("&Join across slices")
        self._across.setToolTip("Mistakes that touch in neighbouring slices are one")
        self.table = MistakeTable()
        self.status = QLabel()
        self.paint = QPushButton("Paint here")
        self.paint.setToolTip("Take up the brush in the labels, with the true class (P)")
        self.export = QPushButton("&Save list...")
        self.export.setToolTip("Save the mistakes that are listed as CSV")
        self._build()
        self._connect()

    def across_slices(self) -> bool:
        """Whether mistakes of neighbouring slices are joined."""
        return self._across.isChecked()

    def set_classes(self, classes: ClassTable | None, words: tuple[str, str]) -> None:
        """Offer the classes to choose a pair from."""
        kinds = ("true", "predicted") if words == TRUTH_WORDS else words
        for choice, kind in zip((self.true, self.predicted), kinds, strict=True):
            blocked = choice.blockSignals(True)
            choice.clear()
            choice.addItem(f"any {kind}", None)
            specs = () if classes is None else classes.classes
            for index, spec in enumerate(specs):
                choice.addItem(swatch(spec.colour), spec.name, index)
            choice.blockSignals(blocked)

    def set_pair(self, pair: ClassPair) -> None:
        """List one pair of classes, or all."""
        for choice, index in zip((self.true, self.predicted), pair, strict=True):
            blocked = choice.blockSignals(True)
            choice.setCurrentIndex(0 if index is None else index + 1)
            choice.blockSignals(blocked)
        self._filter()

    def pair(self) -> ClassPair:
        """Give the chosen pair of classes; None is any."""
        if self.true.count() == 0:
            return ANY_PAIR
        return self.true.currentData(), self.predicted.currentData()

    def set_mistakes(
        self,
        mistakes: Mistakes | None,
        ticks: NDArray[np.bool_] | None,
        looked_at: Mistake | None = None,
    ) -> None:
        """List other mistakes; the one looked at stays chosen where it is still there."""
        self.table.mistakes.set_mistakes(mistakes, ticks)
        row = None if looked_at is None else self.table.mistakes.row_of(looked_at)
        if row is not None:
            self.table.choose_quietly(row)
        self._say()

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(_row(self.true, QLabel("→"), self.predicted))
        least = QLabel("At least")
        least.setBuddy(self._least)
        layout.addLayout(_row(least, self._least, self.hide_ticked))
        layout.addWidget(self._across)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.status)
        layout.addLayout(_row(self.paint, self.export))

    def _connect(self) -> None:
        for choice in (self.true, self.predicted):
            choice.currentIndexChanged.connect(self._on_pair)
        self._least.valueChanged.connect(self._filter)
        self.hide_ticked.toggled.connect(self._filter)
        self._across.toggled.connect(self.rules_changed)
        self.table.mistakes.ticked.connect(self._on_tick)
        self.paint.clicked.connect(self.paint_asked)
        self.export.clicked.connect(self.export_asked)

    def _on_pair(self) -> None:
        self.pair_changed.emit(self.pair())

    def _filter(self) -> None:
        hide = self.hide_ticked.isChecked()
        self.table.mistakes.set_filter(self.pair(), int(self._least.value()), hide)
        self._say()

    def _on_tick(self, place: int, ticked: bool) -> None:
        mistakes = self.table.mistakes.mistakes
        assert mistakes is not None
        self.ticked.emit(Mistakes(mistakes.classes, mistakes.rows[place : place + 1]), ticked)
        self._say()

    def _say(self) -> None:
        self.status.setText(self.table.mistakes.told("mistakes"))


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(4)
    for widget in widgets:
        row.addWidget(widget, 0 if isinstance(widget, QLabel | QCheckBox) else 1)
    return row

"""Cut points between classes: the histogram, and a row of fields for each range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_xseg.data.prefill import BINS, NOTHING
from napari_xseg.gui.forms import SWATCH, NumberField, swatch
from napari_xseg.gui.label.cuts import CutHistogram

if TYPE_CHECKING:
    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.prefill import GreyHistogram

NO_CLASS = "not labelled"


class CutEditor(QWidget):
    """Which grey values are which class; ranges rise from top to bottom.

    Emits `value_changed` when the user moves a cut or changes the order.
    """

    value_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._classes: ClassTable | None = None
        self._histogram: GreyHistogram | None = None
        self._cuts: tuple[float, ...] = ()
        self._order: tuple[int, ...] = ()
        self._combos: list[QComboBox] = []
        self._fields: list[NumberField] = []
        self.histogram = CutHistogram()
        self.histogram.moved.connect(self._on_moved)
        self._rows = QWidget()
        self._grid = QGridLayout(self._rows)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(0, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.histogram)
        layout.addWidget(self._rows)

    def value(self) -> tuple[tuple[float, ...], tuple[int, ...]]:
        """The cuts, and the class index of each range (NOTHING for none)."""
        return self._cuts, self._order

    def set_value(self, cuts: tuple[float, ...], order: tuple[int, ...]) -> None:
        """Show other cuts, one fewer than there are classes; says nothing of it."""
        self._cuts, self._order = cuts, order
        self._show()

    def set_classes(self, classes: ClassTable) -> None:
        """Offer these classes, by rising grey value; cuts are kept where their number fits."""
        if classes == self._classes:
            return
        same = self._classes is not None and len(classes) == len(self._classes)
        self._classes = classes
        if not same:
            self._cuts, self._order = (), tuple(range(len(classes)))
        self._make_rows(classes)
        self._show()

    def set_histogram(self, histogram: GreyHistogram | None) -> None:
        """Show the histogram of another slice or region."""
        self._histogram = histogram
        self.histogram.set_histogram(histogram)
        self._show()

    def _make_rows(self, classes: ClassTable) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.setParent(None)
                widget.deleteLater()
        self._combos, self._fields = [], []
        for row in range(len(classes)):
            combo = self._combo(row, classes)
            self._combos.append(combo)
            self._grid.addWidget(combo, row, 0)
            last = row == len(classes) - 1
            self._grid.addWidget(QLabel("above" if last else "up to"), row, 1)
            if not last:
                self._fields.append(self._field(row))
                self._grid.addWidget(self._fields[row], row, 2)

    def _combo(self, row: int, classes: ClassTable) -> QComboBox:
        combo = QComboBox()
        combo.setIconSize(QSize(SWATCH, SWATCH))
        combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for index, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True)):
            combo.addItem(swatch(colour), name, index)
        combo.addItem(NO_CLASS, NOTHING)
        combo.setToolTip("The class of this range of grey values; the darkest range comes first.")
        combo.activated.connect(lambda _: self._on_class(row))
        return combo

    def _field(self, row: int) -> NumberField:
        field = NumberField(0, 1, 0, tip="The greatest grey value of this range.")
        field.valueChanged.connect(lambda value: self._on_moved(row, value))
        return field

    def _show(self) -> None:
        colours = None if self._classes is None else self._classes.colours
        self.histogram.set_cuts(
            self._cuts,
            [None if colours is None or k == NOTHING else colours[k] for k in self._order],
        )
        for combo, index in zip(self._combos, self._order, strict=True):
            combo.setCurrentIndex(combo.findData(index))
        for field, cut in zip(self._fields, self._cuts, strict=bool(self._cuts)):
            field.blockSignals(True)
            self._fit(field, cut)
            field.setValue(cut)
            field.blockSignals(False)
        self._rows.setEnabled(bool(self._cuts) or len(self._order) == 1)

    def _fit(self, field: NumberField, cut: float) -> None:
        histogram = self._histogram
        if histogram is None:
            return
        reach = float(histogram.edges[-1] - histogram.edges[0])
        # Four digits of the range tell neighbouring bins apart.
        places = 0 if histogram.whole else max(0, 3 - int(np.floor(np.log10(reach))))
        field.setDecimals(min(places, 12))
        field.setRange(min(histogram.low, cut), max(histogram.high, cut))
        field.setSingleStep(max(reach / BINS, 1.0) if histogram.whole else reach / BINS)

    def _on_moved(self, number: int, value: float) -> None:
        low = self._cuts[number - 1] if number else -np.inf
        high = self._cuts[number + 1] if number + 1 < len(self._cuts) else np.inf
        moved = float(min(max(value, low), high))
        if moved == self._cuts[number]:
            self._show()
            return
        self._cuts = (*self._cuts[:number], moved, *self._cuts[number + 1 :])
        self._show()
        self.value_changed.emit()

    def _on_class(self, row: int) -> None:
        index = int(self._combos[row].currentData())
        order = list(self._order)
        if index != NOTHING and index in order:
            order[order.index(index)] = order[row]  # two ranges swap their classes
        order[row] = index
        self._order = tuple(order)
        self._show()
        self.value_changed.emit()

"""The classes as a list to choose from, with their keys and how much of each is labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QKeyEvent, QShowEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_xseg.gui.forms import SWATCH, swatch
from napari_xseg.gui.label.label_keys import ERASE, WITH_KEY, key_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_xseg.data.classes import ClassTable

COLUMNS = ("class", "key", "this slice", "all slices")
# Rows that are seen without scrolling.
SHOWN = 7


class ClassChooser(QTableWidget):
    """One row a class, and one for erasing; the chosen one is marked.

    Emits `chosen` with the index of the class, or `ERASE`, when the user chooses:
    by a click, with the arrow keys, or with the keys that are shown.
    """

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self.setHorizontalHeaderLabels(COLUMNS)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setIconSize(QSize(SWATCH, SWATCH))
        self.setToolTip(
            "The class that the brush paints. Keys 1 to 9 choose a class and 0 or E erases, here "
            "and in the picture."
        )
        self._lay_out_columns()
        self.itemSelectionChanged.connect(self._on_selection)
        self.cellClicked.connect(lambda *_: self._on_selection())

    def set_classes(self, classes: ClassTable) -> None:
        """Show these classes."""
        self.blockSignals(True)
        self.setRowCount(len(classes) + 1)
        self._fill_row(0, QIcon(), "not labelled (erase)", ERASE)
        for index, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True)):
            self._fill_row(index + 1, swatch(colour), name, index)
        self.blockSignals(False)
        self._fit_height()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Find the height that the theme's header leaves for the rows."""
        super().showEvent(event)
        self._fit_height()

    def _fit_height(self) -> None:
        header, rows = self.horizontalHeader(), self.verticalHeader()
        assert header is not None
        assert rows is not None
        shown = min(self.rowCount(), SHOWN) * rows.defaultSectionSize()
        self.setFixedHeight(header.sizeHint().height() + shown + 2 * self.frameWidth() + 4)

    def set_counts(self, here: NDArray[np.int64] | None, total: NDArray[np.int64] | None) -> None:
        """Show pixels (256,) by label, of the slice in view and of all; None for unknown."""
        for column, counts in ((2, here), (3, total)):
            for row in range(self.rowCount()):
                # Nobody labels all slices: how much is left of them says nothing.
                known = counts is not None and (row > 0 or column == 2)
                pixels = int(counts[row]) if known and counts is not None else None
                item = self.item(row, column)
                assert item is not None
                item.setText("" if pixels is None else short_number(pixels))
                item.setToolTip("" if pixels is None else f"{pixels:,} pixels")

    def value(self) -> int:
        """The index of the chosen class, or ERASE."""
        return max(self.currentRow(), 0) - 1

    def set_value(self, index: int) -> None:
        """Mark a class as the chosen one, without a word of it."""
        self.blockSignals(True)
        self.selectRow(index + 1)
        self.blockSignals(False)
        self._redraw()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Choose by the keys that are shown."""
        assert event is not None
        text = event.text()
        row = 0 if text.lower() == "e" else int(text) if text in tuple("0123456789") else None
        if row is None or event.modifiers() not in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.KeypadModifier,
        ):
            super().keyPressEvent(event)
        elif row < min(self.rowCount(), WITH_KEY + 1):
            self.selectRow(row)

    def _redraw(self) -> None:
        viewport = self.viewport()
        assert viewport is not None
        viewport.update()

    def _on_selection(self) -> None:
        if self.selectedItems():
            self.chosen.emit(self.value())

    def _fill_row(self, row: int, icon: QIcon, name: str, index: int) -> None:
        texts = (name, key_of(index), "", "")
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            if column:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.setItem(row, column, item)
        first = self.item(row, 0)
        assert first is not None
        first.setIcon(icon)
        first.setToolTip(name)

    def _lay_out_columns(self) -> None:
        header, rows = self.horizontalHeader(), self.verticalHeader()
        assert header is not None
        assert rows is not None
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2, 3):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setHighlightSections(False)
        rows.setVisible(False)
        rows.setDefaultSectionSize(22)


def short_number(pixels: int) -> str:
    """A count in few characters: 999, 12.3 k, 4.6 M."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if pixels >= size:
            return (
                f"{pixels / size:.3g} {unit}"
                if pixels / size < 999.5
                else f"{pixels // size} {unit}"
            )
    return str(pixels)

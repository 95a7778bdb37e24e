"""Places to be looked at as a table with ticks, fast with hundreds of thousands of rows."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QTableView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from qtpy.QtGui import QIcon, QKeyEvent
    from qtpy.QtWidgets import QWidget

# The column with the ticks.
TICK = 0


class Column(NamedTuple):
    """A column: its name, its width in pixels, and what it is.

    Columns of `words` have their text on the left, which their tips say whole.
    """

    name: str
    width: int
    tip: str
    words: bool = False


class TickedModel(QAbstractTableModel):
    """The chosen ones of a list of places, in its order, with ticks.

    Parameters
    ----------
    columns : sequence of Column
        The first one has the ticks.
    """

    ticked = Signal(int, bool)  # place in the list

    def __init__(self, columns: Sequence[Column], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.columns = columns
        self._ticks: NDArray[np.bool_] = np.zeros(0, bool)
        self._places: NDArray[np.intp] = np.zeros(0, np.intp)
        self._hide = False

    # -- what a list says ---------------------------------------------------

    @abstractmethod
    def value(self, place: int) -> Any:
        """What is at a place of the list."""

    @abstractmethod
    def _choose(self, hidden: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Places of the list that its filter lets through, but those that are hidden, bool."""

    @abstractmethod
    def _text(self, place: int, column: int) -> str:
        """Text of a cell of any column but the ticks."""

    @abstractmethod
    def _icon(self, place: int, column: int) -> QIcon | None:
        """Picture of a cell."""

    def _tip(self, place: int, column: int) -> str:
        """Tip of a cell with words."""
        return self._text(place, column)

    def _set_ticks(self, ticks: NDArray[np.bool_]) -> None:
        """Take another list, of which `ticks`, bool, has one for each place."""
        self.beginResetModel()
        self._ticks = ticks.copy()
        self._places = self._choose(self._ticks & self._hide)
        self.endResetModel()

    def _set_hidden(self, hide_ticked: bool) -> None:
        """Choose anew, without the ticked ones or with them."""
        self.beginResetModel()
        self._hide = hide_ticked
        self._places = self._choose(self._ticks & self._hide)
        self.endResetModel()

    # -- what is shown ------------------------------------------------------

    def in_row(self, row: int) -> Any:
        """What is in a row."""
        return self.value(int(self._places[row]))

    def is_ticked(self, row: int) -> bool:
        """Whether what is in a row is ticked."""
        return bool(self._ticks[self._places[row]])

    @property
    def ticks(self) -> int:
        """Number of ticked ones, shown or not."""
        return int(np.count_nonzero(self._ticks))

    def tick(self, row: int, ticked: bool) -> None:
        """Tick what is in a row; it goes away where ticked ones are hidden."""
        place = int(self._places[row])
        if bool(self._ticks[place]) == ticked:
            return
        self._ticks[place] = ticked
        if self._hide:
            self.beginRemoveRows(QModelIndex(), row, row)
            self._places = np.delete(self._places, row)
            self.endRemoveRows()
        else:
            at = self.index(row, TICK)
            self.dataChanged.emit(at, at)
        self.ticked.emit(place, ticked)

    def told(self, what: str) -> str:
        """How many there are, are shown and are ticked."""
        total, shown = len(self._ticks), len(self._places)
        told = f"{shown:,} of {total:,} {what}" if shown != total else f"{total:,} {what}"
        return f"{told}, {self.ticks:,} ticked" if self.ticks else told

    # -- what Qt asks -------------------------------------------------------

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Count what is shown."""
        return 0 if parent is not None and parent.isValid() else len(self._places)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Count the columns."""
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Name the columns."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section].name
        return self.columns[section].tip if role == Qt.ItemDataRole.ToolTipRole else None

    def flags(self, index: QModelIndex) -> Any:
        """All can be chosen; the first column can be ticked."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.column() == TICK else flags

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give text, picture and tick of a cell."""
        if not index.isValid():
            return None
        place, column = int(self._places[index.row()]), index.column()
        words = self.columns[column].words
        if role == Qt.ItemDataRole.DisplayRole:
            return None if column == TICK else self._text(place, column)
        if role == Qt.ItemDataRole.CheckStateRole and column == TICK:
            return Qt.CheckState.Checked if self._ticks[place] else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.DecorationRole:
            return self._icon(place, column)
        if role == Qt.ItemDataRole.ToolTipRole and words:
            return self._tip(place, column)
        if role == Qt.ItemDataRole.TextAlignmentRole and not words:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Take a tick."""
        if role != Qt.ItemDataRole.CheckStateRole or index.column() != TICK:
            return False
        self.tick(index.row(), Qt.CheckState(value) == Qt.CheckState.Checked)
        return True


class TickedTable(QTableView):
    """The table: arrows and clicks choose, Space ticks, P asks for the brush.

    Parameters
    ----------
    model : TickedModel
        What it shows.
    stretched : int
        The column that takes what is left of the width.
    row_height : int
        In pixels.
    pictures : QSize
        Of the pictures in it.
    """

    chosen = Signal(object)  # what is in the row
    paint_asked = Signal()

    def __init__(
        self,
        model: TickedModel,
        *,
        stretched: int,
        row_height: int,
        pictures: QSize,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._ticked = model
        self._quiet = False
        model.setParent(self)
        self.setModel(model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setIconSize(pictures)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setToolTip("A click or an arrow key flies to a place, Space ticks it, P paints there.")
        upright, across = self.verticalHeader(), self.horizontalHeader()
        selection = self.selectionModel()
        assert upright is not None
        assert across is not None
        assert selection is not None
        upright.hide()
        upright.setDefaultSectionSize(row_height)
        upright.setSectionResizeMode(upright.ResizeMode.Fixed)
        across.setMinimumSectionSize(20)
        across.setHighlightSections(False)
        for number, column in enumerate(model.columns):
            self.setColumnWidth(number, column.width)
        across.setSectionResizeMode(stretched, across.ResizeMode.Stretch)
        selection.currentRowChanged.connect(self._on_row)
        self.clicked.connect(self._on_click)

    def value(self) -> Any:
        """What is chosen; None for nothing."""
        row = self.currentIndex().row()
        return self._ticked.in_row(row) if 0 <= row < self._ticked.rowCount() else None

    def choose_quietly(self, row: int) -> None:
        """Choose a row without a word, since nobody asked for another one."""
        self._quiet = True
        self.selectRow(row)
        self._quiet = False

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Tick with Space, ask for the brush with P."""
        assert event is not None
        row = self.currentIndex().row()
        if row >= 0 and event.key() == Qt.Key.Key_Space:
            self._ticked.tick(row, not self._ticked.is_ticked(row))
        elif row >= 0 and event.key() == Qt.Key.Key_P:
            self.paint_asked.emit()
        else:
            super().keyPressEvent(event)

    def _on_row(self, index: QModelIndex, _: QModelIndex) -> None:
        if index.isValid() and not self._quiet:
            self.chosen.emit(self._ticked.in_row(index.row()))

    def _on_click(self, index: QModelIndex) -> None:
        # The view may have been moved since the row was chosen.
        if index.column() != TICK:
            self.chosen.emit(self._ticked.in_row(index.row()))

"""The connected mistakes as a table that stays fast with hundreds of thousands of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QKeyEvent, QPainter, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QTableView, QWidget

from napari_xseg.review.mistakes import Mistake, Mistakes
from napari_xseg.review.selection import ANY_PAIR, ClassPair, select_mistakes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_xseg.data.colours import Colour

HEADERS = ("ok", "#", "pixels", "classes", "z", "y", "x")
TICK, RANK, PIXELS, PAIR, Z, Y, X = range(7)
_WIDTHS = (24, 48, 44, 100, 32, 34, 34)
_ROW_HEIGHT = 22
_TIPS = (
    "Tick what you have seen and found right; it is remembered",
    "Rank: 1 is the largest mistake",
    "Size in pixels",
    "True class -> predicted class",
    "Slice, from 0",
    "Row of its centre, in pixels",
    "Column of its centre, in pixels",
)


class MistakeModel(QAbstractTableModel):
    """The chosen ones of a list of mistakes, largest first, with ticks."""

    ticked = Signal(int, bool)  # place in `mistakes`

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mistakes: Mistakes | None = None
        self._ticks: NDArray[np.bool_] = np.zeros(0, bool)
        self._places: NDArray[np.intp] = np.zeros(0, np.intp)
        self._pair: ClassPair = ANY_PAIR
        self._least = 1
        self._hide = False
        self._icons: dict[tuple[int, int], QIcon] = {}

    # -- what is shown ------------------------------------------------------

    def set_mistakes(self, mistakes: Mistakes | None, ticks: NDArray[np.bool_] | None) -> None:
        """Show another list; `ticks`, bool, one for each mistake."""
        self.beginResetModel()
        self.mistakes = mistakes
        count = 0 if mistakes is None else len(mistakes)
        self._ticks = np.zeros(count, bool) if ticks is None else ticks.copy()
        self._icons.clear()
        self._choose()
        self.endResetModel()

    def set_filter(self, pair: ClassPair, least: int, hide_ticked: bool) -> None:
        """Show mistakes of one pair of classes, of so many pixels at least."""
        self.beginResetModel()
        self._pair, self._least, self._hide = pair, least, hide_ticked
        self._choose()
        self.endResetModel()

    def chosen(self) -> Mistakes | None:
        """Give the mistakes that are shown."""
        if self.mistakes is None:
            return None
        return Mistakes(self.mistakes.classes, self.mistakes.rows[self._places])

    def mistake(self, row: int) -> Mistake:
        """Give the mistake in a row of the table."""
        assert self.mistakes is not None
        return self.mistakes[int(self._places[row])]

    def row_of(self, mistake: Mistake) -> int | None:
        """Give the row of a mistake with the same slice, box and classes; None without it."""
        if self.mistakes is None:
            return None
        rows = self.mistakes.rows[self._places]
        same = (rows["true"] == mistake.true) & (rows["predicted"] == mistake.predicted)
        for axis, ends in zip("zyx", _box(mistake), strict=True):
            same &= (rows[f"{axis}0"] == ends[0]) & (rows[f"{axis}1"] == ends[1])
        found = np.flatnonzero(same)
        return int(found[0]) if found.size else None

    def is_ticked(self, row: int) -> bool:
        """Whether the mistake in a row is ticked."""
        return bool(self._ticks[self._places[row]])

    @property
    def ticks(self) -> int:
        """Number of ticked mistakes, shown or not."""
        return int(np.count_nonzero(self._ticks))

    def tick(self, row: int, ticked: bool) -> None:
        """Tick the mistake in a row; it goes away where ticked ones are hidden."""
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

    def _choose(self) -> None:
        if self.mistakes is None:
            self._places = np.zeros(0, np.intp)
            return
        hidden = self._ticks if self._hide else None
        self._places = select_mistakes(self.mistakes.rows, self._pair, self._least, hidden)

    # -- what Qt asks -------------------------------------------------------

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Count the mistakes shown."""
        return 0 if parent is not None and parent.isValid() else len(self._places)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Count the columns."""
        return 0 if parent is not None and parent.isValid() else len(HEADERS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Name the columns."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return HEADERS[section]
        return _TIPS[section] if role == Qt.ItemDataRole.ToolTipRole else None

    def flags(self, index: QModelIndex) -> Any:
        """All can be chosen; the first column can be ticked."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.column() == TICK else flags

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give text, swatches and tick of a cell."""
        if self.mistakes is None or not index.isValid():
            return None
        place, column = int(self._places[index.row()]), index.column()
        row = self.mistakes.rows[place]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(place, row, column)
        if role == Qt.ItemDataRole.CheckStateRole and column == TICK:
            ticked = self._ticks[place]
            return Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.DecorationRole and column == PAIR:
            return self._icon(int(row["true"]), int(row["predicted"]))
        if role == Qt.ItemDataRole.ToolTipRole and column == PAIR:
            return self._text(place, row, PAIR)
        if role == Qt.ItemDataRole.TextAlignmentRole and column != PAIR:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Take a tick."""
        if role != Qt.ItemDataRole.CheckStateRole or index.column() != TICK:
            return False
        self.tick(index.row(), Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    def _text(self, place: int, row: np.void, column: int) -> str | None:
        assert self.mistakes is not None
        if column == TICK:
            return None
        if column == RANK:
            return str(place + 1)
        if column == PIXELS:
            return str(int(row["pixels"]))
        if column == PAIR:
            names = self.mistakes.classes.names
            return f"{names[row['true']]} → {names[row['predicted']]}"
        return f"{float(row[HEADERS[column]]):.0f}"

    def _icon(self, true: int, predicted: int) -> QIcon:
        assert self.mistakes is not None
        if (true, predicted) not in self._icons:
            colours = self.mistakes.classes.colours
            self._icons[true, predicted] = _swatches(colours[true], colours[predicted])
        return self._icons[true, predicted]


class MistakeTable(QTableView):
    """The table: arrows and clicks choose, Space ticks, P paints."""

    chosen = Signal(object)  # Mistake
    paint_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = MistakeModel(self)
        self._quiet = False
        self.setModel(self._model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setIconSize(QSize(22, 10))
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(190)
        self.setAccessibleName("mistakes")
        upright, across = self.verticalHeader(), self.horizontalHeader()
        assert upright is not None
        assert across is not None
        upright.hide()
        upright.setDefaultSectionSize(_ROW_HEIGHT)
        upright.setSectionResizeMode(upright.ResizeMode.Fixed)
        across.setMinimumSectionSize(20)
        across.setHighlightSections(False)
        for column, width in enumerate(_WIDTHS):
            self.setColumnWidth(column, width)
        across.setSectionResizeMode(PAIR, across.ResizeMode.Stretch)
        selection = self.selectionModel()
        assert selection is not None
        selection.currentRowChanged.connect(self._on_row)
        self.clicked.connect(self._on_click)

    @property
    def mistakes(self) -> MistakeModel:
        """What the table shows."""
        return self._model

    def value(self) -> Mistake | None:
        """Give the mistake that is chosen."""
        row = self.currentIndex().row()
        return self._model.mistake(row) if 0 <= row < self._model.rowCount() else None

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
            self._model.tick(row, not self._model.is_ticked(row))
        elif row >= 0 and event.key() == Qt.Key.Key_P:
            self.paint_asked.emit()
        else:
            super().keyPressEvent(event)

    def _on_row(self, index: QModelIndex, _: QModelIndex) -> None:
        if index.isValid() and not self._quiet:
            self.chosen.emit(self._model.mistake(index.row()))

    def _on_click(self, index: QModelIndex) -> None:
        # The view may have been moved since the row was chosen.
        if index.column() != TICK:
            self.chosen.emit(self._model.mistake(index.row()))


def _box(mistake: Mistake) -> tuple[tuple[int, int], ...]:
    return mistake.z_range, mistake.y_range, mistake.x_range


def _swatches(true: Colour, predicted: Colour) -> QIcon:
    picture = QPixmap(22, 10)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.fillRect(0, 0, 10, 10, QColor(*true))
    painter.fillRect(12, 0, 10, 10, QColor(*predicted))
    painter.end()
    return QIcon(picture)

"""The suspects as a table with small pictures, which are made for the rows that are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QKeyEvent, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QTableView, QWidget

from napari_xseg.gui.forms import swatch
from napari_xseg.review.suspects.table import KIND_WORDS, KINDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from napari_xseg.review.suspects.table import Kind, Suspect, Suspects

HEADERS = ("ok", "#", "what", "%", "pixels", "class", "z")
TICK, RANK, WHAT, STRENGTH, PIXELS, CLASS, Z = range(7)
_WIDTHS = (22, 32, 120, 26, 42, 58, 32)
_TIPS = (
    "Tick what you have seen and found right, or mended; it is remembered",
    "Rank: 1 has most to mend",
    "Why it is suspicious",
    "Strength: the share of its pixels that are probably wrong",
    "Size in pixels",
    "The class that the mask has there",
    "Slice, from 0",
)
# Pixels of the small pictures.
PICTURE = 28
_ROW_HEIGHT = PICTURE + 6


class SuspectModel(QAbstractTableModel):
    """The chosen ones of a list of suspects, by rank."""

    ticked = Signal(int, bool)  # place in `suspects`

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.suspects: Suspects | None = None
        self._ticks: NDArray[np.bool_] = np.zeros(0, bool)
        self._places: NDArray[np.intp] = np.zeros(0, np.intp)
        self._kinds: frozenset[Kind] | None = None
        self._hide = False
        self._pictures: dict[int, QIcon] = {}
        self._swatches: dict[int, QIcon] = {}

    # -- what is shown ------------------------------------------------------

    def set_suspects(self, suspects: Suspects | None, ticks: NDArray[np.bool_]) -> None:
        """Show another list; `ticks`, bool, one for each suspect."""
        self.beginResetModel()
        if suspects is not self.suspects:
            self._pictures.clear()
            self._swatches.clear()
        self.suspects = suspects
        self._ticks = ticks.copy()
        self._choose()
        self.endResetModel()

    def set_filter(self, kinds: Collection[Kind] | None, hide_ticked: bool) -> None:
        """Show suspects of some kinds, None for all."""
        self.beginResetModel()
        self._kinds, self._hide = None if kinds is None else frozenset(kinds), hide_ticked
        self._choose()
        self.endResetModel()

    def suspect(self, row: int) -> Suspect:
        """Give the suspect in a row of the table."""
        assert self.suspects is not None
        return self.suspects[int(self._places[row])]

    def is_ticked(self, row: int) -> bool:
        """Whether the suspect in a row is ticked."""
        return bool(self._ticks[self._places[row]])

    @property
    def ticks(self) -> int:
        """Number of ticked suspects, shown or not."""
        return int(np.count_nonzero(self._ticks))

    def tick(self, row: int, ticked: bool) -> None:
        """Tick the suspect in a row; it goes away where ticked ones are hidden."""
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

    # -- pictures -----------------------------------------------------------

    def without_picture(self, first: int, last: int) -> list[Suspect]:
        """Give the suspects of these rows that have no picture yet."""
        rows = range(max(first, 0), min(last + 1, len(self._places)))
        return [self.suspect(row) for row in rows if int(self._places[row]) not in self._pictures]

    def add_picture(self, place: int, picture: NDArray[np.uint8]) -> None:
        """Show a picture (y, x, 3) uint8 of the suspect at a place of the list."""
        self._pictures[place] = QIcon(pixmap(picture))
        for row in np.flatnonzero(self._places == place).tolist():
            at = self.index(row, WHAT)
            self.dataChanged.emit(at, at)

    # -- what Qt asks -------------------------------------------------------

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Count the suspects shown."""
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
        """Give text, picture and tick of a cell."""
        if self.suspects is None or not index.isValid():
            return None
        place, column = int(self._places[index.row()]), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(place, column)
        if role == Qt.ItemDataRole.CheckStateRole and column == TICK:
            return Qt.CheckState.Checked if self._ticks[place] else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.DecorationRole:
            return self._decoration(place, column)
        if role == Qt.ItemDataRole.ToolTipRole and column in (WHAT, CLASS):
            return self.suspects.words(self.suspects[place])
        if role == Qt.ItemDataRole.TextAlignmentRole and column not in (WHAT, CLASS):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Take a tick."""
        if role != Qt.ItemDataRole.CheckStateRole or index.column() != TICK:
            return False
        self.tick(index.row(), Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    # -- inside -------------------------------------------------------------

    def _choose(self) -> None:
        if self.suspects is None:
            self._places = np.zeros(0, np.intp)
            return
        chosen = np.ones(len(self.suspects), bool)
        if self._kinds is not None:
            bits = sum(1 << KINDS.index(kind) for kind in self._kinds)
            chosen &= (self.suspects.rows["kinds"] & np.uint8(bits)) > 0
        if self._hide:
            chosen &= ~self._ticks
        self._places = np.flatnonzero(chosen)

    def _text(self, place: int, column: int) -> str | None:
        assert self.suspects is not None
        suspect = self.suspects[place]
        match column:
            case 1:
                return str(suspect.rank)
            case 2:
                return KIND_WORDS[suspect.kind]
            case 3:
                return f"{100 * suspect.strength:.0f}"
            case 4:
                return str(suspect.pixels)
            case 5:
                return "" if suspect.found is None else self.suspects.classes.names[suspect.found]
            case 6:
                return str(suspect.z)
        return None

    def _decoration(self, place: int, column: int) -> QIcon | None:
        assert self.suspects is not None
        if column == WHAT:
            return self._pictures.get(place)
        found = self.suspects[place].found if column == CLASS else None
        if found is None:
            return None
        if found not in self._swatches:
            self._swatches[found] = swatch(self.suspects.classes.colours[found])
        return self._swatches[found]


class SuspectTable(QTableView):
    """The table: arrows and clicks choose, Space ticks, P paints."""

    chosen = Signal(object)  # Suspect
    paint_asked = Signal()
    scrolled = Signal()  # other rows may be seen

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = SuspectModel(self)
        self.setModel(self._model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setIconSize(QSize(PICTURE, PICTURE))
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(8 * _ROW_HEIGHT)
        self.setAccessibleName("suspects")
        upright, across = self.verticalHeader(), self.horizontalHeader()
        bar = self.verticalScrollBar()
        assert upright is not None
        assert across is not None
        assert bar is not None
        upright.hide()
        upright.setDefaultSectionSize(_ROW_HEIGHT)
        upright.setSectionResizeMode(upright.ResizeMode.Fixed)
        across.setMinimumSectionSize(20)
        across.setHighlightSections(False)
        for column, width in enumerate(_WIDTHS):
            self.setColumnWidth(column, width)
        across.setSectionResizeMode(WHAT, across.ResizeMode.Stretch)
        selection = self.selectionModel()
        assert selection is not None
        selection.currentRowChanged.connect(self._on_row)
        self.clicked.connect(self._on_click)
        bar.valueChanged.connect(self.scrolled)
        self._model.modelReset.connect(self.scrolled)

    @property
    def suspects(self) -> SuspectModel:
        """What the table shows."""
        return self._model

    def value(self) -> Suspect | None:
        """Give the suspect that is chosen."""
        row = self.currentIndex().row()
        return self._model.suspect(row) if 0 <= row < self._model.rowCount() else None

    def rows_seen(self) -> tuple[int, int]:
        """Give the first and the last row that are seen."""
        view = self.viewport()
        assert view is not None
        first, last = self.rowAt(0), self.rowAt(view.height() - 1)
        return max(first, 0), last if last >= 0 else self._model.rowCount() - 1

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
        if index.isValid():
            self.chosen.emit(self._model.suspect(index.row()))

    def _on_click(self, index: QModelIndex) -> None:
        # The view may have been moved since the row was chosen.
        if index.column() != TICK:
            self.chosen.emit(self._model.suspect(index.row()))


def pixmap(picture: NDArray[np.uint8]) -> QPixmap:
    """A picture (y, x, 3) uint8 for Qt."""
    height, width = picture.shape[:2]
    data = np.ascontiguousarray(picture)
    image = QImage(data.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image)

"""The connected mistakes as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap

from napari_xseg.gui.review.ticked_table import TICK as TICK
from napari_xseg.gui.review.ticked_table import Column, TickedModel, TickedTable
from napari_xseg.review.mistakes import Mistake, Mistakes
from napari_xseg.review.selection import ANY_PAIR, ClassPair, select_mistakes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtWidgets import QWidget

    from napari_xseg.data.colours import Colour

COLUMNS = (
    Column("ok", 24, "Tick what you have seen and found right; it is remembered"),
    Column("#", 48, "Rank: 1 is the largest mistake"),
    Column("pixels", 44, "Size in pixels"),
    Column("classes", 100, "True class -> predicted class", words=True),
    Column("z", 32, "Slice, from 0"),
    Column("y", 34, "Row of its centre, in pixels"),
    Column("x", 34, "Column of its centre, in pixels"),
)
RANK, PIXELS, PAIR = 1, 2, 3
_ROW_HEIGHT = 22
_PICTURE = QSize(22, 10)


class MistakeModel(TickedModel):
    """The chosen ones of a list of mistakes, largest first, with ticks."""

    def __init__(self) -> None:
        super().__init__(COLUMNS)
        self.mistakes: Mistakes | None = None
        self._pair: ClassPair = ANY_PAIR
        self._least = 1
        self._icons: dict[tuple[int, int], QIcon] = {}

    def set_mistakes(self, mistakes: Mistakes | None, ticks: NDArray[np.bool_] | None) -> None:
        """Show another list; `ticks`, bool, one for each mistake."""
        self.mistakes = mistakes
        self._icons.clear()
        count = 0 if mistakes is None else len(mistakes)
        self._set_ticks(np.zeros(count, bool) if ticks is None else ticks)

    def set_filter(self, pair: ClassPair, least: int, hide_ticked: bool) -> None:
        """Show mistakes of one pair of classes, of so many pixels at least."""
        self._pair, self._least = pair, least
        self._set_hidden(hide_ticked)

    def chosen(self) -> Mistakes | None:
        """Give the mistakes that are shown."""
        if self.mistakes is None:
            return None
        return Mistakes(self.mistakes.classes, self.mistakes.rows[self._places])

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

    def value(self, place: int) -> Mistake:
        """The mistake at a place of the list."""
        assert self.mistakes is not None
        return self.mistakes[place]

    def _choose(self, hidden: NDArray[np.bool_]) -> NDArray[np.intp]:
        if self.mistakes is None:
            return np.zeros(0, np.intp)
        return select_mistakes(self.mistakes.rows, self._pair, self._least, hidden)

    def _text(self, place: int, column: int) -> str:
        assert self.mistakes is not None
        row = self.mistakes.rows[place]
        if column == RANK:
            return str(place + 1)
        if column == PIXELS:
            return str(int(row["pixels"]))
        if column == PAIR:
            names = self.mistakes.classes.names
            return f"{names[row['true']]} → {names[row['predicted']]}"
        return f"{float(row[COLUMNS[column].name]):.0f}"

    def _icon(self, place: int, column: int) -> QIcon | None:
        if column != PAIR:
            return None
        assert self.mistakes is not None
        row = self.mistakes.rows[place]
        pair = int(row["true"]), int(row["predicted"])
        if pair not in self._icons:
            colours = self.mistakes.classes.colours
            self._icons[pair] = _swatches(colours[pair[0]], colours[pair[1]])
        return self._icons[pair]


class MistakeTable(TickedTable):
    """The table of mistakes: arrows and clicks choose, Space ticks, P paints."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self.mistakes = MistakeModel()
        super().__init__(
            self.mistakes,
            stretched=PAIR,
            row_height=_ROW_HEIGHT,
            pictures=_PICTURE,
            parent=parent,
        )
        self.setMinimumHeight(190)
        self.setAccessibleName("mistakes")


def _box(mistake: Mistake) -> tuple[tuple[int, int], ...]:
    return mistake.z_range, mistake.y_range, mistake.x_range


def _swatches(true: Colour, predicted: Colour) -> QIcon:
    picture = QPixmap(_PICTURE)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.fillRect(0, 0, 10, 10, QColor(*true))
    painter.fillRect(12, 0, 10, 10, QColor(*predicted))
    painter.end()
    return QIcon(picture)

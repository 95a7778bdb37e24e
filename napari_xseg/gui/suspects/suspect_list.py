"""The suspects as a table with small pictures, which are made for the rows that are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSize, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap

from napari_xseg.gui.forms import swatch
from napari_xseg.gui.review.ticked_table import TICK as TICK
from napari_xseg.gui.review.ticked_table import Column, TickedModel, TickedTable
from napari_xseg.review.suspects.table import KIND_WORDS, KINDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray
    from qtpy.QtGui import QShowEvent
    from qtpy.QtWidgets import QWidget

    from napari_xseg.review.suspects.table import Kind, Suspect, Suspects

COLUMNS = (
    Column("ok", 22, "Tick what you have seen and found right, or mended; it is remembered"),
    Column("#", 32, "Rank: 1 has most to mend"),
    Column("what", 120, "Why it is suspicious", words=True),
    Column("%", 26, "Strength: the share of its pixels that are probably wrong"),
    Column("px", 42, "Size in pixels"),
    Column("is", 58, "The class that the mask has there", words=True),
    Column("z", 32, "Slice, from 0"),
)
WHAT, CLASS = 2, 5
# Pixels of the small pictures.
PICTURE = 28
_ROW_HEIGHT = PICTURE + 6


class SuspectModel(TickedModel):
    """The chosen ones of a list of suspects, by rank."""

    def __init__(self) -> None:
        super().__init__(COLUMNS)
        self.suspects: Suspects | None = None
        self._kinds: frozenset[Kind] | None = None
        self._pictures: dict[int, QIcon] = {}
        self._swatches: dict[int, QIcon] = {}

    def set_suspects(self, suspects: Suspects | None, ticks: NDArray[np.bool_]) -> None:
        """Show another list; `ticks`, bool, one for each suspect."""
        if suspects is not self.suspects:
            self._pictures.clear()
            self._swatches.clear()
        self.suspects = suspects
        self._set_ticks(ticks)

    def set_filter(self, kinds: Collection[Kind] | None, hide_ticked: bool) -> None:
        """Show suspects of some kinds, None for all."""
        self._kinds = None if kinds is None else frozenset(kinds)
        self._set_hidden(hide_ticked)

    def value(self, place: int) -> Suspect:
        """The suspect at a place of the list."""
        assert self.suspects is not None
        return self.suspects[place]

    def without_picture(self, first: int, last: int) -> list[Suspect]:
        """Give the suspects of these rows that have no picture yet."""
        rows = range(max(first, 0), min(last + 1, len(self._places)))
        return [self.in_row(row) for row in rows if int(self._places[row]) not in self._pictures]

    def add_picture(self, place: int, picture: NDArray[np.uint8]) -> None:
        """Show a picture (y, x, 3) uint8 of the suspect at a place of the list."""
        self._pictures[place] = QIcon(pixmap(picture))
        for row in np.flatnonzero(self._places == place).tolist():
            at = self.index(row, WHAT)
            self.dataChanged.emit(at, at)

    def _choose(self, hidden: NDArray[np.bool_]) -> NDArray[np.intp]:
        if self.suspects is None:
            return np.zeros(0, np.intp)
        chosen = ~hidden
        if self._kinds is not None:
            bits = sum(1 << KINDS.index(kind) for kind in self._kinds)
            chosen &= (self.suspects.rows["kinds"] & np.uint8(bits)) > 0
        return np.flatnonzero(chosen)

    def _text(self, place: int, column: int) -> str:
        suspect = self.value(place)
        assert self.suspects is not None
        found = "" if suspect.found is None else self.suspects.classes.names[suspect.found]
        return (
            "",
            str(suspect.rank),
            KIND_WORDS[suspect.kind],
            f"{100 * suspect.strength:.0f}",
            str(suspect.pixels),
            found,
            str(suspect.z),
        )[column]

    def _tip(self, place: int, _: int) -> str:
        assert self.suspects is not None
        return self.suspects.words(self.value(place))

    def _icon(self, place: int, column: int) -> QIcon | None:
        if column == WHAT:
            return self._pictures.get(place)
        found = self.value(place).found if column == CLASS else None
        if found is None or self.suspects is None:
            return None
        if found not in self._swatches:
            self._swatches[found] = swatch(self.suspects.classes.colours[found])
        return self._swatches[found]


class SuspectTable(TickedTable):
    """The table of suspects: arrows and clicks choose, Space ticks, P paints."""

    scrolled = Signal()  # other rows may be seen

    def __init__(self, parent: QWidget | None = None) -> None:
        self.suspects = SuspectModel()
        super().__init__(
            self.suspects,
            stretched=WHAT,
            row_height=_ROW_HEIGHT,
            pictures=QSize(PICTURE, PICTURE),
            parent=parent,
        )
        self.setMinimumHeight(8 * _ROW_HEIGHT)
        self.setAccessibleName("suspects")
        bar = self.verticalScrollBar()
        assert bar is not None
        bar.valueChanged.connect(self.scrolled)
        self.suspects.modelReset.connect(self.scrolled)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Leave no head of a column cut: how wide they are, the theme says."""
        super().showEvent(event)
        header = self.horizontalHeader()
        assert header is not None
        for column, (_, width, *_) in enumerate(COLUMNS):
            if column != WHAT:
                self.setColumnWidth(column, max(width, header.sectionSizeHint(column)))

    def rows_seen(self) -> tuple[int, int]:
        """Give the first and the last row that are seen."""
        view = self.viewport()
        assert view is not None
        first, last = self.rowAt(0), self.rowAt(view.height() - 1)
        return max(first, 0), last if last >= 0 else self.suspects.rowCount() - 1


def pixmap(picture: NDArray[np.uint8]) -> QPixmap:
    """A picture (y, x, 3) uint8 for Qt."""
    height, width = picture.shape[:2]
    data = np.ascontiguousarray(picture)
    image = QImage(data.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image)

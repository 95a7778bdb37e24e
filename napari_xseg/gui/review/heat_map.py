"""A confusion matrix as a picture: rows the truth, columns the prediction, cells to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_xseg.review.selection import ANY_PAIR, ClassPair

if TYPE_CHECKING:
    from qtpy.QtGui import QHelpEvent, QPaintEvent

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.metrics import Counts

# What is right and what is wrong at its fullest; both read on dark and on light.
_RIGHT, _WRONG = QColor(38, 116, 188), QColor(224, 96, 20)
_NAME_WIDTH, _SWATCH_WIDTH = 74, 30
_CELL_HEIGHT = (14, 36)
_MANY = 8
_LEAST_TEXT_WIDTH = 44
_SWATCH = 10
_STEPS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}


class HeatMap(QWidget):
    """Shows counts (C, C); a click, or arrow keys and Return, choose a pair of classes.

    A second click on the same cell, or Esc, chooses all again.
    """

    value_changed = Signal(object)  # ClassPair

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts: Counts | None = None
        self._classes: ClassTable | None = None
        self._words = ("truth", "prediction")
        self._value: ClassPair = ANY_PAIR
        self._cursor = (0, 0)
        self._text, self._ground = QColor(240, 240, 240), QColor(38, 41, 48)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("confusion matrix")

    def value(self) -> ClassPair:
        """Give the chosen pair; None is any class."""
        return self._value

    def set_value(self, pair: ClassPair) -> None:
        """Choose a pair, or all with (None, None)."""
        if pair != self._value:
            self._value = pair
            self.update()
            self.value_changed.emit(pair)

    def set_counts(self, counts: Counts | None, classes: ClassTable | None) -> None:
        """Show other counts, int64 (C, C), rows the truth; none with None."""
        grown = (0 if self._classes is None else len(self._classes)) != len(classes or ())
        self._counts, self._classes = counts, classes
        if grown:
            self._cursor = (0, 0)
            self.setFixedHeight(self.sizeHint().height())
        self.update()

    def set_words(self, words: tuple[str, str]) -> None:
        """Say what rows and columns are."""
        self._words = words
        self.update()

    def set_colours(self, text: QColor, ground: QColor) -> None:
        """Follow a theme: its colour of text, and of an empty cell."""
        self._text, self._ground = text, ground
        self.update()

    def cell(self, row: int, column: int) -> QRect:
        """Give the place of a cell in the widget."""
        left, top = self._margins()
        size = max(self._size(), 1)
        width, height = (self.width() - left) / size, self._cell_height()
        x0, x1 = left + round(column * width), left + round((column + 1) * width)
        return QRect(x0, top + row * height, x1 - x0, height)

    def describe(self, row: int, column: int) -> str:
        """Say in words what a cell counts."""
        assert self._counts is not None
        assert self._classes is not None
        pixels, total = int(self._counts[row, column]), int(self._counts[row].sum())
        names = self._classes.names
        share = f", {100 * pixels / total:.2f} % of {names[row]}" if total else ""
        first, second = self._words
        return f"{first} {names[row]}, {second} {names[column]}: {pixels:,} pixels{share}"

    def sizeHint(self) -> QSize:
        """Room for all classes."""
        return QSize(320, self._margins()[1] + self._cell_height() * self._size() + 22)

    def minimumSizeHint(self) -> QSize:
        """As narrow as a dock."""
        return QSize(200, self.sizeHint().height())

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Choose the cell under the mouse."""
        assert event is not None
        place = self._at(event.pos())
        if place is not None and event.button() == Qt.MouseButton.LeftButton:
            self._cursor = place
            self._toggle(place)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Say what is under the mouse."""
        assert event is not None
        place = self._at(event.pos())
        if place is not None and place != self._cursor and not self.hasFocus():
            self._cursor = place
            self.update()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Walk with the arrows, choose with Return or Space, all with Esc."""
        assert event is not None
        key = Qt.Key(event.key())
        if not self._size():
            super().keyPressEvent(event)
        elif key in _STEPS:
            down, right = _STEPS[key]
            row, column, last = self._cursor[0] + down, self._cursor[1] + right, self._size() - 1
            self._cursor = min(max(row, 0), last), min(max(column, 0), last)
            self.update()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._toggle(self._cursor)
        elif key == Qt.Key.Key_Escape and self._value != ANY_PAIR:
            self.set_value(ANY_PAIR)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent | None) -> bool:
        """Show the words for a cell as its tooltip."""
        if event is not None and event.type() == QEvent.Type.ToolTip:
            helped: QHelpEvent = event  # type: ignore[assignment]
            place = self._at(helped.pos())
            told = "" if place is None else f"{self.describe(*place)}\nClick to see just these."
            QToolTip.showText(helped.globalPos(), told, self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw headers, cells, the choice and the words for the cell at the cursor."""
        if self._classes is None:
            return
        painter = QPainter(self)
        self._paint_headers(painter)
        if self._counts is not None:
            self._paint_cells(painter)
            bottom = QRect(0, self.height() - 20, self.width(), 18)
            words = self.describe(*self._cursor)
            painter.setPen(self._text)
            painter.drawText(bottom, int(Qt.AlignmentFlag.AlignVCenter), self._cut(words, bottom))
        painter.end()

    def _size(self) -> int:
        return 0 if self._classes is None else len(self._classes)

    def _margins(self) -> tuple[int, int]:
        return (_SWATCH_WIDTH if self._size() > _MANY else _NAME_WIDTH), 34

    def _cell_height(self) -> int:
        low, high = _CELL_HEIGHT
        return high if self._size() <= 4 else max(low, min(high, 180 // self._size()))

    def _at(self, point: QPoint) -> tuple[int, int] | None:
        if self._counts is None:
            return None
        places = ((row, column) for row in range(self._size()) for column in range(self._size()))
        return next((place for place in places if self.cell(*place).contains(point)), None)

    def _toggle(self, place: tuple[int, int]) -> None:
        self.update()
        self.set_value(ANY_PAIR if self._value == place else place)

    def _paint_headers(self, painter: QPainter) -> None:
        left, top = self._margins()
        painter.setPen(self._text)
        title = QRect(left, 0, self.width() - left, 16)
        painter.drawText(title, int(Qt.AlignmentFlag.AlignCenter), f"{self._words[1]} →")
        corner = QRect(0, 17, left, 16)
        painter.drawText(
            corner, int(Qt.AlignmentFlag.AlignLeft), self._cut("↓ " + self._words[0], corner)
        )
        for index in range(self._size()):
            row, column = self.cell(index, 0), self.cell(0, index)
            self._paint_name(painter, index, QRect(0, row.top(), left - 2, row.height()))
            self._paint_name(painter, index, QRect(column.left(), top - 17, column.width(), 16))

    def _paint_name(self, painter: QPainter, index: int, box: QRect) -> None:
        assert self._classes is not None
        side = min(_SWATCH, box.height() - 3, box.width() - 2)
        swatch = QRect(box.left() + 1, box.center().y() - side // 2, side, side)
        painter.fillRect(swatch, QColor(*self._classes.colours[index]))
        painter.setPen(self._text)
        painter.drawRect(swatch)
        words = box.adjusted(side + 5, 0, 0, 0)
        if words.width() > 12:
            many = self._size() > _MANY
            name = str(index) if many else self._cut(self._classes.names[index], words)
            painter.drawText(words, int(Qt.AlignmentFlag.AlignVCenter), name)

    def _paint_cells(self, painter: QPainter) -> None:
        assert self._counts is not None
        totals = self._counts.sum(axis=1)
        for row in range(self._size()):
            for column in range(self._size()):
                pixels, total = int(self._counts[row, column]), int(totals[row])
                self._paint_cell(painter, (row, column), pixels, pixels / total if total else 0.0)
        if self.hasFocus():
            painter.setPen(QPen(self._text, 1, Qt.PenStyle.DashLine))
            painter.drawRect(self.cell(*self._cursor).adjusted(3, 3, -4, -4))

    def _paint_cell(
        self, painter: QPainter, place: tuple[int, int], pixels: int, share: float
    ) -> None:
        box = self.cell(*place).adjusted(0, 0, -1, -1)
        full = _RIGHT if place[0] == place[1] else _WRONG
        # A root scale: mistakes of one per cent would not show on a straight one.
        colour = _between(self._ground, full, share**0.4)
        painter.fillRect(box, colour)
        if box.width() >= _LEAST_TEXT_WIDTH and box.height() >= 26:
            painter.setPen(_readable(colour))
            words = f"{100 * share:.2f} %\n{short_count(pixels)}"
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), words)
        if self._is_chosen(place):
            painter.setPen(QPen(self._text, 2))
            painter.drawRect(box.adjusted(1, 1, -1, -1))

    def _is_chosen(self, place: tuple[int, int]) -> bool:
        if self._value == ANY_PAIR:
            return False
        return all(want in (None, at) for want, at in zip(self._value, place, strict=True))

    def _cut(self, words: str, box: QRect) -> str:
        elide = Qt.TextElideMode.ElideRight
        return str(self.fontMetrics().elidedText(words, elide, box.width()))


def _between(low: QColor, high: QColor, part: float) -> QColor:
    pairs = zip(_rgb(low), _rgb(high), strict=True)
    return QColor(*(round(a + part * (b - a)) for a, b in pairs))


def _readable(ground: QColor) -> QColor:
    red, green, blue = _rgb(ground)
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    return QColor(20, 20, 20) if light > 140 else QColor(250, 250, 250)


def _rgb(colour: QColor) -> tuple[Any, ...]:
    return colour.red(), colour.green(), colour.blue()


def short_count(pixels: int) -> str:
    """Write a number of pixels in at most eight characters."""
    for unit, size in (("G", 10**9), ("M", 10**6)):
        if pixels >= size:
            return f"{pixels / size:.2f} {unit}"
    return f"{pixels:,}"

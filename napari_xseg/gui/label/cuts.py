"""The histogram of a slice with a handle between neighbouring classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPolygonF,
)
from qtpy.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_xseg.data.prefill import GreyHistogram

Colour = tuple[int, int, int]
# Pixels on the screen: height of the picture and of the handles' grips, reach of the mouse.
HEIGHT, GRIP, REACH = 96, 9, 8
# How far a key moves a handle, in bins; with Shift.
STEP, LEAP = 1, 10


class CutHistogram(QWidget):
    """Bars in the colours of the classes, parted by handles that can be dragged.

    Left and Right move the chosen handle (with Shift further), Up and Down choose
    another. Emits `moved` with the handle's number and its grey value.
    """

    moved = Signal(int, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._histogram: GreyHistogram | None = None
        self._cuts: tuple[float, ...] = ()
        self._colours: tuple[Colour | None, ...] = (None,)
        self._handle = 0
        self._dragged = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setToolTip(
            "How often each grey value occurs in the slice, or in the region. Drag a handle to "
            "move the border between two classes. By keyboard: Left and Right move the chosen "
            "handle, with Shift further; Up and Down choose another."
        )
        self.setAccessibleName("Histogram with cut points")

    def sizeHint(self) -> QSize:
        """Wide and low."""
        return QSize(240, HEIGHT)

    def set_histogram(self, histogram: GreyHistogram | None) -> None:
        """Show other bars; None for nothing."""
        self._histogram = histogram
        self.update()

    def set_cuts(self, cuts: Sequence[float], colours: Sequence[Colour | None]) -> None:
        """Show other handles, and the colour of each range; None for a range without class."""
        self._cuts, self._colours = tuple(cuts), tuple(colours)
        self._handle = min(self._handle, max(len(cuts) - 1, 0))
        self.update()

    @property
    def handle(self) -> int:
        """The number of the chosen handle."""
        return self._handle

    def position(self, value: float) -> float:
        """Where a grey value lies, in pixels from the left."""
        low, high = self._range()
        return GRIP + (value - low) / (high - low) * (self.width() - 2 * GRIP)

    # -- mouse and keys -----------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Take the nearest handle."""
        assert event is not None
        near = self._near(event.position().x())
        if near is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self._handle, self._dragged = near, True
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Move the handle that was taken."""
        assert event is not None
        x = event.position().x()
        if self._dragged:
            self._move(self._value(x))
        near = self._dragged or self._near(x) is not None
        self.setCursor(Qt.CursorShape.SizeHorCursor if near else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Let go of the handle."""
        self._dragged = False

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Move the chosen handle, or choose another."""
        assert event is not None
        side = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        other = {Qt.Key.Key_Down: -1, Qt.Key.Key_Up: 1}.get(Qt.Key(event.key()))
        if not self._cuts or self._histogram is None or (side is None and other is None):
            super().keyPressEvent(event)
        elif side is not None:
            far = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            edges = self._histogram.edges
            step = float(edges[1] - edges[0]) * (LEAP if far else STEP)
            self._move(self._cuts[self._handle] + side * step)
        elif other is not None:
            self._handle = min(max(self._handle + other, 0), len(self._cuts) - 1)
            self.update()

    def _move(self, value: float) -> None:
        histogram = self._histogram
        assert histogram is not None
        value = min(max(value, histogram.low), histogram.high)
        self.moved.emit(self._handle, float(np.floor(value)) if histogram.whole else value)

    def _near(self, x: float) -> int | None:
        if self._histogram is None or not self._cuts:
            return None
        distances = [abs(self.position(cut) - x) for cut in self._cuts]
        nearest = int(np.argmin(distances))
        # Handles that lie on one another are parted towards the side of the mouse.
        same = [i for i, cut in enumerate(self._cuts) if cut == self._cuts[nearest]]
        if distances[nearest] > REACH:
            return None
        return same[-1] if x >= self.position(self._cuts[nearest]) else same[0]

    def _range(self) -> tuple[float, float]:
        if self._histogram is None:
            return 0.0, 1.0
        return float(self._histogram.edges[0]), float(self._histogram.edges[-1])

    def _value(self, x: float) -> float:
        low, high = self._range()
        return low + (x - GRIP) / max(self.width() - 2 * GRIP, 1) * (high - low)

    # -- painting -----------------------------------------------------------

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw bars, handles, and which of them is chosen."""
        painter = QPainter(self)
        if self._histogram is None:
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "no pixels here")
            return
        self._draw_bars(painter, self._histogram)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for index, cut in enumerate(self._cuts):
            self._draw_handle(painter, self.position(cut), index == self._handle)

    def _draw_bars(self, painter: QPainter, histogram: GreyHistogram) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        edges, counts = histogram.edges, histogram.counts
        base = self.height() - GRIP
        # The root keeps rare classes in sight beside frequent ones.
        heights = np.sqrt(counts / max(int(counts.max()), 1)) * (base - 2)
        ranges = np.searchsorted(self._cuts, (edges[:-1] + edges[1:]) / 2)
        grey = self.palette().color(QPalette.ColorRole.Mid)
        for left, right, height, at in zip(edges, edges[1:], heights, ranges, strict=False):
            colour = self._colours[min(int(at), len(self._colours) - 1)]
            painter.setBrush(grey if colour is None else QColor(*colour))
            start, stop = int(self.position(float(left))), int(self.position(float(right)))
            painter.drawRect(QRectF(start, base - height, max(stop - start, 1), height))

    def _draw_handle(self, painter: QPainter, x: float, chosen: bool) -> None:
        ink = self.palette().color(QPalette.ColorRole.WindowText)
        x = min(max(x, GRIP), self.width() - GRIP)
        base = self.height() - GRIP
        painter.setPen(QPen(ink, 2.0 if chosen and self.hasFocus() else 1.0))
        painter.drawLine(QPointF(x, 0), QPointF(x, base))
        painter.setBrush(ink if chosen else self.palette().color(QPalette.ColorRole.Window))
        points = [QPointF(x, base), QPointF(x - 5, base + 8), QPointF(x + 5, base + 8)]
        painter.drawPolygon(QPolygonF(points))

"""A point or a box marked on the image with the mouse, whatever layer is active."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, Signal
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QRubberBand, QWidget

from napari_xseg.review.scoring.values import Mark

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_xseg.gui.session import Session

# Canvas pixels that a hand may tremble when it clicks.
_CLICK = 4
_PRESS = QEvent.Type.MouseButtonPress
_MOVE = QEvent.Type.MouseMove
_RELEASE = QEvent.Type.MouseButtonRelease


class PlaceMarker(QObject):
    """Takes the next click or drag on the canvas as a mark; no layer hears of it.

    Parameters
    ----------
    session : Session
    """

    marked = Signal(object)  # the Mark
    changed = Signal(bool)  # whether it waits for the mouse

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._waiting = False
        self._from: QPoint | None = None
        self._band: QRubberBand | None = None

    @property
    def _canvas(self) -> QWidget:
        # Not kept: it must not outlive the window.
        canvas: QWidget = self._session.viewer.window._qt_viewer.canvas.native
        return canvas

    @property
    def waiting(self) -> bool:
        """Whether the next click marks."""
        return self._waiting

    def wait(self) -> None:
        """Take the next click or drag."""
        if not self._waiting:
            self._waiting = True
            self._canvas.installEventFilter(self)
            self._canvas.setCursor(Qt.CursorShape.CrossCursor)
            self.changed.emit(True)

    def stop(self) -> None:
        """Take none."""
        if not self._waiting:
            return
        self._waiting = False
        self._from = None
        self._canvas.removeEventFilter(self)
        self._canvas.unsetCursor()
        if self._band is not None:
            self._band.hide()
            self._band.deleteLater()
            self._band = None
        self.changed.emit(False)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take what the mouse does on the canvas."""
        if not isinstance(event, QMouseEvent) or event.type() not in (_PRESS, _MOVE, _RELEASE):
            return False
        at = event.position().toPoint()
        if event.type() == _PRESS and event.button() == Qt.MouseButton.LeftButton:
            self._from = at
            self._band = QRubberBand(QRubberBand.Shape.Rectangle, self._canvas)
            self._band.setGeometry(QRect(at, QSize()))
            self._band.show()
        elif event.type() == _MOVE and self._from is not None and self._band is not None:
            self._band.setGeometry(QRect(self._from, at).normalized())
        elif event.type() == _RELEASE and self._from is not None:
            start = self._from
            self.stop()
            mark = self._mark(start, at)
            if mark is not None:
                self.marked.emit(mark)
        return True

    def _mark(self, start: QPoint, stop: QPoint) -> Mark | None:
        image, images, z = self._session.image, self._session.images, self._session.z
        if image is None or images is None or z is None:
            return None
        first, second = self._pixel(image, start), self._pixel(image, stop)
        bounds = [(0.0, length - 1.0) for length in images.shape[1:]]
        if (stop - start).manhattanLength() <= _CLICK:
            second = first
        ranges = [
            sorted(min(max(value, low), high) for value in values)
            for values, (low, high) in zip(zip(first, second, strict=True), bounds, strict=True)
        ]
        (y0, y1), (x0, x1) = ([round(value, 1) for value in pair] for pair in ranges)
        return Mark(z, y0, x0, round(y1 - y0, 1), round(x1 - x0, 1))

    def _pixel(self, image: Image, at: QPoint) -> tuple[float, float]:
        """Pixel (y, x) of the slice under a point of the canvas."""
        camera, size = self._session.camera, self._canvas.size()
        down = (at.y() + 0.5 - size.height() / 2) / camera.zoom
        right = (at.x() + 0.5 - size.width() / 2) / camera.zoom
        vertical, horizontal = (str(way) for way in camera.orientation2d)
        world = list(self._session.viewer.dims.point)
        world[-2] = camera.center[-2] + (-down if vertical == "up" else down)
        world[-1] = camera.center[-1] + (-right if horizontal == "left" else right)
        y, x = image.world_to_data(world)[-2:]
        return float(y), float(x)

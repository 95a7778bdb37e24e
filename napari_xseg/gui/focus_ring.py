"""A frame around the field that has the keyboard, which napari's style leaves without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QGuiApplication, QPainter, QPalette, QPen
from qtpy.QtWidgets import QApplication, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent

_WIDTH = 2  # pixels


class FocusRing(QObject):
    """Frames the field of `content` that the Tab key has come to; a click shows none.

    Parameters
    ----------
    content : QWidget
        A dock's content.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__(content)
        self._content = content
        self._frame: _Frame | None = None
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus)

    @property
    def framed(self) -> QWidget | None:
        """The field that has a frame."""
        return None if self._frame is None else self._frame.field

    def _on_focus(self, _: QWidget | None, new: QWidget | None) -> None:
        if self._frame is not None:
            if _is_there(self._frame):
                self._frame.leave()
            self._frame = None
        if not _is_there(self._content):
            return
        by_mouse = QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton
        if new is not None and not by_mouse and self._content.isAncestorOf(new):
            self._frame = _Frame(new)


def _is_there(widget: QWidget) -> bool:
    """Whether Qt still has it: the focus moves on while a window is taken apart."""
    try:
        widget.isVisible()
    except RuntimeError:
        return False
    return True


class _Frame(QWidget):
    """Lies over its field, lets clicks through, and goes where the field goes."""

    def __init__(self, field: QWidget) -> None:
        # A sibling, so that it scrolls and is cut off as the field is.
        super().__init__(field.parentWidget())
        self.field: QWidget | None = field
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        field.installEventFilter(self)
        self._follow()
        self.show()

    def leave(self) -> None:
        """Take the frame away."""
        self.field = None
        self.hide()
        self.deleteLater()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Follow the field."""
        kinds = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)
        if event is not None and event.type() in kinds:
            self._follow()
        return False

    def _follow(self) -> None:
        if self.field is not None:
            self.setGeometry(self.field.geometry())
            self.setVisible(self.field.isVisible())
            self.raise_()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the frame in the colour of the theme's text."""
        painter = QPainter(self)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.WindowText), _WIDTH))
        painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

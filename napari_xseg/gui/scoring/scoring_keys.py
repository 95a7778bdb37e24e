"""Keys while masks are scored: taken before napari's own, but not from text fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.gui.session import Session

_TYPES = (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress, QEvent.Type.KeyRelease)
_TEXT_FIELDS = (QLineEdit, QTextEdit, QPlainTextEdit, QAbstractSpinBox)
_MODIFIERS = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.MetaModifier,
)
_NAMED = {
    int(key.value): name
    for key, name in (
        (Qt.Key.Key_Space, "space"),
        (Qt.Key.Key_Backspace, "backspace"),
        (Qt.Key.Key_Escape, "escape"),
        (Qt.Key.Key_Return, "return"),
        (Qt.Key.Key_Enter, "return"),
    )
}


class ScoringKeys(QObject):
    """Takes the keys of a session from a window, wherever the focus is but in a text field.

    napari's canvas hands a key to the keymap of the active layer, and Qt one to the
    shortcuts of the window: only what stands before both comes first, and that is
    the application.

    Parameters
    ----------
    session : Session
        From its viewer's window keys are taken.
    wants : callable
        Whether a key, such as "1", "m", "space" or "escape", is one of the session's.
    """

    pressed = Signal(str)

    def __init__(self, session: Session, wants: Callable[[str], bool]) -> None:
        super().__init__()
        # Not the window itself, which must not outlive its closing.
        self._session = session
        self._wants = wants
        self._taking = False
        self._down: set[int] = set()

    @property
    def taking(self) -> bool:
        """Whether keys are taken."""
        return self._taking

    def take(self) -> None:
        """Take the keys from here on."""
        app = QApplication.instance()
        if not self._taking and app is not None:
            self._taking = True
            app.installEventFilter(self)

    def give_back(self) -> None:
        """Leave the keys to napari again."""
        app = QApplication.instance()
        if self._taking and app is not None:
            self._taking = False
            self._down.clear()
            app.removeEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take a key that the session wants."""
        if event is None or event.type() not in _TYPES or not isinstance(event, QKeyEvent):
            return False
        if event.type() == QEvent.Type.KeyRelease:
            return self._release(event)
        if not self._taking or not isinstance(watched, QWidget) or not self._is_ours(watched):
            return False
        key = _name_of(event)
        if not key or not self._wants(key):
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()  # no shortcut: it comes as a key
            return True
        self._down.add(event.key())
        if not event.isAutoRepeat():
            self.pressed.emit(key)
        return True

    def _release(self, event: QKeyEvent) -> bool:
        if event.key() not in self._down:
            return False
        if not event.isAutoRepeat():
            self._down.discard(event.key())
        return True

    def _is_ours(self, widget: QWidget) -> bool:
        """Whether a key to this widget is for the session: no text field, no question, no list."""
        if QApplication.activeModalWidget() is not None:
            return False
        if QApplication.activePopupWidget() is not None:
            return False
        if _takes_text(widget) or _takes_text(QApplication.focusWidget()):
            return False
        window = self._session.viewer.window._qt_window
        place: QWidget | None = widget
        while place is not None and place is not window:
            if isinstance(place, QDialog):
                return False
            place = place.parentWidget()
        return place is not None


def _takes_text(widget: QWidget | None) -> bool:
    if isinstance(widget, QComboBox):
        return widget.isEditable()
    return isinstance(widget, _TEXT_FIELDS)


def _name_of(event: QKeyEvent) -> str:
    """What a key is called; empty for one of a shortcut."""
    if any(event.modifiers() & modifier for modifier in _MODIFIERS):
        return ""
    return _NAMED.get(int(event.key()), event.text().casefold().strip())

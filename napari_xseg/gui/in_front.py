"""What is seen of docks that lie on one another as tabs, and work that waits until it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QDockWidget, QWidget

if TYPE_CHECKING:
    from collections.abc import Callable


def in_front(widget: QWidget) -> bool:
    """Whether a widget's dock, and its page there, can be seen: their tabs are in front.

    In a window that is not shown, everything counts as in front.
    """
    if not widget.window().isVisible():
        return True
    within = _dock_of(widget) or widget
    return widget.isVisibleTo(within) and not within.visibleRegion().isEmpty()


class WhenSeen(QObject):
    """Work for what a widget shows: done while it is in front, else once it comes there.

    Parameters
    ----------
    widget : QWidget
    work : callable
    pace : int
        Milliseconds between a call of `soon` and the work, to which further calls add
        nothing.
    """

    def __init__(self, widget: QWidget, work: Callable[[], object], pace: int = 0) -> None:
        super().__init__(widget)
        self._widget = widget
        self._work = work
        self._due = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(pace)
        self._timer.timeout.connect(self.now)
        widget.installEventFilter(self)

    @property
    def waiting(self) -> bool:
        """Whether the work is about to be done, without anybody doing more for it."""
        return self._timer.isActive()

    def now(self, *_: object) -> None:
        """Do it, or remember that it is due."""
        self._due = not in_front(self._widget)
        if not self._due:
            self._timer.stop()
            self._work()

    def soon(self, *_: object) -> None:
        """Do it once for many calls in short time, or remember that it is due."""
        if not in_front(self._widget):
            self._due = True
        elif not self._timer.isActive():
            self._timer.start()

    def stop(self) -> None:
        """Forget what is due."""
        self._due = False
        self._timer.stop()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Catch up when the widget comes to be seen."""
        seen = (QEvent.Type.Paint, QEvent.Type.Show)
        if self._due and event is not None and event.type() in seen:
            self._due = False
            self._timer.start()  # which asks again whether it is in front
        return False


class Retreat(QObject):
    """Hides a dock's content while another tab covers it, from the Tab key and from Alt keys.

    To Qt a covered tab is visible: its fields would take the focus unseen, and its
    underlined letters would compete with those in front.

    Parameters
    ----------
    content : QWidget
        Has its parent already, which lies in a dock, or will.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__(content)
        self._content = content
        self._dock: QDockWidget | None = None
        parent = content.parentWidget()
        assert parent is not None
        parent.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Find the dock when it is first shown."""
        if event is not None and event.type() == QEvent.Type.Show:
            dock = _dock_of(self._content)
            if dock is not None and dock is not self._dock:
                self._dock = dock
                dock.visibilityChanged.connect(self._content.setVisible)
        return False


def _dock_of(widget: QWidget) -> QDockWidget | None:
    within: QWidget | None = widget
    while within is not None and not isinstance(within, QDockWidget):
        within = within.parentWidget()
    return within

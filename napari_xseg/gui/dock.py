"""What docks and their pages share: they follow a session until they are closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from psygnal import SignalInstance
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget

from napari_xseg.errors import XsegError
from napari_xseg.gui.focus_ring import FocusRing
from napari_xseg.gui.in_front import WhenSeen
from napari_xseg.gui.session import session_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from qtpy.QtGui import QCloseEvent

    from napari_xseg.gui.session import Session


class Links:
    """Connections to what outlives a widget: they are made, and undone, together."""

    def __init__(self, *links: tuple[Any, Callable[..., Any]]) -> None:
        self._made: list[tuple[Any, Callable[..., Any]]] = []
        self.make(*links)

    def __bool__(self) -> bool:
        return bool(self._made)

    def make(self, *links: tuple[Any, Callable[..., Any]]) -> None:
        """Connect signals of psygnal, or napari's events, each to its slot."""
        for signal, slot in links:
            signal.connect(slot)
            self._made.append((signal, slot))

    def leave(self) -> None:
        """Disconnect them all."""
        for signal, slot in self._made:
            if isinstance(signal, SignalInstance):
                signal.disconnect(slot, missing_ok=True)
            else:
                signal.disconnect(slot)
        self._made.clear()


def looks(session: Session) -> tuple[Any, ...]:
    """The viewer's events that change which slice is seen, or how."""
    dims = session.viewer.dims.events
    return dims.current_step, dims.ndisplay, dims.order


def guarded(session: Session, action: Callable[[], object], *_: object) -> None:
    """Do it, or tell the user what has to be mended first."""
    try:
        action()
    except XsegError as error:
        session.show_error(error)


class Page(QWidget):
    """A view of a session, in a dock.

    A subclass calls `listen` once, and says in `let_go` and `take_away` what else ends.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._links = Links()
        self._is_open = True

    def listen(self, *links: tuple[Any, Callable[..., Any]]) -> None:
        """Connect signals, each to its slot, until the session or the page is closed."""
        self._links.make(*links, (self.session.closed, self.leave))

    def leave(self) -> None:
        """Follow the session no more: its window is closing, or the dock."""
        if self._links:
            self._links.leave()
            for work in self.findChildren(WhenSeen):
                work.stop()
            self.let_go()

    def end(self) -> None:
        """Leave, and take what is the page's own out of the viewer."""
        self.leave()
        if self._is_open:
            self._is_open = False
            self.take_away()

    def let_go(self) -> None:
        """End what listens to the session by itself; what runs goes on."""

    def take_away(self) -> None:
        """Take layers and keys out of the viewer."""

    def guarded(self, action: Callable[[], object]) -> None:
        """Do it, or tell the user what has to be mended first."""
        guarded(self.session, action)

    @property
    def colours(self) -> tuple[str, str]:
        """Of text and ground in the viewer's theme, as "#rrggbb"."""
        theme = get_theme(self.session.viewer.theme)
        return theme.text.as_hex(), theme.background.as_hex()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Let go of the session."""
        self.end()
        super().closeEvent(event)


class Dock(Page):
    """A widget that napari puts into a dock of its window.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(session_of(napari_viewer))
        FocusRing(self)

    def event(self, event: QEvent | None) -> bool:
        """Go when napari takes the dock out of its window."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.end()
            self.deleteLater()
        return super().event(event)

"""Clicks and keys in the picture, taken while a tool is on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, QObject, Qt

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.layers import Labels
    from qtpy.QtWidgets import QWidget

    from napari_xseg.data.mending import Point
    from napari_xseg.gui.mending.mender import Mender

# Canvas pixels within which a press and its release are a click, not a pull at the picture.
_STILL = 4
_KEYS = range(Qt.Key.Key_1, Qt.Key.Key_9 + 1)


class PictureTool(QObject):
    """Has a click in the picture act, and the keys 1 to 9 give the piece under the mouse a class.

    The layer that is active keeps its place, but its own brush is put down; taking up
    a brush puts the tool down.

    Parameters
    ----------
    mender : Mender
    """

    def __init__(self, mender: Mender) -> None:
        super().__init__()
        self._mender = mender
        self._session = mender.session
        self._canvas: QWidget | None = None
        self._labels: Labels | None = None
        mender.tool_changed.connect(self._on_tool)

    def close(self) -> None:
        """Give mouse and keys back."""
        self._mender.tool_changed.disconnect(self._on_tool)
        self._put_down()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take the keys 1 to 9 and Escape from the picture; all others go on."""
        if event is None or event.type() not in (
            QEvent.Type.KeyPress,
            QEvent.Type.ShortcutOverride,
        ):
            return False
        key, modifiers = event.key(), event.modifiers()  # type: ignore[attr-defined]
        plain = modifiers in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.KeypadModifier,
        )
        if not plain or (key not in _KEYS and key != Qt.Key.Key_Escape):
            return False
        event.accept()
        if event.type() == QEvent.Type.KeyPress:
            self._on_key(int(key))
        return True

    # -- inside -------------------------------------------------------------

    def _on_tool(self) -> None:
        if self._mender.tool and self._canvas is None:
            self._take_up()
        elif not self._mender.tool:
            self._put_down()

    def _take_up(self) -> None:
        session = self._session
        viewer, labels = session.viewer, session.labels
        if labels is not None and labels in session.layers:
            session.layers.select(labels)
            session.layers.set_visible(labels, True)
        active = viewer.layers.selection.active
        if active is not None:
            active.mode = "pan_zoom"
        viewer.mouse_drag_callbacks.append(self._on_press)
        self._canvas = viewer.window._qt_viewer.canvas.native
        self._canvas.installEventFilter(self)
        self._labels = labels
        if labels is not None:
            labels.events.mode.connect(self._on_mode)

    def _put_down(self) -> None:
        if self._canvas is None:
            return
        self._canvas.removeEventFilter(self)
        self._canvas = None
        callbacks = self._session.viewer.mouse_drag_callbacks
        if self._on_press in callbacks:
            callbacks.remove(self._on_press)
        if self._labels is not None:
            self._labels.events.mode.disconnect(self._on_mode)
        self._labels = None

    def _on_mode(self, _: object = None) -> None:
        if self._labels is not None and str(self._labels.mode) != "pan_zoom":
            self._mender.set_tool("")

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        """Called by napari; what comes after the press tells a click from a pull."""
        active = viewer.layers.selection.active
        brush = active is not None and str(getattr(active, "mode", "pan_zoom")) != "pan_zoom"
        if brush or event.button != 1 or len(event.modifiers):
            return
        start, position = np.asarray(event.pos), tuple(event.position)
        yield
        while event.type == "mouse_move":
            if np.abs(np.asarray(event.pos) - start).max() > _STILL:
                return
            yield
        self._guarded(lambda: self._mender.act(self._point(position)))

    def _on_key(self, key: int) -> None:
        if key == Qt.Key.Key_Escape:
            self._mender.set_tool("")
            return
        value = key - int(Qt.Key.Key_1) + 1
        position = tuple(self._session.viewer.cursor.position)
        self._guarded(lambda: self._mender.make(self._point(position), value))

    def _point(self, position: tuple[float, ...]) -> Point:
        self._session.require_images()
        assert self._session.image is not None
        y, x = np.round(self._session.image.world_to_data(position)[-2:]).astype(int).tolist()
        return y, x

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except XsegError as error:
            self._session.show_error(error)

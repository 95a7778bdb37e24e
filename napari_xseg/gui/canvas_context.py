"""The canvas's OpenGL context, made current before a layer goes.

napari 0.9 deletes what a removed layer had on the graphics card at once, in whatever context
is current: where another part of the window was drawn last, in the one of Qt. With Mesa's
software drawing the next picture of the canvas then ends the process, most of the time when
two layers go one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari import Viewer


class CanvasContext:
    """Makes the context of a viewer's canvas current whenever a layer has been removed.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Viewer) -> None:
        self._canvas = viewer.window._qt_viewer.canvas.native
        self._removed = viewer.layers.events.removed
        # Before napari's canvas, which deletes in its own callback.
        self._removed.connect(self._make_current, position="first")

    def close(self) -> None:
        """Follow the layers no more."""
        self._removed.disconnect(self._make_current)

    def _make_current(self, _: object = None) -> None:
        self._canvas.makeCurrent()

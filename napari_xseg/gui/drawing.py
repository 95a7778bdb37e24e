"""How long the window takes to draw another slice, so that others can make room for that."""

from __future__ import annotations

import statistics
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from napari import Viewer

# Seconds: a window that draws a slice faster than this needs no room.
SLOW = 0.04
# Slices whose times count.
COUNTED = 5


class Drawing:
    """Says when the window begins to draw another slice, and for how long it may, where it is slow.

    A graphics card draws in a few milliseconds; without one, napari and Qt take most of a
    tenth of a second on two cores, the longer the more is computed beside it.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    slow = Signal(float)
    """Another slice is about to be drawn, which took so many seconds of late."""

    def __init__(self, viewer: Viewer) -> None:
        self._point = viewer.dims.events.point
        # Before napari slices its layers, which it does in its own callback.
        self._point.connect(self._on_point, position="first")
        self._took: deque[float] = deque(maxlen=COUNTED)
        self._begun = 0.0
        # Timers come after what was drawn meanwhile, also those without a delay.
        self._end = QTimer()
        self._end.setSingleShot(True)
        self._end.timeout.connect(self._on_end)

    def close(self) -> None:
        """Look at it no more."""
        self._point.disconnect(self._on_point)
        self._end.stop()

    def _on_point(self, _: object = None) -> None:
        took = statistics.median(self._took) if self._took else 0.0
        if took > SLOW:
            self.slow.emit(took)
        if not self._end.isActive():
            self._begun = perf_counter()
            self._end.start(0)

    def _on_end(self) -> None:
        self._took.append(perf_counter() - self._begun)

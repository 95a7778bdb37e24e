"""What a test left behind: widgets, workers, threads, processes."""

from __future__ import annotations

import gc
from typing import Any

import psutil
from qtpy.QtCore import QEvent, QThreadPool
from qtpy.QtWidgets import QApplication, QWidget
from superqt.utils._qthreading import WorkerBase

# Milliseconds for a thread that has said its last word to go.
PATIENCE = 60_000


class Leftovers:
    """Remembers what there is, to say later what has come since and not gone."""

    def __init__(self, app: QApplication) -> None:
        self._app = app
        # The widgets themselves: another one may get the address of one that has gone.
        self._widgets = QApplication.allWidgets()
        self._processes = _children()

    def found(self) -> list[str]:
        """Everything that is left, a line each."""
        widgets = self._since()
        if widgets:
            gc.collect()
            widgets = self._since()
        found = [f"widget {_path(widget)}" for widget in widgets]
        pool = QThreadPool.globalInstance()
        assert pool is not None
        if not pool.waitForDone(PATIENCE):
            found.append(f"{pool.activeThreadCount()} threads at work")
        found += [f"worker {worker}" for worker in WorkerBase._worker_set]
        return found + [f"process {child}" for child in _children() - self._processes]

    def _since(self) -> list[QWidget]:
        self._app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        self._app.processEvents()
        known = {id(widget) for widget in self._widgets}
        return [widget for widget in QApplication.allWidgets() if id(widget) not in known]


def _children() -> set[Any]:
    return set(psutil.Process().children(recursive=True))


def _path(widget: QWidget | None) -> str:
    names = []
    while widget is not None:
        names.append(type(widget).__name__)
        widget = widget.parentWidget()
    return " in ".join(names)

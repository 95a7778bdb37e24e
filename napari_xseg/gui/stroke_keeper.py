"""Strokes are on disk when they are made; now and then they are synced, lest the power fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Call

# Seconds after a stroke until it is synced, with all that come meanwhile.
SYNC_AFTER = 30.0


class StrokeKeeper:
    """Has the system put painted labels on the disk for good, in the background.

    What is left at the end is synced when the labels are closed.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._syncing: Call[None] | None = None
        self.timer = QTimer()
        self.timer.setSingleShot(True)
        self.timer.setInterval(int(1000 * SYNC_AFTER))
        self.timer.timeout.connect(self._sync)
        session.slices_changed.connect(self._on_change)

    def close(self) -> None:
        """Sync no more."""
        self._session.slices_changed.disconnect(self._on_change)
        self.timer.stop()

    def _on_change(self, _: object = None) -> None:
        if not self.timer.isActive():
            self.timer.start()

    def _sync(self) -> None:
        store = self._session.store
        if store is None:
            return
        if self._syncing is not None and not self._syncing.over:
            self.timer.start()
            return
        self._syncing = self._session.jobs.call(store.flush)

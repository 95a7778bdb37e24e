"""The napari window with the docks: how it opens, and how it closes while jobs run."""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QApplication, QMessageBox

if TYPE_CHECKING:
    from napari import Viewer
    from qtpy.QtWidgets import QWidget

    from napari_xseg.gui.session import Session

PLUGIN = "napari-xseg"
DOCKS = ("Label", "Train", "Predict", "Review", "Experiments")
# Milliseconds for jobs to end after their current step, before the engine is ended.
PATIENCE = 15_000


def run() -> None:
    """Open napari with the docks; returns when it is closed."""
    import napari

    open_docks(napari.Viewer(title=PLUGIN))
    napari.run()


def open_docks(viewer: Viewer) -> None:
    """Open the docks as tabs on the right, the first one in front."""
    docks = []
    for name in DOCKS:
        dock, _ = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
        dock.setWindowTitle(name)  # with the plugin's name the tabs are cut off
        docks.append(dock)
    # Once the tabs are laid out.
    QTimer.singleShot(0, docks[0].raise_)


def ask_to_stop(window: QWidget, titles: list[str]) -> bool:
    """Ask whether to close though jobs run; True for yes."""
    box = QMessageBox(window)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(PLUGIN)
    box.setText(f"Running: {', '.join(titles)}.")
    box.setInformativeText(
        "Stop and close? What is done is saved, and can be gone on with when the project is opened "
        "again."
    )
    stop = box.addButton("Stop and close", QMessageBox.ButtonRole.AcceptRole)
    box.addButton("Keep running", QMessageBox.ButtonRole.RejectRole)
    box.exec()
    return box.clickedButton() is stop


class CloseGuard(QObject):
    """Asks before a window with running jobs closes, and lets them end cleanly first.

    Parameters
    ----------
    session : Session
    window : QWidget
        The viewer's main window.
    """

    def __init__(self, session: Session, window: QWidget) -> None:
        super().__init__(window)
        self._session = session
        self._window = window
        self._agreed = False
        window.installEventFilter(self)
        app = QApplication.instance()
        assert app is not None
        self._app = app
        app.aboutToQuit.connect(self._leave)
        window.destroyed.connect(self._leave)
        atexit.register(self._leave_at_exit)

    def close(self) -> None:
        """Guard no more."""
        atexit.unregister(self._leave_at_exit)
        self._window.removeEventFilter(self)
        # Not left to Qt: PySide looks for slots of an object that is half gone.
        self._app.aboutToQuit.disconnect(self._leave)
        self._window.destroyed.disconnect(self._leave)
        self.deleteLater()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Hold back the closing of the window while jobs run."""
        if event is None or watched is not self._window or event.type() != QEvent.Type.Close:
            return False
        titles = [job.title for job in self._session.jobs.active if job.worth_asking]
        if titles and not self._agreed and not ask_to_stop(self._window, titles):
            event.ignore()
            return True
        if titles:
            self._agreed = True
            self._stop_then_close()
            event.ignore()
            return True
        # napari may ask a question of its own, and stay open.
        QTimer.singleShot(0, self._leave_if_closed)
        return False

    def _stop_then_close(self) -> None:
        jobs = self._session.jobs
        jobs.changed.connect(self._close_when_idle)
        jobs.stop()
        self._session.notify("Stopping: the window closes when what is done is saved.")
        QTimer.singleShot(PATIENCE, self._lose_patience)

    def _close_when_idle(self) -> None:
        if not any(job.worth_asking for job in self._session.jobs.active):
            self._session.jobs.changed.disconnect(self._close_when_idle)
            QTimer.singleShot(0, self._window.close)

    def _lose_patience(self) -> None:
        if any(job.worth_asking for job in self._session.jobs.active):
            self._session.jobs.stop_now()

    def _leave_if_closed(self) -> None:
        if not self._window.isVisible():
            self._leave()

    def _leave(self, *_: Any) -> None:
        self._session.close()

    def _leave_at_exit(self) -> None:
        """Close the window of a script that ends without a word to it.

        Left to PyQt, which deletes Qt's objects one by one, the event filters of widgets that
        are still shown are called, and PyQt wraps their events in the table that it is walking
        through: where the table has to grow, the process ends in a crash.
        """
        viewer = self._session.viewer
        self._session.close()
        viewer.close()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

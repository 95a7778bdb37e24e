"""A mask being saved elsewhere: how far it is, and a button that ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Finished, Progress
from napari_xseg.prediction.copying import copy_mask

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.gui.images import Images
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Call

# Milliseconds between two looks at how far it is.
PACE = 100


class MaskSaving(QWidget):
    """Copies masks in the background, one at a time; seen while it does.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._control = Control()
        self._call: Call[Finished] | None = None
        self._progress = (0, 0)
        self.bar = QProgressBar()
        self.bar.setToolTip("How many slices are saved.")
        self.stop = QPushButton("Cancel")
        self.stop.setToolTip("End the saving; nothing is left of it.")
        self.stop.clicked.connect(self.cancel)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar, 1)
        layout.addWidget(self.stop)
        self._timer = QTimer(self)
        self._timer.setInterval(PACE)
        self._timer.timeout.connect(self._show)
        session.closed.connect(self.cancel)
        self.setVisible(False)

    @property
    def active(self) -> bool:
        """Whether a mask is being saved."""
        return self._call is not None

    def start(self, source: Path, target: Path, *, overwrite: bool) -> None:
        """Save `source` at `target`, in the background.

        Raises
        ------
        XsegError
            `target` is the image, lies among its slices, or in no folder.
        """
        if not target.parent.is_dir():
            raise no_folder(target)
        refuse_image(target, self._session.images)
        self._control = control = Control()
        self._progress = (0, 0)

        def copy() -> Finished:
            for event in copy_mask(source, target, overwrite=overwrite, control=control):
                if isinstance(event, Progress):
                    self._progress = (event.done, event.total)
                elif isinstance(event, Finished):
                    return event
            raise AssertionError("a copy that says no end")

        self._call = self._session.jobs.call(copy)
        self._call.returned.connect(self._on_saved)
        self._call.failed.connect(self._on_failed)
        self._show()
        self.setVisible(True)
        self._timer.start()

    def cancel(self) -> None:
        """End it after the current slice."""
        self._control.stop()

    def _show(self) -> None:
        done, total = self._progress
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.bar.setFormat(f"Saving: {done} of {total}")

    def _end(self) -> None:
        self._call = None
        self._timer.stop()
        self.setVisible(False)

    def _on_saved(self, finished: Finished) -> None:
        self._end()
        if finished.reason == "done":
            self._session.notify(f"Saved: {finished.path}")

    def _on_failed(self, error: Exception) -> None:
        self._end()
        self._session.show_error(error)


def no_folder(target: Path) -> XsegError:
    """Say that a mask is to lie in a folder that is not there: it may be mistyped."""
    return XsegError(
        f"{target.parent}: there is no such folder; make it first, or choose another one."
    )


def refuse_image(target: Path, images: Images | None) -> None:
    """Raise XsegError where `target` would replace an image, or lie among its slices."""
    if images is None or images.source is None:
        return
    target, image = target.expanduser().resolve(), images.volume.path.resolve()
    if target == image:
        raise XsegError(f"{target}: is the image itself; choose another name.")
    if image.is_dir() and image in target.parents:
        raise XsegError(
            f"{target}: would lie among the images, which could then not be opened as one volume; "
            "choose another folder."
        )

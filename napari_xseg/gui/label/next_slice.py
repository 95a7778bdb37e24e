"""Which slice to label next: those that would teach most, one click away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_xseg.errors import XsegError
from napari_xseg.events import NextSlices
from napari_xseg.gui.job_bar import JobBar
from napari_xseg.jobs import NextSliceRequest
from napari_xseg.model.metadata import read_model_info
from napari_xseg.review.suggest import suggestions_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.events import Event
    from napari_xseg.gui.images import Images
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Job

COUNT = 5
# Slices of an image in memory that travel to the engine.
_MOST_PLANES = 200
# Lines of the list that are seen; a reason takes two or three.
_LINES = 11


class NextSlicePanel(QWidget):
    """Asks for slices worth labelling and lists them with the reason; a click goes there.

    Without a model the grey values decide, and where the labelled slices lie.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._job: Job | None = None
        self._images: Images | None = None
        self.bar = JobBar(session.jobs, pausable=False)
        self.ask = self.bar.add_start(
            "Which slice shall I label next?",
            "Name the slices that would teach a model most: far from the labelled ones, and where "
            "the chosen model is unsure. Works without a model, too.",
        )
        self.list = QListWidget()
        self.list.setToolTip("Best first. A click or Enter goes there.")
        self.list.setAccessibleName("slices to label next")
        self.list.setWordWrap(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setSpacing(2)
        self.list.setFixedHeight(_LINES * self.list.fontMetrics().lineSpacing())
        self.list.hide()
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for part in (self.bar, self.words, self.list):
            layout.addWidget(part)
        self.ask.clicked.connect(self._ask)
        self.list.itemClicked.connect(self._go)
        self.list.itemActivated.connect(self._go)
        session.image_changed.connect(self._on_image)

    def leave(self) -> None:
        """Let go of the session: the window closes, or the dock."""
        self.session.image_changed.disconnect(self._on_image, missing_ok=True)
        self.bar.follow(None)
        self._job = self._images = None

    # -- asking -------------------------------------------------------------

    def _ask(self) -> None:
        try:
            self._start()
        except XsegError as error:
            self.session.show_error(error)

    def _start(self) -> None:
        session, images = self.session, self.session.require_images()
        labelled = () if session.store is None else session.store.labelled
        model, folder = session.model, session.jobs.engine.folder
        match = session.match_intensity

        def prepare() -> NextSliceRequest:
            context = 0 if model is None else read_model_info(model).context
            source = images.for_job(_considered(images, labelled), context, folder)
            return NextSliceRequest(
                model=model, images=source, labelled=labelled, count=COUNT, match_intensity=match
            )

        self._images = images
        job = self._job = session.jobs.run("Which slice next", prepare, worth_asking=False)
        job.events.connect(lambda events: self._hear(job, events))
        job.events.connect(session.warn_of)
        self.bar.follow(job)
        job.ended.connect(lambda: self._on_end(job, model))

    def _hear(self, job: Job, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, NextSlices) and job is self._job:
                self._show(event)

    def _on_end(self, job: Job, model: Path | None) -> None:
        if job is not self._job:
            return
        self._job = None
        self.bar.say("")
        if job.error is not None:
            self.session.show_error(job.error)
        elif self.list.count():
            who = "the grey values and where labels are" if model is None else "the chosen model"
            self._say(f"Best first, by {who}.")

    # -- the list -----------------------------------------------------------

    def _show(self, event: NextSlices) -> None:
        self.list.clear()
        for one in suggestions_of(event):
            item = QListWidgetItem(f"z = {one.z}: {one.why}.")
            item.setData(Qt.ItemDataRole.UserRole, one.z)
            self.list.addItem(item)
        self.list.setVisible(self.list.count() > 0)
        if not self.list.count():
            self._say("All slices are labelled.")

    def _go(self, item: QListWidgetItem) -> None:
        z: Any = item.data(Qt.ItemDataRole.UserRole)
        self.session.go_to(z)

    def _on_image(self) -> None:
        if self.session.images is not self._images:
            self._job = None
            self.list.clear()
            self.list.hide()
            self._say("")

    def _say(self, words: str) -> None:
        self.words.setText(words)
        self.words.setVisible(bool(words))


def _considered(images: Images, labelled: tuple[int, ...]) -> list[int]:
    """The slices that may be suggested: all, or some where they have to be copied first."""
    depth = images.shape[0]
    step = 1 if images.source is not None else -(-depth // _MOST_PLANES)
    return sorted({*range(0, depth, step), *labelled})

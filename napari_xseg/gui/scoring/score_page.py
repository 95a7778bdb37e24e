"""Masks scored by eye, item by item, and what the scores say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_xseg.errors import XsegError
from napari_xseg.gui.dock import Page
from napari_xseg.gui.forms import Fold, fill
from napari_xseg.gui.in_front import WhenSeen
from napari_xseg.gui.predict.mask_list import bring_mask
from napari_xseg.gui.scoring.begin_form import BeginForm
from napari_xseg.gui.scoring.offered import Offered, offered_masks
from napari_xseg.gui.scoring.place_marker import PlaceMarker
from napari_xseg.gui.scoring.preparing import Wanted
from napari_xseg.gui.scoring.reviewer_name import known_reviewer, remember_reviewer
from napari_xseg.gui.scoring.running_panel import RunningPanel
from napari_xseg.gui.scoring.score_files import ScoreFiles
from napari_xseg.gui.scoring.scorer import Scorer
from napari_xseg.gui.scoring.scoring_keys import ScoringKeys
from napari_xseg.gui.scoring.scoring_view import ScoringView
from napari_xseg.gui.scoring.session_list import SessionList
from napari_xseg.gui.scoring.summary_panel import SummaryPanel
from napari_xseg.gui.scoring.summing import Summing
from napari_xseg.prediction.sidecar import sidecar_path

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from napari_xseg.data.volume import Volume
    from napari_xseg.gui.session import Session
    from napari_xseg.review.scoring.values import Mark

_MARK, _NOTE = ".", "return"
_MILLISECONDS = 1000


class ScorePage(Page):
    """Shows what a `Scorer` does, and asks it for more.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.scorer = Scorer(session)
        self.summing = Summing(session)
        self.view = ScoringView(session)
        self.keys = ScoringKeys(session, self._wants)
        self.marker = PlaceMarker(session)
        self.begin = BeginForm()
        self.sessions = SessionList()
        self.running = RunningPanel()
        self.summary = SummaryPanel()
        self.files = ScoreFiles(session, self.summing, self)
        self._more: list[Offered] = []
        # Where the session that runs was begun.
        self._folder: Path | None = None
        self._volume: Volume | None = None
        self._faults_of = ""
        self._masks = WhenSeen(self, self._offer)
        self._sums = WhenSeen(self, self._sum_up)
        self._clock = QTimer(self)
        self._clock.setInterval(_MILLISECONDS)
        self._build()
        self._connect()
        self.begin.reviewer.setText(known_reviewer())
        self.sessions.set_reviewer(self.begin.reviewer.text())
        self._on_layers()
        self._on_changed()

    def let_go(self) -> None:
        """Leave the scoring session, and give back the keys."""
        self._clock.stop()
        self.scorer.let_go()
        self.keys.give_back()
        self.marker.stop()
        self.summing.let_go()

    def take_away(self) -> None:
        """Give back the layers."""
        self.view.end()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Have the mask of the item alone again, after a visit to another page."""
        super().showEvent(event)
        self.view.cover_again()

    # -- making -------------------------------------------------------------

    def _build(self) -> None:
        self._before = QWidget()
        inner = QVBoxLayout(self._before)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.begin)
        inner.addWidget(self.sessions)
        self.fold = Fold(
            "Summary",
            self.summary,
            tip="What the scores of all reviewers say, and how far they agree.",
            open_=True,
        )
        inner.addWidget(self.fold)
        fill(self, (self.running, self._before))

    def _connect(self) -> None:
        scorer, running, begin = self.scorer, self.running, self.begin
        begin.begin_asked.connect(self._begin)
        begin.ticked.connect(self._show_mask)
        begin.cancel_asked.connect(scorer.cancel)
        begin.file_asked.connect(self._add_file)
        begin.reviewer_changed.connect(self._on_reviewer)
        self.sessions.go_on_asked.connect(self._go_on)
        self.sessions.end_asked.connect(self._end)
        running.scored.connect(scorer.set_score)
        running.fault_toggled.connect(scorer.toggle)
        running.noted.connect(scorer.set_note)
        running.note_left.connect(self._leave_note)
        running.mark_asked.connect(lambda on: self.marker.wait() if on else self.marker.stop())
        running.unmark_asked.connect(lambda: scorer.set_mark(None))
        running.asked.connect(self._do)
        self.keys.pressed.connect(self._on_key)
        self.marker.changed.connect(running.set_marking)
        self.marker.marked.connect(self._on_marked)
        self.summary.asked.connect(self._do_with_files)
        self.summary.session_chosen.connect(self.summing.choose)
        self._clock.timeout.connect(self._show_time)
        session = self.session
        self.listen(
            (scorer.changed, self._on_changed),
            (scorer.item_changed, self._on_item),
            (scorer.drafted, self._show_draft),
            (scorer.opening_changed, self._on_opening),
            (scorer.troubled, self._on_trouble),
            (scorer.finished, self._on_finished),
            (self.summing.changed, self._on_summed),
            (self.summing.written, self._on_written),
            (session.layers_changed, self._on_layers),
            (session.image_changed, self._on_image),
            (session.project_changed, self._on_project),
        )

    # -- what the user asks for ---------------------------------------------

    def _begin(self) -> None:
        try:
            images = self.session.require_images()
            plan = self.begin.plan()
            folder = self.session.require_project().folder / "reviews"
        except XsegError as error:
            self.session.show_error(error)
            return
        self._on_reviewer()
        reviewer, faults = self.begin.reviewer.text(), self.begin.faults.value()
        self.scorer.begin(
            Wanted(folder, reviewer, images.volume, self.begin.chosen(), plan, faults)
        )

    def _go_on(self, uid: str) -> None:
        folder = self.summing.folder
        if folder is None or self.scorer.is_opening:
            return
        try:
            self.scorer.go_on(folder, self.begin.reviewer.text(), uid)
        except XsegError as error:
            self.session.show_error(error)

    def _end(self, uid: str) -> None:
        folder, reviewer = self.summing.folder, self.begin.reviewer.text()
        if folder is not None:
            call = self.session.jobs.call(lambda: _end_session(folder, reviewer, uid))
            call.returned.connect(lambda _: self.summing.refresh())
            call.failed.connect(self.session.show_error)

    def _add_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Mask to score", str(Path.home()), "Masks (*.tif *.tiff *.png);;All files (*)"
        )
        if name:
            self._more.append(Offered(Path(name), Path(name).stem))
            self._on_layers()

    def _show_mask(self, path: Path) -> None:
        """Show a mask that was ticked, so that it is seen which one it is."""
        # Without the file beside it nothing says which colours its classes have.
        if sidecar_path(path).exists():
            bring_mask(self.session, path)

    def _do(self, what: str) -> None:
        getattr(self.scorer, what)()

    def _do_with_files(self, what: str) -> None:
        match what:
            case "report":
                self.files.write_report()
            case "open":
                self.files.open_report()
            case "export":
                self.files.export()
            case "import":
                self.files.take_over(self._offered())

    def _wants(self, key: str) -> bool:
        """Whether a key is the session's while it runs."""
        opened = self.scorer.opened
        if opened is None:
            return False
        if key in ("space", "backspace", "escape", "u", _MARK, _NOTE) or key in "12345":
            return True
        return any(kind.key.casefold() == key for kind in opened.session.faults)

    def _on_key(self, key: str) -> None:
        match key:
            case "space":
                self.scorer.next()
            case "backspace":
                self.scorer.back()
            case "escape" if self.marker.waiting:
                self.marker.stop()
            case "escape":
                self.scorer.leave()
            case "u":
                self.scorer.undo()
            case "." if self.marker.waiting:
                self.marker.stop()
            case ".":
                self.marker.wait()
            case "return":
                self.running.note.setFocus()
            case _ if key.isdigit():
                self.scorer.set_score(int(key))
            case _:
                self.scorer.toggle(key)

    def _leave_note(self) -> None:
        self.scorer.keep()
        self.session.viewer.window._qt_viewer.canvas.native.setFocus()

    def _on_marked(self, mark: Mark) -> None:
        item = self.scorer.item
        if item is not None:
            self.scorer.set_mark(mark)

    def _on_reviewer(self) -> None:
        name = self.begin.reviewer.text().strip()
        if name and name != known_reviewer():
            remember_reviewer(name)
        self.sessions.set_reviewer(name)
        self._offer_faults()

    # -- what the scorer says -----------------------------------------------

    def _on_changed(self) -> None:
        """A session was begun or left."""
        opened = self.scorer.opened
        self.running.setVisible(opened is not None)
        self._before.setVisible(opened is None)
        if opened is not None:
            self._folder = self.summing.folder
            self._volume = self.session.require_images().volume
            self.running.set_session(opened)
            self.view.begin(opened)
            self.keys.take()
            self._clock.start()
            self.session.viewer.window._qt_viewer.canvas.native.setFocus()
            return
        self._clock.stop()
        self.keys.give_back()
        self.marker.stop()
        self.view.end()
        self._on_layers()
        self._sums.now()

    def _on_item(self) -> None:
        opened, item = self.scorer.opened, self.scorer.item
        if opened is None or item is None:
            return
        self.marker.stop()
        self.running.set_item(opened, item)
        self.view.show(item, self.scorer.draft.mark)
        self._show_draft()
        self._show_time()

    def _show_draft(self) -> None:
        opened, item, draft = self.scorer.opened, self.scorer.item, self.scorer.draft
        if opened is None or item is None:
            return
        self.running.set_draft(draft, kept=self.scorer.is_kept)
        self.running.set_progress(opened.kept, len(opened.session.items))
        self.view.outline(item, draft.mark)

    def _show_time(self) -> None:
        if self.scorer.opened is not None:
            self.running.set_time(self.scorer.seconds, self.scorer.opened.kept)

    def _on_opening(self) -> None:
        self.begin.set_preparing(self.scorer.is_opening)

    def _on_trouble(self) -> None:
        self.running.set_trouble(self.scorer.trouble)

    def _on_finished(self) -> None:
        self.session.notify("All items of the session are scored.")

    # -- what the session and the scores say --------------------------------

    def _sum_up(self) -> None:
        if self.scorer.opened is None:
            self.summing.refresh()

    def _on_summed(self) -> None:
        summed = self.summing.summed
        if summed is not None:
            self.summary.set_summed(summed)
            self.sessions.set_sessions(summed.scores)
            self._offer_faults()

    def _offer_faults(self) -> None:
        """Offer the kinds of fault of the reviewer's latest session, once for each reviewer."""
        own = self.sessions.own()
        if own and self._faults_of != own[-1].reviewer:
            self._faults_of = own[-1].reviewer
            self.begin.faults.set_value(own[-1].faults)

    def _on_written(self, _: Path) -> None:
        self.summary.set_report(self.files.report is not None)

    def _offered(self) -> tuple[Offered, ...]:
        found = offered_masks(self.session)
        known = {mask.path for mask in found}
        return (*found, *(mask for mask in self._more if mask.path not in known))

    def _on_layers(self) -> None:
        if self.scorer.opened is None:
            self._masks.now()
        elif not self.view.shows:
            # Not while the layer is on its way out.
            QTimer.singleShot(0, self._show_again)

    def _offer(self) -> None:
        self.begin.set_masks(self._offered())

    def _show_again(self) -> None:
        """The layer of the item was deleted: bring it back."""
        item = self.scorer.item
        if item is not None and not self.view.shows:
            self.view.show(item, self.scorer.draft.mark)

    def _on_image(self) -> None:
        self._more.clear()  # masks of the image that was there
        self._on_project()

    def _on_project(self) -> None:
        """Another image or project: what is scored is not to be seen any more."""
        opened = self.scorer.opened
        if self.scorer.is_opening:
            self.scorer.let_go()
        if opened is not None and not self._is_there():
            self.scorer.let_go()
            self.session.warn(
                f"The image or its project was changed, so the session {opened.session.title} was "
                "left; go on with it where it was begun."
            )
        self._on_layers()
        self._sums.now()

    def _is_there(self) -> bool:
        """Whether image and project are those of the session that runs."""
        images = self.session.images is not None and self.session.images.volume is self._volume
        return images and self.summing.folder == self._folder


def _end_session(folder: Path, reviewer: str, uid: str) -> None:
    from napari_xseg.review.scoring.store import ScoreFile

    with ScoreFile.open(folder, reviewer) as file:
        file.end(uid)

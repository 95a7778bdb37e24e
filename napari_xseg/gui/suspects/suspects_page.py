"""Suspects without truth: found, looked at, mended, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_xseg.errors import XsegError
from napari_xseg.gui.data_bar import DataBar
from napari_xseg.gui.dock import Page
from napari_xseg.gui.forms import Choice, Fold, fill
from napari_xseg.gui.in_front import WhenSeen
from napari_xseg.gui.job_bar import JobBar
from napari_xseg.gui.label.prefill import class_translation
from napari_xseg.gui.layers import KEY
from napari_xseg.gui.mending.mend_panel import MEND_TIP, MendPanel
from napari_xseg.gui.mending.mender import Mender, Target
from napari_xseg.gui.predict.mask_list import bring_mask
from napari_xseg.gui.review.flying import fly_to
from napari_xseg.gui.scoring.offered import Offered, offered_masks
from napari_xseg.gui.suspects.continuing import Continuing
from napari_xseg.gui.suspects.pictures import ShownPictures
from napari_xseg.gui.suspects.search import SuspectSearch, mask_path, masks_of
from napari_xseg.gui.suspects.search_form import SearchForm
from napari_xseg.gui.suspects.suspects_form import SuspectsForm

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Labels, Layer
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_xseg.gui.predict.mask_layers import MaskFile
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Call
    from napari_xseg.review.suspects.table import Suspect

# Milliseconds between two looks at what was painted.
_PACE = 300
# Suspects that went away and are named.
_NAMED = 12
_FIND = "Look for places of the mask that are probably wrong; they are kept beside it."
_LINKS = (
    Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
)
_PHASES = {
    "training": "1 of 3: training goes on",
    "predicting": "2 of 3: the same slices are predicted",
    "looking": "3 of 3: suspects are looked for",
    "comparing": "3 of 3: the masks are compared",
}


class SuspectsPage(Page):
    """Shows a `SuspectSearch`, mends what it finds, and continues the training.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.search = SuspectSearch(session)
        self.continuing = Continuing(session, self.search)
        self.mender = Mender(session)
        self._masks: list[Labels] = []
        # Masks of the project that no layer shows, and the one of them that was chosen.
        self._kept: list[Offered] = []
        self._wanted: Path | None = None
        self._layers = WhenSeen(self, self._offer)
        self._buttons = WhenSeen(self, self._show_buttons, _PACE)
        self._listing = WhenSeen(self, self._ask_runs)
        self._covers: list[Layer] = []
        self._runs: Call[Any] | None = None
        self._make_widgets()
        self._lay_out()
        self._connect()
        self._layers.now()
        self._ask_runs()

    def take_away(self) -> None:
        """Take the outline away; a job that runs goes on."""
        self.session.layers.remove(*self.session.layers.of_kind("outline"))

    def let_go(self) -> None:
        """Give mouse and keys back, and end the search's own links."""
        if self._runs is not None:
            self._runs.cancel()
        self.pictures.close()
        self.mend.leave()
        self.data.leave()
        self.bar.follow(None)
        self.continuing.close()
        self.search.close()
        self._masks.clear()
        self._covers.clear()

    # -- making -------------------------------------------------------------

    def _make_widgets(self) -> None:
        self.data = DataBar(self.session, labels=False, project=False)
        self.mask = Choice()
        self.mask.setToolTip(
            "The mask that is looked at: one that lies on disk, shown as a layer, or else kept in "
            "the project."
        )
        self.mask.setPlaceholderText("choose one")
        self.form = SearchForm()
        self.form.set_match(self.session.match_intensity)
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.list = SuspectsForm()
        self.pictures = ShownPictures(self.session, self.search, self.list)
        self.mend = MendPanel(self.session, self.mender)
        self.progress = QLabel()
        self.progress.setWordWrap(True)
        self.progress.setTextInteractionFlags(_LINKS)
        self.progress.hide()
        self.progress.setToolTip("What the last Continue changed; a number flies to its place.")
        self.bar = JobBar(self.session.jobs)
        self.find = self.bar.add_start("&Find suspects", _FIND)
        self.go_on = self.bar.add_start("Continue &training", "")
        self.phase = QLabel()
        self.phase.setToolTip("What Continue is at.")
        self.phase.hide()

    def _lay_out(self) -> None:
        chosen = QWidget()
        row = QFormLayout(chosen)
        row.setContentsMargins(0, 0, 0, 0)
        row.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        name = QLabel("Mas&k")
        name.setBuddy(self.mask)
        row.addRow(name, self.mask)
        wanted = Fold(
            "What is looked for",
            self.form,
            tip="Kinds of suspect, a second opinion, and how many are kept.",
        )
        mend = Fold("Mend", self.mend, tip=MEND_TIP, open_=True)
        parts = (self.data, chosen, wanted, self.note, self.list, self.progress, mend)
        self.area = fill(self, parts, foot=(self.phase, self.bar))

    def _connect(self) -> None:
        self.mask.currentIndexChanged.connect(self._on_mask)
        self.find.clicked.connect(lambda: self.guarded(self._find))
        self.go_on.clicked.connect(lambda: self.guarded(self._continue))
        self.form.match.toggled.connect(self._set_match)
        self.list.chosen.connect(self._on_suspect)
        self.list.table.paint_asked.connect(self.mend.paint_here)
        self.list.table.suspects.ticked.connect(self.search.tick)
        self.progress.linkActivated.connect(self._on_link)
        session, search = self.session, self.search
        self.listen(
            (session.layers_changed, self._layers.now),
            (session.image_changed, self._layers.now),
            (session.project_changed, self._layers.now),
            (session.model_changed, self._buttons.now),
            (session.labels_changed, self._buttons.now),
            (session.slices_changed, self._buttons.soon),
            (session.runs_changed, self._listing.now),
            (search.chosen, self._on_chosen),
            (search.changed, self._on_suspects),
            (search.job_changed, self._show_buttons),
            (self.continuing.changed, self._on_progress),
            (session.viewer.events.theme, self._on_progress),
        )

    # -- what the user asks for ---------------------------------------------

    def _find(self) -> None:
        self.bar.follow(self.search.find(self.form.value()))

    def _continue(self) -> None:
        self.continuing.start(self.form.value())

    def _set_match(self, on: bool) -> None:
        self.session.match_intensity = on

    def _on_mask(self, row: int) -> None:
        kept = row - len(self._masks)
        if 0 <= kept < len(self._kept):
            self._bring(self._kept[kept].path)
        else:
            self.search.choose(self._masks[row] if row >= 0 else None)

    def _bring(self, path: Path) -> None:
        """Show a mask of the project as a layer, and choose it once it is there."""
        self._wanted = path
        call = bring_mask(self.session, path)
        if call is None:
            self._offer()
            return
        call.returned.connect(self._on_brought)
        call.failed.connect(lambda _: self._layers.now())

    def _on_brought(self, mask: MaskFile) -> None:
        images = self.session.images
        if images is not None and not mask.fits(images.shape):
            self.session.show_error(
                XsegError(
                    f"{mask.path}: is no mask of {images.name}; choose the image that it was made "
                    "from."
                )
            )
        self._layers.now()

    def _on_suspect(self, suspect: Suspect) -> None:
        """Fly there, and have a picture made."""
        mask, suspects = self.search.mask, self.search.suspects
        if mask is None or suspects is None or mask not in self.session.layers:
            return
        self.session.layers.set_visible(mask, True)
        self._fly_to(suspect)
        self.guarded(lambda: self._aim(suspect))

    def _aim(self, suspect: Suspect) -> None:
        """Mend at a suspect, in the classes of the labels."""
        suspects = self.search.suspects
        assert suspects is not None
        table = class_translation(suspects.classes, self.session.classes, "the suspects' mask")
        wrong, right = (
            0 if index is None else int(table[index + 1])
            for index in (suspect.found, suspect.other)
        )
        self.mender.aim(self.search.mask, Target(suspect, "suspect", wrong, right))

    def _fly_to(self, suspect: Suspect) -> None:
        base = self.search.mask if self.search.mask in self.session.layers else self.session.image
        if base is not None:
            fly_to(self.session, base, suspect, "suspect")

    def _on_link(self, rank: str) -> None:
        for suspect in self.continuing.gone:
            if str(suspect.rank) == rank:
                self._fly_to(suspect)

    # -- what is shown ------------------------------------------------------

    def showEvent(self, event: QShowEvent | None) -> None:
        """Take up what other docks have chosen meanwhile."""
        super().showEvent(event)
        self.form.set_match(self.session.match_intensity)
        if event is not None and not event.spontaneous():
            self._uncover()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Give the other page its overlay back."""
        super().hideEvent(event)
        if event is not None and not event.spontaneous():
            for layer in self._covers:
                self.session.layers.set_visible(layer, True)
            self._covers.clear()

    def _uncover(self) -> None:
        """Hide what the comparison lays over the mask, and show the mask."""
        layers = self.session.layers
        for layer in [one for one in layers.of_kind("mistakes") if one.visible]:
            layers.set_visible(layer, False)
            self._covers.append(layer)
        if self._covers and self.search.mask is not None:
            layers.set_visible(self.search.mask, True)

    def _offer(self) -> None:
        """Offer the masks there are; begin with the one on top, leave a hidden one for it.

        To say whether suspects are stale, a mask is read whole: not for nobody.
        """
        before = self.search.mask
        self._list_masks()
        top = next(iter(self._masks), None)
        chosen = before if before in self._masks else top
        # What is accepted and mended is what is seen, such as a mask predicted since.
        unseen = before is not None and not before.visible and top is not None and top.visible
        if unseen and self.search.job is None and not self.continuing.phase:
            chosen = top
        wanted = [layer for layer in self._masks if mask_path(layer) == self._wanted]
        if wanted:
            chosen, self._wanted = wanted[0], None
        self.mask.blockSignals(True)
        self.mask.clear()
        self.mask.addItems([one.name for one in (*self._masks, *self._kept)])
        self.mask.setCurrentIndex(-1 if chosen is None else self._masks.index(chosen))
        self.mask.blockSignals(False)
        self.form.set_masks([layer for layer in self._masks if layer is not chosen])
        if chosen is not before:
            self.search.choose(chosen)
        self._say()
        self._show_buttons()

    def _list_masks(self) -> None:
        self._masks = masks_of(self.session)
        shown = {layer.metadata[KEY].get("path") for layer in self.session.layers.of_kind("mask")}
        offered = () if self.session.images is None else offered_masks(self.session)
        self._kept = [one for one in offered if str(one.path) not in shown]

    def _on_chosen(self) -> None:
        """The mask is another one, which the list may not know yet."""
        mask = self.search.mask
        if mask is not None and mask not in self._masks:
            self._list_masks()
            self._layers.now()
        elif mask is not None:
            self.mask.blockSignals(True)
            self.mask.setCurrentIndex(self._masks.index(mask))
            self.mask.blockSignals(False)
        self.form.set_masks([layer for layer in self._masks if layer is not mask])
        self.mender.aim(mask, None)
        if mask is not None and self.isVisible():
            self._uncover()
            self.session.layers.set_visible(mask, True)
        self.session.layers.remove(*self.session.layers.of_kind("outline"))

    def _on_suspects(self) -> None:
        search = self.search
        self.list.set_suspects(search.suspects, search.ticked, search.left_out)
        self._say()
        self._show_buttons()

    def _say(self) -> None:
        words = self.search.note
        if self.search.mask is None and self._kept:
            words = "No mask is shown: choose one of those that the project keeps."
        elif self.search.mask is None:
            words = "There is no mask on disk: predict a range or the volume in the Predict dock."
        elif self.search.suspects is None and not words:
            words = "Nobody has looked for suspects in this mask yet."
        self.note.setText(words)
        self.note.setVisible(bool(words))

    def _show_buttons(self, _: object = None) -> None:
        busy = self.search.job is not None or bool(self.continuing.phase)
        self.find.setEnabled(self.search.mask is not None and not busy)
        reason = self.continuing.why_not()
        self.go_on.setEnabled(not reason and not busy)
        self.go_on.setToolTip(
            reason
            or f"Train on from {_name(self.session.model)} with the labels of today, predict the "
            "same slices, look for suspects again, and say what has changed. The settings are "
            "those of the Train dock, or, where nothing was chosen there, of the model's run."
        )

    def _on_progress(self, _: object = None) -> None:
        state = self.continuing
        if state.job is not None and self.bar.job is not state.job:
            self.bar.follow(state.job)
        self.phase.setText(_PHASES.get(state.phase, ""))
        self.phase.setVisible(bool(state.phase))
        words = state.words
        if state.gone:
            # Qt's own colour of links cannot be read on a dark ground.
            colour, _ = self.colours
            named = ", ".join(
                f'<a href="{one.rank}" style="color: {colour}">{one.rank}</a> (z {one.z})'
                for one in state.gone[:_NAMED]
            )
            more = len(state.gone) - _NAMED
            left_out = f" and {more} more" if more > 0 else ""
            words = f"{words} Went away, by their old ranks: {named}{left_out}."
        self.progress.setText(words)
        self.progress.setVisible(bool(words))
        self._show_buttons()

    def _ask_runs(self) -> None:
        """Read the run folders in the background: they may lie on a slow disk."""
        if self._runs is not None:
            self._runs.cancel()
        project = self.session.project
        if project is None:
            self.form.set_runs(())
            return
        self._runs = self.session.jobs.call(project.runs)
        self._runs.returned.connect(self.form.set_runs)


def _name(model: Path | None) -> str:
    return "the model in use" if model is None else model.stem

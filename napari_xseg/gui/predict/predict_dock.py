"""The Predict dock: a model, what it predicts, and the masks that come of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QCheckBox,
    QFrame,
    QGridLayout,
    QGroupBox,
    QLabel,
    QVBoxLayout,
)

from napari_xseg.gui.data_bar import DataBar
from napari_xseg.gui.dock import Dock
from napari_xseg.gui.forms import Fold, fill, make_button
from napari_xseg.gui.job_bar import JobBar
from napari_xseg.gui.predict.fractions_table import Fractions
from napari_xseg.gui.predict.kept_masks import kept_mask
from napari_xseg.gui.predict.mask_list import MaskList
from napari_xseg.gui.predict.model_chooser import ModelChooser
from napari_xseg.gui.predict.other_images import OtherMenu
from napari_xseg.gui.predict.predict_form import OptionsForm
from napari_xseg.gui.predict.predicting import predictions_of
from napari_xseg.gui.predict.range_row import RangeRow
from napari_xseg.gui.telling import FLAG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari
    from napari.layers import Image

    from napari_xseg.gui.images import Images
    from napari_xseg.gui.predict.kept_masks import KeptMask
    from napari_xseg.gui.predict.prediction import Prediction

# Milliseconds after which a slice that is not there yet gets a bar, and between two looks.
PATIENCE, LOOK = 400, 200
WAITS = "Waits until the training ends"


class PredictDock(Dock):
    """Predicts the slice in view, a range, the volume, or other images, with a chosen model.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.predictions = predictions_of(self.session)
        self._repeat: Callable[[], None] | None = None
        self._repeating = False
        self._make_widgets()
        self._lay_out()
        self._connect()
        self._update()
        self.range_row.read()
        if self.predictions.current is not None:
            self._follow(self.predictions.current)
        self.session.warm_up()

    # -- widgets ------------------------------------------------------------

    def _make_widgets(self) -> None:
        session = self.session
        self.data = DataBar(session, labels=False, project=False)
        self.data.opener.take_drops(self)
        self.chooser = ModelChooser(session)
        self.options = OptionsForm(session)
        self.this_slice = make_button("&This slice", "Predict the slice in view (Ctrl+Enter).")
        self.follow = QCheckBox("Follow")
        self.follow.setToolTip("Predict each slice that you look at, into the layer preview.")
        self.follow.setChecked(session.live.follow)
        self.range_row = RangeRow(session)
        self.range, self.predict_range = self.range_row.field, self.range_row.button
        self.volume = make_button("Whole vol&ume", "Predict all slices into a mask of the project.")
        self.other = make_button("Oth&er", "Predict another layer, or a file or folder.")
        self.other_menu = OtherMenu(session, self._predict_other, self)
        self.other.setMenu(self.other_menu)
        self.bar = JobBar(session.jobs)
        self.bar.stop.setText("&Cancel")
        self.bar.stop.setToolTip("End after the slices under way. What is done is kept.")
        self.speed = QLabel()
        self.speed.setToolTip("Million pixels predicted in a second.")
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setToolTip("The slice that was asked for last.")
        self.warning = QLabel()
        self.warning.setWordWrap(True)
        self.warning.setToolTip("The images do not look like those that the model learnt from.")
        self.match = make_button(
            "Match intensit&y and predict again",
            "Map the grey values onto those of the training images, and do the same once more.",
        )
        self.fractions = Fractions()
        self.masks = MaskList(session)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK)
        self._patience = QTimer(self)
        self._patience.setInterval(PATIENCE)
        self._patience.setSingleShot(True)

    def _lay_out(self) -> None:
        fold = Fold("Options", self.options, tip="Confidence, grey values, region and device.")
        group = QGroupBox("Masks")
        inner = QVBoxLayout(group)
        inner.setContentsMargins(6, 4, 6, 6)
        inner.addWidget(self.masks)
        above = (self.data, self.chooser, self._what_group(), fold, self._warning_panel())
        fill(self, (*above, self.bar, self.speed, self.note, self.fractions, group))

    def _what_group(self) -> QGroupBox:
        group = QGroupBox("Predict")
        grid = QGridLayout(group)
        grid.setContentsMargins(6, 4, 6, 6)
        grid.setSpacing(4)
        grid.addWidget(self.this_slice, 0, 0)
        grid.addWidget(self.follow, 0, 1)
        grid.addWidget(self.volume, 1, 0)
        grid.addWidget(self.other, 1, 1)
        grid.addWidget(self.range_row, 2, 0, 1, 2)
        return group

    def _warning_panel(self) -> QFrame:
        self.warning_panel = QFrame()
        self.warning_panel.setFrameShape(QFrame.Shape.StyledPanel)
        inner = QVBoxLayout(self.warning_panel)
        inner.setContentsMargins(6, 6, 6, 6)
        inner.addWidget(self.warning)
        inner.addWidget(self.match)
        self.warning_panel.setVisible(False)
        return self.warning_panel

    def _connect(self) -> None:
        session = self.session
        self.listen(
            (session.image_changed, self._on_image),
            (session.model_changed, self._update),
            (session.project_changed, self._update),
            (session.layers_changed, self._update),
            (session.live.changed, self._show_follow),
            (self.predictions.changed, self._update),
            (self.predictions.finished, self._on_finished),
            (self.predictions.slice_shown, self._show_slice_fractions),
        )
        self.this_slice.clicked.connect(self.predict_slice)
        self.volume.clicked.connect(self.predict_volume)
        self.predict_range.clicked.connect(self.predict_named)
        self.range_row.changed.connect(self._update)
        self.follow.toggled.connect(self._set_follow)
        self.match.clicked.connect(self._match_and_repeat)
        self.masks.selected.connect(self._show_fractions_of)
        self.masks.rest_wanted.connect(self.predict_rest)
        self._timer.timeout.connect(self._look)
        self._patience.timeout.connect(self._follow_slice)
        for key in ("Ctrl+Return", "Ctrl+Enter"):
            QShortcut(
                QKeySequence(key),
                self,
                self.this_slice.click,
                context=Qt.ShortcutContext.WindowShortcut,
            )

    # -- what the user asks for ---------------------------------------------

    def predict_slice(self) -> None:
        """Predict the slice in view."""
        if self.bar.job is None:
            self.bar.say("")  # of what came before
        self._clear_fractions()
        self.guarded(lambda: self.predictions.look(self.options.value()))
        if self.predictions.looking is not None:
            self._patience.start()
            self._timer.start()

    def predict_volume(self) -> None:
        """Predict all slices of the image."""
        images = self.session.images
        self._start(tuple(range(0 if images is None else images.shape[0])))

    def predict_named(self) -> None:
        """Predict the slices that the range names."""
        self.guarded(lambda: self._start(self.range_row.value()))

    def predict_rest(self, mask: KeptMask) -> None:
        """Predict the missing slices of a mask, as the others were predicted."""

        def begin() -> None:
            prediction = self.predictions.go_on(mask)
            plan = prediction.plan
            self._follow(prediction)
            self._repeat = partial(self._start, plan.slices, plan.images, prediction.image)

        self.guarded(begin)

    def _predict_other(
        self, images: Images, layer: Image | None, out: Path | None, overwrite: bool
    ) -> None:
        self._start(tuple(range(images.shape[0])), images, layer, out, overwrite)

    def _start(
        self,
        slices: tuple[int, ...],
        images: Images | None = None,
        layer: Image | None = None,
        out: Path | None = None,
        overwrite: bool = False,
    ) -> None:
        def begin(overwrite: bool) -> None:
            prediction = self.predictions.start(
                slices,
                self.options.value(),
                images=images,
                layer=layer,
                out=out,
                overwrite=overwrite,
            )
            self._follow(prediction)

        # Done once more, it replaces what it has made itself.
        self._repeat = partial(begin, True) if out is not None else partial(begin, overwrite)
        self.guarded(lambda: begin(overwrite))

    def _follow(self, prediction: Prediction) -> None:
        """Show how far a prediction is; the figures of others go."""
        self._clear_fractions()
        self.bar.follow(prediction.job)
        prediction.job.events.connect(self._mend_words)
        prediction.job.ended.connect(self._say_kept)
        self._timer.start()

    def _match_and_repeat(self) -> None:
        self.options.match.setChecked(True)
        last, repeat = self.predictions.last, self._repeat
        if self.predictions.off_grey_values:
            self.predict_slice()
        elif last is not None and repeat is not None:
            self.session.layers.remove(last.layer, last.confidence)
            if self.predictions.current is None:
                self.guarded(repeat)
            else:
                self._repeating = True
                self.predictions.cancel()

    def _set_follow(self, on: bool) -> None:
        if on != self.session.live.follow:
            self.session.live.follow = on

    # -- what is shown ------------------------------------------------------

    def _show_follow(self) -> None:
        self.follow.setChecked(self.session.live.follow)

    def _update(self) -> None:
        session, current = self.session, self.predictions.current
        able = session.images is not None and self.chooser.info is not None
        self.this_slice.setEnabled(able and self.predictions.looking is None)
        self.follow.setEnabled(able or session.live.follow)
        self.volume.setEnabled(able and current is None)
        self.other.setEnabled(self.chooser.info is not None and current is None)
        self.predict_range.setEnabled(able and current is None and self.range_row.good)
        speed = 0.0 if current is None else current.megapixels_per_second
        self.speed.setText(f"{speed:.1f} Mpx/s")
        self.speed.setVisible(speed > 0)
        self._show_note()
        self._show_warning()

    def _show_note(self) -> None:
        words = self._waiting_words() or self.predictions.slice_note
        self.note.setText(words)
        self.note.setVisible(bool(words))

    def _waiting_words(self) -> str:
        """What the slice that was asked for waits for; empty where it does not."""
        current, looking = self.predictions.current, self.predictions.looking
        if current is None or looking is None or looking.state != "waiting":
            return ""
        words = f"Slice {self.predictions.looking_at} waits for the end of the prediction"
        return f"{words}, which is paused." if current.job.state == "paused" else f"{words}."

    def _show_warning(self) -> None:
        last = self.predictions.last
        off = self.predictions.off_grey_values or ("" if last is None else last.off_grey_values)
        self.warning.setText(off)
        self.warning_panel.setVisible(bool(off))

    def _mend_words(self, _: object = None) -> None:
        """There are no command line flags here."""
        words = self.bar.log.toolTip()
        if FLAG in words:
            self.bar.show_message(words.replace(FLAG, ""))

    def _look(self) -> None:
        """Say why a job does not begin; it tells nothing itself before."""
        self._show_note()
        training, job = self.session.training, self.bar.job
        if self.predictions.current is None and self.predictions.looking is None:
            self._timer.stop()
        elif job is not None and job.state == "waiting":
            behind = training is not None and not training.over
            self.bar.say(WAITS if behind else "Waits for another job")

    def _follow_slice(self) -> None:
        job = self.predictions.looking
        if job is not None and self.bar.job is None:
            self.bar.follow(job)
            job.ended.connect(self._forget_slice_job)
            self._timer.start()

    def _forget_slice_job(self) -> None:
        """Leave no "Stopped" behind a slice that is there: its job has no other end."""
        if self.predictions.slice_shares is not None:
            self.bar.say("")

    def _on_finished(self) -> None:
        last = self.predictions.last
        if last is None:
            return
        self.masks.refresh()
        self.masks.unselect()
        self.masks.select(last.path)
        if self.masks.value() is None and last.fractions:  # of no project, or left by a dead engine
            title = f"Fractions in {last.plan.title}"
            self.fractions.set_value(title, last.plan.info.classes, last.fractions)
        if self._repeating and self._repeat is not None:
            self._repeating = False
            self.guarded(self._repeat)

    def _say_kept(self) -> None:
        """After a stop, or the engine's death: how many slices there are."""
        last = self.predictions.last
        if last is None or (last.job.finished is not None and last.job.finished.reason == "done"):
            return
        mask = kept_mask(last.path)
        if mask.told:
            word = "Stopped" if last.job.error is None else "Not finished"
            self.bar.say(f"{word}: {mask.slices_words} slices are kept")

    def _on_image(self) -> None:
        self._clear_fractions()
        self.range_row.read()

    def _clear_fractions(self) -> None:
        self.masks.unselect()
        self.fractions.clear()

    def _show_fractions_of(self, path: Path | None) -> None:
        if path is None:
            self.fractions.clear()
        else:
            self.fractions.show_mask(path)

    def _show_slice_fractions(self) -> None:
        found = self.predictions.slice_shares
        if found is not None and self.predictions.current is None:
            self.fractions.set_value(found.of, found.classes, found.shares)

    def let_go(self) -> None:
        """Listen no more; what runs goes on."""
        current = self.predictions.current
        if current is not None:
            current.job.events.disconnect(self._mend_words, missing_ok=True)
            current.job.ended.disconnect(self._say_kept, missing_ok=True)
        self.bar.follow(None)
        self._timer.stop()
        self._patience.stop()
        for part in (self.data, self.chooser, self.options, self.masks):
            part.leave()

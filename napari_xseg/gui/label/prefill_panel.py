"""Pre-fill this slice: choose from what, and where; see it; take it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari.layers import Shapes
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.data.prefill import guess_cuts
from napari_xseg.errors import XsegError
from napari_xseg.gui.dock import Links, guarded, looks
from napari_xseg.gui.forms import Choice, make_button
from napari_xseg.gui.label.cut_editor import CutEditor
from napari_xseg.gui.label.prefill import Prefill
from napari_xseg.gui.layers import kind_of

if TYPE_CHECKING:
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_xseg.gui.session import Session

GREY, MODEL = "grey values", "the model"
WHOLE = "the whole slice"
# Milliseconds without a further change before the slice is looked at again.
CALM = 60


class PrefillPanel(QWidget):
    """Shows a mask for the slice in view while it is seen, and takes it when told to.

    Attributes
    ----------
    prefill : Prefill
        What it works with.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.prefill = Prefill(session)
        self._guarded = partial(guarded, session)
        self._z = session.z
        self._calm = QTimer(self)
        self._calm.setSingleShot(True)
        self._calm.setInterval(CALM)
        self._calm.timeout.connect(self._look)
        self._make_widgets()
        self._lay_out()
        self._connect()
        self._on_classes()
        self._on_layers()
        self._on_source()

    # -- widgets ------------------------------------------------------------

    def _make_widgets(self) -> None:
        self.source = Choice()
        self.source.addItems([GREY, MODEL])
        self.source.setToolTip(
            "Grey values: each class is a range of them. The model: the mask that the chosen model "
            "gives this slice."
        )
        self.region = Choice()
        self.region.setToolTip(
            "Fill the whole slice, or only inside the polygons, rectangles and ellipses that a "
            "Shapes layer has on this slice."
        )
        self.new_region = make_button(
            "New region", "Draw a polygon around the part to be filled: click its corners."
        )
        self.cuts = CutEditor()
        self.guess = make_button(
            "Guess", "Put the cuts where they part the grey values of this slice best."
        )
        self.preview = QCheckBox("Preview")
        self.preview.setChecked(True)
        self.preview.setToolTip("Show on the picture what Apply would label.")
        self.apply = make_button(
            "Appl&y", "Label the pixels that are not labelled yet; Ctrl+Z takes it back."
        )
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.hint.hide()

    def _lay_out(self) -> None:
        where = QHBoxLayout()
        where.addWidget(self.region, 1)
        where.addWidget(self.new_region)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Fro&m", self.source)
        form.addRow("Insi&de", where)
        inside = form.labelForField(where)
        if isinstance(inside, QLabel):
            inside.setBuddy(self.region)
        buttons = QHBoxLayout()
        buttons.addWidget(self.preview)
        buttons.addStretch(1)
        buttons.addWidget(self.guess)
        buttons.addWidget(self.apply)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self.cuts)
        layout.addWidget(self.hint)
        layout.addLayout(buttons)

    def _connect(self) -> None:
        self.source.currentIndexChanged.connect(self._on_source)
        self.region.activated.connect(self._on_region)
        self.new_region.clicked.connect(self._on_new_region)
        self.cuts.value_changed.connect(self._on_cuts)
        self.guess.clicked.connect(self._on_guess)
        self.preview.toggled.connect(self._on_preview)
        self.apply.clicked.connect(self._on_apply)
        self.prefill.looked.connect(self._on_look)
        self.prefill.failed.connect(self._say)
        self.prefill.changed.connect(self._on_mask)
        session = self.session
        self._links = Links(
            (session.image_changed, self._on_image),
            (session.classes_changed, self._on_classes),
            (session.model_changed, self._on_model),
            (session.layers_changed, self._on_layers),
            (session.slices_changed, self._on_strokes),
            *((event, self._on_dims) for event in looks(session)),
        )

    def leave(self) -> None:
        """Let go of the session: the window closes, or the dock."""
        self._calm.stop()
        self._watch_region(None)
        self.prefill.close()
        self._links.leave()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Look at the slice when the panel opens."""
        super().showEvent(event)
        self._calm.start()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Take the preview away with the panel."""
        super().hideEvent(event)
        if event is not None and not event.spontaneous():
            self.prefill.hide()

    # -- what the user does -------------------------------------------------

    @property
    def from_model(self) -> bool:
        """Whether the mask is a model's."""
        return self.source.currentText() == MODEL

    def _on_source(self, _: int = 0) -> None:
        self.cuts.setVisible(not self.from_model)
        self.guess.setVisible(not self.from_model)
        self.prefill.hide()
        self._calm.start()

    def _on_region(self, _: int = 0) -> None:
        self._watch_region(self.region.currentData())
        self.prefill.hide()
        self._calm.start()

    def _on_new_region(self) -> None:
        self._guarded(self._draw_region)

    def _draw_region(self) -> None:
        self.session.require_images()
        assert self.session.image is not None
        layer = self.session.layers.add_region(self.session.image)
        self.region.setCurrentIndex(self.region.findData(layer))
        self._on_region()
        self._say("Click the corners of the region in the picture, and the last one twice.")

    def _on_cuts(self) -> None:
        if self.preview.isChecked():
            self.prefill.cut(*self.cuts.value())

    def _on_guess(self) -> None:
        self.cuts.set_value((), self.cuts.value()[1])
        self._look()

    def _on_preview(self, on: bool) -> None:
        self.prefill.preview = on
        if not on:
            self.prefill.hide()
        self._calm.start()

    def _on_apply(self) -> None:
        self._guarded(self._apply)

    def _apply(self) -> None:
        if self.prefill.apply():
            return
        if self.from_model:
            self.prefill.predict()
        else:
            self.prefill.read()

    # -- what changes elsewhere ---------------------------------------------

    def _on_dims(self, _: object = None) -> None:
        z = self.session.z
        if z != self._z:
            self._z = z
            self.prefill.hide()
            self._calm.start()

    def _on_image(self) -> None:
        self.prefill.hide()
        self.prefill.look = None
        self.cuts.set_histogram(None)
        self.cuts.set_value((), self.cuts.value()[1])
        self._calm.start()

    def _on_classes(self) -> None:
        self.cuts.set_classes(self.session.classes)
        self.prefill.hide()
        self._calm.start()

    def _on_model(self) -> None:
        if self.from_model:
            self.prefill.hide()
            self._calm.start()

    def _on_strokes(self, slices: frozenset[int]) -> None:
        if self.session.z in slices:
            self.prefill.redraw()

    def _on_layers(self) -> None:
        kept = self.prefill.region
        layers = [layer for layer in self.session.viewer.layers if _may_be_region(layer)]
        self.region.blockSignals(True)
        self.region.clear()
        self.region.addItem(WHOLE, None)
        for layer in layers:
            self.region.addItem(layer.name, layer)
        self.region.setCurrentIndex(layers.index(kept) + 1 if kept in layers else 0)
        self.region.blockSignals(False)
        if kept is not None and kept not in layers:
            self._on_region()

    def _watch_region(self, layer: Shapes | None) -> None:
        if self.prefill.region is not None:
            self.prefill.region.events.data.disconnect(self._on_drawn)
        self.prefill.region = layer
        if layer is not None:
            layer.events.data.connect(self._on_drawn)

    def _on_drawn(self, _: object = None) -> None:
        self._calm.start()

    # -- looking ------------------------------------------------------------

    def _look(self) -> None:
        self._z = self.session.z
        if not self.isVisible():
            return
        self._say(None)
        try:
            if not self.from_model:
                self.prefill.read()
            elif self.preview.isChecked():
                self.prefill.predict()
        except XsegError as error:
            self.prefill.hide()
            self.cuts.set_histogram(None)
            self._say(error)

    def _on_look(self) -> None:
        look = self.prefill.look
        if look is None or look.z != self.session.z:
            return
        self.cuts.set_histogram(look.histogram)
        cuts, order = self.cuts.value()
        if look.histogram is None:
            self._say("There are no finite pixels here.")
            return
        if len(cuts) != len(order) - 1:
            self.cuts.set_value(guess_cuts(look.histogram, len(order)), order)
        if self.preview.isChecked() or self.prefill.waiting:
            self.prefill.cut(*self.cuts.value())

    def _on_mask(self) -> None:
        if self.prefill.mask_at(self.session.z) is not None:
            self._say(None)

    def _say(self, text: object) -> None:
        self.hint.setText("" if text is None else str(text))
        self.hint.setVisible(text is not None)


def _may_be_region(layer: object) -> bool:
    return isinstance(layer, Shapes) and kind_of(layer) in (None, "region")

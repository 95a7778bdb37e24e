"""The Label dock: from a raw image to labelled slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize
from qtpy.QtWidgets import (
    QGridLayout,
    QGroupBox,
    QLabel,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.errors import XsegError
from napari_xseg.gui.data_bar import DataBar
from napari_xseg.gui.dock import Dock, looks
from napari_xseg.gui.forms import Fold, fill, make_button
from napari_xseg.gui.in_front import WhenSeen
from napari_xseg.gui.label.brush_bar import BrushBar
from napari_xseg.gui.label.class_chooser import ClassChooser
from napari_xseg.gui.label.label_keys import bind_class_keys, choose_class, chosen_class
from napari_xseg.gui.label.next_slice import NextSlicePanel
from napari_xseg.gui.label.prefill_panel import PrefillPanel
from napari_xseg.gui.label.slice_edits import accept_slice, clear_slice, copy_slice

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

# Cleared without a question: what a few strokes make again.
FEW_PIXELS = 500
# Milliseconds between two updates of the counts while a stroke is drawn.
PACE = 40
WIDTH = 350
FLAT = "The label tools work on one slice: leave the 3D display, and look along z."


class LabelDock(Dock):
    """Choose a class, paint it, pre-fill slices, accept and copy them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._layer: Labels | None = None
        self._counting = WhenSeen(self, self._count, PACE)
        self._make_widgets()
        self._lay_out()
        self._connect()
        self._on_classes()
        self._on_labels()
        self._on_dims()

    def _make_widgets(self) -> None:
        self.data = DataBar(self.session)
        self.classes = ClassChooser()
        self.brush = BrushBar(self._layer_to_paint)
        self.prefill = PrefillPanel(self.session)
        self.fold = Fold(
            "Pre-fill this slice",
            self.prefill,
            tip="Labels from grey values or a mask, for pixels that nobody has painted.",
        )
        self.next_slice = NextSlicePanel(self.session)
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.flat = QLabel(FLAT)
        self.flat.setWordWrap(True)
        self.accept = make_button(
            "Accep&t slice as labelled",
            "Take the mask that is shown, pre-filled or a model's, into all pixels of this slice "
            "that are not labelled yet.",
        )
        self.previous = make_button(
            "Copy to pre&vious",
            "Copy these labels to the slice before, where it has none, and go there.",
        )
        self.next = make_button(
            "Copy to ne&xt",
            "Copy these labels to the slice behind, where it has none, and go there.",
        )
        self.clear = make_button(
            "&Clear slice", "Remove all labels of this slice; Ctrl+Z brings back."
        )
        self.save = make_button(
            "Save what is not on dis&k yet",
            "The disk was full or gone: what was painted since is in memory alone. Make room, "
            "then press this.",
        )

    def _lay_out(self) -> None:
        self.tools = QWidget()
        self.slice_box = QGroupBox("This slice")
        grid = QGridLayout(self.slice_box)
        grid.setContentsMargins(6, 6, 6, 6)
        grid.addWidget(self.accept, 0, 0, 1, 2)
        grid.addWidget(self.previous, 1, 0)
        grid.addWidget(self.next, 1, 1)
        grid.addWidget(self.clear, 2, 0, 1, 2)
        tools = QVBoxLayout(self.tools)
        tools.setContentsMargins(0, 0, 0, 0)
        for part in (self.classes, self.brush, self.fold, self.slice_box, self.next_slice):
            tools.addWidget(part)
        fill(self, (self.data, self.status, self.save, self.flat, self.tools))
        self.data.opener.take_drops(self)

    def _connect(self) -> None:
        session = self.session
        self.classes.chosen.connect(self._on_chosen)
        self.accept.clicked.connect(lambda: self.guarded(self._accept))
        self.previous.clicked.connect(lambda: self.guarded(lambda: copy_slice(session, -1)))
        self.next.clicked.connect(lambda: self.guarded(lambda: copy_slice(session, 1)))
        self.clear.clicked.connect(lambda: self.guarded(lambda: clear_slice(session, self._sure)))
        self.save.clicked.connect(lambda: self.guarded(self._save))
        self.listen(
            (session.labels_changed, self._on_labels),
            (session.classes_changed, self._on_classes),
            (session.slices_changed, self._counting.soon),
            (session.image_changed, self._on_dims),
            *((event, self._on_dims) for event in looks(session)),
        )

    def sizeHint(self) -> QSize:
        """As wide as its content needs, so that the picture keeps the room."""
        return QSize(WIDTH, super().sizeHint().height())

    # -- what the user does -------------------------------------------------

    def _on_chosen(self, index: int) -> None:
        layer = self._layer_to_paint()
        if layer is not None:
            choose_class(layer, index)
            self._show_choice()

    def _layer_to_paint(self) -> Labels | None:
        """The labels layer, made where there is none, and active so that strokes reach it."""
        try:
            return self.session.new_labels()
        except XsegError as error:
            self.session.show_error(error)
            self._show_choice()
            return None

    def _accept(self) -> None:
        self.session.notify(accept_slice(self.session, self.prefill.prefill))

    def _save(self) -> None:
        if self.session.save_strokes():
            self.session.notify("What you painted is on disk.")
        else:
            self.session.warn(
                "What you painted still cannot be written: is the project's folder there, is there "
                f"room on its disk? ({self.session.project_folder})"
            )
        self._count()

    def _sure(self, z: int, pixels: int) -> bool:
        if pixels <= FEW_PIXELS:
            return True
        answer = QMessageBox.question(
            self, "napari-xseg", f"Remove the labels of {pixels:,} pixels from slice {z}?"
        )
        return bool(answer == QMessageBox.StandardButton.Yes)

    # -- what changes elsewhere ---------------------------------------------

    def _on_labels(self) -> None:
        self._watch(self.session.labels)
        self.brush.set_layer(self._layer)
        self._show_choice()
        self._counting.now()

    def _watch(self, layer: Labels | None) -> None:
        if self._layer is not None:
            self._layer.events.selected_label.disconnect(self._show_choice)
            self._layer.events.mode.disconnect(self._show_choice)
        self._layer = layer
        if layer is not None:
            bind_class_keys(layer)
            layer.events.selected_label.connect(self._show_choice)
            layer.events.mode.connect(self._show_choice)

    def _show_choice(self, _: object = None) -> None:
        if self._layer is None:
            self.classes.clearSelection()
        else:
            self.classes.set_value(chosen_class(self._layer))

    def _on_classes(self) -> None:
        self.classes.set_classes(self.session.classes)
        if self._layer is not None and self._layer.selected_label > len(self.session.classes):
            self._layer.selected_label = len(self.session.classes)
        self._show_choice()
        self._counting.now()

    def _on_dims(self, _: object = None) -> None:
        flat = self.session.image is None or self.session.z is not None
        self.flat.setVisible(not flat)
        self.tools.setEnabled(flat and self.session.image is not None)
        self._counting.now()

    def _count(self) -> None:
        store, z = self.session.store, self.session.z
        try:
            here = None if store is None or z is None else store.counts(z)
        except XsegError as error:
            self.session.show_error(error)
            here = None
        self.classes.set_counts(here, None if store is None else store.totals())
        self.save.setVisible(store is not None and store.pending)
        self.status.setText(self._in_words(z, None if here is None else int(here[0])))

    def _in_words(self, z: int | None, unlabelled: int | None) -> str:
        store = self.session.store
        if self.session.images is None:
            return "Open an image to begin: press Open, or drop files here."
        if store is None:
            return "No labels yet: choose a class and paint, or pre-fill the slice."
        count = len(store.labelled)
        words = f"{count} of {store.shape[0]} slices labelled"
        if z is None or unlabelled is None:
            return f"{words}."
        pixels = store.shape[1] * store.shape[2]
        return f"{words}. Slice {z}: {_percent(pixels - unlabelled, pixels)} of it is labelled."

    # -- the end ------------------------------------------------------------

    def let_go(self) -> None:
        """Listen to the layer no more either."""
        self._watch(None)
        self.brush.set_layer(None)
        self.prefill.leave()
        self.next_slice.leave()
        self.data.leave()


def _percent(part: int, whole: int) -> str:
    """A share in words that never rounds to all or nothing where it is neither."""
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "less than 0.1 %"
    if 99.9 < share < 100:
        return "more than 99.9 %"
    return f"{share:.3g} %"

"""Masks that were predicted earlier: shown again, saved elsewhere, deleted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices, QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QMessageBox,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.data.formats.atomic import remove
from napari_xseg.errors import XsegError
from napari_xseg.gui.dock import Links
from napari_xseg.gui.forms import make_button
from napari_xseg.gui.images import images_of
from napari_xseg.gui.predict.kept_masks import (
    CONFIDENCE,
    KeptMask,
    dates,
    kept_mask,
    kept_masks,
)
from napari_xseg.gui.predict.mask_layers import (
    FilePlanes,
    MaskFile,
    file_of,
    layers_on,
    open_mask,
)
from napari_xseg.gui.predict.mask_saving import MaskSaving
from napari_xseg.gui.predict.predicting import predictions_of
from napari_xseg.gui.predict.prediction import add_confidence, layer_name
from napari_xseg.gui.predict.rest import rest_plan
from napari_xseg.prediction.sidecar import is_unfinished, remove_unfinished, sidecar_path

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Call

FILTERS = "TIFF (*.tif *.tiff);;OME-Zarr (*.zarr)"
PATH = Qt.ItemDataRole.UserRole
# Pixels of the list: its buttons are to be seen below it, on small screens too.
LOWEST, HIGHEST = 72, 110


class MaskList(QWidget):
    """The masks of the project, newest first; emits `selected` with the path of one, or None.

    `rest_wanted` comes with a KeptMask whose missing slices are asked for.
    """

    selected = Signal(object)
    rest_wanted = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.saving = MaskSaving(session)
        self._make_widgets()
        self._predictions = predictions_of(session)
        self._links = Links(
            (session.project_changed, self.refresh),
            (session.model_changed, self._show_rest),
            (session.layers_changed, self._show_rest),
            (self._predictions.changed, self._show_rest),
        )
        self.refresh()

    def leave(self) -> None:
        """Let go of the session: the window closes, or the dock."""
        self._links.leave()

    def _make_widgets(self) -> None:
        self.list = QTreeWidget()
        self.list.setHeaderLabels(["Mask", "Slices", "Made"])
        self.list.setRootIsDecorated(False)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setToolTip(
            "Masks of this project, and how many of their slices are predicted. A double click or "
            "Enter shows one."
        )
        self.list.setMinimumHeight(LOWEST)
        self.list.setMaximumHeight(HIGHEST)
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.list.itemSelectionChanged.connect(self._on_selection)
        self.list.itemActivated.connect(lambda *_: self.show_selected())
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        self.show_button = self._button(
            buttons, "Show", "Show the mask as a layer, read as it is looked at.", "show_selected"
        )
        self.save_button = self._button(
            buttons, "&Save...", "Save it as TIFF or OME-Zarr, with the file beside it.", "save_as"
        )
        self.reveal_button = self._button(
            buttons, "Reveal", "Open the folder that it lies in.", "reveal"
        )
        self.delete_button = self._button(
            buttons, "Delete", "Delete it from the disk; asks first.", "delete"
        )
        self.rest_button = QPushButton("Predict the rest")
        self.rest_button.setToolTip("Predict the slices that are missing, as the others were.")
        self.rest_button.clicked.connect(self._ask_for_rest)
        QShortcut(
            QKeySequence(QKeySequence.StandardKey.Delete),
            self.list,
            self.delete,
            context=Qt.ShortcutContext.WidgetShortcut,
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.list)
        layout.addLayout(buttons)
        layout.addWidget(self.rest_button)
        layout.addWidget(self.saving)

    def _button(self, row: QHBoxLayout, text: str, tip: str, slot: str) -> QPushButton:
        button = make_button(text, tip)
        button.clicked.connect(lambda: getattr(self, slot)())
        row.addWidget(button)
        return button

    # -- the list -----------------------------------------------------------

    def value(self) -> Path | None:
        """The mask that is selected."""
        item = self.list.currentItem()
        return Path(item.data(0, PATH)) if item is not None and item.isSelected() else None

    def select(self, path: Path) -> None:
        """Select a mask; nothing where it is not in the list."""
        for row in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(row)
            if item is not None and item.data(0, PATH) == str(path):
                self.list.setCurrentItem(item)

    def refresh(self) -> None:
        """Read the project's folder anew; the selection stays where it can."""
        chosen, project = self.value(), self.session.project
        self.list.blockSignals(True)
        self.list.clear()
        if project is not None:
            masks = kept_masks(project)
            for mask, date in zip(masks, dates(masks), strict=True):
                self._add(mask, date)
        self.list.blockSignals(False)
        if chosen is not None:
            self.select(chosen)
        self._on_selection()

    def _add(self, mask: KeptMask, date: str) -> None:
        item = QTreeWidgetItem([mask.title, mask.slices_words, date])
        item.setData(0, PATH, str(mask.path))
        item.setToolTip(0, f"{mask.title}\n{mask.path}")
        if mask.can_be_gone_on_with:
            item.setToolTip(1, "So many slices are predicted; Predict the rest does the others.")
        self.list.addTopLevelItem(item)

    def _on_selection(self) -> None:
        path = self.value()
        readable = path is not None and _is_readable(path)
        self.show_button.setEnabled(readable)
        self.save_button.setEnabled(readable and not self.saving.active)
        for button in (self.reveal_button, self.delete_button):
            button.setEnabled(path is not None)
        self._show_rest()
        self.selected.emit(path)

    def _show_rest(self) -> None:
        """Offer to predict what is missing; where it cannot be, the tooltip says why."""
        path = self.value()
        mask = None if path is None else kept_mask(path)
        self.rest_button.setVisible(mask is not None and mask.can_be_gone_on_with)
        if mask is None or not mask.can_be_gone_on_with:
            return
        missing = len(mask.wanted) - len(mask.done)
        words, able = f"Predict the {missing:,} slices that are missing, as the others were.", True
        if self._predictions.current is not None:
            words, able = "A prediction is under way: wait for its end, or press Cancel.", False
        else:
            try:
                rest_plan(self.session, mask)
            except XsegError as error:
                words, able = str(error), False
        self.rest_button.setToolTip(words)
        self.rest_button.setEnabled(able)

    def _ask_for_rest(self) -> None:
        path = self.value()
        if path is not None:
            self.rest_wanted.emit(kept_mask(path))

    def unselect(self) -> None:
        """Select no mask."""
        self.list.clearSelection()

    # -- what is done with a mask -------------------------------------------

    def show_selected(self) -> None:
        """Show the selected mask, or bring its layer to the front where it is shown."""
        path = self.value()
        if path is None or not _is_readable(path):
            return
        layer = layer_of(self.session, path)
        if layer is not None:
            self.session.layers.select(layer)
        bring_mask(self.session, path)

    def save_as(self) -> None:
        """Ask for a name and save the selected mask there, in the background."""
        path = self.value()
        if path is None:
            return
        name, kind = QFileDialog.getSaveFileName(
            self,
            "Save the mask",
            str(Path.home() / f"{kept_mask(path).file_name}.tif"),
            FILTERS,
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if not name:
            return
        target = Path(name)
        if target.suffix.casefold() not in (".tif", ".tiff", ".zarr"):
            target = target.with_name(target.name + (".zarr" if "zarr" in kind else ".tif"))
        if target.exists() and not _ask(self, "Replace", f"{target} is there already. Replace it?"):
            return
        try:
            self.saving.start(path, target, overwrite=target.exists())
        except XsegError as error:
            self.session.show_error(error)

    def reveal(self) -> None:
        """Open the folder of the selected mask in the system's file browser."""
        path = self.value()
        if path is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))

    def delete(self) -> None:
        """Delete the selected mask with what lies beside it, when the user says so."""
        path = self.value()
        if path is None or not _ask(
            self, "Delete", f"Delete the mask {kept_mask(path).title}? It cannot be brought back."
        ):
            return
        self.session.layers.remove(*layers_on(self.session, kept_mask(path)))
        if is_unfinished(path):
            remove_unfinished(path)
        else:
            sure = path.with_name(f"{path.stem}{CONFIDENCE}{path.suffix}")
            for file in (path, sidecar_path(path), sure):
                remove(file)
        self.refresh()
        if path.exists():
            self.session.show_error(
                XsegError(f"{path}: cannot be deleted; close what uses it, or ask its owner.")
            )


def layer_of(session: Session, path: Path) -> Labels | None:
    """The layer that shows a mask file."""
    for layer in session.layers.of_kind("mask"):
        if file_of(layer) == path:
            return layer
    return None


def bring_mask(session: Session, path: Path) -> Call[MaskFile] | None:
    """Show a mask file; None where a layer shows it already, which can be seen then.

    Otherwise it is opened in the background, and what is wrong with it is told.
    """
    layer = layer_of(session, path)
    if layer is not None:
        session.layers.set_visible(layer, True)
        return None

    def show(mask: MaskFile) -> None:
        if layer_of(session, mask.path) is None:
            show_mask(session, mask)

    call = session.jobs.call(lambda: open_mask(path))
    call.returned.connect(show)
    call.failed.connect(session.show_error)
    return call


def show_mask(session: Session, mask: MaskFile) -> Labels:
    """Show a mask, and its confidences, on the image that it was made from."""
    image = _image_of(session, mask)
    shape = mask.shape_on(None if image is None else images_of(image).shape)
    title = kept_mask(mask.path).title
    if mask.confidence is not None:
        sure = FilePlanes(shape, mask.slices, mask.confidence, on_fault=session.show_error)
        path = str(mask.confidence)
        add_confidence(session, sure, layer_name(session, "confidence", title), image, path=path)
    planes = FilePlanes(
        shape, mask.slices, mask.path, classes=mask.classes, on_fault=session.show_error
    )
    return session.layers.add_classes(
        planes,
        mask.classes,
        kind="mask",
        name=layer_name(session, "mask", title, mask.path),
        image=image,
        path=str(mask.path),
        model=mask.model,
    )


def _image_of(session: Session, mask: MaskFile) -> Image | None:
    """The layer that the mask was made from; else the chosen one where it fits."""
    for layer in session.layers.images():
        try:
            images = images_of(layer)
        except XsegError:  # such as a colour image
            continue
        if images.volume.uri == mask.images and mask.fits(images.shape):
            return layer
    if session.images is not None and mask.fits(session.images.shape):
        return session.image
    return None


def _is_readable(path: Path) -> bool:
    """Whether it is known what the values of a mask mean."""
    return not is_unfinished(path) or kept_mask(path).told


def _ask(parent: QWidget, title: str, text: str) -> bool:
    yes = QMessageBox.StandardButton.Yes
    return QMessageBox.question(parent, title, text) == yes

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
from napari_xseg.data.runs_list import split_name
from napari_xseg.errors import XsegError
from napari_xseg.gui.dock import Links
from napari_xseg.gui.forms import make_button
from napari_xseg.gui.images import images_of
from napari_xseg.gui.layers import KEY
from napari_xseg.gui.predict.mask_layers import FilePlanes, MaskFile, open_mask
from napari_xseg.gui.predict.mask_saving import MaskSaving
from napari_xseg.gui.predict.prediction import CONFIDENCE, add_confidence
from napari_xseg.prediction.sidecar import remove_unfinished, sidecar_path, unfinished_masks

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Call

FILTERS = "TIFF (*.tif *.tiff);;OME-Zarr (*.zarr)"
PATH = Qt.ItemDataRole.UserRole


class MaskList(QWidget):
    """The masks of the project, newest first; emits `selected` with the path of one, or None."""

    selected = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.saving = MaskSaving(session)
        self._make_widgets()
        self._links = Links((session.project_changed, self.refresh))
        self.refresh()

    def leave(self) -> None:
        """Let go of the session: the window closes, or the dock."""
        self._links.leave()

    def _make_widgets(self) -> None:
        self.list = QTreeWidget()
        self.list.setHeaderLabels(["Mask", "Made"])
        self.list.setRootIsDecorated(False)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setToolTip("Masks of this project. A double click or Enter shows one.")
        self.list.setMinimumHeight(90)
        self.list.setMaximumHeight(160)
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
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
            for path in project.masks():
                if not path.stem.endswith(CONFIDENCE):
                    self._add(path, *_words(path))
            for path in unfinished_masks(project.folder / "masks"):
                self._add(path, f"{_words(path)[0]} (unfinished)", "")
        self.list.blockSignals(False)
        if chosen is not None:
            self.select(chosen)
        self._on_selection()

    def _add(self, path: Path, name: str, date: str) -> None:
        item = QTreeWidgetItem([name, date])
        item.setData(0, PATH, str(path))
        item.setToolTip(0, str(path))
        self.list.addTopLevelItem(item)

    def _on_selection(self) -> None:
        path = self.value()
        whole = path is not None and not path.name.startswith(".")
        self.show_button.setEnabled(whole)
        self.save_button.setEnabled(whole and not self.saving.active)
        for button in (self.reveal_button, self.delete_button):
            button.setEnabled(path is not None)
        self.selected.emit(path)

    # -- what is done with a mask -------------------------------------------

    def show_selected(self) -> None:
        """Show the selected mask, or bring its layer to the front where it is shown."""
        path = self.value()
        if path is None or path.name.startswith("."):
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
            str(Path.home() / f"{_words(path)[0]}.tif"),
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
            self, "Delete", f"Delete the mask {_words(path)[0]}? It cannot be brought back."
        ):
            return
        self.session.layers.remove(*self._layers_on(path))
        if path.name.startswith("."):
            remove_unfinished(path)
        else:
            for file in (path, sidecar_path(path), _confidence(path)):
                remove(file)
        self.refresh()
        if path.exists():
            self.session.show_error(
                XsegError(f"{path}: cannot be deleted; close what uses it, or ask its owner.")
            )

    def _layers_on(self, path: Path) -> list[Labels]:
        named = {str(path), str(_confidence(path))}
        return [
            layer
            for layer in self.session.viewer.layers
            if layer.metadata.get(KEY, {}).get("path") in named
        ]


def layer_of(session: Session, path: Path) -> Labels | None:
    """The layer that shows a mask file."""
    for layer in session.layers.of_kind("mask"):
        if layer.metadata[KEY].get("path") == str(path):
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
    name = mask.model_name and split_name(Path(mask.model_name))[1]
    if mask.confidence is not None:
        sure = FilePlanes(shape, mask.slices, mask.confidence, on_fault=session.show_error)
        path = str(mask.confidence)
        add_confidence(session, sure, f"confidence {name}".strip(), image, path=path)
    planes = FilePlanes(
        shape, mask.slices, mask.path, classes=mask.classes, on_fault=session.show_error
    )
    return session.layers.add_classes(
        planes,
        mask.classes,
        kind="mask",
        name=f"mask {name}".strip(),
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


def _confidence(path: Path) -> Path:
    return path.with_name(f"{path.stem}{CONFIDENCE}{path.suffix}")


def _words(path: Path) -> tuple[str, str]:
    """Name and date of a mask, by its file."""
    date, name = split_name(path.with_name(path.stem.removeprefix(".")))
    return name, f"{date:%d %b %H:%M}"


def _ask(parent: QWidget, title: str, text: str) -> bool:
    yes = QMessageBox.StandardButton.Yes
    return QMessageBox.question(parent, title, text) == yes

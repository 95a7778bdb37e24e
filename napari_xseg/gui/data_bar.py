"""What a dock works on: the image, its labels, and the folder that keeps them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QFileDialog,
    QGridLayout,
    QLabel,
    QMenu,
    QPushButton,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)
from superqt import QElidingLabel

from napari_xseg.errors import XsegError
from napari_xseg.gui.convert_dialog import ConvertDialog, label_values
from napari_xseg.gui.dock import Links, guarded
from napari_xseg.gui.forms import Choice
from napari_xseg.gui.images import images_of
from napari_xseg.gui.layers import classes_of, kind_of
from napari_xseg.gui.open_files import Opener, may_replace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.layers import Labels

    from napari_xseg.gui.session import Session

# Pixels of a list's field that its text leaves free.
MARGIN = 4
NO_IMAGE, NO_LABELS = "no image yet", "no labels yet"


class LayerChoice(Choice):
    """A list of layers; of a name too long for it, the middle is left out: ends tell apart.

    Parameters
    ----------
    tip : str
        What is chosen here; the tooltip has the whole name before it.
    """

    def __init__(self, tip: str) -> None:
        super().__init__()
        self._tip = tip
        self.show_name()

    def show_name(self) -> None:
        """Have the tooltip say the name of the chosen layer."""
        name = self.currentText() if self.currentData() is not None else ""
        self.setToolTip(f"{name}\n{self._tip}" if name else self._tip)

    def shown_text(self) -> str:
        """The name as far as there is room for it."""
        return self._option().currentText

    def _option(self) -> QStyleOptionComboBox:
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        style = self.style()
        assert style is not None
        room = style.subControlRect(
            QStyle.ComplexControl.CC_ComboBox,
            option,
            QStyle.SubControl.SC_ComboBoxEditField,
            self,
        )
        option.currentText = self.fontMetrics().elidedText(
            option.currentText, Qt.TextElideMode.ElideMiddle, room.width() - MARGIN
        )
        return option

    def paintEvent(self, _: object) -> None:
        """Draw the name as `shown_text` has it."""
        painter, option = QStylePainter(self), self._option()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


class DataBar(QWidget):
    """Shows and changes image, labels and project folder of a session.

    Parameters
    ----------
    session : Session
    labels, project : bool
        Whether these rows are shown.

    Attributes
    ----------
    opener : Opener
        Opens files; `opener.take_drops(dock)` has a dock take drops.
    """

    def __init__(
        self,
        session: Session,
        *,
        labels: bool = True,
        project: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session = session
        self.opener = Opener(session, self)
        self._guarded = partial(guarded, session)
        self._make_widgets()
        self._lay_out(labels, project)
        self.image.activated.connect(lambda _: self._guarded(self._choose_image))
        self.labels.activated.connect(lambda _: self._guarded(self._choose_labels))
        self.new.clicked.connect(lambda: self._guarded(session.new_labels))
        self.change.clicked.connect(lambda: self._guarded(self._change_folder))
        self.opener.busy_changed.connect(self._show_busy)
        self._links = Links(
            (session.layers_changed, self._on_layers),
            (session.image_changed, self._show),
            (session.labels_changed, self._show),
            (session.project_changed, self._show_project),
        )
        self._choose_first()
        self._show()

    def leave(self) -> None:
        """Let go of the session: the window closes, or the dock."""
        self._links.leave()

    def _make_widgets(self) -> None:
        self.image = LayerChoice("The image that is labelled, trained on and predicted.")
        self.labels = LayerChoice(
            "The labels that are painted and trained on. Labels of another program are copied "
            "into the project; their values are asked for once."
        )
        self.open = QPushButton("&Open")
        self.open.setToolTip(
            "Open images, images with their labels, or a project. Files and folders can be "
            "dropped on this dock as well."
        )
        self.menu = QMenu(self.open)
        for text, choose in (
            ("&File...", self._ask_file),
            ("F&older...", partial(self._ask_folder, "Open a folder of images")),
            ("&Project...", partial(self._ask_folder, "Open a project (its folder ends in -xseg)")),
        ):
            action = self.menu.addAction(text)
            assert action is not None
            action.triggered.connect(partial(self._open_chosen, choose))
        self.open.setMenu(self.menu)
        self.new = QPushButton("&New")
        self.new.setToolTip("Make a labels layer on the image's grid, or bring back the project's.")
        self.folder = QElidingLabel()
        self.folder.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.change = QPushButton("Chan&ge...")
        self.change.setToolTip(
            "Keep the project of this image in another folder. A project that is there is opened."
        )

    def _lay_out(self, labels: bool, project: bool) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        rows: list[tuple[str, QWidget, QWidget, bool]] = [
            ("&Image", self.image, self.open, True),
            ("L&abels", self.labels, self.new, labels),
            ("Project", self.folder, self.change, project),
        ]
        for row, (text, middle, right, shown) in enumerate(rows):
            name = QLabel(text)
            name.setBuddy(middle)
            for column, widget in enumerate((name, middle, right)):
                grid.addWidget(widget, row, column)
                widget.setVisible(shown)

    # -- what the user does -------------------------------------------------

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open files, folders or a project."""
        self.opener.open(paths)

    def _open_chosen(self, choose: Callable[[], str], _: bool = False) -> None:
        chosen = choose()
        if chosen:
            self.open_paths([Path(chosen)])

    def _ask_file(self) -> str:
        return str(QFileDialog.getOpenFileName(self, "Open images, labels or a project")[0])

    def _ask_folder(self, title: str) -> str:
        return str(QFileDialog.getExistingDirectory(self, title))

    def _choose_image(self) -> None:
        try:
            self.session.set_image(self.image.currentData())
        finally:
            self._show()
        if self.session.image is not None:
            self.session.layers.uncover(self.session.image)

    def _choose_labels(self) -> None:
        layer = self.labels.currentData()
        try:
            if layer is not None and layer is not self.session.labels:
                self._use(layer)
        finally:
            self._show()

    def _use(self, layer: Labels) -> None:
        if classes_of(layer) is None:
            data = layer.data
            call = self.session.jobs.call(lambda: label_values(data))
            call.returned.connect(
                lambda values: self._guarded(lambda: self._convert(layer, values))
            )
            call.failed.connect(self.session.show_error)
        elif may_replace(self.session, layer, self):
            self.session.use_labels(layer)

    def _convert(self, layer: Labels, values: tuple[int, ...]) -> None:
        dialog = ConvertDialog(layer.name, values, self)
        agreed = dialog.exec() == QDialog.DialogCode.Accepted
        if agreed and may_replace(self.session, layer, self):
            self.session.use_labels(layer, dialog.value())
        dialog.deleteLater()

    def _change_folder(self) -> None:
        self.session.require_images()
        start = self.session.project_folder
        title = "Folder for the project of this image"
        chosen = QFileDialog.getExistingDirectory(
            self, title, "" if start is None else str(start.parent)
        )
        if chosen and start is not None:
            self.session.move_project(_project_in(Path(chosen), start.name))

    # -- what changes elsewhere ---------------------------------------------

    def _on_layers(self) -> None:
        self._choose_first()
        self._show()

    def _choose_first(self) -> None:
        """Work on the first image that can be segmented, where none is chosen."""
        if self.session.image is not None:
            return
        for layer in reversed(self.session.layers.images()):
            if _is_suitable(layer):
                self._guarded(partial(self.session.set_image, layer))
                return

    def _show(self) -> None:
        session = self.session
        self._fill(self.image, session.layers.images(), session.image, NO_IMAGE)
        layers = [layer for layer in session.layers.labels() if kind_of(layer) != "reduced"]
        self._fill(self.labels, layers, session.labels, NO_LABELS)
        self.new.setEnabled(session.image is not None)
        self.change.setEnabled(session.image is not None)
        self._show_project()

    def _fill(
        self, combo: LayerChoice, layers: Sequence[Any], chosen: object, nothing: str
    ) -> None:
        combo.blockSignals(True)
        combo.clear()
        if chosen not in layers:
            combo.addItem(nothing, None)
        for layer in layers:
            combo.addItem(layer.name, layer)
            combo.setItemData(combo.count() - 1, layer.name, Qt.ItemDataRole.ToolTipRole)
        at = next((i for i in range(combo.count()) if combo.itemData(i) is chosen), 0)
        combo.setCurrentIndex(at)
        combo.blockSignals(False)
        combo.show_name()

    def _show_project(self) -> None:
        folder = self.session.project_folder
        made = self.session.project is not None
        self.folder.setText("" if folder is None else str(folder))
        self.folder.setToolTip(
            "Where labels, trainings and masks are kept."
            if folder is None
            else f"{folder}\nLabels, trainings and masks are kept "
            + ("here." if made else "here, from the first label on.")
        )

    def _show_busy(self, busy: bool) -> None:
        self.open.setEnabled(not busy)
        self.open.setText("Opening..." if busy else "&Open")


def _is_suitable(layer: Any) -> bool:
    try:
        images_of(layer)
    except XsegError:
        return False
    return True


def _project_in(folder: Path, name: str) -> Path:
    """The project folder that is meant: the chosen one where it is a project's, else in it."""
    return folder if folder.name.endswith("-xseg") else folder / name

"""Opening files, folders and projects from a dock: read in the background, then shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_xseg.data.project import ImageMoved
from napari_xseg.errors import XsegError
from napari_xseg.gui.layer_kinds import KEY
from napari_xseg.gui.lazy import LazyImage
from napari_xseg.gui.opening import NeedsUnlabelled, Opened, open_pair, open_path
from napari_xseg.gui.reader import ask_unlabelled
from napari_xseg.gui.side_by_side import folder_of_slices, says_labels
from napari_xseg.gui.telling import in_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image, Layer
    from qtpy.QtWidgets import QWidget

    from napari_xseg.data.labels import Unlabelled
    from napari_xseg.gui.session import Session

    Found = list[tuple[Opened, list[tuple[Any, dict[str, Any], str]]]]


# Faults that one notification tells.
TOLD = 3


class Opener(QObject):
    """Opens what the user chose or dropped, and makes it what the session works on.

    Parameters
    ----------
    session : Session
    window : QWidget
        Dialogs belong to it.
    """

    busy_changed = Signal(bool)

    def __init__(self, session: Session, window: QWidget) -> None:
        super().__init__(window)
        self._session = session
        self._window = window

    def open(self, paths: Sequence[Path], unlabelled: Unlabelled = None) -> None:
        """Open files, folders or a project; two of which one says labels are a pair.

        What cannot be opened is told to the user; a question about label values is asked.
        """
        wanted = list(paths)
        call = self._session.jobs.call(lambda: read_all(wanted, unlabelled))
        call.returned.connect(self._show)
        call.failed.connect(lambda error: self._on_failed(error, wanted))
        self.busy_changed.emit(True)

    def take_drops(self, widget: QWidget) -> None:
        """Open what is dropped on a widget."""
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take drops of files."""
        if event is None or event.type() not in (QEvent.Type.DragEnter, QEvent.Type.Drop):
            return False
        mime = event.mimeData()  # type: ignore[attr-defined]
        paths = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
        if not paths:
            return False
        event.acceptProposedAction()  # type: ignore[attr-defined]
        if event.type() == QEvent.Type.Drop:
            self.open(paths)
        return True

    # -- what was read ------------------------------------------------------

    def _on_failed(self, error: Exception, paths: list[Path]) -> None:
        self.busy_changed.emit(False)
        if not isinstance(error, NeedsUnlabelled):
            self._session.show_error(error)
            return
        try:
            answer = ask_unlabelled(error)
        except NeedsUnlabelled:
            return  # the user thought better of it
        self.open(paths, answer)

    def _show(self, read: tuple[Found, list[XsegError]]) -> None:
        self.busy_changed.emit(False)
        found, faults = read
        for opened, layers in found:
            for warning in opened.warnings:
                self._session.warn(warning)
            try:
                if opened.project is not None:
                    self._open_project(opened.project)
                else:
                    self._show_layers(layers)
            except XsegError as error:
                faults.append(error)
        if faults:
            self._session.show_error(_in_one(faults))

    def _show_layers(self, layers: list[tuple[Any, dict[str, Any], str]]) -> None:
        session = self._session
        for data, options, kind in layers:
            if kind == "image":
                image: Any = self._open_already(data) or session.layers.add(data, options, kind)
                session.set_image(image)
            elif len(layers) == 1 and self._labels_open_already(options):
                continue
            elif session.store is None or session.image is None or len(layers) == 1:
                made: Any = session.layers.add(data, options, kind)
                if session.images is not None and made.data.shape == session.images.shape:
                    self._use(made)
            # Else the image has a project, whose labels are these or come from them.

    def _open_already(self, data: Any) -> Image | None:
        """The layer that shows these files, made the active one; the user is told."""
        layers = self._session.layers
        for layer in layers.images():
            shown = layer.data
            if isinstance(shown, LazyImage) and shown.source and shown.source == data.source:
                self._bring(layer)
                return layer
        return None

    def _labels_open_already(self, options: dict[str, Any]) -> bool:
        """Whether a layer shows these label files; it is made the active one, and the user told."""
        wanted = _files_of(options["metadata"])
        for layer in self._session.layers.labels():
            if wanted is not None and _files_of(layer.metadata) == wanted:
                self._bring(layer)
                return True
        return False

    def _bring(self, layer: Layer) -> None:
        self._session.layers.set_visible(layer, True)
        self._session.layers.select(layer)
        self._session.notify(
            f"{layer.name} is open already; remove its layer first to read the files anew."
        )

    def _use(self, layer: Any) -> None:
        if self._session.store is None or may_replace(self._session, layer, self._window):
            self._session.use_labels(layer)

    def _open_project(self, folder: Path) -> None:
        try:
            self._session.open_project(folder)
        except ImageMoved as error:
            place = self._ask_where(error)
            if place:
                self._session.open_project(folder, image=Path(place))

    def _ask_where(self, error: ImageMoved) -> str:
        box = QMessageBox(self._window)
        box.setWindowTitle("napari-xseg")
        box.setText(str(error))
        file = box.addButton("A &file...", QMessageBox.ButtonRole.AcceptRole)
        folder = box.addButton("A f&older...", QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        if box.clickedButton() is file:
            return str(QFileDialog.getOpenFileName(self._window, "Where the image is")[0])
        if box.clickedButton() is folder:
            return str(QFileDialog.getExistingDirectory(self._window, "Where the image is"))
        return ""


def read_all(paths: list[Path], unlabelled: Unlabelled) -> tuple[Found, list[XsegError]]:
    """Open each path, or two as a pair; the layers' data and options with it.

    Returns
    -------
    tuple
        What was found; and of several paths, what was wrong with those that cannot be
        opened.

    Raises
    ------
    NeedsUnlabelled
        As `open_path`.
    XsegError
        Nothing can be opened where one thing was meant.
    """
    faults: list[XsegError] = []
    says = [says_labels(path.name) for path in paths]
    if len(paths) == 2 and sum(says) == 1:
        images, labels = (paths[says.index(which)] for which in (False, True))
        opened = [open_pair(images, labels, unlabelled=unlabelled)]
    elif (folder := folder_of_slices(paths)) is not None:
        opened = [open_path(folder, unlabelled=unlabelled)]
    else:
        opened = []
        for path in paths:
            try:
                opened.append(open_path(path, unlabelled=unlabelled))
            except NeedsUnlabelled:
                raise
            except XsegError as error:
                faults.append(error)
    return [(one, one.layers()) for one in opened], faults


def _in_one(faults: list[XsegError]) -> XsegError:
    """What could not be opened, in one notification."""
    if len(faults) == 1:
        return faults[0]
    lines = [f"{len(faults)} things were not opened."]
    lines.extend(in_lines(str(fault)) for fault in faults[:TOLD])
    if len(faults) > TOLD:
        lines.append(f"And {len(faults) - TOLD} more.")
    return XsegError("\n".join(lines))


def _files_of(metadata: dict[str, Any]) -> tuple[Any, ...] | None:
    """The label files that a layer says it shows, and what their values are taken for."""
    told = metadata.get(KEY)
    source = told.get("source") if isinstance(told, dict) else None
    if source is None:
        return None
    return source["path"], source["dataset"], source["classes"]["unlabelled"]


def may_replace(session: Session, layer: Any, window: QWidget) -> bool:
    """Whether the labels of the project may give way; asks where something is labelled."""
    if session.store is None or not session.store.labelled:
        return True
    answer = QMessageBox.question(
        window,
        "napari-xseg",
        f"Replace the labels of this project ({len(session.store.labelled)} slices) by those of "
        f"the layer {layer.name!r}? This cannot be undone.",
    )
    return bool(answer == QMessageBox.StandardButton.Yes)

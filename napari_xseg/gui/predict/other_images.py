"""Images other than the chosen one, to be predicted: layers, files and folders."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from qtpy.QtWidgets import QFileDialog, QMenu, QMessageBox, QWidget

from napari_xseg.data.volume import open_volume
from napari_xseg.errors import XsegError
from napari_xseg.gui.images import Images, images_of
from napari_xseg.gui.predict.mask_saving import no_folder
from napari_xseg.jobs import FileSource

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_xseg.gui.session import Session

FILTERS = "OME-Zarr (*.zarr);;TIFF (*.tif *.tiff)"


class Predict(Protocol):
    """Predicts all slices of `images`."""

    def __call__(
        self, images: Images, layer: Image | None, out: Path | None, overwrite: bool
    ) -> None:
        """`layer` shows them, where one does; `out` is the mask, else one of the project."""


class OtherMenu(QMenu):
    """What else can be predicted; made anew each time that it opens.

    Parameters
    ----------
    session : Session
    predict : Predict
        Called with what was chosen.
    """

    def __init__(self, session: Session, predict: Predict, parent: QWidget) -> None:
        super().__init__(parent)
        self._session = session
        self._predict = predict
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self.fill)

    def fill(self) -> None:
        """List the layers there are, and the ways to files."""
        self.clear()
        for layer in self._session.layers.images():
            if layer is not self._session.image:
                action = self.addAction(f"Layer {layer.name}".replace("&", "&&"))
                assert action is not None
                action.setToolTip("Predict all its slices; the chosen image stays.")
                action.triggered.connect(partial(self._take_layer, layer))
        self.addSeparator()
        for text, folder in (("A &file, without opening it...", False), ("A f&older...", True)):
            action = self.addAction(text)
            assert action is not None
            action.setToolTip("Predict it into a mask where you say; no layer is made.")
            action.triggered.connect(partial(self._choose, folder))

    def _take_layer(self, layer: Image, _: bool = False) -> None:
        try:
            self._predict(images_of(layer), layer, None, False)
        except XsegError as error:
            self._session.show_error(error)

    def _choose(self, folder: bool, _: bool = False) -> None:
        parent, title = self.parentWidget(), "Images to predict"
        if folder:
            found = QFileDialog.getExistingDirectory(parent, title)
        else:
            found, _kind = QFileDialog.getOpenFileName(parent, title)
        if not found:
            return
        images = Path(found)
        target, kind = QFileDialog.getSaveFileName(
            parent,
            "Where to write the mask",
            str(images.with_name(f"{images.stem}-mask.zarr")),
            FILTERS,
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if target:
            self._take_file(images, _with_suffix(Path(target), kind))

    def _take_file(self, path: Path, out: Path) -> None:
        if not out.parent.is_dir():
            self._session.show_error(no_folder(out))
            return
        overwrite = out.exists()
        if overwrite:
            yes = QMessageBox.StandardButton.Yes
            text = f"{out} is there already. Replace it?"
            if QMessageBox.question(self.parentWidget(), "Replace", text) != yes:
                return
        call = self._session.jobs.call(lambda: open_volume(path))
        call.returned.connect(
            lambda volume: self._predict(
                Images(volume.name, volume, FileSource(path=str(path))), None, out, overwrite
            )
        )
        call.failed.connect(self._session.show_error)


def _with_suffix(path: Path, kind: str) -> Path:
    if path.suffix.casefold() in (".zarr", ".tif", ".tiff"):
        return path
    return path.with_name(path.name + (".tif" if "tif" in kind else ".zarr"))

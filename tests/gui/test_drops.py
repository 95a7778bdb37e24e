"""Files dropped on docks and on the picture, as the desktop drops them on a window."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from napari.settings import get_settings
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtWidgets import QApplication, QDialog, QDialogButtonBox, QRadioButton, QWidget

from napari_xseg.gui.experiments.experiments_dock import ExperimentsDock
from napari_xseg.gui.label.label_dock import LabelDock
from napari_xseg.gui.lazy import LazyImage
from napari_xseg.gui.open_files import Opener
from napari_xseg.gui.predict.predict_dock import PredictDock
from napari_xseg.gui.review.review_dock import ReviewDock
from napari_xseg.gui.train.train_dock import TrainDock
from tests.gui.gestures import drop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_xseg.gui.session import Session

LEFT = Qt.MouseButton.LeftButton
PATIENCE = 60_000
DOCKS = (LabelDock, TrainDock, PredictDock, ReviewDock, ExperimentsDock)
GREY = np.random.default_rng(0).integers(100, 60_000, (6, 40, 50)).astype(np.uint16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of TIFFs."""
    made = tmp_path / "scan"
    made.mkdir()
    for z, plane in enumerate(GREY):
        tifffile.imwrite(made / f"s{z:03}.tif", plane)
    return made


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, GREY, photometric="minisblack")
    return path


def lands(dock: QWidget) -> list[QPoint]:
    """Places of a dock, from top to bottom."""
    return [QPoint(dock.width() // 2, dock.height() * share // 10) for share in (1, 3, 5, 7, 9)]


@pytest.mark.parametrize("what", ["folder", "stack"])
@pytest.mark.parametrize("kind", DOCKS)
def test_a_dock_opens_what_is_dropped_on_it(
    session: Session,
    show_dock: Callable[[type[Any]], Any],
    wait_idle: Callable[[Session], None],
    qtbot: Any,
    request: pytest.FixtureRequest,
    kind: type[Any],
    what: str,
) -> None:
    path = request.getfixturevalue(what)
    dock = show_dock(kind)
    qtbot.waitUntil(lambda: dock.height() > 200, timeout=PATIENCE)
    assert drop(dock, lands(dock)[0], path)
    name = path.stem
    qtbot.waitUntil(
        lambda: session.image is not None and session.image.name == name, timeout=PATIENCE
    )
    wait_idle(session)
    assert session.image is not None
    assert isinstance(session.image.data, LazyImage)
    assert session.image.data.shape == GREY.shape
    np.testing.assert_array_equal(session.image.data.source.open().read(2), GREY[2])


@pytest.mark.parametrize("kind", DOCKS)
def test_no_field_of_a_dock_keeps_a_drop_for_itself(
    session: Session,
    show_dock: Callable[[type[Any]], Any],
    wait_idle: Callable[[Session], None],
    monkeypatch: pytest.MonkeyPatch,
    stack: Path,
    kind: type[Any],
) -> None:
    dock = show_dock(kind)
    asked: list[list[Path]] = []
    monkeypatch.setattr(Opener, "open", lambda _, paths, *__: asked.append(list(paths)))
    fields = [one for one in dock.findChildren(QWidget) if one.isVisible() and one.width() > 10]
    assert len(fields) > 5
    for field in fields:
        at = field.rect().center()
        if field.visibleRegion().contains(at):
            before = len(asked)
            assert drop(field, at, stack), field
            assert asked[before:] == [[stack]], field


@pytest.mark.parametrize("kind", DOCKS)
def test_what_is_no_image_is_told_in_a_sentence(
    session: Session,
    show_dock: Callable[[type[Any]], Any],
    wait_idle: Callable[[Session], None],
    told: list[str],
    qtbot: Any,
    tmp_path: Path,
    kind: type[Any],
) -> None:
    dock = show_dock(kind)
    told.clear()
    image = session.image
    for name in ("notes.txt", "broken.tif"):
        (tmp_path / name).write_bytes(b"junk" * 50)
        before = len(told)
        assert drop(dock, lands(dock)[0], tmp_path / name)
        qtbot.waitUntil(lambda before=before: len(told) > before, timeout=PATIENCE)
        wait_idle(session)
        assert len(told) == before + 1
        assert name in told[-1]
    assert session.image is image
    assert len(session.viewer.layers) == 1


class Chooser:
    """Answers napari's question which reader to take."""

    def __init__(self, qtbot: Any, reader: str) -> None:
        self.offered: list[str] = []
        self._qtbot, self._reader = qtbot, reader
        QTimer.singleShot(0, self._answer)

    def _answer(self) -> None:
        box = QApplication.activeModalWidget()
        if not isinstance(box, QDialog) or not box.isVisible():
            QTimer.singleShot(20, self._answer)
            return
        buttons = {one.text(): one for one in box.findChildren(QRadioButton)}
        self.offered.extend(buttons)
        if self._reader in buttons:
            button = buttons[self._reader]
            self._qtbot.mouseClick(button, LEFT, pos=QPoint(10, button.height() // 2))
        standard = QDialogButtonBox.StandardButton
        wanted = standard.Ok if self._reader in buttons else standard.Cancel
        (bar,) = box.findChildren(QDialogButtonBox)
        self._qtbot.mouseClick(bar.button(wanted), LEFT)


@pytest.mark.parametrize("what", ["folder", "stack"])
def test_dropped_on_the_picture_napari_offers_the_plugin(
    session: Session,
    qtbot: Any,
    wait_idle: Callable[[Session], None],
    request: pytest.FixtureRequest,
    what: str,
) -> None:
    path = request.getfixturevalue(what)
    viewer = session.viewer
    viewer.window._qt_window.show()
    viewer.layers.clear()
    readers = deepcopy(get_settings().plugins.extension2reader)
    chooser = Chooser(qtbot, "xseg")
    canvas = viewer.window._qt_viewer.canvas.native
    # The answer to the event is napari's: it opens what it takes without accepting it.
    drop(canvas, canvas.rect().center(), path)
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=PATIENCE)
    wait_idle(session)
    assert {"xseg", "napari builtins"} <= set(chooser.offered)
    (layer,) = viewer.layers
    assert isinstance(layer.data, LazyImage)
    assert layer.data.shape == GREY.shape
    assert get_settings().plugins.extension2reader == readers

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from napari_xseg.gui.convert_dialog import ConvertDialog
from napari_xseg.gui.data_bar import NO_IMAGE, DataBar
from napari_xseg.gui.layers import classes_of
from napari_xseg.gui.session import session_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari import Viewer

    from napari_xseg.gui.session import Session
    from tests.gui.fake import FakeEngine

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def bar(viewer: Viewer, fake_engine: FakeEngine, qtbot: Any) -> DataBar:
    made = DataBar(session_of(viewer, fake_engine))
    viewer.window.add_dock_widget(made, name="Data")
    viewer.window._qt_window.show()
    return made


@pytest.fixture
def pair_of_folders(tmp_path: Path, truth: np.ndarray) -> tuple[Path, Path]:
    """Two folders of TIFFs: scan, and scan_labels with 0, 128 and 255."""
    image = np.random.default_rng(0).integers(0, 60_000, truth.shape).astype(np.uint16)
    folders = (tmp_path / "scan", tmp_path / "scan_labels")
    for folder, planes in zip(folders, (image, truth), strict=True):
        folder.mkdir()
        for z, plane in enumerate(planes):
            tifffile.imwrite(folder / f"s{z:03}.tif", plane)
    return folders


def drop(widget: Any, *paths: Path) -> bool:
    """Drop files on a widget as the system would; whether it takes them."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    copy, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    at = QPointF(5, 5)
    enter = QDragEnterEvent(at.toPoint(), copy, mime, LEFT, none)
    QApplication.sendEvent(widget, enter)
    if not enter.isAccepted():
        return False
    QApplication.sendEvent(widget, QDropEvent(at, copy, mime, LEFT, none))
    return True


def choose(combo: Any, text: str) -> None:
    at = combo.findText(text)
    assert at >= 0
    combo.setCurrentIndex(at)
    combo.activated.emit(at)


def test_the_first_image_that_can_be_segmented_is_chosen(bar: DataBar) -> None:
    viewer, session = bar.session.viewer, bar.session
    assert bar.image.currentText() == NO_IMAGE
    assert not bar.new.isEnabled()
    viewer.add_image(np.zeros((20, 30, 3), np.uint8), rgb=True, name="photo")
    assert session.image is None
    grey = viewer.add_image(np.zeros((3, 20, 30), np.uint16), name="grey")
    assert session.image is grey
    other = viewer.add_image(np.zeros((3, 20, 30), np.uint16), name="other")
    assert session.image is grey
    choose(bar.image, "other")
    assert session.image is other
    other.name = "renamed"
    assert bar.image.currentText() == "renamed"
    viewer.layers.remove(other)
    assert session.image is grey
    assert bar.image.currentText() == "grey"


def test_an_image_that_cannot_be_segmented_is_refused(bar: DataBar, said: list[str]) -> None:
    viewer = bar.session.viewer
    grey = viewer.add_image(np.zeros((3, 20, 30), np.uint16), name="grey")
    viewer.add_image(np.zeros((20, 30, 3), np.uint8), rgb=True, name="photo")
    choose(bar.image, "photo")
    assert "photo" in said[-1]
    assert bar.session.image is grey
    assert bar.image.currentText() == "grey"


def test_a_dropped_pair_opens_in_class_colours(
    bar: DataBar,
    pair_of_folders: tuple[Path, Path],
    truth: np.ndarray,
    wait_idle: Callable[..., None],
) -> None:
    bar.opener.take_drops(bar)
    assert drop(bar, *pair_of_folders)
    assert not bar.open.isEnabled()
    wait_idle(bar.session)
    session = bar.session
    assert bar.open.isEnabled()
    assert session.image is not None
    assert session.image.name == "scan"
    low, high = session.image.contrast_limits
    assert 0 <= low < 1000
    assert 59_000 < high < 61_000
    assert session.labels is not None
    assert session.classes.values == (0, 128, 255)
    assert session.store is not None
    assert np.array_equal(np.array([7, 0, 128, 255])[session.store[4]], truth[4])
    assert bar.labels.currentText() == session.labels.name
    assert bar.folder.text().endswith("scan-xseg")


def test_opening_again_brings_the_painted_labels_and_no_second_layer(
    bar: DataBar, pair_of_folders: tuple[Path, Path], wait_idle: Callable[..., None]
) -> None:
    session = bar.session
    bar.open_paths(pair_of_folders)
    wait_idle(session)
    assert session.store is not None
    session.store.write(2, np.full((96, 128), 2, np.uint8))
    for layer in tuple(session.viewer.layers):
        if layer in session.viewer.layers:
            session.viewer.layers.remove(layer)
    assert session.store is None
    bar.open_paths(pair_of_folders)
    wait_idle(session)
    assert session.store is not None
    assert (session.store[2] == 2).all()
    assert len(session.layers.labels()) == 1


def test_the_menu_opens_what_is_chosen(
    bar: DataBar,
    pair_of_folders: tuple[Path, Path],
    wait_idle: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, _ = pair_of_folders
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(folder / "s000.tif"), ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    file, whole, project = bar.menu.actions()
    file.trigger()
    wait_idle(bar.session)
    assert bar.session.images is not None
    assert bar.session.images.shape == (1, 96, 128)
    whole.trigger()
    wait_idle(bar.session)
    assert bar.session.images.shape == (8, 96, 128)
    bar.session.new_labels()
    made = bar.session.project_folder
    assert made is not None
    bar.session.set_image(None)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(made))
    project.trigger()
    wait_idle(bar.session)
    assert bar.session.project_folder == made
    assert bar.session.images.shape == (8, 96, 128)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    whole.trigger()
    assert not bar.session.jobs.busy


def test_what_cannot_be_opened_is_said(
    bar: DataBar, tmp_path: Path, said: list[str], wait_idle: Callable[..., None]
) -> None:
    bad = tmp_path / "bad.tif"
    bad.write_bytes(b"no picture")
    bar.open_paths([bad])
    wait_idle(bar.session)
    assert "bad.tif" in said[-1]
    assert bar.open.isEnabled()


def test_of_several_the_good_ones_open_and_the_wrong_one_is_named(
    bar: DataBar,
    pair_of_folders: tuple[Path, Path],
    tmp_path: Path,
    said: list[str],
    wait_idle: Callable[..., None],
) -> None:
    folder, _ = pair_of_folders
    bad = tmp_path / "bad.tif"
    bad.write_bytes(b"no picture")
    bar.opener.take_drops(bar)
    assert drop(bar, bad, folder)
    wait_idle(bar.session)
    assert bar.session.images is not None
    assert bar.session.images.shape == (8, 96, 128)
    assert [words.split(":")[0] for words in said] == ["bad.tif"]
    assert bar.open.isEnabled()
    gone = tmp_path / "gone.tif"
    assert drop(bar, bad, gone)
    wait_idle(bar.session)
    several, first, where, second, same = said[1].splitlines()
    assert several == "2 things were not opened."
    assert first.startswith("bad.tif: ")
    assert second.startswith("gone.tif: ")
    assert where == same == str(tmp_path)
    others = [tmp_path / f"gone{number}.npy" for number in range(4)]
    assert drop(bar, *others)
    wait_idle(bar.session)
    assert said[2].splitlines()[0] == "4 things were not opened."
    assert said[2].splitlines()[-1] == "And 1 more."


def test_a_folder_dropped_twice_is_one_layer(
    bar: DataBar,
    pair_of_folders: tuple[Path, Path],
    said: list[str],
    wait_idle: Callable[..., None],
) -> None:
    folder, _ = pair_of_folders
    session, layers = bar.session, bar.session.viewer.layers
    bar.opener.take_drops(bar)
    drop(bar, folder)
    wait_idle(session)
    scan = session.image
    other = session.viewer.add_image(np.zeros((3, 20, 20), np.uint8), name="other")
    session.set_image(other)
    layers.selection.active = other
    drop(bar, folder)
    wait_idle(session)
    assert list(layers) == [scan, other]
    assert session.image is scan
    assert layers.selection.active is scan
    assert said == ["scan is open already; remove its layer first to read the files anew."]
    drop(bar, folder / "s000.tif")
    wait_idle(session)
    assert len(layers) == 3


@pytest.mark.parametrize("alone", [True, False])
def test_labels_dropped_twice_are_one_layer(
    bar: DataBar,
    pair_of_folders: tuple[Path, Path],
    alone: bool,
    said: list[str],
    wait_idle: Callable[..., None],
) -> None:
    bar.opener.take_drops(bar)
    for path in pair_of_folders[alone:]:
        drop(bar, path)
        wait_idle(bar.session)
    layers = bar.session.viewer.layers
    before, (first,) = list(layers), bar.session.layers.labels()
    assert (first is bar.session.labels) != alone
    first.visible = False
    drop(bar, pair_of_folders[1])
    wait_idle(bar.session)
    assert list(layers) == before
    assert layers.selection.active is first
    assert first.visible
    assert said == [f"{first.name} is open already; remove its layer first to read the files anew."]


def test_labels_that_may_mean_not_labelled_are_asked_for_once(
    bar: DataBar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait_idle: Callable[..., None]
) -> None:
    folders = tmp_path / "scan", tmp_path / "scan_labels"
    labels = np.zeros((4, 30, 40), np.uint8)
    labels[1, :10], labels[1, 10:20] = 128, 255
    for folder, planes in zip(
        folders, (np.arange(4 * 1200).reshape(4, 30, 40), labels), strict=True
    ):
        folder.mkdir()
        for z, plane in enumerate(planes):
            tifffile.imwrite(folder / f"s{z:03}.tif", plane.astype(np.uint16))
    asked: list[str] = []

    def first_button(box: QMessageBox) -> int:
        asked.append(box.text())
        next(b for b in box.buttons() if "Not" in b.text()).click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec", first_button)
    bar.open_paths(folders)
    wait_idle(bar.session)
    wait_idle(bar.session)
    assert len(asked) == 1
    assert bar.session.classes.unlabelled == 0
    assert bar.session.classes.values == (128, 255)
    assert bar.session.store is not None
    assert bar.session.store.labelled == (1,)


def test_labels_of_another_program_are_converted_by_a_dialog(
    bar: DataBar, qtbot: Any, monkeypatch: pytest.MonkeyPatch, wait_idle: Callable[..., None]
) -> None:
    session, viewer = bar.session, bar.session.viewer
    viewer.add_image(np.zeros((3, 20, 30), np.uint16), name="grey")
    theirs = np.zeros((3, 20, 30), np.int32)
    theirs[1, :5], theirs[1, 5:9] = 7, 40
    viewer.add_labels(theirs, name="theirs")
    dialogs: list[ConvertDialog] = []

    def answer(dialog: ConvertDialog) -> int:
        dialogs.append(dialog)
        dialog.table.item(0, 1).setText("pore")
        dialog.accept()
        return int(dialog.result())

    monkeypatch.setattr(ConvertDialog, "exec", answer)
    choose(bar.labels, "theirs")
    wait_idle(session)
    wait_idle(session)
    assert len(dialogs) == 1
    assert session.classes.names == ("pore", "class 1")
    assert session.classes.unlabelled == 0
    assert session.store is not None
    assert (session.store[1][:5] == 1).all()
    assert (session.store[1][5:9] == 2).all()
    assert session.store.labelled == (1,)
    assert classes_of(viewer.layers["theirs"]) is None
    assert bar.labels.currentData() is session.labels


def test_the_dialog_can_say_that_every_value_is_a_class(qtbot: Any) -> None:
    dialog = ConvertDialog("theirs", (0, 128, 255))
    qtbot.addWidget(dialog)
    assert dialog.value().values == (128, 255)
    choose(dialog.unlabelled, "none: every value is a class")
    assert dialog.value().values == (0, 128, 255)
    dialog.table.item(0, 1).setText("same")
    dialog.table.item(1, 1).setText("same")
    dialog.accept()
    assert "same" in dialog.fault.text()


def test_replacing_painted_labels_is_asked_for(
    bar: DataBar, monkeypatch: pytest.MonkeyPatch, wait_idle: Callable[..., None]
) -> None:
    session, viewer = bar.session, bar.session.viewer
    image = viewer.add_image(np.zeros((3, 20, 30), np.uint16), name="grey")
    bar.session.new_labels()
    assert session.store is not None
    session.store.write(0, np.full((20, 30), 1, np.uint8))
    mask = np.full((3, 20, 30), 2, np.uint8)
    session.layers.add_classes(mask, session.classes, kind="mask", name="mask", image=image)
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    choose(bar.labels, "mask")
    assert (session.store[0] == 1).all()
    assert bar.labels.currentData() is session.labels
    choose(bar.labels, "mask")
    wait_idle(session)
    assert session.store is not None
    assert (session.store[0] == 2).all()


def test_the_project_folder_is_shown_and_can_be_changed(
    bar: DataBar, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bar.session.viewer.add_image(np.zeros((3, 20, 30), np.uint16), name="grey")
    assert bar.folder.text().endswith("grey-xseg")
    assert "from the first label on" in bar.folder.toolTip()
    place = tmp_path / "elsewhere"
    place.mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(place))
    qtbot.mouseClick(bar.change, LEFT)
    assert bar.session.project_folder == place / "grey-xseg"
    assert bar.folder.text() == str(place / "grey-xseg")
    assert (place / "grey-xseg" / "project.toml").is_file()


def test_rows_can_be_left_out(session: Session, qtbot: Any) -> None:
    bar = DataBar(session, labels=False, project=False)
    qtbot.addWidget(bar)
    bar.show()
    assert bar.image.isVisible()
    assert not bar.labels.isVisible()
    assert not bar.change.isVisible()
    assert bar.minimumSizeHint().width() < 340


def test_drops_without_files_are_left_alone(bar: DataBar) -> None:
    bar.opener.take_drops(bar)
    mime = QMimeData()
    mime.setText("words")
    enter = QDragEnterEvent(
        QPointF(5, 5).toPoint(),
        Qt.DropAction.CopyAction,
        mime,
        LEFT,
        Qt.KeyboardModifier.NoModifier,
    )
    enter.ignore()
    QApplication.sendEvent(bar, enter)
    assert not enter.isAccepted()


def test_names_that_are_too_long_are_told_apart_by_their_ends(bar: DataBar, qtbot: Any) -> None:
    session = bar.session
    name = "nano-ct of a solid oxide cell, sample 7, after 1000 h at 800 degrees, reconstructed"
    session.viewer.add_image(np.zeros((4, 32, 32), np.uint16), name=name)
    session.new_labels()
    qtbot.waitUntil(lambda: bar.labels.currentText() == f"{name} labels", timeout=60_000)
    shown = bar.image.shown_text(), bar.labels.shown_text()
    assert shown[0] != name
    assert shown[0].endswith("reconstructed"[-4:])
    assert shown[1].endswith("labels"[-4:])
    assert shown[0] != shown[1]
    assert bar.image.toolTip().startswith(f"{name}\nThe image that is labelled")
    assert bar.labels.toolTip().startswith(f"{name} labels\n")
    qtbot.waitUntil(lambda: not session.jobs.busy, timeout=60_000)

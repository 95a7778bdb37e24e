from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractButton, QComboBox, QFileDialog, QMessageBox

from napari_xseg.errors import XsegError
from napari_xseg.events import Message, Progress
from napari_xseg.gui.layers import kind_of
from napari_xseg.gui.predict.predict_dock import WAITS, PredictDock
from napari_xseg.gui.predict.prediction import FLAG
from napari_xseg.gui.session import session_of
from napari_xseg.jobs import EngineDied, PredictRequest, WarmUp
from napari_xseg.jobs.slice_request import SliceRequest
from tests.gui.fake import UNTIL_STOPPED, WAIT, FakeEngine
from tests.gui.prediction_fakes import CLASSES, PretendedMask, pretend_slice, write_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari import Viewer

    from napari_xseg.gui.session import Session

LEFT = Qt.MouseButton.LeftButton
FAR_OFF = f"phantom: grey values of these images lie far off{FLAG}."


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the user is told."""
    heard: list[str] = []
    monkeypatch.setattr(notification_manager, "dispatch", lambda note: heard.append(note.message))
    return heard


@pytest.fixture
def model(tmp_path: Path) -> Path:
    run = tmp_path / "20260101-120000-fine"
    write_model(run / "model.safetensors")
    return run


@pytest.fixture
def dock(
    session: Session, model: Path, tmp_path: Path, qtbot: Any, wait_idle: Callable[..., None]
) -> PredictDock:
    session.move_project(tmp_path / "scan-xseg")
    session.set_model(model)
    made = PredictDock(session.viewer)
    session.viewer.window.add_dock_widget(made, name="Predict")
    session.viewer.window._qt_window.show()
    wait_idle(session)
    return made


@pytest.fixture
def pretended(fake_engine: FakeEngine) -> PretendedMask:
    return PretendedMask(fake_engine)


def names(session: Session, kind: str = "mask") -> list[str]:
    return [layer.name for layer in session.viewer.layers if kind_of(layer) == kind]


def click(qtbot: Any, button: Any) -> None:
    assert button.isEnabled()
    qtbot.mouseClick(button, LEFT)


def type_range(qtbot: Any, dock: PredictDock, text: str) -> None:
    dock.range.clear()
    qtbot.keyClicks(dock.range, text)


def at_gate(qtbot: Any, engine: FakeEngine, dock: PredictDock, done: int) -> Any:
    """Wait until the running prediction has said that so many slices are done."""
    qtbot.waitUntil(
        lambda: dock.predictions.current is not None and dock.predictions.current.done == done
    )
    return engine.running[-1]


# -- one slice ---------------------------------------------------------------


def test_this_slice_is_predicted_into_a_layer_in_memory(
    dock: PredictDock, fake_engine: FakeEngine, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    session = dock.session
    for z, value in ((3, 1), (5, 2)):
        session.go_to(z)
        fake_engine.scripts.append([pretend_slice(fake_engine, value)])
        click(qtbot, dock.this_slice)
        wait_idle(session)
    request = fake_engine.submitted[-1]
    assert isinstance(request, SliceRequest)
    assert (request.z, request.model) == (5, session.model)
    assert names(session) == ["mask fine (slices)"]
    data = session.viewer.layers["mask fine (slices)"].data
    assert [int(data[z].max()) for z in range(8)] == [0, 0, 0, 2, 0, 3, 0, 0]
    assert dock.note.text() == "Slice 5: 40 ms; class 0 0.0 %, class 1 0.0 %, class 2 100.0 %"
    assert session.viewer.layers.selection.active is session.image
    assert not list(fake_engine.folder.glob("slice-*"))


def test_the_shortcut_predicts_with_the_options(
    dock: PredictDock, fake_engine: FakeEngine, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    dock.options.confidence.click()
    dock.options.match.click()
    dock.options.region.setCurrentText("circle")
    fake_engine.scripts.append([pretend_slice(fake_engine, 0, confidence=True)])
    window = dock.session.viewer.window._qt_window
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    dock.range.setFocus()
    qtbot.keyClick(dock.range, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    wait_idle(dock.session)
    request = fake_engine.submitted[-1]
    assert isinstance(request, SliceRequest)
    assert (request.confidence, request.match_intensity, request.region) == (True, True, "circle")
    sure = dock.session.viewer.layers["confidence fine (slices)"]
    assert int(sure.data[request.z].max()) == 200
    assert not sure.visible


def test_no_slice_in_3d_and_no_job_twice(
    dock: PredictDock, fake_engine: FakeEngine, qtbot: Any, said: list[str]
) -> None:
    dock.session.viewer.dims.ndisplay = 3
    before = len(fake_engine.submitted)
    click(qtbot, dock.this_slice)
    assert "No slice is in view" in said[-1]
    assert len(fake_engine.submitted) == before
    dock.session.viewer.dims.ndisplay = 2
    fake_engine.scripts.append([UNTIL_STOPPED])
    click(qtbot, dock.this_slice)
    assert not dock.this_slice.isEnabled()
    qtbot.waitUntil(dock.bar.stop.isVisible)  # it takes long: the bar shows it
    click(qtbot, dock.bar.stop)
    qtbot.waitUntil(dock.this_slice.isEnabled)


# -- volumes -----------------------------------------------------------------


def test_a_volume_appears_slice_by_slice_and_stays_on_disk(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    wait_idle: Callable[..., None],
) -> None:
    session = dock.session
    session.go_to(1)
    fake_engine.scripts.append(pretended.script(WAIT))
    click(qtbot, dock.volume)
    running = at_gate(qtbot, fake_engine, dock, 3)
    layer = session.viewer.layers["mask fine"]
    qtbot.waitUntil(lambda: int(layer._slice.image.raw.max()) == 2)  # drawn, unfinished
    assert not layer.data[4].any()
    assert not dock.volume.isEnabled()
    assert dock.this_slice.isEnabled()
    assert dock.speed.text().endswith("Mpx/s")
    qtbot.waitUntil(lambda: dock.bar.bar.text().startswith("37 %"))
    running.gate.set()
    wait_idle(session)
    assert [int(layer.data[z].max()) for z in range(8)] == [1, 2, 3, 1, 2, 3, 1, 2]
    assert not layer.editable
    request = fake_engine.submitted[-1]
    assert isinstance(request, PredictRequest)
    assert request.slices == tuple(range(8))
    assert request.out.parent == session.require_project().folder / "masks"
    assert dock.masks.value() == request.out
    assert dock.fractions.item(0, 1).text() == "50.00 %"
    assert dock.fractions.isVisible()
    assert dock.volume.isEnabled()


def test_only_a_slice_in_view_is_drawn_anew(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(dock.session.layers, "refresh", lambda layer: drawn.append(layer.name))
    dock.session.go_to(7)
    script = [pretended.begin]
    for page in range(8):
        script += [*pretended.write(page, 1), WAIT]
    fake_engine.scripts.append([*script, UNTIL_STOPPED, pretended.end("stopped")])
    click(qtbot, dock.volume)
    for page in range(8):
        running = at_gate(qtbot, fake_engine, dock, page + 1)
        qtbot.waitUntil(lambda: "mask fine" in names(dock.session))
        if page < 7:
            assert drawn == []
            running.gate.set()
            running.gate.clear()
    qtbot.waitUntil(lambda: drawn == ["mask fine"])
    running.stop()


def test_a_range_is_counted_checked_and_predicted(
    dock: PredictDock, fake_engine: FakeEngine, pretended: PretendedMask, qtbot: Any, wait_idle: Any
) -> None:
    assert not dock.predict_range.isEnabled()
    type_range(qtbot, dock, "9:12")
    assert not dock.predict_range.isEnabled()
    assert "out of range" in dock.range_count.toolTip()
    type_range(qtbot, dock, "2:4,7")
    assert dock.range_count.text() == "3 slices"
    fake_engine.scripts.append([pretended.begin, *pretended.write(0, 3), pretended.end()])
    qtbot.keyClick(dock.range, Qt.Key.Key_Return)
    wait_idle(dock.session)
    assert fake_engine.submitted[-1].slices == (2, 3, 7)
    data = dock.session.viewer.layers["mask fine"].data
    assert [int(data[z].max()) for z in range(8)] == [0, 0, 1, 2, 0, 0, 0, 3]


def test_cancel_keeps_what_is_done(
    dock: PredictDock, fake_engine: FakeEngine, pretended: PretendedMask, qtbot: Any, wait_idle: Any
) -> None:
    script = [pretended.begin, *pretended.write(0, 3), UNTIL_STOPPED, pretended.end("stopped", 3)]
    fake_engine.scripts.append(script)
    click(qtbot, dock.volume)
    at_gate(qtbot, fake_engine, dock, 3)
    click(qtbot, dock.bar.stop)
    wait_idle(dock.session)
    data = dock.session.viewer.layers["mask fine"].data
    assert [int(data[z].max()) for z in range(8)] == [1, 2, 3, 0, 0, 0, 0, 0]
    assert dock.masks.value() is not None
    assert dock.volume.isEnabled()


def test_a_prediction_waits_for_the_training_and_can_be_taken_away(
    dock: PredictDock, fake_engine: FakeEngine, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    session = dock.session
    fake_engine.scripts.append([UNTIL_STOPPED])
    session.set_training(session.jobs.run("Training", WarmUp))
    qtbot.waitUntil(lambda: len(fake_engine.running) > 0 and not fake_engine.scripts)
    fake_engine.scripts.append([UNTIL_STOPPED])
    click(qtbot, dock.volume)
    qtbot.waitUntil(lambda: isinstance(fake_engine.submitted[-1], PredictRequest))
    waiting = fake_engine.running[-1]
    waiting.state = "waiting"
    qtbot.waitUntil(lambda: dock.bar.phase.text() == WAITS)
    click(qtbot, dock.bar.stop)
    qtbot.waitUntil(lambda: dock.predictions.current is None)
    assert names(session) == []
    assert session.training is not None
    assert not session.training.over
    session.training.stop()
    wait_idle(session)


# -- grey values -------------------------------------------------------------


def test_far_off_grey_values_offer_to_match_and_predict_again(
    dock: PredictDock, fake_engine: FakeEngine, pretended: PretendedMask, qtbot: Any, wait_idle: Any
) -> None:
    warning = Message(FAR_OFF, "warning")
    fake_engine.scripts.append(
        [
            warning,
            pretended.begin,
            *pretended.write(0, 3),
            UNTIL_STOPPED,
            pretended.end("stopped", 3),
        ]
    )
    click(qtbot, dock.volume)
    at_gate(qtbot, fake_engine, dock, 3)
    assert dock.warning_panel.isVisible()
    assert "--" not in dock.warning.text() + dock.bar.log.toolTip()
    fake_engine.scripts.append(pretended.script())
    click(qtbot, dock.match)
    qtbot.waitUntil(lambda: fake_engine.submitted[-1].match_intensity)
    wait_idle(dock.session)
    assert names(dock.session) == ["mask fine"]
    assert not dock.warning_panel.isVisible()
    assert dock.options.match.isChecked()


def test_far_off_grey_values_of_a_slice_predict_that_slice_again(
    dock: PredictDock, fake_engine: FakeEngine, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    fake_engine.scripts.append([pretend_slice(fake_engine, 0), Message(FAR_OFF, "warning")])
    click(qtbot, dock.this_slice)
    wait_idle(dock.session)
    fake_engine.scripts.append([pretend_slice(fake_engine, 1)])
    click(qtbot, dock.match)
    wait_idle(dock.session)
    assert isinstance(fake_engine.submitted[-1], SliceRequest)
    assert fake_engine.submitted[-1].match_intensity
    assert not dock.warning_panel.isVisible()


# -- what goes wrong -----------------------------------------------------------


def test_a_fault_takes_the_layer_away_and_the_button_works_again(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    wait_idle: Any,
    said: list[str],
) -> None:
    def fail(_: Any) -> Any:
        pretended.writer.__exit__(OSError, OSError(), None)
        return Progress("predict", 3, 8, 1.0)

    full = XsegError("mask: the disk is full; make room.")
    fake_engine.scripts.append([pretended.begin, *pretended.write(0, 3), fail, full])
    click(qtbot, dock.volume)
    wait_idle(dock.session)
    assert said == [str(full)]
    assert names(dock.session) == []
    fake_engine.scripts.append(pretended.script())
    click(qtbot, dock.volume)
    wait_idle(dock.session)
    assert names(dock.session) == ["mask fine"]


def test_a_dead_engine_leaves_what_was_written_in_view(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    wait_idle: Any,
    said: list[str],
) -> None:
    died = EngineDied("The engine process ended (signal 9).")
    fake_engine.scripts.append([pretended.begin, *pretended.write(0, 3), died])
    click(qtbot, dock.volume)
    wait_idle(dock.session)
    assert said == [str(died)]
    data = dock.session.viewer.layers["mask fine"].data
    assert [int(data[z].max()) for z in range(4)] == [1, 2, 3, 0]
    fake_engine.scripts.append(pretended.script())
    click(qtbot, dock.volume)
    wait_idle(dock.session)
    assert "mask fine [1]" in names(dock.session)


def test_no_image_no_model_nothing_to_press(
    viewer: Viewer, fake_engine: FakeEngine, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    session = session_of(viewer, fake_engine)
    dock = PredictDock(viewer)
    qtbot.addWidget(dock)
    wait_idle(session)
    for button in (dock.this_slice, dock.volume, dock.predict_range, dock.other):
        assert not button.isEnabled()


def test_a_model_that_goes_away_is_a_sentence(
    dock: PredictDock, model: Path, qtbot: Any, said: list[str]
) -> None:
    shutil.rmtree(model)
    click(qtbot, dock.volume)
    assert "is not there" in said[-1]
    assert dock.predictions.current is None


# -- layers in mid-job ---------------------------------------------------------


@pytest.mark.parametrize("what", ["delete", "rename", "other image", "3D", "close dock"])
def test_what_happens_to_layers_in_mid_job(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    wait_idle: Any,
    what: str,
    said: list[str],
) -> None:
    session, viewer = dock.session, dock.session.viewer
    fake_engine.scripts.append(pretended.script(WAIT))
    click(qtbot, dock.volume)
    running = at_gate(qtbot, fake_engine, dock, 3)
    qtbot.waitUntil(lambda: names(session) == ["mask fine"])
    if what == "delete":
        viewer.layers.remove(viewer.layers["mask fine"])
    elif what == "rename":
        viewer.layers["mask fine"].name = "mine"
    elif what == "other image":
        session.set_image(viewer.add_image(np.zeros((4, 20, 20), np.uint8), name="other"))
    elif what == "3D":
        viewer.dims.ndisplay = 3
    else:
        viewer.window.remove_dock_widget(dock)
    running.gate.set()
    wait_idle(session)
    assert said == []
    expected = {"delete": [], "rename": ["mine"]}.get(what, ["mask fine"])
    assert names(session) == expected
    for layer in map(viewer.layers.__getitem__, expected):
        assert int(layer.data[7].max()) == 2


def test_the_image_is_deleted_before_the_first_slice(
    dock: PredictDock, fake_engine: FakeEngine, pretended: PretendedMask, qtbot: Any, wait_idle: Any
) -> None:
    fake_engine.scripts.append([WAIT, *pretended.script()])
    click(qtbot, dock.volume)
    qtbot.waitUntil(lambda: bool(fake_engine.running) and not fake_engine.scripts)
    dock.session.viewer.layers.remove(dock.session.image)
    fake_engine.running[-1].gate.set()
    wait_idle(dock.session)
    assert names(dock.session) == []
    assert fake_engine.submitted[-1].out.exists()


def test_two_viewers_have_their_own_predictions(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    make_napari_viewer: Any,
    tmp_path: Path,
    qtbot: Any,
    wait_idle: Any,
) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    second = session_of(make_napari_viewer(), FakeEngine(folder))
    second.set_image(second.viewer.add_image(np.zeros((3, 9, 9), np.uint8), name="small"))
    other = PredictDock(second.viewer)
    qtbot.addWidget(other)
    fake_engine.scripts.append(pretended.script(WAIT))
    click(qtbot, dock.volume)
    running = at_gate(qtbot, fake_engine, dock, 3)
    assert other.predictions.current is None
    assert names(second) == []
    running.gate.set()
    wait_idle(dock.session)
    wait_idle(second)
    assert names(dock.session) == ["mask fine"]


@pytest.mark.parametrize("shape", [(30, 40), (1, 30, 40)])
def test_flat_images(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    wait_idle: Any,
    shape: tuple[int, ...],
) -> None:
    session = dock.session
    session.set_image(session.viewer.add_image(np.ones(shape, np.float32), name="flat"))
    fake_engine.scripts.append([pretend_slice(fake_engine, 1)])
    click(qtbot, dock.this_slice)
    wait_idle(session)
    assert (session.viewer.layers["mask fine (slices)"].data[0] == 2).all()
    fake_engine.scripts.append([pretended.begin, *pretended.write(0, 1), pretended.end()])
    click(qtbot, dock.volume)
    wait_idle(session)
    layer = session.viewer.layers["mask fine"]
    assert layer.data.shape == (1, 30, 40)
    assert (layer.data[0] == 1).all()


def test_a_huge_volume_is_never_held(
    dock: PredictDock, fake_engine: FakeEngine, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    from napari_xseg.gui.planes import LazyPlanes

    session = dock.session
    shape = (500, 4000, 4000)
    huge = LazyPlanes(shape, lambda z: np.full(shape[1:], z % 200, np.uint8), 2)
    layer = session.viewer.add_image(huge, name="huge", contrast_limits=(0, 255))
    session.set_image(layer)
    session.go_to(250)
    fake_engine.scripts.append([pretend_slice(fake_engine, 1)])
    click(qtbot, dock.this_slice)
    wait_idle(session)
    request = fake_engine.submitted[-1]
    assert request.images.planes == (249, 250, 251)
    assert (session.viewer.layers["mask fine (slices)"].data[250][::500, ::500] == 2).all()


# -- other images --------------------------------------------------------------


def test_another_layer_is_predicted_and_the_chosen_image_stays(
    dock: PredictDock, fake_engine: FakeEngine, pretended: PretendedMask, wait_idle: Any
) -> None:
    session = dock.session
    other = session.viewer.add_image(
        np.ones((4, 20, 30), np.uint16), name="o&ther", scale=(2, 2, 2)
    )
    dock.other_menu.fill()
    action = dock.other_menu.actions()[0]
    assert action.text() == "Layer o&&ther"
    fake_engine.scripts.append([pretended.begin, *pretended.write(0, 4), pretended.end()])
    action.trigger()
    wait_idle(session)
    layer = session.viewer.layers["mask fine"]
    assert layer.data.shape == (4, 20, 30)
    assert tuple(layer.scale) == tuple(other.scale)
    assert session.images is not None
    assert session.images.name == "phantom"
    assert fake_engine.submitted[-1].images.name == "o&ther"


def test_a_file_is_predicted_without_being_opened(
    dock: PredictDock,
    fake_engine: FakeEngine,
    tmp_path: Path,
    wait_idle: Any,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> None:
    np.save(tmp_path / "more.npy", np.ones((3, 10, 10), np.uint16))
    (tmp_path / "m.tif").write_bytes(b"older")
    choose = QFileDialog
    monkeypatch.setattr(choose, "getOpenFileName", lambda *_: (str(tmp_path / "more.npy"), ""))
    monkeypatch.setattr(
        choose, "getSaveFileName", lambda *_, **__: (str(tmp_path / "m"), "TIFF (*.tif *.tiff)")
    )
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    dock.other_menu.fill()
    file = dock.other_menu.actions()[-2]
    before = len(fake_engine.submitted)
    file.trigger()
    wait_idle(dock.session)
    assert len(fake_engine.submitted) == before, "the older file stays"
    file.trigger()
    qtbot.waitUntil(lambda: len(fake_engine.submitted) > before)
    wait_idle(dock.session)
    request = fake_engine.submitted[-1]
    assert request.images.path == str(tmp_path / "more.npy")
    assert (request.out, request.overwrite) == (tmp_path / "m.tif", True)
    assert request.slices == (0, 1, 2)
    assert names(dock.session) == []


# -- masks made before -----------------------------------------------------------


@pytest.fixture
def made(
    dock: PredictDock, fake_engine: FakeEngine, pretended: PretendedMask, qtbot: Any, wait_idle: Any
) -> Path:
    """A mask that was predicted, its layer gone."""
    fake_engine.scripts.append(pretended.script())
    click(qtbot, dock.volume)
    wait_idle(dock.session)
    dock.session.viewer.layers.remove(dock.session.viewer.layers["mask fine"])
    path = dock.masks.value()
    assert path is not None
    return path


def test_a_mask_is_shown_again_once(
    dock: PredictDock, made: Path, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    click(qtbot, dock.masks.show_button)
    wait_idle(dock.session)
    layer = dock.session.viewer.layers["mask fine"]
    assert [int(layer.data[z].max()) for z in range(8)] == [1, 2, 3, 1, 2, 3, 1, 2]
    layer.visible = False
    click(qtbot, dock.masks.show_button)
    wait_idle(dock.session)
    assert names(dock.session) == ["mask fine"]
    assert layer.visible


@pytest.mark.parametrize("name", ["mask.tif", "mask.zarr", "mask"])
def test_a_mask_is_saved_with_its_sidecar(
    dock: PredictDock,
    made: Path,
    tmp_path: Path,
    qtbot: Any,
    wait_idle: Any,
    monkeypatch: pytest.MonkeyPatch,
    said: list[str],
    name: str,
) -> None:
    from napari_xseg.data.volume import open_label_volume

    target = tmp_path / "out" / name
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_, **__: (str(target), "OME-Zarr (*.zarr)")
    )
    click(qtbot, dock.masks.save_button)
    wait_idle(dock.session)
    written = target if target.suffix else target.with_name("mask.zarr")
    volume = open_label_volume(written)
    assert [int(volume.read(z).max()) for z in range(3)] == list(CLASSES.values)
    assert written.with_name(f"{written.name}.json").exists()
    assert said == [f"Saved: {written}"]
    assert not dock.masks.saving.isVisible()


def test_saving_asks_before_it_replaces(
    dock: PredictDock,
    made: Path,
    tmp_path: Path,
    qtbot: Any,
    wait_idle: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = tmp_path / "mask.tif"
    target.write_bytes(b"older")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(target), ""))
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    click(qtbot, dock.masks.save_button)
    wait_idle(dock.session)
    assert target.read_bytes() == b"older"
    click(qtbot, dock.masks.save_button)
    wait_idle(dock.session)
    assert target.read_bytes() != b"older"


def test_deleting_asks_and_takes_layer_and_files(
    dock: PredictDock, made: Path, qtbot: Any, wait_idle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    click(qtbot, dock.masks.show_button)
    wait_idle(dock.session)
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    click(qtbot, dock.masks.delete_button)
    assert made.exists()
    click(qtbot, dock.masks.delete_button)
    assert list(made.parent.iterdir()) == []
    assert names(dock.session) == []
    assert dock.masks.list.topLevelItemCount() == 0


# -- the dock ------------------------------------------------------------------


def test_follow_is_the_sessions(dock: PredictDock, fake_engine: FakeEngine, qtbot: Any) -> None:
    session = dock.session
    fake_engine.scripts.append([pretend_slice(fake_engine, 2)])
    qtbot.mouseClick(dock.follow, LEFT, pos=QPoint(8, dock.follow.height() // 2))
    assert session.live.follow
    qtbot.waitUntil(lambda: bool(names(session, "preview")))
    session.live.follow = False
    assert not dock.follow.isChecked()


def test_it_fits_a_narrow_dock_and_everything_has_a_tooltip(dock: PredictDock) -> None:
    content = dock.chooser.parentWidget()
    assert content.minimumSizeHint().width() <= 345
    for kind in (QAbstractButton, QComboBox):
        for widget in content.findChildren(kind):
            if not widget.objectName().startswith("qt_"):
                assert widget.toolTip() or widget.parentWidget().toolTip(), widget


def test_closing_the_window_ends_a_prediction(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    said: list[str],
) -> None:
    script = [pretended.begin, *pretended.write(0, 3), UNTIL_STOPPED, pretended.end("stopped", 3)]
    fake_engine.scripts.append(script)
    click(qtbot, dock.volume)
    at_gate(qtbot, fake_engine, dock, 3)
    jobs = dock.session.jobs
    dock.session.close()
    qtbot.waitUntil(lambda: not jobs.busy)
    assert fake_engine.submitted[-1].out.exists()
    assert said == []

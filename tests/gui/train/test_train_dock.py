"""The Train dock in a real window, with an engine that says what a test wants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtWidgets import QApplication, QMessageBox, QPushButton

from napari_xseg.errors import XsegError
from napari_xseg.events import (
    Crops,
    Devices,
    Finished,
    Message,
    Started,
    StepDone,
    Validated,
)
from napari_xseg.gui.train import runs_panel
from napari_xseg.gui.train.train_dock import TrainDock
from napari_xseg.gui.train.training import trainings_of
from napari_xseg.jobs import AugmentationRequest, EngineDied, TrainRequest
from tests.gui.fake import UNTIL_STOPPED, FakeEngine, FakeRunning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_xseg.gui.session import Session

VALUES = [0, 128, 255]
HISTORY = (
    "step,seconds,learning_rate,loss,dice_all,dice_foreground,"
    "dice_class 0,dice_class 1,dice_class 2\n"
    "50,0.5,0.01,0.4,0.9,0.91,0.92,0.93,0.94\n"
)


@pytest.fixture
def dock(session: Session, viewer: Any, qtbot: Any) -> Iterator[TrainDock]:
    made = TrainDock(viewer)
    viewer.window.add_dock_widget(made, name="Train", area="right")
    viewer.window._qt_window.resize(1366, 768)
    viewer.window._qt_window.show()
    qtbot.waitUntil(lambda: not session.jobs.busy, timeout=20_000)  # it has warmed up
    yield made
    made.leave()


@pytest.fixture
def label(session: Session, truth: Any, qtbot: Any) -> Callable[..., None]:
    """Paint the truth of some slices."""

    def paint(*slices: int) -> None:
        session.new_labels()
        assert session.store is not None
        for z in slices:
            plane = (np.searchsorted(VALUES, truth[z]) + 1).astype(np.uint8)
            session.store.write(z, plane)
        idle(session, qtbot)

    return paint


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, session: Session) -> list[str]:
    """What the user was told."""
    words: list[str] = []
    for name in ("notify", "warn"):
        monkeypatch.setattr(session, name, words.append)
    monkeypatch.setattr(session, "show_error", lambda error: words.append(str(error)))
    return words


def idle(session: Session, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not session.jobs.busy, timeout=20_000)


def ready(dock: TrainDock, session: Session, qtbot: Any) -> None:
    """Wait until what was painted is counted and split, and Train can be pressed."""
    qtbot.waitUntil(dock.train.isEnabled, timeout=20_000)
    panel, store = dock.slices, session.store
    assert store is not None
    qtbot.waitUntil(lambda: tuple(sorted(panel.strip.strip.pixels)) == store.labelled)
    qtbot.waitUntil(lambda: panel.split is not None)
    idle(session, qtbot)


def steps(count: int, total: int) -> list[Any]:
    return [StepDone(n, total, 1 / n, 0.01, n / 100) for n in range(1, count + 1)]


def finished(running: FakeRunning, request: TrainRequest, reason: Any = "done") -> Finished:
    """Write what a training leaves, and say its end."""
    run = request.out
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.toml").write_text(request.config.to_toml(), encoding="utf-8")
    (run / "model.safetensors").touch()
    (run / "history.csv").write_text(HISTORY, encoding="utf-8")
    split = request.split or {}
    told = {"split": split, "figures": {"dice_foreground": 0.91}, "finished": "", "steps": 50}
    (run / "provenance.json").write_text(json.dumps(told), encoding="utf-8")
    return Finished(run, reason, 9.0, {"dice_foreground": 0.91})


def ends(engine: FakeEngine, reason: Any = "done") -> Callable[[FakeRunning], Finished]:
    def end(running: FakeRunning) -> Finished:
        asked = [request for request in engine.submitted if isinstance(request, TrainRequest)]
        return finished(running, asked[-1], reason)

    return end


def press(button: Any, qtbot: Any) -> None:
    assert button.isVisible()
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def answer(text: str) -> None:
    def act() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        button = next(button for button in box.buttons() if button.text() == text)
        assert isinstance(button, QPushButton)
        button.click()

    QTimer.singleShot(0, act)


# -- before a training ------------------------------------------------------


def test_train_says_what_is_missing(
    dock: TrainDock, session: Session, label: Callable[..., None], qtbot: Any
) -> None:
    assert not dock.train.isEnabled()
    assert "no labels" in dock.reason.text()
    assert dock.reason.isVisible()
    session.new_labels()
    qtbot.waitUntil(lambda: "Nothing is labelled yet" in dock.reason.text())
    assert session.store is not None
    session.store[2, :10, :10] = 1
    qtbot.waitUntil(lambda: "Only 'class 0'" in dock.reason.text())
    assert dock.train.toolTip() == dock.reason.text()
    label(2)
    qtbot.waitUntil(dock.train.isEnabled)
    assert not dock.reason.isVisible()
    session.set_image(None)
    qtbot.waitUntil(lambda: "There is no image" in dock.reason.text())


def test_counts_and_split_follow_strokes(
    dock: TrainDock, session: Session, label: Callable[..., None], truth: Any, qtbot: Any
) -> None:
    label(1, 4, 6)
    ready(dock, session, qtbot)
    strip = dock.slices.strip
    assert strip.strip.pixels == dict.fromkeys((1, 4, 6), truth[0].size)
    assert sorted(strip.strip.roles.values()) == ["training", "training", "validation"]
    assert "held out" in dock.slices.words.text()
    shown = [dock.classes.table.item(row, 3).text() for row in range(3)]  # type: ignore[union-attr]
    counts = [int(np.isin(truth[[1, 4, 6]], value).sum()) for value in VALUES]
    assert shown == [f"{count:,}" for count in counts]
    session.store[5, :3, :4] = 2  # type: ignore[index]
    qtbot.waitUntil(lambda: strip.strip.pixels.get(5) == 12)


def test_one_slice_gives_a_rough_figure_and_says_so(
    dock: TrainDock, session: Session, label: Callable[..., None], qtbot: Any
) -> None:
    label(3)
    ready(dock, session, qtbot)
    qtbot.waitUntil(lambda: "rough figure" in dock.slices.words.text())


def test_the_strip_jumps_to_a_slice(dock: TrainDock, session: Session, qtbot: Any) -> None:
    strip = dock.slices.strip.strip
    left, right = strip.span(6)
    at = QPoint(int((left + right) / 2), strip.height() // 2)
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=at)
    assert session.z == 6
    assert dock.slices.strip.value() == 6
    qtbot.keyClick(strip, Qt.Key.Key_Left)
    assert session.z == 5


def test_classes_are_changed_in_the_session(
    dock: TrainDock, session: Session, label: Callable[..., None], qtbot: Any
) -> None:
    label(1)
    ready(dock, session, qtbot)
    assert session.store is not None
    before = session.store.totals()[1:4].tolist()
    dock.classes.table.selectRow(0)
    answer("Remove")
    press(dock.classes.remove, qtbot)
    assert session.classes.names == ("class 1", "class 2")
    assert session.store.totals()[1:3].tolist() == before[1:]
    press(dock.classes.add, qtbot)
    assert len(session.classes) == 3


def test_validation_slices_without_labels_are_refused(
    dock: TrainDock, session: Session, label: Callable[..., None], qtbot: Any
) -> None:
    label(1, 4, 6)
    ready(dock, session, qtbot)
    dock.slices.validation.set_value("chosen slices", "2")
    qtbot.waitUntil(lambda: "slice 2 has no labels" in dock.reason.text())
    assert not dock.train.isEnabled()
    dock.slices.validation.set_value("none")
    qtbot.waitUntil(dock.train.isEnabled)
    assert "no validation" in dock.slices.words.text()


def test_devices_of_the_engine_are_offered(dock: TrainDock, session: Session) -> None:
    session._on_devices([Devices(("cpu",), ("a processor, 16 GB",))])
    assert dock.form.device.itemText(1) == "cpu: a processor, 16 GB"


def test_choices_are_kept_in_the_project(
    dock: TrainDock, session: Session, viewer: Any, label: Callable[..., None], qtbot: Any
) -> None:
    label(1, 4, 6)
    dock.form.length.setValue(33)
    dock.slices.validation.set_value("chosen slices", "4")
    project = session.require_project()
    qtbot.waitUntil(lambda: project.settings.get("train", {}).get("slices") == "4")
    second = TrainDock(viewer)
    qtbot.addWidget(second)
    assert second.form.value().config.time_limit == 33
    assert second.slices.validation.value().val == (4,)
    idle(session, qtbot)
    second.leave()


# -- a training -------------------------------------------------------------


def test_a_whole_training(
    dock: TrainDock,
    session: Session,
    fake_engine: FakeEngine,
    label: Callable[..., None],
    qtbot: Any,
) -> None:
    label(1, 4, 6)
    ready(dock, session, qtbot)
    seen = Validated(50, 0.5, 0.4, 0.9, 0.91, (0.92, 0.93, 0.94), True)
    script = [Started("train", 100, "CPU", "float32"), *steps(60, 100), seen, *steps(60, 100)[-1:]]
    fake_engine.scripts.append([*script, UNTIL_STOPPED, ends(fake_engine, "stopped")])
    press(dock.train, qtbot)
    qtbot.waitUntil(lambda: dock.bar.phase.text() == "Step 60 of 100")
    request = fake_engine.submitted[-1]
    assert isinstance(request, TrainRequest)
    assert request.config.name == "quick"
    assert request.split is not None
    assert request.parent is None
    assert not dock.train.isVisible()
    assert session.training is not None
    curves = dock.panel.curves
    qtbot.waitUntil(lambda: "mean of foreground 91.00 %" in curves.caption.text())
    press(dock.bar.stop, qtbot)
    idle(session, qtbot)
    assert dock.train.isVisible()
    assert session.model == request.out
    qtbot.waitUntil(lambda: "on slice 4, held out" in dock.bar.phase.text())
    assert dock.bar.phase.text().startswith("Stopped: Dice 91.00 %")
    assert dock.panel.list.value().path == request.out  # type: ignore[union-attr]
    assert dock.go_on.isEnabled()


def test_continue_names_the_parent_and_takes_the_labels_of_today(
    dock: TrainDock,
    session: Session,
    fake_engine: FakeEngine,
    label: Callable[..., None],
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    label(1, 4, 6)
    ready(dock, session, qtbot)
    fake_engine.scripts.append([*steps(3, 3), ends(fake_engine)])
    press(dock.train, qtbot)
    idle(session, qtbot)
    first = fake_engine.submitted[-1]
    told = type("Info", (), {"context": 2})
    for module in (
        "napari_xseg.gui.train.training.read_model_info",
        "napari_xseg.model.metadata.read_model_info",
    ):
        monkeypatch.setattr(module, lambda _: told)
    label(7)
    qtbot.waitUntil(dock.go_on.isEnabled)
    fake_engine.scripts.append([*steps(3, 3), ends(fake_engine)])
    press(dock.go_on, qtbot)
    idle(session, qtbot)
    second = fake_engine.submitted[-1]
    assert second.parent == first.out
    assert second.out != first.out
    assert second.split["train"] + second.split["val"] != first.split["train"] + first.split["val"]
    assert 7 in second.label_of


def test_an_engine_that_dies_leaves_a_working_train_button(
    dock: TrainDock,
    session: Session,
    fake_engine: FakeEngine,
    label: Callable[..., None],
    said: list[str],
    qtbot: Any,
) -> None:
    label(1, 4, 6)
    ready(dock, session, qtbot)
    fake_engine.scripts.append([*steps(3, 9), EngineDied("the engine is gone")])
    press(dock.train, qtbot)
    idle(session, qtbot)
    assert any("ended unexpectedly" in words for words in said)
    assert dock.train.isVisible()
    assert dock.train.isEnabled()
    fake_engine.scripts.append([*steps(3, 3), ends(fake_engine)])
    press(dock.train, qtbot)
    idle(session, qtbot)
    assert session.model == fake_engine.submitted[-1].out


def test_a_run_that_was_cut_short_is_offered_and_resumed(
    dock: TrainDock,
    session: Session,
    fake_engine: FakeEngine,
    label: Callable[..., None],
    said: list[str],
    qtbot: Any,
) -> None:
    label(1, 4, 6)
    ready(dock, session, qtbot)
    assert not dock.cut_short.isVisible()
    fake_engine.scripts.append([*steps(3, 9), UNTIL_STOPPED, ends(fake_engine, "stopped")])
    press(dock.train, qtbot)
    qtbot.waitUntil(lambda: dock.bar.bar.value() == 3)
    press(dock.bar.stop, qtbot)
    idle(session, qtbot)
    qtbot.waitUntil(dock.cut_short.isVisible)
    first = fake_engine.submitted[-1]
    fake_engine.scripts.append([*steps(9, 9), ends(fake_engine)])
    press(dock.resume, qtbot)
    idle(session, qtbot)
    second = fake_engine.submitted[-1]
    assert second.resume
    assert second.out == first.out
    assert second.split == first.split
    qtbot.waitUntil(lambda: not dock.cut_short.isVisible())
    assert said == []


def test_warnings_are_notified_and_errors_shown(
    dock: TrainDock,
    session: Session,
    fake_engine: FakeEngine,
    label: Callable[..., None],
    said: list[str],
    qtbot: Any,
) -> None:
    label(1, 4, 6)
    ready(dock, session, qtbot)
    fake_engine.scripts.append(
        [Message("The slices leak.", "warning"), Message("Split: ..."), XsegError("No memory.")]
    )
    press(dock.train, qtbot)
    idle(session, qtbot)
    assert said == ["The slices leak.", "No memory."]
    assert dock.bar.log.text() == "Split: ..."
    qtbot.waitUntil(lambda: not dock.cut_short.isVisible())


def test_training_goes_on_without_the_dock_and_is_shown_again(
    dock: TrainDock,
    session: Session,
    viewer: Any,
    fake_engine: FakeEngine,
    label: Callable[..., None],
    qtbot: Any,
) -> None:
    label(1, 4, 6)
    ready(dock, session, qtbot)
    fake_engine.scripts.append([*steps(30, 90), UNTIL_STOPPED, ends(fake_engine, "stopped")])
    press(dock.train, qtbot)
    qtbot.waitUntil(lambda: dock.bar.bar.value() == 30)
    with qtbot.waitSignal(dock.destroyed):
        viewer.window.remove_dock_widget(dock)
    assert trainings_of(session).running
    again = TrainDock(viewer)
    viewer.window.add_dock_widget(again, name="Train", area="right")
    qtbot.waitUntil(lambda: again.bar.bar.value() == 30)
    assert again.bar.phase.text() == "Step 30 of 90"
    assert again.panel.curves._training is not None
    assert len(again.panel.curves._training.loss) == 30
    press(again.bar.stop, qtbot)
    idle(session, qtbot)
    assert session.model is not None
    again.leave()


def test_a_closed_dock_is_let_go(session: Session, viewer: Any, qtbot: Any) -> None:
    made = TrainDock(viewer)
    viewer.window.add_dock_widget(made, name="Train", area="right")
    idle(session, qtbot)
    with qtbot.waitSignal(made.destroyed):
        viewer.window.remove_dock_widget(made)
    for signal in (session.runs_changed, session.classes_changed, session.image_changed):
        signal.emit()  # nothing of the dock listens
    viewer.theme = "light"
    viewer.dims.set_point(0, 3)
    idle(session, qtbot)


def test_live_preview_is_switched_for_the_session(
    dock: TrainDock, session: Session, qtbot: Any
) -> None:
    assert dock.live.isChecked()
    dock.live.setFocus()
    qtbot.keyClick(dock.live, Qt.Key.Key_Space)
    assert not session.live.on
    session.live.on = True
    assert dock.live.isChecked()


def test_augmented_crops_become_two_layers(
    dock: TrainDock,
    session: Session,
    fake_engine: FakeEngine,
    label: Callable[..., None],
    qtbot: Any,
) -> None:
    label(1, 4, 6)
    ready(dock, session, qtbot)

    def crops(running: FakeRunning) -> Crops:
        path = fake_engine.folder / "crops.raw"
        values = np.full((9, 16, 16), 30_000, "<f4")
        index = np.tile(np.uint8([0, 1, 2, 255]), 9 * 64)
        path.write_bytes(values.tobytes() + index.tobytes())
        return Crops(path, (9, 16, 16))

    fake_engine.scripts.append([crops])
    press(dock.form.preview, qtbot)
    idle(session, qtbot)
    request = fake_engine.submitted[-1]
    assert isinstance(request, AugmentationRequest)
    assert request.split is not None
    image, labels = session.viewer.layers["crops"], session.viewer.layers["labels of crops"]
    assert image.data.shape == labels.data.shape == (56, 56)
    assert labels.data[0, :4].tolist() == [1, 2, 3, 0]
    assert image.translate[-1] > 128  # beside the image
    assert not (fake_engine.folder / "crops.raw").exists()
    assert session.project is not None
    assert session.project.unfinished() == []
    assert image not in session.layers.images()
    assert session.labels is not labels


# -- runs -------------------------------------------------------------------


@pytest.fixture
def trained(
    dock: TrainDock,
    session: Session,
    fake_engine: FakeEngine,
    label: Callable[..., None],
    qtbot: Any,
) -> Path:
    """The folder of a run that has ended."""
    label(1, 4, 6)
    ready(dock, session, qtbot)
    fake_engine.scripts.append([*steps(3, 3), ends(fake_engine)])
    press(dock.train, qtbot)
    idle(session, qtbot)
    run = fake_engine.submitted[-1].out
    qtbot.waitUntil(lambda: dock.panel.info(run) is not None)
    return Path(run)


def test_a_run_is_used_and_revealed(
    dock: TrainDock, session: Session, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.set_model(None)
    dock.panel.list.select(trained)
    dock.panel.list.buttons["use"].click()
    assert session.model == trained
    opened: list[str] = []
    monkeypatch.setattr(
        runs_panel.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile())
    )
    dock.panel.list.buttons["reveal"].click()
    assert opened == [str(trained)]


def test_a_run_is_renamed(dock: TrainDock, session: Session, trained: Path, qtbot: Any) -> None:
    info = dock.panel.info(trained)
    dock.panel.list.renamed.emit(info, "three slices")
    idle(session, qtbot)
    assert session.model is not None
    assert session.model.name.endswith("three slices")
    assert not trained.exists()
    shown = dock.panel.list.value()
    assert shown is not None
    assert shown.name == "three slices"


def test_a_name_that_cannot_be_is_refused(
    dock: TrainDock, session: Session, trained: Path, said: list[str], qtbot: Any
) -> None:
    dock.panel.list.renamed.emit(dock.panel.info(trained), "a/b")
    idle(session, qtbot)
    assert len(said) == 1
    assert trained.exists()


def test_a_run_is_deleted_when_the_user_says_so(
    dock: TrainDock, session: Session, trained: Path, qtbot: Any
) -> None:
    dock.panel.list.select(trained)
    answer("Cancel")
    dock.panel.list.buttons["delete"].click()
    assert trained.exists()
    answer("Delete")
    dock.panel.list.buttons["delete"].click()
    idle(session, qtbot)
    assert not trained.exists()
    assert session.model is None
    qtbot.waitUntil(lambda: dock.panel.list.value() is None)


def test_ticked_runs_are_drawn(
    dock: TrainDock, session: Session, trained: Path, fake_engine: FakeEngine, qtbot: Any
) -> None:
    fake_engine.scripts.append([*steps(3, 3), ends(fake_engine)])
    press(dock.train, qtbot)
    idle(session, qtbot)
    dock.panel.list.select(trained)
    qtbot.keyClick(dock.panel.list.tree, Qt.Key.Key_Down)
    other = dock.panel.list.tree.topLevelItem(0)
    assert other is not None
    other.setCheckState(0, Qt.CheckState.Checked)
    qtbot.waitUntil(lambda: len(dock.panel.curves._others) == 1)


def test_the_dock_fits_a_small_screen(dock: TrainDock, viewer: Any) -> None:
    assert dock.minimumSizeHint().width() <= 360
    assert viewer.window._qt_window.minimumSizeHint().height() <= 768


def test_everything_has_a_tooltip(dock: TrainDock) -> None:
    for button in dock.findChildren(QPushButton):
        assert button.toolTip(), button.text()

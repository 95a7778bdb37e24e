from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.coding import IGNORE
from napari_xseg.errors import XsegError
from napari_xseg.events import (
    Crops,
    Message,
    Started,
    Validated,
)
from napari_xseg.gui.train.plan import plan_training
from napari_xseg.gui.train.train_dock import TrainDock
from napari_xseg.gui.train.training import trainings_of
from napari_xseg.jobs import AugmentationRequest, EngineDied, TrainRequest
from napari_xseg.jobs.splits import SplitWish, open_labelled
from napari_xseg.training.recipes import load_recipe
from tests.gui.fake import UNTIL_STOPPED, FakeEngine, FakeRunning
from tests.gui.prediction_fakes import write_model
from tests.gui.train.hands import PATIENCE, VALUES, ends, idle, press, ready, steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.gui.session import Session


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


def test_a_run_of_other_classes_cannot_be_gone_on_with(
    dock: TrainDock,
    session: Session,
    fake_engine: FakeEngine,
    label: Callable[..., None],
    qtbot: Any,
) -> None:
    label(1, 4, 6)
    ready(dock, session, qtbot)
    fake_engine.scripts.append([*steps(3, 3), ends(fake_engine)])
    press(dock.train, qtbot)
    idle(session, qtbot)
    qtbot.waitUntil(dock.go_on.isEnabled)
    two = ClassTable.from_values((1, 2), unlabelled=0)
    write_model(fake_engine.submitted[-1].out / "model.safetensors", two)
    session.runs_changed.emit()
    qtbot.waitUntil(lambda: not dock.go_on.isEnabled(), timeout=PATIENCE)
    assert "knows the classes class 0 (1), class 1 (2), the labels have" in dock.go_on.toolTip()
    there = dock.panel.list.buttons["go_on"]
    assert not there.isEnabled()
    assert there.toolTip() == dock.go_on.toolTip()
    assert dock.train.isEnabled()


def test_an_engine_that_dies_leaves_a_working_train_button(
    dock: TrainDock,
    session: Session,
    fake_engine: FakeEngine,
    label: Callable[..., None],
    told: list[str],
    qtbot: Any,
) -> None:
    label(1, 4, 6)
    ready(dock, session, qtbot)
    fake_engine.scripts.append([*steps(3, 9), EngineDied("the engine is gone")])
    press(dock.train, qtbot)
    idle(session, qtbot)
    assert any("ended unexpectedly" in words for words in told)
    assert dock.train.isVisible()
    assert dock.train.isEnabled()
    assert not dock.panel.unfinished  # nothing of it is there
    fake_engine.scripts.append([*steps(3, 3), ends(fake_engine)])
    press(dock.train, qtbot)
    idle(session, qtbot)
    assert session.model == fake_engine.submitted[-1].out


def test_a_run_that_was_cut_short_is_offered_and_resumed(
    dock: TrainDock,
    session: Session,
    fake_engine: FakeEngine,
    label: Callable[..., None],
    told: list[str],
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
    assert dock.cut_words.text().endswith("was stopped.")
    first = fake_engine.submitted[-1]
    fake_engine.scripts.append([*steps(9, 9), ends(fake_engine)])
    press(dock.resume, qtbot)
    idle(session, qtbot)
    second = fake_engine.submitted[-1]
    assert second.resume
    assert second.out == first.out
    assert second.split == first.split
    qtbot.waitUntil(lambda: not dock.cut_short.isVisible())
    assert told == []


def test_warnings_are_notified_and_errors_shown(
    dock: TrainDock,
    session: Session,
    fake_engine: FakeEngine,
    label: Callable[..., None],
    told: list[str],
    qtbot: Any,
) -> None:
    label(1, 4, 6)
    ready(dock, session, qtbot)
    fake_engine.scripts.append(
        [Message("The slices leak.", "warning"), Message("Split: ..."), XsegError("No memory.")]
    )
    press(dock.train, qtbot)
    idle(session, qtbot)
    assert told == ["The slices leak.", "No memory."]
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
    qtbot.waitUntil(again.bar.stop.isVisible)
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


def test_pixels_without_a_label_train_where_the_label_files_had_none(
    dock: TrainDock, session: Session, label: Callable[..., None], qtbot: Any
) -> None:
    label(1, 4, 6)
    session.set_classes(ClassTable.from_values(VALUES))  # as of files of 0, 128 and 255 alone
    assert not session.classes.unlabelled_in_files
    assert session.store is not None
    plane = session.store.read(1)
    plane[:3] = 0
    session.store.write(1, plane)
    ready(dock, session, qtbot)
    wish = SplitWish(val=(4,))
    request = plan_training(session, load_recipe("quick"), wish=wish).request()
    index = open_labelled(request).labels.read(1)
    assert np.all(index[:3] == IGNORE)
    assert not np.any(index[3:] == IGNORE)


def test_labels_whose_folder_has_gone_are_not_trained_on(
    dock: TrainDock, session: Session, label: Callable[..., None], qtbot: Any
) -> None:
    label(1, 4, 6)
    ready(dock, session, qtbot)
    assert session.store is not None
    shutil.rmtree(session.store.path)
    with pytest.raises(XsegError, match="bring this folder back"):
        plan_training(session, load_recipe("quick"))

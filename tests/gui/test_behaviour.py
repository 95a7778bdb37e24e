"""How the docks behave where layers, images and systems are not what they mostly are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_xseg.data.classes import ClassTable
from napari_xseg.events import Preview, Started
from napari_xseg.gui.label.label_dock import LabelDock
from napari_xseg.gui.predict.predict_dock import PredictDock
from napari_xseg.gui.review.review_dock import ReviewDock
from napari_xseg.gui.train.train_dock import TrainDock
from napari_xseg.gui.train.training import trainings_of
from napari_xseg.jobs import SplitWish
from napari_xseg.training.recipes import load_recipe
from tests.gui.fake import UNTIL_STOPPED, WAIT, FakeEngine, FakeRunning
from tests.gui.hands import label_all
from tests.gui.prediction_fakes import PretendedMask, write_model
from tests.gui.review.desk import HeldCount

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_xseg.gui.session import Session

LEFT = Qt.MouseButton.LeftButton
QUICK = load_recipe("quick")


def change_layers(session: Session) -> None:
    """Rename, reorder, hide and delete layers as a person may at any time."""
    layers = session.viewer.layers
    for layer in layers:
        layer.name = f"{layer.name}, mine"
    layers.reverse()
    layers[0].visible = False
    for layer in list(layers):
        layers.remove(layer)


# -- layers changed in mid-job ----------------------------------------------


def start_training(session: Session, fake_engine: FakeEngine, qtbot: Any, *more: Any) -> Any:
    fake_engine.scripts.append([Started("train", 9, "cpu", "float32"), *more, UNTIL_STOPPED])
    label_all(session, 1, 6)
    training = trainings_of(session).start(QUICK, wish=SplitWish())
    qtbot.waitUntil(lambda: bool(fake_engine.running), timeout=20_000)
    return training


def test_layers_come_and_go_while_a_training_runs(
    session: Session,
    fake_engine: FakeEngine,
    show_dock: Callable[[Any], Any],
    told: list[str],
    qtbot: Any,
    wait_idle: Callable[[Session], None],
) -> None:
    for kind in (LabelDock, TrainDock):
        show_dock(kind)
    training = start_training(session, fake_engine, qtbot)
    image = session.image
    change_layers(session)
    assert (session.image, session.labels, session.project) == (None, None, None)
    assert not training.job.over
    image.name = "phantom"
    session.viewer.layers.append(image)
    session.set_image(image)
    assert session.store is not None
    assert session.store.labelled == (1, 6)
    training.job.stop()
    wait_idle(session)
    assert training.job.error is None
    assert told == []


@pytest.mark.parametrize("shape", [(8, 96, 128), (5, 40, 50), (40, 50)])
def test_an_image_gets_another_array_while_a_training_runs(
    shape: tuple[int, ...],
    session: Session,
    fake_engine: FakeEngine,
    show_dock: Callable[[Any], Any],
    told: list[str],
    qtbot: Any,
    wait_idle: Callable[[Session], None],
) -> None:
    show_dock(LabelDock)
    show_dock(TrainDock)
    training = start_training(session, fake_engine, qtbot)
    assert session.image is not None
    session.image.data = np.ones(shape, np.uint16)
    assert session.images is not None
    assert session.images.shape == (1, *shape)[-3:]
    assert session.images.volume.read(0).max() == 1
    same = shape == (8, 96, 128)
    assert (session.store is not None) == same
    training.job.stop()
    wait_idle(session)
    session.new_labels()
    assert session.project is not None
    assert session.project.folder.name == ("phantom-xseg" if same else "phantom 2-xseg")
    assert session.store is not None
    assert session.store.shape == session.images.shape
    assert told == []


def test_an_array_of_the_labels_layer_cannot_be_lost_from_the_project(
    session: Session, told: list[str]
) -> None:
    label_all(session, 1)
    assert session.labels is not None
    session.labels.data = np.zeros((3, 9, 9), np.uint8)
    assert session.labels.data is session.store
    assert session.store.labelled == (1,)
    assert len(told) == 1
    assert "add yours as a layer of their own" in told[0]


def test_layers_come_and_go_while_a_volume_is_predicted(
    session: Session,
    fake_engine: FakeEngine,
    show_dock: Callable[[Any], Any],
    told: list[str],
    qtbot: Any,
    wait_idle: Callable[[Session], None],
    tmp_path: Path,
) -> None:
    dock = show_dock(PredictDock)
    session.set_model(write_model(tmp_path / "run" / "model.safetensors").parent)
    pretended = PretendedMask(fake_engine)
    fake_engine.scripts.append(pretended.script(WAIT))
    qtbot.mouseClick(dock.volume, LEFT)
    qtbot.waitUntil(lambda: dock.predictions.last.layer in session.layers, timeout=20_000)
    change_layers(session)
    fake_engine.running[-1].gate.set()
    wait_idle(session)
    assert told == []
    assert len(session.viewer.layers) == 0
    assert dock.predictions.last.plan.out.exists()


def test_layers_come_and_go_while_mistakes_are_counted(
    session: Session,
    show_dock: Callable[[Any], Any],
    told: list[str],
    wait_idle: Callable[[Session], None],
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> None:
    label_all(session, *range(8))
    mask = session.layers.add_classes(
        np.full((8, 96, 128), 1, np.uint8),
        session.classes,
        kind="mask",
        name="mask",
        image=session.image,
    )
    dock = show_dock(ReviewDock).compare
    dock.form.scope.setCurrentIndex(2)
    mask.data = np.full((8, 50, 50), 1, np.uint8)
    wait_idle(session)
    assert "50 x 50" in dock.form.status.text()
    mask.data = np.full((8, 96, 128), 2, np.uint8)
    wait_idle(session)
    held = HeldCount(monkeypatch)
    dock.reviewer.again()
    qtbot.waitUntil(lambda: bool(held.began))
    change_layers(session)
    held.go()
    wait_idle(session)
    assert len(held.began) < 8  # it was given up
    assert dock.reviewer.comparison is None
    assert len(session.viewer.layers) == 0
    assert told == []


# -- what is shown ----------------------------------------------------------


def test_every_dock_bears_the_3d_display(
    session: Session,
    show_dock: Callable[[Any], Any],
    told: list[str],
    qtbot: Any,
    wait_idle: Any,
    tmp_path: Path,
) -> None:
    label_all(session, 1, 6)
    session.set_model(write_model(tmp_path / "run" / "model.safetensors").parent)
    label, train, predict, review = map(show_dock, (LabelDock, TrainDock, PredictDock, ReviewDock))
    session.viewer.dims.ndisplay = 3
    wait_idle(session)
    assert not label.tools.isEnabled()
    qtbot.waitUntil(train.train.isEnabled, timeout=20_000)
    assert train.slices.strip.isVisible()
    qtbot.mouseClick(predict.this_slice, LEFT)
    assert "show the image in 2D" in told[-1]
    assert review.compare.reviewer.z is None
    session.viewer.dims.ndisplay = 2
    wait_idle(session)
    assert label.tools.isEnabled()
    assert session.z is not None


def test_a_prefilled_slice_is_not_painted_over_by_the_training(
    session: Session, fake_engine: FakeEngine, show_dock: Any, qtbot: Any, wait_idle: Any
) -> None:
    dock = show_dock(LabelDock)
    training = start_training(session, fake_engine, qtbot, WAIT, _preview(session, 3))
    session.go_to(3)
    running = fake_engine.running[-1]
    qtbot.waitUntil(lambda: _looked_at(running) == 3, timeout=20_000)
    dock.fold.set_open(True)
    qtbot.waitUntil(lambda: dock.prefill.prefill.mask_at(3) is not None, timeout=20_000)
    (layer,) = session.layers.of_kind("preview")
    shown = layer.data[3].copy()
    assert _looked_at(running) is None
    running.gate.set()
    qtbot.waitUntil(lambda: not list(fake_engine.folder.glob("live-*")), timeout=20_000)
    np.testing.assert_array_equal(layer.data[3], shown)
    session.go_to(4)
    qtbot.waitUntil(lambda: _looked_at(running) == 4, timeout=20_000)
    training.job.stop()
    wait_idle(session)


def _looked_at(running: FakeRunning) -> int | None:
    """The slice of which the training was asked for previews last."""
    asked = [view for what, view in running.orders if what == "look_at"]
    return asked[-1].z if asked and asked[-1] is not None else None


def _preview(session: Session, z: int) -> Callable[[Any], Preview]:
    def say(_: Any) -> Preview:
        path = session.jobs.engine.folder / f"live-{z}"
        np.zeros((96, 128), np.uint8).tofile(path)
        return Preview(z, (0, 96, 0, 128), path, 1, 0.1)

    return say


def test_undo_brings_no_label_of_a_class_that_has_gone(session: Session) -> None:
    layer = session.new_labels()
    assert session.store is not None
    layer.paint((3, 40, 40), 1)
    layer.paint((3, 60, 60), 3)
    painted = int(session.store.counts(3)[3])
    assert painted
    kept = ClassTable(session.classes.classes[1:], session.classes.unlabelled)
    session.set_classes(kept, recode={1: 0, 2: 1})
    layer.undo()
    layer.redo()
    assert session.store.counts(3)[2] == painted
    assert session.store.counts(3)[[1, 3]].sum() == 0
    layer.paint((3, 80, 80), 1)
    layer.undo()
    assert session.store.counts(3)[1] == 0

"""The docks follow what is done with napari's own slider, keys, buttons and layer list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QLineEdit

from napari_xseg.gui.data_bar import NO_IMAGE, NO_LABELS
from napari_xseg.gui.label.label_dock import LabelDock
from napari_xseg.gui.predict.predict_dock import PredictDock
from napari_xseg.gui.review.review_dock import ReviewDock
from napari_xseg.gui.train.train_dock import TrainDock
from napari_xseg.jobs.slice_request import SliceRequest
from tests.gui.hands import label_all
from tests.gui.prediction_fakes import write_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.layers import Layer

    from napari_xseg.gui.session import Session
    from tests.gui.fake import FakeEngine

LEFT = Qt.MouseButton.LeftButton
PATIENCE = 60_000


@pytest.fixture
def labelled(session: Session, tmp_path: Path) -> Session:
    """A session with slice 3 labelled, a model, and slice 4 in view."""
    session.move_project(tmp_path / "scan-xseg")
    label_all(session, 3)
    write_model(tmp_path / "run" / "model.safetensors")
    session.set_model(tmp_path / "run")
    session.go_to(4)
    return session


def slider_of(session: Session) -> Any:
    return session.viewer.window._qt_viewer.dims.slider_widgets[0].slider


def canvas_of(session: Session) -> Any:
    return session.viewer.window._qt_viewer.canvas.native


def by_arrow_keys(session: Session, qtbot: Any) -> None:
    """Left, in the picture."""
    qtbot.keyClick(canvas_of(session), Qt.Key.Key_Left)


def by_wheel_on_the_slider(session: Session, qtbot: Any) -> None:
    slider = slider_of(session)
    at = QPointF(slider.rect().center())
    step = QWheelEvent(
        at,
        slider.mapToGlobal(at),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(slider, step)


def by_a_click_on_the_slider(session: Session, qtbot: Any) -> None:
    """In the groove, towards its beginning."""
    slider = slider_of(session)
    groove = slider.height() // 2
    share = 3.1 / (session.viewer.dims.nsteps[0])
    qtbot.mouseClick(slider, LEFT, pos=QPoint(round(slider.width() * share), groove))


@pytest.mark.parametrize("move", [by_arrow_keys, by_wheel_on_the_slider, by_a_click_on_the_slider])
def test_docks_follow_the_slice_that_napari_shows(
    labelled: Session,
    fake_engine: FakeEngine,
    show_dock: Callable[[type[Any]], Any],
    wait_idle: Callable[[Session], None],
    qtbot: Any,
    move: Callable[[Session, Any], None],
) -> None:
    label = show_dock(LabelDock)
    predict = show_dock(PredictDock)
    train = show_dock(TrainDock)
    strip = train.slices.strip
    qtbot.waitUntil(lambda: strip.value() == 4, timeout=PATIENCE)
    move(labelled, qtbot)
    qtbot.waitUntil(lambda: labelled.viewer.dims.current_step[0] != 4, timeout=PATIENCE)
    assert labelled.z == labelled.viewer.dims.current_step[0]
    qtbot.waitUntil(lambda: strip.value() == labelled.z, timeout=PATIENCE)
    while labelled.z != 3:  # the wheel goes its own way
        qtbot.keyClick(canvas_of(labelled), Qt.Key.Key_Left if labelled.z > 3 else Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: strip.value() == 3, timeout=PATIENCE)
    qtbot.waitUntil(lambda: "Slice 3: 100 %" in label.status.text(), timeout=PATIENCE)
    assert labelled.store is not None
    counts = labelled.store.counts(3)
    rows = range(label.classes.rowCount())
    shown = [label.classes.item(row, 2).toolTip() for row in rows]
    assert shown == [f"{int(counts[row]):,} pixels" for row in rows]
    qtbot.waitUntil(predict.this_slice.isEnabled, timeout=PATIENCE)
    qtbot.mouseClick(predict.this_slice, LEFT)
    wait_idle(labelled)
    asked = [one for one in fake_engine.submitted if isinstance(one, SliceRequest)]
    assert asked[-1].z == 3


def test_the_3d_button_and_back(
    labelled: Session,
    show_dock: Callable[[type[Any]], Any],
    wait_idle: Callable[[Session], None],
    told: list[str],
    qtbot: Any,
) -> None:
    label, train, predict = map(show_dock, (LabelDock, TrainDock, PredictDock))
    button = labelled.viewer.window._qt_viewer.viewerButtons.ndisplayButton
    qtbot.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: labelled.viewer.dims.ndisplay == 3, timeout=PATIENCE)
    wait_idle(labelled)
    assert labelled.z is None
    assert not label.tools.isEnabled()
    assert label.flat.isVisible()
    qtbot.waitUntil(predict.this_slice.isEnabled, timeout=PATIENCE)
    qtbot.mouseClick(predict.this_slice, LEFT)
    assert "show the image in 2D" in told[-1]
    qtbot.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: labelled.viewer.dims.ndisplay == 2, timeout=PATIENCE)
    wait_idle(labelled)
    assert labelled.z == 4
    qtbot.waitUntil(label.tools.isEnabled, timeout=PATIENCE)
    assert not label.flat.isVisible()
    qtbot.waitUntil(lambda: train.slices.strip.value() == 4, timeout=PATIENCE)


# -- the layer list ----------------------------------------------------------


def list_of(session: Session) -> Any:
    return session.viewer.window._qt_viewer.layers


def place_in_list(session: Session, layer: Layer) -> tuple[Any, QPoint]:
    """Its row in napari's layer list, and where its name is."""
    view = list_of(session)
    model = view.model()
    for row in range(model.rowCount()):
        index = model.index(row, 0)
        if index.data(Qt.ItemDataRole.DisplayRole) == layer.name:
            view.scrollTo(index)
            return index, view.visualRect(index).center()
    raise AssertionError(layer.name)


def select(session: Session, layer: Layer, qtbot: Any) -> None:
    _, at = place_in_list(session, layer)
    qtbot.mouseClick(list_of(session).viewport(), LEFT, pos=at)
    qtbot.waitUntil(lambda: session.viewer.layers.selection.active is layer, timeout=PATIENCE)


def delete(session: Session, layer: Layer, qtbot: Any) -> None:
    """Click the layer, and the button with the bin."""
    select(session, layer, qtbot)
    button = session.viewer.window._qt_viewer.layerButtons.deleteButton
    qtbot.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: layer not in session.viewer.layers, timeout=PATIENCE)


def rename(session: Session, layer: Layer, name: str, qtbot: Any) -> None:
    """Double-click the name, type, Enter."""
    select(session, layer, qtbot)
    _, at = place_in_list(session, layer)
    view = list_of(session)
    qtbot.mouseDClick(view.viewport(), LEFT, pos=at)

    def fields() -> list[QLineEdit]:
        # One that is done with stays, hidden, until Qt has time to delete it.
        return [one for one in view.viewport().findChildren(QLineEdit) if one.isVisible()]

    qtbot.waitUntil(lambda: len(fields()) == 1, timeout=PATIENCE)
    (field,) = fields()
    field.selectAll()
    qtbot.keyClicks(field, name)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: layer.name == name, timeout=PATIENCE)


def test_a_deleted_labels_layer_takes_no_label_with_it(
    labelled: Session,
    show_dock: Callable[[type[Any]], Any],
    wait_idle: Callable[[Session], None],
    told: list[str],
    qtbot: Any,
) -> None:
    label, train = map(show_dock, (LabelDock, TrainDock))
    delete(labelled, labelled.labels, qtbot)
    wait_idle(labelled)
    assert labelled.labels is None
    for dock in (label, train):
        qtbot.waitUntil(
            lambda dock=dock: dock.data.labels.currentText() == NO_LABELS, timeout=PATIENCE
        )
    # They are in the project: what was painted can be trained on, and shown again.
    assert label.status.text().startswith("1 of 8 slices labelled")
    assert labelled.store is not None
    qtbot.mouseClick(label.data.new, LEFT)
    qtbot.waitUntil(lambda: labelled.labels is not None, timeout=PATIENCE)
    assert labelled.labels in labelled.viewer.layers
    assert labelled.store.labelled == (3,)
    assert np.asarray(labelled.labels.data[3]).all()
    assert told == []


def test_a_deleted_image_leaves_a_sentence_in_each_dock(
    labelled: Session,
    show_dock: Callable[[type[Any]], Any],
    wait_idle: Callable[[Session], None],
    told: list[str],
    qtbot: Any,
) -> None:
    label, predict, train = map(show_dock, (LabelDock, PredictDock, TrainDock))
    delete(labelled, labelled.image, qtbot)
    wait_idle(labelled)
    for dock in (label, predict, train):
        qtbot.waitUntil(
            lambda dock=dock: dock.data.image.currentText() == NO_IMAGE, timeout=PATIENCE
        )
    assert label.status.text().startswith("Open an image to begin")
    qtbot.waitUntil(lambda: "There is no image" in train.reason.text(), timeout=PATIENCE)
    for button in (train.train, predict.this_slice, predict.volume):
        assert not button.isEnabled()
        assert button.toolTip()
    assert told == []


def test_renamed_and_moved_layers_stay_what_they_are(
    labelled: Session,
    show_dock: Callable[[type[Any]], Any],
    wait_idle: Callable[[Session], None],
    told: list[str],
    qtbot: Any,
) -> None:
    mask = labelled.layers.add_classes(
        np.ones((8, 96, 128), np.uint8),
        labelled.classes,
        kind="mask",
        name="mask",
        image=labelled.image,
    )
    docks = [show_dock(kind) for kind in (LabelDock, TrainDock, PredictDock)]
    review = show_dock(ReviewDock).compare
    image, labels = labelled.image, labelled.labels
    assert image is not None
    assert labels is not None
    for layer, name in ((image, "my scan"), (labels, "my labels"), (mask, "my mask")):
        rename(labelled, layer, name, qtbot)
    view, model = list_of(labelled), list_of(labelled).model()
    index, _ = place_in_list(labelled, image)
    # What a drag to the other end of the list does when it ends there.
    mime = model.mimeData([index])
    assert model.dropMimeData(mime, Qt.DropAction.MoveAction, 0, 0, view.rootIndex())
    assert labelled.viewer.layers[-1] is image
    wait_idle(labelled)
    assert (labelled.image, labelled.labels) == (image, labels)
    for dock in docks:
        assert dock.data.image.currentText() == "my scan"
        assert dock.data.labels.currentText() == "my labels"
    qtbot.waitUntil(lambda: review.form.prediction.currentText() == "my mask", timeout=PATIENCE)
    assert review.form.truth.currentText() == "my labels"
    assert told == []

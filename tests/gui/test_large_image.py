"""All docks on an image of 4,000 x 4,000 x 500 that is read slice by slice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.gui.label.label_dock import LabelDock
from napari_xseg.gui.layers import kind_of
from napari_xseg.gui.planes import LazyPlanes
from napari_xseg.gui.predict.predict_dock import PredictDock
from napari_xseg.gui.review.review_dock import ReviewDock
from napari_xseg.gui.train.train_dock import TrainDock
from napari_xseg.jobs import SliceRequest
from tests.gui.gestures import LEFT, click_strip, draw, press, slide_to, until
from tests.gui.prediction_fakes import CLASSES, pretend_slice, write_model
from tests.gui.test_solid import Large

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari import Viewer

    from napari_xseg.gui.session import Session
    from tests.gui.fake import FakeEngine

SHAPE = (500, 4000, 4000)
Z = 250


@pytest.fixture
def large(
    session: Session, viewer: Viewer, tmp_path: Path, wait_idle: Callable[[Session], None]
) -> Session:
    """A session on the large image, with a model, in slice `Z`."""
    viewer.layers.clear()
    layer = viewer.add_image(Large(), name="large", contrast_limits=(0, 500), multiscale=False)
    session.set_image(layer)
    session.move_project(tmp_path / "large-xseg")
    session.set_model(write_model(tmp_path / "run" / "model.safetensors").parent)
    session.go_to(Z)
    wait_idle(session)
    return session


def click(qtbot: Any, button: Any) -> None:
    until(qtbot, lambda: button.isVisible() and button.isEnabled())
    qtbot.mouseClick(button, LEFT)


def test_a_stroke_in_the_picture_reaches_disk_strip_and_counts(
    large: Session, viewer: Viewer, show_dock: Callable[[type[Any]], Any], qtbot: Any
) -> None:
    label, train = show_dock(LabelDock), show_dock(TrainDock)
    viewer.window._qt_window.resize(1366, 768)
    click(qtbot, label.brush.tools["paint"])
    assert large.labels is not None
    assert large.store is not None
    large.labels.brush_size = 60
    press(qtbot, viewer, "2")
    draw(qtbot, viewer, (2000, 1500), (2000, 2500))
    counts = large.store.counts(Z)
    assert counts[2] > 50_000
    assert counts[[1, 3]].sum() == 0
    assert large.store[Z, 2000, 1600:2400].tolist() == [2] * 800
    until(qtbot, lambda: label.classes.item(2, 3) is not None)
    strip = train.slices.strip.strip
    assert strip.depth == SHAPE[0]
    until(qtbot, lambda: strip.pixels == {Z: int(counts[2])})
    cell = train.classes.table.item(1, 3)
    until(qtbot, lambda: cell.text() == f"{counts[2]:,}")
    assert "Only 'class 1'" in train.reason.text()
    click_strip(qtbot, strip, 100)
    assert large.z is not None
    assert abs(large.z - 100) <= 2  # there are more slices than pixels in the strip
    press(qtbot, viewer, "3")
    draw(qtbot, viewer, (1000, 1500), (1000, 2500))
    assert large.store.labelled == (large.z, Z)
    until(qtbot, train.train.isEnabled)
    click_strip(qtbot, strip, Z)
    assert large.z == Z
    click(qtbot, label.brush.undo)
    click(qtbot, label.brush.undo)
    assert large.store.labelled == ()


def test_this_slice_is_predicted_and_reviewed(
    large: Session,
    viewer: Viewer,
    fake_engine: FakeEngine,
    show_dock: Callable[[type[Any]], Any],
    wait_idle: Callable[[Session], None],
    qtbot: Any,
) -> None:
    predict = show_dock(PredictDock)
    fake_engine.scripts.append([pretend_slice(fake_engine, 1)])
    click(qtbot, predict.this_slice)
    wait_idle(large)
    request = fake_engine.submitted[-1]
    assert isinstance(request, SliceRequest)
    assert request.z == Z
    assert request.images.shape == SHAPE
    (mask,) = large.layers.of_kind("mask")
    assert mask.data.shape == SHAPE
    assert (mask.data[Z, 1990:2010, 1990:2010] == 2).all()

    truth = LazyPlanes(SHAPE, lambda z: np.full(SHAPE[1:], 2 + (z == Z), np.uint8))
    large.layers.add_classes(truth, CLASSES, kind="labels", name="truth", image=large.image)
    page = show_dock(ReviewDock).compare
    until(qtbot, lambda: page.reviewer.outcome is not None)
    wait_idle(large)
    assert f"z = {Z}: " in page.form.status.text()
    slide_to(qtbot, viewer, 10)
    assert large.z is not None
    assert abs(large.z - 10) <= 1
    wait_idle(large)


def test_3d_shows_reduced_copies_with_every_dock_open(
    large: Session,
    viewer: Viewer,
    show_dock: Callable[[type[Any]], Any],
    told: list[str],
    wait_idle: Callable[[Session], None],
    qtbot: Any,
) -> None:
    docks = [show_dock(kind) for kind in (LabelDock, TrainDock, PredictDock, ReviewDock)]
    assert all(dock.parent() is not None for dock in docks)
    button = viewer.window._qt_viewer.viewerButtons.ndisplayButton
    click(qtbot, button)
    assert viewer.dims.ndisplay == 3
    wait_idle(large)
    (copy,) = (layer for layer in viewer.layers if kind_of(layer) == "reduced")
    assert copy.data.size < 2e8
    assert not viewer.layers["large"].visible
    (words,) = [words for words in told if "3D display" in words]
    assert words.startswith("large: 8.0 thousand million voxels are too many")
    click(qtbot, docks[2].this_slice)
    assert "show the image in 2D" in told[-1]
    assert not docks[0].tools.isEnabled()
    click(qtbot, button)
    assert viewer.dims.ndisplay == 2
    assert viewer.layers["large"].visible
    wait_idle(large)

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_xseg.gui.planes import LazyPlanes
from napari_xseg.gui.review.review_dock import ReviewDock
from tests.gui.review.desk import LEFT, TABLE, Desk, HeldCount

if TYPE_CHECKING:
    from napari import Viewer

    from napari_xseg.gui.session import Session


def test_painting_updates_overlay_figures_and_list(desk: Desk) -> None:
    session = desk.session
    labels = session.new_labels()
    assert session.store is not None
    for z in range(8):
        session.store.write(z, desk.truth_data[z])
    session.set_classes(TABLE)
    desk.wait()
    form = desk.dock.form
    form.truth.setCurrentText(labels.name)
    desk.wait()
    assert desk.reviewer.truth is labels
    desk.all_slices()
    assert desk.reviewer.outcome is not None
    before = desk.reviewer.outcome.mistakes.pixels
    z = desk.reviewer.z
    assert z is not None
    labels.brush_size = 1
    place = np.argwhere(desk.wrong(z))[0]
    labels.paint((z, *place), int(desk.mask_data[(z, *place)]))
    desk.wait()
    assert desk.shown()[tuple(place)] == 0
    assert desk.reviewer.outcome.mistakes.pixels < before


def test_a_foreign_mask_painted_by_hand_updates_the_overlay(desk: Desk) -> None:
    values = TABLE.decode(TABLE.from_layer(desk.mask_data), np.int32)
    foreign = desk.viewer.add_labels(values, name="foreign")
    desk.wait()
    desk.dock.form.prediction.setCurrentText("foreign")
    desk.wait()
    z = desk.reviewer.z
    assert z is not None
    np.testing.assert_array_equal(desk.shown() > 0, desk.wrong(z))
    place = tuple(int(part) for part in np.argwhere(desk.wrong(z))[0])
    foreign.brush_size = 1
    foreign.paint((z, *place), int(TABLE.values[desk.truth_data[(z, *place)] - 1]))
    desk.wait()
    assert desk.shown()[place] == 0


def test_slices_of_a_mask_that_come_later_show(desk: Desk) -> None:
    done: set[int] = set()
    blank = np.zeros(desk.mask_data.shape[1:], np.uint8)
    lazy = LazyPlanes(desk.mask_data.shape, lambda z: desk.mask_data[z] if z in done else blank)
    layer = desk.add("mask", "arriving", lazy)
    desk.dock.form.prediction.setCurrentText("arriving")
    desk.wait()
    z = desk.reviewer.z
    assert z is not None
    assert not desk.shown().any()
    done.add(z)
    lazy.forget(z)
    desk.session.layers.refresh(layer)
    desk.wait()
    np.testing.assert_array_equal(desk.shown() > 0, desk.wrong(z))
    assert "0 %" not in desk.dock.form.status.text().split(":")[1][:4]


def test_deleted_layers_leave_a_sentence_and_no_overlay(desk: Desk) -> None:
    desk.viewer.layers.remove(desk.mask)
    desk.wait()
    assert "nothing to compare" in desk.dock.form.status.text()
    assert desk.reviewer.view.overlay is None
    assert list(desk.session.layers.of_kind("mistakes")) == []
    again = desk.add("mask", "mask 2", desk.mask_data)
    desk.wait()
    assert desk.reviewer.prediction is again
    assert desk.reviewer.view.overlay is not None


def test_a_layer_deleted_while_it_is_counted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    held = HeldCount(monkeypatch)
    desk.qtbot.keyClick(desk.dock.form.scope, Qt.Key.Key_End)
    desk.qtbot.waitUntil(lambda: bool(held.began))
    desk.viewer.layers.remove(desk.truth)
    held.go()
    desk.wait()
    assert len(held.began) < len(desk.truth_data)  # it was given up
    assert (desk.reviewer.truth, desk.reviewer.prediction) == (None, desk.mask)
    assert (desk.reviewer.comparison, desk.reviewer.outcome) == (None, None)


def test_renamed_layers_keep_their_place(desk: Desk) -> None:
    desk.mask.name = "best mask"
    desk.wait()
    assert desk.dock.form.prediction.currentText() == "best mask"
    assert desk.reviewer.prediction is desk.mask
    assert desk.reviewer.view.overlay is not None


def test_a_resized_layer_is_told_and_compared_again_when_it_fits(desk: Desk) -> None:
    desk.mask.data = desk.mask_data[:, :50]
    desk.wait()
    assert "choose two layers of one size" in desk.dock.form.status.text()
    assert desk.reviewer.view.overlay is None
    desk.mask.data = desk.truth_data.copy()
    desk.wait()
    assert not desk.shown().any()
    assert ": 0.00 %" in desk.dock.form.status.text()


def test_swapped_layers_swap_rows_and_columns(desk: Desk) -> None:
    form = desk.dock.form
    form.truth.setCurrentText("mask")
    desk.wait()
    assert "same layer" in form.status.text()
    form.prediction.setCurrentText("truth")
    desk.wait()
    z = desk.reviewer.z
    assert z is not None
    assert desk.reviewer.words == ("A", "B")
    np.testing.assert_array_equal(desk.shown(), np.where(desk.wrong(z), desk.mask_data[z], 0))
    assert form.by_truth.text() == "class in A"


def test_an_overlay_taken_away_comes_back_on_a_switch(desk: Desk) -> None:
    desk.viewer.layers.remove(desk.reviewer.view.overlay)
    desk.viewer.dims.set_point(0, 1)
    desk.wait()
    assert desk.reviewer.view.overlay is None
    desk.qtbot.mouseClick(desk.dock.form.by_prediction, LEFT)
    assert desk.reviewer.view.overlay is not None


def test_a_value_without_a_class_is_said_in_the_dock(desk: Desk) -> None:
    desk.viewer.add_labels(np.full(desk.mask_data.shape, 77, np.int32), name="strange")
    desk.dock.form.prediction.setCurrentText("strange")
    desk.wait()
    assert "holds the value 77" in desk.dock.form.status.text()


def test_partly_labelled_truth_counts_what_is_labelled(desk: Desk) -> None:
    desk.truth_data[:, :, 64:] = 0
    desk.truth_data[5:] = 0
    desk.truth.refresh()
    desk.all_slices()
    desk.qtbot.mouseClick(desk.dock.form.again, LEFT)
    desk.wait()
    assert f"{5 * 96 * 64:,} pixels" in desk.dock.form.status.text()
    desk.qtbot.keyClick(desk.dock.form.scope, Qt.Key.Key_Home)
    desk.viewer.dims.set_point(0, 7)
    desk.wait()
    assert "no pixel is labelled in both" in desk.dock.form.status.text()


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_single_slice(
    viewer: Viewer, session: Session, truth: Any, qtbot: Any, ndim: int
) -> None:
    viewer.layers.clear()
    plane = TABLE.to_layer(TABLE.encode(truth[0]))
    mask = plane.copy()
    mask[10:30, 10:30] = 2
    layers = [plane, mask] if ndim == 2 else [plane[None], mask[None]]
    for name, data in zip(("truth", "mask"), layers, strict=True):
        viewer.add_labels(data, name=name)
    review = ReviewDock(viewer)
    dock = review.compare
    viewer.window.add_dock_widget(review, name="Review")
    dock.form.truth.setCurrentText("truth")
    qtbot.waitUntil(lambda: not session.jobs.busy, timeout=20_000)
    dock.form.prediction.setCurrentText("mask")
    qtbot.waitUntil(lambda: dock.reviewer.outcome is not None, timeout=20_000)
    assert dock.reviewer.outcome is not None
    assert dock.reviewer.outcome.mistakes.pixels == np.count_nonzero(plane != mask)
    table = dock.mistakes.table
    qtbot.keyClick(table, Qt.Key.Key_Down)
    assert table.value() is not None
    assert list(session.layers.of_kind("outline"))

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.phantom import phantom
from napari_xseg.data.prefill import NOTHING, cut_slice
from napari_xseg.errors import XsegError
from napari_xseg.events import Message
from napari_xseg.gui.session import session_of
from napari_xseg.gui.telling import FLAG
from tests.gui import label_hands
from tests.gui.label_hands import place
from tests.gui.prediction_fakes import pretend_slice, write_model

if TYPE_CHECKING:
    from pathlib import Path

    from napari import Viewer

    from napari_xseg.gui.label.label_dock import LabelDock
    from napari_xseg.gui.label.prefill_panel import PrefillPanel
    from napari_xseg.gui.session import Session
    from tests.gui.fake import FakeEngine

LEFT = Qt.MouseButton.LeftButton
IMAGE = phantom((8, 96, 128), seed=1)[0]


@pytest.fixture
def panel(session: Session, tmp_path: Path, qtbot: Any) -> PrefillPanel:
    """The panel, open on slice 3, its first guess shown."""
    session.move_project(tmp_path / "scan-xseg")
    session.go_to(3)
    dock = opened(session.viewer)
    qtbot.waitUntil(lambda: shown(session) is not None)
    return dock.prefill


def opened(viewer: Viewer) -> LabelDock:
    dock = label_hands.opened(viewer)
    dock.fold.set_open(True)
    return dock


def shown(session: Session) -> np.ndarray | None:
    """The preview of the slice in view; None where there is none."""
    for layer in session.layers.of_kind("preview"):
        plane = np.asarray(layer.data[session.z])
        return plane if plane.any() else None
    return None


def settle(qtbot: Any, panel: PrefillPanel) -> np.ndarray:
    """Wait until what is shown is what the cuts say."""
    wanted = cut_slice(IMAGE[panel.session.z], *panel.cuts.value())

    def done() -> bool:
        mask = panel.prefill.mask_at(panel.session.z)
        return mask is not None and np.array_equal(mask, wanted)

    qtbot.waitUntil(done)
    return wanted


def test_opening_the_panel_shows_a_guess_that_apply_takes(
    panel: PrefillPanel, qtbot: Any, truth: np.ndarray
) -> None:
    wanted = settle(qtbot, panel)
    assert np.array_equal(shown(panel.session), wanted)
    assert panel.session.store is None
    qtbot.mouseClick(panel.apply, LEFT)
    store = panel.session.store
    assert store is not None
    assert np.array_equal(store[3], wanted)
    assert shown(panel.session) is None
    values = np.array([255, *np.unique(truth)])
    assert (values[store[3]] == truth[3]).mean() > 0.85


def test_apply_says_that_all_of_the_slice_is_labelled_already(
    panel: PrefillPanel, told: list[str], qtbot: Any
) -> None:
    settle(qtbot, panel)
    qtbot.mouseClick(panel.apply, LEFT)
    store = panel.session.store
    assert store is not None
    before = store[3].copy()
    assert before.all()
    assert told == []
    qtbot.mouseClick(panel.apply, LEFT)
    qtbot.waitUntil(lambda: bool(told), timeout=60_000)
    assert told == ["Slice 3: all of it is labelled already; nothing was changed."]
    assert np.array_equal(store[3], before)


def test_apply_never_touches_what_is_painted_and_is_one_step(
    panel: PrefillPanel, qtbot: Any
) -> None:
    layer = panel.session.new_labels()
    layer.paint((3, 40, 40), 3)
    store = panel.session.store
    assert store is not None
    before = store[3].copy()
    wanted = settle(qtbot, panel)
    preview = shown(panel.session)
    assert preview is not None
    assert not preview[before > 0].any()
    qtbot.mouseClick(panel.apply, LEFT)
    assert np.array_equal(store[3], np.where(before == 0, wanted, before))
    canvas = panel.session.viewer.window._qt_viewer.canvas.native
    qtbot.keyClick(canvas, "z", Qt.KeyboardModifier.ControlModifier)
    assert np.array_equal(store[3], before)


def test_dragging_a_handle_moves_the_preview(panel: PrefillPanel, qtbot: Any) -> None:
    before = settle(qtbot, panel)
    histogram = panel.cuts.histogram
    cuts, _ = panel.cuts.value()
    start = round(histogram.position(cuts[0]))
    qtbot.mousePress(histogram, LEFT, pos=QPoint(start, 40))
    qtbot.mouseMove(histogram, QPoint(start - 25, 40))
    qtbot.mouseRelease(histogram, LEFT, pos=QPoint(start - 25, 40))
    moved, _ = panel.cuts.value()
    assert moved[0] < cuts[0]
    assert moved[1] == cuts[1]
    after = settle(qtbot, panel)
    assert (after == 1).sum() < (before == 1).sum()
    qtbot.waitUntil(lambda: np.array_equal(shown(panel.session), after))


def test_handles_move_by_keys_and_never_cross(panel: PrefillPanel, qtbot: Any) -> None:
    histogram = panel.cuts.histogram
    histogram.setFocus()
    low, high = panel.cuts.value()[0]
    qtbot.keyClick(histogram, Qt.Key.Key_Right)
    once = panel.cuts.value()[0][0]
    assert low < once < high
    qtbot.keyClick(histogram, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert panel.cuts.value()[0][0] < low
    qtbot.keyClick(histogram, Qt.Key.Key_Up)
    assert histogram.handle == 1
    for _ in range(60):
        qtbot.keyClick(histogram, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    first, second = panel.cuts.value()[0]
    assert first == second


def test_number_fields_take_a_value_and_keep_the_order(panel: PrefillPanel, qtbot: Any) -> None:
    field = panel.cuts._fields[0]
    low, high = panel.cuts.value()[0]
    wanted = round((low + high) / 2)
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, str(wanted))
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert panel.cuts.value()[0] == (wanted, high)
    settle(qtbot, panel)


def test_classes_of_the_ranges_swap_and_can_be_left_out(panel: PrefillPanel, qtbot: Any) -> None:
    first = panel.cuts._combos[0]
    first.setFocus()
    qtbot.keyClick(first, Qt.Key.Key_Down)
    first.activated.emit(first.currentIndex())
    assert panel.cuts.value()[1] == (1, 0, 2)
    first.setCurrentIndex(first.findData(NOTHING))
    first.activated.emit(first.currentIndex())
    assert panel.cuts.value()[1] == (NOTHING, 0, 2)
    mask = settle(qtbot, panel)
    assert set(np.unique(mask)) == {0, 1, 3}


def test_the_preview_follows_the_slice_and_goes_with_the_panel(
    panel: PrefillPanel, qtbot: Any
) -> None:
    settle(qtbot, panel)
    cuts = panel.cuts.value()
    panel.session.go_to(6)
    assert panel.prefill.mask_at(6) is None
    settle(qtbot, panel)
    assert panel.cuts.value() == cuts
    panel.session.go_to(3)
    settle(qtbot, panel)
    panel.session.go_to(6)
    settle(qtbot, panel)
    qtbot.mouseClick(panel.preview, LEFT)
    assert shown(panel.session) is None
    qtbot.mouseClick(panel.preview, LEFT)
    settle(qtbot, panel)
    panel.hide()
    assert shown(panel.session) is None


def test_apply_without_preview_works_on_the_slice_in_view(panel: PrefillPanel, qtbot: Any) -> None:
    qtbot.mouseClick(panel.preview, LEFT)
    panel.session.go_to(5)
    qtbot.mouseClick(panel.apply, LEFT)
    qtbot.waitUntil(lambda: panel.session.store is not None and bool(panel.session.store[5].all()))
    assert panel.session.store is not None
    assert panel.session.store.labelled == (5,)


def test_inside_a_region(panel: PrefillPanel, qtbot: Any, said: list[str]) -> None:
    qtbot.mouseClick(panel.new_region, LEFT)
    layer = panel.session.viewer.layers["region"]
    assert panel.session.viewer.layers.selection.active is layer
    assert str(layer.mode) == "add_polygon"
    assert panel.region.currentData() is layer
    qtbot.waitUntil(lambda: "no polygon" in panel.hint.text())
    layer.add_rectangles(
        np.array([[3, 9.5, 19.5], [3, 9.5, 59.5], [3, 49.5, 59.5], [3, 49.5, 19.5]])
    )
    qtbot.waitUntil(lambda: shown(panel.session) is not None)
    assert not panel.hint.isVisible()
    qtbot.mouseClick(panel.apply, LEFT)
    store = panel.session.store
    assert store is not None
    inside = np.zeros((96, 128), bool)
    inside[10:50, 20:60] = True
    assert np.array_equal(store[3] > 0, inside)
    panel.session.go_to(4)
    qtbot.waitUntil(lambda: "on slice 4" in panel.hint.text())
    panel.session.viewer.layers.remove(layer)
    assert panel.region.currentData() is None
    settle(qtbot, panel)


def test_a_region_counts_the_grid_of_its_layer(panel: PrefillPanel, qtbot: Any) -> None:
    corners = np.array([[4.75, 9.75], [4.75, 29.75], [24.75, 29.75], [24.75, 9.75]])
    panel.session.viewer.add_shapes([corners], scale=(2, 2), name="mine")
    panel.region.setCurrentIndex(panel.region.findText("mine"))
    panel.region.activated.emit(panel.region.currentIndex())
    qtbot.waitUntil(lambda: shown(panel.session) is not None)
    preview = shown(panel.session)
    assert preview is not None
    rows, columns = np.nonzero(preview)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 49, 20, 59)


def test_the_model_fills_through_a_job(
    panel: PrefillPanel, qtbot: Any, fake_engine: FakeEngine, tmp_path: Path
) -> None:
    run = tmp_path / "20260101-120000-fine"
    write_model(run / "model.safetensors")
    panel.source.setCurrentIndex(1)
    qtbot.waitUntil(lambda: "no model" in panel.hint.text())
    fake_engine.scripts.append([pretend_slice(fake_engine, 2)])
    panel.session.set_model(run)
    qtbot.waitUntil(lambda: shown(panel.session) is not None)
    assert fake_engine.submitted[-1].z == 3
    assert (shown(panel.session) == 3).all()
    qtbot.mouseClick(panel.apply, LEFT)
    assert panel.session.store is not None
    assert (panel.session.store[3] == 3).all()
    assert not list(fake_engine.folder.glob("slice-*"))


def test_the_model_sees_matched_grey_values_and_warns_of_others(
    panel: PrefillPanel,
    fake_engine: FakeEngine,
    tmp_path: Path,
    told: list[str],
    qtbot: Any,
) -> None:
    run = tmp_path / "run"
    write_model(run / "model.safetensors")
    fake_engine.scripts.append([Message(f"phantom: lies far off{FLAG}.", "warning")])
    panel.session.set_model(run)
    panel.session.match_intensity = True
    panel.source.setCurrentIndex(1)
    qtbot.waitUntil(lambda: bool(fake_engine.submitted))
    assert fake_engine.submitted[-1].match_intensity
    qtbot.waitUntil(lambda: bool(told))
    assert told == ["phantom: lies far off; Match intensity in the Predict dock maps them."]


def test_a_model_that_fails_says_why(
    panel: PrefillPanel, qtbot: Any, fake_engine: FakeEngine, tmp_path: Path
) -> None:
    run = tmp_path / "20260101-120000-fine"
    write_model(run / "model.safetensors")
    fake_engine.scripts.append([XsegError("the model is gone")])
    panel.session.set_model(run)
    panel.source.setCurrentIndex(1)
    qtbot.waitUntil(lambda: panel.hint.text() == "the model is gone")
    two = ClassTable.from_values((1, 2, 3, 4), unlabelled=0)
    panel.session.set_classes(two.with_colours())
    qtbot.waitUntil(lambda: shown(panel.session) is None)


@pytest.mark.parametrize(
    "image",
    [
        np.linspace(0, 1, 40 * 50, dtype=np.float32).reshape(40, 50),
        np.linspace(0, 1e-6, 40 * 50, dtype=np.float64).reshape(1, 40, 50),
        (np.arange(3 * 40 * 50) % 256).astype(np.uint8).reshape(3, 40, 50),
    ],
    ids=["2D float", "one slice, tiny values", "8 bit"],
)
def test_other_images(
    viewer: Viewer, fake_engine: FakeEngine, qtbot: Any, tmp_path: Path, image: np.ndarray
) -> None:
    session = session_of(viewer, fake_engine)
    viewer.add_image(image, name="other")
    dock = opened(viewer)
    session.move_project(tmp_path / "other-xseg")
    qtbot.waitUntil(lambda: shown(session) is not None)
    assert len(set(dock.prefill.cuts.value()[0])) == 2
    fields = dock.prefill.cuts._fields
    assert fields[0].text() != fields[1].text()
    qtbot.mouseClick(dock.prefill.apply, LEFT)
    qtbot.waitUntil(lambda: session.store is not None)
    assert session.store[session.z].all()
    assert set(np.unique(session.store[session.z])) == {1, 2, 3}


def test_twenty_classes(panel: PrefillPanel, qtbot: Any) -> None:
    panel.session.set_classes(ClassTable.from_values(range(1, 21), unlabelled=0))
    qtbot.waitUntil(lambda: len(panel.cuts.value()[0]) == 19)
    settle(qtbot, panel)
    assert len(panel.cuts._combos) == 20


def test_nothing_is_asked_of_the_3d_display(panel: PrefillPanel, qtbot: Any) -> None:
    panel.session.viewer.dims.ndisplay = 3
    qtbot.waitUntil(lambda: "leave the 3D display" in panel.hint.text())
    panel.session.viewer.dims.ndisplay = 2
    settle(qtbot, panel)


def test_a_polygon_is_drawn_with_clicks(panel: PrefillPanel, qtbot: Any) -> None:
    qtbot.mouseClick(panel.new_region, LEFT)
    viewer = panel.session.viewer
    layer = viewer.layers["region"]
    native = viewer.window._qt_viewer.canvas.native
    for count, corner in enumerate(((10, 20), (10, 60), (50, 60), (50, 20)), start=1):
        at = place(qtbot, viewer, corner)
        qtbot.mouseMove(native, at)
        qtbot.mouseClick(native, LEFT, pos=at)
        # One corner more, that of the mouse, is part of the polygon while it is drawn.
        assert len(layer.data[0]) == count + 1
    qtbot.mouseDClick(native, LEFT, pos=at)
    assert [len(corners) for corners in layer.data] == [4]
    qtbot.waitUntil(lambda: shown(panel.session) is not None)
    rows, columns = np.nonzero(shown(panel.session))
    found = (rows.min(), rows.max(), columns.min(), columns.max())
    assert np.allclose(found, (10, 50, 20, 60), atol=1.5)

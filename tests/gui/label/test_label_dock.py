from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_xseg.data.classes import ClassTable
from napari_xseg.gui.label.label_keys import ERASE
from napari_xseg.gui.session import session_of
from tests.gui.fake import FakeEngine
from tests.gui.label_hands import (
    canvas,
    click,
    click_row,
    drag,
    layer_of,
    opened,
    paint_half,
    press,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari import Viewer

    from napari_xseg.gui.label.label_dock import LabelDock
    from napari_xseg.gui.session import Session

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def dock(session: Session, tmp_path: Path) -> LabelDock:
    session.move_project(tmp_path / "scan-xseg")
    session.go_to(3)
    return opened(session.viewer)


# -- classes and brush -------------------------------------------------------


def test_choosing_a_class_makes_the_labels_and_takes_up_the_brush(
    dock: LabelDock, qtbot: Any
) -> None:
    assert dock.session.labels is None
    click_row(qtbot, dock, 2)
    layer = layer_of(dock)
    assert (layer.selected_label, str(layer.mode)) == (2, "paint")
    assert dock.session.viewer.layers.selection.active is layer
    assert dock.classes.value() == 1
    assert dock.brush.tools["paint"].isChecked()


def test_a_stroke_in_the_picture_is_counted(dock: LabelDock, qtbot: Any) -> None:
    click_row(qtbot, dock, 3)
    drag(qtbot, dock, (40, 30), (40, 80))
    store = dock.session.store
    assert store is not None
    painted = int((store[3] == 3).sum())
    assert painted > 300
    assert store.labelled == (3,)
    qtbot.waitUntil(lambda: dock.classes.item(3, 2).text() == str(painted))
    assert dock.classes.item(3, 3).text() == str(painted)
    assert dock.classes.item(0, 2).toolTip() == f"{96 * 128 - painted:,} pixels"
    assert dock.status.text().startswith("1 of 8 slices labelled. Slice 3: ")


@pytest.mark.parametrize(("key", "label"), [("1", 1), ("2", 2), ("3", 3)])
def test_keys_in_the_picture_choose_classes(
    dock: LabelDock, qtbot: Any, key: str, label: int
) -> None:
    dock.session.new_labels()
    press(qtbot, dock, key)
    layer = layer_of(dock)
    assert (layer.selected_label, str(layer.mode)) == (label, "paint")
    assert dock.classes.value() == label - 1


@pytest.mark.parametrize("key", ["0", "E"])
def test_keys_in_the_picture_erase(dock: LabelDock, qtbot: Any, key: str) -> None:
    dock.session.new_labels()
    press(qtbot, dock, "2")
    press(qtbot, dock, key)
    assert str(layer_of(dock).mode) == "erase"
    assert dock.classes.value() == ERASE
    assert dock.brush.tools["erase"].isChecked()
    press(qtbot, dock, "1")
    assert str(layer_of(dock).mode) == "paint"


def test_keys_in_the_list_choose_as_well(dock: LabelDock, qtbot: Any) -> None:
    dock.classes.setFocus()
    qtbot.keyClick(dock.classes, "2")
    assert layer_of(dock).selected_label == 2
    qtbot.keyClick(dock.classes, Qt.Key.Key_Down)
    assert layer_of(dock).selected_label == 3
    qtbot.keyClick(dock.classes, "e")
    assert str(layer_of(dock).mode) == "erase"
    qtbot.keyClick(dock.classes, "9")
    assert str(layer_of(dock).mode) == "erase"


def test_a_key_keeps_the_tool_that_gives_labels(dock: LabelDock, qtbot: Any) -> None:
    dock.session.new_labels()
    click(qtbot, dock.brush.tools["fill"])
    press(qtbot, dock, "3")
    assert (str(layer_of(dock).mode), layer_of(dock).selected_label) == ("fill", 3)


def test_no_label_beyond_the_classes_can_be_chosen(dock: LabelDock, qtbot: Any) -> None:
    layer = dock.session.new_labels()
    for key in ("9", "M", "M", "M", "M", "=", "=", "=", "=", "-"):
        press(qtbot, dock, key)
        assert 0 <= layer.selected_label <= 3
    layer.selected_label = 200
    assert layer.selected_label == 3
    assert dock.classes.value() == 2


def test_fewer_classes_take_the_choice_along(dock: LabelDock, qtbot: Any) -> None:
    layer = dock.session.new_labels()
    press(qtbot, dock, "3")
    dock.session.set_classes(ClassTable.from_values((1, 2), unlabelled=0))
    assert layer.selected_label == 2
    assert dock.classes.rowCount() == 3


def test_tools_and_brush_size_stay_in_step_with_napari(dock: LabelDock, qtbot: Any) -> None:
    layer = dock.session.new_labels()
    for name in ("fill", "erase", "paint"):
        click(qtbot, dock.brush.tools[name])
        assert str(layer.mode) == name
    layer.mode = "fill"
    assert [name for name, b in dock.brush.tools.items() if b.isChecked()] == ["fill"]
    layer.mode = "pan_zoom"
    assert not any(button.isChecked() for button in dock.brush.tools.values())
    dock.brush.size_slider.setValue(25)
    assert layer.brush_size == 25
    layer.brush_size = 150
    assert dock.brush.size_slider.value() == 150


def test_undo_and_redo(dock: LabelDock, qtbot: Any) -> None:
    def can() -> tuple[bool, bool]:
        return dock.brush.undo.isEnabled(), dock.brush.redo.isEnabled()

    click_row(qtbot, dock, 1)
    assert can() == (False, False)
    drag(qtbot, dock, (40, 30), (40, 60))
    store = dock.session.store
    assert store is not None
    painted = store[3].copy()
    qtbot.waitUntil(lambda: can() == (True, False), timeout=60_000)
    click(qtbot, dock.brush.undo)
    assert not store[3].any()
    qtbot.waitUntil(lambda: can() == (False, True), timeout=60_000)
    click(qtbot, dock.brush.redo)
    assert np.array_equal(store[3], painted)
    qtbot.waitUntil(lambda: can() == (True, False), timeout=60_000)
    qtbot.keyClick(canvas(dock).native, "z", Qt.KeyboardModifier.ControlModifier)
    assert not store[3].any()
    qtbot.waitUntil(lambda: can() == (False, True), timeout=60_000)
    dock.session.set_classes(dock.session.classes, {0: 0, 1: 1, 2: 2})
    qtbot.waitUntil(lambda: can() == (False, False), timeout=60_000)  # it has no history now


def test_twenty_classes_scroll_and_all_can_be_chosen(dock: LabelDock, qtbot: Any) -> None:
    dock.session.set_classes(ClassTable.from_values(range(1, 21), unlabelled=0))
    assert dock.classes.rowCount() == 21
    assert dock.classes.height() < 250
    assert dock.classes.item(9, 1).text() == "9"
    assert dock.classes.item(10, 1).text() == ""
    click_row(qtbot, dock, 20)
    assert layer_of(dock).selected_label == 20


# -- other images, other views -----------------------------------------------


def test_3d_disables_the_tools_and_says_so(dock: LabelDock) -> None:
    dock.session.new_labels()
    assert dock.tools.isEnabled()
    assert not dock.flat.isVisible()
    dock.session.viewer.dims.ndisplay = 3
    assert not dock.tools.isEnabled()
    assert dock.flat.isVisible()
    assert "3D" in dock.flat.text()
    dock.session.viewer.dims.ndisplay = 2
    assert dock.tools.isEnabled()


@pytest.mark.parametrize(
    "image",
    [
        np.linspace(0, 1, 40 * 50, dtype=np.float32).reshape(40, 50),
        np.arange(40 * 50, dtype=np.uint16).reshape(1, 40, 50),
        (np.arange(3 * 40 * 50) % 256).astype(np.uint8).reshape(3, 40, 50),
    ],
    ids=["2D float", "one slice", "8 bit"],
)
def test_other_images_are_painted_too(
    viewer: Viewer, fake_engine: FakeEngine, qtbot: Any, tmp_path: Path, image: np.ndarray
) -> None:
    session = session_of(viewer, fake_engine)
    viewer.add_image(image, name="other")
    dock = opened(viewer)
    assert session.image is not None
    session.move_project(tmp_path / "other-xseg")
    click_row(qtbot, dock, 1)
    drag(qtbot, dock, (20, 10), (20, 30))
    assert session.store is not None
    assert session.store[session.z].any()
    assert session.store.labelled == (session.z,)


def test_a_deleted_labels_layer_comes_back_with_what_was_painted(
    dock: LabelDock, qtbot: Any
) -> None:
    plane = paint_half(dock)
    dock.session.viewer.layers.remove(layer_of(dock))
    assert dock.session.labels is None
    assert not dock.brush.undo.isEnabled()
    click_row(qtbot, dock, 1)
    assert np.array_equal(layer_of(dock).data[3], plane)
    press(qtbot, dock, "2")
    assert layer_of(dock).selected_label == 2


def test_a_deleted_image_leaves_a_dock_that_says_what_to_do(dock: LabelDock) -> None:
    dock.session.new_labels()
    dock.session.viewer.layers.remove(dock.session.image)
    assert not dock.tools.isEnabled()
    assert not dock.flat.isVisible()
    assert dock.status.text().startswith("Open an image to begin")


def test_two_viewers_have_labels_of_their_own(
    make_napari_viewer: Callable[..., Viewer], tmp_path: Path, qtbot: Any
) -> None:
    docks = []
    for name in ("one", "two"):
        viewer = make_napari_viewer()
        folder = tmp_path / name
        folder.mkdir()
        session = session_of(viewer, FakeEngine(folder))
        viewer.add_image(np.zeros((3, 40, 50), np.uint16), name=name)
        docks.append(opened(viewer))
        session.move_project(folder / f"{name}-xseg")
    first, second = docks
    click_row(qtbot, first, 1)
    drag(qtbot, first, (20, 10), (20, 30))
    assert first.session.store is not None
    assert first.session.store.labelled == (1,)
    assert second.session.store is None
    press(qtbot, first, "3")
    assert first.classes.value() == 2
    assert second.session.labels is None
    for dock in docks:
        dock.session.close()


def test_everything_has_a_tooltip_and_fits(dock: LabelDock) -> None:
    for widget in (
        dock.classes,
        dock.accept,
        dock.previous,
        dock.next,
        dock.clear,
        dock.save,
        dock.brush.size_slider,
        *dock.brush.tools.values(),
    ):
        assert widget.toolTip()
    dock.fold.set_open(True)
    assert dock.tools.minimumSizeHint().width() < 340


def test_a_closed_dock_lets_go(dock: LabelDock, qtbot: Any) -> None:
    layer = dock.session.new_labels()
    viewer = dock.session.viewer
    viewer.window.remove_dock_widget(dock)
    dock.close()
    layer.mode = "fill"
    dock.session.go_to(5)
    assert dock.status.text().startswith("0 of 8 slices labelled. Slice 3")
    dock.deleteLater()

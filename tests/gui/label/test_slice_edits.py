from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

from napari_xseg.data.classes import ClassTable
from napari_xseg.gui.label.label_dock import FEW_PIXELS, LabelDock
from tests.gui.label_hands import click, click_row, drag, opened, paint_half

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.gui.session import Session

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def dock(session: Session, tmp_path: Path) -> LabelDock:
    session.move_project(tmp_path / "scan-xseg")
    session.go_to(3)
    return opened(session.viewer)


def test_copy_fills_only_what_the_neighbour_has_not(dock: LabelDock, qtbot: Any) -> None:
    paint_half(dock)
    store = dock.session.store
    assert store is not None
    theirs = np.zeros((96, 128), np.uint8)
    theirs[:10] = 1
    store.write(4, theirs)
    click(qtbot, dock.next)
    assert dock.session.z == 4
    assert (store[4][:10] == 1).all()
    assert (store[4][10:48] == 2).all()
    assert not store[4][48:].any()
    click(qtbot, dock.brush.undo)
    assert np.array_equal(store[4], theirs)


def test_keys_reach_the_labels_after_an_edit_whatever_was_active(
    dock: LabelDock, qtbot: Any
) -> None:
    session = dock.session
    paint_half(dock)
    assert session.image is not None
    session.layers.add_region(session.image)
    assert session.viewer.layers.selection.active is not session.labels
    click(qtbot, dock.next)
    store = session.store
    assert store is not None
    assert store[4].any()
    canvas = session.viewer.window._qt_viewer.canvas.native
    qtbot.keyClick(canvas, "3")
    assert dock.classes.value() == 2
    qtbot.keyClick(canvas, "z", Qt.KeyboardModifier.ControlModifier)
    assert not store[4].any()


def test_copy_to_previous_and_beyond_the_ends(dock: LabelDock, qtbot: Any, said: list[str]) -> None:
    paint_half(dock, 0)
    dock.session.go_to(0)
    click(qtbot, dock.previous)
    assert said == ["Slice 0: is the first one; there is none to copy its labels to."]
    paint_half(dock, 1)
    dock.session.go_to(1)
    click(qtbot, dock.previous)
    assert dock.session.z == 0
    dock.session.go_to(5)
    click(qtbot, dock.next)
    assert "Slice 5: has no labels" in said[-1]


def test_clear_asks_where_there_is_much_and_can_be_undone(
    dock: LabelDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = paint_half(dock)
    store = dock.session.store
    assert store is not None
    asked: list[str] = []
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]

    def question(_: Any, __: str, text: str) -> Any:
        asked.append(text)
        return answers.pop(0)

    monkeypatch.setattr(QMessageBox, "question", question)
    click(qtbot, dock.clear)
    assert asked == ["Remove the labels of 6,144 pixels from slice 3?"]
    assert store[3].any()
    click(qtbot, dock.clear)
    assert not store[3].any()
    click(qtbot, dock.brush.undo)
    assert np.array_equal(store[3], plane)
    few = np.zeros_like(plane)
    few.flat[:FEW_PIXELS] = 1
    store.write(3, few)
    click(qtbot, dock.clear)  # answers are used up: asking would fail
    assert not store[3].any()


def test_accept_takes_the_preview_of_a_model(dock: LabelDock, qtbot: Any, said: list[str]) -> None:
    paint_half(dock)
    session = dock.session
    assert session.image is not None
    click(qtbot, dock.accept)
    assert "no mask is shown" in said[-1]
    session.layers.show_preview(
        3,
        (0, 90, 0, 128),
        np.full((90, 128), 3, np.uint8),
        classes=session.classes,
        shape=(8, 96, 128),
        image=session.image,
    )
    click(qtbot, dock.accept)
    assert session.store is not None
    assert (session.store[3][:48] == 2).all()
    assert (session.store[3][48:90] == 3).all()
    assert said[-1] == "Slice 3: 5,376 pixels were labelled; 768 pixels stay not labelled."
    session.store.write(3, np.full((96, 128), 1, np.uint8))
    click(qtbot, dock.brush.undo)  # the step before, within a slice written since
    next(session.layers.of_kind("preview")).visible = False
    session.store.write(3, np.full((96, 128), 1, np.uint8))
    click(qtbot, dock.accept)
    assert said[-1] == "Slice 3 is labelled already, all of it."


def test_accept_takes_a_predicted_mask_of_the_same_classes_by_name(
    dock: LabelDock, qtbot: Any
) -> None:
    session = dock.session
    theirs = ClassTable.from_dict(
        {
            "unlabelled": 0,
            "classes": [
                {"name": "class 2", "value": 1, "colour": "#0000ff"},
                {"name": "class 0", "value": 2, "colour": "#ff0000"},
            ],
        }
    )
    mask = np.zeros((8, 96, 128), np.uint8)
    mask[3] = 1
    session.layers.add_classes(mask, theirs, kind="mask", name="mask", image=session.image)
    click(qtbot, dock.accept)
    assert session.store is not None
    assert (session.store[3] == 3).all()


def test_save_is_offered_when_the_disk_was_full(
    dock: LabelDock, qtbot: Any, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_xseg.data.label_chunks import LabelChunks

    dock.session.new_labels()
    store = dock.session.store
    assert store is not None
    assert not dock.save.isVisible()
    kept = LabelChunks.write

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LabelChunks, "write", full)
    click_row(qtbot, dock, 1)
    drag(qtbot, dock, (40, 30), (40, 60))
    qtbot.waitUntil(dock.save.isVisible)
    assert store.pending
    monkeypatch.setattr(LabelChunks, "write", kept)
    click(qtbot, dock.save)
    assert not dock.save.isVisible()
    assert not store.pending
    assert said[-1] == "What you painted is on disk."

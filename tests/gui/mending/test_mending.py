from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.label_origins import Origins
from napari_xseg.gui.project_state import FIRST_CLASSES
from tests.gui.prediction_fakes import CLASSES
from tests.gui.suspects.bench import SHAPE, SQUARE, Bench

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.data.label_origins import Origin
    from napari_xseg.gui.session import Session

# Labels of the mask's square and of what is around it; the third class.
INNER, OUTER, OTHER = 3, 2, 1


def labels(bench: Bench, z: int = 2) -> Any:
    assert bench.session.store is not None
    return bench.session.store.read(z)


def origins(bench: Bench, z: int = 2) -> tuple[Origin, ...]:
    """What is on disk."""
    assert bench.session.project is not None
    return Origins.open(bench.session.project.folder, read_only=True).of(z)


def test_a_click_gives_a_piece_of_the_mask_the_class_that_is_right(bench: Bench) -> None:
    mend = bench.page.mend
    assert mend.value.currentText() == "class 1"
    bench.click(mend.tools["piece"])
    bench.click_at(25, 45)
    found = labels(bench)
    assert (found[SQUARE] == OUTER).all()
    assert np.count_nonzero(found) == 100
    assert "100 pixels of labels changed" in mend.status.text()
    (origin,) = origins(bench)
    assert (origin.kind, origin.at, origin.model) == ("corrected", "suspect", "abc123")
    assert origin.mask == bench.path.name
    assert origin.box == (20, 30, 40, 50)


def test_it_is_one_step_to_undo(bench: Bench) -> None:
    bench.click(bench.page.mend.tools["piece"])
    bench.click_at(25, 45)
    bench.click(bench.page.mend.undo)
    assert not labels(bench).any()
    assert bench.page.mend.status.text().endswith("is taken back.")
    bench.click(bench.page.mend.undo)
    assert bench.page.mend.status.text() == "There is nothing to take back."
    bench.click_at(25, 45)
    assert labels(bench).any()


def test_the_outline_stays_above_what_was_mended(bench: Bench) -> None:
    bench.click(bench.page.mend.tools["piece"])
    bench.click_at(25, 45)
    (outline,) = bench.session.layers.of_kind("outline")
    layers = bench.viewer.layers
    assert layers.index(outline) > layers.index(bench.session.labels)


def test_a_key_gives_the_piece_under_the_mouse_its_class(bench: Bench) -> None:
    bench.click(bench.page.mend.tools["piece"])
    layer = bench.session.new_labels()
    bench.press_at(25, 45, "1")
    assert (labels(bench)[SQUARE] == OTHER).all()
    assert layer.mode == "pan_zoom"
    native = bench.viewer.window._qt_viewer.canvas.native
    bench.qtbot.keyClick(native, Qt.Key.Key_Escape)
    assert not bench.page.mend.tools["piece"].isChecked()
    bench.press_at(25, 45, "9")
    assert (labels(bench)[SQUARE] == OTHER).all()


def test_a_place_is_filled_with_the_class_under_the_cursor(bench: Bench) -> None:
    bench.click(bench.page.mend.tools["place"])
    bench.click_at(25, 60)
    found = labels(bench)
    assert (found[SQUARE] == OUTER).all()
    assert np.count_nonzero(found) == 100


def test_what_is_labelled_comes_before_the_mask(bench: Bench) -> None:
    bench.session.new_labels()
    plane = np.zeros((96, 128), np.uint8)
    plane[25:30, 40:50] = OTHER
    assert bench.session.store is not None
    bench.session.store.write(2, plane)
    bench.click(bench.page.mend.tools["piece"])
    bench.click_at(22, 45)
    found = labels(bench)
    assert (found[20:25, 40:50] == OUTER).all()
    assert (found[25:30, 40:50] == OTHER).all()


def test_growing_shrinking_and_holes(bench: Bench) -> None:
    mend = bench.page.mend
    mend.reach.setValue(2)
    bench.click(mend.tools["grow"])
    bench.click_at(25, 45)
    found = labels(bench)
    assert (found[18:32, 45] == INNER).all()
    assert not found[17, 45]
    bench.click(mend.tools["shrink"])
    assert not mend.tools["grow"].isChecked()
    bench.click_at(25, 45)
    found = labels(bench)
    assert (found[20:30, 45] == INNER).all()
    assert found[19, 45] == OUTER
    bench.click(mend.tools["holes"])
    bench.click_at(60, 100)
    found = labels(bench)
    assert (found == OUTER).all()


def test_the_mask_is_taken_over_around_the_place(bench: Bench) -> None:
    bench.click(bench.page.mend.take_over)
    bench.wait()
    found = labels(bench)
    assert (found[SQUARE] == INNER).all()
    assert np.count_nonzero(found) == (10 + 32) * (10 + 32)
    assert origins(bench)[-1].kind == "accepted"


def test_an_accepted_slice_keeps_what_was_mended(bench: Bench) -> None:
    mend = bench.page.mend
    bench.click(mend.tools["piece"])
    bench.click_at(25, 45)
    bench.click(mend.accept)
    bench.wait()
    found = labels(bench)
    assert (found == OUTER).all()
    assert [one.kind for one in origins(bench)] == ["corrected", "accepted"]
    assert bench.session.origins.accepted([2, 3]) == (2,)


def test_the_brush_puts_the_tool_down(bench: Bench) -> None:
    mend = bench.page.mend
    bench.click(mend.tools["piece"])
    bench.qtbot.keyClick(bench.page.list.table, Qt.Key.Key_P)
    layer = bench.session.labels
    assert layer is not None
    assert (str(layer.mode), layer.selected_label) == ("paint", OUTER)
    assert not mend.tools["piece"].isChecked()


def test_a_stroke_is_noted_as_painted(bench: Bench) -> None:
    layer = bench.session.new_labels()
    layer.paint((2, 50, 60), 1)
    layer.paint((2, 50, 70), 1)
    bench.wait()
    assert [one.kind for one in origins(bench)] == ["painted"]


def test_a_pull_at_the_picture_mends_nothing(bench: Bench) -> None:
    from tests.gui.label_hands import LEFT, place

    bench.click(bench.page.mend.tools["piece"])
    native = bench.viewer.window._qt_viewer.canvas.native
    start, stop = (place(bench.qtbot, bench.viewer, at) for at in ((25, 45), (28, 50)))
    bench.qtbot.mousePress(native, LEFT, pos=start)
    bench.qtbot.mouseMove(native, stop)
    bench.qtbot.mouseRelease(native, LEFT, pos=stop)
    bench.wait()
    assert bench.session.store is None or not labels(bench).any()


def test_the_tool_goes_with_the_page(bench: Bench) -> None:
    callbacks = list(bench.viewer.mouse_drag_callbacks)
    bench.click(bench.page.mend.tools["piece"])
    assert list(bench.viewer.mouse_drag_callbacks) != callbacks
    bench.review.tabs.setCurrentIndex(0)
    assert list(bench.viewer.mouse_drag_callbacks) == callbacks
    assert not bench.page.mend.tools["piece"].isChecked()


def test_outside_the_picture_is_a_sentence(bench: Bench, said: list[str]) -> None:
    bench.page.mender.set_tool("piece")
    bench.page.mender.make((500, 3), 1)
    bench.wait()
    assert any("lies outside the slice" in words for words in said)
    bench.click_at(25, 45)
    assert labels(bench).any()


def test_labels_that_nobody_has_begun_get_the_classes_of_the_mask(
    session: Session, tmp_path: Path, qtbot: Any
) -> None:
    names = ("pore", "YSZ", "nickel", "steel")
    four = ClassTable.from_values([0, 50, 128, 255])
    four = ClassTable(
        tuple(replace(spec, name=name) for spec, name in zip(four.classes, names, strict=True)),
        unlabelled=1,
    )
    made = Bench(session, tmp_path, qtbot)
    session.set_classes(FIRST_CLASSES)
    told = json.loads(made.path.with_name(f"{made.path.name}.json").read_text("utf-8"))
    told["classes"] = four.to_dict()
    made.path.with_name(f"{made.path.name}.json").write_text(json.dumps(told), "utf-8")
    session.layers.remove(made.layer)
    made.layer = made.show(made.path)
    made.open()
    assert session.classes.names == names
    session.go_to(2)
    made.click(made.page.mend.accept)
    made.wait()
    assert (labels(made)[SQUARE] == 4).all()


def test_classes_that_somebody_has_begun_with_stay(
    session: Session, tmp_path: Path, qtbot: Any
) -> None:
    made = Bench(session, tmp_path, qtbot)
    session.set_classes(FIRST_CLASSES)
    session.new_labels()
    assert session.store is not None
    session.store.write(1, np.full(SHAPE[1:], 1, np.uint8))
    named = tuple(replace(spec, name=f"my {spec.name}") for spec in CLASSES.classes)
    told = json.loads(made.path.with_name(f"{made.path.name}.json").read_text("utf-8"))
    told["classes"] = replace(CLASSES, classes=named).to_dict()
    made.path.with_name(f"{made.path.name}.json").write_text(json.dumps(told), "utf-8")
    session.layers.remove(made.layer)
    made.layer = made.show(made.path)
    made.open()
    assert session.classes == FIRST_CLASSES

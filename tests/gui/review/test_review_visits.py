from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from napari.layers import Shapes
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_xseg.gui.review.review_dock import ReviewDock
from tests.gui.review.desk import LEFT, TABLE, Desk

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from napari_xseg.gui.session import Session


def test_a_click_flies_there_and_outlines(desk: Desk) -> None:
    desk.all_slices()
    desk.click_row(0)
    mistake = desk.dock.mistakes.table.value()
    assert mistake is not None
    assert desk.reviewer.z == mistake.z
    _, y, x = desk.viewer.scene.camera.center
    assert mistake.y_range[0] <= y < mistake.y_range[1]
    assert mistake.x_range[0] <= x < mistake.x_range[1]
    seen = min(desk.viewer.canvas.size) / desk.viewer.scene.camera.zoom
    assert seen < desk.truth_data.shape[1]
    outline = next(iter(desk.session.layers.of_kind("outline")))
    assert isinstance(outline, Shapes)
    corners = outline.data[0]
    assert (corners[:, 0] == mistake.z).all()
    assert corners[:, 1].min() < mistake.y_range[0] <= mistake.y_range[1] - 1 < corners[:, 1].max()
    desk.qtbot.keyClick(desk.dock.mistakes.table, Qt.Key.Key_Down)
    assert len(list(desk.session.layers.of_kind("outline"))) == 1
    second = desk.dock.mistakes.table.value()
    assert second is not None
    assert desk.reviewer.z == second.z


def test_flying_leaves_3d_and_works_on_a_scaled_image(
    session: Session, truth: Any, qtbot: Any
) -> None:
    assert session.image is not None
    session.image.scale = (2.0, 0.5, 0.5)
    session.image.translate = (10.0, 100.0, 0.0)
    desk = Desk(session, truth, qtbot)
    desk.all_slices()
    desk.viewer.dims.ndisplay = 3
    desk.click_row(0)
    mistake = desk.dock.mistakes.table.value()
    assert mistake is not None
    assert desk.viewer.dims.ndisplay == 2
    assert desk.reviewer.z == mistake.z
    assert abs(desk.viewer.scene.camera.center[-2] - (100 + 0.5 * mistake.y)) < 5


def test_ticks_are_remembered_and_hidden(desk: Desk, qtbot: Any) -> None:
    desk.all_slices()
    table = desk.dock.mistakes.table
    desk.click_row(1)
    mistake = table.value()
    qtbot.keyClick(table, Qt.Key.Key_Space)
    desk.wait()
    assert desk.session.project is not None
    assert len(list((desk.session.project.folder / "reviews").glob("ticks-*.json"))) == 1
    total = table.mistakes.rowCount()
    box = desk.dock.mistakes.hide_ticked
    qtbot.keyClick(box, Qt.Key.Key_Space)
    assert table.mistakes.rowCount() == total - 1
    desk.review.close()
    desk.review = ReviewDock(desk.viewer)
    desk.dock = desk.review.compare
    qtbot.addWidget(desk.review)
    desk.reviewer = desk.dock.reviewer
    desk.wait()
    desk.all_slices()
    model = desk.dock.mistakes.table.mistakes
    row = model.row_of(mistake)
    assert row is not None
    assert model.is_ticked(row)
    assert model.ticks == 1
    desk.dock.close()


def test_p_takes_the_brush_with_the_true_class(desk: Desk) -> None:
    labels = desk.session.new_labels()
    desk.session.set_classes(TABLE)
    desk.dock.form.truth.setCurrentText("truth")
    desk.wait()
    desk.click_row(0)
    mistake = desk.dock.mistakes.table.value()
    assert mistake is not None
    desk.qtbot.keyClick(desk.dock.mistakes.table, Qt.Key.Key_P)
    assert desk.viewer.layers.selection.active is labels
    assert labels.mode == "paint"
    assert labels.selected_label == mistake.true + 1


def test_without_labels_p_says_what_to_do(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(desk.session, "warn", said.append)
    desk.click_row(0)
    desk.qtbot.mouseClick(desk.dock.mistakes.paint, LEFT)
    assert "no labels to paint in" in said[0]


def test_the_list_is_saved_as_csv(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "list.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    desk.all_slices()
    desk.qtbot.keyClick(desk.dock.mistakes.predicted, Qt.Key.Key_Down)
    desk.qtbot.mouseClick(desk.dock.mistakes.export, LEFT)
    desk.wait()
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == desk.dock.mistakes.table.mistakes.rowCount() > 0
    assert {row["predicted"] for row in rows} == {"pore"}

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.layers import Labels, Shapes
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_xseg.data.classes import ClassSpec, ClassTable
from napari_xseg.gui.planes import LazyPlanes
from napari_xseg.gui.review.comparison import Comparison
from napari_xseg.gui.review.mistake_list import PIXELS
from napari_xseg.gui.review.review_dock import ReviewDock

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer

    from napari_xseg.gui.session import Session

TABLE = ClassTable(
    (
        ClassSpec("pore", 0, (255, 0, 0)),
        ClassSpec("YSZ", 128, (0, 255, 0)),
        ClassSpec("nickel", 255, (0, 0, 255)),
    ),
    unlabelled=1,
)
LEFT = Qt.MouseButton.LeftButton


class Desk:
    """A dock in a window, with a truth and a mask that has known mistakes."""

    def __init__(self, session: Session, truth: Any, qtbot: Any) -> None:
        self.session, self.viewer, self.qtbot = session, session.viewer, qtbot
        self.truth_data = TABLE.to_layer(TABLE.encode(truth))
        self.mask_data = self.truth_data.copy()
        for z in range(len(truth)):
            self.mask_data[z, 20:40, 30 : 50 + z] = 1 + (z % 3)
        self.mask_data[:, 80:83, 100:110] = 1
        self.truth = self.add("labels", "truth", self.truth_data)
        self.mask = self.add("mask", "mask", self.mask_data)
        self.dock = ReviewDock(self.viewer)
        self.viewer.window.add_dock_widget(self.dock, name="Review", area="right")
        self.reviewer = self.dock.reviewer
        self.wait()

    def add(self, kind: Any, name: str, data: Any) -> Labels:
        return self.session.layers.add_classes(
            data, TABLE, kind=kind, name=name, image=self.session.image
        )

    def wait(self) -> None:
        """Wait until nothing is gathered or counted any more."""
        jobs, gathers = self.session.jobs, self.reviewer._gather
        self.qtbot.waitUntil(lambda: not (jobs.busy or gathers.isActive()), timeout=20_000)

    def wrong(self, z: int) -> Any:
        return (self.truth_data[z] != self.mask_data[z]) & (self.truth_data[z] > 0)

    def shown(self) -> Any:
        """What the overlay shows of the slice in view."""
        overlay = self.reviewer.view.overlay
        assert overlay is not None
        return np.asarray(overlay._slice.image.raw)

    def all_slices(self) -> None:
        self.qtbot.keyClick(self.dock.form.scope, Qt.Key.Key_End)
        self.wait()

    def click_row(self, row: int) -> None:
        table = self.dock.mistakes.table
        self.dock.show()
        place = table.visualRect(table.mistakes.index(row, PIXELS)).center()
        self.qtbot.mouseClick(table.viewport(), LEFT, pos=place)


@pytest.fixture
def desk(session: Session, truth: Any, qtbot: Any) -> Desk:
    return Desk(session, truth, qtbot)


def test_overlay_has_the_true_class_of_what_differs(desk: Desk) -> None:
    z = desk.reviewer.z
    assert z is not None
    np.testing.assert_array_equal(desk.shown(), np.where(desk.wrong(z), desk.truth_data[z], 0))
    desk.qtbot.mouseClick(desk.dock.form.by_prediction, LEFT)
    np.testing.assert_array_equal(desk.shown(), np.where(desk.wrong(z), desk.mask_data[z], 0))
    assert desk.reviewer.view.overlay is not None
    assert not desk.reviewer.view.overlay.editable


def test_scores_follow_the_slice(desk: Desk) -> None:
    desk.viewer.dims.set_point(0, 2)
    desk.wait()
    assert f"z = 2: {100 * desk.wrong(2).mean():.2f} %" in desk.dock.form.status.text()
    scores = desk.dock.scores
    assert scores.rowCount() == 6
    first = scores.item(0, 0)
    assert first is not None
    assert first.text() == "pore"
    sizes = [desk.reviewer.outcome.mistakes.pixels] if desk.reviewer.outcome else []
    assert sizes == [np.count_nonzero(desk.wrong(2))]


def test_the_whole_volume_is_counted_with_one_key(desk: Desk) -> None:
    desk.all_slices()
    assert "8 slices" in desk.dock.form.status.text()
    assert desk.reviewer.outcome is not None
    wrong = sum(np.count_nonzero(desk.wrong(z)) for z in range(8))
    assert desk.reviewer.outcome.mistakes.pixels == wrong
    assert not desk.dock.form.progress.isVisible()


def test_a_count_can_be_cancelled_and_keeps_its_slices(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = Comparison.review

    def cancelled_at_two(self: Comparison, z: int) -> Any:
        if z == 2:
            desk.reviewer.cancel()
        return review(self, z)

    monkeypatch.setattr(Comparison, "review", cancelled_at_two)
    desk.all_slices()
    assert "3 of 8 slices" in desk.dock.form.status.text()
    monkeypatch.undo()
    desk.qtbot.mouseClick(desk.dock.form.again, LEFT)
    desk.wait()
    assert "8 slices" in desk.dock.form.status.text()


def test_a_cell_of_the_heat_map_shows_just_its_pixels(desk: Desk) -> None:
    z, heat_map = desk.reviewer.z, desk.dock.heat_map
    assert z is not None
    desk.qtbot.mouseClick(heat_map, LEFT, pos=heat_map.cell(1, 0).center())
    chosen = (desk.truth_data[z] == 2) & (desk.mask_data[z] == 1)
    np.testing.assert_array_equal(desk.shown(), np.where(chosen, 2, 0))
    assert desk.dock.mistakes.pair() == (1, 0)
    listed = desk.dock.mistakes.table.mistakes.chosen()
    assert listed is not None
    assert listed.pixels == np.count_nonzero(chosen) > 0
    desk.qtbot.keyClick(heat_map, Qt.Key.Key_Escape)
    np.testing.assert_array_equal(desk.shown() > 0, desk.wrong(z))
    assert desk.dock.mistakes.pair() == (None, None)


def test_a_pair_chosen_in_the_list_shows_in_the_heat_map(desk: Desk) -> None:
    desk.qtbot.keyClick(desk.dock.mistakes.predicted, Qt.Key.Key_Down)
    assert desk.dock.heat_map.value() == (None, 0)
    assert desk.reviewer.pair == (None, 0)


def test_the_border_band_is_left_out_on_a_click(desk: Desk) -> None:
    desk.all_slices()
    assert desk.reviewer.outcome is not None
    before = desk.reviewer.outcome.mistakes.pixels
    box = desk.dock.form.leave_out
    desk.qtbot.mouseClick(box, LEFT, pos=box.rect().center().__class__(8, box.height() // 2))
    desk.wait()
    assert desk.reviewer.rules.leave_out
    assert 0 < desk.reviewer.outcome.mistakes.pixels < before
    z = desk.reviewer.z
    assert z is not None
    assert np.count_nonzero(desk.shown()) < np.count_nonzero(desk.wrong(z))


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


def test_3d_never_asks_for_the_whole_overlay(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    read = Comparison.read
    monkeypatch.setattr(Comparison, "read", lambda self, z: (made.append(z), read(self, z))[1])
    desk.viewer.dims.ndisplay = 3
    desk.wait()
    assert made == []
    overlay = desk.reviewer.view.overlay
    assert overlay is not None
    assert not overlay.visible
    desk.viewer.dims.ndisplay = 2
    desk.wait()
    assert overlay.visible
    made.clear()
    desk.viewer.dims.order = (1, 0, 2)
    desk.wait()
    assert made == []


def test_a_saved_overlay_is_whole(desk: Desk) -> None:
    assert desk.reviewer.view.overlay is not None
    whole = np.asarray(desk.reviewer.view.overlay.data)
    wrong = np.stack([desk.wrong(z) for z in range(8)])
    np.testing.assert_array_equal(whole > 0, wrong)


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
    desk.dock.close()
    desk.dock = ReviewDock(desk.viewer)
    qtbot.addWidget(desk.dock)
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


@pytest.mark.parametrize("suffix", [".png", ".svg", ""])
def test_figure_six_is_saved_with_one_button(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"figure{suffix}"
    asked: list[str] = []

    def ask(_: Any, title: str, default: str, kinds: str) -> tuple[str, str]:
        asked.append(default)
        return str(path), kinds

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    desk.qtbot.mouseClick(desk.dock.form.figure, LEFT)
    desk.wait()
    assert Path(asked[0]).name.startswith("figure6_mask_z")
    saved = path.with_suffix(suffix or ".png")
    begin = saved.read_bytes()[:200]
    assert begin.startswith(b"\x89PNG") if saved.suffix == ".png" else b"<?xml" in begin


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
    review = Comparison.review
    began: list[int] = []

    def slow(self: Comparison, z: int) -> Any:
        began.append(z)
        return review(self, z)

    monkeypatch.setattr(Comparison, "review", slow)
    desk.qtbot.keyClick(desk.dock.form.scope, Qt.Key.Key_End)
    desk.viewer.layers.remove(desk.truth)
    desk.wait()
    assert desk.reviewer.truth is desk.mask or desk.reviewer.truth is None
    assert desk.reviewer.comparison is None


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
    dock = ReviewDock(viewer)
    viewer.window.add_dock_widget(dock, name="Review")
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


def test_twenty_classes_fit(viewer: Viewer, session: Session, qtbot: Any) -> None:
    classes = ClassTable.from_values(range(20), unlabelled=255)
    rng = np.random.default_rng(0)
    data = rng.integers(1, 21, (8, 96, 128)).astype(np.uint8)
    other = np.where(rng.random(data.shape) < 0.02, np.uint8(3), data)
    for kind, array in (("labels", data), ("mask", other)):
        session.layers.add_classes(array, classes, kind=kind, name=kind, image=session.image)  # type: ignore[arg-type]
    dock = ReviewDock(viewer)
    viewer.window.add_dock_widget(dock, name="Review", area="right")
    qtbot.waitUntil(lambda: dock.reviewer.outcome is not None, timeout=20_000)
    heat_map = dock.heat_map
    qtbot.mouseClick(heat_map, LEFT, pos=heat_map.cell(17, 2).center())
    assert dock.reviewer.pair == (17, 2)
    assert dock.scores.height() < 320
    assert heat_map.height() < 340


def test_closing_the_dock_takes_its_layers_and_listens_no_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.click_row(0)
    desk.dock.close()
    left = {layer.name for layer in desk.viewer.layers}
    assert left == {"phantom", "truth", "mask"}
    heard: list[Any] = []
    monkeypatch.setattr(desk.dock.reviewer, "_settle", lambda: heard.append(1))
    desk.viewer.dims.set_point(0, 3)
    desk.session.slices_changed.emit(frozenset({3}))
    desk.qtbot.wait(100)
    assert heard == []
    assert not desk.reviewer._gather.isActive()


def test_the_dock_is_narrow_and_says_what_its_parts_do(desk: Desk) -> None:
    form, mistakes = desk.dock.form, desk.dock.mistakes
    assert desk.dock.minimumSizeHint().width() <= 360
    inner = desk.dock.heat_map.parentWidget()
    assert inner is not None
    assert inner.minimumSizeHint().width() <= 340
    widgets = (form.truth, form.prediction, form.by_truth, form.leave_out, form.scope, form.again)
    more = (form.figure, mistakes.true, mistakes.hide_ticked, mistakes.paint, mistakes.export)
    assert all(widget.toolTip() for widget in (*widgets, *more))


def test_the_theme_reaches_the_heat_map(desk: Desk) -> None:
    dark = desk.dock.heat_map.grab().toImage()
    desk.viewer.theme = "light"
    light = desk.dock.heat_map.grab().toImage()
    assert dark != light


def test_napari_finds_the_dock(make_napari_viewer: Callable[..., Viewer]) -> None:
    import npe2

    manifest = npe2.PluginManifest.from_file(
        Path(__file__).parents[3] / "napari_xseg" / "napari.yaml"
    )
    names = {command.id: command.python_name for command in manifest.contributions.commands or []}
    review = [
        item for item in manifest.contributions.widgets or [] if item.display_name == "Review"
    ]
    assert names[review[0].command] == "napari_xseg.gui.review.review_dock:ReviewDock"

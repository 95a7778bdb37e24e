from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_xseg.data.classes import ClassTable
from napari_xseg.gui.review.comparison import Comparison
from napari_xseg.gui.review.review_dock import ReviewDock
from tests.gui.review.desk import LEFT, Desk

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer

    from napari_xseg.gui.session import Session


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


def test_an_open_list_keeps_its_entry_while_other_layers_come_and_go(desk: Desk) -> None:
    box = desk.dock.form.prediction
    box.showPopup()
    view = box.view()
    other = view.model().index(1 - box.currentIndex(), 0)
    view.setCurrentIndex(other)
    row = other.row()
    points = desk.viewer.add_points([(0, 1, 2)])
    assert view.currentIndex().row() == row
    desk.viewer.layers.remove(points)
    assert view.currentIndex().row() == row
    box.hidePopup()


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


def test_twenty_classes_fit(viewer: Viewer, session: Session, qtbot: Any) -> None:
    classes = ClassTable.from_values(range(20), unlabelled=255)
    rng = np.random.default_rng(0)
    data = rng.integers(1, 21, (8, 96, 128)).astype(np.uint8)
    other = np.where(rng.random(data.shape) < 0.02, np.uint8(3), data)
    for kind, array in (("labels", data), ("mask", other)):
        session.layers.add_classes(array, classes, kind=kind, name=kind, image=session.image)  # type: ignore[arg-type]
    review = ReviewDock(viewer)
    dock = review.compare
    viewer.window.add_dock_widget(review, name="Review", area="right")
    qtbot.waitUntil(lambda: dock.reviewer.outcome is not None, timeout=20_000)
    heat_map = dock.heat_map
    qtbot.mouseClick(heat_map, LEFT, pos=heat_map.cell(17, 2).center())
    assert dock.reviewer.pair == (17, 2)
    assert dock.scores.height() < 320
    assert heat_map.height() < 340


def test_closing_the_dock_takes_its_layers_and_listens_no_more(desk: Desk) -> None:
    desk.click_row(0)
    desk.review.close()
    left = {layer.name for layer in desk.viewer.layers}
    assert left == {"phantom", "truth", "mask"}
    assert not desk.reviewer._gather.isActive()
    desk.viewer.dims.set_point(0, 3)
    desk.session.slices_changed.emit(frozenset({3}))
    assert not desk.reviewer._gather.isActive()  # where it listened it would count soon


def test_the_dock_is_narrow_and_says_what_its_parts_do(desk: Desk) -> None:
    form, mistakes = desk.dock.form, desk.dock.mistakes
    assert desk.review.minimumSizeHint().width() <= 360
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


def test_buttons_with_nothing_to_act_on_say_so(session: Session, qtbot: Any) -> None:
    dock = ReviewDock(session.viewer)
    session.viewer.window.add_dock_widget(dock, name="Review")
    page = dock.compare
    buttons = (page.form.figure, page.form.again, page.mistakes.paint, page.mistakes.export)
    for button in buttons:
        assert not button.isEnabled()
        assert button.toolTip().startswith("There is nothing to compare")
    report = dock.score.summary.buttons["report"]
    assert not report.isEnabled()
    assert report.toolTip() == "Nothing is scored yet."
    assert "report" in dock.score.summary.buttons["open"].toolTip()
    fill = page.mend.tools["place"]
    assert not fill.isEnabled()
    assert fill.toolTip() == "Choose a place in the list first."


def test_buttons_with_something_to_act_on_say_what_they_do(desk: Desk) -> None:
    desk.all_slices()
    page = desk.dock
    assert page.mistakes.table.mistakes.rowCount() > 0
    buttons = (page.form.figure, page.form.again, page.mistakes.paint, page.mistakes.export)
    for button in buttons:
        assert button.isEnabled()
        assert not button.toolTip().startswith(("There is nothing", "No mistake"))
    desk.viewer.layers.remove(desk.mask)
    desk.wait()
    assert not any(button.isEnabled() for button in buttons)

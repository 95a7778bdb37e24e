"""A session of scores from its beginning to its end, as a person goes through it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_xseg.gui.layers import KEY
from napari_xseg.gui.scoring import preparing
from napari_xseg.gui.scoring.reviewer_name import known_reviewer
from napari_xseg.gui.scoring.score_page import ScorePage
from napari_xseg.review.scoring.values import Mark
from napari_xseg.review.suspects.kept import Origin, suspects_path, write_suspects
from napari_xseg.review.suspects.table import ROW, Suspects
from tests.gui.scoring.bench import LEFT, TABLE

if TYPE_CHECKING:
    from napari_xseg.events import Control
    from tests.gui.scoring.bench import Bench

SPACE, BACK, ESCAPE = Qt.Key.Key_Space, Qt.Key.Key_Backspace, Qt.Key.Key_Escape


def test_session_from_beginning_to_end(bench: Bench) -> None:
    bench.begin()
    assert bench.session.z == 0
    for score in "12345123":
        bench.press(score)
        assert bench.on_disk()[bench.item.number].score == int(score)
        bench.press(SPACE)

    assert bench.scorer.opened is None
    assert not bench.page.keys.taking
    assert [one.score for one in bench.on_disk().values()] == [1, 2, 3, 4, 5, 1, 2, 3]
    assert all(one.seconds is not None for one in bench.on_disk().values())
    assert known_reviewer() == "Ada"


def test_viewer_shows_the_item_s_mask_alone(bench: Bench) -> None:
    bench.masks[0].visible = True
    bench.begin()
    bench.press("2", SPACE)

    assert bench.item.z == bench.session.z == 1
    assert not any(layer.visible for layer in (*bench.masks, bench.labels))
    chosen = bench.page.scorer.opened.session.masks[0].path
    mask = bench.masks[[str(path) for path in bench.paths].index(chosen)]
    np.testing.assert_array_equal(bench.shown(), mask.data[1])


def test_back_undo_and_faults(bench: Bench) -> None:
    bench.begin()
    bench.press("2", "w", "b", SPACE, "5", SPACE)
    bench.press(BACK, BACK)
    assert bench.item.number == 1
    assert bench.page.running.faults["wrong phase"].isChecked()

    bench.press("w")
    assert bench.on_disk()[1].faults == ("border shift",)
    bench.press("u")
    assert bench.on_disk()[1].faults == ("wrong phase", "border shift")
    bench.press("u")
    assert bench.item.number == 2
    assert list(bench.on_disk()) == [1]
    bench.press("u", "u", "u")
    assert bench.item.number == 1
    assert bench.on_disk() == {}
    bench.press("u")
    assert "nothing" in bench.page.running.trouble.text()


def test_buttons_do_what_keys_do(bench: Bench) -> None:
    bench.begin()
    running = bench.page.running
    bench.click(running.scores[4])
    bench.click(running.faults["artefact"])
    assert bench.on_disk()[1].faults == ("artefact",)
    bench.click(running.steps["next"])
    assert bench.item.number == 2
    bench.click(running.steps["back"])
    bench.click(running.steps["undo"])
    assert bench.on_disk()[1].faults == ()
    bench.click(running.steps["leave"])
    assert bench.scorer.opened is None


def test_what_is_said_without_a_score_is_not_passed_over(bench: Bench) -> None:
    bench.begin()
    bench.press("n", SPACE)

    assert bench.item.number == 1
    assert "score first" in bench.page.running.trouble.text()
    bench.press("3", SPACE)
    assert bench.item.number == 2
    assert bench.on_disk()[1].faults == ("noise speckle",)


def test_item_left_out_is_asked_at_the_end(bench: Bench) -> None:
    bench.begin()
    bench.press(SPACE)
    for _ in range(7):
        bench.press("3", SPACE)

    assert bench.item.number == 1
    bench.press("4", SPACE)
    assert bench.scorer.opened is None


def test_leave_and_go_on(bench: Bench) -> None:
    bench.begin()
    bench.press("3", SPACE, "2", ESCAPE)
    assert bench.page.sessions.isVisible()
    assert bench.page.sessions.list.topLevelItem(0).text(2) == "2 of 8"

    bench.click(bench.page.sessions.go_on)

    assert bench.item.number == 3
    assert bench.page.running.where.text() == "3 of 8"
    bench.press(BACK)
    assert bench.page.running.scores[2].isChecked()


def test_finished_session_can_be_looked_at_again(bench: Bench) -> None:
    bench.begin()
    for _ in range(8):
        bench.press("3", SPACE)
    bench.page.sessions.list.setCurrentItem(bench.page.sessions.list.topLevelItem(0))
    bench.click(bench.page.sessions.go_on)
    bench.press(SPACE, SPACE, "5")

    assert bench.item.number == 3
    assert bench.on_disk()[3].score == 5


def test_session_of_somebody_else_cannot_be_gone_on_with(bench: Bench) -> None:
    bench.begin()
    bench.press("3", ESCAPE)
    field = bench.page.begin.reviewer
    field.selectAll()
    bench.qtbot.keyClicks(field, "Grace")
    bench.qtbot.keyClick(field, Qt.Key.Key_Return)

    assert bench.page.sessions.value()
    assert not bench.page.sessions.go_on.isEnabled()


def test_ended_session_is_over(bench: Bench) -> None:
    bench.begin()
    bench.press("3", ESCAPE)
    bench.click(bench.page.sessions.end)

    assert "ended" in bench.page.sessions.list.topLevelItem(0).text(2)
    assert not bench.page.sessions.go_on.isEnabled()


def test_blind_session_betrays_no_model(bench: Bench) -> None:
    bench.tick_all()
    bench.click(bench.page.begin.blind)
    bench.begin()
    seen = {bench.page.running.what.text()}
    names = {layer.name for layer in bench.viewer.layers}
    bench.press("3", SPACE)
    seen.add(bench.page.running.what.text())
    names |= {layer.name for layer in bench.viewer.layers}

    assert len(bench.scorer.opened.session.items) == 16
    assert seen == {"z = 0, mask A", "z = 0, mask B"}
    assert not [name for name in names if "fine" in name or "noisy" in name]
    assert {layer.name for layer in bench.scored_layers()} == {"mask A", "mask B"}

    bench.press(ESCAPE)
    assert {layer.name for layer in bench.masks} == {"mask fine of image", "mask noisy of image"}
    assert not bench.scored_layers()
    assert "fine" not in bench.page.summary.told.text()
    assert "neutral" in bench.page.summary.told.text()
    bench.click(bench.page.sessions.end)
    assert "neutral" not in bench.page.summary.told.text()


def test_masks_that_another_page_brought_up_are_hidden_again(bench: Bench) -> None:
    bench.begin()
    bench.masks[0].visible = True
    bench.labels.visible = True
    bench.page.hide()
    bench.page.show()
    assert not bench.masks[0].visible
    assert bench.labels.visible

    bench.masks[1].visible = True
    bench.press("3", SPACE)
    assert not bench.masks[1].visible
    assert len([layer for layer in bench.scored_layers() if layer.visible]) == 1


def test_viewer_is_given_back_as_it_was(bench: Bench) -> None:
    bench.masks[1].visible = True
    bench.masks[0].visible = False
    bench.session.layers.select(bench.labels)
    before = {layer: layer.visible for layer in bench.viewer.layers}
    bench.begin()
    bench.press("3", SPACE, ESCAPE)

    assert {layer: layer.visible for layer in bench.viewer.layers} == before
    assert bench.viewer.layers.selection.active is bench.labels


def test_closing_the_dock_gives_all_back(bench: Bench) -> None:
    bench.tick_all()
    bench.click(bench.page.begin.blind)
    bench.begin()
    bench.press("4")
    bench.page.close()
    bench.idle()

    assert not bench.page.keys.taking
    assert {layer.name for layer in bench.masks} == {"mask fine of image", "mask noisy of image"}
    assert not bench.scored_layers()
    assert bench.on_disk()[1].score == 4


def test_mark_a_point_and_a_box(bench: Bench) -> None:
    bench.begin()
    bench.press("2", ".")
    assert bench.page.marker.waiting
    middle = bench.canvas.rect().center()
    bench.qtbot.mouseClick(bench.canvas, LEFT, pos=middle)
    bench.idle()

    point = bench.on_disk()[1].mark
    assert isinstance(point, Mark)
    assert point.is_point
    assert (point.y, point.x) == pytest.approx((47.5, 63.5), abs=2)

    bench.click(bench.page.running.mark)
    bench.qtbot.mousePress(bench.canvas, LEFT, pos=middle - QPoint(60, 40))
    bench.qtbot.mouseMove(bench.canvas, middle)
    bench.qtbot.mouseRelease(bench.canvas, LEFT, pos=middle + QPoint(60, 40))
    bench.idle()

    box = bench.on_disk()[1].mark
    zoom = bench.session.camera.zoom
    assert (box.height, box.width) == pytest.approx((80 / zoom, 120 / zoom), abs=1)
    assert (box.y + box.height / 2, box.x + box.width / 2) == pytest.approx((47.5, 63.5), abs=2)
    assert next(bench.session.layers.of_kind("outline")).nshapes == 1
    bench.click(bench.page.running.unmark)
    assert bench.on_disk()[1].mark is None


def test_mark_paints_nothing(bench: Bench) -> None:
    bench.begin()
    bench.session.layers.paint_with(bench.labels, 1)
    bench.press("2", ".")
    bench.qtbot.mouseClick(bench.canvas, LEFT, pos=bench.canvas.rect().center())
    bench.idle()

    assert not np.asarray(bench.labels.data[0]).any()
    assert bench.on_disk()[1].mark is not None


def test_top_suspects_of_a_mask_where_nobody_has_looked_say_so(bench: Bench) -> None:
    form = bench.page.begin
    form.kind.setCurrentIndex(form.kind.findData("suspects"))
    bench.click(form.begin)
    assert bench.scorer.opened is None
    assert "nobody has looked for suspects" in bench.scorer.trouble


def test_top_suspects_are_flown_to(bench: Bench) -> None:
    rows = np.zeros(2, ROW)
    rows["z"], rows["y"], rows["x"] = (5, 2), (30, 60), (45, 90)
    rows["y0"], rows["y1"], rows["x0"], rows["x1"] = (20, 55), (40, 66), (30, 85), (60, 96)
    rows["strength"], rows["kinds"] = (0.9, 0.5), 1
    path = bench.page.begin.chosen()[0].path
    write_suspects(suspects_path(path), Suspects(TABLE, rows), Origin(mask_sha256="of another"))
    form = bench.page.begin
    bench.qtbot.keyClick(form.kind, Qt.Key.Key_End)
    assert not form.seed.isVisible()
    bench.begin()

    assert bench.session.z == 5
    assert bench.session.camera.center[1:] == pytest.approx((29.5, 44.5))
    assert next(bench.session.layers.of_kind("outline")).nshapes == 1
    assert "low confidence" in bench.page.running.what.text()
    bench.press("2", SPACE)
    assert bench.session.z == 2


@pytest.mark.usefixtures("slow_typing")
def test_form_makes_the_plan(bench: Bench) -> None:
    form = bench.page.begin
    for text, kind in (("every n", "nth"), ("a random", "random"), ("every slice", "every")):
        bench.qtbot.keyClicks(form.kind, text)
        assert form.plan().kind == kind
        form.kind.view().keyboardSearch("")  # the next letter begins another word
    assert not form.blind.isEnabled()
    bench.tick_all()
    assert form.blind.isEnabled()
    form.repeats.lineEdit().selectAll()
    bench.qtbot.keyClicks(form.repeats.lineEdit(), "50")
    bench.qtbot.keyClick(form.repeats.lineEdit(), Qt.Key.Key_Return)
    assert form.plan().repeats == 0.5
    form.reviewer.clear()
    assert not form.begin.isEnabled()


def test_kinds_of_fault_can_be_changed(bench: Bench) -> None:
    table = bench.page.begin.faults
    table.table.item(0, 0).setText("crack")
    table.table.item(0, 1).setText("C")
    table.table.item(1, 1).setText("u")
    assert "undo" in table.fault.text()
    assert table.value()[1].key == "w"
    bench.begin()
    bench.press("3", "c")

    assert bench.on_disk()[1].faults == ("crack",)


def test_kinds_of_fault_are_those_of_the_reviewer_s_latest_session(bench: Bench) -> None:
    table = bench.page.begin.faults
    table.table.item(0, 0).setText("crack")
    bench.begin()
    bench.press(ESCAPE)
    again = ScorePage(bench.session)
    bench.qtbot.addWidget(again)
    again.begin.reviewer.setText("Ada")
    again.begin.reviewer_changed.emit()
    again.show()
    bench.until(lambda: again.begin.faults.value()[0].name == "crack")
    bench.idle()


def test_preparing_can_be_cancelled(bench: Bench, monkeypatch: Any) -> None:
    gate = threading.Event()
    real = preparing.mask_ref

    def slow(*args: Any, control: Control, **options: Any) -> Any:
        gate.wait(20)
        return real(*args, control=control, **options)

    monkeypatch.setattr(preparing, "mask_ref", slow)
    button = bench.page.begin.begin
    bench.qtbot.mouseClick(button, LEFT)
    assert button.text() == "&Cancel"
    bench.qtbot.mouseClick(button, LEFT)
    gate.set()
    bench.idle()

    assert bench.scorer.opened is None
    assert button.text() == "&Begin"
    assert not list(bench.folder.glob("*.sqlite"))


def test_a_mask_of_the_project_that_is_ticked_is_shown(bench: Bench) -> None:
    bench.session.layers.remove(*bench.masks)
    bench.idle()
    masks = bench.page.begin.masks
    row = next(row for row in range(2) if masks.item(row).checkState() != Qt.CheckState.Checked)
    path = masks.item(row).toolTip()
    assert not list(bench.session.layers.of_kind("mask"))
    masks.setCurrentRow(row)
    bench.press(SPACE, at=masks)

    (layer,) = bench.session.layers.of_kind("mask")
    assert layer.visible
    assert layer.metadata[KEY]["path"] == path
    assert masks.currentItem().toolTip() == path
    assert len(bench.page.begin.chosen()) == 2

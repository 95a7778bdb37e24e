from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt

from napari_xseg.jobs import ArrayFile
from napari_xseg.review.suspects.kept import suspects_path
from tests.gui.fake import WAIT
from tests.gui.suspects.bench import (
    Bench,
    keep,
    mask_data,
    pretend_search,
    suspects_at,
    write_mask,
)

if TYPE_CHECKING:
    from tests.gui.fake import FakeEngine

THREE = suspects_at((2, "fragment"), (5, "hole"), (6, "fragment"))


def texts(bench: Bench, column: int) -> list[str]:
    model = bench.page.list.table.suspects
    return [model.index(row, column).data() for row in range(model.rowCount())]


def test_suspects_kept_beside_the_mask_are_there_at_once(bench: Bench) -> None:
    keep(bench.path, THREE)
    bench.open()
    assert texts(bench, 2) == ["fragment", "hole", "fragment"]
    assert texts(bench, 6) == ["2", "5", "6"]
    assert texts(bench, 5) == ["class 2"] * 3
    assert not bench.page.note.isVisible()
    model = bench.page.list.table.suspects
    assert not model.index(0, 2).data(Qt.ItemDataRole.DecorationRole).isNull()


def test_a_stale_list_says_so(bench: Bench) -> None:
    keep(bench.path, THREE, fresh=False)
    bench.open()
    assert "has changed since" in bench.page.note.text()
    assert len(texts(bench, 2)) == 3


def test_a_damaged_list_says_so(bench: Bench) -> None:
    suspects_path(bench.path).write_text("{", encoding="utf-8")
    bench.open()
    assert "look for suspects again" in bench.page.note.text()
    assert texts(bench, 2) == []


def test_a_mask_predicted_since_takes_the_place_of_the_hidden_one(bench: Bench) -> None:
    bench.open()
    assert bench.page.search.mask is bench.layer
    beside = bench.show(write_mask(bench.path.parent, "beside"))
    bench.session.layers.set_visible(bench.layer, True)
    bench.wait()
    bench.session.layers.set_visible(bench.layer, False)
    newer = bench.show(write_mask(bench.path.parent, "newer"))
    bench.wait()
    assert newer.visible
    assert bench.page.search.mask is newer
    assert bench.page.mask.currentText() == newer.name
    assert beside in bench.session.layers


def test_finding_with_progress(bench: Bench, fake_engine: FakeEngine) -> None:
    bench.open()
    assert "Nobody has looked" in bench.page.note.text()
    fake_engine.scripts.append(pretend_search(bench.path, THREE, WAIT))
    bench.session.match_intensity = True
    bench.page.form.set_match(True)
    bench.click(bench.page.find)
    bar = bench.page.bar
    bench.qtbot.waitUntil(lambda: "Looking for suspects: 4 of 8" in bar.phase.text())
    bench.qtbot.waitUntil(lambda: "2 s left" in bar.bar.format())
    assert not bench.page.find.isVisible()
    fake_engine.running[-1].gate.set()
    bench.wait()
    assert texts(bench, 1) == ["1", "2", "3"]
    request = fake_engine.submitted[-1]
    assert request.mask == bench.path
    assert request.match_intensity
    assert request.kinds is None
    assert request.overwrite
    # The image lies in memory: its slices travel.
    assert isinstance(request.images, ArrayFile)


def test_a_search_can_be_cancelled(bench: Bench, fake_engine: FakeEngine) -> None:
    bench.open()
    fake_engine.scripts.append([WAIT])
    bench.click(bench.page.find)
    bench.qtbot.waitUntil(lambda: len(fake_engine.running) == 1)
    bench.click(bench.page.bar.stop)
    bench.wait()
    assert bench.page.search.suspects is None
    assert bench.page.find.isEnabled()


def test_kinds_and_second_opinion(bench: Bench, fake_engine: FakeEngine) -> None:
    other = write_mask(bench.path.parent, "other")
    bench.show(other)
    bench.open()
    page = bench.page
    assert bench.session.viewer.layers[-1].metadata["napari_xseg"]["path"] == str(other)
    assert page.mask.count() == 2
    page.mask.setFocus()
    bench.qtbot.keyClick(page.mask, Qt.Key.Key_End)
    bench.wait()
    assert page.search.path == bench.path
    assert not page.form.kinds["models"].isEnabled()
    page.form.second.setCurrentIndex(1)
    assert page.form.kinds["models"].isEnabled()
    page.form.kinds["drift"].click()
    page.form.ask_model.click()
    bench.click(page.find)
    bench.wait()
    request = fake_engine.submitted[-1]
    assert request.second == other
    assert request.model is None
    assert request.kinds == ("confidence", "models", "neighbours", "fragment", "hole")


def test_a_click_or_an_arrow_flies_there_and_outlines(bench: Bench) -> None:
    keep(bench.path, THREE)
    bench.open()
    bench.row(0)
    assert bench.session.z == 2
    np.testing.assert_allclose(bench.session.camera.center[1:], (24.5, 44.5), atol=1)
    outline = next(bench.session.layers.of_kind("outline"))
    assert outline.data[0][0].tolist() == [2, 18, 38]
    bench.qtbot.keyClick(bench.page.list.table, Qt.Key.Key_Down)
    bench.wait()
    assert bench.session.z == 5
    assert "a hole of 100 pixels in class 1" in bench.page.list.words.text()
    assert not bench.page.list.picture.pixmap().isNull()


def test_filter_and_ticks_are_remembered(bench: Bench) -> None:
    keep(bench.path, THREE)
    bench.open()
    page = bench.page
    bench.row(1)
    bench.qtbot.keyClick(page.list.table, Qt.Key.Key_Space)
    bench.wait()
    assert "1 ticked" in page.list.status.text()
    page.list.kind.setCurrentText("fragment")
    assert texts(bench, 1) == ["1", "3"]
    page.list.kind.setCurrentIndex(0)
    bench.click(page.list.hide_ticked)
    assert texts(bench, 1) == ["1", "3"]
    page.search.choose(None)
    page.search.choose(bench.layer)
    bench.wait()
    assert page.search.ticked.tolist() == [False, True, False]


def test_a_kind_that_was_left_out_says_so(bench: Bench) -> None:
    keep(bench.path, THREE, left_out={"hole": 1, "neighbours": 1234})
    bench.open()
    form = bench.page.list
    assert form.status.text() == "3 suspects"
    form.kind.setCurrentIndex(form.kind.findData("neighbours"))
    assert form.status.text().startswith("0 of 3 suspects; 1,234 more with less to mend were left")
    form.kind.setCurrentIndex(form.kind.findData("fragment"))
    assert form.status.text() == "2 of 3 suspects"


def test_without_a_mask_it_says_what_to_do(bench: Bench) -> None:
    bench.open()
    bench.path.unlink()
    bench.session.layers.remove(bench.layer)
    bench.wait()
    assert "There is no mask on disk" in bench.page.note.text()
    assert not bench.page.find.isEnabled()


def test_a_mask_that_has_gone_is_a_sentence(bench: Bench, said: list[str]) -> None:
    bench.open()
    bench.path.unlink()
    bench.click(bench.page.find)
    bench.wait()
    assert any("is not finished yet" in words for words in said)


def test_everything_has_a_tip_and_fits(bench: Bench) -> None:
    keep(bench.path, THREE)
    bench.open()
    page: Any = bench.page
    form, mend = page.form, page.mend
    parts = [page.mask, page.find, page.go_on, form.ask_model, form.match, form.second, form.keep]
    parts += [*form.kinds.values(), mend.paint, mend.value, mend.take_over, mend.accept, mend.undo]
    parts += [*mend.tools.values(), mend.reach, page.list.kind, page.list.hide_ticked]
    assert all(part.toolTip() for part in parts)
    assert page.minimumSizeHint().width() <= 360


def test_it_lets_go_of_mouse_and_outline(bench: Bench) -> None:
    keep(bench.path, THREE)
    bench.open()
    callbacks = list(bench.viewer.mouse_drag_callbacks)
    bench.row(0)
    bench.click(bench.page.mend.tools["piece"])
    assert list(bench.viewer.mouse_drag_callbacks) != callbacks
    bench.review.close()
    assert list(bench.viewer.mouse_drag_callbacks) == callbacks
    assert not list(bench.session.layers.of_kind("outline"))


def test_a_mask_that_the_project_keeps_is_shown_when_it_is_chosen(bench: Bench) -> None:
    keep(bench.path, THREE)
    other = write_mask(bench.path.parent, "other")
    bench.open()
    bench.session.layers.remove(bench.layer)
    bench.wait()
    page = bench.page
    assert page.search.mask is None
    assert "choose one of those that the project keeps" in page.note.text()
    assert page.mask.count() == 2
    page.mask.setFocus()
    row = next(row for row in range(2) if page._kept[row].path == bench.path)
    page.mask.setCurrentIndex(row)
    bench.wait()
    assert page.search.path == bench.path
    assert page.search.mask is not None
    assert page.search.mask.visible
    assert len(texts(bench, 2)) == 3
    assert page.mask.currentText() == page.search.mask.name

    page.mask.setCurrentIndex(1)  # what is no layer comes after those that are
    bench.wait()
    assert page.search.path == other
    assert page.search.mask.visible


def test_a_kept_mask_of_another_image_is_refused(bench: Bench, told: list[str]) -> None:
    bench.open()
    small = write_mask(bench.path.parent, "small", mask_data()[:, :50])
    bench.session.project_changed.emit()
    assert bench.page.mask.count() == 2
    bench.page.mask.setCurrentIndex(1)
    bench.wait()
    assert told == [f"{small}: is no mask of phantom; choose the image that it was made from."]
    assert bench.page.search.mask is bench.layer
    assert bench.page.mask.currentIndex() == 0


def test_no_head_of_a_column_is_cut_in_a_narrow_dock(bench: Bench) -> None:
    keep(bench.path, suspects_at(*((2, "fragment"),) * 30))
    bench.open()
    dock = bench.review.parentWidget()
    bench.viewer.window._qt_window.resizeDocks([dock], [360], Qt.Orientation.Horizontal)
    table = bench.page.list.table
    bench.qtbot.waitUntil(lambda: dock.width() <= 380)
    bench.qtbot.wait(20)
    header = table.horizontalHeader()
    for column in range(table.model().columnCount()):
        assert header.sectionSize(column) >= header.sectionSizeHint(column), column
    assert not table.horizontalScrollBar().isVisible()
    assert header.sectionSize(2) >= 100

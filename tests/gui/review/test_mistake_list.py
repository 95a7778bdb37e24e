from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_xseg.data.classes import ClassTable
from napari_xseg.gui.review.mistake_list import PAIR, PIXELS, RANK, TICK, MistakeTable
from napari_xseg.review.mistakes import _ROW, Mistakes

DISPLAY = Qt.ItemDataRole.DisplayRole


def many(count: int) -> Mistakes:
    rows = np.zeros(count, _ROW)
    rows["pixels"] = np.arange(count, 0, -1)
    rows["z"] = rows["z0"] = np.arange(count) % 50
    rows["z1"] = rows["z0"] + 1
    rows["y0"] = np.arange(count) % 400
    rows["y1"], rows["x1"] = rows["y0"] + 3, 4
    rows["y"], rows["x"] = rows["y0"] + 1, 1.5
    rows["true"] = np.arange(count) % 3
    rows["predicted"] = (rows["true"] + 1) % 3
    return Mistakes(ClassTable.from_values((0, 128, 255)), rows)


@pytest.fixture
def table(qtbot: Any) -> MistakeTable:
    table = MistakeTable()
    qtbot.addWidget(table)
    table.resize(330, 300)
    table.mistakes.set_mistakes(many(30), None)
    with qtbot.waitExposed(table):
        table.show()
    return table


def text(table: MistakeTable, row: int, column: int) -> Any:
    return table.mistakes.data(table.mistakes.index(row, column), DISPLAY)


def click(qtbot: Any, table: MistakeTable, row: int, column: int) -> None:
    place = table.visualRect(table.mistakes.index(row, column)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_shows_the_largest_first_with_rank_and_classes(table: MistakeTable) -> None:
    assert [text(table, 0, column) for column in (RANK, PIXELS, PAIR)] == [
        "1",
        "30",
        "class 0 → class 1",
    ]
    assert text(table, 29, RANK) == "30"


def test_clicks_and_arrows_choose(qtbot: Any, table: MistakeTable) -> None:
    heard: list[Any] = []
    table.chosen.connect(heard.append)
    click(qtbot, table, 2, PIXELS)
    qtbot.keyClick(table, Qt.Key.Key_Down)
    qtbot.keyClick(table, Qt.Key.Key_Up)
    assert table.value().pixels == 28
    chosen = [mistake.pixels for mistake in heard]
    assert chosen[0] == 28
    assert chosen[-2:] == [27, 28]


def test_a_click_on_the_same_row_flies_there_again(qtbot: Any, table: MistakeTable) -> None:
    click(qtbot, table, 2, PIXELS)
    with qtbot.waitSignal(table.chosen) as heard:
        click(qtbot, table, 2, PIXELS)
    assert heard.args[0].pixels == 28


def test_space_and_the_box_tick(qtbot: Any, table: MistakeTable) -> None:
    heard: list[Any] = []
    table.mistakes.ticked.connect(lambda *said: heard.append(said))
    click(qtbot, table, 1, PIXELS)
    qtbot.keyClick(table, Qt.Key.Key_Space)
    assert table.mistakes.is_ticked(1)
    box = table.visualRect(table.mistakes.index(3, TICK))
    for x in range(box.left() + 2, box.right(), 3):  # styles draw the box where they like
        place = box.center()
        place.setX(x)
        if not table.mistakes.is_ticked(3):
            qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert table.mistakes.is_ticked(3)
    assert heard == [(1, True), (3, True)]


def test_ticked_ones_go_where_they_are_hidden(qtbot: Any, table: MistakeTable) -> None:
    table.mistakes.set_filter((None, None), 1, True)
    click(qtbot, table, 0, PIXELS)
    qtbot.keyClick(table, Qt.Key.Key_Space)
    assert table.mistakes.rowCount() == 29
    assert text(table, 0, RANK) == "2"
    assert table.mistakes.ticks == 1


def test_filters_by_pair_and_size(table: MistakeTable) -> None:
    table.mistakes.set_filter((0, None), 10, False)
    shown = table.mistakes.chosen()
    assert shown is not None
    assert {mistake.true for mistake in shown} == {0}
    assert min(mistake.pixels for mistake in shown) >= 10
    assert len(shown) == table.mistakes.rowCount() > 0


def test_p_asks_for_the_brush(qtbot: Any, table: MistakeTable) -> None:
    click(qtbot, table, 0, PIXELS)
    with qtbot.waitSignal(table.paint_asked):
        qtbot.keyClick(table, Qt.Key.Key_P)


def test_the_same_mistake_is_found_in_another_list(table: MistakeTable) -> None:
    mistake = table.mistakes.in_row(4)
    fewer = many(30)
    table.mistakes.set_mistakes(Mistakes(fewer.classes, fewer.rows[2:]), None)
    assert table.mistakes.row_of(mistake) == 2
    assert table.mistakes.row_of(many(30)[0]) is None


def test_a_huge_list_asks_only_for_what_is_seen(
    qtbot: Any, table: MistakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[int] = set()
    data = type(table.mistakes).data

    def noted(self: Any, index: Any, role: int = DISPLAY) -> Any:
        asked.add(index.row())
        return data(self, index, role)

    monkeypatch.setattr(type(table.mistakes), "data", noted)
    table.mistakes.set_mistakes(many(100_000), np.zeros(100_000, bool))
    qtbot.keyClick(table, Qt.Key.Key_Down)
    qtbot.keyClick(table, Qt.Key.Key_End, Qt.KeyboardModifier.ControlModifier)
    table.viewport().repaint()
    assert table.value().pixels == 1
    assert len(asked) < 300

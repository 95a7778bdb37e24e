from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor

from napari_xseg.data.classes import ClassTable
from napari_xseg.gui.review.heat_map import HeatMap, short_count
from napari_xseg.review.selection import ANY_PAIR


def make(qtbot: Any, classes: int = 3, width: int = 320) -> HeatMap:
    heat_map = HeatMap()
    qtbot.addWidget(heat_map)
    heat_map.resize(width, 100)
    counts = np.full((classes, classes), 5, np.int64)
    counts[np.diag_indices(classes)] = 10_000
    heat_map.set_counts(counts, ClassTable.from_values(range(classes)))
    with qtbot.waitExposed(heat_map):
        heat_map.show()
    return heat_map


def click(qtbot: Any, heat_map: HeatMap, row: int, column: int) -> None:
    left = Qt.MouseButton.LeftButton
    qtbot.mouseClick(heat_map, left, pos=heat_map.cell(row, column).center())


def test_a_click_chooses_and_a_second_one_chooses_all(qtbot: Any) -> None:
    heat_map = make(qtbot)
    heard: list[Any] = []
    heat_map.value_changed.connect(heard.append)
    click(qtbot, heat_map, 2, 0)
    assert heat_map.value() == (2, 0)
    click(qtbot, heat_map, 2, 0)
    assert heard == [(2, 0), ANY_PAIR]


def test_keys_walk_and_choose(qtbot: Any) -> None:
    heat_map = make(qtbot)
    keys = (
        Qt.Key.Key_Down,
        Qt.Key.Key_Right,
        Qt.Key.Key_Right,
        Qt.Key.Key_Right,
        Qt.Key.Key_Return,
    )
    for key in keys:
        qtbot.keyClick(heat_map, key)
    assert heat_map.value() == (1, 2)
    qtbot.keyClick(heat_map, Qt.Key.Key_Escape)
    assert heat_map.value() == ANY_PAIR


@pytest.mark.parametrize("classes", [1, 3, 20])
def test_every_cell_can_be_clicked(qtbot: Any, classes: int) -> None:
    heat_map = make(qtbot, classes, width=300)
    for row in range(classes):
        for column in {0, classes - 1}:
            click(qtbot, heat_map, row, column)
            assert heat_map.value() == (row, column)
    assert heat_map.cell(0, classes - 1).right() < heat_map.width()
    assert heat_map.cell(classes - 1, 0).bottom() < heat_map.height() - 15
    assert heat_map.cell(0, 0).width() >= 12


def test_a_click_beside_the_cells_chooses_nothing(qtbot: Any) -> None:
    heat_map = make(qtbot)
    qtbot.mouseClick(heat_map, Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
    assert heat_map.value() == ANY_PAIR


def test_the_words_of_a_cell_say_counts_and_share(qtbot: Any) -> None:
    told = make(qtbot).describe(0, 1)
    assert told == "truth class 0, prediction class 1: 5 pixels, 0.05 % of class 0"


def test_without_counts_it_shows_nothing_and_takes_no_click(qtbot: Any) -> None:
    heat_map = make(qtbot)
    place = heat_map.cell(1, 1).center()
    heat_map.set_counts(None, None)
    qtbot.mouseClick(heat_map, Qt.MouseButton.LeftButton, pos=place)
    qtbot.keyClick(heat_map, Qt.Key.Key_Return)
    assert heat_map.value() == ANY_PAIR


@pytest.mark.parametrize("ground", [(38, 41, 48), (239, 235, 233)])
def test_rare_mistakes_show_against_the_ground(qtbot: Any, ground: tuple[int, int, int]) -> None:
    heat_map = make(qtbot)
    heat_map.set_colours(QColor(128, 128, 128), QColor(*ground))
    picture = heat_map.grab().toImage()
    scale = picture.devicePixelRatio()

    def colour(row: int, column: int) -> tuple[int, int, int]:
        corner = heat_map.cell(row, column).topLeft() * scale
        pixel = picture.pixelColor(int(corner.x()) + 3, int(corner.y()) + 3)
        return pixel.red(), pixel.green(), pixel.blue()

    assert sum(abs(a - b) for a, b in zip(colour(0, 1), ground, strict=True)) > 12
    assert sum(abs(a - b) for a, b in zip(colour(0, 0), colour(0, 1), strict=True)) > 100


def test_numbers_stay_short() -> None:
    shown = [short_count(10**power) for power in range(12)]
    assert max(map(len, shown)) <= 8
    assert short_count(251_001) == "251,001"

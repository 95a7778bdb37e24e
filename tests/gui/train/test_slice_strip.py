"""The strip of slices: painted roles, clicks, keys, tooltips; the choice of validation slices."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor

from napari_xseg.data.partition import Split
from napari_xseg.errors import XsegError
from napari_xseg.gui.train.slice_strip import ROLE_COLOURS, SliceStrip, ValidationField, roles_of
from napari_xseg.jobs import SplitWish

SPLIT = Split((10, 20), (60,), guard=(55,), kind="held-out")
PIXELS = {10: 100, 20: 251_001, 55: 7, 60: 30, 90: 4}


@pytest.fixture
def strip(qtbot: Any) -> SliceStrip:
    made = SliceStrip()
    qtbot.addWidget(made)
    made.resize(360, 60)
    made.show()
    made.set_slices(100, PIXELS, SPLIT)
    return made


def place_of(strip: SliceStrip, z: int) -> QPoint:
    left, right = strip.strip.span(z)
    return QPoint(round((left + right) / 2), strip.strip.height() // 2)


def test_roles() -> None:
    roles = roles_of(PIXELS, SPLIT)
    assert roles == {
        10: "training",
        20: "training",
        55: "guard",
        60: "validation",
        90: "labelled",
    }
    assert set(roles_of(PIXELS, None).values()) == {"labelled"}


def test_slices_are_painted_in_the_colours_of_their_roles(strip: SliceStrip) -> None:
    picture = strip.strip.grab().toImage()
    for z, role in roles_of(PIXELS, SPLIT).items():
        assert picture.pixelColor(place_of(strip, z)) == QColor(*ROLE_COLOURS[role]), z
    unlabelled = picture.pixelColor(place_of(strip, 40))
    assert unlabelled not in [QColor(*colour) for colour in ROLE_COLOURS.values()]


def test_the_slice_in_view_is_marked(strip: SliceStrip) -> None:
    before = strip.strip.grab().toImage()
    strip.set_current(40)
    after = strip.strip.grab().toImage()
    top = QPoint(place_of(strip, 40).x(), 2)
    assert strip.value() == 40
    assert before.pixelColor(top) != after.pixelColor(top)


def test_a_click_asks_for_the_slice(strip: SliceStrip, qtbot: Any) -> None:
    for z in (60, 40):
        with qtbot.waitSignal(strip.picked) as heard:
            qtbot.mouseClick(strip.strip, Qt.MouseButton.LeftButton, pos=place_of(strip, z))
        assert heard.args == [z]


@pytest.mark.parametrize("depth", [1, 2, 60, 500, 5000])
def test_every_labelled_slice_is_seen_and_hit(depth: int, strip: SliceStrip, qtbot: Any) -> None:
    strip.set_slices(depth, {depth - 1: 5}, None)
    picture = strip.strip.grab().toImage()
    here = place_of(strip, depth - 1)
    assert picture.pixelColor(here) == QColor(*ROLE_COLOURS["labelled"])
    with qtbot.waitSignal(strip.picked) as heard:
        qtbot.mouseClick(strip.strip, Qt.MouseButton.LeftButton, pos=here)
    assert heard.args == [depth - 1]


@pytest.mark.parametrize(
    ("key", "z"),
    [
        (Qt.Key.Key_Left, 39),
        (Qt.Key.Key_Right, 41),
        (Qt.Key.Key_PageUp, 20),
        (Qt.Key.Key_PageDown, 55),
        (Qt.Key.Key_Home, 0),
        (Qt.Key.Key_End, 99),
    ],
)
def test_keys_move_along_the_strip(key: Qt.Key, z: int, strip: SliceStrip, qtbot: Any) -> None:
    strip.set_current(40)
    strip.strip.setFocus()
    with qtbot.waitSignal(strip.picked) as heard:
        qtbot.keyClick(strip.strip, key)
    assert heard.args == [z]


def test_nothing_lies_before_the_first_slice(strip: SliceStrip, qtbot: Any) -> None:
    strip.set_current(0)
    with qtbot.assertNotEmitted(strip.picked):
        qtbot.keyClick(strip.strip, Qt.Key.Key_Left)


def test_words_and_legend(strip: SliceStrip) -> None:
    assert strip.strip.words(20).startswith("slice 20: training, 251,001 pixels labelled")
    assert strip.strip.words(21) == "slice 21: not labelled"
    assert "2 training" in strip.legend.text()
    assert "1 validation" in strip.legend.text()
    assert "1 guard" in strip.legend.text()
    strip.set_slices(100, {}, None)
    assert strip.legend.text() == "no slice is labelled yet"


def test_a_band_of_rows_shows_in_the_mark(strip: SliceStrip) -> None:
    band = Split((3,), (3,), kind="band", rough=True, band=(0, 20), margin=2)
    strip.set_slices(8, {3: 50}, band)
    picture = strip.strip.grab().toImage()
    here = place_of(strip, 3)
    assert picture.pixelColor(here) == QColor(*ROLE_COLOURS["training"])
    low = QPoint(here.x(), here.y() + 8)
    assert picture.pixelColor(low) == QColor(*ROLE_COLOURS["validation"])
    assert "rows that validate" in strip.legend.text()


def test_an_empty_strip_takes_clicks(strip: SliceStrip, qtbot: Any) -> None:
    strip.set_slices(0, {}, None)
    with qtbot.assertNotEmitted(strip.picked):
        qtbot.mouseClick(strip.strip, Qt.MouseButton.LeftButton)


def test_validation_field(qtbot: Any) -> None:
    field = ValidationField()
    qtbot.addWidget(field)
    field.show()
    field.set_count(200)
    assert field.value() == SplitWish()
    assert not field.slices.isVisible()
    qtbot.keyClick(field.choice, Qt.Key.Key_Down)
    assert field.value() == SplitWish(validation=False)
    qtbot.keyClick(field.choice, Qt.Key.Key_Down)
    assert field.slices.isVisible()
    with pytest.raises(XsegError, match="names no slice"):
        field.value()
    qtbot.keyClicks(field.slices, "13, 39,160:162")
    with qtbot.waitSignal(field.value_changed):
        qtbot.keyClick(field.slices, Qt.Key.Key_Return)
    assert field.value() == SplitWish(val=(13, 39, 160, 161))
    field.set_value("chosen slices", "500")
    with pytest.raises(XsegError, match="out of range"):
        field.value()

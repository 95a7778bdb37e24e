"""Keys in docks that lie on one another as tabs."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QPushButton, QWidget

from napari_xseg.gui.forms import NumberField, allow, fill

AREA = Qt.DockWidgetArea.RightDockWidgetArea


class Tab:
    """A dock with a button that scrolls, and one that stays below."""

    def __init__(self, window: QMainWindow) -> None:
        self.dock = QDockWidget(window)
        self.above, self.below = QPushButton("&Brush"), QPushButton("&Train")
        whole = QWidget()
        fill(whole, [self.above], foot=[self.below])
        self.dock.setWidget(whole)
        window.addDockWidget(AREA, self.dock)
        self.clicked: list[str] = []
        self.above.clicked.connect(lambda: self.clicked.append("Brush"))
        self.below.clicked.connect(lambda: self.clicked.append("Train"))


@pytest.fixture
def window(qtbot: Any) -> QMainWindow:
    made = QMainWindow()
    qtbot.addWidget(made)
    made.setCentralWidget(QPushButton("picture"))
    made.resize(800, 600)
    return made


def test_keys_reach_the_dock_in_front_alone(window: QMainWindow, qtbot: Any) -> None:
    tabs = [Tab(window), Tab(window)]
    window.tabifyDockWidget(tabs[0].dock, tabs[1].dock)
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    for front, behind in (tabs, tabs[::-1]):
        front.dock.raise_()
        qtbot.waitUntil(lambda behind=behind: not behind.above.isVisible())
        qtbot.waitUntil(front.below.isVisible)
        for key in (Qt.Key.Key_B, Qt.Key.Key_T):
            qtbot.keyClick(window, key, Qt.KeyboardModifier.AltModifier)
        qtbot.waitUntil(lambda front=front: front.clicked == ["Brush", "Train"])
        assert behind.clicked == []
        front.clicked.clear()
        seen = set()
        for _ in range(12):
            focus = window.focusWidget()
            assert focus is not None
            seen.add(focus)
            qtbot.keyClick(focus, Qt.Key.Key_Tab)
        assert {front.above, front.below} <= seen
        assert not seen & {behind.above, behind.below}


@pytest.mark.parametrize(
    ("decimals", "keys", "value"),
    [
        (0, "4,5", 5),
        (0, "4.4", 4),
        (0, "4,", 4),
        (0, ",9", 4),  # nothing in front of the comma: the number before stays
        (0, "45", 45),
        (0, "99,9", 100),
        (0, "4,x5", 5),
        (2, "0,5", 0.5),
        (2, "4.25", 4.25),
    ],
)
def test_a_typed_comma_is_a_decimal_point(
    decimals: int, keys: str, value: float, qtbot: Any
) -> None:
    field = NumberField(0, 100, 4, decimals=decimals, suffix=" px")
    qtbot.addWidget(field)
    field.show()
    field.selectAll()
    qtbot.keyClicks(field, keys)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert field.value() == value


def test_a_button_says_why_it_cannot_be_pressed(qtbot: Any) -> None:
    button = QPushButton("Save")
    qtbot.addWidget(button)
    button.setToolTip("Save it.")
    for why_not in ("There is nothing.", "", "There is nothing.", ""):
        allow(button, why_not)
        assert button.isEnabled() is not bool(why_not)
        assert button.toolTip() == (why_not or "Save it.")

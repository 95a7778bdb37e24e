"""Keys in docks that lie on one another as tabs."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QPushButton, QVBoxLayout, QWidget

from napari_xseg.gui.forms import Retreat, scrolled

AREA = Qt.DockWidgetArea.RightDockWidgetArea


class Tab:
    """A dock with a button that scrolls, and one that stays below."""

    def __init__(self, window: QMainWindow) -> None:
        self.dock = QDockWidget(window)
        self.above, self.below = QPushButton("&Brush"), QPushButton("&Train")
        whole, upper = QWidget(), QWidget()
        scrolled(self.above, upper)
        layout = QVBoxLayout(whole)
        layout.addWidget(upper)
        layout.addWidget(self.below)
        Retreat(self.below)
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

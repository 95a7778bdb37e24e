"""The ways in: napari's menus, its command palette, and the command without a word behind it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.layers import Image, Labels
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QDockWidget

from napari_xseg.gui.label.label_dock import LabelDock
from napari_xseg.gui.layers import classes_of
from napari_xseg.gui.window import DOCKS, PLUGIN

if TYPE_CHECKING:
    from pathlib import Path

    from napari import Viewer

    from napari_xseg.gui.session import Session

LEFT = Qt.MouseButton.LeftButton
CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
PATIENCE = 60_000


@pytest.fixture
def viewer(viewer: Viewer) -> Viewer:
    """A viewer whose window is shown, as large as a small laptop's screen."""
    viewer.window._qt_window.resize(1366, 768)
    viewer.window._qt_window.show()
    return viewer


def click_entry(qtbot: Any, menu: Any, text: str) -> Any:
    """Point at an entry of a menu bar, or of a menu that is open, and click; gives the entry."""
    (entry,) = [one for one in menu.actions() if one.text().replace("&", "") == text]
    at = menu.actionGeometry(entry).center()
    qtbot.mouseMove(menu, at)
    qtbot.waitUntil(lambda: menu.activeAction() is entry, timeout=PATIENCE)
    qtbot.mouseClick(menu, LEFT, pos=at)
    return entry


def click_through(qtbot: Any, viewer: Viewer, *path: str) -> None:
    """Open menu after menu from the menu bar, and click the last entry."""
    menu: Any = viewer.window._qt_window.menuBar()
    for text in path[:-1]:
        menu = click_entry(qtbot, menu, text).menu()
        qtbot.waitUntil(menu.isVisible, timeout=PATIENCE)
    click_entry(qtbot, menu, path[-1])
    qtbot.waitUntil(lambda: QApplication.activePopupWidget() is None, timeout=PATIENCE)


def docks_of(viewer: Viewer) -> dict[str, QDockWidget]:
    """napari's docks with a dock of ours inside, by the name of its class."""
    found = {}
    for dock in viewer.window._qt_window.findChildren(QDockWidget):
        for name in DOCKS:
            if any(type(one).__name__ == f"{name}Dock" for one in dock.findChildren(object)):
                found[name] = dock
    return found


def wait_for_dock(qtbot: Any, viewer: Viewer, name: str) -> QDockWidget:
    qtbot.waitUntil(
        lambda: name in docks_of(viewer) and docks_of(viewer)[name].isVisible(), timeout=PATIENCE
    )
    return docks_of(viewer)[name]


@pytest.mark.parametrize("name", DOCKS)
def test_the_plugins_menu_opens_a_dock_and_takes_it_away(
    session: Session, viewer: Viewer, qtbot: Any, wait_idle: Any, name: str
) -> None:
    assert docks_of(viewer) == {}
    click_through(qtbot, viewer, "Plugins", "xseg", name)
    dock = wait_for_dock(qtbot, viewer, name)
    assert set(docks_of(viewer)) == {name}
    wait_idle(session)
    click_through(qtbot, viewer, "Plugins", "xseg", name)
    qtbot.waitUntil(lambda: not dock.isVisible(), timeout=PATIENCE)
    click_through(qtbot, viewer, "Plugins", "xseg", name)
    wait_for_dock(qtbot, viewer, name)
    wait_idle(session)


def test_the_plugins_menu_offers_every_dock(session: Session, viewer: Viewer) -> None:
    menu = viewer.window.plugins_menu
    (ours,) = [one.menu() for one in menu.actions() if one.text() == "xseg"]
    assert [one.text() for one in ours.actions()] == list(DOCKS)


@pytest.mark.parametrize("name", DOCKS)
def test_the_command_palette_opens_a_dock(
    session: Session, viewer: Viewer, qtbot: Any, wait_idle: Any, name: str
) -> None:
    window = viewer.window._qt_window
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=PATIENCE)
    qtbot.keyClick(window, Qt.Key.Key_P, CTRL_SHIFT)
    palette = window._command_palette
    qtbot.waitUntil(palette.isVisible, timeout=PATIENCE)
    qtbot.keyClicks(palette._line, f"xseg {name}")
    wanted = f"{PLUGIN}.{name.casefold()}"
    offered = [command.id for command in palette._list.iter_command()]
    for _ in range(offered.index(wanted)):
        qtbot.keyClick(palette._line, Qt.Key.Key_Down)
    qtbot.keyClick(palette._line, Qt.Key.Key_Return)
    wait_for_dock(qtbot, viewer, name)
    assert set(docks_of(viewer)) == {name}
    wait_idle(session)


class TestOpenSample:
    def test_has_the_labelled_phantom(
        self, session: Session, viewer: Viewer, qtbot: Any, wait_idle: Any
    ) -> None:
        viewer.layers.clear()
        click_through(
            qtbot, viewer, "File", "Open Sample", "xseg", "Three-phase phantom with labels"
        )
        qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=PATIENCE)
        wait_idle(session)
        image, labels = viewer.layers
        assert (type(image), image.name) == (Image, "phantom")
        assert (type(labels), labels.name) == (Labels, "phantom labels")
        assert (image.data.dtype, labels.data.dtype) == (np.uint16, np.uint8)
        assert image.data.shape == labels.data.shape
        table = classes_of(labels)
        assert table is not None
        assert table.names == ("pore", "electrolyte", "metal")
        assert set(np.unique(labels.data)) == {1, 2, 3}
        for value, colour in enumerate(table.colours, start=1):
            shown = np.asarray(labels.get_color(value))
            np.testing.assert_allclose(shown, (*np.divide(colour, 255), 1), atol=0.01)
        greys = [image.data[labels.data == value].mean() for value in (1, 2, 3)]
        assert greys == sorted(greys)

    def test_has_the_one_without_labels(
        self, session: Session, viewer: Viewer, qtbot: Any, wait_idle: Any
    ) -> None:
        viewer.layers.clear()
        text = "Phantom without labels (bright particles, rings)"
        click_through(qtbot, viewer, "File", "Open Sample", "xseg", text)
        qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=PATIENCE)
        wait_idle(session)
        (image,) = viewer.layers
        assert (type(image), image.name) == (Image, "lis-like")
        assert image.data.dtype == np.float32
        assert image.data.ndim == 3

    def test_fills_docks_that_are_open(
        self, session: Session, viewer: Viewer, qtbot: Any, wait_idle: Any
    ) -> None:
        viewer.layers.clear()
        click_through(qtbot, viewer, "Plugins", "xseg", "Label")
        wait_for_dock(qtbot, viewer, "Label")
        wait_idle(session)
        click_through(
            qtbot, viewer, "File", "Open Sample", "xseg", "Three-phase phantom with labels"
        )
        qtbot.waitUntil(lambda: session.image is not None, timeout=PATIENCE)
        wait_idle(session)
        assert session.image is not None
        assert session.image.name == "phantom"
        (dock,) = viewer.window._qt_window.findChildren(LabelDock)
        assert dock.data.image.currentText() == "phantom"
        assert dock.data.labels.findText("phantom labels") >= 0


# Looks at the window from inside while napari's loop runs, and closes it as its user would.
SCRIPT = """
import sys
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QDockWidget, QTabBar
from napari.qt import get_qapp
app = get_qapp()

def look():
    windows = [one for one in app.topLevelWidgets() if hasattr(one, "_qt_viewer")]
    tabs = [bar for one in windows for bar in one.findChildren(QTabBar) if bar.count() == {count}]
    if not tabs or not windows[0].isVisible():
        QTimer.singleShot(100, look)
        return
    print("tabs", *(tabs[0].tabText(at) for at in range(tabs[0].count())))
    print("title", windows[0].windowTitle())
    front = [one for one in windows[0].findChildren(QDockWidget)
             if one.windowTitle() == tabs[0].tabText(tabs[0].currentIndex())]
    print("front", *(one.windowTitle() for one in front))
    windows[0].close()

QTimer.singleShot(500, look)
sys.argv = ["napari-xseg"]
from napari_xseg.cli.app import app as command
command()
"""


def test_the_command_alone_opens_a_window_with_every_dock(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("{count}", str(len(DOCKS))), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    lines = done.stdout.splitlines()
    assert f"tabs {' '.join(DOCKS)}" in lines
    assert f"front {DOCKS[0]}" in lines
    assert any(line.startswith("title ") and PLUGIN in line for line in lines)

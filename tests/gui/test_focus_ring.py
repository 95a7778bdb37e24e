"""The field that has the keyboard is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_xseg.gui.focus_ring import FocusRing
from napari_xseg.gui.train.train_dock import TrainDock

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.gui.session import Session


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_tab_shows_where_the_keyboard_is(
    theme: str, session: Session, show_dock: Callable[[Any], Any], qtbot: Any
) -> None:
    session.viewer.theme = theme
    dock = show_dock(TrainDock)
    (ring,) = dock.findChildren(FocusRing)
    window = session.viewer.window._qt_window
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    check = dock.live
    check.setFocus(Qt.FocusReason.OtherFocusReason)
    qtbot.waitUntil(lambda: QApplication.focusWidget() is check)
    assert ring.framed is check
    parent = check.parentWidget()
    framed = parent.grab(check.geometry()).toImage()
    qtbot.keyClick(check, Qt.Key.Key_Backtab)
    other = QApplication.focusWidget()
    assert other is not check
    assert ring.framed is other
    assert parent.grab(check.geometry()).toImage() != framed


def test_a_frame_goes_where_its_field_goes(
    session: Session, show_dock: Callable[[Any], Any], qtbot: Any
) -> None:
    dock = show_dock(TrainDock)
    (ring,) = dock.findChildren(FocusRing)
    window = session.viewer.window._qt_window
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    dock.live.setFocus()
    qtbot.waitUntil(lambda: ring.framed is dock.live)
    dock.live.move(dock.live.x() + 7, dock.live.y())
    assert ring._frame is not None
    assert ring._frame.geometry() == dock.live.geometry()
    dock.live.hide()
    qtbot.waitUntil(lambda: ring.framed is not dock.live)

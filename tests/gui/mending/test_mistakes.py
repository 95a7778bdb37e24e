"""Mending from a mistake of the comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.gui.label_hands import place
from tests.gui.review.desk import LEFT, TABLE, Desk

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.gui.session import Session


def test_a_mistake_is_mended_in_the_labels(
    session: Session, truth: Any, qtbot: Any, tmp_path: Path
) -> None:
    session.move_project(tmp_path / "scan-xseg")
    session.set_classes(TABLE)
    desk = Desk(session, truth, qtbot)
    session.viewer.window._qt_window.show()
    session.new_labels()
    desk.wait()
    desk.click_row(0)
    desk.wait()
    page = desk.dock
    mistake = page.mistakes.table.value()
    assert mistake is not None
    page.mender.set_tool("piece")
    assert page.mender.value == mistake.true + 1
    z = session.z
    plane = desk.mask_data[z]
    inside = plane == mistake.predicted + 1
    inside &= desk.wrong(z)
    y, x = (int(v) for v in np.argwhere(inside)[len(np.argwhere(inside)) // 2])
    native = desk.viewer.window._qt_viewer.canvas.native
    qtbot.mouseClick(native, LEFT, pos=place(qtbot, desk.viewer, (y, x)))
    desk.wait()
    assert session.store is not None
    assert session.store.read(z)[y, x] == mistake.true + 1
    assert session.origins.of(z)[-1].at == "mistake"

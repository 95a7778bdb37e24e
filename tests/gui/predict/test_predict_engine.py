"""The Predict dock with the real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

from napari_xseg.data.phantom import phantom
from napari_xseg.gui.predict.predict_dock import PredictDock
from napari_xseg.gui.session import session_of
from tests.gui.predict.hands import train_tiny

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from napari import Viewer

    from napari_xseg.jobs import Engine

LEFT = Qt.MouseButton.LeftButton


def test_slice_and_volume_agree_and_the_engine_may_be_killed(
    viewer: Viewer,
    engine: Engine,
    tmp_path: Path,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
    wait_idle: Any,
) -> None:
    session = session_of(viewer, engine)
    session.set_image(viewer.add_image(phantom((8, 32, 40), seed=2)[0], name="scan"))
    session.move_project(tmp_path / "scan-xseg")
    session.set_model(train_tiny(engine, tmp_path / "run"))
    dock = PredictDock(viewer)
    viewer.window.add_dock_widget(dock, name="Predict")
    viewer.window._qt_window.show()
    wait_idle(session)
    assert dock.options.device.count() > 1
    session.go_to(4)
    dock.options.confidence.click()
    qtbot.mouseClick(dock.this_slice, LEFT)
    wait_idle(session)
    qtbot.mouseClick(dock.volume, LEFT)
    wait_idle(session)
    one, whole = viewer.layers["mask run of scan (slices)"], viewer.layers["mask run of scan"]
    assert whole.data[4].all()
    np.testing.assert_array_equal(one.data[4], whole.data[4])
    sure = viewer.layers["confidence run of scan"]
    one = viewer.layers["confidence run of scan (slices)"]
    np.testing.assert_array_equal(one.data[4], sure.data[4])
    assert dock.masks.list.topLevelItemCount() == 1
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    qtbot.mouseClick(dock.masks.delete_button, LEFT)
    assert whole not in viewer.layers
    assert sure not in viewer.layers
    assert dock.masks.list.topLevelItemCount() == 0
    engine.kill()
    qtbot.mouseClick(dock.volume, LEFT)
    wait_idle(session)
    assert dock.masks.list.topLevelItemCount() == 1
    session.close()

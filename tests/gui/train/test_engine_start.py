"""A training that is asked for while the real engine still starts."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import Qt

from napari_xseg.data.phantom import phantom
from napari_xseg.gui.session import session_of
from napari_xseg.gui.train.train_dock import TrainDock
from napari_xseg.jobs import Engine
from tests.gui.hands import label_all
from tests.gui.train.hands import PATIENCE, press, ready

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari import Viewer


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_after_a_kill_the_start_is_said_and_can_be_stopped(
    engine: Engine, viewer: Viewer, tmp_path: Path, qtbot: Any
) -> None:
    session = session_of(viewer, engine)
    session.set_image(viewer.add_image(phantom((8, 48, 64), seed=1)[0], name="scan"))
    session.move_project(tmp_path / "scan-xseg")
    label_all(session, 1, 4, 6)
    dock = TrainDock(viewer)
    viewer.window.add_dock_widget(dock, name="Train", area="right")
    viewer.window._qt_window.show()
    qtbot.waitUntil(lambda: session.devices is not None, timeout=PATIENCE)
    ready(dock, session, qtbot)
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: engine.pid is None, timeout=PATIENCE)
    engine.start()
    os.kill(engine.pid, signal.SIGSTOP)  # its start takes as long as this test wants
    press(dock.train, qtbot)
    qtbot.waitUntil(lambda: dock.bar.phase.text() == "Starting the engine", timeout=PATIENCE)
    qtbot.mouseClick(dock.bar.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dock.trainings.running, timeout=PATIENCE)
    assert dock.bar.phase.text() == "Stopped"
    assert dock.train.isVisible()
    qtbot.waitUntil(lambda: not session.jobs.busy, timeout=PATIENCE)
    assert session.project is not None
    assert session.project.runs() == session.project.unfinished() == []
    os.kill(engine.pid, signal.SIGCONT)
    dock.leave()

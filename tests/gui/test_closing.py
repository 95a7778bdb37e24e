"""The end of a window, and what is kept before it: syncing, exits without a word, two windows."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.events import Finished, Started
from napari_xseg.gui.session import session_of, sessions
from napari_xseg.jobs import WarmUp
from tests.gui.fake import UNTIL_STOPPED, WAIT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari import Viewer

    from napari_xseg.gui.session import Session
    from tests.gui.fake import FakeEngine

EXIT = """
import atexit
import napari, numpy as np
from qtpy.QtWidgets import QApplication, QMainWindow
# Called after whatever is registered later.
def windows():
    return [one for one in QApplication.topLevelWidgets() if isinstance(one, QMainWindow)]
atexit.register(lambda: print("left:", windows()))
from napari_xseg.gui.session import session_of, sessions
from napari_xseg.gui.window import open_docks
viewer = napari.Viewer()
viewer.add_image(np.arange(4 * 64 * 64, dtype="u2").reshape(4, 64, 64), name="scan")
open_docks(viewer)
session = session_of(viewer)
session.new_labels()
session.store[1] = 2
print(session.project.folder)
"""


def test_a_script_may_end_without_closing_its_window(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(EXIT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert "left: []" in done.stdout
    from napari_xseg.data.project import Project

    project = Project.open(tmp_path / "home" / "Documents" / "napari-xseg" / "scan-xseg")
    assert project.owned
    assert project.labels().labelled == (1,)
    project.close()


def test_strokes_are_synced_now_and_then(session: Session, qtbot: Any) -> None:
    session.new_labels()
    store = session.store
    assert store is not None
    session.strokes.timer.setInterval(30)
    for z in (2, 3):
        store[z, :10] = 1
        assert store._writer._unsynced
        qtbot.waitUntil(lambda: not store._writer._unsynced, timeout=20_000)
    qtbot.waitUntil(lambda: not session.jobs.busy, timeout=20_000)
    assert not session.strokes.timer.isActive()


def test_what_is_not_synced_yet_is_at_the_end(session: Session) -> None:
    session.new_labels()
    store = session.store
    assert store is not None
    store[2, :10] = 1
    assert store._writer._unsynced
    session.close()
    assert not store._writer._unsynced
    assert not session.strokes.timer.isActive()


@pytest.fixture
def second(
    make_napari_viewer: Callable[..., Viewer], session: Session, fake_engine: FakeEngine, qtbot: Any
) -> Any:
    """Another viewer on the same engine."""
    made = session_of(make_napari_viewer(), fake_engine)
    made.set_image(made.viewer.add_image(np.zeros((3, 20, 20), np.uint8), name="other"))
    yield made
    made.close()
    qtbot.waitUntil(lambda: not made.jobs.busy, timeout=20_000)


def test_two_viewers_share_an_engine_and_stop_only_their_own(
    session: Session, second: Session, fake_engine: FakeEngine, tmp_path: Path, qtbot: Any
) -> None:
    fake_engine.scripts.append([Started("train", 1, "cpu", "float32"), UNTIL_STOPPED])
    fake_engine.scripts.append([WAIT, Finished(tmp_path, "done", 1.0)])
    first = session.jobs.run("first", WarmUp)
    qtbot.waitUntil(lambda: len(fake_engine.running) == 1, timeout=20_000)
    other = second.jobs.run("other", WarmUp)
    qtbot.waitUntil(lambda: len(fake_engine.running) == 2, timeout=20_000)
    assert session.jobs.active == (first,)
    assert second.jobs.active == (other,)
    session.jobs.stop()
    qtbot.waitUntil(lambda: first.over, timeout=20_000)
    assert fake_engine.running[1].orders == []
    assert not other.over
    session.close()
    assert fake_engine.closed == 0
    assert second.image in second.viewer.layers
    second.new_labels()
    fake_engine.running[1].gate.set()
    qtbot.waitUntil(lambda: other.over, timeout=20_000)
    assert other.finished is not None


def test_a_window_that_closes_leaves_the_jobs_of_older_ones_alone(
    session: Session, second: Session, fake_engine: FakeEngine, tmp_path: Path, qtbot: Any
) -> None:
    fake_engine.scripts.append([WAIT, Finished(tmp_path, "done", 1.0)])
    job = session.jobs.run("first", WarmUp)
    gate = threading.Event()
    call = session.jobs.call(lambda: gate.wait(60))
    given: list[bool] = []
    call.returned.connect(given.append)
    qtbot.waitUntil(lambda: len(fake_engine.running) == 1, timeout=60_000)
    second.viewer.close()
    qtbot.waitUntil(lambda: second not in sessions(), timeout=60_000)
    fake_engine.running[0].gate.set()
    gate.set()
    qtbot.waitUntil(lambda: job.over and bool(given), timeout=60_000)
    assert job.finished is not None
    assert job.error is None

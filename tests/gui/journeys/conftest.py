"""One engine process for a file of journeys, and windows that leave nothing behind."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from qtpy.QtCore import QThreadPool

from napari_xseg.gui.session import session_of
from napari_xseg.jobs import Engine
from tests.gui.hands import PATIENCE, Hands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari import Viewer


@pytest.fixture(scope="module")
def shared_engine() -> Iterator[Engine]:
    """The engine of all journeys of a file; it leaves no process and no thread."""
    before = set(psutil.Process().children(recursive=True))
    with Engine() as made:
        yield made
    assert set(psutil.Process().children(recursive=True)) <= before
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("engine ")]


@pytest.fixture
def open_window(
    make_napari_viewer: Callable[..., Viewer], shared_engine: Engine, qtbot: Any
) -> Iterator[Callable[[], Hands]]:
    """Open a viewer with the docks; at the end all is closed, and nothing of it is left."""
    opened: list[Hands] = []

    def make() -> Hands:
        viewer = make_napari_viewer()
        session_of(viewer, shared_engine)
        opened.append(Hands(viewer, qtbot))
        return opened[-1]

    yield make
    while opened:
        session = opened.pop().session
        session.close()
        qtbot.waitUntil(lambda session=session: not session.jobs.busy, timeout=PATIENCE)
    pool = QThreadPool.globalInstance()
    qtbot.waitUntil(lambda: pool.activeThreadCount() == 0, timeout=PATIENCE)

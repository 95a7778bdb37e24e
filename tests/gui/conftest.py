"""A real napari window, a session in it, and an engine that says what a test wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from napari.utils.notifications import notification_manager

from napari_xseg.data.phantom import phantom
from napari_xseg.gui import session as session_module
from napari_xseg.gui.session import Session, session_of
from tests.gui.fake import FakeEngine
from tests.gui.leftovers import Leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from napari import Viewer
    from qtpy.QtWidgets import QApplication

SHAPE = (8, 96, 128)


@pytest.fixture(autouse=True)
def _own_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes into the home of whoever runs it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[None]:
    """Fail a test that leaves widgets, workers, threads or processes behind."""
    leftovers = Leftovers(qapp)
    yield
    report = getattr(request.node, "rep_call", None)
    if report is not None and report.passed:  # what fails holds widgets by its traceback
        found = leftovers.found()
        if (
            "engine" in request.fixturenames
        ):  # a module's engine outlives its tests, and is looked at
            found = [what for what in found if not what.startswith("process ")]
        assert not found, f"{len(found)} left: {'; '.join(found[:8])}"


@pytest.fixture
def fake_engine(tmp_path: Path) -> FakeEngine:
    folder = tmp_path / "engine"
    folder.mkdir()
    return FakeEngine(folder)


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Viewer]) -> Iterator[Viewer]:
    """A napari viewer with a window; whatever session it got is closed with it."""
    viewer = make_napari_viewer()
    yield viewer
    for session in tuple(session_module.sessions()):
        session.close()


@pytest.fixture
def session(viewer: Viewer, fake_engine: FakeEngine, qtbot: Any) -> Iterator[Session]:
    """A session with a small image (8, 96, 128) uint16 on the fake engine."""
    made = session_of(viewer, fake_engine)
    image, _ = phantom(SHAPE, seed=1)
    layer = viewer.add_image(image, name="phantom")
    made.set_image(layer)
    yield made
    made.close()
    qtbot.waitUntil(lambda: not made.jobs.busy, timeout=20_000)


@pytest.fixture
def truth() -> np.ndarray[Any, Any]:
    """Class values (8, 96, 128) uint8 of the session's image."""
    return phantom(SHAPE, seed=1)[1]


@pytest.fixture
def wait_idle(qtbot: Any) -> Callable[[Session], None]:
    """Wait until a session has no job and no background call."""

    def wait(session: Session) -> None:
        qtbot.waitUntil(lambda: not session.jobs.busy, timeout=20_000)

    return wait


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the user is told."""
    heard: list[str] = []
    monkeypatch.setattr(notification_manager, "dispatch", lambda note: heard.append(note.message))
    return heard


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, session: Session) -> list[str]:
    """What the session tells the user."""
    words: list[str] = []
    for name in ("notify", "warn"):
        monkeypatch.setattr(session, name, words.append)
    monkeypatch.setattr(session, "show_error", lambda error: words.append(str(error)))
    return words


@pytest.fixture
def show_dock(session: Session, wait_idle: Callable[[Session], None]) -> Callable[[type[Any]], Any]:
    """Open a dock in the session's window."""

    def add(kind: type[Any]) -> Any:
        dock = kind(session.viewer)
        session.viewer.window.add_dock_widget(dock, name=kind.__name__)
        session.viewer.window._qt_window.show()
        wait_idle(session)
        return dock

    return add

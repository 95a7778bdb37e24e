"""A real napari window, a session in it, and an engine that says what a test wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from napari.utils.notifications import notification_manager
from pytestqt.qtbot import QtBot

from napari_xseg.data.phantom import phantom
from napari_xseg.gui import session as session_module
from napari_xseg.gui.session import Session, session_of
from tests.gui.fake import FakeEngine
from tests.gui.leftovers import Leftovers
from tests.limits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from napari import Viewer
    from qtpy.QtWidgets import QApplication

SHAPE = (8, 96, 128)
WARM_UP = Session.warm_up


class PatientBot(QtBot):
    """Waits long enough for the slowest machine, whatever is asked: it costs only what fails."""

    def waitUntil(self, callback: Callable[[], Any], *, timeout: float = 0) -> None:
        super().waitUntil(callback, timeout=max(timeout, 1000 * PATIENCE))

    def waitSignal(
        self, signal: Any, *, timeout: float = 0, raising: bool = True, **more: Any
    ) -> Any:
        if raising:  # and it is not waited for what must not come
            timeout = max(timeout, 1000 * PATIENCE)
        return super().waitSignal(signal, timeout=round(timeout), raising=raising, **more)

    def waitExposed(self, widget: Any, *, timeout: float = 0) -> Any:
        return super().waitExposed(widget, timeout=round(max(timeout, 1000 * PATIENCE)))


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> QtBot:
    return PatientBot(request)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes into the home of whoever runs it, or reads its settings."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
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
        if "shared_engine" in request.fixturenames:  # it outlives the test, and is looked at
            found = [what for what in found if not what.startswith("process ")]
        assert not found, f"{len(found)} left: {'; '.join(found[:8])}"


@pytest.fixture
def fake_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """It is warm: a job that warms it up, at some moment, would take another's script."""
    monkeypatch.setattr(Session, "warm_up", lambda _: None)
    folder = tmp_path / "engine"
    folder.mkdir()
    return FakeEngine(folder)


@pytest.fixture
def warming(fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have sessions warm the engine up after all."""
    monkeypatch.setattr(Session, "warm_up", WARM_UP)


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
    qtbot.waitUntil(lambda: not made.jobs.busy)


@pytest.fixture
def truth() -> np.ndarray[Any, Any]:
    """Class values (8, 96, 128) uint8 of the session's image."""
    return phantom(SHAPE, seed=1)[1]


@pytest.fixture
def wait_idle(qtbot: Any) -> Callable[[Session], None]:
    """Wait until a session has no job and no background call."""

    def wait(session: Session) -> None:
        qtbot.waitUntil(lambda: not session.jobs.busy)

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

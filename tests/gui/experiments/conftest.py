"""An Experiments dock in a window, with labelled slices and a pretended experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.phantom import phantom
from napari_xseg.gui.experiments.experiments_dock import ExperimentsDock
from napari_xseg.gui.session import session_of
from tests.gui.experiments.pretended import Pretended
from tests.gui.train.hands import VALUES, idle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_xseg.gui.session import Session
    from tests.gui.fake import FakeEngine

SHAPE = (12, 64, 96)


@pytest.fixture
def session(viewer: Any, fake_engine: FakeEngine, qtbot: Any) -> Iterator[Session]:
    """A session with enough slices for splits that differ."""
    made = session_of(viewer, fake_engine)
    made.set_image(viewer.add_image(phantom(SHAPE, seed=1)[0], name="phantom"))
    yield made
    made.close()
    qtbot.waitUntil(lambda: not made.jobs.busy, timeout=20_000)


@pytest.fixture
def truth() -> Any:
    """Class values of the session's image."""
    return phantom(SHAPE, seed=1)[1]


@pytest.fixture
def label(session: Session, truth: Any, qtbot: Any) -> Callable[..., None]:
    """Paint the truth of some slices."""

    def paint(*slices: int) -> None:
        session.new_labels()
        assert session.store is not None
        for z in slices:
            session.store.write(z, (np.searchsorted(VALUES, truth[z]) + 1).astype(np.uint8))
        idle(session, qtbot)

    return paint


@pytest.fixture
def make_dock(session: Session, viewer: Any, qtbot: Any) -> Iterator[Callable[[], ExperimentsDock]]:
    """Open an Experiments dock, as often as wanted."""
    docks = []

    def make() -> ExperimentsDock:
        dock = ExperimentsDock(viewer)
        viewer.window.add_dock_widget(dock, name=f"Experiments {len(docks)}", area="right")
        viewer.window._qt_window.resize(1366, 768)
        viewer.window._qt_window.show()
        docks.append(dock)
        if not session.jobs.active:
            idle(session, qtbot)
        return dock

    yield make
    for dock in docks:
        dock.leave()


@pytest.fixture
def dock(make_dock: Callable[[], ExperimentsDock]) -> ExperimentsDock:
    return make_dock()


@pytest.fixture
def pretended(fake_engine: FakeEngine) -> Pretended:
    return Pretended(fake_engine)

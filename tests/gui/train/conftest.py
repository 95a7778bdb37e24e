"""A Train dock in a window, and labels to train on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.gui.train.train_dock import TrainDock
from tests.gui.train.hands import VALUES, idle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_xseg.gui.session import Session


@pytest.fixture
def dock(session: Session, viewer: Any, qtbot: Any) -> Iterator[TrainDock]:
    made = TrainDock(viewer)
    viewer.window.add_dock_widget(made, name="Train", area="right")
    viewer.window._qt_window.resize(1366, 768)
    viewer.window._qt_window.show()
    idle(session, qtbot)
    yield made
    made.leave()


@pytest.fixture
def label(session: Session, truth: Any, qtbot: Any) -> Callable[..., None]:
    """Paint the truth of some slices."""

    def paint(*slices: int) -> None:
        session.new_labels()
        assert session.store is not None
        for z in slices:
            plane = (np.searchsorted(VALUES, truth[z]) + 1).astype(np.uint8)
            session.store.write(z, plane)
        idle(session, qtbot)

    return paint

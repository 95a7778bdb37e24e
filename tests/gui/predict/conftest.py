"""A Predict dock in a window, with a model that says what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from napari_xseg.gui.predict.predict_dock import PredictDock
from napari_xseg.jobs import Engine
from tests.gui.prediction_fakes import PretendedMask, write_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari_xseg.gui.session import Session
    from tests.gui.fake import FakeEngine


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A real engine, for one test."""
    with Engine() as made:
        yield made


@pytest.fixture
def model(tmp_path: Path) -> Path:
    run = tmp_path / "20260101-120000-fine"
    write_model(run / "model.safetensors")
    return run


@pytest.fixture
def dock(
    session: Session, model: Path, tmp_path: Path, qtbot: Any, wait_idle: Callable[..., None]
) -> PredictDock:
    session.move_project(tmp_path / "scan-xseg")
    session.set_model(model)
    made = PredictDock(session.viewer)
    session.viewer.window.add_dock_widget(made, name="Predict")
    session.viewer.window._qt_window.show()
    wait_idle(session)
    return made


@pytest.fixture
def pretended(fake_engine: FakeEngine) -> PretendedMask:
    return PretendedMask(fake_engine)

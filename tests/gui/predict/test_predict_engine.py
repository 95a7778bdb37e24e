"""The Predict dock with the real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

from napari_xseg.config import ModelConfig, TrainConfig
from napari_xseg.data.phantom import phantom
from napari_xseg.events import Finished
from napari_xseg.gui.predict.predict_dock import PredictDock
from napari_xseg.gui.session import session_of
from napari_xseg.jobs import Engine, FileSource, SplitWish, TrainRequest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari import Viewer

LEFT = Qt.MouseButton.LeftButton
TINY = TrainConfig(
    name="tiny",
    model=ModelConfig(width=2, depth=2, context=1),
    crop=16,
    batch=2,
    learning_rate=0.01,
    ema=0.9,
    steps=12,
    keep="last",
)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


def train(engine: Engine, folder: Path) -> Path:
    for name, array in zip(("images", "labels"), phantom((8, 32, 40), seed=1), strict=True):
        np.save(folder / f"{name}.npy", array)
    request = TrainRequest(
        images=FileSource(path=str(folder / "images.npy")),
        labels=FileSource(path=str(folder / "labels.npy")),
        out=folder / "run",
        config=TINY,
        wish=SplitWish(train="1,5", val=(3,)),
        device="cpu",
        threads=1,
    )
    assert isinstance(list(engine.submit(request))[-1], Finished)
    return request.out


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
    session.set_model(train(engine, tmp_path))
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

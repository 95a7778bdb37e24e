"""Working the Predict dock as a user does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt

from napari_xseg.config import ModelConfig, TrainConfig
from napari_xseg.data.phantom import phantom
from napari_xseg.events import Finished
from napari_xseg.gui.layers import kind_of
from napari_xseg.gui.telling import FLAG
from napari_xseg.jobs import FileSource, SplitWish, TrainRequest

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.gui.predict.predict_dock import PredictDock
    from napari_xseg.gui.session import Session
    from napari_xseg.jobs import Engine
    from tests.gui.fake import FakeEngine

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
FAR_OFF = f"phantom: grey values of these images lie far off{FLAG}."


def names(session: Session, kind: str = "mask") -> list[str]:
    return [layer.name for layer in session.viewer.layers if kind_of(layer) == kind]


def click(qtbot: Any, button: Any) -> None:
    assert button.isEnabled()
    qtbot.mouseClick(button, LEFT)


def type_range(qtbot: Any, dock: PredictDock, text: str) -> None:
    dock.range.clear()
    qtbot.keyClicks(dock.range, text)


def at_gate(qtbot: Any, engine: FakeEngine, dock: PredictDock, done: int) -> Any:
    """Wait until the running prediction has said that so many slices are done."""
    qtbot.waitUntil(
        lambda: dock.predictions.current is not None and dock.predictions.current.done == done
    )
    return engine.running[-1]


def train_tiny(engine: Engine, out: Path, config: TrainConfig = TINY) -> Path:
    """Train some steps on two slices with the real engine; the run, whose data lie beside it."""
    for name, array in zip(("images", "labels"), phantom((8, 32, 40), seed=1), strict=True):
        np.save(out.with_name(f"{name}.npy"), array)
    request = TrainRequest(
        images=FileSource(path=str(out.with_name("images.npy"))),
        labels=FileSource(path=str(out.with_name("labels.npy"))),
        out=out,
        config=config,
        wish=SplitWish(train="1,5", val=(3,)),
        device="cpu",
        threads=1,
    )
    assert isinstance(list(engine.submit(request))[-1], Finished)
    return out

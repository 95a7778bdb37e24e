"""Working the Predict dock as a user does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt

from napari_xseg.gui.layers import kind_of
from napari_xseg.gui.telling import FLAG

if TYPE_CHECKING:
    from napari_xseg.gui.predict.predict_dock import PredictDock
    from napari_xseg.gui.session import Session
    from tests.gui.fake import FakeEngine

LEFT = Qt.MouseButton.LeftButton
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

"""Working the Train dock as a user does, and what an engine leaves behind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt

from napari_xseg.events import (
    Finished,
    StepDone,
)
from napari_xseg.jobs import TrainRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.train.train_dock import TrainDock
    from tests.gui.fake import FakeEngine, FakeRunning

VALUES = [0, 128, 255]
HISTORY = (
    "step,seconds,learning_rate,loss,dice_all,dice_foreground,"
    "dice_class 0,dice_class 1,dice_class 2\n"
    "50,0.5,0.01,0.4,0.9,0.91,0.92,0.93,0.94\n"
)


def idle(session: Session, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not session.jobs.busy, timeout=20_000)


def ready(dock: TrainDock, session: Session, qtbot: Any) -> None:
    """Wait until what was painted is counted and split, and Train can be pressed."""
    qtbot.waitUntil(dock.train.isEnabled, timeout=20_000)
    panel, store = dock.slices, session.store
    assert store is not None
    qtbot.waitUntil(lambda: tuple(sorted(panel.strip.strip.pixels)) == store.labelled)
    qtbot.waitUntil(lambda: panel.split is not None)
    idle(session, qtbot)


def steps(count: int, total: int) -> list[Any]:
    return [StepDone(n, total, 1 / n, 0.01, n / 100) for n in range(1, count + 1)]


def finished(running: FakeRunning, request: TrainRequest, reason: Any = "done") -> Finished:
    """Write what a training leaves, and say its end."""
    run = request.out
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.toml").write_text(request.config.to_toml(), encoding="utf-8")
    (run / "model.safetensors").touch()
    (run / "history.csv").write_text(HISTORY, encoding="utf-8")
    split = request.split or {}
    told = {"split": split, "figures": {"dice_foreground": 0.91}, "finished": "", "steps": 50}
    (run / "provenance.json").write_text(json.dumps(told), encoding="utf-8")
    return Finished(run, reason, 9.0, {"dice_foreground": 0.91})


def ends(engine: FakeEngine, reason: Any = "done") -> Callable[[FakeRunning], Finished]:
    def end(running: FakeRunning) -> Finished:
        asked = [request for request in engine.submitted if isinstance(request, TrainRequest)]
        return finished(running, asked[-1], reason)

    return end


def press(button: Any, qtbot: Any) -> None:
    assert button.isVisible()
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

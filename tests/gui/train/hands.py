"""Working the Train dock as a user does, and what an engine leaves behind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt

from napari_xseg.data.classes import ClassTable
from napari_xseg.events import (
    Finished,
    StepDone,
)
from napari_xseg.jobs import TrainRequest
from tests.gui.prediction_fakes import write_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.train.train_dock import TrainDock
    from tests.gui.fake import FakeEngine, FakeRunning

VALUES = [0, 128, 255]
# Milliseconds in which the slowest machine has done whatever a test waits for.
PATIENCE = 60_000
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
    write_model(run / "model.safetensors", ClassTable.from_dict(request.classes or {}))
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


def train_to_end(dock: TrainDock, button: Any, qtbot: Any) -> Path:
    """Press a button that begins a training, and wait until its run is listed; its folder."""
    qtbot.waitUntil(button.isEnabled, timeout=PATIENCE)
    press(button, qtbot)
    qtbot.waitUntil(lambda: not dock.trainings.running, timeout=PATIENCE)
    qtbot.waitUntil(lambda: not dock.session.jobs.busy, timeout=PATIENCE)
    current = dock.trainings.current
    assert current is not None
    return current.run


def click_run(dock: TrainDock, run: Path, qtbot: Any) -> None:
    """Click the row of a run."""
    runs = dock.panel.list
    row = next(row for row, info in enumerate(runs._runs) if info.path == run)
    item = runs.tree.topLevelItem(row)
    assert item is not None
    dock.area.ensureWidgetVisible(runs.tree)
    runs.tree.scrollToItem(item)
    at = runs.tree.visualItemRect(item).center()
    qtbot.mouseClick(runs.tree.viewport(), Qt.MouseButton.LeftButton, pos=at)

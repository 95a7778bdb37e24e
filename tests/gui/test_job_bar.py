"""The bar of a running job: words, buttons and orders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import Qt

from napari_xseg.events import Finished, Message, Progress, Started, StepDone, Validated
from napari_xseg.gui import job_bar
from napari_xseg.gui.job_bar import JobBar, phase_words, time_words
from napari_xseg.jobs import EngineDied, WarmUp
from tests.gui.fake import UNTIL_STOPPED, WAIT, FakeEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Job

STEP = StepDone(812, 3100, 0.05, 0.01, 8.12)


@pytest.fixture
def bar(session: Session, qtbot: Any) -> Iterator[JobBar]:
    made = JobBar(session.jobs)
    made.add_start("&Train", "Train a model.")
    qtbot.addWidget(made)
    made.show()
    yield made
    made.follow(None)


def begin(session: Session, engine: FakeEngine, bar: JobBar, script: list[Any]) -> Job:
    engine.scripts.append(script)
    job = session.jobs.run("Training", WarmUp)
    bar.follow(job)
    return job


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (8, "8 s"), (99, "99 s"), (150, "3 min"), (7500, "2 h 5 min")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert time_words(seconds) == words


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Started("train", 0, "cpu", "float32"), "Training begins"),
        (STEP, "Step 812 of 3,100"),
        (StepDone(3, 0, 1.0, 0.1, 0.1), "Step 3"),
        (Progress("validate", 1, 2, 0.5), "Validating: 1 of 2"),
        (Validated(9, 1.0, 0.1, 0.99, 0.9876, (0.99,), True), "Validated: Dice 98.76 %"),
        (
            Finished(Path("run"), "done", 9.0, {"dice_foreground": 0.992}),
            "Done: Dice 99.20 %",
        ),
        (Finished(Path("run"), "stopped", 9.0), "Stopped"),
        (Message("hello"), None),
    ],
)
def test_phases_in_words(event: Any, words: str | None) -> None:
    assert phase_words(event) == words


def test_shows_phase_progress_and_time_left(
    session: Session, fake_engine: FakeEngine, bar: JobBar, qtbot: Any
) -> None:
    job = begin(session, fake_engine, bar, [STEP, Message("Split: slice 3 trains."), UNTIL_STOPPED])
    qtbot.waitUntil(lambda: bar.bar.value() == 812)
    assert bar.phase.text() == "Step 812 of 3,100"
    assert bar.bar.maximum() == 3100
    assert "26 %" in bar.bar.text()
    assert "23 s left" in bar.bar.text()
    assert bar.log.text() == "Split: slice 3 trains."
    qtbot.mouseClick(bar.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: job.over)
    assert fake_engine.running[0].orders[-1] == ("stop", None)


def test_steps_in_quick_succession_are_painted_together(
    session: Session, fake_engine: FakeEngine, bar: JobBar, qtbot: Any
) -> None:
    job = begin(session, fake_engine, bar, [UNTIL_STOPPED])
    qtbot.waitUntil(lambda: job.state == "running")
    shown = [bar.phase.text()]
    for step in range(1, 200):
        bar.hear([StepDone(step, 3100, 0.05, 0.01, 0.02 * step)])
        if bar.phase.text() != shown[-1]:
            shown.append(bar.phase.text())
    assert len(shown) == 1
    qtbot.waitUntil(lambda: bar.phase.text() == "Step 199 of 3,100")
    job.pause()
    assert bar.phase.text() == "Paused"
    bar.hear([StepDone(200, 3100, 0.05, 0.01, 4.0)])
    qtbot.waitUntil(lambda: not bar._paint.isActive())
    assert bar.phase.text() == "Paused"
    job.stop()
    qtbot.waitUntil(lambda: job.over)


def test_start_buttons_make_room_while_a_job_runs(
    session: Session, fake_engine: FakeEngine, bar: JobBar, qtbot: Any
) -> None:
    start = bar.add_start("&Continue", "Go on.")
    assert start.isVisible()
    assert not bar.stop.isVisible()
    job = begin(session, fake_engine, bar, [UNTIL_STOPPED])
    qtbot.waitUntil(lambda: job.state == "running")
    assert not start.isVisible()
    assert bar.stop.isVisible()
    bar.stop.setFocus()
    qtbot.keyClick(bar.stop, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: job.over)
    assert start.isVisible()
    assert not bar.stop.isVisible()
    assert not bar.stop_now.isVisible()


def test_pause_and_go_on(
    session: Session, fake_engine: FakeEngine, bar: JobBar, qtbot: Any
) -> None:
    job = begin(session, fake_engine, bar, [STEP, UNTIL_STOPPED])
    qtbot.waitUntil(lambda: job.state == "running" and bar.pause.isEnabled())
    qtbot.mouseClick(bar.pause, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bar.phase.text() == "Paused")
    assert bar.pause.text() == "Go on"
    qtbot.mouseClick(bar.pause, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bar.phase.text() == "Going on")
    assert bar.pause.text() == "&Pause"
    assert [order for order, _ in fake_engine.running[0].orders] == ["pause", "go_on"]
    job.stop()
    qtbot.waitUntil(lambda: job.over)


def test_stop_now_is_offered_where_a_step_takes_long(
    session: Session,
    fake_engine: FakeEngine,
    bar: JobBar,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_bar, "PATIENCE", 0.05)
    job = begin(session, fake_engine, bar, [STEP, UNTIL_STOPPED, WAIT])
    qtbot.waitUntil(lambda: job.state == "running")
    running = fake_engine.running[0]
    running.stop = lambda: running.orders.append(("stop", None))  # type: ignore[method-assign]
    qtbot.mouseClick(bar.stop, Qt.MouseButton.LeftButton)
    assert bar.phase.text() == "Stopping after this step"
    assert not bar.stop.isEnabled()
    qtbot.waitUntil(bar.stop_now.isVisible)
    assert "waiting for" in bar.phase.text() or "left" in bar.phase.text()
    qtbot.mouseClick(bar.stop_now, Qt.MouseButton.LeftButton)
    assert fake_engine.killed == 1
    running.stopped.set()
    running.gate.set()
    qtbot.waitUntil(lambda: job.over)


def test_the_end_in_words(
    session: Session, fake_engine: FakeEngine, bar: JobBar, qtbot: Any
) -> None:
    done = Finished(Path("run"), "done", 9.0, {"dice_foreground": 0.9921})
    job = begin(session, fake_engine, bar, [STEP, done])
    qtbot.waitUntil(lambda: job.over)
    assert bar.phase.text() == "Done: Dice 99.21 %"
    assert not bar.bar.isVisible()
    job = begin(session, fake_engine, bar, [STEP, EngineDied("gone")])
    qtbot.waitUntil(lambda: job.over)
    assert bar.phase.text() == "Not finished"
    assert bar.job is None


def test_a_job_under_way_is_taken_up(
    session: Session, fake_engine: FakeEngine, bar: JobBar, qtbot: Any
) -> None:
    fake_engine.scripts.append([UNTIL_STOPPED])
    job = session.jobs.run("Training", WarmUp)
    bar.follow(job, [Message("noted"), STEP])
    assert bar.phase.text() == "Step 812 of 3,100"
    assert bar.log.text() == "noted"
    bar.follow(None)
    assert not job.over
    job.stop()
    qtbot.waitUntil(lambda: job.over)
    assert bar.phase.text() == "Step 812 of 3,100"


def test_an_engine_that_starts_is_said_and_stop_needs_not_wait_for_it(
    session: Session, fake_engine: FakeEngine, bar: JobBar, qtbot: Any
) -> None:
    job = begin(session, fake_engine, bar, [UNTIL_STOPPED])
    qtbot.waitUntil(lambda: bool(fake_engine.running), timeout=60_000)
    running = fake_engine.running[-1]
    running.state = "starting"
    qtbot.waitUntil(lambda: bar.phase.text() == "Starting the engine", timeout=60_000)
    running.state = "waiting"
    qtbot.waitUntil(lambda: bar.phase.text() == "Waiting for another job", timeout=60_000)
    running.state = "running"
    qtbot.waitUntil(lambda: bar.phase.text() == "Reading slices", timeout=60_000)
    running.state = "starting"
    qtbot.mouseClick(bar.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: job.over, timeout=60_000)
    assert bar.phase.text() == "Stopped"

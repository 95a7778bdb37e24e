"""Orders, errors and deaths, with jobs that only pretend."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.errors import XsegError
from napari_xseg.events import Event, Finished, Message, Started, StepDone, View
from napari_xseg.jobs import (
    Engine,
    EngineBug,
    EngineDied,
)
from napari_xseg.jobs.process import EngineProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from napari_xseg.jobs.process import Inbox

# Steps that no machine does before a test tells it to stop.
LONG = 1_000_000
PATIENCE = 60  # s
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


def test_stop_is_answered_in_mid_step(
    wait_for: Callable[..., None], engine: Engine, pretend: ModuleType, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    job = engine.submit(pretend.Steps(count=LONG, gate=gate))
    while not isinstance(next(job), StepDone):
        pass
    engine.stop()
    wait_for(lambda: engine.state == "stopping")  # though the step cannot end
    gate.touch()
    (last,) = job
    assert isinstance(last, Finished)
    assert last.reason == "stopped"
    assert engine.state == "idle"


def test_pause_holds_until_go_on(
    wait_for: Callable[..., None], engine: Engine, pretend: ModuleType, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    job = engine.submit(pretend.Steps(count=LONG, seconds=0.001, gate=gate))
    while not isinstance(next(job), StepDone):
        pass
    engine.pause()
    wait_for(lambda: engine.state == "paused")
    gate.touch()
    assert next(job) == Message("pauses")
    found: list[Event] = []
    reading = threading.Thread(target=lambda: found.append(next(job)), daemon=True)
    reading.start()
    reading.join(0.2)  # what is held in vain comes in this time
    assert found == []
    assert engine.state == "paused"
    engine.go_on()
    reading.join(PATIENCE)
    assert isinstance(found[0], StepDone)
    engine.stop()
    assert list(job)[-1].reason == "stopped"  # type: ignore[attr-defined]


def test_a_stop_before_the_first_event_is_not_lost(engine: Engine, pretend: ModuleType) -> None:
    job = engine.submit(pretend.Steps(count=LONG, seconds=0.01))
    engine.stop()
    found = list(job)  # empty where it had not begun
    assert not found or found[-1].reason == "stopped"  # type: ignore[attr-defined]
    assert job.state == "over"


def test_orders_reach_the_job_that_they_are_given_to(
    wait_for: Callable[..., None], engine: Engine, pretend: ModuleType
) -> None:
    first = engine.submit(pretend.Steps(count=LONG, seconds=0.01))
    second = engine.submit(pretend.Steps(count=LONG, seconds=0.01))
    next(first)
    assert (first.state, second.state) == ("running", "waiting")
    second.pause()
    first.stop()
    assert list(first)[-1].reason == "stopped"  # type: ignore[attr-defined]
    wait_for(lambda: second.state == "paused")
    second.go_on()
    wait_for(lambda: second.state == "running")
    second.stop()
    assert list(second)[-1].reason == "stopped"  # type: ignore[attr-defined]
    assert (first.state, second.state, engine.state) == ("over", "over", "idle")


def test_a_job_stopped_before_its_turn_ends_at_once_and_never_runs(
    engine: Engine, pretend: ModuleType, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    first = engine.submit(pretend.Steps(count=2, gate=gate))
    second = engine.submit(pretend.Steps(count=1, saved=tmp_path / "second"))
    third = engine.submit(pretend.Steps(count=1))
    next(first)
    second.stop()
    assert list(second) == []
    assert first.state == "running"
    gate.touch()
    assert list(first)[-1].reason == "done"  # type: ignore[attr-defined]
    assert list(third)[-1].reason == "done"  # type: ignore[attr-defined]
    assert not (tmp_path / "second").exists()


@posix
def test_a_job_stopped_while_the_engine_starts_ends_without_it_and_never_runs(
    engine: Engine, pretend: ModuleType, tmp_path: Path
) -> None:
    engine.start()
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGSTOP)  # its start takes as long as this test wants
    first = engine.submit(pretend.Steps(count=1, saved=tmp_path / "first"))
    second = engine.submit(pretend.Steps(count=1, saved=tmp_path / "second"))
    assert (first.state, second.state) == ("starting", "waiting")
    first.look_at(None)
    first.stop()
    assert list(first) == []
    assert (first.state, second.state) == ("over", "starting")
    os.kill(engine.pid, signal.SIGCONT)
    assert list(second)[-1].reason == "done"  # type: ignore[attr-defined]
    assert (tmp_path / "second").exists()
    assert not (tmp_path / "first").exists()


def test_stop_now_ends_the_jobs_that_wait_too(engine: Engine, pretend: ModuleType) -> None:
    first = engine.submit(pretend.Steps(count=LONG, seconds=0.5))
    second = engine.submit(pretend.Steps(count=1))
    next(first)
    engine.kill()
    with pytest.raises(EngineDied, match=r"at once, as asked, in the middle.*saved stands"):
        list(first)
    with pytest.raises(EngineDied, match="before this job had begun: nothing of it was done"):
        list(second)
    assert (first.state, second.state) == ("over", "over")
    assert len(list(engine.submit(pretend.Steps(count=2)))) == 4


@pytest.mark.skipif(not hasattr(os, "getsid"), reason="no sessions")
def test_it_is_in_its_parents_session_where_being_nice_counts(
    engine: Engine, pretend: ModuleType
) -> None:
    list(engine.submit(pretend.Steps(count=1)))
    pid = engine.pid
    assert pid is not None
    assert os.getsid(pid) == os.getsid(0)
    assert os.getpgid(pid) == pid  # Ctrl+C does not reach it


def test_closing_ends_the_jobs_that_wait_without_a_word(pretend: ModuleType) -> None:
    engine = Engine()
    first = engine.submit(pretend.Steps(count=LONG, seconds=0.01))
    second = engine.submit(pretend.Steps(count=1))
    next(first)
    engine.close(PATIENCE)
    assert list(first)[-1].reason == "stopped"  # type: ignore[attr-defined]
    assert list(second) == []


def test_a_view_threads_and_a_rest_cross(
    engine: Engine, pretend: ModuleType, tmp_path: Path
) -> None:
    view = View(3, (0, 4, 1, 5), tmp_path, {"path": "here"})
    job = engine.submit(pretend.Looks())
    other = engine.submit(pretend.Looks())
    other.look_at(None)
    other.use_threads(None)
    job.use_threads(2)
    job.look_at(View(1, (0, 1, 0, 1), tmp_path))
    job.rest(0.1)
    job.look_at(view)
    assert next(job) == Message(f"{view} 2 True")
    job.look_at(None)
    other.stop()
    assert list(job) == [Message("None")]


def test_a_closed_job_gives_no_more_events(engine: Engine, pretend: ModuleType) -> None:
    job = engine.submit(pretend.Steps(count=LONG, seconds=0.01))
    next(job)
    reading = threading.Thread(target=lambda: list(job))
    reading.start()
    job.close()
    reading.join(PATIENCE)
    assert not reading.is_alive()
    assert list(job) == []
    assert job.state == "over"


def test_a_job_that_nobody_holds_is_stopped(
    wait_for: Callable[..., None], engine: Engine, pretend: ModuleType, tmp_path: Path
) -> None:
    job = engine.submit(pretend.Steps(count=LONG, seconds=0.01, saved=tmp_path / "saved"))
    next(job)
    del job
    wait_for((tmp_path / "saved").exists)


def test_an_iterator_closed_early_stops_its_job_and_no_other(
    engine: Engine, pretend: ModuleType
) -> None:
    first = engine.submit(pretend.Steps(count=LONG, seconds=0.01))
    second = engine.submit(pretend.Steps(count=3))
    next(first)
    first.close()
    assert list(second)[-1].reason == "done"  # type: ignore[attr-defined]


def test_a_stop_reaches_the_job_that_is_listened_to(
    engine: Engine, pretend: ModuleType, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    first = engine.submit(pretend.Steps(count=LONG, gate=gate))
    next(first)
    first.close()
    second = engine.submit(pretend.Steps(count=LONG, seconds=0.01))
    engine.stop()
    assert list(second) == []  # before the first has let go
    gate.touch()


def test_a_job_given_right_after_stop_now_gets_a_new_engine(
    engine: Engine, pretend: ModuleType
) -> None:
    first = engine.submit(pretend.Steps(count=LONG, seconds=0.5))
    next(first)
    engine.kill()
    assert len(list(engine.submit(pretend.Steps(count=2)))) == 4
    with pytest.raises(EngineDied):
        list(first)


def test_orders_without_a_job_do_nothing(pretend: ModuleType) -> None:
    engine = Engine()
    for order in (engine.stop, engine.pause, engine.go_on, engine.kill, engine.close):
        order()
    assert (engine.state, engine.pid, engine.last_words) == ("off", None, "")


def test_after_an_error_the_same_engine_goes_on(engine: Engine, pretend: ModuleType) -> None:
    job = engine.submit(pretend.Mends())
    assert next(job) == Message("before")
    pid = engine.pid
    with pytest.raises(XsegError, match=r"^this: mend it$"):
        next(job)
    assert len(list(engine.submit(pretend.Steps(count=2)))) == 4
    assert engine.pid == pid


def test_a_bug_comes_with_its_traceback_and_a_new_engine(
    wait_for: Callable[..., None], engine: Engine, pretend: ModuleType
) -> None:
    job = engine.submit(pretend.Breaks())
    next(job)
    pid = engine.pid
    with pytest.raises(EngineBug, match="ZeroDivisionError: oh") as bug:
        next(job)
    assert "pretenders.py" in bug.value.traceback
    wait_for(lambda: "some last words" in engine.last_words)
    assert len(list(engine.submit(pretend.Steps(count=2)))) == 4
    assert engine.pid != pid


@posix
def test_an_engine_killed_from_outside_is_named_and_replaced(
    engine: Engine, pretend: ModuleType
) -> None:
    job = engine.submit(pretend.Steps(count=LONG, seconds=0.05))
    next(job)
    pid = engine.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineDied, match="signal 9") as died:
        list(job)
    assert not died.value.asked
    assert str(died.value) == (
        "The engine, which computes, ended unexpectedly (signal 9, often for want of memory) in "
        "the middle of this job: what the job had saved stands, so start the job again."
    )
    assert isinstance(died.value, XsegError)
    assert engine.state == "off"
    assert len(list(engine.submit(pretend.Steps(count=2)))) == 4
    assert engine.pid != pid


@posix
def test_an_engine_killed_between_jobs_is_replaced(
    wait_for: Callable[..., None], engine: Engine, pretend: ModuleType
) -> None:
    engine.start()
    pid = engine.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: engine.state == "off")
    assert len(list(engine.submit(pretend.Steps(count=2)))) == 4


@posix
def test_a_silent_engine_is_ended_and_replaced(
    lives: Callable[[int], bool], pretend: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine() as engine:
        job = engine.submit(pretend.Steps(count=LONG, seconds=0.01))
        next(job)
        pid = engine.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        monkeypatch.setattr(engine, "_silence", 0.4)  # only now: a busy machine is silent too
        waiting = engine.submit(pretend.Steps(count=1))
        monkeypatch.undo()
        with pytest.raises(EngineDied, match=r"did not answer.* before this job had begun"):
            list(waiting)
        with pytest.raises(EngineDied, match=r"did not answer.* in the middle of this job"):
            list(job)
        assert not lives(pid)
        assert len(list(engine.submit(pretend.Steps(count=2)))) == 4


class Answers:
    """What `EngineProcess.messages` needs of a process: one that answers so many questions."""

    def __init__(self, inbox: Inbox, answers: int, *, says_end: bool) -> None:
        self._inbox, self._left, self._says_end = inbox, answers, says_end
        self._heard = 0
        self._popen = self

    def poll(self) -> None:
        """It lives."""

    def send(self, do: str, **_: object) -> None:
        if do == "ping" and self._left:
            self._heard += 1
            self._left -= 1
            if not self._left and self._says_end:
                self._inbox.put({"say": "over"})

    def _death(self, number: int, silent: bool) -> EngineDied:
        return EngineDied(f"{number} {silent}")


def test_a_long_step_is_no_silence() -> None:
    inbox: Inbox = SimpleQueue()
    process: Any = Answers(inbox, 20, says_end=True)  # four unanswered ones would be its end
    assert list(EngineProcess.messages(process, 7, inbox, 0.04)) == [{"say": "over"}]
    process = Answers(inbox, 20, says_end=False)
    with pytest.raises(EngineDied, match="7 True"):
        list(EngineProcess.messages(process, 7, inbox, 0.04))
    assert process._heard == 20


def test_closing_stops_the_job_cleanly(pretend: ModuleType, tmp_path: Path) -> None:
    engine = Engine()
    job = engine.submit(pretend.Steps(count=LONG, seconds=0.01, saved=tmp_path / "saved"))
    next(job)
    engine.close(PATIENCE)
    assert (tmp_path / "saved").read_text() == "stopped"
    assert list(job)[-1].reason == "stopped"  # type: ignore[attr-defined]
    assert engine.state == "off"


def test_closing_waits_only_so_long(pretend: ModuleType, tmp_path: Path) -> None:
    engine = Engine()
    folder = engine.folder
    job = engine.submit(pretend.Steps(count=2, gate=tmp_path / "never"))
    while not isinstance(next(job), StepDone):
        pass
    engine.close(timeout=0.3)
    assert not folder.exists()
    with pytest.raises(EngineDied):
        list(job)


def test_events_are_values_again_after_crossing(engine: Engine, pretend: ModuleType) -> None:
    found = list(engine.submit(pretend.Steps(count=1)))
    assert found[:2] == [Started("train", 1, "nowhere", "float32"), StepDone(1, 1, 0.5, 1e-3, 0.0)]
    last = found[-1]
    assert isinstance(last, Finished)
    assert np.isnan(last.figures["dice_foreground"])
    assert replace(last, figures={}) == Finished(Path("run"), "done", 1.0)

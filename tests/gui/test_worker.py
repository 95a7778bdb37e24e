from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from napari_xseg.errors import XsegError
from napari_xseg.events import Finished, StepDone
from napari_xseg.gui.worker import Jobs
from napari_xseg.jobs import EngineDied, WarmUp
from tests.gui.fake import UNTIL_STOPPED, WAIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.gui.fake import FakeEngine

STEPS = [StepDone(step, 50, 1.0, 1e-3, step / 10) for step in range(1, 51)]


@pytest.fixture
def jobs(fake_engine: FakeEngine, qtbot: Any) -> Iterator[Jobs]:
    made = Jobs(fake_engine)
    yield made
    made.stop()
    qtbot.waitUntil(lambda: not made.busy, timeout=10_000)


@pytest.fixture
def until(qtbot: Any) -> Callable[[Callable[[], bool]], None]:
    return lambda true: qtbot.waitUntil(true, timeout=10_000)


def test_events_arrive_in_order_in_the_main_thread(
    jobs: Jobs, fake_engine: FakeEngine, tmp_path: Path, until: Any
) -> None:
    end = Finished(tmp_path, "done", 1.0)
    fake_engine.scripts.append([*STEPS, end])
    heard: list[Any] = []
    threads: set[threading.Thread] = set()
    job = jobs.run("training", WarmUp)
    job.events.connect(lambda events: heard.extend(events))
    job.events.connect(lambda _: threads.add(threading.current_thread()))
    until(lambda: job.over)
    assert heard == [*STEPS, end]
    assert threads == {threading.main_thread()}
    assert job.finished == end
    assert (job.error, jobs.active) == (None, ())


def test_the_request_is_made_in_a_background_thread(jobs: Jobs, until: Any) -> None:
    made_in: list[threading.Thread] = []

    def prepare() -> WarmUp:
        made_in.append(threading.current_thread())
        return WarmUp()

    job = jobs.run("training", prepare)
    until(lambda: job.over)
    assert made_in != [threading.main_thread()]


def test_a_request_that_cannot_be_made_is_the_jobs_error(jobs: Jobs, until: Any) -> None:
    def prepare() -> WarmUp:
        raise XsegError("no labels")

    job = jobs.run("training", prepare)
    until(lambda: job.over)
    assert str(job.error) == "no labels"


def test_orders_reach_the_job(jobs: Jobs, fake_engine: FakeEngine, until: Any) -> None:
    fake_engine.scripts.append([STEPS[0], UNTIL_STOPPED])
    states: list[str] = []
    job = jobs.run("training", WarmUp)
    job.state_changed.connect(lambda: states.append(job.state))
    until(lambda: bool(fake_engine.running))
    until(lambda: job.state == "running")
    job.pause()
    job.go_on()
    job.stop()
    assert states == ["paused", "running", "stopping"]
    until(lambda: job.over)
    assert [what for what, _ in fake_engine.running[0].orders] == ["pause", "go_on", "stop"]
    assert job.state == "over"


def test_wishes_told_before_the_engine_has_the_job_are_not_lost(
    jobs: Jobs, fake_engine: FakeEngine, until: Any
) -> None:
    ready = threading.Event()

    def prepare() -> WarmUp:
        ready.wait(60)
        return WarmUp()

    job = jobs.run("training", prepare)
    job.use_threads(1)
    ready.set()
    until(lambda: job.over)
    assert fake_engine.running[0].orders == [("use_threads", 1)]


def test_a_job_stopped_while_it_is_prepared_is_never_given_to_the_engine(
    jobs: Jobs, fake_engine: FakeEngine, until: Any
) -> None:
    ready = threading.Event()

    def prepare() -> WarmUp:
        ready.wait(60)
        return WarmUp()

    job = jobs.run("training", prepare)
    job.stop()
    ready.set()
    until(lambda: job.over)
    assert fake_engine.submitted == []


def test_a_dead_engine_is_the_jobs_error_and_the_next_job_runs(
    jobs: Jobs, fake_engine: FakeEngine, tmp_path: Path, until: Any
) -> None:
    fake_engine.scripts.append([STEPS[0], EngineDied("the engine process ended")])
    fake_engine.scripts.append([Finished(tmp_path, "done", 1.0)])
    first = jobs.run("training", WarmUp)
    until(lambda: first.over)
    assert isinstance(first.error, EngineDied)
    second = jobs.run("training", WarmUp)
    until(lambda: second.over)
    assert second.finished is not None


def test_stop_now_ends_the_engine(jobs: Jobs, fake_engine: FakeEngine, until: Any) -> None:
    fake_engine.scripts.append([STEPS[0], WAIT])
    job = jobs.run("training", WarmUp)
    until(lambda: bool(fake_engine.running))
    jobs.stop_now()
    assert fake_engine.killed == 1
    until(lambda: job.over)


def test_calls_return_in_the_main_thread(jobs: Jobs, until: Any) -> None:
    heard: list[Any] = []
    call = jobs.call(lambda: threading.current_thread())
    call.returned.connect(lambda value: heard.extend([value, threading.current_thread()]))
    until(lambda: bool(heard))
    worker, here = heard
    assert here == threading.main_thread() != worker


def test_a_call_that_fails_says_why(jobs: Jobs, until: Any) -> None:
    def compute() -> None:
        raise XsegError("the disk is full")

    heard: list[Exception] = []
    call = jobs.call(compute)
    call.failed.connect(lambda error: heard.append(error))
    until(lambda: bool(heard))
    assert str(heard[0]) == "the disk is full"


def test_a_bug_in_a_call_ends_the_waiting_and_is_raised(jobs: Jobs, until: Any, qtbot: Any) -> None:
    known: dict[str, int] = {}
    heard: list[Exception] = []
    with qtbot.capture_exceptions() as raised:
        call = jobs.call(lambda: known["no such key"])
        call.failed.connect(lambda error: heard.append(error))
        until(lambda: bool(heard) and not jobs.busy)
    assert "KeyError('no such key')" in str(heard[0])
    assert [kind for kind, _, _ in raised] == [KeyError]


def test_a_cancelled_call_says_nothing(jobs: Jobs, until: Any) -> None:
    heard: list[Any] = []
    call = jobs.call(lambda: 1)
    call.returned.connect(lambda value: heard.append(value))
    call.cancel()
    until(lambda: call.over and not jobs.busy)
    assert heard == []

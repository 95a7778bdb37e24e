from __future__ import annotations

import json
import threading
import time
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from napari_xseg import events
from napari_xseg.events import Control, Finished, StepDone, View


def waiting(control: Control) -> threading.Thread:
    thread = threading.Thread(target=control.wait_if_paused, daemon=True)
    thread.start()
    return thread


def test_a_job_that_was_told_nothing_goes_on() -> None:
    control = Control()
    assert not control.stopped
    control.wait_if_paused()


def test_a_pause_holds_until_told_to_go_on() -> None:
    control = Control()
    control.pause()
    thread = waiting(control)
    thread.join(0.1)
    assert thread.is_alive()
    control.go_on()
    thread.join(60)
    assert not thread.is_alive()
    assert not control.stopped


def test_a_stop_ends_a_pause() -> None:
    control = Control()
    control.pause()
    thread = waiting(control)
    control.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert control.stopped


def test_a_pause_after_a_stop_does_not_hold() -> None:
    control = Control()
    control.stop()
    control.pause()
    thread = waiting(control)
    thread.join(60)
    assert not thread.is_alive()
    assert control.stopped


def test_a_pause_costs_no_time_when_it_is_not_asked_for() -> None:
    control = Control()
    start = time.perf_counter()
    for _ in range(100_000):
        control.wait_if_paused()
    assert time.perf_counter() - start < 60  # a wait of 1 ms each would take longer


def test_events_are_values() -> None:
    step = StepDone(1, 2, 0.5, 1e-3, 0.1)
    assert step == StepDone(1, 2, 0.5, 1e-3, 0.1)
    with pytest.raises(FrozenInstanceError):
        step.step = 3  # type: ignore[misc]
    assert Finished(Path("run"), "done", 1.0).figures == {}


def test_the_latest_view_and_threads_count() -> None:
    control = Control()
    assert (control.view, control.threads, control.paused) == (None, None, False)
    first, second = (View(z, (0, 4, 1, 5), Path("here")) for z in (1, 2))
    control.look_at(first)
    control.look_at(second)
    control.use_threads(2)
    assert (control.view, control.threads) == (second, 2)
    control.look_at(None)
    control.use_threads(None)
    assert (control.view, control.threads) == (None, None)


def test_a_rest_ends_by_itself_or_with_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds
        if len(slept) == stop_at:
            control.stop()

    monkeypatch.setattr(events.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(events.time, "sleep", sleep)
    control, stop_at = Control(), 0
    assert control.rest_if_asked() == 0.0
    assert not slept
    control.rest(0.05)
    assert control.rest_if_asked() == pytest.approx(0.05)
    assert sum(slept) == pytest.approx(0.05)
    assert control.rest_if_asked() == 0.0  # once
    control.rest(7.0)
    assert control.rest_if_asked() == pytest.approx(0.1)
    assert sum(slept) == pytest.approx(0.15)
    slept.clear()
    stop_at = 1
    control.rest(0.1)
    control.rest_if_asked()
    assert len(slept) == 1


@pytest.mark.parametrize("images", [None, {"file": "a.raw", "planes": [1, 2]}])
def test_a_view_crosses_as_json_unchanged(images: dict[str, object] | None) -> None:
    view = View(3, (-4, 4, 1, 500), Path("a") / "folder", images)
    assert View.from_dict(json.loads(json.dumps(view.to_dict()))) == view

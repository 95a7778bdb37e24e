"""An engine that says what a test wants: no process, no torch."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_xseg.events import Event, View

# In a script: the job waits until `running.gate` is set, once a wait, or until it is stopped.
WAIT = object()
UNTIL_STOPPED = object()
# Seconds after which a job goes on by itself, lest a test that failed never ends.
LONG = 300


class FakeRunning:
    """A job of the fake engine: says its script, waits where the script says so."""

    def __init__(self, script: list[Any], folder: Path) -> None:
        self._script = script
        self._folder = folder
        self.orders: list[tuple[str, Any]] = []
        self.state = "running"
        self.stopped = threading.Event()
        self.gate = threading.Event()

    def __iter__(self) -> Iterator[Event]:
        for item in self._script:
            if item is WAIT:
                self.gate.wait(LONG)
                if not self.stopped.is_set():
                    self.gate.clear()  # here, so that no opening is lost
                continue
            if item is UNTIL_STOPPED:
                self.stopped.wait(LONG)
                continue
            if isinstance(item, BaseException):
                self.state = "over"
                raise item
            yield item(self) if callable(item) else item
        self.state = "over"

    def stop(self) -> None:
        self._order("stop", None)
        self.state = "stopping"
        self.stopped.set()
        self.gate.set()

    def pause(self) -> None:
        self._order("pause", None)
        self.state = "paused"

    def go_on(self) -> None:
        self._order("go_on", None)
        self.state = "running"

    def look_at(self, view: View | None) -> None:
        self._order("look_at", view)

    def use_threads(self, count: int | None) -> None:
        self._order("use_threads", count)

    def rest(self, seconds: float) -> None:
        self._order("rest", seconds)

    def _order(self, what: str, value: Any) -> None:
        self.orders.append((what, value))


class FakeEngine:
    """Takes jobs and says `scripts`, one list of events, errors and callables a job.

    A callable in a script gets the running job and gives the event. Without a script
    left, a job ends at once.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pid: int | None = 1
        self.scripts: deque[list[Any]] = deque()
        self.submitted: list[Any] = []
        self.running: list[FakeRunning] = []
        self.killed = 0
        self.closed = 0

    def submit(self, request: Any) -> FakeRunning:
        self.submitted.append(request)
        job = FakeRunning(self.scripts.popleft() if self.scripts else [], self.folder)
        self.running.append(job)
        return job

    def kill(self) -> None:
        self.killed += 1
        for job in self.running:
            job.stop()

    def close(self, timeout: float = 10.0) -> None:
        self.closed += 1

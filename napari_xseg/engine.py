"""The engine process (`python -m napari_xseg.engine`): takes jobs, says events, answers at once.

One JSON object a line each way, over stdin and stdout. To the engine:

- `{"do": "run", "job": n, "call": "module:Class", "request": {..}, "folder": cwd}`:
  jobs wait their turn; the class has `from_dict(values).plain(control)`, an
  iterator of JSON values.
- `{"do": "stop" | "pause" | "go_on", "job": n}`; a job that is stopped before its
  turn is over at once and never begins
- `{"do": "look_at", "job": n, "view": {..} | null}`: have a training show its mask of
  what `events.View.to_dict` says, or of nothing any more
- `{"do": "use_threads", "job": n, "threads": k | null}`: null for as many as it began with
- `{"do": "rest", "job": n, "seconds": s}`: have a training leave the processor alone for
  so long, from the next step on
- `{"do": "ping", "n": k}`

From the engine:

- `{"say": "pong", "n": k}`
- `{"say": "state", "job": n, "state": "waiting" | "running" | "paused" | "stopping"}`:
  when a job begins, and in answer to stop, pause and go_on
- `{"say": "event", "job": n, "event": {..}}`
- at the end of a job `{"say": "over", "job": n}`, or `"error"` with a `message` for
  the user, or `"bug"` with a `traceback`: after a bug nothing is known of this
  process any more, so it ends.

At the end of its input the parent has gone: the job is stopped cleanly, its model
saved, and the process ends; the folder named as its argument, which holds arrays
that the parent wrote for it, is removed.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from napari_xseg.errors import XsegError
from napari_xseg.events import Control, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NICENESS = 10
_LONG = 2.0  # s of a job that may have read many slices
_LOOK = 0.5  # s between two looks of an idle engine at signals
# How long OpenMP's idle threads spin before they sleep. Spinning on, as they do by default,
# starves whoever shares the processor, and themselves; sleeping at once halves the speed.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "10000"}


class Request(Protocol):
    """What a job's class gives."""

    def plain(self, control: Control) -> Iterator[dict[str, Any]]:
        """Do the job; its events as JSON values."""


@dataclass(frozen=True)
class Job:
    """One line that asks for a job, and the flags that it reads."""

    number: int
    call: str
    request: dict[str, Any]
    folder: str
    control: Control = field(default_factory=Control)

    def events(self) -> Iterator[dict[str, Any]]:
        """Do it."""
        with suppress(OSError):  # relative paths are the parent's
            os.chdir(self.folder)
        request: Request = resolve_name(self.call).from_dict(self.request)
        return request.plain(self.control)


class Engine:
    """Does jobs in the thread that calls `work`, and answers in one of its own.

    Parameters
    ----------
    source : iterable of bytes
        Lines from the parent.
    sink : int
        File descriptor of lines to the parent.
    """

    def __init__(self, source: Iterable[bytes], sink: int) -> None:
        self._source = source
        self._sink = sink
        self._writing = threading.Lock()
        self._turns: SimpleQueue[int | None] = SimpleQueue()
        self._jobs: dict[int, Job] = {}
        # Whoever takes a job out of it, to do it or to end it, is the only one.
        self._waiting: dict[int, Job] = {}
        self._leaving = False
        self.orphaned = False

    def listen(self) -> None:
        """Answer line after line; at the end of the input, leave."""
        for line in self._source:
            self._answer(json.loads(line))
        self.orphaned = True
        self.leave()

    def leave(self) -> None:
        """End after the current step. Takes no lock: a signal handler may call it."""
        self._leaving = True
        for job in list(self._jobs.values()):
            job.control.stop()
        self._turns.put(None)

    def work(self) -> None:
        """Do job after job, until told to leave."""
        while (number := self._next()) is not None and not self._leaving:
            job = self._waiting.pop(number, None)
            if job is not None:
                start = time.monotonic()
                self._do(job)
                del self._jobs[number]
                if time.monotonic() - start > _LONG:
                    # Its slices are kept by objects that hold each other, and fill the memory.
                    gc.collect()
        for number in list(self._waiting):
            self._end_unbegun(number)

    def _next(self) -> int | None:
        # A signal that comes just before the wait begins is handled after it: no wait is endless.
        while True:
            with suppress(Empty):
                return self._turns.get(timeout=_LOOK)

    def _answer(self, order: dict[str, Any]) -> None:
        match order["do"]:
            case "ping":
                self._say("pong", n=order["n"])
            case "run":
                job = Job(order["job"], order["call"], order["request"], order["folder"])
                self._jobs[job.number] = self._waiting[job.number] = job
                self._turns.put(job.number)
            case _:
                self._tell(order)

    def _tell(self, order: dict[str, Any]) -> None:
        job = self._jobs.get(order["job"])
        if job is None:
            return  # it has just ended
        match order["do"]:
            case "stop" | "pause" | "go_on" as what:
                getattr(job.control, what)()
                if not (job.control.stopped and self._end_unbegun(job.number)):
                    self._say("state", job=job.number, state=self._state(job))
            case "look_at":
                view = order["view"]
                job.control.look_at(None if view is None else View.from_dict(view))
            case "use_threads":
                job.control.use_threads(order["threads"])
            case "rest":
                job.control.rest(order["seconds"])

    def _state(self, job: Job) -> str:
        if job.number in self._waiting:
            return "waiting"
        if job.control.stopped:
            return "stopping"
        return "paused" if job.control.paused else "running"

    def _end_unbegun(self, number: int) -> bool:
        """Whether the job had not begun, and never will."""
        if self._waiting.pop(number, None) is None:
            return False
        del self._jobs[number]
        self._say("over", job=number)
        return True

    def _do(self, job: Job) -> None:
        if job.control.stopped:
            self._say("over", job=job.number)
            return
        self._say("state", job=job.number, state=self._state(job))
        try:
            for event in job.events():
                self._say("event", job=job.number, event=event)
        except XsegError as error:
            self._say("error", job=job.number, message=str(error))
        except BaseException:
            self._say("bug", job=job.number, traceback=traceback.format_exc())
            raise
        else:
            self._say("over", job=job.number)

    def _say(self, what: str, **values: Any) -> None:
        line = json.dumps({"say": what, **values}).encode() + b"\n"
        with self._writing:
            try:
                while line:
                    line = line[os.write(self._sink, line) :]
            except OSError:  # nobody listens any more
                self.leave()


def main() -> None:
    """Serve the parent at stdin and stdout until it goes."""
    # Read when the library is loaded, with torch: before that.
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)
    source, sink = _take_streams()
    engine = Engine(source, sink)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda _number, _frame: engine.leave())
    threading.Thread(target=engine.listen, name="answers", daemon=True).start()
    # After the thread that answers has started: where each thread has its own, it keeps the old.
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    engine.work()
    if engine.orphaned:
        for folder in sys.argv[1:2]:
            os.chdir(Path(folder).parent)  # Windows removes no folder that is in use
            shutil.rmtree(folder, ignore_errors=True)


def _take_streams() -> tuple[Iterable[bytes], int]:
    """Keep stdin and stdout for the parent: whoever prints here prints to stderr."""
    # Without a buffer: a thread that waits inside one would hold its lock at the end.
    source = open(os.dup(0), "rb", buffering=0)  # noqa: PTH123, SIM115
    sink = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return source, sink


if __name__ == "__main__":
    main()

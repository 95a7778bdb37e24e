"""The engine process (`python -m napari_xseg.engine`): takes jobs, says events, answers at once.

One JSON object a line each way, over stdin and stdout. To the engine:

- `{"do": "run", "job": n, "call": "module:Class", "request": {..}, "folder": cwd}`:
  jobs wait their turn; the class has `from_dict(values).plain(control)`, an
  iterator of JSON values.
- `{"do": "stop" | "pause" | "go_on", "job": n}`
- `{"do": "ping", "n": k}`

From the engine:

- `{"say": "pong", "n": k}`
- `{"say": "state", "job": n, "state": "running" | "paused" | "stopping"}`, also in
  answer to an order
- `{"say": "event", "job": n, "event": {..}}`
- at the end of a job `{"say": "over", "job": n}`, or `"error"` with a `message` for
  the user, or `"bug"` with a `traceback`: after a bug nothing is known of this
  process any more, so it ends.

At the end of its input the parent has gone: the job is stopped cleanly, its model
saved, and the process ends; the folder named as its argument, which holds arrays
that the parent wrote for it, is removed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from napari_xseg.errors import XsegError
from napari_xseg.events import Control

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NICENESS = 10
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
        self._waiting: SimpleQueue[Job | None] = SimpleQueue()
        self._jobs: dict[int, Job] = {}
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
        self._waiting.put(None)

    def work(self) -> None:
        """Do job after job, until told to leave."""
        while (job := self._waiting.get()) is not None and not self._leaving:
            self._do(job)
            del self._jobs[job.number]

    def _answer(self, order: dict[str, Any]) -> None:
        match order["do"]:
            case "ping":
                self._say("pong", n=order["n"])
            case "run":
                job = Job(order["job"], order["call"], order["request"], order["folder"])
                self._jobs[job.number] = job
                self._waiting.put(job)
            case "stop" | "pause" | "go_on" as what:
                self._tell(order["job"], what)

    def _tell(self, number: int, what: str) -> None:
        job = self._jobs.get(number)
        if job is None:
            return  # it has just ended
        getattr(job.control, what)()
        states = {"stop": "stopping", "pause": "paused", "go_on": "running"}
        state = "stopping" if job.control.stopped else states[what]
        self._say("state", job=number, state=state)

    def _do(self, job: Job) -> None:
        if not job.control.stopped:
            self._say("state", job=job.number, state="running")
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

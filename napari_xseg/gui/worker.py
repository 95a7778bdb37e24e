"""Jobs of the docks: the one file that starts threads.

A job runs in the engine process; a napari worker thread drives it and relays what
it says. Whatever is connected here is called in the main thread. The workers are
napari's, but not made by its `create_worker`: a window that closes would cancel those
of all windows that were opened before it.
"""

from __future__ import annotations

import gc
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from napari.qt.threading import FunctionWorker, GeneratorWorker
from psygnal import Signal
from superqt.utils import create_worker

from napari_xseg.errors import XsegError
from napari_xseg.events import Event, Finished, View
from napari_xseg.jobs import Engine, EngineBug, EngineDied

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from napari_xseg.jobs import Request

T = TypeVar("T")
JobState = Literal["preparing", "starting", "waiting", "running", "paused", "stopping", "over"]
# The job that only starts the engine.
WARMING = "Starting the engine"


class Running(Protocol):
    """A job that the engine has taken: its events, and orders to it."""

    def __iter__(self) -> Iterator[Event]:
        """Wait for its events."""

    def stop(self) -> None:
        """End it after the current step."""

    def pause(self) -> None:
        """Have it wait."""

    def go_on(self) -> None:
        """End the pause."""

    def look_at(self, view: View | None) -> None:
        """Ask for previews of a slice."""

    def use_threads(self, count: int | None) -> None:
        """Compute in so many threads; None for the default."""

    def rest(self, seconds: float) -> None:
        """Leave the processor alone for so long."""

    @property
    def state(self) -> str:
        """Where it is: starting, waiting, running, paused, stopping or over."""


class TakesJobs(Protocol):
    """The engine, as jobs need it."""

    @property
    def folder(self) -> Path:
        """Where arrays for jobs lie."""

    @property
    def pid(self) -> int | None:
        """The process, where one runs."""

    def submit(self, request: Request) -> Running:
        """Have it done."""

    def kill(self) -> None:
        """End the process at once."""

    def close(self, timeout: float = 10.0) -> None:
        """End the process cleanly."""


class Job:
    """One job, seen from the main thread.

    Attributes
    ----------
    title : str
        What the user is told that it is.
    worth_asking : bool
        Whether the user is asked before it is stopped with its window.
    error : Exception, optional
        Why it failed: XsegError for the user, EngineDied, or a bug.
    finished : Finished, optional
        What it said at its end; missing where it failed, or never began.
    """

    events = Signal(list)  # what it said since the last time, in order
    ended = Signal()
    state_changed = Signal()

    def __init__(self, title: str, *, worth_asking: bool = True) -> None:
        self.title = title
        self.worth_asking = worth_asking
        self.error: Exception | None = None
        self.finished: Finished | None = None
        self._running: Running | None = None
        self._shown: JobState = "preparing"
        self._stop_asked = False
        self._view: View | None = None
        self._threads: int | None = None
        self._heard: deque[Event] = deque()
        self._lock = threading.Lock()

    @property
    def state(self) -> JobState:
        """What it is at; "stopping" from the moment of the order."""
        if self._shown == "over":
            return "over"
        if self._stop_asked:
            return "stopping"
        running = self._running
        if running is None:
            return "preparing"
        return running.state  # type: ignore[return-value]

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._shown == "over"

    def stop(self) -> None:
        """End it after the current step, its result saved; at once where it waits."""
        self._stop_asked = True
        self._tell("stop")

    def pause(self) -> None:
        """Have it wait after the current step."""
        self._tell("pause")

    def go_on(self) -> None:
        """End the pause."""
        self._tell("go_on")

    def look_at(self, view: View | None) -> None:
        """Ask for previews of a slice; the latest wish holds."""
        self._view = view
        self._tell("look_at", view)

    def use_threads(self, count: int | None) -> None:
        """Compute in so many threads where the job allows it; None for the default."""
        if count != self._threads:
            self._threads = count
            self._tell("use_threads", count)

    def rest(self, seconds: float) -> None:
        """Leave the processor to the window for so long, where the job allows it."""
        with self._lock:
            running = self._running
        if running is not None:
            running.rest(seconds)

    def _tell(self, order: str, *values: Any) -> None:
        with self._lock:
            running = self._running
        if running is not None:
            getattr(running, order)(*values)
        self.state_changed.emit()

    def _drive(
        self, engine: TakesJobs, prepare: Callable[[], Request]
    ) -> Generator[None, None, None]:
        """In the worker thread: have it done, and say when there is something to hear."""
        try:
            request = prepare()
            if self._stop_asked:
                return
            running = engine.submit(request)
            with self._lock:
                self._running = running
            for order, value in (("look_at", self._view), ("use_threads", self._threads)):
                if value is not None:
                    getattr(running, order)(value)
            if self._stop_asked:  # between the two looks
                running.stop()
            for event in running:
                with self._lock:
                    first = not self._heard
                    self._heard.append(event)
                if first:  # what comes until the main thread listens goes along
                    yield
        except (XsegError, EngineBug) as error:
            self.error = error

    def _listen(self, _: object = None) -> None:
        with self._lock:
            heard = list(self._heard)
            self._heard.clear()
        for event in heard:
            if isinstance(event, Finished):
                self.finished = event
        if heard:
            self.events.emit(heard)

    def _end(self) -> None:
        self._listen()
        self._shown = "over"
        self.state_changed.emit()
        self.ended.emit()


class Call(Generic[T]):
    """Something computed in a background thread; its signals come in the main thread.

    Either signal comes in the end, unless it is cancelled: who waits for it never waits
    in vain. A bug, which is raised in the main thread, fails it with a sentence.
    """

    returned = Signal(object)
    failed = Signal(XsegError)

    def __init__(self) -> None:
        self.over = False
        self._cancelled = False

    def cancel(self) -> None:
        """Drop the result."""
        self._cancelled = True

    def _finish(self, outcome: tuple[T | None, XsegError | None]) -> None:
        self.over = True
        value, error = outcome
        if self._cancelled:
            return
        if error is not None:
            self.failed.emit(error)
        else:
            self.returned.emit(value)

    def _break(self, bug: Exception) -> None:
        self._finish((None, XsegError(f"A fault of napari-xseg itself stopped this: {bug!r}.")))


class Jobs:
    """The jobs of one viewer, and its background calls.

    Parameters
    ----------
    engine : TakesJobs
        Does the jobs, one after the other; viewers share it.
    """

    changed = Signal()  # a job has begun, ended, or changed its state

    def __init__(self, engine: TakesJobs) -> None:
        self.engine = engine
        self._jobs: list[Job] = []
        self._calls: list[Call[Any]] = []

    @property
    def active(self) -> tuple[Job, ...]:
        """The jobs that are not over, in the order in which they were asked for."""
        return tuple(self._jobs)

    @property
    def warming(self) -> bool:
        """Whether the engine is started and has been asked for nothing else before."""
        return any(job.title == WARMING for job in self._jobs)

    @property
    def busy(self) -> bool:
        """Whether any job or background call is under way."""
        return bool(self._jobs or self._calls)

    def run(self, title: str, prepare: Callable[[], Request], *, worth_asking: bool = True) -> Job:
        """Have a job done.

        Parameters
        ----------
        title : str
            What the user is told that it is.
        prepare : callable
            Gives the request; called in a background thread, where it may read
            and copy slices. It must hold what it needs and touch no widget.
        worth_asking : bool
            Whether the user is asked before it is stopped with its window.
        """
        job = Job(title, worth_asking=worth_asking)
        self._jobs.append(job)
        worker = create_worker(
            job._drive,
            self.engine,
            prepare,
            _worker_class=GeneratorWorker,
            _start_thread=False,
        )
        worker.yielded.connect(job._listen)
        worker.finished.connect(lambda: self._ended(job))
        job.state_changed.connect(self.changed.emit)
        if worth_asking:
            _COLLECTING.spare()
        worker.start()
        self.changed.emit()
        return job

    def call(self, function: Callable[[], T]) -> Call[T]:
        """Compute something in a background thread; the result comes by signals."""
        call: Call[T] = Call()

        def compute() -> tuple[T | None, XsegError | None]:
            try:
                return function(), None
            except XsegError as error:
                return None, error

        self._calls.append(call)
        worker = create_worker(compute, _worker_class=FunctionWorker, _start_thread=False)
        worker.returned.connect(call._finish)
        worker.errored.connect(call._break)
        worker.finished.connect(lambda: self._calls.remove(call))
        worker.start()
        return call

    def stop_now(self) -> None:
        """End the engine in mid-step; what jobs have saved stands."""
        for job in self._jobs:
            job._stop_asked = True
        self.engine.kill()

    def stop(self) -> None:
        """Stop every job of this viewer after its current step."""
        for job in self._jobs:
            job.stop()

    def _ended(self, job: Job) -> None:
        self._jobs.remove(job)
        if job.worth_asking:
            _COLLECTING.resume()
        job._end()
        self.changed.emit()


class _Collecting:
    """The garbage collector, kept off the objects that are there when a long job begins.

    A napari holds some 350,000 of them, and looking through them all stops the window
    for 0.15 to 0.2 s, at any moment.
    """

    def __init__(self) -> None:
        self._jobs = 0

    def spare(self) -> None:
        self._jobs += 1
        gc.freeze()

    def resume(self) -> None:
        self._jobs -= 1
        if self._jobs == 0:
            gc.unfreeze()


_COLLECTING = _Collecting()


class _SharedEngine:
    """The engine of this process: made for the first viewer, closed with the last."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._users = 0

    def take(self) -> Engine:
        self._users += 1
        if self._engine is None:
            self._engine = Engine()
        return self._engine

    def is_(self, engine: object) -> bool:
        return engine is self._engine and engine is not None

    def give_back(self, timeout: float) -> None:
        self._users -= 1
        if self._users == 0 and self._engine is not None:
            self._engine.close(timeout)
            self._engine = None


SHARED_ENGINE = _SharedEngine()

__all__ = ["SHARED_ENGINE", "Call", "EngineDied", "Job", "JobState", "Jobs", "TakesJobs"]

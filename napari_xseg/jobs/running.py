"""One job in the engine: its events, and orders for it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from napari_xseg.errors import XsegError
from napari_xseg.jobs.process import EngineBug
from napari_xseg.jobs.wire import decode_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_xseg.events import Event, View
    from napari_xseg.jobs.process import EngineProcess, JobState


class Running:
    """A job given to the engine: an iterator of its events, made by `Engine.submit`.

    Iterating waits in the thread that does it; everything else may be called from
    any thread and returns at once. A job that nobody holds any more is stopped, so
    keep it as long as it shall run.

    Raises
    ------
    XsegError
        While iterating: what the job raised.
    EngineDied
        While iterating: the process ended or was ended.
    EngineBug
        While iterating: anything else that went wrong, with its traceback.
    """

    def __init__(
        self, process: EngineProcess, number: int, messages: Iterator[dict[str, Any]]
    ) -> None:
        self._process = process
        self._number = number
        self._messages = messages

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        """The next event; StopIteration where the job is over, or was closed."""
        for message in self._messages:
            match message["say"]:
                case "event":
                    return decode_event(message["event"])
                case "error":
                    raise XsegError(message["message"])
                case "bug":
                    raise EngineBug(message["traceback"])
        raise StopIteration

    @property
    def state(self) -> JobState:
        """What the job is at: starting with the engine, waiting, running, paused, ... or over."""
        return self._process.job_state(self._number)

    def stop(self) -> None:
        """Have it end after its current step, its model saved; never begin, where it waits."""
        self._process.stop(self._number)

    def pause(self) -> None:
        """Have it wait after its current step."""
        self._process.send("pause", job=self._number)

    def go_on(self) -> None:
        """End the pause."""
        self._process.send("go_on", job=self._number)

    def look_at(self, view: View | None) -> None:
        """Have a training say a `Preview` of `view` from time to time; None ends that."""
        values = None if view is None else view.to_dict()
        self._process.send("look_at", job=self._number, view=values)

    def use_threads(self, count: int | None) -> None:
        """Have a training under a time limit compute in so many threads, from the next step on.

        None gives it back as many as it began with.
        """
        self._process.send("use_threads", job=self._number, threads=count)

    def rest(self, seconds: float) -> None:
        """Have a training leave the processor alone for so long, from the next step on."""
        self._process.send("rest", job=self._number, seconds=seconds)

    def close(self) -> None:
        """Listen no more: the job, unless it is over, is stopped after its current step."""
        self._process.drop(self._number)

    def __del__(self) -> None:
        self.close()

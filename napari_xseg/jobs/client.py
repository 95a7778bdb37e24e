"""The engine as the rest of the program sees it: jobs go in, events come out."""

from __future__ import annotations

import shutil
import tempfile
import threading
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Self

from napari_xseg.jobs.process import EngineProcess, State
from napari_xseg.jobs.running import Running

if TYPE_CHECKING:
    from types import TracebackType

    from napari_xseg.jobs.requests import Request

SILENCE = 30.0


class Engine:
    """Does jobs in a process of its own, kept warm between them.

    Any thread may call anything. The orders return at once; `state` follows when
    the engine has answered, within 0.1 s also in mid-step. Orders given here are
    for the job that the engine is at, whosever it is; those for one job are given to
    what `submit` returned.

    Parameters
    ----------
    silence : float
        Seconds without an answer after which an engine counts as hung.
    """

    def __init__(self, silence: float = SILENCE) -> None:
        self._silence = silence
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._process: EngineProcess | None = None
        self._folder: Path | None = None

    @property
    def folder(self) -> Path:
        """A folder for the arrays of jobs, there until `close`; also where this process dies."""
        with self._lock:
            return self._made_folder()

    @property
    def pid(self) -> int | None:
        """The engine's process id; None where none runs."""
        process = self._process
        return process.pid if process is not None and process.usable else None

    @property
    def state(self) -> State:
        """What the engine is at: off, idle, waiting, running, paused or stopping."""
        process = self._process
        return "off" if process is None else process.state

    @property
    def last_words(self) -> str:
        """The end of what the engine wrote to stderr, for a report; 16 KiB at most."""
        process = self._process
        return "" if process is None else process.last_words

    def start(self) -> None:
        """Start the process, unless it runs; one that has died is replaced."""
        self._running()

    def submit(self, request: Request) -> Running:
        """Give the engine a job, which begins once those before it are over.

        Returns
        -------
        Running
            An iterator of Event that also takes orders for this job. Closed or
            dropped early, it stops the job after its current step. Where the
            process dies, so do all jobs that it was given; the next `submit` starts
            another.
        """
        process = self._running()
        number = next(self._numbers)
        inbox = process.run(number, request.address(), request.model_dump(mode="json"))
        return Running(process, number, process.messages(number, inbox, self._silence))

    def stop(self) -> None:
        """Have the current job end after its current step, its model saved."""
        self._tell("stop")

    def pause(self) -> None:
        """Have the current job wait after its current step."""
        self._tell("pause")

    def go_on(self) -> None:
        """End the pause."""
        self._tell("go_on")

    def kill(self) -> None:
        """Stop now: end the process in mid-step, and with it the jobs that wait.

        The last saved model stands.
        """
        process = self._process
        if process is not None:
            process.kill()

    def close(self, timeout: float = 10.0) -> None:
        """Stop the job cleanly, end the process and remove its folder.

        After `timeout` seconds it is ended in mid-step.
        """
        with self._lock:
            process, self._process = self._process, None
            folder, self._folder = self._folder, None
        if process is not None:
            process.close(timeout)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _tell(self, what: str) -> None:
        process = self._process
        if process is not None:
            process.tell(what)

    def _made_folder(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="napari-xseg-"))
        return self._folder

    def _running(self) -> EngineProcess:
        with self._lock:
            if self._process is not None and not self._process.usable:
                self._process.kill()
                self._process.close(timeout=1)
                self._process = None
            if self._process is None:
                self._process = EngineProcess(self._made_folder())
            return self._process

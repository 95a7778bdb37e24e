"""One engine process as its parent sees it: pipes, the threads that read them, its death."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, cast

import napari_xseg
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Iterator

State = Literal["off", "idle", "waiting", "running", "paused", "stopping"]
JobState = Literal["starting", "waiting", "running", "paused", "stopping", "over"]
# Seconds without a word after which the engine is asked whether it is there.
BEAT = 1.0
# Bytes kept of what the engine writes to stderr.
REMEMBERED = 16384
Inbox = SimpleQueue[dict[str, Any] | None]
_ENDS = ("over", "error", "bug")


class EngineDied(XsegError):
    """The engine process ended, or had to be ended, before the job was over.

    `asked` is True where `Engine.kill` did it; `details` is the last that the
    engine wrote to stderr.
    """

    def __init__(self, message: str, *, asked: bool = False, details: str = "") -> None:
        super().__init__(message)
        self.asked = asked
        self.details = details


class EngineBug(RuntimeError):
    """A job failed in the engine in a way that nobody can mend; `traceback` is the engine's."""

    def __init__(self, traceback: str) -> None:
        super().__init__(traceback.strip().splitlines()[-1])
        self.traceback = traceback
        self.add_note(f"In the engine process:\n{traceback}")


class EngineProcess:
    """A running engine. Made by `Engine`, which replaces it when it has died.

    Parameters
    ----------
    folder : Path
        Removed by the engine when this process has gone.
    """

    def __init__(self, folder: Path) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "napari_xseg.engine", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            **_apart(),
        )
        self._sending = threading.Lock()
        # Lines with the numbers of their jobs, until it has said its first word: what is
        # stopped before is never sent, and need not wait for the seconds of a start.
        self._held: list[tuple[Any, bytes]] | None = []
        self._inboxes: dict[int, Inbox] = {}
        # Of jobs that are not over, in the order in which they were given.
        self._states: dict[int, State] = {}
        self._begun: set[int] = set()
        self._last_words = bytearray()
        self._heard = 0
        self._asked = False
        self._fell_silent = False
        self._ended = False
        self._threads = [
            threading.Thread(target=target, name=f"engine {name}", daemon=True)
            for name, target in (("events", self._read), ("stderr", self._remember))
        ]
        for thread in self._threads:
            thread.start()
        self._write(_line("ping", n=0))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def usable(self) -> bool:
        """Whether it lives and takes jobs."""
        return not self._ended and self._popen.poll() is None

    @property
    def state(self) -> State:
        """That of the job it is at, as the engine last said."""
        states = list(self._states.values())
        return states[0] if states else "idle" if self.usable else "off"

    @property
    def last_words(self) -> str:
        """The end of what it wrote to stderr."""
        return bytes(self._last_words).decode(errors="replace")

    def send(self, do: str, **values: Any) -> None:
        """Give it a line; one that is dead gets none, which `messages` notices."""
        line = _line(do, **values)
        with self._sending:
            if self._held is None:
                self._write(line)
            elif do != "ping":
                self._held.append((values.get("job"), line))

    def job_state(self, number: int) -> JobState:
        """That of one job, as the engine last said; "starting" where it waits for nothing else."""
        state = self._states.get(number, "over")
        if state == "waiting" and list(self._states)[:1] == [number]:
            return "starting"
        return cast("JobState", state)

    def run(self, number: int, call: str, request: dict[str, Any]) -> Inbox:
        """Give it a job; what it says of the job comes into the inbox."""
        inbox = self._inboxes[number] = SimpleQueue()
        self._states[number] = "waiting"
        self.send("run", job=number, call=call, request=request, folder=str(Path.cwd()))
        return inbox

    def tell(self, what: str) -> None:
        """Send an order to the job it is at."""
        for number in list(self._states)[:1]:
            self.send(what, job=number)

    def stop(self, number: int) -> None:
        """Have a job end after its current step; at once where it was not sent yet."""
        if self._withdraw(number):
            self._forget(number)
        else:
            self.send("stop", job=number)

    def drop(self, number: int) -> None:
        """Stop a job that nobody listens to any more, unless it is over."""
        if self._forget(number) and not self._withdraw(number):
            self.send("stop", job=number)

    def messages(self, number: int, inbox: Inbox, silence: float) -> Iterator[dict[str, Any]]:
        """What it says of a job, the end included; waits in the calling thread.

        Raises
        ------
        EngineDied
            Dead, or silent for `silence` seconds though asked; it is ended then.
        """
        silent, heard = 0.0, self._heard
        beat = min(BEAT, silence / 4)
        while True:
            try:
                message = inbox.get(timeout=beat)
            except Empty:
                # Counted in beats, not by the clock: a laptop may have slept.
                silent = 0.0 if heard != self._heard else silent + beat
                heard = self._heard
                if silent >= silence or self._popen.poll() is not None:
                    raise self._death(number, silent >= silence) from None
                self.send("ping", n=0)
                continue
            if message is None:
                raise self._death(number, silent=False)
            yield message
            if message["say"] in _ENDS:
                return

    def kill(self, *, asked: bool = True) -> None:
        """End it at once."""
        self._asked = self._asked or asked
        self._ended = True
        self._popen.kill()

    def close(self, timeout: float) -> None:
        """Have it stop its job cleanly and end; after `timeout` seconds, end it."""
        # Held for long only by who writes to an engine that does not read any more.
        if self._sending.acquire(timeout=timeout):
            with suppress(OSError):
                assert self._popen.stdin is not None
                self._popen.stdin.close()
            self._sending.release()
        else:
            self.kill()
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            self._popen.wait()
        for thread in self._threads:
            thread.join(timeout=1)

    def _death(self, number: int, silent: bool) -> EngineDied:
        self._ended = True
        if silent:
            self._fell_silent = True
            self._popen.kill()
        code = self._popen.wait()
        for thread in self._threads:  # for its last words
            thread.join(timeout=1)
        silent = silent or self._fell_silent
        if self._asked:
            what = "The engine was ended at once, as asked,"
        elif silent:
            what = "The engine did not answer any more and was ended"
        else:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            often = ", often for want of memory" if code == -9 else ""
            what = f"The engine, which computes, ended unexpectedly ({how}{often})"
        left = (
            "in the middle of this job: what the job had saved stands"
            if number in self._begun
            else "before this job had begun: nothing of it was done"
        )
        text = f"{what} {left}, so start the job again."
        return EngineDied(text, asked=self._asked, details=self.last_words)

    def _write(self, line: bytes) -> None:
        with suppress(OSError, ValueError):
            assert self._popen.stdin is not None
            self._popen.stdin.write(line)
            self._popen.stdin.flush()

    def _send_held(self) -> None:
        with self._sending:
            for _, line in self._held or ():
                self._write(line)
            self._held = None

    def _withdraw(self, number: int) -> bool:
        """Whether nothing of the job was sent, nor will be."""
        with self._sending:
            if self._held is None:
                return False
            self._held = [one for one in self._held if one[0] != number]
            return True

    def _forget(self, number: int) -> bool:
        """Say no more of a job; whether it was not over."""
        inbox = self._inboxes.pop(number, None)
        self._states.pop(number, None)
        if inbox is not None:
            inbox.put({"say": "over"})  # for a thread that waits
        return inbox is not None

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as lines:
            for line in lines:
                self._heard += 1
                if self._heard == 1:
                    # Not here: who reads must not wait until the engine takes what it is sent.
                    threading.Thread(target=self._send_held, daemon=True).start()
                self._deliver(json.loads(line))
        self._ended = True
        self._states.clear()
        for inbox in list(self._inboxes.values()):
            inbox.put(None)

    def _deliver(self, message: dict[str, Any]) -> None:
        number, what = message.get("job", 0), message["say"]
        self._ended = self._ended or what == "bug"
        inbox = self._inboxes.get(number)
        if inbox is None:  # a pong, or of a job that was dropped
            return
        if what == "state":
            self._states[number] = message["state"]
            if message["state"] != "waiting":
                self._begun.add(number)
            return
        if what in _ENDS:
            self._states.pop(number, None)
            self._inboxes.pop(number, None)
        inbox.put(message)

    def _remember(self) -> None:
        assert self._popen.stderr is not None
        with self._popen.stderr as stream:
            while some := os.read(stream.fileno(), 4096):
                self._last_words += some
                del self._last_words[:-REMEMBERED]


def _line(do: str, **values: Any) -> bytes:
    return json.dumps({"do": do, **values}).encode() + b"\n"


def _environment() -> dict[str, str]:
    """Ours, with this package where it is found from."""
    root = Path(napari_xseg.__file__).parent.parent
    if root.name in ("site-packages", "dist-packages"):
        return {**os.environ}
    known = os.environ.get("PYTHONPATH")
    path = str(root) if not known else f"{known}{os.pathsep}{root}"
    return {**os.environ, "PYTHONPATH": path}


def _apart() -> dict[str, Any]:
    """A group of its own: Ctrl+C in the terminal is for the parent, who decides.

    In the parent's session all the same: where Linux shares the processor out by session
    first, how nice a process is counts within its session only.
    """
    if sys.platform == "win32":
        return {
            "creationflags": subprocess.BELOW_NORMAL_PRIORITY_CLASS
            | subprocess.CREATE_NO_WINDOW
            | subprocess.CREATE_NEW_PROCESS_GROUP
        }
    return {"process_group": 0}

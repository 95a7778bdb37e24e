"""The engine process as its pipes show it, without the client."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import napari_xseg
from tests.limits import PATIENCE, ended_after

ROOT = Path(napari_xseg.__file__).parent.parent
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and priorities")

# A job's class needs from_dict and plain: no package of ours is imported for these.
JOBS = """
import os, signal, sys, threading, time
from napari_xseg.errors import XsegError

class Job:
    def __init__(self, values):
        self.values = values

    @classmethod
    def from_dict(cls, values):
        return cls(values)

class Steps(Job):
    def plain(self, control):
        for step in range(self.values["count"]):
            control.wait_if_paused()
            if control.stopped:
                break
            yield {"step": step}
            time.sleep(self.values["seconds"])
        with open(self.values["saved"], "w") as file:
            file.write("stopped" if control.stopped else "done")

class Tell(Job):
    def plain(self, control):
        yield {key: os.environ.get(key) for key in self.values["keys"]}
        nice = os.nice(0) if hasattr(os, "nice") else None
        yield {"nice": nice, "folder": os.getcwd(), "torch": "torch" in sys.modules}

class Prints(Job):
    def plain(self, control):
        print("from Python")
        os.write(1, b"from below\\n")
        sys.stdin.read()
        yield {"printed": True}

class Signals(Job):  # one that finds the main thread asleep, and does not wake it
    def plain(self, control):
        def send():
            time.sleep(0.3)
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

        threading.Thread(target=send).start()
        yield {"will": "send"}

class Mends(Job):
    def plain(self, control):
        raise XsegError("mend this")
        yield

class Breaks(Job):
    def plain(self, control):
        yield {"so": "far"}
        raise ZeroDivisionError("oh")
"""


class Wire:
    """Lines to an engine and from it."""

    def __init__(self, folder: Path, *words: object) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
        environment.pop("OMP_WAIT_POLICY", None)
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "napari_xseg.engine", *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )

    def send(self, do: str, **values: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **values}).encode() + b"\n")
        self.process.stdin.flush()

    def run(self, name: str, job: int = 1, **request: Any) -> None:
        folder = str(self.folder)
        self.send("run", job=job, call=f"engine_jobs:{name}", request=request, folder=folder)

    def next(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        with ended_after(self.process):
            line = self.process.stdout.readline()
        assert line, self.process.stderr and self.process.stderr.read().decode()
        found: dict[str, Any] = json.loads(line)
        return found

    def until(self, say: str) -> dict[str, Any]:
        while (message := self.next())["say"] != say:
            pass
        return message

    def end(self) -> tuple[int, str]:
        """Close its input; its exit code and what it wrote to stderr."""
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors.decode()


Connect = Callable[..., Wire]


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    (tmp_path / "engine_jobs.py").write_text(JOBS, encoding="utf-8")
    begun: list[Wire] = []

    def start(*words: object) -> Wire:
        begun.append(Wire(tmp_path, *words))
        return begun[-1]

    yield start
    for wire in begun:
        wire.process.kill()
        wire.process.wait()
        for stream in (wire.process.stdin, wire.process.stdout, wire.process.stderr):
            assert stream is not None
            with suppress(OSError):  # what could not be written
                stream.close()


def test_a_job_says_its_events_and_that_it_is_over(connect: Connect, tmp_path: Path) -> None:
    wire = connect()
    wire.run("Steps", count=2, seconds=0, saved=str(tmp_path / "saved"))
    assert wire.next() == {"say": "state", "job": 1, "state": "running"}
    assert wire.next() == {"say": "event", "job": 1, "event": {"step": 0}}
    assert wire.next() == {"say": "event", "job": 1, "event": {"step": 1}}
    assert wire.next() == {"say": "over", "job": 1}
    assert wire.end() == (0, "")


def test_jobs_wait_their_turn_in_one_process(connect: Connect, tmp_path: Path) -> None:
    wire = connect()
    for job in (1, 2):
        wire.run("Steps", job, count=1, seconds=0, saved=str(tmp_path / "saved"))
    assert wire.until("over")["job"] == 1
    assert wire.until("over")["job"] == 2


def test_it_answers_in_mid_step(connect: Connect, tmp_path: Path) -> None:
    wire = connect()
    wire.run("Steps", count=3, seconds=600, saved=str(tmp_path / "saved"))
    wire.until("event")
    for number in range(5):  # the step lasts longer than `next` waits
        wire.send("ping", n=number)
        assert wire.next() == {"say": "pong", "n": number}
    for order, state in [("pause", "paused"), ("go_on", "running"), ("stop", "stopping")]:
        wire.send(order, job=1)
        assert wire.next() == {"say": "state", "job": 1, "state": state}


def test_an_order_for_a_job_that_is_over_reaches_no_other(connect: Connect, tmp_path: Path) -> None:
    wire = connect()
    saved = tmp_path / "saved"
    wire.run("Steps", 1, count=1, seconds=0, saved=str(saved))
    wire.until("over")
    wire.send("stop", job=1)
    wire.run("Steps", 2, count=3, seconds=0, saved=str(saved))
    wire.until("over")
    assert saved.read_text() == "done"


def test_when_the_parent_goes_the_job_is_stopped_cleanly(connect: Connect, tmp_path: Path) -> None:
    arrays, saved = tmp_path / "arrays", tmp_path / "saved"
    arrays.mkdir()
    wire = connect(arrays)
    wire.run("Steps", count=1_000_000, seconds=0.01, saved=str(saved))
    wire.run("Steps", 2, count=1, seconds=0, saved=str(tmp_path / "never"))
    wire.until("event")
    assert wire.process.stdout is not None
    wire.process.stdout.close()  # who has gone reads nothing either
    assert wire.process.stdin is not None
    wire.process.stdin.close()
    assert wire.process.wait(PATIENCE) == 0
    assert saved.read_text() == "stopped"
    assert not (tmp_path / "never").exists()
    assert not arrays.exists()


def test_a_pause_does_not_hold_an_engine_whose_parent_goes(
    connect: Connect, tmp_path: Path
) -> None:
    wire = connect()
    wire.run("Steps", count=1_000_000, seconds=0.01, saved=str(tmp_path / "saved"))
    wire.until("event")
    wire.send("pause", job=1)
    assert wire.end() == (0, "")
    assert (tmp_path / "saved").read_text() == "stopped"


@posix
def test_a_signal_stops_the_job_cleanly_and_leaves_the_arrays(
    connect: Connect, tmp_path: Path
) -> None:
    arrays = tmp_path / "arrays"
    arrays.mkdir()
    wire = connect(arrays)
    wire.run("Steps", count=1_000_000, seconds=0.01, saved=str(tmp_path / "saved"))
    wire.until("event")
    wire.process.send_signal(signal.SIGTERM)
    wire.until("over")
    assert wire.process.wait(PATIENCE) == 0
    assert (tmp_path / "saved").read_text() == "stopped"
    assert arrays.exists()


@posix
def test_an_idle_engine_obeys_a_signal(connect: Connect) -> None:
    wire = connect()
    wire.send("ping", n=1)
    wire.until("pong")
    wire.process.send_signal(signal.SIGTERM)
    assert wire.process.wait(PATIENCE) == 0


@posix
def test_an_idle_engine_obeys_a_signal_that_did_not_wake_it(connect: Connect) -> None:
    wire = connect()
    wire.run("Signals")
    wire.until("over")
    assert wire.process.wait(PATIENCE) == 0


def test_what_the_user_can_mend_crosses_and_the_engine_stays(connect: Connect) -> None:
    wire = connect()
    wire.run("Mends")
    assert wire.until("error") == {"say": "error", "job": 1, "message": "mend this"}
    wire.run("Mends", 2)
    assert wire.until("error")["job"] == 2
    assert wire.end() == (0, "")


def test_a_bug_crosses_with_its_traceback_and_ends_the_engine(connect: Connect) -> None:
    wire = connect()
    wire.run("Breaks")
    said = wire.until("bug")
    assert "ZeroDivisionError: oh" in said["traceback"]
    assert "engine_jobs.py" in said["traceback"]
    code, errors = wire.end()
    assert code == 1
    assert "ZeroDivisionError: oh" in errors


def test_an_unknown_job_is_a_bug(connect: Connect) -> None:
    wire = connect()
    wire.run("Nothing")
    assert "Nothing" in wire.until("bug")["traceback"]


def test_who_prints_does_not_disturb_the_pipe(connect: Connect) -> None:
    wire = connect()
    wire.run("Prints")
    assert wire.until("event")["event"] == {"printed": True}
    code, errors = wire.end()
    assert code == 0
    assert "from Python" in errors
    assert "from below" in errors


def test_it_works_beside_others(connect: Connect, tmp_path: Path) -> None:
    wire = connect()
    wire.run("Tell", keys=["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
    told = wire.until("event")["event"]
    assert told == {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "10000"}
    here = wire.until("event")["event"]
    assert here["folder"] == os.path.realpath(tmp_path)
    assert here["torch"] is False
    if hasattr(os, "nice"):
        assert here["nice"] == min(os.nice(0) + 10, 19)

"""Killed, stopped, interrupted: the model so far is on disk and the run goes on from there."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from napari_xseg.cli import stopping
from napari_xseg.events import Control
from napari_xseg.model.checkpoint import load_model
from tests.limits import ended_after

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from napari_xseg.data.sample import SamplePaths

Xseg = Callable[..., Any]
Kill = Callable[[list[str], "float | None"], int]

LONG = 300.0  # s, in which any command of these tests is through
KILLS = 20
STEPS = 40
# Judged every second step, so that there is much to be torn in the saving.
RECIPE = """
crop = 32
batch = 2
learning_rate = 0.01
ema = 0.9
keep = "best"

[model]
width = 4
depth = 2
context = 1
"""

# Starting Python and torch takes seconds; a fork of a process that has them takes none.
SERVER = """
import json, os, signal, sys, time
import torch._dynamo
import napari_xseg.cli.prepare, napari_xseg.prediction.volume, napari_xseg.training.loop
from napari_xseg.cli import main

for line in sys.stdin:
    words, delay = json.loads(line)
    child = os.fork()
    if child == 0:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os._exit(main(words))
    if delay is not None:
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def kill(surroundings: dict[str, str]) -> Iterator[Kill]:
    """Run a command line in a process that is killed after some seconds; give its exit code."""
    if not hasattr(os, "fork"):
        pytest.skip("there is no fork here")
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=surroundings,
    )
    assert process.stdin
    assert process.stdout

    def run(words: list[str], delay: float | None) -> int:
        process.stdin.write(json.dumps([words, delay]) + "\n")
        process.stdin.flush()
        with ended_after(process, LONG):
            said = process.stdout.readline()
        assert said, "the process that runs commands has ended, or was ended in one of them"
        return int(said)

    yield run
    process.stdin.close()
    process.stdout.close()
    process.wait()


@pytest.fixture(scope="module")
def command(tiny: SamplePaths, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    recipe = tmp_path_factory.mktemp("recipe") / "often.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    words = ["train", "--images", tiny.images, "--labels", tiny.labels, "--recipe", recipe]
    words += ["--train-slices", "1,4,7", "--val-slices", "9:11", "--threads", 1]
    return [str(word) for word in words]


def read_steps(run: Path) -> list[int]:
    """Steps in the history, none where there is no history yet."""
    if not (run / "history.csv").exists():
        return []
    with (run / "history.csv").open(encoding="utf-8", newline="") as file:
        return [int(float(row["step"])) for row in csv.DictReader(file)]


def weights(run: Path) -> dict[str, Tensor]:
    return load_model(run).tensors


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(first[k].equal(second[k]) for k in first)


def test_killed_at_random_moments_a_training_ends_as_if_it_were_not(
    kill: Kill, command: list[str], tmp_path: Path
) -> None:
    whole = [*command, "--steps", str(STEPS), "--out", str(tmp_path / "whole")]
    assert kill(whole, None) == 0  # the first one also warms up the disk's cache
    begun = time.perf_counter()
    assert kill([*whole, "--overwrite"], None) == 0
    duration = time.perf_counter() - begun
    moments = random.Random(0)
    killed, runs = 0, 0
    while killed < KILLS:
        run = tmp_path / f"run{runs}"
        killed += run_with_kills(kill, [*command, "--steps", str(STEPS)], run, duration, moments)
        runs += 1
        assert same(weights(run), weights(tmp_path / "whole"))
        assert read_steps(run) == read_steps(tmp_path / "whole")
    assert runs > 1


def run_with_kills(
    kill: Kill, command: list[str], run: Path, duration: float, moments: random.Random
) -> int:
    """Kill and resume until four kills are done, then let it end; give the number of kills."""
    known: list[int] = []
    killed = 0
    while killed < 4:
        code = kill(
            [*command, "--out", str(run), "--resume"], moments.uniform(0.05, 0.9) * duration
        )
        if code == 0:  # it was faster
            return killed
        assert code == -signal.SIGKILL
        killed += 1
        if (run / "model.safetensors").exists():
            load_model(run)
        steps = read_steps(run)
        assert steps[: len(known)] == known
        assert steps == sorted(set(steps))
        known = steps
    assert kill([*command, "--out", str(run), "--resume"], None) == 0
    return killed


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_stops_a_training_with_its_model_saved(
    name: str,
    command: list[str],
    start: Callable[..., subprocess.Popen[str]],
    finish: Callable[..., Any],
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    process = start(*command, "--steps", 100_000, "--out", run)
    wait_for_line(process, "Training on")
    process.send_signal(getattr(signal, name))
    said = finish(process)
    assert (said.code, said.err) == (130, "")
    assert "Stopped" in said.out
    assert "--resume goes on" in said.out
    load_model(run)
    told = json.loads((run / "provenance.json").read_text(encoding="utf-8"))
    assert 0 <= told["steps"] < 100_000


def wait_for_line(process: subprocess.Popen[str], begin: str) -> None:
    assert process.stdout
    with ended_after(process, LONG):
        for line in process.stdout:
            if line.startswith(begin):
                return
    pytest.fail(f"the process ended without a line that begins with {begin!r}")


def test_a_stopped_training_goes_on_as_if_it_were_not_stopped(
    command: list[str], xseg: Xseg, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = [*command, "--steps", "12", "--out"]
    assert xseg(*words, tmp_path / "whole").code == 0
    stop_after(5, monkeypatch)
    said = xseg(*words, tmp_path / "run")
    assert said.code == 130
    monkeypatch.undo()
    said = xseg(*words, tmp_path / "run", "--resume")
    assert said.code == 0
    assert "goes on from step 5" in said.out
    assert same(weights(tmp_path / "run"), weights(tmp_path / "whole"))


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have SIGINT come after so many steps."""
    from napari_xseg.training.learner import Learner

    whole_step = Learner.step

    def step(self: Learner, *words: Any) -> float:
        loss = whole_step(self, *words)
        if self.steps == steps:
            signal.raise_signal(signal.SIGINT)
        return loss

    monkeypatch.setattr(Learner, "step", step)


def test_a_stopped_prediction_says_so(
    xseg: Xseg, trained: Path, tiny: SamplePaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Control, "stopped", property(lambda self: True))
    words = ("--model", trained, "--images", tiny.images, "--out", tmp_path / "mask.tif")
    said = xseg("predict", *words)
    assert said.code == 130
    assert "Stopped" in said.out


def test_resuming_what_has_not_begun_starts_from_the_seed(
    command: list[str], xseg: Xseg, tmp_path: Path
) -> None:
    words = [*command, "--steps", "3", "--out"]
    assert xseg(*words, tmp_path / "whole").code == 0
    said = xseg(*words, tmp_path / "run", "--resume")
    assert said.code == 0
    assert "no training to resume" in said.out
    assert same(weights(tmp_path / "run"), weights(tmp_path / "whole"))


def test_a_second_interrupt_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(stopping.os, "_exit", codes.append)
    control = Control()
    with stopping.stop_on_signals(control):
        signal.raise_signal(signal.SIGINT)
        assert control.stopped
        assert codes == []
        signal.raise_signal(signal.SIGINT)
        assert codes == [130]


def test_a_terminate_after_an_interrupt_still_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping.os, "_exit", pytest.fail)
    control = Control()
    with stopping.stop_on_signals(control):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert control.stopped


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with stopping.interrupt_on_signals(), stopping.stop_on_signals(Control()):
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP here")
def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping.stop_on_signals(Control()):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_interrupt_counts_where_a_shell_has_it_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        control = Control()
        with stopping.stop_on_signals(control):
            signal.raise_signal(signal.SIGINT)
        assert control.stopped
    finally:
        signal.signal(signal.SIGINT, before)

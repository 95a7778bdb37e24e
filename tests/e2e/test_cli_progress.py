"""Events as bars on a terminal, as lines elsewhere."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console as RichConsole

from napari_xseg import events
from napari_xseg.cli import progress
from napari_xseg.cli.console import Console

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

STARTED = events.Started("train", 4, "cpu", "float32")
FINISHED = events.Finished(Path("run"), "done", 1.0)


def job(steps: int = 4) -> Iterator[events.Event]:
    yield events.Message("a remark")
    yield events.Message("something doubtful", "warning")
    yield STARTED
    for step in range(1, steps + 1):
        yield events.StepDone(step, 4, 0.25, 0.01, step / 10)
    yield events.Validated(4, 0.4, 0.25, 0.5, 0.75, (0.5, 0.25), True)
    yield events.Progress("validate", 1, 2, 0.1)
    yield FINISHED


class Terminal(Console):
    """A console on a terminal of 100 columns that is kept as text."""

    def __init__(self) -> None:
        super().__init__()
        self.text = io.StringIO()
        self.__dict__["rich"] = RichConsole(file=self.text, force_terminal=True, width=100)

    @property
    def interactive(self) -> bool:
        return True


def test_without_a_terminal_there_is_a_line_a_validation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert progress.run_job(job(), Console(), events.Control()) == FINISHED
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "a remark",
        "warning: something doubtful",
        "Training on cpu in float32: 4 steps.",
        "     0.4 s  step 4      loss 0.2500  Dice foreground 75.00 %, all 50.00 %  best so far",
    ]


def test_quiet_leaves_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    progress.run_job(job(), Console(quiet=True), events.Control())
    assert capsys.readouterr().out == "warning: something doubtful\n"


def test_what_takes_long_says_so_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    lines = progress.Lines(Console())
    for done in range(1, 5):
        lines.advance("predict", done, 4)
    assert capsys.readouterr().out == "predicting: 2 of 4, 12 s\n"
    lines.rest()
    lines.advance("predict", 1, 9)
    assert capsys.readouterr().out == ""
    lines.advance("train", 7, 0, "loss 0.1")
    assert capsys.readouterr().out == "training: 7, 42 s  loss 0.1\n"


def test_a_terminal_gets_bars() -> None:
    terminal = Terminal()
    assert progress.run_job(job(), terminal, events.Control()) == FINISHED
    shown = terminal.text.getvalue()
    assert "training" in shown
    assert "4/4" in shown
    assert "left" in shown
    assert "loss 0.2500" in shown
    assert "validating" in shown
    assert "best so far" in shown


def test_a_job_that_says_nothing_of_its_end_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="without saying so"):
        progress.run_job(iter([STARTED]), Console(quiet=True), events.Control())


def test_what_a_generator_returns_is_given() -> None:
    def work() -> Generator[events.Event, None, str]:
        yield events.Progress("evaluate", 1, 1, 0.1)
        return "the result"

    assert progress.watch(work(), Console(quiet=True)) == "the result"
    assert progress.watch(work(), Terminal()) == "the result"

"""A job's events as progress bars on a terminal, as lines elsewhere."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol, TypeVar

from napari_xseg import events
from napari_xseg.cli.stopping import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import TracebackType

    from rich.progress import TaskID

    from napari_xseg.cli.console import Console

Result = TypeVar("Result")

LINE_SECONDS = 10.0
BAR_SECONDS = 0.1
_NAMES = {
    "evaluate": "scoring",
    "predict": "predicting",
    "suspects": "looking",
    "train": "training",
    "validate": "validating",
}


class Display(Protocol):
    """What shows how far a job is."""

    def advance(self, what: str, done: int, total: int, note: str = "") -> None:
        """Show that `done` of `total` items of `what` are done."""

    def rest(self) -> None:
        """Take note that something else was shown just now."""


class Bars:
    """A bar with the time left for each phase of a job."""

    def __init__(self, console: Console) -> None:
        from rich import progress

        self._bars = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[note]}"),
            console=console.rich,
            refresh_per_second=4,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._drawn = 0.0

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def advance(self, what: str, done: int, total: int, note: str = "") -> None:
        """Move the bar of `what`."""
        now = time.monotonic()
        if what in self._tasks and done != total and now - self._drawn < BAR_SECONDS:
            return
        self._drawn = now
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(_NAMES.get(what, what), total=None, note="")
        total_or_none = total or None  # not known yet: the bar pulses
        self._bars.update(self._tasks[what], completed=done, total=total_or_none, note=note)

    def rest(self) -> None:
        """Do nothing: bars stay below what is shown."""


class Lines:
    """A line where nothing was said for ten seconds, for files and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._start = self._last = time.monotonic()

    def advance(self, what: str, done: int, total: int, note: str = "") -> None:
        """Write a line where the last one is long enough ago."""
        now = time.monotonic()
        if now - self._last >= LINE_SECONDS and done != total:
            self._last = now
            parts = f"{done} of {total}" if total else str(done)
            text = f"{_NAMES.get(what, what)}: {parts}, {now - self._start:.0f} s  {note}"
            self._console.say(text.rstrip())

    def rest(self) -> None:
        """Wait another ten seconds."""
        self._last = time.monotonic()


def run_job(
    job: Iterator[events.Event], console: Console, control: events.Control
) -> events.Finished:
    """Run a job to its end and show its events; signals stop it after its current step."""
    last: events.Event | None = None
    with stop_on_signals(control), _display(console) as display:
        for last in job:
            _show(last, console, display)
    if not isinstance(last, events.Finished):
        raise RuntimeError("the job ended without saying so")
    return last


def watch(work: Generator[events.Event, None, Result], console: Console) -> Result:
    """Run a generator of events to its end, show them and give what it returns."""
    with _display(console) as display:
        while True:
            try:
                event = next(work)
            except StopIteration as end:
                result: Result = end.value
                return result
            _show(event, console, display)


def _display(console: Console) -> AbstractContextManager[Display]:
    return Bars(console) if console.interactive else nullcontext(Lines(console))


def _show(event: events.Event, console: Console, display: Display) -> None:
    match event:
        case events.Message(text=text, level="warning"):
            console.warn(text)
        case events.Message(text=text):
            console.say(text)
        case events.Started():
            console.say(_started(event))
        case events.StepDone():
            display.advance("train", event.step, event.steps, f"loss {event.loss:.4f}")
        case events.Progress():
            display.advance(event.what, event.done, event.total)
        case events.Validated():
            console.say(_validated(event))
            display.rest()
        case events.TrialDone():
            console.say(_trial(event))
            display.rest()


def _trial(event: events.TrialDone) -> str:
    told = f"{event.done} of {event.total}: {event.words}: {event.reason}"
    if event.fault:
        return f"{told}: {event.fault}"
    took = f", {event.seconds:.0f} s" if event.seconds else ""
    left = f", {event.left / 60:.0f} min left" if event.left > 0 else ""
    return f"{told}{took}{left}"


def _started(event: events.Started) -> str:
    unit = "steps" if event.what == "train" else "slices"
    name = _NAMES.get(event.what, event.what).capitalize()
    # Under a time limit the steps are counted once their pace is known.
    count = f": {event.total} {unit}" if event.total else ""
    return f"{name} on {event.device} in {event.precision}{count}."


def _validated(event: events.Validated) -> str:
    saved = "  best so far" if event.best else ""
    return (
        f"  {event.seconds:6.1f} s  step {event.step:<6d} loss {event.loss:.4f}  "
        f"Dice foreground {100 * event.dice_foreground:.2f} %, "
        f"all {100 * event.dice_all:.2f} %{saved}"
    )

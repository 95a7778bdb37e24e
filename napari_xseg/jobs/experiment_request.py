"""Experiments as frozen values, without torch: what travels to the engine."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_xseg.config import Precision
from napari_xseg.events import Control, Finished, TrialDone
from napari_xseg.jobs import requests
from napari_xseg.jobs.requests import Request, Threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_xseg.events import Event
    from napari_xseg.experiments.running import Compute
    from napari_xseg.experiments.suite import Suite


REPORT_WANTED = "report.wanted"
"""A file of this name in the folder asks for a report between two trainings."""


class _OnSuite(Request):
    """An experiment that was written to its `folder` (`Suite.write`), and where to compute."""

    folder: Path
    device: str = "auto"
    precision: Precision = "auto"
    threads: Threads | None = None

    @property
    def compute(self) -> Compute:
        """Where it computes."""
        from napari_xseg.experiments.running import Compute

        return Compute(self.device, self.precision, self.threads)

    def suite(self) -> Suite:
        """The experiment with its data; XsegError as `Suite.open`."""
        from napari_xseg.experiments.suite import Suite

        return Suite.open(self.folder)


class ExperimentRequest(_OnSuite):
    """An experiment, done as far as it is not.

    Attributes
    ----------
    folder : Path
        The suite's.
    only : str, optional
        The key of one training, to be done alone.
    report : bool
        Whether to write certificates, masks and the report at the end.
    device, precision, threads, command
        As `run_suite` takes them.
    """

    only: str | None = None
    report: bool = True
    command: str = ""

    def run(self, control: Control | None = None) -> Iterator[Event]:
        """Do it in this process; events and errors as `run_suite`."""
        from napari_xseg.experiments.after import follow_up
        from napari_xseg.experiments.report import report_events
        from napari_xseg.experiments.suite import run_suite

        control = control or Control()
        suite, compute = self.suite(), self.compute
        tasks = None if self.only is None else (suite.task(self.only),)
        finished: Finished | None = None
        wanted = self.folder / REPORT_WANTED
        with requests._threads_kept():
            for event in run_suite(
                suite, compute=compute, command=self.command, control=control, tasks=tasks
            ):
                if isinstance(event, Finished):
                    finished = event
                else:
                    yield event
                if isinstance(event, TrialDone) and wanted.exists():
                    yield from report_events(suite, compute=compute)
                    wanted.unlink(missing_ok=True)
            wanted.unlink(missing_ok=True)
            assert finished is not None
            if self.report and not control.stopped:
                yield from follow_up(suite, compute, control)
                yield from report_events(suite, compute=compute)
        yield finished


class ExperimentEstimate(_OnSuite):
    """How long an experiment will take, told as the `seconds` of the figures at the end.

    Attributes
    ----------
    folder : Path
        The suite's, written.
    device, precision, threads
        As `estimate_seconds` takes them.
    """

    def run(self, control: Control | None = None) -> Iterator[Event]:
        """Try a few steps of each kind of training in this process."""
        from napari_xseg.experiments.probe import estimate_seconds

        control = control or Control()
        with requests._threads_kept():
            seconds = yield from estimate_seconds(self.suite(), self.compute, control)
        reason: Literal["stopped", "done"] = "stopped" if math.isnan(seconds) else "done"
        yield Finished(self.folder, reason, 0.0, {"seconds": seconds})


class ExperimentReport(_OnSuite):
    """The report of an experiment, as far as it has come; `path` of its end is the page.

    Attributes
    ----------
    folder : Path
        The suite's.
    device, precision, threads
        As `report_events` takes them.
    """

    def run(self, control: Control | None = None) -> Iterator[Event]:
        """Write it in this process; events and errors as `report_events`."""
        from napari_xseg.experiments.report import report_events

        start = time.monotonic()
        with requests._threads_kept():
            path = yield from report_events(self.suite(), compute=self.compute)
        yield Finished(path, "done", time.monotonic() - start)

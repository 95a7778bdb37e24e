"""The training loop, on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_xseg.events import Control, Event, Started, StepDone
from napari_xseg.training.run import Run
from napari_xseg.training.threads import threads_kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_xseg.training.job import TrainJob


def train(job: TrainJob, control: Control | None = None) -> Iterator[Event]:
    """Train a network and keep the best model in the run folder.

    Parameters
    ----------
    job : TrainJob
        Everything settled.
    control : Control, optional
        Stops or pauses the run between two steps. A stopped run keeps its best
        model, and `resume` goes on with it. Where it has a view, the run shows what
        the model makes of that; a run under a time limit computes in as many threads
        as it says, or else in as many as make it fastest. On a processor it rests when
        asked to.

    Yields
    ------
    Event
        Message, Started, StepDone for each step, Validated and Preview from time to
        time, Progress while a long validation runs, Finished.

    Raises
    ------
    XsegError
        As `TrainJob.check` says; a full disk; a device without memory for one crop.
    """
    control = control or Control()
    run = Run(job)
    with run.folder.locked(), threads_kept():
        yield from run.begin()
        yield Started("train", run.length.steps or 0, run.device_name, run.precision)
        while not run.over():
            control.wait_if_paused()
            if control.stopped:
                break
            run.use_threads(control.threads)
            run.rest(control)
            loss = yield from run.step()
            yield StepDone(run.steps, run.length.steps or 0, loss, run.learning_rate, run.seconds)
            # First what somebody waits to see: to validate a large network may take minutes.
            yield from run.preview(control)
            if run.look_is_due():
                yield from run.look()
        yield from run.finish(control)

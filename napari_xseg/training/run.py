"""One training under way: its clock, its best model, what it saves and when."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_xseg.data.augment import variation
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Finished, Message, Progress, Validated
from napari_xseg.metrics import dice, dice_all, dice_foreground
from napari_xseg.model import geometry
from napari_xseg.model.device import describe_device, dtype_name, find_device
from napari_xseg.prediction.predictor import blocks_of
from napari_xseg.training.batches import crop_sampler, labelled_slices
from napari_xseg.training.keeping import keep_model, keep_state, restore
from napari_xseg.training.learner import Learner
from napari_xseg.training.preview import Previewer
from napari_xseg.training.run_folder import RunFolder
from napari_xseg.training.scene import SceneReader
from napari_xseg.training.schedule import Length
from napari_xseg.training.threads import Threads
from napari_xseg.training.validation import Validator

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

    from napari_xseg.config import Precision
    from napari_xseg.training.job import TrainJob
    from napari_xseg.training.parent import Parent

# Seconds of training before the first look, and shares of time spent on looks.
FIRST_LOOK = 2.5
LOOK_SHARE = 0.1
# Pixels of a crop's side on which precisions are timed.
TIMED = 64
# Looks that judge a run of a given number of steps, where it is judged by steps.
JUDGEMENTS = 20


class Run:
    """The state of a training, and the parts of its loop.

    Parameters
    ----------
    job : TrainJob
        What to do. `begin` writes to its folder, nothing else does before.
    """

    def __init__(self, job: TrainJob) -> None:
        self.job = job
        if job.threads:
            torch.set_num_threads(job.threads)
        self.threads = Threads(torch.get_num_threads())
        self.intensity = job.check()
        self.config = job.recipe()
        self.folder = RunFolder(job.out)
        self.device = find_device(job.device)
        self.parent = job.inherited
        weights = None if self.parent is None else self.parent.tensors
        self.learner = Learner(self.config, self.device, job.seed, weights)
        self.sampler = crop_sampler(job, self.intensity)
        self.variation = variation(self.config.augment, self.config.noise, self.intensity)
        self.length = self._length()
        self.told_threads: int | None = None
        self.seconds = 0.0
        self.told: dict[str, Any] = {}
        self.best: float | None = None
        self.judged = False
        self.worse = 0
        self.losses: list[float] = []
        self.rows: list[list[float]] = []
        self.next_look = min(FIRST_LOOK, (self.length.limit or math.inf) / 3)

    # -- what there is ------------------------------------------------------

    def _length(self) -> Length:
        config = self.config
        steps = config.steps
        if config.epochs is not None:
            steps = config.epochs * self.epoch
        return Length(steps, config.time_limit, config.warmup_steps)

    @property
    def epoch(self) -> int:
        """Steps in which each training slice is seen once, for a recipe of whole slices."""
        return max(1, math.ceil(len(self.sampler.items) / self.config.batch))

    @property
    def device_name(self) -> str:
        """Make and memory of the device."""
        return describe_device(self.device)

    @property
    def precision(self) -> Precision:
        """The name of the dtype computed in."""
        return dtype_name(self.learner.dtype)

    @property
    def _judging_precision(self) -> Precision:
        return "float32" if self.device.type == "cpu" else self.precision

    @property
    def steps(self) -> int:
        """Optimiser steps done."""
        return self.learner.steps

    @property
    def learning_rate(self) -> float:
        """That of the last step."""
        return self.learner.learning_rate

    # -- the beginning ------------------------------------------------------

    def begin(self) -> Iterator[Event]:
        """Write the folder's first files, or go on from its last state."""
        # Again, since another training may have come and gone before the folder was locked.
        self.folder.check(resume=self.job.resume, overwrite=self.job.overwrite)
        state = self.folder.read_state() if self.job.resume else None
        if state is not None:
            restore(self, state)
            self.next_look = self.seconds + FIRST_LOOK
        else:
            # What is reproducible is not left to a timing.
            auto = self.job.precision == "auto" and self.device.type == "cpu"
            fixed = auto and self.config.time_limit is None
            asked = "float32" if fixed else self.job.precision
            self.learner.choose_precision(asked, self._timed_window())
        self.validator = Validator(
            labelled_slices(
                self.job, "val", self.intensity, lambda plane: blocks_of(plane, self.config.model)
            ),
            self.job.split.val,
            self.device,
            self._judging_precision,
        )
        self.previewer = Previewer(
            SceneReader(
                self.job.images,
                self.intensity,
                self.job.region,
                self.config.model,
                self.job.open_images,
            ),
            self.config.model,
            self.device,
            self._judging_precision,
        )
        self.begun_at = self.seconds
        if state is not None:
            # A stop before this is not how it ends.
            self.folder.write_provenance(self.told)
            yield Message(f"{self.job.out}: goes on from step {self.steps}.")
            return
        if self.parent is not None:
            yield from self._doubts_of(self.parent)
        hashes = {"train": self.sampler.data.sha256(self.sampler.slices)}
        if self.job.split.val:
            hashes["val"] = self.validator.data.sha256(self.job.split.val)
        self.told = self.job.provenance(self.intensity, hashes)
        self.told |= {"device": self.device_name, "precision": self.precision}
        self.told |= {"threads": torch.get_num_threads(), "started": _now()}
        self.folder.start(self.config, self.told)

    def _timed_window(self) -> tuple[int, int]:
        """What of a batch precisions are timed on: whole slices of a large network take minutes."""
        model = self.config.model
        height, width = (
            geometry.output_size(model, min(length, TIMED)) + 2 * self.sampler.margin
            for length in self.sampler.size
        )
        return height, width

    def _doubts_of(self, parent: Parent) -> Iterator[Message]:
        yield Message(f"{self.job.out}: begins with the weights of {parent.path}.")
        if self.job.match_intensity:
            known, found = parent.intensity, self.job.measured
            yield Message(
                f"{self.job.images.name}: grey values {found.low:.5g} to {found.high:.5g} are "
                f"mapped onto {known.low:.5g} to {known.high:.5g} that {parent.path} knows."
            )
        elif parent.intensity.far_off(self.job.measured) is not None:
            yield Message(
                f"{self.job.images.name}: its grey values lie far off those that {parent.path} was "
                "trained on and that this run keeps; --match-intensity maps them onto those.",
                "warning",
            )

    # -- a step -------------------------------------------------------------

    def over(self) -> bool:
        """Whether the run has come to its end."""
        patience = self.config.early_stop
        if patience is not None and self.worse >= patience:
            return True
        return self.length.over(self.steps, self.seconds)

    @property
    def _chooses_threads(self) -> bool:
        """Whether nobody said how many, and the run is not one of steps, which is reproducible."""
        if self.job.threads or self.device.type != "cpu":
            return False
        return self.config.time_limit is not None

    def use_threads(self, count: int | None) -> None:
        """Compute in so many threads where the run chooses them; None for as many as is fastest."""
        self.told_threads = count
        wanted = max(1, count or self.threads.count)
        if self._chooses_threads and wanted != torch.get_num_threads():
            torch.set_num_threads(wanted)

    def rest(self, control: Control) -> None:
        """Leave the processor to others while they ask for it; that is training time too."""
        if self.device.type == "cpu":
            self.seconds += control.rest_if_asked()

    def step(self) -> Generator[Event, None, float]:
        """One optimiser step; halves the batch where memory does not suffice. Gives the loss."""
        start = time.perf_counter()
        if self.config.schedule == "one-cycle":
            self.learner.set_pace(self.length.factor(self.steps))
        while True:
            try:
                images, truth = self.sampler.batch(self.learner.batch)
                loss = self.learner.step(images, truth, self.variation)
                break
            except torch.OutOfMemoryError:
                self.learner.shrink()
                text = f"out of memory, going on with a batch of {self.learner.batch}."
                yield Message(f"{self.device}: {text}", "warning")
        if not math.isfinite(loss):
            raise XsegError(
                f"{self.job.out}: the loss is no number any more after step {self.steps}; the last "
                "saved model stands. Give the recipe a lower learning_rate, or clip_norm = 1.0."
            )
        self.losses.append(loss)
        pace = time.perf_counter() - start
        self.seconds += pace
        self.length.note(self.steps, self.seconds, pace)
        if self._chooses_threads and self.told_threads is None:
            self.threads.note(pace)
        return loss

    def preview(self, control: Control) -> Iterator[Event]:
        """Show what the model makes of what is looked at, where that is due."""
        view = None if control.stopped else control.view
        seconds = self.seconds - self.begun_at
        return self.previewer.after_step(view, self.learner.best_guess, self.steps, seconds)

    # -- a look -------------------------------------------------------------

    def _judges(self) -> bool:
        """Whether the step just done is one at which the run is judged, by its number alone."""
        config, length = self.config, self.length
        by_steps = config.keep == "best" or config.schedule == "plateau" or config.early_stop
        if not by_steps or not self.job.split.val:
            return False
        if config.crop is None:
            return self.steps % self.epoch == 0
        return length.steps is not None and self.steps % max(1, length.steps // JUDGEMENTS) == 0

    def look_is_due(self) -> bool:
        """Whether to validate and save between this step and the next."""
        if self.length.steps is None or self.over():
            return False
        return self._judges() or self.seconds >= self.next_look

    def look(self) -> Iterator[Event]:
        """Validate, keep the model where it is the best so far, save the state."""
        start = time.perf_counter()
        judges = self._judges()
        if self.job.split.val:
            counts = self.validator.counts(self.learner.best_guess, all_slices=judges)
            yield self._validated(counts, judges)
        else:
            self._note_row([])
            keep_model(self, {})
        keep_state(self)
        cost = time.perf_counter() - start
        self.next_look = self.seconds + max(FIRST_LOOK, cost / LOOK_SHARE)

    def _validated(self, counts: NDArray[np.int64], judges: bool) -> Validated:
        score = dice_foreground(counts)
        better = self.best is None or not score <= self.best
        # A look in between stands in for a judgement only until there is one.
        chosen = judges or self.config.keep == "last" or not self.judged
        first = judges and not self.judged and self.config.keep == "best"
        best = chosen and (better or first)
        if judges:
            self.judged = True
            self.worse = 0 if best else self.worse + 1
            if self.config.schedule == "plateau":
                self.learner.plateau.step(score)
        if best:
            self.best = score
            keep_model(self, _figures(counts))
        return self._note_row(list(dice(counts)), counts, best)

    def _note_row(
        self, figures: list[float], counts: NDArray[np.int64] | None = None, best: bool = False
    ) -> Validated:
        loss = float(np.mean(self.losses)) if self.losses else math.nan
        self.losses.clear()
        pooled = [] if counts is None else [dice_all(counts), dice_foreground(counts)]
        self.rows.append(
            [self.steps, self.seconds, self.learning_rate, loss, *pooled, *map(float, figures)]
        )
        both, foreground = pooled or [math.nan, math.nan]
        return Validated(
            self.steps, self.seconds, loss, both, foreground, tuple(map(float, figures)), best
        )

    # -- the end ------------------------------------------------------------

    def finish(self, control: Control) -> Iterator[Event]:
        """Keep what the recipe says stands at the end, and say so."""
        ended = self.over()
        early = self.config.early_stop is not None and self.worse >= self.config.early_stop
        if ended and not early:
            yield from self._last_look(control)
        elif not (self.job.split.val and self.folder.model.exists()):
            keep_model(self, {})
        keep_state(self)
        self.told |= {"finished": _now(), "steps": self.steps, "seconds": self.seconds}
        figures = {} if self.best is None else {"dice_foreground": self.best}
        self.told |= {"figures": figures}
        self.folder.write_provenance(self.told)
        reason = "early" if early else "done" if ended else "stopped"
        yield Finished(self.job.out, reason, self.seconds, figures)  # type: ignore[arg-type]

    def _last_look(self, control: Control) -> Iterator[Event]:
        """Judge the last model on all validation slices."""
        if self.rows and self.rows[-1][0] == self.steps:
            return  # judged before a run that was over was resumed
        total = len(self.job.split.val)
        if not total:
            self._note_row([])
            keep_model(self, {})
            return
        start = time.perf_counter()
        counts = np.zeros((self.config.model.classes,) * 2, np.int64)
        parts = self.validator.parts(self.learner.best_guess, all_slices=True)
        if self.config.keep == "last":
            # A long validation may be cut short; the model it judges is safe before.
            keep_model(self, {})
        for done, part in enumerate(parts, 1):
            counts += part
            yield Progress("validate", done, total, time.perf_counter() - start)
            if control.stopped:
                return
        if self.config.keep == "last":
            self.best = dice_foreground(counts)
            keep_model(self, _figures(counts))
            yield self._note_row(list(dice(counts)), counts, True)
        else:
            yield self._validated(counts, judges=True)


def _figures(counts: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "dice_all": dice_all(counts),
        "dice_foreground": dice_foreground(counts),
        "dice": [float(value) for value in dice(counts)],
    }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")

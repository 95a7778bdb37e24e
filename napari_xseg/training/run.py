"""One training under way: its clock, its best model, what it saves and when."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_xseg.data.augment import noise_std, variation
from napari_xseg.data.jsontext import json_text
from napari_xseg.data.planes import memory_share
from napari_xseg.data.sampling import CropSampler, LabelledSlices
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Finished, Message, Progress, Validated
from napari_xseg.metrics import dice, dice_all, dice_foreground
from napari_xseg.model import geometry
from napari_xseg.model.checkpoint import save_model
from napari_xseg.model.device import describe_device, dtype_name, find_device
from napari_xseg.prediction.predictor import blocks_of
from napari_xseg.training.learner import Learner
from napari_xseg.training.run_folder import RESUME, RunFolder
from napari_xseg.training.schedule import Length, one_cycle
from napari_xseg.training.validation import Validator

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

    from napari_xseg.config import Precision
    from napari_xseg.training.job import TrainJob

# Seconds of training before the first look, and shares of time spent on looks.
FIRST_LOOK = 2.5
LOOK_SHARE = 0.1
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
        self.intensity = job.check()
        self.config = job.recipe()
        self.folder = RunFolder(job.out)
        self.device = find_device(job.device)
        self.learner = Learner(self.config, self.device, job.seed)
        self.sampler = self._sampler()
        self.variation = variation(self.config.augment, self.config.noise, self.intensity)
        self.length = self._length()
        self.seconds = 0.0
        self.best: float | None = None
        self.judged = False
        self.worse = 0
        self.losses: list[float] = []
        self.rows: list[list[float]] = []
        self.next_look = min(FIRST_LOOK, (self.length.limit or math.inf) / 3)

    # -- what there is ------------------------------------------------------

    def _slices(self, part: str, prepare: Any = None) -> LabelledSlices:
        job = self.job
        return LabelledSlices(
            job.images,
            job.labels,
            job.label_of,
            job.within(part),
            self.intensity,
            self.config.model.context,
            memory_share(0.2),
            prepare,
        )

    def _sampler(self) -> CropSampler:
        config, data = self.config, self._slices("train")
        wanted = [min(config.crop or length, length) for length in data.shape]
        if config.crop:
            wanted = [max(wanted), max(wanted)]  # square, so that crops can be turned
        if config.batch == 1:  # batch norm wants two values or more, at the deepest level too
            wanted = [max(length, geometry.alignment(config.model) + 1) for length in wanted]
        height, width = (geometry.output_size(config.model, length) for length in wanted)
        copies = None
        if config.noise.enabled and config.noise.copies:
            copies = data.noisy_copies(noise_std(config.noise, self.intensity), self.job.seed)
        return CropSampler(
            data,
            self.job.split.train,
            (height, width),
            geometry.margin(config.model),
            config,
            noisy_copies=copies,
            seed=self.job.seed,
        )

    def _length(self) -> Length:
        config = self.config
        steps = config.steps
        if config.epochs is not None:
            steps = config.epochs * self.epoch
        return Length(steps, config.time_limit)

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
            self._restore(state)
        else:
            # What is reproducible is not left to a timing.
            auto = self.job.precision == "auto" and self.device.type == "cpu"
            fixed = auto and self.config.time_limit is None
            asked = "float32" if fixed else self.job.precision
            self.learner.choose_precision(asked, self.sampler.window)
        self.validator = Validator(
            self._slices("val", lambda plane: blocks_of(plane, self.config.model)),
            self.job.split.val,
            self.device,
            "float32" if self.device.type == "cpu" else self.precision,
        )
        if state is not None:
            yield Message(f"{self.job.out}: goes on from step {self.steps}.")
            return
        hashes = {"train": self.sampler.data.sha256(self.sampler.slices)}
        if self.job.split.val:
            hashes["val"] = self.validator.data.sha256(self.job.split.val)
        self.told = self.job.provenance(self.intensity, hashes)
        self.told |= {"device": self.device_name, "precision": self.precision}
        self.told |= {"threads": torch.get_num_threads(), "started": _now()}
        self.folder.start(self.config, self.told)

    # -- a step -------------------------------------------------------------

    def over(self) -> bool:
        """Whether the run has come to its end."""
        patience = self.config.early_stop
        if patience is not None and self.worse >= patience:
            return True
        return self.length.over(self.steps, self.seconds)

    def step(self) -> Generator[Event, None, float]:
        """One optimiser step; halves the batch where memory does not suffice. Gives the loss."""
        start = time.perf_counter()
        if self.config.schedule == "one-cycle":
            factor = one_cycle(self.steps, self.length.steps, self.config.warmup_steps)
            self.learner.set_pace(factor)
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
        return loss

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
            self._save_model({})
        self._save_state()
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
            self._save_model(_figures(counts))
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
            self._save_model({})
        self._save_state()
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
            self._save_model({})
            return
        start = time.perf_counter()
        counts = np.zeros((self.config.model.classes,) * 2, np.int64)
        parts = self.validator.parts(self.learner.best_guess, all_slices=True)
        if self.config.keep == "last":
            # A long validation may be cut short; the model it judges is safe before.
            self._save_model({})
        for done, part in enumerate(parts, 1):
            counts += part
            yield Progress("validate", done, total, time.perf_counter() - start)
            if control.stopped:
                return
        if self.config.keep == "last":
            self.best = dice_foreground(counts)
            self._save_model(_figures(counts))
            yield self._note_row(list(dice(counts)), counts, True)
        else:
            yield self._validated(counts, judges=True)

    # -- saving -------------------------------------------------------------

    def _save_model(self, figures: dict[str, Any]) -> None:
        save_model(
            self.folder.model,
            self.learner.best_guess.state_dict(),
            self.config.model,
            self.job.labels.classes,
            self.intensity,
            figures=figures,
            split=self.job.split.describe(),
            rough=self.job.split.rough,
            training={
                "recipe": self.config.name,
                "steps": self.steps,
                "seconds": round(self.seconds, 3),
                "seed": self.job.seed,
            },
        )

    def _save_state(self) -> None:
        """The model is on disk before the state that knows of it, the history after."""
        self.folder.write_state(
            {
                "settings": json_text(self.job.fingerprint(self.intensity)),
                "learner": self.learner.state(),
                "sampler": self.sampler.state(),
                "steps": self.length.steps,
                "seconds": self.seconds,
                "best": self.best,
                "judged": self.judged,
                "worse": self.worse,
                "losses": self.losses,
                "rows": self.rows,
                "told": json_text(self.told),
            }
        )
        scored = ["dice_all", "dice_foreground"]
        scored += [f"dice_{name}" for name in self.job.labels.classes.names]
        columns = ["step", "seconds", "learning_rate", "loss"]
        self.folder.write_history(columns + (scored if self.job.split.val else []), self.rows)

    def _restore(self, state: dict[str, Any]) -> None:
        try:
            told = json.loads(state["told"])
            self._check_same(json.loads(state["settings"]), told["sha256"]["train"])
            self.learner.load_state(state["learner"])
            self.sampler.load_state(state["sampler"])
            self.length.steps = state["steps"]
            self.seconds, self.best = float(state["seconds"]), state["best"]
            self.judged, self.worse = bool(state["judged"]), int(state["worse"])
            self.losses = list(map(float, state["losses"]))
            self.rows = [list(map(float, row)) for row in state["rows"]]
            self.told = told
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise XsegError(
                f"{self.job.out / RESUME}: does not fit this training; start anew with --overwrite."
            ) from error
        self.next_look = self.seconds + FIRST_LOOK

    def _check_same(self, settings: dict[str, Any], pixels: dict[str, str]) -> None:
        before = {**settings, **pixels}
        here = json.loads(json_text(self.job.fingerprint(self.intensity)))
        here |= self.sampler.data.sha256(self.sampler.slices)
        other = [key for key in here if before.get(key) != here[key]]
        if other:
            raise XsegError(
                f"{self.job.out}: was started with other settings or data ({', '.join(other)}); "
                "resume it with the same, or start anew with --overwrite."
            )


def _figures(counts: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "dice_all": dice_all(counts),
        "dice_foreground": dice_foreground(counts),
        "dice": [float(value) for value in dice(counts)],
    }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")

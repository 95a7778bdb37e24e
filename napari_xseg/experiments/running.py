"""One training of an experiment, done: trained, scored, and kept so that it is done once."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.derived import joined_volume, noisy_volume
from napari_xseg.data.formats.atomic import write_atomic
from napari_xseg.data.partition import Split
from napari_xseg.data.region import Box, Overlap
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Finished, Progress
from napari_xseg.metrics import confusion

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_xseg.config import Precision
    from napari_xseg.data.region import Region
    from napari_xseg.experiments.material import Material
    from napari_xseg.experiments.trial import Trial
    from napari_xseg.model.checkpoint import SavedModel
    from napari_xseg.training.job import TrainJob

TRIAL, SCORES = "trial.json", "scores.json"
_KEPT = 256_000_000  # bytes of slices that stay in memory while neighbours are scored
_SCORING_SEED = 1000  # noise of scored slices is not that of validation slices


@dataclass(frozen=True)
class Compute:
    """Where and how networks compute."""

    device: str = "auto"
    precision: Precision = "auto"
    threads: int | None = None


def do_trial(
    trial: Trial,
    material: Material,
    folder: Path,
    *,
    score_noise: Sequence[float] = (0.0,),
    compute: Compute | None = None,
    command: str = "",
    control: Control | None = None,
) -> Iterator[Event]:
    """Train and score, as far as that is not done yet.

    Parameters
    ----------
    trial : Trial
        What to do.
    material : Material
        Its data.
    folder : Path
        Holds the run folders; that of the trial is `folder / trial.folder`.
    score_noise : sequence of float
        sd in counts of the noise in which the scored slices are looked at.
    compute : Compute, optional
        Where.
    command : str
        For the provenance.
    control : Control, optional
        A stopped training goes on where it was when the trial is done again.

    Yields
    ------
    Event
        As `training.loop.train` says, then Progress of the scoring. Finished comes
        last where the trial is whole, with the reason "stopped" where it was stopped.

    Raises
    ------
    XsegError
        As a training or a prediction does.
    """
    control = control or Control()
    compute = compute or Compute()
    run = folder / trial.folder
    start = time.monotonic()
    if not is_trained(run):
        finished = yield from _train(trial, material, run, compute, command, control)
        if finished.reason == "stopped":
            return
    yield from _score(trial, material, run, score_noise, compute, control)
    yield Finished(run, "stopped" if control.stopped else "done", time.monotonic() - start, {})


def is_trained(run: Path) -> bool:
    """Whether the training in a run folder has come to its end."""
    try:
        return bool(json.loads((run / TRIAL).read_text(encoding="utf-8")).get("trained"))
    except (OSError, ValueError, AttributeError):
        return False


def is_done(run: Path, score_noise: Sequence[float]) -> bool:
    """Whether a trial is trained and scored at all these sds."""
    return is_trained(run) and set(score_noise) <= read_scores(run).keys()


def read_scores(run: Path) -> dict[float, dict[int, NDArray[np.int64]]]:
    """Confusion counts (C, C), true class by row, of each scored z, by the noise's sd."""
    try:
        told = json.loads((run / SCORES).read_text(encoding="utf-8"))
        return {
            float(std): {int(z): np.array(counts, np.int64) for z, counts in slices.items()}
            for std, slices in told.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


# -- training ---------------------------------------------------------------


def _train(
    trial: Trial, material: Material, run: Path, compute: Compute, command: str, control: Control
) -> Generator[Event, None, Finished]:
    from napari_xseg.training.loop import train
    from napari_xseg.training.run_folder import CONFIG

    resume = (run / CONFIG).exists()
    job = job_of(trial, material, run, compute, command=command, resume=resume)
    finished: Finished | None = None
    for event in train(job, control):
        if isinstance(event, Finished):
            finished = event
        else:
            yield event
    assert finished is not None
    if finished.reason != "stopped":
        write_atomic(run / TRIAL, json.dumps(_told(trial, finished), indent=1))
    else:
        yield finished
    return finished


def job_of(trial: Trial, material: Material, run: Path, compute: Compute, **more: Any) -> TrainJob:
    """The training as the training room takes it: noisy copies are slices behind the others."""
    from napari_xseg.training.job import TrainJob

    images, label_of = material.images, dict(material.label_of)
    count = len(images)
    train, val = trial.train, trial.validation
    if trial.has_copies:
        copies = noisy_volume(images, trial.noise_std, trial.repeat)
        images = joined_volume(images, copies)
        label_of |= {count + z: label for z, label in material.label_of.items()}
    if trial.conditions.noise in ("copies", "only"):
        noisy = tuple(count + z for z in train)
        train = noisy if trial.conditions.noise == "only" else (*train, *noisy)
    if trial.conditions.validation_noise:
        val = (*val, *(count + z for z in val))
    return TrainJob(
        images=images,
        labels=material.labels,
        label_of=label_of,
        split=Split(train, val, kind=trial.split, guard_distance=trial.guard, seed=trial.repeat),
        config=trial.config,
        out=run,
        region=region_of(trial, material),
        seed=trial.repeat,
        device=compute.device,
        precision=compute.precision,
        threads=compute.threads,
        **more,
    )


def region_of(trial: Trial, material: Material) -> Region | None:
    """What is learnt from: the region, and of it the middle where the conditions say so."""
    side = trial.conditions.side
    _, height, width = material.images.shape
    if side is None or (side >= height and side >= width):
        return material.region
    y0, x0 = max(0, (height - side) // 2), max(0, (width - side) // 2)
    box = Box(x0, min(width, x0 + side), y0, min(height, y0 + side))
    return box if material.region is None else Overlap(material.region, box)


def _told(trial: Trial, finished: Finished) -> dict[str, Any]:
    return {
        "trained": True,
        "key": trial.key,
        "conditions": trial.conditions.model_dump(mode="json"),
        "split": trial.split,
        "repeat": trial.repeat,
        "train": trial.train,
        "validation": trial.validation,
        "guard": trial.guard,
        "noise_std": trial.noise_std,
        "data": trial.data,
        "recipe": trial.config.model_dump(mode="json"),
        "seconds": finished.seconds,
        "reason": finished.reason,
        "figures": dict(finished.figures),
    }


# -- scoring ----------------------------------------------------------------


def _score(
    trial: Trial,
    material: Material,
    run: Path,
    score_noise: Sequence[float],
    compute: Compute,
    control: Control,
) -> Iterator[Event]:
    from napari_xseg.model.checkpoint import load_model

    known = read_scores(run)
    missing = [std for std in score_noise if std not in known]
    if not missing:
        return
    scorer = Scorer(load_model(run), material, compute)
    start, done, total = time.monotonic(), 0, len(missing) * len(trial.validation)
    for std in missing:
        scored: dict[int, NDArray[np.int64]] = {}
        for z, counts in scorer.counts(trial.validation, std):
            control.wait_if_paused()
            if control.stopped:
                return
            scored[z] = counts
            done += 1
            yield Progress("score", done, total, time.monotonic() - start)
        known[std] = scored
        write_atomic(run / SCORES, _scores_text(known))


class Scorer:
    """A model made fast once, to be scored at several noises.

    Parameters
    ----------
    model : SavedModel
        What is scored.
    material : Material
        Images and truth.
    compute : Compute
        Where. On a processor the precision is float32 unless another is asked for:
        scores are not left to a timing.
    """

    def __init__(self, model: SavedModel, material: Material, compute: Compute) -> None:
        from napari_xseg.model.device import find_device
        from napari_xseg.prediction.predictor import Predictor

        device = find_device(compute.device)
        fixed = compute.precision == "auto" and device.type == "cpu"
        self._predictor = Predictor(
            model.network(), device, "float32" if fixed else compute.precision
        )
        self._model = model
        self._material = material

    def counts(
        self, slices: Sequence[int], std: float, seed: int = _SCORING_SEED
    ) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Confusion counts (C, C), true class by row, of each z, with noise of sd `std`."""
        from napari_xseg.prediction.slices import SlicePredictor, open_reader

        model, material = self._model, self._material
        images = noisy_volume(material.images, std, seed)
        reader = open_reader(model, images, model.intensity, _KEPT, digests=False)
        ready = SlicePredictor(self._predictor, reader, material.region)
        for z in slices:
            mask, _ = ready.predict(z)
            truth = material.labels.read(material.label_of[z])
            yield z, confusion(truth, mask, len(material.labels.classes))


def _scores_text(scores: Mapping[float, Mapping[int, NDArray[np.int64]]]) -> str:
    told = {
        f"{std:g}": {str(z): counts.tolist() for z, counts in slices.items()}
        for std, slices in scores.items()
    }
    return json.dumps(told)


def fault_file(run: Path) -> Path:
    """Where it is kept why a trial failed: beside its folder, which a training wants to itself."""
    return run.with_name(f"{run.name}.fault.txt")


def note_fault(run: Path, fault: str) -> None:
    """Keep why a trial failed; empty words take that away."""
    path = fault_file(run)
    try:
        if fault:
            run.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, fault)
        else:
            path.unlink(missing_ok=True)
    except (OSError, XsegError):  # a full disk: the fault is said all the same
        return

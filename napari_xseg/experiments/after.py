"""What follows the trainings: noise certificates in the models, and a volume without labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_xseg.data.volume import open_volume
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Finished, Message
from napari_xseg.experiments.results import read_outcomes
from napari_xseg.experiments.running import Compute
from napari_xseg.review.suspects.kept import suspects_path

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from napari_xseg.data.volume import Volume
    from napari_xseg.events import Event
    from napari_xseg.experiments.glance import Glance
    from napari_xseg.experiments.results import Outcome, Result
    from napari_xseg.experiments.suite import Suite

UNLABELLED = "unlabelled"
_FEWEST = 2  # sds that make a curve


def follow_up(
    suite: Suite, compute: Compute | None = None, control: Control | None = None
) -> Generator[Event, None, None]:
    """All that follows the trainings of a suite, as far as there are results for it.

    Raises
    ------
    XsegError
        As a prediction does.
    """
    outcomes = read_outcomes(suite)
    yield from certify(outcomes)
    for outcome in outcomes:
        if not outcome.plan.unlabelled:
            continue
        if suite.unlabelled is None:
            yield Message(
                f"{outcome.plan.name}: no volume without labels was given "
                "(--unlabelled-images), so nothing is predicted.",
                "warning",
            )
            continue
        images = open_volume(suite.unlabelled)
        yield from predict_unlabelled(
            suite, outcome, images, compute or Compute(), control or Control()
        )


def certify(outcomes: tuple[Outcome, ...]) -> Iterator[Event]:
    """Keep in each model how well it does under noise, where it was scored at two sds or more."""
    from napari_xseg.model.checkpoint import certify_noise
    from napari_xseg.model.metadata import read_model_info

    results = {result.run: result for outcome in outcomes for result in outcome.results}
    count = 0
    for run, result in results.items():
        curve = {std: result.dice(std) / 100 for std in sorted(result.scores)}
        if len(curve) < _FEWEST or not all(map(math.isfinite, curve.values())):
            continue
        if read_model_info(run).noise == curve:
            continue
        trial = result.trial
        certify_noise(
            run,
            {
                "dice_foreground": {f"{std:g}": dice for std, dice in curve.items()},
                "slices": list(trial.validation),
                "split": trial.split,
                "data": trial.data,
            },
        )
        count += 1
    if count:
        yield Message(f"{count} models say how well they do under noise.")


@dataclass(frozen=True, eq=False)
class Best:
    """The model that does best under noise."""

    result: Result
    std: float
    dice: float


def best_under_noise(outcome: Outcome) -> Best | None:
    """The model with the highest Dice at the plan's largest noise, in a blocked split if any."""
    std = max(outcome.plan.score_noise)
    split = "blocked" if "blocked" in outcome.plan.splits else outcome.plan.splits[0]
    results = [result for point in outcome.of(split) for result in point.results]
    known = [(result.dice(std), result) for result in results if math.isfinite(result.dice(std))]
    if not known:
        return None
    dice, result = max(known, key=lambda pair: pair[0])
    return Best(result, std, dice)


def mask_path(suite: Glance) -> Path:
    """Where the mask of the volume without labels lies."""
    return suite.folder / UNLABELLED / "mask.tif"


def predict_unlabelled(
    suite: Suite, outcome: Outcome, images: Volume, compute: Compute, control: Control
) -> Generator[Event, None, None]:
    """Predict a volume without labels with the best model under noise, and look for suspects.

    Grey values are matched to those of the training slices. What was done before with
    the same model of the same volume is not done again.

    Raises
    ------
    XsegError
        No model is trained yet; a volume that cannot be predicted.
    """
    from napari_xseg.model.checkpoint import load_model
    from napari_xseg.prediction.volume import PredictJob, predict
    from napari_xseg.review.suspects.job import SuspectsJob, Targets
    from napari_xseg.review.suspects.masks import open_mask
    from napari_xseg.review.suspects.run import find_suspects

    best = best_under_noise(outcome)
    if best is None:
        raise XsegError(f"experiment {outcome.plan.name}: no model is trained and scored yet.")
    out, model = mask_path(suite), load_model(best.result.run)
    words = best.result.trial.conditions.words()
    yield Message(
        f"Best under noise (sd {best.std:g}): {words}, foreground Dice {best.dice:.2f} %."
    )
    if not _is_mask_of(out, model.identity, images):
        job = PredictJob(
            model=model,
            images=images,
            slices=tuple(range(len(images))),
            out=out,
            confidence=out.with_name("mask.confidence.tif"),
            match_intensity=True,
            overwrite=True,
            **vars(compute),
        )
        if (yield from _told(predict(job, control))) == "stopped":
            return
        suspects_path(out).unlink(missing_ok=True)  # those of another mask
    if suspects_path(out).exists():
        return
    yield from _told(
        find_suspects(
            SuspectsJob(
                images=images,
                slices=tuple(range(len(images))),
                targets=Targets(suspects_path(out)),
                model=model,
                mask=open_mask(out, images, model.classes),
                match_intensity=True,
                **vars(compute),
            ),
            control,
        )
    )


def _is_mask_of(mask: Path, model: str, images: Volume) -> bool:
    from napari_xseg.prediction.sidecar import read_sidecar

    said = read_sidecar(mask) or {}
    wanted = {"model": model, "images": images.uri, "slices": list(range(len(images)))}
    return mask.exists() and all(said.get(key) == value for key, value in wanted.items())


def _told(events: Iterator[Event]) -> Generator[Event, None, str]:
    """What a job says but its end; returns why it came to it."""
    reason = ""
    for event in events:
        if isinstance(event, Finished):
            reason = event.reason
        else:
            yield event
    return reason

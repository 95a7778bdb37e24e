"""Slices to look at: predicted with the models of runs while the report is written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_xseg import metrics
from napari_xseg.data.coding import IGNORE
from napari_xseg.experiments.report.measures import label_of
from napari_xseg.experiments.report.shown import Shown
from napari_xseg.review.figures import SliceView, figure_six, fractions_along_z

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.experiments.material import Material
    from napari_xseg.experiments.report.shown import Cell
    from napari_xseg.experiments.results import Outcome, Point, Result
    from napari_xseg.experiments.running import Compute

FIVE = 5  # training slices of the poster's figure 6
_KEPT = 64_000_000  # bytes of slices kept in memory


@dataclass(frozen=True)
class Chosen:
    """A run whose slices are looked at, and what it is called."""

    result: Result
    words: str


def chosen_run(outcomes: Sequence[Outcome]) -> Chosen | None:
    """The first plan's training of median Dice on clean slices; a blocked split goes first."""
    for split in ("blocked", "random"):
        for outcome in outcomes:
            for point in outcome.points:
                found = _median(point) if point.split == split else None
                if found is not None:
                    return Chosen(found, _words(outcome, found))
    return None


def five_slice_run(outcomes: Sequence[Outcome]) -> Chosen | None:
    """The training on clean slices whose count is nearest to five, of median Dice."""
    found: list[tuple[int, bool, int, Outcome, Result]] = []
    for outcome in outcomes:
        for point in outcome.points:
            result = _median(point) if point.conditions.noise in ("off", "toggle") else None
            if result is not None:
                off = abs(len(result.trial.train) - FIVE)
                found.append((off, point.split == "random", len(found), outcome, result))
    if not found:
        return None
    *_, outcome, result = min(found, key=lambda one: one[:3])
    return Chosen(result, _words(outcome, result))


def ranked_slices(result: Result, std: float = 0.0) -> dict[str, int]:
    """Z of the best, median and worst scored slice by foreground Dice; fewer names of fewer."""
    dice = {z: one for z, one in result.by_slice(std).items() if not math.isnan(one)}
    order = sorted(dice, key=lambda z: (-dice[z], z))
    if not order:
        return {}
    named = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    if len(order) < len(named):
        del named["median"]
    return {name: z for name, z in named.items() if len(order) > 1 or name == "best"}


def predicted_views(
    result: Result, material: Material, slices: Sequence[int], compute: Compute
) -> Iterator[SliceView]:
    """What the run's model makes of each of `slices`, with truth and image.

    XsegError where the model or an image cannot be read.
    """
    from napari_xseg.model.checkpoint import load_model
    from napari_xseg.model.device import find_device
    from napari_xseg.prediction.predictor import Predictor
    from napari_xseg.prediction.slices import SlicePredictor, open_reader

    model = load_model(result.run)
    predictor = Predictor(model.network(), find_device(compute.device), compute.precision)
    reader = open_reader(model, material.images, model.intensity, _KEPT, digests=False)
    ready = SlicePredictor(predictor, reader, material.region)
    for z in slices:
        mask, _ = ready.predict(z)
        truth = material.labels.read(material.label_of[z])
        # Where nothing is predicted, nothing is right or wrong.
        truth = np.where(mask == IGNORE, np.uint8(IGNORE), truth)
        yield SliceView(z, prediction=mask, truth=truth, image=material.images.read(z))


def slice_shown(
    view: SliceView, classes: ClassTable, name: str, words: str, *, on_image: bool
) -> Shown:
    """A slice's true classes beside its mistakes, with its confusion counts."""
    counts = _counts(view, classes)
    dice = 100 * metrics.dice_foreground(counts)
    rows: list[tuple[Cell, ...]] = [
        (view.z, true, predicted, int(counts[row, column]))
        for row, true in enumerate(classes.names)
        for column, predicted in enumerate(classes.names)
    ]
    return Shown(
        name,
        f"{words}, z = {view.z}, foreground Dice {dice:.2f} %",
        figure_six(view, classes, on_image=on_image),
        ("z", "true class", "predicted class", "pixels"),
        rows,
    )


def fractions_shown(chosen: Chosen, classes: ClassTable) -> Shown | None:
    """Phase fractions of the scored slices of a run along z, as labelled and as predicted."""
    scored = dict(sorted((chosen.result.scores.get(0.0) or {}).items()))
    if len(scored) < 2:
        return None
    true = np.stack([metrics.true_fractions(counts) for counts in scored.values()])
    found = np.stack([metrics.predicted_fractions(counts) for counts in scored.values()])
    header = ["z"]
    for name in classes.names:
        header += [f"{name}, true %", f"{name}, predicted %"]
    columns = np.stack([true, found], axis=2).reshape(len(scored), -1)
    rows: list[list[Cell]] = [
        [z, *(100 * column).tolist()] for z, column in zip(scored, columns, strict=True)
    ]
    return Shown(
        "phase-fractions",
        f"Phase fractions of the scored slices: {chosen.words}",
        fractions_along_z(list(scored), found, classes, true),
        header,
        rows,
    )


def _counts(view: SliceView, classes: ClassTable) -> metrics.Counts:
    assert view.truth is not None
    return metrics.confusion(view.truth, view.prediction, len(classes))


def _median(point: Point) -> Result | None:
    known = [result for result in point.results if not math.isnan(result.dice())]
    known.sort(key=lambda result: result.dice())
    return known[(len(known) - 1) // 2] if known else None


def _words(outcome: Outcome, result: Result) -> str:
    trial = result.trial
    told = label_of(outcome.plan, trial.conditions)
    return f"{outcome.plan.title} ({told}), {trial.split} split, repeat {trial.repeat + 1}"

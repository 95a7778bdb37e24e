"""The tables of a report, as text."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg import metrics
from napari_xseg.errors import XsegError
from napari_xseg.experiments.report.contrasts import difference
from napari_xseg.experiments.report.measures import (
    STAR,
    TOO_FEW,
    Measure,
    all_classes,
    interval_cell,
    label_of,
    measures_of,
    published_measure,
    varied,
)
from napari_xseg.experiments.statistics import estimate
from napari_xseg.model.metadata import read_metadata
from napari_xseg.review.report import plain_value
from napari_xseg.review.scoring.tables import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.experiments.plan import Plan, Published
    from napari_xseg.experiments.results import Outcome, Point, Result

_HASH = 12  # characters of a hash that tables show
_PROVENANCE = "provenance.json"


def published_table(outcomes: Sequence[Outcome]) -> Table:
    """The poster's figures beside those of this run."""
    rows = []
    for outcome in outcomes:
        for published in outcome.plan.published:
            points = {
                point.split: point for point in _published_points(outcomes, outcome, published)
            }
            measure = published_measure(outcome.plan, published)
            told = (outcome.plan.title, published.what, f"{published.dice:g}")
            rows.append((*told, _sizes(points), *_both(points, measure)))
    header = ("experiment", "published with", "published", "this run: training + scored slices")
    return _noted(
        "Published, and this run",
        "Foreground Dice in percent (mean over the classes but the first), pooled over the scored "
        "slices; mean and 95 % interval over repeats (Student's t; differences: Welch). The "
        "published figures come from a random split, 400 slices and more, and 200 epochs.",
        (*header, *_BOTH),
        rows,
    )


_BOTH = ("blocked", "random", "random - blocked", "repeats")


def points_table(outcome: Outcome) -> Table:
    """Every point of a plan."""
    plan = outcome.plan
    measures = measures_of(plan)
    rows = []
    for conditions in plan.points():
        points = {point.split: point for point in outcome.points if point.conditions == conditions}
        for measure in measures:
            name = label_of(plan, conditions)
            rows.append((name, measure.words, *_both(points, measure)))
    return _noted(plan.title, "", ("training", "scored on", *_BOTH), rows)


def classes_table(outcomes: Sequence[Outcome], classes: ClassTable) -> Table:
    """Dice of each class on clean slices, mean over the repeats."""
    rows = []
    for outcome in outcomes:
        for point in outcome.points:
            known = [result for result in point.results if result.scores.get(0.0)]
            if known:
                values = [[all_classes(one), one.dice(), *one.by_class()] for one in known]
                figures = [estimate(column) for column in zip(*values, strict=True)]
                rows.append((*_told(outcome, point), *map(interval_cell, figures)))
    return _noted(
        "Dice by class",
        "Percent, on the scored slices without noise. dice_all is the mean over all classes, "
        f"dice_foreground over all but {classes.names[0]}.",
        ("experiment", "training", "split", "dice_all", "dice_foreground", *classes.names),
        rows,
    )


def fractions_table(outcomes: Sequence[Outcome], classes: ClassTable) -> Table:
    """Phase fractions of the scored slices, as labelled and as predicted."""
    rows = []
    for outcome in outcomes:
        for point in outcome.points:
            pooled = [pooled_counts(result) for result in point.results]
            known = [counts for counts in pooled if counts is not None]
            if known:
                true = np.mean([metrics.true_fractions(one) for one in known], axis=0)
                found = np.mean([metrics.predicted_fractions(one) for one in known], axis=0)
                pairs = zip(100 * true, 100 * found, strict=True)
                cells = (f"{one:.2f} / {other:.2f} ({other - one:+.2f})" for one, other in pairs)
                rows.append((*_told(outcome, point), *cells))
    return Table(
        "Phase fractions, true / predicted",
        "Percent of the scored pixels without noise, mean over the repeats; the difference in "
        "parentheses.",
        ("experiment", "training", "split", *classes.names),
        tuple(rows),
    )


def runs_table(outcomes: Sequence[Outcome], *, whole: bool = False) -> Table:
    """Every training once; `whole` hashes and slice lists, else cut ones."""
    plans: dict[str, list[str]] = {}
    results: dict[str, tuple[Plan, Result]] = {}
    for outcome in outcomes:
        for result in outcome.results:
            results.setdefault(result.trial.key, (outcome.plan, result))
            plans.setdefault(result.trial.key, []).append(outcome.plan.name)
    return Table(
        "All trainings",
        "z counts from 0; the seed is that of weights, crops and noise. Hashes are SHA-256: of the "
        "model's tensors and settings, and of all labelled slices and their labels.",
        _RUN_HEADER,
        tuple(
            _run_row(plan, result, ", ".join(dict.fromkeys(plans[key])), whole)
            for key, (plan, result) in results.items()
        ),
    )


_RUN_HEADER = (
    *("run", "experiments", "state", "training", "split", "guard", "seed"),
    *("training z", "validation z", "recipe", "Dice %", "steps", "seconds"),
    *("machine", "device", "precision", "threads", "python", "torch", "model", "data"),
)


def state_of(result: Result, score_noise: Sequence[float]) -> str:
    """How far a training is, in words."""
    if result.fault:
        return f"failed: {result.fault}"
    if math.isnan(result.seconds):
        return "not trained yet"
    return "done" if set(score_noise) <= set(result.scores) else "not scored yet"


def pooled_counts(result: Result, std: float = 0.0) -> metrics.Counts | None:
    """Confusion counts (C, C) over all scored slices; None where there are none."""
    counts = result.scores.get(std)
    return np.sum(list(counts.values()), axis=0) if counts else None


def _noted(
    title: str, note: str, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> Table:
    if any(cell.endswith(STAR) for row in rows for cell in row):
        note = f"{note} {STAR.strip()} {TOO_FEW}.".strip()
    return Table(title, note, header, tuple(rows))


def _run_row(plan: Plan, result: Result, plans: str, whole: bool) -> tuple[str, ...]:
    trial, told = result.trial, _provenance(result)
    model = _identity(result)
    size = None if whole else _HASH
    versions = told.get("versions") or {}
    steps = told.get("steps")
    return (
        result.run.name,
        plans,
        state_of(result, plan.score_noise),
        trial.conditions.words(),
        trial.split,
        str(trial.guard),
        str(trial.repeat),
        _slices(trial.train, whole),
        _slices(trial.validation, whole),
        trial.config.name,
        _number(result.dice(), ".2f"),
        plain_value(steps),
        _number(result.seconds, ".2f"),
        *(plain_value(told.get(key)) for key in ("machine", "device", "precision", "threads")),
        plain_value(told.get("python")),
        plain_value(versions.get("torch")),
        model[:size] or "-",
        trial.data[:size],
    )


def _published_points(
    outcomes: Sequence[Outcome], outcome: Outcome, published: Published
) -> tuple[Point, ...]:
    if published.slices is None:
        return () if varied(outcome.plan) else outcome.points
    found = [point for point in outcome.points if point.conditions.slices == published.slices] or [
        # The count is that of another plan, which takes all that its split gives.
        point
        for other in outcomes
        for point in other.points
        if other.plan.training == published.slices
        and point.conditions == outcome.plan.conditions.replace(slices=None)
    ]
    return tuple(found)


def _both(points: dict[Any, Point], measure: Measure) -> tuple[str, str, str, str]:
    found = {split: measure.over(point) for split, point in points.items()}
    texts = [interval_cell(found[split]) if split in found else "-" for split in _SPLITS]
    apart = "-"
    if len(found) == len(_SPLITS):
        gap = difference(points["blocked"], points["random"], measure.of)
        apart = interval_cell(gap, sign=True)
    counts = dict.fromkeys(str(len(found[split].values)) for split in _SPLITS if split in found)
    return texts[0], texts[1], apart, " / ".join(counts) or "0"


_SPLITS = ("blocked", "random")


def _sizes(points: dict[Any, Point]) -> str:
    sizes = {
        split: f"{len(result.trial.train)} + {len(result.trial.validation)}"
        for split, point in points.items()
        for result in point.results[:1]
    }
    if len(set(sizes.values())) < 2:
        return next(iter(sizes.values()), "-")
    return ", ".join(f"{size} ({split})" for split, size in sizes.items())


def _told(outcome: Outcome, point: Point) -> tuple[str, str, str]:
    return outcome.plan.title, label_of(outcome.plan, point.conditions), point.split


def _slices(slices: Sequence[int], whole: bool) -> str:
    if whole:
        return " ".join(map(str, slices))
    text = plain_value(list(slices), ranges=True)
    few = text.split(", ")
    return text if len(few) <= _FEW else f"{', '.join(few[:_FEW])} ... ({len(slices)} slices)"


_FEW = 8


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else f"{value:{form}}"


def _provenance(result: Result) -> dict[str, Any]:
    try:
        told = json.loads((result.run / _PROVENANCE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _identity(result: Result) -> str:
    try:
        return str(read_metadata(result.run).get("identity", ""))
    except XsegError:
        return ""

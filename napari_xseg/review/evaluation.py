"""Score predicted masks against truth: pooled, slice by slice and away from borders.

Slices are read one at a time and only their confusion counts are kept; every
figure is a function of counts (`napari_xseg.metrics` has the conventions).
"""

from __future__ import annotations

import csv
import functools
import io
import json
import math
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg import metrics
from napari_xseg.errors import XsegError
from napari_xseg.events import Event, Message, Progress
from napari_xseg.metrics import IGNORE, Counts
from napari_xseg.review.border import border_band, check_border
from napari_xseg.review.matching import IndexMap, IndexMaps, match

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.labels import Masked

Visitor = Callable[[int, IndexMap, IndexMap], None]
"""Called with z, truth and prediction of each slice as it is scored."""


@dataclass(frozen=True, eq=False, slots=True)
class SliceScore:
    """Counts of one slice.

    `counts` and `outside` are int64 (C, C), rows the truth, over all scored
    pixels and over those outside the border band. `unlabelled` pixels have no
    truth, `not_predicted` ones a truth but no prediction; both are left out.
    """

    z: int
    counts: Counts
    outside: Counts
    unlabelled: int = 0
    not_predicted: int = 0


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of a set of slices.

    Parameters
    ----------
    classes : ClassTable
        The classes, in the order of the counts.
    border : int
        Half-width in pixels of the band around class borders that `outside` leaves out.
    slices : tuple of SliceScore
        One or more scored slices, in the order in which they were given.
    """

    classes: ClassTable
    border: int
    slices: tuple[SliceScore, ...]

    @property
    def pooled(self) -> Counts:
        """Counts summed over all slices, int64 (C, C)."""
        return _total(score.counts for score in self.slices)

    @property
    def pooled_outside(self) -> Counts:
        """Counts outside the border band summed over all slices, int64 (C, C)."""
        return _total(score.outside for score in self.slices)

    @property
    def not_predicted(self) -> int:
        """Labelled pixels without a prediction; no figure counts them."""
        return sum(score.not_predicted for score in self.slices)

    def slice_mean(self) -> dict[str, float]:
        """Each headline figure averaged over slices (the poster's way), not pooled."""
        rows = [_headline(score.counts) for score in self.slices]
        return {key: _known_mean([row[key] for row in rows]) for key in rows[0]}

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON values: fractions 0 to 1, None where a figure is undefined."""
        return {
            "pooled": {**self._block(self.pooled), "not_predicted": self.not_predicted},
            "slice_mean": {key: _number(value) for key, value in self.slice_mean().items()},
            "slices": [self._slice_block(score) for score in self.slices],
            "outside_border": {
                "border": self.border,
                **self._block(self.pooled_outside, fractions=False),
            },
        }

    def to_json(self) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """One row a slice, a header first; a field is empty where a figure is undefined."""
        text = io.StringIO()
        rows = [self._csv_row(score) for score in self.slices]
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def table(self) -> tuple[tuple[str, ...], ...]:
        """Rows of text for a table, header first: one row a class, then the means, in percent."""
        counts, outside = self.pooled, self.pooled_outside
        columns = (
            metrics.dice(counts),
            metrics.iou(counts),
            metrics.precision(counts),
            metrics.recall(counts),
            metrics.dice(outside),
            metrics.true_fractions(counts),
            metrics.predicted_fractions(counts),
        )
        rows = [
            (spec.name, str(spec.value), *(percent(column[index]) for column in columns))
            for index, spec in enumerate(self.classes.classes)
        ]
        return (self._table_header(), *rows, *_mean_rows(counts, outside))

    def _table_header(self) -> tuple[str, ...]:
        return (
            "class",
            "value",
            "Dice %",
            "IoU %",
            "precision %",
            "recall %",
            f"Dice % beyond {self.border} px",
            "true share %",
            "predicted share %",
        )

    def _block(self, counts: Counts, fractions: bool = True) -> dict[str, Any]:
        columns = _class_columns(counts, fractions)
        classes = [
            {
                "name": spec.name,
                "value": spec.value,
                **{key: _number(column[index]) for key, column in columns.items()},
            }
            for index, spec in enumerate(self.classes.classes)
        ]
        return {
            **{key: _number(value) for key, value in _headline(counts).items()},
            "pixels": int(counts.sum()),
            "classes": classes,
            "confusion": counts.tolist(),
        }

    def _slice_block(self, score: SliceScore) -> dict[str, Any]:
        outside = {key: _number(value) for key, value in _headline(score.outside).items()}
        return {
            "z": score.z,
            **self._block(score.counts),
            "unlabelled": score.unlabelled,
            "not_predicted": score.not_predicted,
            "outside_border": outside,
        }

    def _csv_row(self, score: SliceScore) -> dict[str, Any]:
        row: dict[str, Any] = {"z": score.z, "pixels": int(score.counts.sum())}
        row |= {key: _field(value) for key, value in _headline(score.counts).items()}
        for key, value in _headline(score.outside).items():
            row[f"{key}_outside_border"] = _field(value)
        for key, column in _class_columns(score.counts, True).items():
            for name, value in zip(self.classes.names, column.tolist(), strict=True):
                row[f"{key} {name}"] = _field(value)
        return row | {"unlabelled": score.unlabelled, "not_predicted": score.not_predicted}


def score_slice(
    z: int,
    truth: IndexMap,
    prediction: IndexMap,
    classes: int,
    border: int = 2,
    band: NDArray[np.bool_] | None = None,
) -> SliceScore:
    """Count slice `z` of two uint8 (y, x) index maps with indices 0..classes-1 or 255.

    `band`, bool (y, x), is the one around class borders where it is known already.
    """
    if band is None:
        band = border_band(truth, border)
    inner = np.where(band, IGNORE, truth)
    labelled = truth != IGNORE
    return SliceScore(
        z=z,
        counts=metrics.confusion(truth, prediction, classes),
        outside=metrics.confusion(inner, prediction, classes),
        unlabelled=int(truth.size - np.count_nonzero(labelled)),
        not_predicted=int(np.count_nonzero(labelled & (prediction == IGNORE))),
    )


def evaluate_slices(
    slices: Iterable[tuple[int, IndexMap, IndexMap]], classes: ClassTable, border: int = 2
) -> Evaluation:
    """Score `(z, truth, prediction)` index maps of the same `classes`, one at a time."""
    scores = [
        score_slice(z, truth, prediction, len(classes), border) for z, truth, prediction in slices
    ]
    return Evaluation(classes, border, tuple(scores))


def evaluate_volumes(
    masks: IndexMaps,
    labels: IndexMaps,
    pairs: Sequence[tuple[int, int]],
    *,
    border: int = 2,
    region: Masked | None = None,
    visitors: Sequence[Visitor] = (),
) -> Generator[Event, None, Evaluation]:
    """Score masks against labels: a generator of events that returns the `Evaluation`.

    Parameters
    ----------
    masks, labels : IndexMaps
        Prediction and truth. Their classes are matched by file value; the
        Evaluation has the classes of the labels, or those of the masks where
        the labels hold only some of them.
    pairs : sequence of (mask z, label z)
        What is scored; the label's z names the slice.
    border : int
        Half-width in pixels of the band around class borders, 0 to 64.
    region : Masked, optional
        Pixels outside it are left out; slices of a mask stack are those of the labels.
    visitors : sequence of callables
        Each is called with z, truth and prediction of every slice, in order.

    Raises
    ------
    XsegError
        No pair, a z outside the volumes, sizes or classes that differ, a border
        out of range, or no pixel that is both labelled and predicted.
    """
    check_border(border)
    classes, slices = match(masks, labels, pairs, region)
    start, scores = time.monotonic(), []
    for z, truth, prediction in slices:
        scores.append(score_slice(z, truth, prediction, len(classes), border))
        for visit in visitors:
            visit(z, truth, prediction)
        yield Progress("evaluate", len(scores), len(pairs), time.monotonic() - start)
    evaluation = Evaluation(classes, border, tuple(scores))
    _check_scored(evaluation, masks, labels)
    if evaluation.not_predicted:
        text = f"{masks.name}: {evaluation.not_predicted:,} labelled pixels are not predicted"
        yield Message(f"{text}; the figures leave them out.", "warning")
    return evaluation


def percent(value: float) -> str:
    """Write a fraction as percent with two decimals, a dash where it is undefined."""
    return "-" if math.isnan(value) else f"{100 * value:.2f}"


def _total(counts: Iterable[Counts]) -> Counts:
    return functools.reduce(np.add, counts)


def _check_scored(evaluation: Evaluation, masks: IndexMaps, labels: IndexMaps) -> None:
    if evaluation.pooled.any():
        return
    if evaluation.not_predicted:
        raise XsegError(
            f"{masks.name}: no labelled pixel is predicted; predict these slices first."
        )
    raise XsegError(
        f"{labels.name}: none of the {len(evaluation.slices)} chosen slices has a labelled pixel "
        "to score; choose labelled slices or a larger region."
    )


def _headline(counts: Counts) -> dict[str, float]:
    return {
        "dice_all": metrics.dice_all(counts),
        "dice_foreground": metrics.dice_foreground(counts),
        "accuracy": metrics.accuracy(counts),
    }


def _class_columns(counts: Counts, fractions: bool) -> dict[str, NDArray[np.float64]]:
    columns = {
        "dice": metrics.dice(counts),
        "iou": metrics.iou(counts),
        "precision": metrics.precision(counts),
        "recall": metrics.recall(counts),
    }
    if fractions:
        columns["true_fraction"] = metrics.true_fractions(counts)
        columns["predicted_fraction"] = metrics.predicted_fractions(counts)
    return columns


def _mean_rows(counts: Counts, outside: Counts) -> list[tuple[str, ...]]:
    def row(name: str, figure: Callable[[Counts], float]) -> tuple[str, ...]:
        blank = ("", "", "")
        return (name, "", percent(figure(counts)), *blank, percent(figure(outside)), "", "")

    return [
        row("dice_foreground", metrics.dice_foreground),
        row("dice_all", metrics.dice_all),
        row("accuracy", metrics.accuracy),
    ]


def _known_mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _field(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6f}"

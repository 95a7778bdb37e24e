"""A summary as tables of text: for the terminal, the page, the dock and CSV files."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_xseg.review.scoring.statistics import FEWEST
from napari_xseg.review.scoring.summary import NO_SPREAD, NO_SPREAD_EITHER, TOO_FEW
from napari_xseg.review.scoring.values import GOOD, SCORES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_xseg.review.scoring.statistics import Estimate
    from napari_xseg.review.scoring.summary import Agreement, Comparison, MaskSummary, Summary


@dataclass(frozen=True)
class Table:
    """Rows of text with a header, a title and a sentence on how to read them."""

    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def csv(self) -> str:
        """As CSV: decimal points, one line a row."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.header, *self.rows])
        return text.getvalue()


def tables(summary: Summary) -> dict[str, Table]:
    """Give all tables that have rows, by a name that a file can have."""
    found = {
        "masks": _masks(summary),
        "scores_1_to_5": _counts(summary),
        "faults": _faults(summary),
        "along_z": _along_z(summary),
        "agreement": _agreement(summary.agreement),
        "consistency": _consistency(summary.consistency),
        "models": _models(summary.models),
        "confidence": _confidence(summary),
    }
    return {name: table for name, table in found.items() if table.rows}


def _masks(summary: Summary) -> Table:
    header = ("mask", "volume", "reviewers", "scores", "slices or places", "mean score", "95 %")
    return Table(
        "Scores by mask",
        "Of each slice or place the mean over its reviewers. 95 % intervals: of the mean by "
        "bootstrap over slices, of the share by Wilson's formula.",
        (*header, f"at {GOOD} and more %", "95 % of that"),
        tuple(
            (
                *(one.name, one.volume, ", ".join(one.reviewers), str(one.scores)),
                *(str(one.mean.n), number(one.mean.value), interval(one.mean)),
                *(number(one.good.value, 100, 1), interval(one.good, 100, 1)),
            )
            for one in summary.masks
        ),
    )


def _counts(summary: Summary) -> Table:
    return Table(
        "How often each score was given",
        "1: useless, 5: nothing to mend.",
        ("mask", *map(str, SCORES)),
        tuple((one.name, *map(str, one.counts)) for one in summary.masks),
    )


def _faults(summary: Summary) -> Table:
    return Table(
        "Faults",
        "Scores that name a kind of fault; one score may name several.",
        ("mask", "fault", "scores", "% of scores"),
        tuple(
            (one.name, fault, str(count), number(count / one.scores, 100, 1))
            for one in summary.masks
            for fault, count in one.faults.items()
        ),
    )


def _along_z(summary: Summary) -> Table:
    return Table(
        "Along z",
        "Mean over all scores of a slice.",
        ("mask", "z", "mean score", "scores"),
        tuple(
            (one.name, str(z), number(mean), str(count))
            for one in summary.masks
            for z, mean, count in one.along_z
        ),
    )


def _agreement(found: Sequence[Agreement]) -> Table:
    return Table(
        "Agreement between reviewers",
        "Cohen's kappa, quadratically weighted: 1 is full agreement, 0 what chance gives. "
        "95 % interval by bootstrap over slices.",
        ("reviewer", "and", "items", "kappa", "95 %", "same score %", "at most 1 apart %"),
        tuple((one.first, one.second, *_agreed(one)) for one in found),
    )


def _consistency(found: Sequence[Agreement]) -> Table:
    return Table(
        "Consistency of each reviewer",
        "The first score of an item against the second, of items that were asked twice; kappa as "
        "between reviewers.",
        ("reviewer", "items", "kappa", "95 %", "same score %", "at most 1 apart %"),
        tuple((one.first, *_agreed(one)) for one in found),
    )


def _agreed(one: Agreement) -> tuple[str, ...]:
    unknown = TOO_FEW if one.n < FEWEST else NO_SPREAD
    kappa = unknown if one.kappa is None else number(one.kappa.value)
    spread = "" if one.kappa is None else interval(one.kappa)
    shares = (number(one.exact, 100, 0), number(one.near, 100, 0))
    return str(one.n), kappa, spread, *shares


def _models(found: Sequence[Comparison]) -> Table:
    return Table(
        "Mask against mask",
        "On slices or places scored for both. Difference of the mean scores with its 95 % "
        "interval by bootstrap over slices; p of a two-sided sign-flip permutation test over "
        "slices.",
        (
            *("mask", "against", "both scored", "difference", "95 %"),
            *("better", "equal", "worse", "p", "says"),
        ),
        tuple(
            (
                *(one.first, one.second, str(one.n), number(one.difference.value)),
                *(interval(one.difference), str(one.better), str(one.equal), str(one.worse)),
                *("-" if one.p is None else f"{one.p:.2g}", one.words()),
            )
            for one in found
        ),
    )


def _confidence(summary: Summary) -> Table:
    return Table(
        "Score and confidence",
        "Spearman's rank correlation of the score with the mean confidence of the slice: above 0 "
        "where slices that the model is sure of are scored higher. 95 % interval by bootstrap.",
        ("mask", "slices or places", "correlation", "95 %"),
        tuple(
            (
                one.name,
                str(one.n),
                (TOO_FEW if one.n < FEWEST else NO_SPREAD_EITHER)
                if one.rho is None
                else number(one.rho.value),
                "" if one.rho is None else interval(one.rho),
            )
            for one in summary.confidence
        ),
    )


def number(value: float, factor: float = 1, digits: int = 2) -> str:
    """Write a figure; a dash where it has no value."""
    return "-" if math.isnan(value) else f"{factor * value:.{digits}f}"


def interval(found: Estimate, factor: float = 1, digits: int = 2) -> str:
    """Write an interval as "3.10 to 3.90"; a dash where there is none."""
    if math.isnan(found.low):
        return "-"
    return f"{number(found.low, factor, digits)} to {number(found.high, factor, digits)}"


def headline(one: MaskSummary) -> str:
    """Say the scores of a mask in one line."""
    return (
        f"{one.name}: mean {number(one.mean.value)} ({interval(one.mean)}), "
        f"{number(one.good.value, 100, 0)} % at {GOOD} and more "
        f"({interval(one.good, 100, 0)} %), {one.mean.n} scored"
    )

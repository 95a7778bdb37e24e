"""Every figure of every training as one CSV, for tools of one's own."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from napari_xseg import metrics
from napari_xseg.experiments.report.measures import all_classes
from napari_xseg.experiments.report.tables import pooled_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.experiments.results import Outcome

_SETTINGS = ("slices", "noise", "validation_noise", "augment", "crop", "side")


def results_csv(outcomes: Sequence[Outcome], classes: ClassTable) -> str:
    """One line for each plan, training and noise sd that it is scored at; Dice in percent."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    of_classes = [f"{what} {name}" for name in classes.names for what in _OF_CLASS]
    head = ("experiment", *_SETTINGS, "split", "repeat", "run", "seconds")
    writer.writerow((*head, "noise sd", "dice_all", "dice_foreground", *of_classes))
    for outcome in outcomes:
        for result in outcome.results:
            trial = result.trial
            settings = [getattr(trial.conditions, name) for name in _SETTINGS]
            told = (trial.split, trial.repeat + 1, result.run.name, f"{result.seconds:.3f}")
            for std in sorted(result.scores):
                counts = pooled_counts(result, std)
                if counts is None:
                    continue
                columns = (
                    result.by_class(std),
                    100 * metrics.true_fractions(counts),
                    100 * metrics.predicted_fractions(counts),
                )
                each = [f"{value:.6f}" for values in zip(*columns, strict=True) for value in values]
                dice = f"{all_classes(result, std):.6f}", f"{result.dice(std):.6f}"
                writer.writerow((outcome.plan.name, *settings, *told, f"{std:g}", *dice, *each))
    return text.getvalue()


_OF_CLASS = ("dice", "true %", "predicted %")

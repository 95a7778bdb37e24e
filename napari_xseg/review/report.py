"""One self-contained HTML page for a run: figures, pictures, settings, provenance.

The page needs no network and no other file: pictures lie in it as PNG. It says
plainly when there is no truth and when its figures are rough.
"""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from napari_xseg import metrics
from napari_xseg.review import figures
from napari_xseg.review.canvas import figure_bytes
from napari_xseg.review.evaluation import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.review.evaluation import Evaluation
    from napari_xseg.review.figures import Curve, SliceView
    from napari_xseg.review.mistakes import Mistakes

NO_TRUTH = "There is no truth for these slices, so nothing here says how right the mask is."
ROUGH = (
    "These figures are rough: the labels were too few to hold a slice back, so a part of a "
    "labelled slice was scored. Slices farther away come out worse."
)

_CLASS_NOTE = (
    "Pooled over all scored slices. Pixels within {border} px of a border between true classes "
    "are left out of the column that says so: people who label disagree there. dice_foreground "
    "is the mean over all classes but {first}; a dash is a figure without a value."
)
_MISTAKES_SHOWN = 12
_ITEMS_SHOWN = 12
_RANGES_SHOWN = 100
# Pixels of the page for an inch of a figure.
_PLOT_SCALE = 95
_SLICE_SCALE = 112


@dataclass(frozen=True, eq=False)
class PredictedFractions:
    """Predicted phase fractions of N slices: `z` and float64 (N, C) `values`, 0 to 1."""

    z: tuple[int, ...]
    values: metrics.Figures


@dataclass(frozen=True, eq=False)
class Report:
    """What the page tells; everything but title and classes may be left out.

    Parameters
    ----------
    title : str
        Heading of the page.
    classes : ClassTable
        The classes of the masks.
    statements, warnings : sequence of str
        Sentences shown first: what was done with which data; what to beware of.
    rough : bool
        The scored pixels lie on slices that were trained on (a validation band).
    headline : mapping of str to str
        Further headline figures, such as the training time, ready to print.
    data : mapping
        Facts of data and split: files, sizes, every z of each part. A list of
        integers is taken for slice indices and shown as ranges.
    evaluation : Evaluation, optional
        Scores; without them the page says that there is no truth.
    predicted : PredictedFractions, optional
        Phase fractions of the mask, where there are no scores to give them.
    history : Curve, optional
        Columns of the training history, as `figures.read_history` gives them.
    slices : sequence of SliceView
        Slices to show, such as those that `pick_slices` names.
    mistakes : Mistakes, optional
        The largest are listed.
    settings, provenance : mapping
        Nested plain values; shown as `a.b.c` rows.
    files : mapping of str to Path
        Files to link to, by what to call them.
    """

    title: str
    classes: ClassTable
    statements: Sequence[str] = ()
    warnings: Sequence[str] = ()
    rough: bool = False
    headline: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Evaluation | None = None
    predicted: PredictedFractions | None = None
    history: Curve | None = None
    slices: Sequence[SliceView] = ()
    mistakes: Mistakes | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)


def write_report(report: Report, path: Path) -> None:
    """Write the page to `path`, whole or not at all; links are relative to its folder."""
    from napari_xseg.data.writing import write_atomic

    write_atomic(path, render_report(report, path.parent))


def render_report(report: Report, folder: Path) -> str:
    """Return the page as HTML for a file in `folder`."""
    from jinja2 import Environment, StrictUndefined

    source = resources.files("napari_xseg.review") / "templates" / "report.html"
    rooms = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = rooms.from_string(source.read_text(encoding="utf-8"))
    return template.render(
        title=report.title,
        statements=report.statements,
        warnings=[*_own_warnings(report), *report.warnings],
        headline=_headline(report),
        data=_rows(report.data, ranges=True),
        colours={
            spec.name: "#{:02x}{:02x}{:02x}".format(*spec.colour) for spec in report.classes.classes
        },
        class_rows=_class_rows(report.evaluation),
        class_note=_class_note(report),
        plots=_plots(report),
        fractions=_fraction_rows(report),
        slices=_slice_pictures(report),
        mistakes=_mistake_rows(report.mistakes),
        mistakes_note=_mistakes_note(report),
        files=[(name, _link(path, folder)) for name, path in report.files.items()],
        settings=_rows(report.settings),
        provenance=_rows(report.provenance),
    )


def pick_slices(evaluation: Evaluation) -> dict[str, int]:
    """Name the best, median and worst slice by foreground Dice: name to z.

    Slices without that figure are passed over; with fewer than three slices
    some names are missing, with none scored all are.
    """
    scored = [(metrics.dice_foreground(score.counts), score.z) for score in evaluation.slices]
    ranked = [z for dice, z in sorted(scored, reverse=True) if not math.isnan(dice)]
    if not ranked:
        return {}
    picked = {"worst": ranked[-1], "best": ranked[0], "median": ranked[len(ranked) // 2]}
    order = ("best", "median", "worst")[: len(ranked)] if len(ranked) != 2 else ("best", "worst")
    return {name: picked[name] for name in order}


def plain_value(value: Any, *, ranges: bool = False) -> str:
    """Write a plain value in one line; long lists are cut with a count of the rest.

    With `ranges` a list of slice indices is written as "13, 39, 160 to 199".
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        if ranges and value and all(type(item) is int for item in value):
            return _cut(_ranges(value), _RANGES_SHOWN)
        return _cut([plain_value(item) for item in value])
    return str(value)


def _own_warnings(report: Report) -> list[str]:
    if report.evaluation is None:
        return [NO_TRUTH]
    warnings = [ROUGH] if report.rough else []
    missing = report.evaluation.not_predicted
    if missing:
        warnings.append(f"{missing:,} labelled pixels are not predicted; no figure counts them.")
    return warnings


def _headline(report: Report) -> list[tuple[str, str]]:
    shown = list(report.headline.items())
    if report.evaluation is None:
        return shown
    counts, outside = report.evaluation.pooled, report.evaluation.pooled_outside
    border = report.evaluation.border
    scores = [
        ("dice_foreground", metrics.dice_foreground(counts)),
        (f"the same, beyond {border} px of borders", metrics.dice_foreground(outside)),
        ("dice_all", metrics.dice_all(counts)),
        ("accuracy", metrics.accuracy(counts)),
    ]
    return [(name, f"{percent(value)} %") for name, value in scores] + shown


def _class_note(report: Report) -> str:
    if report.evaluation is None:
        return ""
    first = report.evaluation.classes.names[0]
    return _CLASS_NOTE.format(border=report.evaluation.border, first=first)


def _picture(figure: Figure, caption: str, scale: int = _PLOT_SCALE) -> dict[str, Any]:
    return {
        "caption": caption,
        "png": base64.b64encode(figure_bytes(figure)).decode("ascii"),
        "width": round(scale * figure.get_figwidth()),
    }


def _class_rows(evaluation: Evaluation | None) -> list[tuple[str, ...]]:
    if evaluation is None:
        return []
    header, *rows = evaluation.table()
    tied = [name.replace(" %", "\u00a0%").replace(" px", "\u00a0px") for name in header]
    return [tuple(tied), *rows]


def _plots(report: Report) -> list[dict[str, Any]]:
    plots = []
    if report.history:
        plots.append(_picture(figures.training_curves(report.history), "Training"))
    if report.evaluation is not None:
        plots += _score_plots(report.evaluation)
    elif report.predicted is not None and len(report.predicted.z) > 1:
        drawn = figures.fractions_along_z(
            report.predicted.z, report.predicted.values, report.classes
        )
        plots.append(_picture(drawn, "Predicted phase fractions along z"))
    return plots


def _score_plots(evaluation: Evaluation) -> list[dict[str, Any]]:
    drawn = figures.confusion_map(evaluation.pooled, evaluation.classes)
    plots = [_picture(drawn, "Confusion matrix: which true class was predicted as which")]
    if len(evaluation.slices) == 1:
        return plots
    plots.append(_picture(figures.dice_along_z(evaluation), "Dice of each slice"))
    drawn = figures.scored_fractions(evaluation)
    return [*plots, _picture(drawn, "Phase fractions along z, over the scored pixels")]


def _fraction_rows(report: Report) -> list[tuple[str, ...]]:
    if report.predicted is None or report.evaluation is not None:
        return []
    values = report.predicted.values
    known = values[~np.isnan(values).any(axis=1)]
    if not len(known):
        return []
    columns = known.mean(axis=0), known.min(axis=0), known.max(axis=0)
    return [
        (name, *(percent(float(column[index])) for column in columns))
        for index, name in enumerate(report.classes.names)
    ]


def _slice_pictures(report: Report) -> list[dict[str, Any]]:
    names = {} if report.evaluation is None else pick_slices(report.evaluation)
    told = {z: f"{name.capitalize()} slice, " for name, z in names.items()}
    return [
        _picture(
            figures.overview(view, report.classes),
            f"{told.get(view.z, '')}z = {view.z}{_slice_dice(report, view.z)}",
            _SLICE_SCALE,
        )
        for view in report.slices
    ]


def _slice_dice(report: Report, z: int) -> str:
    slices = () if report.evaluation is None else report.evaluation.slices
    for score in slices:
        if score.z == z:
            return f", dice_foreground {percent(metrics.dice_foreground(score.counts))} %"
    return ""


def _mistake_rows(mistakes: Mistakes | None) -> list[tuple[str, ...]]:
    if mistakes is None or not len(mistakes):
        return []
    names = mistakes.classes.names
    header = ("z", "y", "x", "pixels", "true class", "predicted", "pixels away from borders")
    shown = [mistakes[index] for index in range(min(len(mistakes), _MISTAKES_SHOWN))]
    return [
        header,
        *(
            (
                *(str(item.z), f"{item.y:.0f}", f"{item.x:.0f}", f"{item.pixels:,}"),
                *(names[item.true], names[item.predicted]),
                f"{item.pixels - item.border_pixels:,}",
            )
            for item in shown
        ),
    ]


def _mistakes_note(report: Report) -> str:
    mistakes = report.mistakes
    if mistakes is None:
        return ""
    return (
        f"{len(mistakes):,} connected mistakes of {mistakes.pixels:,} pixels in all; "
        f"the largest {min(len(mistakes), _MISTAKES_SHOWN)} are listed."
    )


def _rows(
    values: Mapping[str, Any], prefix: str = "", *, ranges: bool = False
) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += _rows(value, f"{prefix}{name}.", ranges=ranges)
        else:
            rows.append((f"{prefix}{name}", plain_value(value, ranges=ranges)))
    return rows


def _ranges(numbers: Sequence[int]) -> list[str]:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return [str(first) if first == last else f"{first} to {last}" for first, last in runs]


def _cut(items: Sequence[str], most: int = _ITEMS_SHOWN) -> str:
    shown = ", ".join(items[:most])
    rest = len(items) - most
    return f"{shown} and {rest:,} more" if rest > 0 else shown or "none"


def _link(path: Path, folder: Path) -> str:
    try:
        near = Path(os.path.relpath(path, folder))
    except ValueError:  # another drive on Windows
        return path.absolute().as_uri()
    return quote(near.as_posix())

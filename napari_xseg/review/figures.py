"""Figures of a review: slices and their mistakes, curves, fractions, confusion.

Every function returns a matplotlib Figure that belongs to no window and to no
global state; `review.canvas` saves it. matplotlib is imported when the first
figure is made.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_xseg import metrics
from napari_xseg.errors import XsegError
from napari_xseg.metrics import IGNORE
from napari_xseg.review import pictures
from napari_xseg.review.canvas import legend_name, line_colour, styled
from napari_xseg.review.mistakes import mistakes_map

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.metrics import Figures
    from napari_xseg.review.evaluation import Evaluation
    from napari_xseg.review.matching import IndexMap

Curve = dict[str, list[float]]
"""Columns of a history by name, nan where a row says nothing."""

_Panel = tuple[str, NDArray[np.uint8]]
_Entry = tuple[str, tuple[int, int, int]]

_PANEL_INCHES = 4.4
_LEAST_INCHES = 2.4
_PANEL_PIXELS = 1000
_MAX_WRITTEN_CLASSES = 10


@dataclass(frozen=True, eq=False, slots=True)
class SliceView:
    """One slice to look at: index maps uint8 (y, x) and, where known, its grey plane (y, x)."""

    z: int
    prediction: IndexMap
    truth: IndexMap | None = None
    image: NDArray[Any] | None = None


@styled
def figure_six(
    view: SliceView, classes: ClassTable, *, on_image: bool = False, name: str = ""
) -> Figure:
    """Show the true classes beside the misclassified pixels, as figure 6 of the poster does.

    Mistakes have the colour of their true class, on black, or with `on_image` on
    the dimmed grey slice. Slices over 1000 pixels are shrunk; no mistake gets
    lost by it. `view.truth` must be given; where it is no truth but another
    mask, `name` says what it is called.
    """
    truth = _known_truth(view)
    factor = pictures.shrink_factor(truth.shape, _PANEL_PIXELS)
    panels = [
        _classes_panel(f"{name or 'True classes'}, z = {view.z}", truth, classes, factor),
        _mistakes_panel(view, classes, on_image, factor, name),
    ]
    return _panel_figure(panels, _legend(classes, truth), columns=2)


@styled
def overview(view: SliceView, classes: ClassTable) -> Figure:
    """Show all that is known of a slice: grey values, truth, prediction, mistakes."""
    factor = pictures.shrink_factor(view.prediction.shape, _PANEL_PIXELS)
    panels: list[_Panel] = []
    if view.image is not None:
        grey = pictures.grey_picture(pictures.shrink(view.image, factor))
        panels.append((f"Image, z = {view.z}", grey))
    if view.truth is not None:
        panels.append(_classes_panel("True classes", view.truth, classes, factor))
    panels.append(_classes_panel("Prediction", view.prediction, classes, factor))
    if view.truth is not None:
        panels.append(_mistakes_panel(view, classes, view.image is not None, factor))
    shown = view.prediction if view.truth is None else view.truth
    return _panel_figure(panels, _legend(classes, shown), columns=2)


@styled
def training_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Plot the Dice and loss columns of a history over training seconds, else steps or epochs.

    Columns that begin with `dice` go to one panel, those that hold `loss` to
    the other; nan is left out. XsegError where there is neither.
    """
    from matplotlib.figure import Figure

    axis = next((name for name in ("seconds", "step", "epoch") if name in history), None)
    dices = [name for name in history if name.startswith("dice") and _any_known(history[name])]
    losses = [name for name in history if "loss" in name and _any_known(history[name])]
    if axis is None or not (dices or losses):
        raise XsegError("history: found no column of Dice or loss over seconds, steps or epochs.")
    groups = [group for group in ((dices, "Dice %", 100), (losses, "loss", 1)) if group[0]]
    figure = Figure(figsize=(5.2 * len(groups), 3.8), layout="constrained")
    panels = figure.subplots(1, len(groups), squeeze=False)[0]
    x = np.asarray(history[axis], float)
    for axes, (names, label, factor) in zip(panels, groups, strict=True):
        curves = {name: factor * np.asarray(history[name], float) for name in names}
        _plot_curves(axes, x, curves)
        axes.set(xlabel="training time (s)" if axis == "seconds" else axis, ylabel=label)
        if label == "Dice %":
            axes.set_ylim(bottom=_lowest_after_start(x, list(curves.values())))
    return figure


@styled
def fractions_along_z(
    z: Sequence[int], predicted: Figures, classes: ClassTable, true: Figures | None = None
) -> Figure:
    """Plot phase fractions over z: predicted as lines, true as rings.

    Parameters
    ----------
    z : sequence of N slice indices
    predicted, true : float64 (N, C)
        Fractions 0 to 1, as `metrics.fractions` gives them.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for index, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True)):
        style: dict[str, Any] = {"color": line_colour(colour)}
        values = 100 * predicted[:, index]
        _plot_gaps(axes, z, values, label=legend_name(f"{name}, predicted"), **style)
        if true is not None:
            style |= {"ls": "none", "marker": "o", "ms": 5, "mfc": "none"}
            axes.plot(z, 100 * true[:, index], label=legend_name(f"{name}, true"), **style)
    axes.set(xlabel="slice z", ylabel="phase fraction (%)", ylim=(0, None))
    _whole_numbers(axes)
    _legend_beside(axes)
    return figure


def scored_fractions(evaluation: Evaluation) -> Figure:
    """Plot true and predicted phase fractions over z, both over the scored pixels."""
    counts = [score.counts for score in evaluation.slices]
    return fractions_along_z(
        [score.z for score in evaluation.slices],
        np.stack([metrics.predicted_fractions(table) for table in counts]),
        evaluation.classes,
        np.stack([metrics.true_fractions(table) for table in counts]),
    )


@styled
def dice_along_z(evaluation: Evaluation) -> Figure:
    """Plot the Dice of each class and of the foreground over z."""
    from matplotlib.figure import Figure

    z = [score.z for score in evaluation.slices]
    figure = Figure(figsize=(7.4, 4.0), layout="constrained")
    axes = figure.subplots()
    dice = np.stack([metrics.dice(score.counts) for score in evaluation.slices])
    table = evaluation.classes
    for index, (name, colour) in enumerate(zip(table.names, table.colours, strict=True)):
        line = {"label": legend_name(name), "color": line_colour(colour), "lw": 1.2}
        _plot_gaps(axes, z, 100 * dice[:, index], **line)
    foreground = [100 * metrics.dice_foreground(score.counts) for score in evaluation.slices]
    _plot_gaps(axes, z, foreground, label="dice_foreground", color="black", lw=2.2)
    axes.set(xlabel="slice z", ylabel="Dice %")
    _whole_numbers(axes)
    _legend_beside(axes)
    return figure


@styled
def confusion_map(counts: metrics.Counts, classes: ClassTable) -> Figure:
    """Draw a confusion matrix: share of each true class (row) and, up to ten classes, pixels."""
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    size = len(classes)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    side = min(2.2 + 0.9 * size, 13.0)
    figure = Figure(figsize=(side + 0.8, side * 0.86), layout="constrained")
    axes = figure.subplots()
    # A root scale: mistakes of one per cent would be white on a straight one.
    drawn = axes.imshow(100 * shares, cmap="Blues", norm=PowerNorm(0.4, 0, 100))
    figure.colorbar(drawn, ax=axes, label="% of true class", ticks=[0, 1, 5, 20, 50, 100])
    axes.set_xticks(range(size), classes.names, rotation=45 if size > 4 else 0)
    axes.set_yticks(range(size), classes.names)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.grid(visible=False)
    if size <= _MAX_WRITTEN_CLASSES:
        _write_cells(axes, counts, shares)
    return figure


def read_history(path: Path) -> Curve:
    """Read a `history.csv`: each column as floats, nan where a field is empty or no number.

    XsegError where the file cannot be read or has no rows.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise XsegError(f"{path}: cannot be read as a history ({error}).") from error
    if not rows:
        raise XsegError(f"{path}: holds no rows, expected the history of a training.")
    names = [name for name in rows[0] if name]
    return {name: [_float(row.get(name)) for row in rows] for name in names}


def _known_truth(view: SliceView) -> IndexMap:
    if view.truth is None:
        raise ValueError(f"slice {view.z} has no truth to compare with")
    return view.truth


def _classes_panel(title: str, index_map: IndexMap, classes: ClassTable, factor: int) -> _Panel:
    return title, pictures.class_picture(pictures.shrink(index_map, factor), classes)


def _mistakes_panel(
    view: SliceView, classes: ClassTable, on_image: bool, factor: int, name: str = ""
) -> _Panel:
    truth = _known_truth(view)
    mistakes = mistakes_map(truth, view.prediction)
    counted = np.count_nonzero((truth != IGNORE) & (view.prediction != IGNORE))
    wrong = f"{100 * np.count_nonzero(mistakes) / counted:.2f} %" if counted else "none scored"
    under = None
    if on_image and view.image is not None:
        under = pictures.grey_picture(pictures.shrink(view.image, factor))
    small = pictures.shrink_mistakes(mistakes, factor)
    told = f"Different, in {name}'s colour" if name else "Misclassified, in the true class's colour"
    return f"{told}: {wrong}", pictures.mistakes_picture(small, classes, under)


def _legend(classes: ClassTable, shown: IndexMap) -> list[_Entry]:
    entries = list(zip(classes.names, classes.colours, strict=True))
    if (shown == IGNORE).any():
        entries.append(("not labelled", pictures.UNLABELLED_COLOUR))
    return entries


def _panel_figure(panels: Sequence[_Panel], legend: Sequence[_Entry], columns: int) -> Figure:
    from matplotlib.figure import Figure

    height, width = panels[0][1].shape[:2]
    # Whole device pixels for each pixel of the slice, so that thin mistakes stay visible.
    scale = max(1, round(_PANEL_PIXELS / max(height, width)))
    dpi = scale * max(height, width) / _PANEL_INCHES
    gap, head, line = (round(inches * dpi) for inches in (0.12, 0.32, 0.3))
    cell_width = max(scale * width, round(_LEAST_INCHES * dpi))
    cell_height = scale * height + head
    total_width = columns * (cell_width + gap) + gap
    per_line = _entries_per_line(legend, total_width / dpi)
    foot = line * math.ceil(len(legend) / per_line) + gap
    total_height = math.ceil(len(panels) / columns) * cell_height + foot
    total = total_width, total_height
    figure = Figure(figsize=(total_width / dpi, total_height / dpi), dpi=dpi)
    for place, (title, picture) in enumerate(panels):
        down, right = divmod(place, columns)
        left = gap + right * (cell_width + gap) + (cell_width - scale * width) // 2
        bottom = total_height - (down + 1) * cell_height
        box = (
            left / total[0],
            bottom / total[1],
            scale * width / total[0],
            scale * height / total[1],
        )
        axes = figure.add_axes(box)
        axes.imshow(picture, interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(title, pad=5)
    figure.legend(handles=_patches(legend), loc="lower center", ncols=min(per_line, len(legend)))
    return figure


def _entries_per_line(legend: Sequence[_Entry], inches: float) -> int:
    longest = max(len(name) for name, _ in legend)
    return max(1, int(inches / (0.7 + 0.1 * longest)))


def _patches(legend: Sequence[_Entry]) -> list[Patch]:
    from matplotlib.patches import Patch

    return [
        Patch(
            facecolor=(red / 255, green / 255, blue / 255),
            edgecolor="#444444",
            label=legend_name(name),
        )
        for name, (red, green, blue) in legend
    ]


def _plot_curves(axes: Axes, x: Figures, curves: Mapping[str, Figures]) -> None:
    for name, y in curves.items():
        known = ~np.isnan(x + y)
        marker = "." if np.count_nonzero(known) <= 40 else ""
        bold = name == "dice_foreground"
        style: dict[str, Any] = {"color": "black", "lw": 2.4, "zorder": 2} if bold else {}
        axes.plot(x[known], y[known], marker=marker, label=name.replace("_", " "), **style)
    axes.legend(loc="best", fontsize=9)


def _lowest_after_start(x: Figures, curves: Sequence[Figures]) -> float | None:
    # A Dice that begins at 40 % would flatten the last per cent, which is what counts.
    late = x >= np.nanmin(x) + 0.1 * (np.nanmax(x) - np.nanmin(x))
    values = np.concatenate([curve[late] for curve in curves])
    if np.isnan(values).all():
        return None
    return float(np.nanmin(values) - 0.05 * (np.nanmax(values) - np.nanmin(values) + 1))


def _plot_gaps(axes: Axes, z: Sequence[int], values: Any, **style: Any) -> None:
    """Break the line where slices are missing."""
    steps = np.diff(z)
    gaps: Any = np.flatnonzero(steps > steps.min()) + 1 if len(z) > 2 else []
    x = np.insert(np.asarray(z, float), gaps, np.nan)
    axes.plot(x, np.insert(np.asarray(values, float), gaps, np.nan), marker=".", ms=4, **style)


def _legend_beside(axes: Axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _write_cells(axes: Axes, counts: metrics.Counts, shares: Figures) -> None:
    for row, column in np.ndindex(*counts.shape):
        axes.text(
            column,
            row,
            f"{100 * shares[row, column]:.2f} %\n{counts[row, column]:,}",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if shares[row, column] > 0.3 else "black",
        )


def _any_known(values: Sequence[float]) -> bool:
    return any(not math.isnan(value) for value in values)


def _float(text: str | None) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan

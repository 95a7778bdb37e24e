"""Figures of a summary; each is None where there is nothing to show.

matplotlib is imported when the first figure is made; `review.canvas` saves them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.review.canvas import legend_name, styled
from napari_xseg.review.scoring.values import SCORES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    from napari_xseg.review.scoring.summary import Summary

# From useless to nothing to mend; told apart with any kind of colour vision.
_SCALE = ("#a50026", "#f46d43", "#d9d9d9", "#74add1", "#313695")
_LINES = ("#1b6ca8", "#d1690e", "#4d4d4d", "#7b3294", "#008837", "#b8860b")
_MARKERS = "osD^vP"
_LIMITS = (0.8, 5.2)


@styled
def score_counts(summary: Summary) -> Figure | None:
    """How often each score was given, a bar for each mask."""
    masks = [one for one in summary.masks if one.scores]
    if not masks:
        return None
    figure, axes = _figure(1.3 + 0.5 * len(masks))
    left = np.zeros(len(masks))
    places = np.arange(len(masks))
    for place, (score, colour) in enumerate(zip(SCORES, _SCALE, strict=True)):
        shares = np.array([100 * one.counts[place] / one.scores for one in masks])
        axes.barh(places, shares, left=left, color=colour, label=str(score), height=0.6)
        left += shares
    axes.set_yticks(places, [_cut(one.name) for one in masks])
    axes.invert_yaxis()
    axes.set(xlabel="% of scores", xlim=(0, 100))
    axes.grid(visible=False, axis="y")
    _legend(figure, axes, columns=5, title="score")
    return figure


@styled
def along_z(summary: Summary) -> Figure | None:
    """Mean score of each slice along z, a line for each mask."""
    masks = [one for one in summary.masks if len(one.along_z) > 1]
    if not masks:
        return None
    figure, axes = _figure(3.6)
    for place, one in enumerate(masks):
        z, means = [row[0] for row in one.along_z], [row[1] for row in one.along_z]
        axes.plot(z, means, label=legend_name(_cut(one.name)), **_line(place))
    axes.set(xlabel="slice z", ylabel="mean score", ylim=_LIMITS, yticks=SCORES)
    axes.xaxis.set_major_locator(_whole_numbers())
    _legend(figure, axes, columns=2)
    return figure


@styled
def fault_counts(summary: Summary) -> Figure | None:
    """Share of the scores that name each kind of fault, a bar for each mask."""
    masks = [one for one in summary.masks if one.scores]
    totals: dict[str, int] = {}
    for one in masks:
        for fault, count in one.faults.items():
            totals[fault] = totals.get(fault, 0) + count
    kinds = sorted(totals, key=lambda fault: (-totals[fault], fault))
    if not kinds:
        return None
    figure, axes = _figure(1.4 + 0.32 * len(kinds) * max(1, 0.6 * len(masks)))
    height = 0.8 / len(masks)
    for place, one in enumerate(masks):
        at = np.arange(len(kinds)) + (place - (len(masks) - 1) / 2) * height
        shares = [100 * one.faults.get(kind, 0) / one.scores for kind in kinds]
        colour = _LINES[place % len(_LINES)]
        axes.barh(at, shares, height=height, color=colour, label=legend_name(_cut(one.name)))
    axes.set_yticks(range(len(kinds)), [_cut(kind) for kind in kinds])
    axes.invert_yaxis()
    axes.set(xlabel="% of scores that name it")
    axes.grid(visible=False, axis="y")
    _legend(figure, axes, columns=2)
    return figure


@styled
def differences(summary: Summary) -> Figure | None:
    """How the scores of two masks differ, slice by slice; a panel for each pair."""
    pairs = summary.models[:6]
    if not pairs:
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, 2.4 * len(pairs)), layout="constrained")
    panels: Any = figure.subplots(len(pairs), 1, sharex=True, squeeze=False)[:, 0]
    edges = np.arange(-4.25, 4.3, 0.5)
    for axes, pair in zip(panels, pairs, strict=True):
        axes.hist(pair.differences, bins=list(edges), color=_LINES[0], rwidth=0.9)
        axes.axvline(0, color="black", lw=1)
        axes.axvline(pair.difference.value, color=_LINES[1], lw=2, ls="--")
        axes.set_title(f"{_cut(pair.first)} minus {_cut(pair.second)}", loc="left")
        axes.set(ylabel="slices or places", xlim=(-4.25, 4.25))
        axes.yaxis.set_major_locator(_whole_numbers())
    panels[-1].set_xlabel("difference of the score (dashed: mean)")
    return figure


@styled
def confidence_scatter(summary: Summary) -> Figure | None:
    """Score of each slice or place over the mean confidence of its slice."""
    found = [one for one in summary.confidence if one.points]
    if not found:
        return None
    figure, axes = _figure(3.6)
    for place, one in enumerate(found):
        sure, scores = zip(*one.points, strict=True)
        style = {**_line(place), "ls": "none", "alpha": 0.7}
        axes.plot(100 * np.array(sure), scores, label=legend_name(_cut(one.name)), **style)
    axes.set(xlabel="mean confidence of the slice (%)", ylabel="mean score")
    axes.set(ylim=_LIMITS, yticks=SCORES)
    _legend(figure, axes, columns=2)
    return figure


def _figure(height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, min(height, 12.0)), layout="constrained")
    return figure, figure.subplots()


def _whole_numbers() -> MaxNLocator:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True)


def _line(place: int) -> dict[str, Any]:
    marker, colour = _MARKERS[place % len(_MARKERS)], _LINES[place % len(_LINES)]
    return {"color": colour, "marker": marker, "ms": 5}


def _legend(figure: Figure, axes: Axes, *, columns: int, title: str | None = None) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=columns, title=title)


def _cut(name: str, most: int = 36) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"

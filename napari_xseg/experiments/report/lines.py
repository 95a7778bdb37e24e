"""Lines over something that varies: means with interval bands, each repeat as a dot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.review.canvas import legend_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from napari_xseg.experiments.report.shown import Cell
    from napari_xseg.experiments.statistics import Estimate

# Okabe and Ito's colours, told apart by the colour-blind; darkest first, for print.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1, 1, 1)))
PUBLISHED: dict[str, Any] = {
    "color": "black",
    "marker": "*",
    "ls": "none",
    "ms": 12,
    "mfc": "white",
    "zorder": 5,
}
LINE_HEADER = ("line", "split", "x", "mean", "low", "high", "repeats", "values")


@dataclass(frozen=True)
class Line:
    """Estimates over x, of one kind of split."""

    label: str
    split: str
    x: tuple[float, ...]
    y: tuple[Estimate, ...]

    @property
    def known(self) -> bool:
        """Whether there is anything to draw."""
        return any(found.values for found in self.y)

    def rows(self) -> list[tuple[Cell, ...]]:
        """The numbers, with `LINE_HEADER`'s columns."""
        return [
            (self.label, self.split, x, *estimate_cells(found))
            for x, found in zip(self.x, self.y, strict=True)
        ]


def estimate_cells(found: Estimate) -> tuple[Cell, ...]:
    """Mean, low, high, count and values of the repeats."""
    values = " ".join(f"{value:.8g}" for value in found.values)
    return found.mean, found.low, found.high, len(found.values), values


def style_of(index: int) -> dict[str, Any]:
    """Colour, marker and dashes of line number `index`: each alone tells it apart."""
    return {
        "color": PALETTE[index % len(PALETTE)],
        "marker": MARKERS[index % len(MARKERS)],
        "ls": DASHES[index % len(DASHES)],
        "ms": 5,
    }


def split_style(split: str) -> dict[str, Any]:
    """How a kind of split looks in all figures."""
    return style_of(0 if split == "blocked" else 1)


def draw_line(axes: Axes, line: Line, style: dict[str, Any], label: str = "") -> None:
    """Draw the means, the intervals where they are known, and each repeat."""
    mean = np.array([found.mean for found in line.y])
    known = ~np.isnan(mean)
    x = np.array(line.x)[known]
    low, high = (np.array([getattr(found, name) for found in line.y]) for name in ("low", "high"))
    band = {"alpha": 0.18, "color": style["color"], "lw": 0}
    axes.fill_between(x, low[known], high[known], **band)
    for place, found in zip(line.x, line.y, strict=True):
        dots = {"marker": ".", "ls": "none", "ms": 3.5, "alpha": 0.6, "color": style["color"]}
        axes.plot([place] * len(found.values), found.values, **dots)
    axes.plot(x, mean[known], label=legend_name(label or line.label), **style)


def fit_dice(axes: Axes, estimates: Sequence[Estimate], also: Sequence[float] = ()) -> None:
    """Let the Dice axis hold all repeats; wide intervals may leave it, 100 % is its end."""
    values = [value for found in estimates for value in found.values] + list(also)
    if not values:
        return
    low, high = min(values), max(values)
    room = max(0.1 * (high - low), 0.05)
    lows = [found.low for found in estimates if not math.isnan(found.low)]
    bottom = max(min([low, *lows]), low - 3 * room) - room
    # A little over 100 %, so that marks there are whole.
    axes.set_ylim(max(0.0, bottom), min(100 + 0.4 * room, high + 2 * room))


def legend_below(figure: Figure) -> None:
    """One legend for all panels, under them."""
    named: dict[str, Artist] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        named.update(zip(labels, handles, strict=True))
    if named:
        inches = 0.7 + 0.075 * max(map(len, named))  # of an entry
        columns = min(len(named), max(1, int(figure.get_figwidth() / inches)))
        place: dict[str, Any] = {"loc": "outside lower center", "ncols": columns, "fontsize": 9}
        figure.legend(list(named.values()), list(named), **place)


def plain_log(axis: Axis) -> None:
    """Label a log axis in plain numbers: the style of the figures parses no formulas."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def whiskers(axes: Axes, place: float, found: Estimate, style: dict[str, Any]) -> None:
    """Draw one estimate along x at the height `place`."""
    if not found.values:
        return
    plain = {key: value for key, value in style.items() if key != "ls"}
    if found.known:
        axes.plot([found.low, found.high], [place, place], color=style["color"], lw=1.8)
    dots = {"marker": "|", "ls": "none", "ms": 7, "alpha": 0.7, "color": style["color"]}
    axes.plot(found.values, [place] * len(found.values), **dots)
    axes.plot([found.mean], [place], ls="none", **plain)

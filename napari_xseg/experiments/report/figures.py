"""Figures over what varies in an experiment: slices, noise, augmentation, crops."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_xseg.experiments.report.enough import enough_slices
from napari_xseg.experiments.report.lines import (
    LINE_HEADER,
    PUBLISHED,
    Line,
    draw_line,
    estimate_cells,
    fit_dice,
    legend_below,
    split_style,
    style_of,
    whiskers,
)
from napari_xseg.experiments.report.measures import (
    hardest_measure,
    history_of,
    label_of,
    noise_measure,
    varied,
)
from napari_xseg.experiments.report.shown import Shown
from napari_xseg.experiments.statistics import Estimate, estimate
from napari_xseg.review.canvas import styled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_xseg.experiments.report.enough import Enough
    from napari_xseg.experiments.report.measures import Measure
    from napari_xseg.experiments.results import Outcome, Point, Result

_TITLES = {"blocked": "blocked split", "random": "random split"}


def plan_figures(outcome: Outcome) -> list[Shown]:
    """The figures of what a plan varies, as far as there are results."""
    names = set(varied(outcome.plan))
    drawn = []
    if "slices" in names:
        drawn.append(size_figure(outcome))
    if len(outcome.plan.score_noise) > 2:
        drawn.append(noise_figure(outcome))
    if "augment" in names and "slices" not in names:
        drawn.append(augment_figure(outcome))
    if names & {"crop", "side"}:
        drawn.append(crop_figure(outcome))
    return [shown for shown in drawn if shown is not None]


@styled
def size_figure(outcome: Outcome) -> Shown | None:
    """Dice against the number of training slices, with the threshold of diminishing returns."""
    plan = outcome.plan
    measure = hardest_measure(plan)
    lines = _lines(outcome, "slices", measure.over)
    if not lines:
        return None
    panels = _by_split(lines) if len({line.label for line in lines}) > 1 else {"": lines}
    figure, axes_list = _panels(len(panels), 4.2)
    enough = {(one.label, one.split): one for one in enough_slices(outcome)}
    published = [(one.slices, one.dice) for one in plan.published if one.slices is not None]
    for axes, (split, mine) in zip(axes_list, panels.items(), strict=True):
        for index, line in enumerate(mine):
            style = style_of(index) if split else split_style(line.split)
            draw_line(axes, line, style, line.label if split else _TITLES[line.split])
            _mark_enough(axes, enough.get((line.label, line.split)), style, index)
        if published:
            axes.plot(*zip(*published, strict=True), label="published (random)", **PUBLISHED)
        fit_dice(axes, [y for line in mine for y in line.y], [dice for _, dice in published])
        _count_axis(axes, sorted({x for line in mine for x in line.x} | {x for x, _ in published}))
        axes.set(xlabel="training slices", ylabel="foreground Dice %", title=_TITLES.get(split, ""))
    legend_below(figure)
    caption = f"{plan.title}: Dice on {measure.words} against the number of training slices"
    if any(one.known for one in enough.values()):
        caption += "; vertical lines mark how many are enough, bars the interval of that"
    rows = [row for line in lines for row in line.rows()]
    rows += [("published", "random", float(count), dice, *_NOTHING) for count, dice in published]
    return Shown(f"{plan.name}-slices", caption, figure, _named("slices"), rows, plan.name)


@styled
def noise_figure(outcome: Outcome) -> Shown | None:
    """Dice against the sd of the noise in the scored slices, a line for each training."""
    plan = outcome.plan
    stds = tuple(sorted(plan.score_noise))
    measures = [noise_measure(std) for std in stds]
    lines = [
        Line(label_of(plan, point.conditions), point.split, stds, _over(point, measures))
        for point in outcome.points
    ]
    lines = [line for line in lines if line.known]
    if not lines:
        return None
    panels = _by_split(lines)
    figure, axes_list = _panels(len(panels), 4.2)
    for axes, (split, mine) in zip(axes_list, panels.items(), strict=True):
        for index, line in enumerate(mine):
            draw_line(axes, line, style_of(index))
        axes.axvline(plan.noise_std, color="#888888", lw=1, ls=":")
        fit_dice(axes, [y for line in mine for y in line.y])
        axes.set(xlabel="noise sd (counts)", ylabel="foreground Dice %", title=_TITLES[split])
    legend_below(figure)
    caption = (
        f"{plan.title}: Dice against the noise in the scored slices; dotted, the noise of the "
        "training"
    )
    rows = [row for line in lines for row in line.rows()]
    return Shown(f"{plan.name}-noise", caption, figure, _named("noise sd"), rows, plan.name)


@styled
def augment_figure(outcome: Outcome) -> Shown | None:
    """Dice for each kind of augmentation, both splits side by side."""
    plan = outcome.plan
    measure = hardest_measure(plan)
    named = [
        (label_of(plan, one.conditions), one.split, measure.over(one)) for one in outcome.points
    ]
    caption = f"{plan.title}: Dice on {measure.words} by augmentation"
    return dots_figure(f"{plan.name}-augment", caption, named, plan.name)


@styled
def noise_training_figure(outcomes: Sequence[Outcome]) -> Shown | None:
    """Noise in validation alone beside noise in training too: clean and noisy slices."""
    named = []
    for outcome in outcomes:
        plan = outcome.plan
        if not plan.conditions.validation_noise or varied(plan):
            continue
        for point in outcome.points:
            for std in plan.score_noise:
                measure = noise_measure(std)
                label = f"{plan.title}\non {measure.words}"
                named.append((label, point.split, measure.over(point)))
    caption = "Noise in training against noise in validation alone"
    return dots_figure("noise-training", caption, named)


def dots_figure(
    name: str, caption: str, named: Sequence[tuple[str, str, Estimate]], plan: str = ""
) -> Shown | None:
    """Estimates below each other, as (label, split, estimate); repeats as strokes."""
    if not any(found.values for _, _, found in named):
        return None
    labels = list(dict.fromkeys(label for label, _, _ in named))
    figure, (axes,) = _panels(1, 1.2 + 0.55 * len(labels), width=7.4)
    seen = {split for _, split, _ in named}
    apart = {"blocked": -0.16, "random": 0.16} if len(seen) > 1 else dict.fromkeys(seen, 0.0)
    for label, split, found in named:
        whiskers(axes, labels.index(label) + apart[split], found, split_style(split))
    for split in (one for one in _TITLES if one in seen):
        style = {key: value for key, value in split_style(split).items() if key != "ls"}
        axes.plot([], [], ls="none", label=_TITLES[split], **style)
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="foreground Dice %", ylim=(len(labels) - 0.5, -0.5))
    legend_below(figure)
    rows = [
        (label.replace("\n", " "), split, *estimate_cells(found)) for label, split, found in named
    ]
    header = ("training", "split", "mean", "low", "high", "repeats", "values")
    return Shown(name, caption, figure, header, rows, plan)


@styled
def crop_figure(outcome: Outcome) -> Shown | None:
    """Dice and seconds a step against the side of the crops, a line for each image side."""
    plan = outcome.plan
    over = "crop" if "crop" in varied(plan) else "side"
    dice = _lines(outcome, over, hardest_measure(plan).over)
    seconds = _lines(outcome, over, lambda point: _estimate_of(point, seconds_a_step))
    if not dice:
        return None
    panels = _by_split(dice)
    figure, axes_list = _panels(len(panels) + 1, 4.0, width=4.3)
    for axes, (split, mine) in zip(axes_list, panels.items(), strict=False):
        for index, line in enumerate(mine):
            draw_line(axes, line, style_of(index))
        fit_dice(axes, [y for line in dice for y in line.y])
        axes.set(ylabel="foreground Dice %", title=_TITLES[split])
    last = axes_list[-1]
    for index, line in enumerate(next(iter(_by_split(seconds).values()), [])):
        draw_line(last, line, style_of(index))
    last.set(ylabel="seconds a step", title=f"time, {next(iter(panels))} split", ylim=(0, None))
    for axes in axes_list:
        axes.set(xlabel=f"side of the {'crops' if over == 'crop' else 'images'} (px)")
        axes.set_xticks(sorted({x for line in dice for x in line.x}))
    legend_below(figure)
    caption = f"{plan.title}: Dice, and time, against the size of what is learnt from"
    rows = [("Dice %", *row) for line in dice for row in line.rows()]
    rows += [("seconds a step", *row) for line in seconds for row in line.rows()]
    total = _lines(outcome, over, lambda point: point.seconds)
    rows += [("seconds of training", *row) for line in total for row in line.rows()]
    header = ("figure", *_named(over))
    return Shown(f"{plan.name}-sizes", caption, figure, header, rows, plan.name)


def seconds_a_step(result: Result) -> float:
    """Training seconds by steps, from the history; nan without one."""
    curve = history_of(result)
    if curve is None or not {"step", "seconds"} <= set(curve):
        return math.nan
    return curve["seconds"][-1] / max(1.0, curve["step"][-1])


_NOTHING: tuple[Any, ...] = (math.nan, math.nan, "", "")


def _named(x: str) -> tuple[str, ...]:
    return tuple(x if name == "x" else name for name in LINE_HEADER)


def _lines(outcome: Outcome, over: str, value: Callable[[Point], Estimate]) -> list[Line]:
    plan = outcome.plan
    grouped: dict[tuple[str, str], dict[float, Estimate]] = {}
    for point in outcome.points:
        key = label_of(plan, point.conditions, {over}), point.split
        grouped.setdefault(key, {})[getattr(point.conditions, over)] = value(point)
    lines = []
    for (label, split), found in grouped.items():
        x = tuple(sorted(found))
        lines.append(Line(label, split, x, tuple(found[place] for place in x)))
    return [line for line in lines if line.known]


def _over(point: Point, measures: Sequence[Measure]) -> tuple[Estimate, ...]:
    return tuple(measure.over(point) for measure in measures)


def _estimate_of(point: Point, value: Callable[[Result], float]) -> Estimate:
    return estimate([value(result) for result in point.results])


def _by_split(lines: Sequence[Line]) -> dict[str, list[Line]]:
    splits = [split for split in _TITLES if any(line.split == split for line in lines)]
    return {split: [line for line in lines if line.split == split] for split in splits}


def _panels(count: int, height: float, width: float = 5.2) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * count if count > 1 else max(width, 6.4), height))
    figure.set_layout_engine("constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def _mark_enough(axes: Axes, enough: Enough | None, style: dict[str, Any], index: int) -> None:
    if enough is None or not enough.known:
        return
    found = enough.threshold
    axes.axvline(found.count, color=style["color"], ls=style["ls"], lw=1.2, zorder=1)
    if found.low is not None and found.high is not None:
        height = [0.02 + 0.025 * index] * 2  # of the panel
        bar: dict[str, Any] = {"color": style["color"], "lw": 4, "alpha": 0.7}
        axes.plot([found.low, found.high], height, transform=axes.get_xaxis_transform(), **bar)


def _count_axis(axes: Axes, counts: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(counts)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{count:g}" for count in counts], fontsize=9)

"""Training curves: loss and validation Dice over the steps of each repeat."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_xseg.experiments.report.lines import (
    PALETTE,
    legend_below,
    plain_log,
    split_style,
    style_of,
)
from napari_xseg.experiments.report.measures import (
    FOREGROUND,
    history_of,
    label_of,
    validated,
    varied,
)
from napari_xseg.experiments.report.shown import Shown
from napari_xseg.review.canvas import legend_name, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_xseg.experiments.report.shown import Cell
    from napari_xseg.experiments.results import Outcome, Result

_FEW = 4  # validations, of which each is marked
_HEADER = ("training", "split", "repeat", "step", "seconds", "loss", "dice_foreground %")


@styled
def curves_figure(outcome: Outcome) -> Shown | None:
    """Loss and validation Dice over steps: figure 3 of the poster, for each plan.

    One line a repeat. Where a plan has one training, its best and its end are marked.
    """
    trained = [result for result in outcome.results if history_of(result)]
    if not trained:
        return None
    from matplotlib.figure import Figure

    single = not varied(outcome.plan)
    splits = [None] if single else [one for one in outcome.plan.splits if outcome.of(one)]
    figure = Figure(figsize=(10.4, 3.9 * len(splits)), layout="constrained")
    grid = figure.subplots(len(splits), 2, squeeze=False)
    for (left, right), split in zip(grid, splits, strict=True):
        mine = [result for result in trained if split in (None, result.trial.split)]
        _draw(outcome, mine, left, right, single=single)
        title = "" if split is None else f"{split} split"
        left.set(xlabel="step", ylabel="training loss", yscale="log", title=title)
        plain_log(left.yaxis)
        right.set(xlabel="step", ylabel="validation Dice %", title=title)
        _late(right, mine)
        if single:
            _published(right, outcome)
    legend_below(figure)
    caption = f"{outcome.plan.title}: training loss and validation Dice, a line for each repeat"
    if single:
        caption += "; a ring marks the best, a cross the end"
    rows = [row for result in trained for row in _rows(outcome, result)]
    return Shown(f"{outcome.plan.name}-curves", caption, figure, _HEADER, rows, outcome.plan.name)


def _draw(
    outcome: Outcome, results: list[Result], left: Axes, right: Axes, *, single: bool
) -> None:
    labels = [label_of(outcome.plan, one) for one in outcome.plan.points()]
    seen: set[str] = set()
    for result in results:
        split, label = result.trial.split, label_of(outcome.plan, result.trial.conditions)
        style = split_style(split) if single else style_of(labels.index(label))
        if single:
            label = f"{split} split"
        line = {"color": style["color"], "ls": style["ls"], "lw": 1.3}
        told: dict[str, Any] = {} if label in seen else {"label": legend_name(label)}
        seen.add(label)
        curve = history_of(result) or {}
        steps, dice = validated(result)
        line["marker"] = "." if len(dice) < _FEW else ""
        left.plot(curve.get("step", []), curve.get("loss", []), **line)
        right.plot(steps, dice, **line, **told)
        if single and dice:
            best = max(range(len(dice)), key=dice.__getitem__)
            mark: dict[str, Any] = {"ls": "none", "color": style["color"], "mfc": "none"}
            right.plot([steps[best]], [dice[best]], marker="o", ms=8, **mark)
            right.plot([steps[-1]], [dice[-1]], marker="x", ms=6, **mark)


def _late(axes: Axes, results: list[Result]) -> None:
    # A Dice that begins at 40 % would flatten the last per cent, which is what counts.
    late = []
    for result in results:
        steps, dice = validated(result)
        late += [one for step, one in zip(steps, dice, strict=True) if step >= 0.15 * steps[-1]]
    if late:
        room = 0.05 * (max(late) - min(late)) + 0.1
        axes.set_ylim(min(late) - room, min(100.0, max(late) + room))


def _published(axes: Axes, outcome: Outcome) -> None:
    low, high = axes.get_ylim()
    for index, one in enumerate(outcome.plan.published):
        if low - 5 * (high - low) < one.dice <= 100:
            axes.axhline(
                *(one.dice,),
                color=PALETTE[4],
                lw=1,
                ls=(":", "--")[index % 2],
                label=f"published: {one.dice:g} %, {one.what}",
            )
            room = 0.1 * (high - low)
            bottom, top = axes.get_ylim()
            axes.set_ylim(min(bottom, one.dice - room), min(100.0, max(top, one.dice + room)))


def _rows(outcome: Outcome, result: Result) -> list[tuple[Cell, ...]]:
    curve = history_of(result) or {}
    trial = result.trial
    head = label_of(outcome.plan, trial.conditions), trial.split, trial.repeat + 1
    empty = [math.nan] * len(curve.get("step", []))
    columns = [curve.get(name, empty) for name in ("step", "seconds", "loss", FOREGROUND)]
    return [
        (*head, step, seconds, loss, 100 * dice)
        for step, seconds, loss, dice in zip(*columns, strict=True)
    ]

"""What an experiment will run, in words, before it begins."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_xseg.gui.job_bar import time_words

if TYPE_CHECKING:
    from napari_xseg.experiments.glance import Glance
    from napari_xseg.experiments.plan import Plan

_NAMED = 3  # points left out that are named


def overview_words(glance: Glance, *, volume: bool) -> list[str]:
    """Sentences on what will be run; `volume` says whether one without labels is given."""
    said = [_count(glance), _length(glance), *_scaled(glance)]
    said += _left_out(glance)
    if not volume and any(plan.unlabelled for plan in glance.plans):
        said.append("Without an unlabelled volume nothing is predicted at the end.")
    return said


def left_words(glance: Glance) -> str:
    """Each point that is left out and why, a line each."""
    lines = [
        f"{plan.name}, {left.split}, {left.conditions.words()}: {left.why}"
        for plan in glance.plans
        for left in glance.left[plan.name]
    ]
    return "\n".join(lines)


def _count(glance: Glance) -> str:
    count, slices = len(glance.tasks), len(glance.material.usable)
    repeats = sorted({plan.scale(glance.budget).repeats for plan in glance.plans})
    often = " or ".join(map(str, repeats))
    return (
        f"{count} trainings on {slices} labelled slices, each point {often} "
        f"time{'s' if repeats != [1] else ''} for each kind of split."
    )


def _length(glance: Glance) -> str:
    seconds = glance.seconds
    if math.isnan(seconds):
        return "They are as long as their steps take: Estimate tries some."
    return f"They train for {time_words(seconds)}; scoring comes on top."


def _scaled(glance: Glance) -> list[str]:
    usable = len(glance.material.usable)
    few = [plan for plan in glance.plans if usable < _published(plan)]
    if not few:
        return []
    if len(few) == 1:
        plan = few[0]
        share = usable / _published(plan)
        return [
            f"Published with {plan.training} + {plan.validation} slices; here both shrink to "
            f"{100 * share:.0f} % of that."
        ]
    return [f"{len(few)} plans have fewer slices than published; theirs shrink in proportion."]


def _published(plan: Plan) -> int:
    return plan.training + plan.validation


def _left_out(glance: Glance) -> list[str]:
    left = [one for plan in glance.plans for one in glance.left[plan.name]]
    if not left:
        return []
    words = list(dict.fromkeys(one.conditions.words() for one in left))
    named = "; ".join(words[:_NAMED]) + ("; and others" if len(words) > _NAMED else "")
    few = "point is" if len(left) == 1 else "points are"
    return [f"{len(left)} {few} left out for want of slices: {named}."]

"""What the results say in words, and only what they carry."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_xseg.experiments.report.contrasts import difference, is_sure
from napari_xseg.experiments.report.enough import enough_slices, threshold_rule
from napari_xseg.experiments.report.measures import (
    best_of_curve,
    end_of_curve,
    few_repeats,
    history_of,
    interval_cell,
    interval_text,
    label_of,
    measures_of,
    noise_measure,
    varied,
)
from napari_xseg.experiments.statistics import FEWEST, Estimate, estimate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_xseg.experiments.report.measures import Measure
    from napari_xseg.experiments.results import Outcome, Point

NOT_SAID = "cannot be said from these repeats"
_EVEN = 1.5  # times the steps of another repeat that are no cause for doubt
_MOST = 6  # differences that one sentence lists


def findings(outcomes: Sequence[Outcome]) -> list[str]:
    """What was learnt: of noise, of few slices, of random splits, of augmentation."""
    said = [*_noise(outcomes), *_falls(outcomes)]
    for outcome in outcomes:
        said += [*_slices(outcome), *_augmentation(outcome), *_under_noise(outcome)]
    return list(dict.fromkeys([*said, *_random(outcomes)]))


def state_words(outcomes: Sequence[Outcome]) -> str:
    """How much of the experiment is done, in one sentence."""
    over: dict[str, bool] = {}
    failed = set()
    for outcome in outcomes:
        for result in outcome.results:
            key = result.trial.key
            scored = set(outcome.plan.score_noise) <= set(result.scores)
            over[key] = over.get(key, True) and scored
            if result.fault:
                failed.add(key)
    done = sum(over.values())
    text = f"{done} of {len(over)} trainings are done"
    if failed:
        text += f", {len(failed)} failed"
    return f"{text}." if done == len(over) else f"{text}; the rest is missing below."


def doubts(outcome: Outcome, budget: str) -> list[str]:
    """What these data and this budget are too few to show, in plain words."""
    plan, scale = outcome.plan, outcome.plan.scale(budget)  # type: ignore[arg-type]
    said = []
    first = next(iter(outcome.results), None)
    scored = 0 if first is None else len(first.trial.validation)
    if outcome.scaled and first is not None:
        free = [one.trial for one in outcome.results if one.trial.conditions.slices is None]
        most = max((len(trial.train) for trial in free), default=0)
        said.append(
            f"Scaled down: published with {plan.training} training and {plan.validation} scored "
            f"slices; there are too few here, so {f'at most {most} train and ' * bool(most)}"
            f"{scored} are scored."
        )
    if scored and scored == scale.scored:
        said.append(f"This budget scores {scored} slices at most, spread evenly over the split's.")
    if few_repeats(outcome):
        count = scale.repeats
        said.append(
            f"{count} repeat{'s'[: count != 1]}: no intervals, which want {FEWEST}; no difference "
            "can be told from chance."
        )
    for why, counts in _left(outcome).items():
        said.append(f"Left out: {', '.join(counts)} ({why})")
    said += _uneven(outcome)
    failed = [result for result in outcome.results if result.fault]
    said += [f"Failed: {result.trial.words}: {result.fault}" for result in failed]
    missing = [
        result
        for result in outcome.results
        if not result.fault and not set(plan.score_noise) <= set(result.scores)
    ]
    if missing:
        said.append(f"Missing so far: {len(missing)} of {len(outcome.results)} trainings.")
    return said


def _uneven(outcome: Outcome) -> Iterator[str]:
    """Whether repeats of one training came to far more steps than others."""
    worst: tuple[float, list[float]] = (_EVEN, [])
    for point in outcome.points:
        curves = [history_of(result) or {} for result in point.results]
        steps = [curve["step"][-1] for curve in curves if curve.get("step")]
        if len(steps) > 1:
            worst = max(worst, (max(steps) / max(1.0, min(steps)), steps))
    _, steps = worst
    if steps:
        yield (
            f"Repeats of one training came to {min(steps):.0f} to {max(steps):.0f} steps in the "
            "same time: the machine was busy with other work, and the figures hold that too."
        )


def _left(outcome: Outcome) -> dict[str, list[str]]:
    grouped: dict[str, dict[str, list[str]]] = {}
    for one in outcome.left:
        points = grouped.setdefault(_reason(one.why), {})
        points.setdefault(label_of(outcome.plan, one.conditions), []).append(one.split)
    return {
        why: [
            label if set(splits) == set(outcome.plan.splits) else f"{label} ({', '.join(splits)})"
            for label, splits in points.items()
        ]
        for why, points in grouped.items()
    }


def _reason(why: str) -> str:
    # "20 training slices: the labels have ..." says the count that stands beside it already.
    head, _, rest = why.partition(": ")
    return (rest if head.endswith("training slices") else why).rstrip(".")


# -- noise ------------------------------------------------------------------


def _noise(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """How far training with noise helps."""
    unsure: dict[float, list[str]] = {}
    for base, point, std, words in (*_within(outcomes), *_across(outcomes)):
        gain = difference(base, point, noise_measure(std).of)
        if is_sure(gain):
            yield _gain_words(base, point, std, words)
        elif not math.isnan(gain.mean):
            unsure.setdefault(std, []).append(words)
    for std, told in unsure.items():
        yield (
            f"Whether training with noise helps under noise of sd {std:g} {NOT_SAID}: "
            f"{'; '.join(told)}."
        )


def _within(outcomes: Sequence[Outcome]) -> Iterator[tuple[Point, Point, float, str]]:
    """Each way to train with noise and that without, in plans that vary it."""
    for outcome in outcomes:
        plan = outcome.plan
        # A plan for unlabelled data has the trainings of another, and a sentence of its own.
        if "noise" not in varied(plan) or plan.noise_std not in plan.score_noise or plan.unlabelled:
            continue
        for split in plan.splits:
            points = outcome.of(split)
            bases = [one for one in points if one.conditions.noise == "off"]
            for point in points:
                if bases and point is not bases[0]:
                    label = label_of(plan, point.conditions)
                    words = f"{plan.title}, {label} ({split} split)"
                    yield bases[0], point, plan.noise_std, words


def _across(outcomes: Sequence[Outcome]) -> Iterator[tuple[Point, Point, float, str]]:
    """Plans that validate on noise: that which trains with it, and that which does not."""
    noisy = [one for one in outcomes if one.plan.conditions.validation_noise]
    single = [one for one in noisy if not varied(one.plan)]
    without = next((one for one in single if one.plan.conditions.noise == "off"), None)
    taught = next((one for one in single if one.plan.conditions.noise != "off"), None)
    if without is None or taught is None:
        return
    for split in taught.plan.splits:
        words = f"{taught.plan.title} against {without.plan.title.lower()} ({split} split)"
        for base, point in zip(without.of(split), taught.of(split), strict=False):
            yield base, point, taught.plan.noise_std, words


def _gain_words(base: Point, point: Point, std: float, words: str) -> str:
    noisy, clean = noise_measure(std), noise_measure(0.0)
    gain, cost = (difference(base, point, one.of) for one in (noisy, clean))
    before, after = noisy.over(base).mean, noisy.over(point).mean
    text = (
        f"{words}: {_verb(gain)} {_points(gain)} points of Dice under noise of sd {std:g} "
        f"({before:.2f} to {after:.2f} %)"
    )
    if is_sure(cost):
        text += f", and {_verb(cost)} {_points(cost)} on clean slices"
    elif not math.isnan(cost.mean):
        text += f"; what it does on clean slices {NOT_SAID}"
    return f"{text}."


def _falls(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        if not any(one.curve for one in outcome.plan.published):
            continue
        for point in outcome.points:
            fall = estimate([best_of_curve(one) - end_of_curve(one) for one in point.results])
            best = estimate([best_of_curve(one) for one in point.results])
            if not math.isnan(fall.mean):
                at_best = f"the validation curve is at best {interval_text(best)} %"
                if is_sure(fall):
                    end = f" and falls by {interval_text(fall)} points to its end"
                else:
                    told = f"; whether it falls to its end {NOT_SAID}"
                    end = told if fall.mean else " and does not fall"
                yield f"{outcome.plan.title} ({point.split} split): {at_best}{end}."


def _under_noise(outcome: Outcome) -> Iterator[str]:
    std = outcome.plan.noise_std
    if not outcome.plan.unlabelled or std not in outcome.plan.score_noise:
        return
    for split in outcome.plan.splits:
        found = [(point.dice(std), point) for point in outcome.of(split)]
        known = [(dice, point) for dice, point in found if not math.isnan(dice.mean)]
        if len(known) > 1:
            dice, point = max(known, key=lambda one: one[0].mean)
            yield (
                f"{outcome.plan.title}: best under noise of sd {std:g} is "
                f"{label_of(outcome.plan, point.conditions)}, {interval_text(dice)} % ({split} "
                "split)."
            )


# -- slices, augmentation, splits -------------------------------------------


def _slices(outcome: Outcome) -> Iterator[str]:
    plan = outcome.plan
    if plan.threshold is None:
        return
    found = enough_slices(outcome)
    if not found:
        yield f"{plan.title}: how many slices are enough {NOT_SAID}."
        return
    for one in found:
        where = ", ".join(filter(None, (one.label, f"{one.split} split")))
        yield f"{plan.title} ({where}): of {_listed(one.counts)} slices, {one.words}."
    yield threshold_rule(plan)


def _augmentation(outcome: Outcome) -> Iterator[str]:
    plan = outcome.plan
    if "augment" not in varied(plan) or "slices" in varied(plan):
        return
    measure = measures_of(plan)[0]
    for split in plan.splits:
        points = outcome.of(split)
        base = next((one for one in points if one.conditions.augment == "none"), None)
        if base is None:
            continue
        others = [point for point in points if point is not base]
        told, unsure = [], []
        for point in others:
            gain, label = difference(base, point, measure.of), label_of(plan, point.conditions)
            if is_sure(gain):
                told.append(f"{label} {interval_cell(gain, sign=True)}")
            elif not math.isnan(gain.mean):
                unsure.append(label)
        if told or unsure:
            text = f"{plan.title} ({split} split), against no augmentation: "
            text += "; ".join(told) or "no difference that the repeats carry"
            if unsure:
                text += f"; of {', '.join(unsure)} it {NOT_SAID}"
            yield f"{text}."


def _random(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Where random splits come out better or worse than blocked ones."""
    sure, tried = [], 0
    for outcome in outcomes:
        measure = measures_of(outcome.plan)[0]
        for conditions in outcome.plan.points():
            points = {one.split: one for one in outcome.points if one.conditions == conditions}
            if len(points) < 2 or not _known(points.values(), measure):  # type: ignore[arg-type]
                continue
            tried += 1
            gap = difference(points["blocked"], points["random"], measure.of)
            if is_sure(gap):
                name = f"{outcome.plan.title} ({label_of(outcome.plan, conditions)})"
                sure.append((gap, name))
    if not tried:
        return
    flatter = [one for one in sure if one[0].mean > 0]
    if not sure:
        yield (
            f"Whether random splits flatter {NOT_SAID}: at none of {tried} points does the "
            "interval of the difference leave out zero."
        )
        return
    told = [f"{name} by {_points(gap)}" for gap, name in flatter]
    yield (
        f"Random splits flatter at {len(flatter)} of {tried} points"
        f"{': ' if told else ''}{'; '.join(told[:_MOST])}{'; ...' if len(told) > _MOST else ''}."
    )
    worse = len(sure) - len(flatter)
    if worse:
        yield f"At {worse} of {tried} points a random split comes out worse than a blocked one."


def _known(points: Sequence[Point], measure: Measure) -> bool:
    return all(not math.isnan(measure.over(point).mean) for point in points)


def _verb(gain: Estimate) -> str:
    return "gains" if gain.mean > 0 else "loses"


def _points(gain: Estimate) -> str:
    low, high = sorted((abs(gain.low), abs(gain.high)))
    return f"{abs(gain.mean):.2f} [{low:.2f}, {high:.2f}]"


def _listed(counts: Sequence[int]) -> str:
    return ", ".join(map(str, counts))

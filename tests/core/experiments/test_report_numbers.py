from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from napari_xseg.experiments.plan import Vary
from napari_xseg.experiments.report.contrasts import difference, welch
from napari_xseg.experiments.report.enough import Enough, enough_slices
from napari_xseg.experiments.report.figures import noise_figure, size_figure
from napari_xseg.experiments.report.numbers import results_csv
from napari_xseg.experiments.report.tables import (
    classes_table,
    fractions_table,
    points_table,
    published_table,
    runs_table,
)
from napari_xseg.experiments.results import read_outcomes
from napari_xseg.experiments.statistics import Threshold
from tests.core.experiments.fabricated import PIXELS, dice_of, fabricate, small

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.experiments.material import Source
    from napari_xseg.experiments.trial import Trial

BLOCKED, RANDOM = (0.010, 0.013, 0.019), (0.004, 0.005, 0.0065)


def by_split(trial: Trial, std: float) -> float:
    """Errors that differ between splits and repeats, and grow with the noise."""
    return (BLOCKED if trial.split == "blocked" else RANDOM)[trial.repeat] + std * 2e-6


def student(values: list[float]) -> str:
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    return f"{np.mean(values):.2f} [{low:.2f}, {high:.2f}]"


def test_the_published_table_holds_the_means_with_students_and_welchs_intervals(
    source: Source, tmp_path: Path
) -> None:
    suite = fabricate(tmp_path, [small("baseline")], source, by_split)
    (row,) = published_table(read_outcomes(suite)).rows
    blocked, random = ([dice_of(one) for one in part] for part in (BLOCKED, RANDOM))
    apart = stats.ttest_ind(random, blocked, equal_var=False).confidence_interval()
    gap = np.mean(random) - np.mean(blocked)
    told = f"{gap:+.2f} [{apart.low:+.2f}, {apart.high:+.2f}]"
    assert row[:3] == ("Baseline", "400 random slices", "99.105")
    assert row[4:] == (student(blocked), student(random), told, "3")


def test_two_repeats_give_no_interval(source: Source, tmp_path: Path) -> None:
    suite = fabricate(tmp_path, [small("baseline", repeats=2)], source, by_split)
    table = published_table(read_outcomes(suite))
    (row,) = table.rows
    mean = np.mean([dice_of(one) for one in BLOCKED[:2]])
    assert row[4] == f"{mean:.2f} *"
    assert not any("[" in cell for cell in row)
    assert "* too few repeats for an interval" in table.note


def test_published_counts_stand_beside_the_trainings_of_that_count(
    source: Source, tmp_path: Path
) -> None:
    plans = [small("baseline"), small("training-size", vary=Vary(slices=(1, 5)))]
    suite = fabricate(
        tmp_path,
        plans,
        source,
        lambda trial, _: {1: 0.05, 5: 0.02, None: 0.01}[trial.conditions.slices],
    )
    rows = {row[1]: row for row in published_table(read_outcomes(suite)).rows}
    assert rows["5 slices"][4].startswith(f"{dice_of(0.02):.2f}")
    assert rows["400 slices"][4].startswith(f"{dice_of(0.01):.2f}")
    assert rows["5 slices"][3].startswith("5 + ")


def test_the_noisy_experiments_are_measured_as_published(source: Source, tmp_path: Path) -> None:
    plans = [small("noisy-training"), small("noise-in-validation")]
    suite = fabricate(tmp_path, plans, source, by_split)
    rows = published_table(read_outcomes(suite)).rows
    noisy, best, end = rows
    # Clean and noisy slices count alike, so their counts are added before Dice is taken.
    mixed = [dice_of((one + one + 5000 * 2e-6) / 2) for one in BLOCKED]
    assert noisy[4].split(" ")[0] == f"{np.mean(mixed):.2f}"
    top = np.mean([dice_of(one) for one in BLOCKED])
    assert best[4].split(" ")[0] == f"{top:.2f}"
    assert end[4].split(" ")[0] == f"{top - 2:.2f}"


def test_the_size_figure_holds_the_numbers_it_shows(source: Source, tmp_path: Path) -> None:
    plan = small("training-size", vary=Vary(slices=(1, 5, 15)))
    wrong = {1: 0.05, 5: 0.011, 15: 0.010}
    suite = fabricate(
        tmp_path,
        [plan],
        source,
        lambda trial, _: wrong[trial.conditions.slices] * (1 + trial.repeat / 50),
    )
    (outcome,) = read_outcomes(suite)
    shown = size_figure(outcome)
    assert shown is not None
    rows = list(csv.DictReader(shown.csv.splitlines()))
    one = next(row for row in rows if (row["split"], row["slices"]) == ("blocked", "5"))
    values = [dice_of(0.011 * (1 + repeat / 50)) for repeat in range(3)]
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    found = [float(one[name]) for name in ("mean", "low", "high")]
    assert found == pytest.approx([np.mean(values), low, high], rel=1e-6)
    assert [float(value) for value in one["values"].split()] == pytest.approx(values, rel=1e-6)
    published = {row["slices"]: row["mean"] for row in rows if row["line"] == "published"}
    assert published == {"5": "98.667", "400": "99.105"}


def test_enough_slices_follow_the_rule_and_want_all_trainings(
    source: Source, tmp_path: Path
) -> None:
    plan = small("training-size", vary=Vary(slices=(1, 5, 15)))
    wrong = {1: 0.05, 5: 0.011, 15: 0.010}  # 5 slices come within 0.2 points of 15
    suite = fabricate(tmp_path, [plan], source, lambda trial, _: wrong[trial.conditions.slices])
    found = {one.split: one for one in enough_slices(read_outcomes(suite)[0])}
    assert found["blocked"].threshold.count == 5
    assert found["blocked"].counts == (1, 5, 15)
    assert found["blocked"].words == "5 slices are enough (95 %: 5 to 5)"
    half = fabricate(
        tmp_path / "half", [plan], source, lambda trial, _: wrong[trial.conditions.slices], leave=1
    )
    assert [one.split for one in enough_slices(read_outcomes(half)[0])] == ["blocked"]


@pytest.mark.parametrize(
    ("count", "low", "high", "words"),
    [
        (1, 1, 1, "1 slice is enough (95 %: 1 to 1)"),
        (15, 5, 15, "all 15 slices still pay, more were not tried (95 %: 5 to 15)"),
        (5, 1, 15, "how many are enough cannot be said from these repeats (95 %: 1 to 15)"),
        (
            *(5, None, None),
            "how many are enough cannot be said from these repeats "
            "(too few repeats for an interval)",
        ),
    ],
)
def test_enough_says_no_more_than_is_known(
    count: int, low: int | None, high: int | None, words: str
) -> None:
    assert Enough("", "blocked", (1, 5, 15), Threshold(count, low, high)).words == words


def test_the_noise_figure_has_a_line_for_each_training(source: Source, tmp_path: Path) -> None:
    plan = small("noise-curve", score_noise=(0, 2500, 5000), splits=("blocked",))
    suite = fabricate(tmp_path, [plan], source, by_split)
    shown = noise_figure(read_outcomes(suite)[0])
    assert shown is not None
    rows = list(csv.DictReader(shown.csv.splitlines()))
    assert len({row["line"] for row in rows}) == 4
    mean = np.mean([dice_of(one + 2500 * 2e-6) for one in BLOCKED])
    told = [float(row["mean"]) for row in rows if row["noise sd"] == "2500"]
    assert told == pytest.approx([mean] * 4, rel=1e-6)
    assert len(shown.figure.axes) == 1


def test_classes_and_fractions_come_from_the_counts(source: Source, tmp_path: Path) -> None:
    suite = fabricate(tmp_path, [small("baseline", splits=("blocked",))], source, lambda *_: 0.03)
    outcomes, classes = read_outcomes(suite), suite.material.labels.classes
    (row,) = classes_table(outcomes, classes).rows
    missed = 0.03 * PIXELS
    one, two = 2 * PIXELS / (2 * PIXELS + missed), 2 * (PIXELS - missed) / (2 * PIXELS - missed)
    means = [100 * (1 + one + two) / 3, 100 * (one + two) / 2, 100, 100 * one, 100 * two]
    assert [cell.split(" ")[0] for cell in row[3:]] == [f"{mean:.2f}" for mean in means]
    (row,) = fractions_table(outcomes, classes).rows
    assert row[3:] == (
        "33.33 / 33.33 (+0.00)",
        "33.33 / 34.33 (+1.00)",
        "33.33 / 32.33 (-1.00)",
    )


def test_all_numbers_are_in_one_file(source: Source, tmp_path: Path) -> None:
    plan = small("noisy-training", splits=("blocked",))
    suite = fabricate(tmp_path, [plan], source, by_split)
    rows = list(
        csv.DictReader(
            results_csv(read_outcomes(suite), suite.material.labels.classes).splitlines()
        )
    )
    assert len(rows) == 6  # three repeats, clean and noisy
    told = {(int(row["repeat"]), row["noise sd"]): float(row["dice_foreground"]) for row in rows}
    wanted = {
        (repeat + 1, f"{std}"): dice_of(one + std * 2e-6)
        for repeat, one in enumerate(BLOCKED)
        for std in (0, 5000)
    }
    assert told == pytest.approx(wanted, abs=1e-5)


def test_each_training_is_listed_once_with_its_slices(source: Source, tmp_path: Path) -> None:
    plans = [small("baseline"), small("noise-curve", vary=Vary(noise=("off", "only")))]
    suite = fabricate(tmp_path, plans, source, by_split, leave=1)
    table = runs_table(read_outcomes(suite), whole=True)
    rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    assert len(rows) == len(suite.tasks) == 12
    assert sum(row["state"] == "done" for row in rows) == 11
    shared = next(row for row in rows if row["run"].startswith("blocked-1-all-slices"))
    assert shared["experiments"] == "baseline, noise-curve"
    trial = next(one.trial for one in suite.tasks if one.trial.folder == shared["run"])
    assert shared["validation z"] == " ".join(map(str, trial.validation))
    assert shared["data"] == suite.material.sha256


def test_points_give_clean_and_noisy_slices(source: Source, tmp_path: Path) -> None:
    plan = small("noisy-only", vary=Vary(slices=(1, 5), augment=("none", "recipe")))
    suite = fabricate(tmp_path, [plan], source, by_split)
    rows = points_table(read_outcomes(suite)[0]).rows
    assert [row[:2] for row in rows[:2]] == [
        ("1 slice, no augmentation", "clean slices"),
        ("1 slice, no augmentation", "noisy slices (sd 5000)"),
    ]
    assert len(rows) == 8
    assert rows[1][2] == student([dice_of(one + 0.01) for one in BLOCKED])


def test_points_on_the_same_slices_are_compared_repeat_by_repeat(
    source: Source, tmp_path: Path
) -> None:
    plan = small("noise-curve", splits=("blocked",), vary=Vary(noise=("off", "only")))
    gains = {"off": 0.0, "only": -0.002}
    suite = fabricate(
        tmp_path,
        [plan],
        source,
        lambda trial, std: by_split(trial, std) + gains[trial.conditions.noise],
    )
    off, only = read_outcomes(suite)[0].points
    found = difference(off, only, lambda result: result.dice(0.0))
    pairs = [dice_of(one - 0.002) - dice_of(one) for one in BLOCKED]
    assert found.values == pytest.approx(pairs)
    low, high = stats.t.interval(0.95, 2, np.mean(pairs), stats.sem(pairs))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_welch_wants_three_of_each() -> None:
    assert not welch([1.0, 2.0, 4.0], [3.0, 4.0]).known
    assert math.isnan(welch([], [3.0]).mean)
    assert welch([1.0, 1.0, 1.0], [2.0, 2.0, 2.0, math.nan]).low == 1.0

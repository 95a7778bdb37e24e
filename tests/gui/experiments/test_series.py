from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from napari_xseg.experiments.glance import Glance
from napari_xseg.experiments.material import Remembered
from napari_xseg.experiments.plan import Vary, load_plans, with_changes
from napari_xseg.experiments.results import read_outcomes
from napari_xseg.gui.experiments.overview import left_words, overview_words
from napari_xseg.gui.experiments.series import NOISE, chart_of
from tests.core.experiments.fabricated import dice_of, small, write_result

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.experiments.plan import Plan


def done(folder: Path, plan: Plan, leave: int = 0) -> Glance:
    glance = Glance.of(folder, [plan], Remembered(tuple(range(60))), "cpu")
    for task in glance.tasks[: len(glance.tasks) - leave]:
        write_result(
            glance,
            task,
            lambda trial, std: (
                0.4 / (trial.conditions.slices or 40) + 0.01 * trial.repeat + std / 1e5
            ),
        )
    return glance


def test_dice_is_drawn_over_the_number_of_slices(tmp_path: Path) -> None:
    plan = small("training-size", vary=Vary(slices=(5, 10)), splits=("blocked", "random"))
    (outcome,) = read_outcomes(done(tmp_path, plan))
    chart = chart_of(outcome, 0.0)
    assert chart.axis == "training slices"
    assert [line.name for line in chart.lines] == ["blocked", "random"]
    for line in chart.lines:
        assert line.x == (5, 10)
        assert line.y[0] == pytest.approx(sum(dice_of(0.08 + 0.01 * n) for n in range(3)) / 3)
        assert line.low[0] < line.y[0] < line.high[0]
        assert line.y[0] < line.y[1]


def test_what_is_not_scored_yet_is_not_drawn(tmp_path: Path) -> None:
    plan = small("training-size", vary=Vary(slices=(5, 10)), splits=("blocked",), repeats=1)
    (outcome,) = read_outcomes(done(tmp_path, plan, leave=1))
    (line,) = chart_of(outcome, 0.0).lines
    assert line.x == (5,)
    assert math.isnan(line.low[0])


def test_dice_is_drawn_over_the_noise_that_it_is_scored_at(tmp_path: Path) -> None:
    plan = small("noise-curve", splits=("blocked",), score_noise=(0, 1000, 5000))
    (outcome,) = read_outcomes(done(tmp_path, plan))
    chart = chart_of(outcome, 0.0)
    assert chart.axis == NOISE
    assert len(chart.lines) == len(outcome.points)
    assert chart.lines[0].x == (0, 1000, 5000)
    assert list(chart.lines[0].y) == sorted(chart.lines[0].y, reverse=True)


def test_conditions_without_a_number_stand_side_by_side(tmp_path: Path) -> None:
    plan = small("lis", splits=("blocked",), score_noise=(0,))
    (outcome,) = read_outcomes(done(tmp_path, plan))
    chart = chart_of(outcome, 0.0)
    assert len(chart.ticks) == len(plan.vary.noise) == 4
    assert chart.lines[0].x == (0, 1, 2, 3)


def test_what_will_be_run_is_said_before_it_begins(tmp_path: Path) -> None:
    few = Remembered(tuple(range(20)))
    plans = [with_changes(one, "cpu", seconds=20) for one in load_plans("training-size")]
    glance = Glance.of(tmp_path, plans, few, "cpu")
    said = " ".join(overview_words(glance, volume=False))
    assert said.startswith(f"{len(glance.tasks)} trainings on 20 labelled slices")
    assert "points are left out" in said
    assert "25 slices" in left_words(glance)
    assert f"{20 * len(glance.tasks) / 60:.0f} min" in said
    stepped = Glance.of(tmp_path, load_plans("training-size"), few, "cpu")
    assert "as long as their steps take" in " ".join(overview_words(stepped, volume=False))
    lis = Glance.of(tmp_path, load_plans("lis"), few, "cpu")
    assert "Without an unlabelled volume" in " ".join(overview_words(lis, volume=False))
    assert "Without" not in " ".join(overview_words(lis, volume=True))
    steps = Glance.of(tmp_path, [small("baseline")], few, "cpu")
    assert "Estimate" in " ".join(overview_words(steps, volume=False))

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_xseg.errors import XsegError
from napari_xseg.experiments.material import Remembered
from napari_xseg.experiments.plan import (
    PLANS,
    Conditions,
    Plan,
    Scale,
    Vary,
    load_plan,
    load_plans,
    with_changes,
)
from napari_xseg.experiments.trial import make_trials

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", PLANS)
def test_each_plan_of_the_package_is_read_and_written_whole(name: str, tmp_path: Path) -> None:
    plan = load_plan(name)
    assert plan.name == name
    assert plan.question.endswith("?")
    path = tmp_path / "mine.toml"
    path.write_text(plan.to_toml(), encoding="utf-8")
    assert load_plan(path) == plan


def test_the_published_numbers() -> None:
    plans = {plan.name: plan for plan in load_plans("poster")}
    assert tuple(plans) == PLANS
    numbers = {name: (plans[name].training, plans[name].validation) for name in PLANS[:4]}
    assert numbers == {
        "baseline": (400, 100),
        "noisy-training": (540, 60),
        "noise-in-validation": (480, 60),
        "training-size": (400, 100),
    }
    assert plans["training-size"].vary.slices == (5, 10, 15, 20, 25, 45, 65, 85, 105)
    assert all(plan.scale("full").recipe == "poster" for plan in plans.values())
    assert all(plan.scale("full").seconds is None for plan in plans.values())


def test_points_are_all_combinations() -> None:
    vary = Vary(slices=(1, 5), augment=("none", "all"))
    points = vary.points(Conditions(noise="only"))
    assert [(point.slices, point.augment) for point in points] == [
        (1, "none"),
        (1, "all"),
        (5, "none"),
        (5, "all"),
    ]
    assert {point.noise for point in points} == {"only"}
    assert Vary().points(Conditions()) == (Conditions(),)


def test_conditions_say_what_they_are() -> None:
    assert Conditions().words() == "all slices"
    told = Conditions(slices=1, noise="copies", crop=64).words()
    assert told == "1 slice, noisy copies, crops of 64 px"
    assert Conditions(slices=5, noise="only").words(but=Conditions(noise="only")) == "5 slices"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('name = "x"\ntitle = "x"\n[vary]\nslice = [1]', "vary.slice"),
        ('name = "x"\ntitle = "x"\nthreshold = 0.2', "two counts or more"),
        ('name = "x"\ntitle = "x"\nscore_noise = []', "score_noise"),
        ('name = "x y"\ntitle = "x"', "name"),
        ('name = "x"\ntitle = "x"\n[budgets.laptop]\nrepeats = 1', "budgets.laptop"),
    ],
)
def test_a_wrong_plan_says_where(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(XsegError, match=complaint):
        load_plan(path)


def test_an_unknown_plan_names_those_there_are() -> None:
    with pytest.raises(XsegError, match=r"baseline, noisy-training.*poster"):
        load_plan("bsaeline")


def test_one_budget_is_changed_alone() -> None:
    plan = with_changes(Plan(name="x", title="x"), "cpu", repeats=1, seconds=None)
    assert plan.scale("cpu").repeats == 1
    assert plan.scale("cpu").steps == 250
    by_time = with_changes(plan, "cpu", seconds=7).scale("cpu")
    assert (by_time.steps, by_time.seconds) == (None, 7)
    assert plan.scale("gpu").repeats == 5
    by_steps = with_changes(plan, "cpu", steps=7).scale("cpu")
    assert (by_steps.steps, by_steps.seconds) == (7, None)
    with pytest.raises(XsegError, match="give one"):
        with_changes(plan, "cpu", steps=7, seconds=3)


def test_a_budget_may_score_fewer_slices() -> None:
    material = Remembered(tuple(range(40)), "data")
    plan = load_plan("baseline").replace(budgets={"cpu": Scale(steps=5, scored=3, repeats=2)})
    trials, _ = make_trials(plan, material, "cpu")
    whole = plan.replace(budgets={"cpu": Scale(steps=5, repeats=2)})
    for trial, full in zip(trials, make_trials(whole, material, "cpu")[0], strict=True):
        assert len(trial.validation) == 3
        assert set(trial.validation) < set(full.validation)
        assert trial.train == full.train


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[vary]\ncrop = [4]", r"mine\.toml: vary\.crop"),
        ("[vary]\nside = [0]", r"mine\.toml: vary\.side"),
        ("[conditions]\ncrop = 100000", r"mine\.toml: conditions\.crop"),
        ("[vary]\nslices = [3, 3]", r"mine\.toml: vary: slices: 3 is named twice"),
        ('splits = ["random", "random"]', r"mine\.toml: splits: random is named twice"),
        ("score_noise = [0, 5, 5]", r"mine\.toml: score_noise: 5.0 is named twice"),
    ],
)
def test_what_a_plan_cannot_mean_is_said_with_its_place(
    text: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'name = "mine"\ntitle = "Mine"\n{text}\n', encoding="utf-8")
    with pytest.raises(XsegError, match=said):
        load_plan(path)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from napari_xseg.experiments.plan import Vary
from napari_xseg.experiments.report.statements import NOT_SAID, doubts, findings, state_words
from napari_xseg.experiments.results import read_outcomes
from napari_xseg.experiments.running import note_fault
from tests.core.experiments.fabricated import dice_of, fabricate, small, write_result

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.experiments.material import Source
    from napari_xseg.experiments.trial import Trial


def spread(trial: Trial) -> float:
    return (0.000, 0.001, 0.0005)[trial.repeat]


def test_random_splits_flatter_where_the_interval_leaves_out_zero(
    source: Source, tmp_path: Path
) -> None:
    base = {"blocked": 0.02, "random": 0.01}
    suite = fabricate(
        tmp_path, [small("baseline")], source, lambda trial, _: base[trial.split] + spread(trial)
    )
    (said,) = findings(read_outcomes(suite))
    blocked, random = (
        [dice_of(base[split] + one) for one in (0.0, 0.001, 0.0005)] for split in base
    )
    apart = stats.ttest_ind(random, blocked, equal_var=False).confidence_interval()
    gap = np.mean(random) - np.mean(blocked)
    assert said == (
        "Random splits flatter at 1 of 1 points: Baseline (all slices) by "
        f"{gap:.2f} [{apart.low:.2f}, {apart.high:.2f}]."
    )


def test_a_difference_whose_interval_holds_zero_is_not_said(source: Source, tmp_path: Path) -> None:
    base = {"blocked": 0.0203, "random": 0.02}
    suite = fabricate(
        tmp_path, [small("baseline")], source, lambda trial, _: base[trial.split] + spread(trial)
    )
    (said,) = findings(read_outcomes(suite))
    assert said.startswith(f"Whether random splits flatter {NOT_SAID}")


def test_uneven_trainings_are_doubted(source: Source, tmp_path: Path) -> None:
    suite = fabricate(tmp_path, [small("baseline")], source, lambda *_: 0.01)
    (outcome,) = read_outcomes(suite)
    assert not any("steps in the same time" in one for one in doubts(outcome, "cpu"))
    path = suite.runs / suite.tasks[0].trial.folder / "history.csv"
    path.write_text("step,seconds,loss,dice_foreground\n7,3.0,0.9,0.5\n", encoding="utf-8")
    said = doubts(outcome, "cpu")
    assert any(one.startswith("Repeats of one training came to 7 to 30 steps") for one in said)


def test_what_the_repeats_do_not_carry_is_not_said(source: Source, tmp_path: Path) -> None:
    def same(trial: Trial, _: float) -> float:
        return 0.02 + spread(trial)

    suite = fabricate(tmp_path / "three", [small("baseline")], source, same)
    (said,) = findings(read_outcomes(suite))
    assert said.startswith(f"Whether random splits flatter {NOT_SAID}")
    two = fabricate(
        tmp_path / "two",
        [small("baseline", repeats=2)],
        source,
        lambda trial, _: {"blocked": 0.3, "random": 0.01}[trial.split],
    )
    (said,) = findings(read_outcomes(two))
    assert said.startswith(f"Whether random splits flatter {NOT_SAID}")


def test_noise_training_helps_where_the_results_carry_it(source: Source, tmp_path: Path) -> None:
    def wrong(trial: Trial, std: float) -> float:
        hurt = {"off": 0.3, "copies": 0.02, "toggle": 0.3, "only": 0.3}[trial.conditions.noise]
        return 0.01 + (hurt if std else 0.0) + spread(trial) * (trial.conditions.noise == "toggle")

    plan = small("noise-curve", splits=("blocked",), score_noise=(0, 5000))
    suite = fabricate(tmp_path, [plan], source, wrong)
    gained, unsure = findings(read_outcomes(suite))[:2]
    before, after = dice_of(0.31), dice_of(0.03)
    assert gained.startswith(
        "Dice against noise, noisy copies in training (blocked split): gains "
        f"{after - before:.2f} [{after - before:.2f}, {after - before:.2f}] points"
    )
    assert f"({before:.2f} to {after:.2f} %)" in gained
    assert NOT_SAID in unsure
    assert "random noise in training" in unsure
    assert "noisy copies" not in unsure


def test_noise_in_training_is_set_against_noise_in_validation_alone(
    source: Source, tmp_path: Path
) -> None:
    def wrong(trial: Trial, std: float) -> float:
        noisy = 0.4 if std and trial.conditions.noise == "off" else 0.01
        return noisy + spread(trial)

    plans = [small("noisy-training"), small("noise-in-validation")]
    said = findings(read_outcomes(fabricate(tmp_path, plans, source, wrong)))
    start = "Noisy slices in training against noise in validation only (blocked split): gains"
    assert said[0].startswith(start)
    fall = next(one for one in said if "falls by" in one)
    assert "falls by 2.00 [2.00, 2.00] points to its end" in fall


def test_few_slices_that_suffice_are_told_with_the_rule(source: Source, tmp_path: Path) -> None:
    wrong = {1: 0.05, 5: 0.011, 15: 0.010}
    plan = small("training-size", vary=Vary(slices=(1, 5, 15)))
    suite = fabricate(tmp_path, [plan], source, lambda trial, _: wrong[trial.conditions.slices])
    said = findings(read_outcomes(suite))
    told = "of 1, 5, 15 slices, 5 slices are enough (95 %: 5 to 5)."
    assert f"Training-set size (blocked split): {told}" in said
    assert any("within 0.2 points of the largest count" in one for one in said)


def test_augmentations_that_matter(source: Source, tmp_path: Path) -> None:
    def wrong(trial: Trial, _: float) -> float:
        kind = trial.conditions.augment
        return {"none": 0.05, "turns": 0.02, "grey": 0.05}[kind] + spread(trial) * (kind == "grey")

    plan = small("single-image", splits=("blocked",), vary=Vary(augment=("none", "turns", "grey")))
    said = findings(read_outcomes(fabricate(tmp_path, [plan], source, wrong)))
    (told,) = [one for one in said if "against no augmentation" in one]
    gain = dice_of(0.02) - dice_of(0.05)
    assert f"turns and mirror images {gain:+.2f}" in told
    assert told.endswith(f"of gain and offset of grey it {NOT_SAID}.")


def test_too_few_data_are_said_plainly(source: Source, tmp_path: Path) -> None:
    plan = small("training-size", repeats=2)
    suite = fabricate(tmp_path, [plan], source, lambda *_: 0.01)
    said = doubts(read_outcomes(suite)[0], "cpu")
    assert said[0].startswith("Scaled down: published with 400 training and 100 scored slices")
    assert said[1].startswith("2 repeats: no intervals")
    left = next(one for one in said if one.startswith("Left out"))
    assert "105 slices" in left
    assert "label more slices" in left


def test_a_suite_under_way_says_how_far_it_is(source: Source, tmp_path: Path) -> None:
    suite = fabricate(tmp_path, [small("baseline")], source, lambda *_: 0.01, leave=2)
    missing = suite.tasks[-1].trial
    note_fault(suite.runs / missing.folder, "the disk is full")
    outcomes = read_outcomes(suite)
    assert state_words(outcomes) == (
        "4 of 6 trainings are done, 1 failed; the rest is missing below."
    )
    said = doubts(outcomes[0], "cpu")
    assert f"Failed: {missing.words}: the disk is full" in said
    assert "Missing so far: 1 of 6 trainings." in said
    for task in suite.tasks:
        write_result(suite, task, lambda *_: 0.01)
    assert state_words(read_outcomes(suite)).startswith("6 of 6 trainings are done")

"""Every plan of the package in miniature, and what must come out whatever the machine."""

from __future__ import annotations

from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from napari_xseg.data.phantom import phantom
from napari_xseg.data.volume import volume_from_array
from napari_xseg.data.writing import save_volume
from napari_xseg.events import TrialDone
from napari_xseg.experiments.after import follow_up, mask_path
from napari_xseg.experiments.material import Source
from napari_xseg.experiments.plan import Scale, Vary, load_plan, load_plans
from napari_xseg.experiments.report import write_report
from napari_xseg.experiments.results import read_outcomes
from napari_xseg.experiments.suite import Suite, run_suite
from napari_xseg.model.metadata import read_model_info
from napari_xseg.review.suspects.kept import suspects_path

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.experiments.plan import Plan

SLICES = 24
# The phantom's phases are 29,000 counts apart, SOC's a fraction of that.
NOISE = 12_000.0


def written(folder: Path, seed: int, drift: float = 0.0, side: int = 96) -> Source:
    """A phantom in files; each slice is brighter or darker by up to `drift`."""
    images, labels = phantom((SLICES, side, side), seed)
    gain = 1 + drift * np.random.default_rng(seed).uniform(-1, 1, (SLICES, 1, 1))
    drifted = np.clip(images * gain, 0, 65535).astype(np.uint16)
    save_volume(folder / "images.tif", volume_from_array(drifted))
    save_volume(folder / "labels.tif", volume_from_array(labels, meaning="labels"))
    return Source(
        images=str(folder / "images.tif"), labels=str(folder / "labels.tif"), unlabelled="none"
    )


def miniature(plan: Plan, steps: int, repeats: int = 1) -> Plan:
    return plan.replace(budgets={"cpu": Scale(recipe="quick", steps=steps, repeats=repeats)})


# -- every plan -------------------------------------------------------------


def test_every_plan_runs_to_its_report(tmp_path: Path) -> None:
    source = written(tmp_path, 1, side=64)
    plans = [miniature(plan.replace(splits=("random",)), steps=2) for plan in load_plans("poster")]
    suite = Suite.make(tmp_path / "out", plans, source, "cpu", unlabelled=source.images)
    reasons = [event.reason for event in run_suite(suite) if isinstance(event, TrialDone)]
    assert reasons == ["done"] * len(suite.tasks)
    for _ in follow_up(suite):
        pass
    outcomes = read_outcomes(suite)
    assert all(outcome.complete for outcome in outcomes)
    for outcome in outcomes:
        for point in outcome.of("random"):
            for noise in outcome.plan.score_noise:
                assert 0 <= point.dice(noise).mean <= 100
    certified = [result for result in outcomes[7].results if read_model_info(result.run).noise]
    assert len(certified) == len(outcomes[7].results) == 4
    assert mask_path(suite).exists()
    assert suspects_path(mask_path(suite)).exists()
    page = write_report(suite).read_text(encoding="utf-8")
    assert all(plan.title in page for plan in plans)
    assert "There is no truth for this volume" in page
    assert "places are listed as suspicious" in page
    fractions = (tmp_path / "out" / "figures" / "unlabelled-fractions.csv").read_text()
    rows = [line.split(",") for line in fractions.splitlines()]
    assert len(rows) == SLICES + 1
    assert all(sum(map(float, row[1:])) == pytest.approx(100, abs=0.01) for row in rows[1:])


# -- directions -------------------------------------------------------------


class Noisy(NamedTuple):
    """Foreground Dice, percent, on clean and on noisy slices."""

    clean: float
    noisy: float


@pytest.fixture(scope="module")
def under_noise(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Noisy]:
    """By plan: the mean of two repeats."""
    folder = tmp_path_factory.mktemp("noise")
    plans = [
        miniature(
            load_plan(name).replace(splits=("random",), noise_std=NOISE, score_noise=(0, NOISE)),
            steps=60,
            repeats=2,
        )
        for name in ("noise-in-validation", "noisy-training")
    ]
    suite = Suite.make(folder / "out", plans, written(folder, 1), "cpu")
    for _ in run_suite(suite):
        pass
    found = {}
    for outcome in read_outcomes(suite):
        (point,) = outcome.of("random")
        found[outcome.plan.name] = Noisy(point.dice(0.0).mean, point.dice(NOISE).mean)
    return found


def test_noise_in_validation_alone_hurts(under_noise: dict[str, Noisy]) -> None:
    # 97 % and 36 % as this is written, 97 % and 55 % with another phantom.
    unaware = under_noise["noise-in-validation"]
    assert unaware.clean > 90
    assert unaware.noisy < unaware.clean - 20


def test_noisy_training_mends_it(under_noise: dict[str, Noisy]) -> None:
    # 95 %, one point below its clean slices.
    unaware, trained = under_noise["noise-in-validation"], under_noise["noisy-training"]
    assert trained.noisy > unaware.noisy + 20
    assert trained.noisy > trained.clean - 5
    assert trained.clean > unaware.clean - 5


def test_dice_grows_with_slices(tmp_path: Path) -> None:
    # Slices differ in brightness, as those of a scan with a drifting beam: 1 slice
    # reaches 62 %, 4 reach 72 % and 12 reach 95 %; with another phantom 71, 90 and 96 %.
    plan = load_plan("training-size").replace(
        splits=("random",), threshold=None, vary=Vary(slices=(1, 4, 12))
    )
    source = written(tmp_path, 1, drift=0.12)
    suite = Suite.make(tmp_path / "out", (miniature(plan, 60, 2),), source, "cpu")
    for _ in run_suite(suite):
        pass
    (outcome,) = read_outcomes(suite)
    dice = {
        point.conditions.slices: mean(result.dice(0.0) for result in point.results)
        for point in outcome.of("random")
    }
    assert dice[1] + 3 < dice[4]
    assert dice[4] + 3 < dice[12]
    assert dice[12] > 85

from __future__ import annotations

import json
import math
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_xseg.data.locking import lock_folder, unlock
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Finished, Message, StepDone, TrialDone
from napari_xseg.experiments import running
from napari_xseg.experiments import suite as suite_module
from napari_xseg.experiments.after import follow_up, mask_path
from napari_xseg.experiments.plan import Conditions, Plan, Scale, Vary, load_plan
from napari_xseg.experiments.results import read_outcomes
from napari_xseg.experiments.suite import Suite, run_suite
from napari_xseg.model.checkpoint import load_model
from napari_xseg.prediction.sidecar import read_sidecar

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.experiments.material import Material, Source

STD = 5000.0


def small(name: str, steps: int = 3, repeats: int = 1, **changes: object) -> Plan:
    """A plan of the package in miniature."""
    plan = load_plan(name).replace(**changes)
    return plan.replace(budgets={"cpu": Scale(steps=steps, repeats=repeats)})


def run(suite: Suite) -> list[TrialDone]:
    return [event for event in run_suite(suite) if isinstance(event, TrialDone)]


def test_each_training_is_done_once_whatever_plan_asks(source: Source, tmp_path: Path) -> None:
    plans = (small("baseline"), small("noise-curve", score_noise=(0, STD)))
    suite = Suite.make(tmp_path / "out", plans, source, "cpu")
    assert len(suite.tasks) == 8
    first = run(suite)
    assert [event.reason for event in first] == ["done"] * 8
    assert [event.done for event in first] == list(range(1, 9))
    assert first[-1].left == 0
    again = run(Suite.open(tmp_path / "out"))
    assert [event.reason for event in again] == ["kept"] * 8
    baseline, curve = read_outcomes(suite)
    assert baseline.complete
    assert curve.complete
    clean = next(point for point in curve.of("blocked") if point.conditions.noise == "off")
    assert clean.results[0].run == baseline.of("blocked")[0].results[0].run
    assert not math.isnan(clean.dice(STD).mean)


def test_more_noise_to_score_at_trains_nothing_anew(source: Source, tmp_path: Path) -> None:
    plan = small("baseline", splits=("blocked",))
    run(Suite.make(tmp_path / "out", (plan,), source, "cpu"))
    model = next((tmp_path / "out" / "runs").glob("*/model.safetensors"))
    before = model.stat().st_mtime_ns
    wider = plan.replace(score_noise=(0, 1000))
    suite = Suite.make(tmp_path / "out", (wider,), source, "cpu")
    assert [event.reason for event in run(suite)] == ["done"]
    assert model.stat().st_mtime_ns == before
    assert set(read_outcomes(suite)[0].results[0].scores) == {0.0, 1000.0}


def test_scores_are_those_of_an_evaluation(
    source: Source, material: Material, tmp_path: Path
) -> None:
    suite = Suite.make(tmp_path / "out", (small("baseline", splits=("blocked",)),), source, "cpu")
    run(suite)
    result = read_outcomes(suite)[0].results[0]
    z = result.trial.validation[0]
    counts = result.scores[0.0][z]
    assert counts.sum() == 96 * 96
    truth = material.labels.read(material.label_of[z])
    np.testing.assert_array_equal(counts.sum(axis=1), np.bincount(truth.ravel(), minlength=3))
    assert set(result.by_slice()) == set(result.trial.validation)
    assert load_model(result.run).identity


def test_a_stopped_suite_goes_on_where_it_was(source: Source, tmp_path: Path) -> None:
    plans = (small("baseline", steps=8),)
    suite = Suite.make(tmp_path / "out", plans, source, "cpu")
    control, heard = Control(), []
    for event in run_suite(suite, control=control):
        heard.append(event)
        if isinstance(event, StepDone) and event.step == 3:
            control.stop()
    assert isinstance(heard[-1], Finished)
    assert heard[-1].reason == "stopped"
    assert [event.reason for event in heard if isinstance(event, TrialDone)] == ["stopped"]
    steps = [event.step for event in run_suite(suite) if isinstance(event, StepDone)]
    assert steps[0] == 4
    uninterrupted = Suite.make(tmp_path / "other", plans, source, "cpu")
    run(uninterrupted)
    one, other = (read_outcomes(each)[0].results[0] for each in (suite, uninterrupted))
    assert load_model(one.run).identity == load_model(other.run).identity


def test_a_training_that_fails_is_told_and_the_rest_go_on(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = Suite.make(tmp_path / "out", (small("baseline"),), source, "cpu")
    real = running.job_of

    def fail(trial: running.Trial, *args: object, **more: object) -> object:
        if trial.split == "blocked":
            raise XsegError("the disk is full")
        return real(trial, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(running, "job_of", fail)
    events = run(suite)
    assert [(event.reason, event.fault) for event in events] == [
        ("failed", "the disk is full"),
        ("done", ""),
    ]
    (outcome,) = read_outcomes(suite)
    assert outcome.of("blocked")[0].results[0].fault == "the disk is full"
    monkeypatch.setattr(running, "job_of", real)
    assert [event.reason for event in run(suite)] == ["done", "kept"]
    assert read_outcomes(suite)[0].of("blocked")[0].results[0].fault == ""


@pytest.mark.parametrize("error", [OSError(28, "No space left"), MemoryError(), RuntimeError()])
def test_what_nobody_foresaw_ends_one_training_alone(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    suite = Suite.make(tmp_path / "out", (small("baseline"),), source, "cpu")

    def fail(*_: object, **__: object) -> object:
        raise error

    monkeypatch.setattr(running, "job_of", fail)
    events = run(suite)
    assert [event.reason for event in events] == ["failed"] * 2
    assert all(type(error).__name__ in event.fault for event in events)


def test_what_another_process_trains_comes_last_and_is_waited_for(
    source: Source, tmp_path: Path
) -> None:
    suite = Suite.make(tmp_path / "out", (small("baseline"),), source, "cpu")
    first, second = (suite.runs / task.trial.folder for task in suite.tasks)
    first.mkdir(parents=True)
    handle, order = lock_folder(first), []
    assert handle is not None
    for event in run_suite(suite):
        if isinstance(event, TrialDone):
            order.append((event.path, event.reason))
        if isinstance(event, Message) and "another process" in event.text:
            unlock(handle)
    assert order == [(second, "done"), (first, "done")]


def test_a_training_that_another_process_took_first_has_not_failed(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = Suite.make(tmp_path / "out", (small("baseline"),), source, "cpu")
    first, second = (suite.runs / task.trial.folder for task in suite.tasks)
    first.mkdir(parents=True)
    handle, real = lock_folder(first), suite_module.is_locked
    assert handle is not None
    answers = iter([False])  # when it was looked at it was free
    monkeypatch.setattr(suite_module, "is_locked", lambda run: next(answers, real(run)))
    events = []
    for event in run_suite(suite):
        events.append(event)
        if isinstance(event, Message) and "another process" in event.text:
            unlock(handle)
    over = [(event.path, event.reason) for event in events if isinstance(event, TrialDone)]
    assert over == [(second, "done"), (first, "done")]
    assert not running.fault_file(first).exists()


def test_who_waits_for_another_process_can_be_stopped(source: Source, tmp_path: Path) -> None:
    suite = Suite.make(tmp_path / "out", (small("baseline"),), source, "cpu")
    for task in suite.tasks:
        (suite.runs / task.trial.folder).mkdir(parents=True)
    handles = [lock_folder(suite.runs / task.trial.folder) for task in suite.tasks]
    control, events = Control(), []
    for event in run_suite(suite, control=control):
        events.append(event)
        control.stop()
    for handle in handles:
        assert handle is not None
        unlock(handle)
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "stopped"
    assert not any(isinstance(event, TrialDone) for event in events)


def test_another_volume_without_labels_is_predicted_anew(source: Source, tmp_path: Path) -> None:
    plan = small("lis", splits=("random",), vary=Vary())
    copy = tmp_path / "other.tif"
    shutil.copy(source.images, copy)
    for images in (source.images, str(copy)):
        suite = Suite.make(tmp_path / "out", (plan,), source, "cpu", unlabelled=images)
        run(suite)
        list(follow_up(suite))
        told = read_sidecar(mask_path(suite))
        assert told is not None
        assert told["images"] == images
    written = mask_path(suite).stat().st_mtime_ns
    list(follow_up(suite))
    assert mask_path(suite).stat().st_mtime_ns == written


def test_other_data_are_another_training(source: Source, tmp_path: Path) -> None:
    suite = Suite.make(tmp_path / "out", (small("baseline"),), source, "cpu")
    other = source.replace(roi="0:90,0:90")
    changed = Suite.make(tmp_path / "out", (small("baseline"),), other, "cpu")
    assert {task.trial.key for task in suite.tasks}.isdisjoint(
        task.trial.key for task in changed.tasks
    )


def test_what_the_data_are_too_few_for_is_left_out_with_a_word(
    source: Source, tmp_path: Path
) -> None:
    suite = Suite.make(tmp_path / "out", (small("training-size"),), source, "cpu")
    counts = {trial.conditions.slices for trial in suite.trials["training-size"]}
    assert counts == {5, 10, 15}
    left = suite.left["training-size"]
    assert {one.conditions.slices for one in left} == {20, 25, 45, 65, 85, 105}
    assert all("label more slices" in one.why for one in left)


def test_a_folder_without_an_experiment_is_said(tmp_path: Path) -> None:
    with pytest.raises(XsegError, match="holds no experiment"):
        Suite.open(tmp_path)
    (tmp_path / "experiment.json").write_text(json.dumps({"source": 3}), encoding="utf-8")
    with pytest.raises(XsegError, match="experiment"):
        Suite.open(tmp_path)


def test_smaller_images_are_the_middle_of_the_region(source: Source, tmp_path: Path) -> None:
    plan = small("crops", splits=("blocked",), conditions=Conditions(slices=2))
    plan = plan.replace(vary=Vary(side=(64,)))
    within = source.replace(roi="circle")
    suite = Suite.make(tmp_path / "out", (plan,), within, "cpu")
    assert [event.reason for event in run(suite)] == ["done"]
    trial = suite.tasks[0].trial
    learnt = running.region_of(trial, suite.material)
    assert learnt is not None
    mask = learnt.mask(0, (96, 96))
    assert mask is not None
    assert mask.sum() == 64 * 64
    scored = running.read_scores(suite.runs / trial.folder)[0.0]
    circle = suite.material.region
    assert circle is not None
    # All of the region is scored, whatever was learnt from.
    assert all(counts.sum() == circle.mask(0, (96, 96)).sum() for counts in scored.values())

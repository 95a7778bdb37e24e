"""The same seed gives the same weights, stopped, killed and resumed or not."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.partition import Split
from napari_xseg.events import Control, Finished, Message, StepDone
from napari_xseg.model.checkpoint import load_model
from napari_xseg.training.loop import train
from napari_xseg.training.run import Run
from napari_xseg.training.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_xseg.config import TrainConfig
    from napari_xseg.training.job import TrainJob

RECIPES = ["quick", "poster", "quick, best", "quick, early", "poster, averaged"]


@pytest.fixture(params=RECIPES)
def config(
    request: pytest.FixtureRequest,
    quick: TrainConfig,
    poster: TrainConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> TrainConfig:
    monkeypatch.setattr("napari_xseg.training.run.JUDGEMENTS", 6)
    return {
        "quick": quick,
        "poster": poster,
        "quick, best": quick.replace(keep="best", steps=40),
        "quick, early": quick.replace(keep="best", early_stop=3, steps=80),
        "poster, averaged": poster.replace(ema=0.8, batch=2, schedule="constant"),
    }[request.param]


def state_of(job: TrainJob) -> dict[str, Any]:
    state = RunFolder(job.out).read_state()
    assert state is not None
    return state


def tensors_in(value: Any, name: str = "") -> dict[str, torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return {name: value}
    if isinstance(value, dict):
        return {k: v for key in value for k, v in tensors_in(value[key], f"{name}.{key}").items()}
    if isinstance(value, list | tuple):
        return tensors_in(dict(enumerate(value)), name)
    return {}


def same_end(one: TrainJob, other: TrainJob) -> bool:
    """Whether two runs ended alike to the last bit."""
    first, second = state_of(one), state_of(other)
    tensors = tensors_in(first["learner"]), tensors_in(second["learner"])
    assert tensors[0].keys() == tensors[1].keys()
    assert len(tensors[0]) > 20
    return (
        all(torch.equal(value, tensors[1][name]) for name, value in tensors[0].items())
        and first["sampler"] == second["sampler"]
        and load_model(one.out).identity == load_model(other.out).identity
    )


def history_of(job: TrainJob) -> list[dict[str, float]]:
    with (job.out / "history.csv").open(encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def stopped_after(job: TrainJob, step: int) -> None:
    """Train until `step` steps are done, then stop as the user does."""
    control = Control()
    if step == 0:
        control.stop()
    for event in train(job, control):
        if isinstance(event, StepDone) and event.step == step:
            control.stop()
    assert isinstance(event, Finished)
    assert event.reason == "stopped"


def killed_after(job: TrainJob, step: int) -> None:
    """Train until `step` steps are done, and never again look at the job."""
    events = train(job)
    for event in events:
        if isinstance(event, StepDone) and event.step == step:
            events.close()  # type: ignore[attr-defined]
            return
    raise AssertionError("the job was over before")


def test_a_seed_settles_the_weights(
    make_job: Callable[..., TrainJob], run: Any, config: TrainConfig, tmp_path: Path
) -> None:
    one, other, third = (make_job(config, out=tmp_path / name) for name in "abc")
    run(one)
    torch.manual_seed(99)  # what others do with torch's own generator is no matter
    np.random.seed(5)
    run(other)
    assert same_end(one, other)
    run(replace(third, seed=1))
    assert not same_end(one, third)


@pytest.mark.parametrize("end", [stopped_after, killed_after])
def test_a_resumed_run_is_the_uninterrupted_one(
    make_job: Callable[..., TrainJob],
    run: Any,
    config: TrainConfig,
    tmp_path: Path,
    look_often: None,
    end: Callable[[TrainJob, int], None],
) -> None:
    whole, parts = make_job(config, out=tmp_path / "whole"), make_job(config)
    events = run(whole)
    last = max(event.step for event in events if isinstance(event, StepDone))
    end(parts, 1)
    for step in (2, 7, 8, last - 3):
        before = history_of(parts) if (parts.out / "history.csv").exists() else []
        end(replace(parts, resume=True), step)
        after = history_of(parts)
        assert after[: len(before)] == before
    resumed = run(replace(parts, resume=True))
    assert isinstance(resumed[0], Message)
    assert resumed[-1].reason == events[-1].reason
    assert same_end(whole, parts)
    steps = [row["step"] for row in history_of(parts)]
    assert steps == sorted(set(steps)), "no step twice, none back"
    assert [row["dice_all"] for row in history_of(whole)][-1] == history_of(parts)[-1]["dice_all"]


def test_before_the_first_step_a_stop_leaves_a_model_and_a_start(
    make_job: Callable[..., TrainJob], run: Any, quick: TrainConfig, tmp_path: Path
) -> None:
    whole, parts = make_job(out=tmp_path / "whole"), make_job()
    run(whole)
    stopped_after(parts, 0)
    load_model(parts.out)
    run(replace(parts, resume=True))
    assert same_end(whole, parts)


def test_before_the_first_save_a_resumed_run_begins_again(
    make_job: Callable[..., TrainJob], run: Any, tmp_path: Path
) -> None:
    whole, parts = make_job(out=tmp_path / "whole"), make_job()
    run(whole)
    killed_after(parts, 5)
    assert not (parts.out / "resume.pt").exists()
    run(replace(parts, resume=True))
    assert same_end(whole, parts)


def test_a_run_that_is_over_stays_as_it_is(
    make_job: Callable[..., TrainJob], run: Any, config: TrainConfig
) -> None:
    job = make_job(config)
    first = run(job)
    model, history = load_model(job.out), (job.out / "history.csv").read_bytes()
    again = run(replace(job, resume=True))
    assert load_model(job.out).identity == model.identity
    assert load_model(job.out).metadata == model.metadata
    assert (job.out / "history.csv").read_bytes() == history
    assert again[-1].reason == first[-1].reason
    assert again[-1].figures == first[-1].figures


@pytest.mark.parametrize("validate", [True, False])
def test_labels_that_do_not_train_do_not_matter(
    make_job: Callable[..., TrainJob],
    run: Any,
    scan: tuple[np.ndarray, np.ndarray],
    quick: TrainConfig,
    tmp_path: Path,
    look_often: None,
    validate: bool,
) -> None:
    split = Split((1, 5, 8), (3, 6)) if validate else Split((1, 5, 8), (), kind="none")
    rng = np.random.default_rng(0)
    scrambled = rng.choice(np.array([0, 128, 255], np.uint8), scan[1].shape)
    scrambled[[1, 5, 8]] = scan[1][[1, 5, 8]]
    one = make_job(quick, split=split, out=tmp_path / "one")
    other = make_job(quick, split=split, out=tmp_path / "other", labels=scrambled)
    events = run(one), run(other)
    assert same_end(one, other)
    if validate:
        assert events[0][-1].figures != events[1][-1].figures


def test_rows_that_validate_do_not_matter(
    make_job: Callable[..., TrainJob],
    run: Any,
    scan: tuple[np.ndarray, np.ndarray],
    tmp_path: Path,
) -> None:
    split = Split((1, 5), (1, 5), kind="band", rough=True, band=(12, 20), margin=2)
    scrambled = scan[1].copy()
    scrambled[:, 10:22] = np.roll(scrambled, 1, axis=0)[:, 10:22]
    one = make_job(split=split, out=tmp_path / "one")
    other = make_job(split=split, out=tmp_path / "other", labels=scrambled)
    events = run(one), run(other)
    assert same_end(one, other)
    assert events[0][-1].figures != events[1][-1].figures


def test_unlabelled_pixels_do_not_matter(
    make_job: Callable[..., TrainJob],
    run: Any,
    scan: tuple[np.ndarray, np.ndarray],
    tmp_path: Path,
) -> None:
    """Scribbles, once as a value in the file, once as a region that leaves the rest out."""
    rng = np.random.default_rng(0)
    known = rng.random(scan[1].shape) < 0.1
    scribbled = np.where(known, scan[1], np.uint8(7))

    class Known:
        text = ""

        def mask(self, z: int, shape: tuple[int, int]) -> np.ndarray:
            return known[z]

        def check(self, shape: tuple[int, int, int]) -> None:
            """Fits."""

    one = make_job(labels=scribbled, out=tmp_path / "one")
    other = make_job(region=Known(), out=tmp_path / "other")
    intensity = one.check()
    object.__setattr__(other, "check", lambda: intensity)  # statistics of all pixels, as in one
    run(one)
    run(other)
    assert same_end(one, other)


def test_the_order_of_class_values_is_no_matter(
    make_job: Callable[..., TrainJob],
    run: Any,
    scan: tuple[np.ndarray, np.ndarray],
    tmp_path: Path,
) -> None:
    """Other file values for the same classes: other identity, same weights."""
    moved = (scan[1].astype(int) // 64 + 40).astype(np.uint8)
    classes = ClassTable.from_values([40, 42, 43], unlabelled=7)
    one = make_job(out=tmp_path / "one")
    other = make_job(labels=moved, classes=classes, out=tmp_path / "other")
    run(one)
    run(other)
    first, second = load_model(one.out), load_model(other.out)
    assert first.identity != second.identity
    for name, value in first.tensors.items():
        assert torch.equal(value, second.tensors[name])


def test_looks_that_the_clock_brings_do_not_choose_the_model(
    make_job: Callable[..., TrainJob], quick: TrainConfig
) -> None:
    """They stand in until the first judgement, which counts whatever it says."""
    run = Run(make_job(quick.replace(keep="best")))

    def best(right: int, judges: bool) -> bool:
        counts = np.full((3, 3), 100, np.int64) + right * np.eye(3, dtype=np.int64)
        return run._validated(counts, judges).best

    with run.folder.locked():
        list(run.begin())
        assert best(500, judges=False)
        assert best(600, judges=False)
        assert not best(550, judges=False)
        assert best(100, judges=True), "the first judgement"
        assert not best(900, judges=False)
        assert not best(90, judges=True)
        assert best(200, judges=True)
        assert run.worse == 0


def test_how_often_a_run_is_looked_at_is_no_matter(
    make_job: Callable[..., TrainJob],
    run: Any,
    config: TrainConfig,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    one, other = make_job(config, out=tmp_path / "one"), make_job(config, out=tmp_path / "other")
    run(one)
    request.getfixturevalue("look_often")
    run(other)
    assert len(history_of(other)) > len(history_of(one))
    assert same_end(one, other)

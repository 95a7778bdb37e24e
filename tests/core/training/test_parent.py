"""A run that goes on from the model of another one."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_xseg.data.classes import ClassTable
from napari_xseg.events import Message, StepDone
from napari_xseg.model.checkpoint import load_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_xseg.config import TrainConfig

MakeJob = Any


@pytest.fixture
def parent(make_job: MakeJob, run: Any, tmp_path: Path) -> Path:
    job = make_job(out=tmp_path / "parent")
    run(job)
    out: Path = job.out
    return out


@pytest.fixture
def brighter(scan: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return (scan[0] // 4 + 40_000).astype(np.uint16)


def test_weights_shape_and_statistics_come_from_the_parent(
    make_job: MakeJob, run: Any, quick: TrainConfig, parent: Path, brighter: np.ndarray
) -> None:
    still = quick.replace(steps=1, learning_rate=1e-30, ema=None, batch=1)
    still = still.replace(model=still.model.replace(width=5, context=0).model_dump())
    job = make_job(still, parent=parent, images=brighter, seed=9)
    events = run(job)
    before, after = load_model(parent), load_model(job.out)
    assert after.config == before.config == job.recipe().model
    assert after.intensity == before.intensity
    learnt = [name for name in before.tensors if "running" not in name and "num_" not in name]
    assert len(learnt) > 10
    for name in learnt:
        torch.testing.assert_close(after.tensors[name], before.tensors[name])
    told = {"path": str(before.path), "identity": before.identity}
    assert after.metadata["parent"] == told
    assert json.loads((job.out / "provenance.json").read_text("utf-8"))["parent"] == told
    texts = [event.text for event in events if isinstance(event, Message)]
    assert any(str(before.path) in text for text in texts)
    assert any("lie far off" in text for text in texts)


def test_other_grey_values_are_matched(
    make_job: MakeJob, run: Any, parent: Path, brighter: np.ndarray, tmp_path: Path
) -> None:
    job = make_job(parent=parent, images=brighter, match_intensity=True, steps=1)
    texts = [event.text for event in run(job) if isinstance(event, Message)]
    assert any("are mapped onto" in text for text in texts)
    assert not any("lie far off" in text for text in texts)
    known, kept = load_model(parent).intensity, load_model(job.out).intensity
    assert kept == known.matched(job.measured)
    ends = np.array([kept.percentiles[1], kept.percentiles[5]], np.float64)
    theirs = np.array([known.percentiles[1], known.percentiles[5]], np.float64)
    np.testing.assert_allclose(kept.normalise(ends), known.normalise(theirs), rtol=1e-5)
    assert kept.far_off(job.measured) is None


def test_without_a_parent_there_is_nothing_to_match(
    make_job: MakeJob, refused: Callable[[Any], str]
) -> None:
    assert "give --parent" in refused(make_job(match_intensity=True))


def test_matched_grey_values_stay_when_the_run_is_resumed(
    make_job: MakeJob, run: Any, half_way: Callable[[Any], None], parent: Path, brighter: np.ndarray
) -> None:
    given = {"images": brighter, "match_intensity": True}
    begun = make_job(parent=parent, **given)
    half_way(begun)
    settled = load_model(begun.out).intensity
    again = make_job(resume=True, **given)
    run(again)
    assert load_model(again.out).intensity == settled


def test_the_schedule_is_a_fresh_one(make_job: MakeJob, run: Any, parent: Path) -> None:
    steps = [event for event in run(make_job(parent=parent)) if isinstance(event, StepDone)]
    rates = [step.learning_rate for step in steps]
    assert rates[:4] == pytest.approx([0.0025, 0.005, 0.0075, 0.01])


def test_a_run_without_parent_names_none(parent: Path) -> None:
    assert "parent" not in load_model(parent).metadata
    assert json.loads((parent / "provenance.json").read_text("utf-8"))["parent"] is None


@pytest.mark.parametrize("values", [(128, 0, 255), (0, 128, 255, 3)])
def test_other_classes_are_refused(
    make_job: MakeJob, refused: Callable[[Any], str], parent: Path, values: tuple[int, ...]
) -> None:
    table = ClassTable.from_values(list(values), unlabelled=7).to_dict()
    table["classes"].sort(key=lambda spec: values.index(spec["value"]))
    for spec in table["classes"]:
        spec["name"] = f"material {spec['value']}"
    job = make_job(parent=parent, classes=ClassTable.from_dict(table))
    said = refused(job)
    assert "class 0 (0), class 1 (128), class 2 (255), the labels have" in said
    assert "material 128 (128)" in said
    assert not job.out.exists()


def test_renamed_classes_are_gone_on_with(make_job: MakeJob, run: Any, parent: Path) -> None:
    table = ClassTable.from_values([0, 128, 255], unlabelled=7).to_dict()
    for spec, name in zip(table["classes"], ("pore", "nickel", "ceramic"), strict=True):
        spec["name"] = name
    job = make_job(parent=parent, classes=ClassTable.from_dict(table))
    run(job)
    assert load_model(job.out).classes.names == ("pore", "nickel", "ceramic")


def test_a_run_is_resumed_or_continued(
    make_job: MakeJob, refused: Callable[[Any], str], parent: Path
) -> None:
    assert "choose one" in refused(make_job(parent=parent, resume=True))


def test_the_parent_is_not_replaced(
    make_job: MakeJob, refused: Callable[[Any], str], parent: Path
) -> None:
    before = load_model(parent).identity
    assert "would be lost" in refused(make_job(parent=parent, out=parent, overwrite=True))
    assert load_model(parent).identity == before


def test_a_parent_that_is_not_there_is_refused(
    make_job: MakeJob, refused: Callable[[Any], str], tmp_path: Path
) -> None:
    assert "is not there" in refused(make_job(parent=tmp_path / "nowhere"))


def test_a_continued_run_is_resumed_exactly_also_without_its_parent(
    make_job: MakeJob,
    run: Any,
    half_way: Any,
    quick: TrainConfig,
    parent: Path,
    brighter: np.ndarray,
    tmp_path: Path,
) -> None:
    # The recipe as it was given, of another shape than the parent's.
    config = quick.replace(model=quick.model.replace(width=3).model_dump())
    given = {"images": brighter, "config": config}
    whole = make_job(parent=parent, out=tmp_path / "whole", **given)
    run(whole)
    half_way(make_job(parent=parent, out=tmp_path / "halves", **given))
    shutil.rmtree(parent)
    run(make_job(resume=True, out=tmp_path / "halves", **given))
    ours, theirs = load_model(tmp_path / "halves"), load_model(whole.out)
    assert ours.identity == theirs.identity
    assert ours.metadata["parent"] == theirs.metadata["parent"]


def test_a_continued_run_that_ended_before_its_first_save_begins_again(
    make_job: MakeJob, run: Any, parent: Path, tmp_path: Path
) -> None:
    whole = make_job(parent=parent, out=tmp_path / "whole")
    run(whole)
    again = make_job(parent=parent, out=tmp_path / "again")
    run(again)
    for name in ("resume.pt", "model.safetensors"):
        (again.out / name).unlink()
    run(make_job(resume=True, out=again.out))
    assert load_model(again.out).identity == load_model(whole.out).identity

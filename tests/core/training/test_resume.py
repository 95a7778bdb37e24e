"""Resuming: what is not the same run, and states that are damaged or dangerous."""

from __future__ import annotations

import pickle
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.partition import Split
from napari_xseg.data.runs_list import read_run
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, StepDone
from napari_xseg.model.checkpoint import load_model
from napari_xseg.training.loop import train
from napari_xseg.training.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_xseg.config import TrainConfig

MakeJob = Any
Refused = Any


def test_a_run_that_was_stopped_says_so_until_it_is_resumed(make_job: MakeJob) -> None:
    job = make_job()
    control = Control()
    for event in train(job, control):
        if isinstance(event, StepDone) and event.step == 2:
            control.stop()
    assert read_run(job.out).how_it_ended == "stopped"
    events = train(make_job(resume=True))
    next(event for event in events if isinstance(event, StepDone))
    events.close()  # as in a crash
    assert read_run(job.out).how_it_ended == "cut short"


def test_there_must_be_something_to_resume(make_job: MakeJob, tmp_path: Path, refused: Any) -> None:
    assert "holds no training to resume" in refused(make_job(resume=True))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("what", "word"),
    [
        ("seed", "seed"),
        ("steps", "recipe"),
        ("recipe", "recipe"),
        ("split", "split"),
        ("classes", "classes"),
        ("intensity", "intensity, images"),
        ("labels", "labels"),
        ("images", "images"),
    ],
)
def test_a_run_is_not_resumed_with_other_settings(
    make_job: MakeJob,
    quick: TrainConfig,
    scan: tuple[np.ndarray, np.ndarray],
    what: str,
    word: str,
    refused: Any,
    contents: Any,
    half_way: Any,
) -> None:
    job = make_job()
    half_way(job)
    before = contents(job.out)
    labels, images = scan[1].copy(), scan[0].copy()
    labels[5, 3] = 128
    images[5] = images[5][::-1]  # the same statistics
    other = {
        "seed": lambda: make_job(seed=1),
        "steps": lambda: make_job(steps=25),
        "recipe": lambda: make_job(quick.replace(learning_rate=0.02)),
        "split": lambda: make_job(split=Split((1, 5, 8), (3,))),
        "classes": lambda: make_job(classes=ClassTable.from_values([0, 128, 255], unlabelled=9)),
        "intensity": lambda: make_job(images=scan[0] + np.uint16(1)),
        "labels": lambda: make_job(labels=labels),
        "images": lambda: make_job(images=images),
    }[what]()
    said = refused(replace(other, resume=True))
    assert f"was started with other settings or data ({word})" in said
    assert contents(job.out) == before


def test_an_older_validation_does_not_hinder(
    make_job: MakeJob, scan: tuple[np.ndarray, np.ndarray], half_way: Any
) -> None:
    """Another device, number of threads or command is no other run."""
    job = make_job()
    half_way(job)
    list(train(replace(job, resume=True, threads=1, command="again")))
    load_model(job.out)


class Trap:
    sprung = False

    def __reduce__(self) -> Any:
        return spring, ()


def spring() -> dict[str, Any]:
    Trap.sprung = True
    return {}


@pytest.mark.parametrize("writer", ["pickle", "torch", "old torch", "inside"])
def test_code_in_a_state_is_never_run(
    make_job: MakeJob, writer: str, refused: Any, half_way: Any
) -> None:
    job = make_job()
    half_way(job)
    path = job.out / "resume.pt"
    if writer == "pickle":
        path.write_bytes(pickle.dumps(Trap()))
    elif writer == "inside":
        state = torch.load(path, weights_only=True)
        torch.save({**state, "told": Trap()}, path)
    else:
        torch.save(Trap(), path, _use_new_zipfile_serialization=writer == "torch")
    assert "resume.pt: cannot be read" in refused(replace(job, resume=True))
    assert not Trap.sprung


def damaged(whole: bytes) -> Iterator[bytes]:
    chance = random.Random(0)
    yield from (whole[: chance.randrange(len(whole))] for _ in range(40))
    yield from (b"", b"\0" * 100, b"PK\x03\x04", whole[: len(whole) - 1], b"text")
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 100])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        yield bytes(data)


def tried(folder: RunFolder) -> dict[str, Any] | XsegError | None:
    try:
        return folder.read_state()
    except XsegError as error:
        return error


def test_a_damaged_state_is_refused_or_read_right(make_job: MakeJob, half_way: Any) -> None:
    job = make_job()
    half_way(job)
    folder, path = RunFolder(job.out), job.out / "resume.pt"
    whole = path.read_bytes()
    right = repr(folder.read_state())
    for content in damaged(whole):
        path.write_bytes(content)
        state = tried(folder)
        if isinstance(state, XsegError):
            assert str(path) in str(state)
            assert "\n" not in str(state)
        else:
            assert repr(state) == right


@pytest.mark.parametrize("key", ["version", "settings", "learner", "sampler", "rows", "told"])
@pytest.mark.parametrize("value", ["gone", None, 3, "text"])
def test_a_state_that_is_not_ours_is_refused(
    make_job: MakeJob, key: str, value: Any, refused: Any, contents: Any, half_way: Any
) -> None:
    job = make_job()
    half_way(job)
    path = job.out / "resume.pt"
    state = {name: item for name, item in torch.load(path).items() if name != key}
    torch.save(state if value == "gone" else {**state, key: value}, path)
    before = contents(job.out)
    assert str(path) in refused(replace(job, resume=True))
    assert contents(job.out) == before

"""What goes wrong in a training: one sentence, and everything saved before stands."""

from __future__ import annotations

import errno
import math
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_xseg.data.partition import Split
from napari_xseg.errors import XsegError
from napari_xseg.events import Finished, Message, StepDone
from napari_xseg.model.checkpoint import load_model
from napari_xseg.training.learner import Learner
from napari_xseg.training.loop import train
from napari_xseg.training.run_folder import FILES

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.config import TrainConfig

MakeJob = Any


# -- memory -----------------------------------------------------------------


@pytest.fixture
def small_device(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """A device that has memory for so many crops at once; gives the batches that it took."""

    def make(most: int) -> list[int]:
        step, taken = Learner.step, []

        def limited(self: Learner, images: np.ndarray, *more: Any) -> float:
            if len(images) > most:
                raise torch.OutOfMemoryError("out of memory")
            taken.append(len(images))
            return step(self, images, *more)

        monkeypatch.setattr(Learner, "step", limited)
        return taken

    return make


@pytest.mark.parametrize("most", [7, 3, 1])
def test_a_device_too_small_for_a_batch_takes_half(
    make_job: MakeJob, quick: TrainConfig, small_device: Any, most: int
) -> None:
    taken = small_device(most)
    events = list(train(make_job(quick.replace(batch=8))))
    warnings = [event for event in events if isinstance(event, Message)]
    expected = {7: [4], 3: [4, 2], 1: [4, 2, 1]}[most]
    assert [event.level for event in warnings] == ["warning"] * len(expected)
    for event, crops in zip(warnings, expected, strict=True):
        assert f"going on with a batch of {crops}." in event.text
    assert taken == [expected[-1]] * 24
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "done"


def test_the_halved_batch_is_resumed(
    make_job: MakeJob, quick: TrainConfig, small_device: Any, half_way: Any
) -> None:
    job = make_job(quick.replace(batch=8))
    taken = small_device(4)
    half_way(job)
    events = list(train(replace(job, resume=True)))
    assert len([event for event in events if isinstance(event, Message)]) == 1  # "goes on"
    assert taken == [4] * 24


def test_whole_slices_still_come_once_where_the_batch_was_halved(
    make_job: MakeJob, poster: TrainConfig, small_device: Any
) -> None:
    small_device(1)
    config = poster.replace(batch=4, noise={}, epochs=2)
    events = list(train(make_job(config, split=Split((0, 2, 4, 7), (3,)))))
    assert isinstance(events[-1], Finished)


def test_a_device_too_small_for_one_crop_is_said(
    make_job: MakeJob, quick: TrainConfig, small_device: Any, refused: Any
) -> None:
    small_device(0)
    said = refused(make_job())
    assert "not enough memory for one crop" in said
    assert "--device cpu" in said


def test_after_a_lack_of_memory_weights_and_averages_are_as_before(quick: TrainConfig) -> None:
    from napari_xseg.data.augment import Variation

    config = quick.replace(model={"width": 2, "depth": 2})
    learner = Learner(config, torch.device("cpu"), 0)
    images = np.random.default_rng(0).normal(size=(2, 1, 16, 16)).astype(np.float32)
    truth = np.zeros((2, 16, 16), np.int64)
    learner.step(images, truth, Variation())
    before = {name: value.clone() for name, value in learner.network.state_dict().items()}

    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("out of memory")

    learner.loss = full
    with pytest.raises(torch.OutOfMemoryError):
        learner.step(images, truth, Variation())
    assert learner.steps == 1
    weights = {name for name, _ in learner.network.named_parameters()}
    for name, value in learner.network.state_dict().items():
        assert value.equal(before[name]) or name not in weights


# -- numbers ----------------------------------------------------------------


def test_a_loss_that_is_no_number_ends_the_run_and_the_model_stands(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, look_often: None, refused: Any
) -> None:
    step = Learner.step
    monkeypatch.setattr(
        Learner, "step", lambda self, *given: math.nan if self.steps == 9 else step(self, *given)
    )
    job = make_job()
    said = refused(job)
    assert "the loss is no number" in said
    assert "after step 9" in said
    assert load_model(job.out).metadata["training"]["steps"] <= 9
    assert all(value.isfinite().all() for value in load_model(job.out).tensors.values())


def test_a_folder_that_goes_away_ends_the_run_which_is_resumed_once_it_is_back(
    make_job: MakeJob, run: Any, tmp_path: Path
) -> None:
    job = make_job(out=tmp_path / "project" / "runs" / "one")
    events = train(job)
    with pytest.raises(XsegError, match="has gone while the training ran"):  # noqa: PT012
        for event in events:
            if isinstance(event, StepDone) and event.step == 1:
                (tmp_path / "project").rename(tmp_path / "elsewhere")
    assert not (tmp_path / "project").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "project")
    assert isinstance(run(make_job(out=job.out, resume=True))[-1], Finished)
    assert load_model(job.out).classes == job.labels.classes


@pytest.mark.parametrize("which", ["quick", "poster"])
def test_a_run_that_blows_up_never_replaces_its_model_with_no_numbers(
    request: pytest.FixtureRequest, make_job: MakeJob, which: str, look_often: None, refused: Any
) -> None:
    config = request.getfixturevalue(which)
    config = config.replace(
        learning_rate=1e25, clip_norm=None, schedule="constant", weight_decay=0.0
    )
    for name, split in {"val": Split((1, 5, 8), (3,)), "alone": Split((1, 5, 8), ())}.items():
        job = make_job(config, split=split)
        job = replace(job, out=job.out.with_name(name))
        assert "the loss is no number" in refused(job)
        if (job.out / "model.safetensors").exists():
            assert all(value.isfinite().all() for value in load_model(job.out).tensors.values())


# -- places -----------------------------------------------------------------


def test_an_older_run_is_not_overwritten(make_job: MakeJob, refused: Any, contents: Any) -> None:
    job = make_job()
    list(train(job))
    before = contents(job.out)
    assert "--overwrite" in refused(job)
    assert contents(job.out) == before
    list(train(replace(job, overwrite=True, seed=3)))
    assert contents(job.out).keys() == before.keys()
    assert load_model(job.out).metadata["training"]["seed"] == 3


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_of_something_else_is_left_alone(
    make_job: MakeJob, tmp_path: Path, overwrite: bool, refused: Any, contents: Any
) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    assert "notes.txt" in refused(make_job(out=tmp_path, overwrite=overwrite))
    assert "is a file" in refused(make_job(out=tmp_path / "notes.txt", overwrite=overwrite))
    assert contents(tmp_path) == {"notes.txt": b"mine"}


def test_a_folder_that_cannot_be_is_refused(
    make_job: MakeJob, tmp_path: Path, refused: Any, contents: Any
) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    refused(make_job(out=tmp_path / "notes.txt" / "run"))
    assert contents(tmp_path) == {"notes.txt": b"mine"}


def test_a_folder_that_may_not_be_written_is_refused(
    make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Any
) -> None:
    def forbidden(self: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "touch", forbidden)
    assert "may not be written" in refused(make_job())


@pytest.mark.parametrize("fault", ["labels", "slice", "region", "noise", "device", "constant"])
def test_nothing_is_written_where_the_job_cannot_be_done(
    make_job: MakeJob, scan: tuple[np.ndarray, np.ndarray], tmp_path: Path, fault: str,
    quick: TrainConfig, refused: Any) -> None:  # fmt: skip
    from napari_xseg.data.region import Box

    flat = scan[0].copy()
    flat[5] = 3
    job = {
        "labels": lambda: make_job(labels=np.full_like(scan[1], 7)),
        "slice": lambda: make_job(split=Split((1, 99), ())),
        "region": lambda: make_job(region=Box(0, 99, 0, 5)),
        "noise": lambda: make_job(quick.replace(noise={"enabled": True, "std": 1e6})),
        "device": lambda: replace(make_job(), device="cuda:77"),
        "constant": lambda: make_job(images=flat),
    }[fault]()
    refused(job)
    assert list(tmp_path.iterdir()) == []


# -- disks ------------------------------------------------------------------


class FullDisk:
    """A disk on which the named file meets no more room, half of it written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, times: int) -> None:
        self.name, self.left = name, times
        self.hits = 0
        fsync = os.fsync

        def sync(handle: int) -> None:
            path = Path(f"/proc/self/fd/{handle}").resolve()
            stem, _, suffix = self.name.rpartition(".")
            if path.name.startswith(f".{stem}.") and path.suffix == f".{suffix}":
                self.left -= 1
                if self.left < 0:
                    self.hits += 1
                    os.truncate(path, path.stat().st_size // 2)
                    raise OSError(errno.ENOSPC, "No space left on device")
            fsync(handle)

        monkeypatch.setattr(os, "fsync", sync)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks up open files in /proc")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("times", [0, 1])
def test_a_full_disk_leaves_the_files_of_before(
    make_job: MakeJob,
    monkeypatch: pytest.MonkeyPatch,
    look_often: None,
    name: str,
    times: int,
    refused: Any,
    contents: Any,
) -> None:
    job = make_job()
    disk = FullDisk(monkeypatch, name, times)
    if name == "config.toml" and times:
        return  # it is written once
    said = refused(job)
    monkeypatch.undo()
    assert disk.hits
    assert "disk is full" in said
    assert name in said
    left = contents(job.out)
    assert left.keys() <= set(FILES), "nothing half written"
    assert (name in left) == bool(times)
    if "model.safetensors" in left:
        load_model(job.out)
    if "resume.pt" in left:
        events = list(train(replace(job, resume=True)))
        assert isinstance(events[-1], Finished)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks up open files in /proc")
def test_an_older_model_stands_where_a_new_run_finds_no_room(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, refused: Any
) -> None:
    job = make_job()
    list(train(job))
    identity = load_model(job.out).identity
    FullDisk(monkeypatch, "config.toml", 0)
    assert "disk is full" in refused(replace(job, overwrite=True, seed=3))
    assert load_model(job.out).identity == identity


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
@pytest.mark.parametrize("limit", [100, 2000, 6000])
def test_a_disk_that_is_really_full(
    make_job: MakeJob, contents: Any, tmp_path: Path, look_often: None, limit: int
) -> None:
    """The system refuses larger files: torch and safetensors meet it too."""
    import resource

    job = make_job()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(XsegError) as caught:
            list(train(job))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "disk is full" in str(caught.value)
    assert contents(job.out).keys() <= set(FILES)
    assert {path.name for path in tmp_path.iterdir()} == {"run"}

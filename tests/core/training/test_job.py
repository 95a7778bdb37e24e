from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.intensity import measure_intensity
from napari_xseg.data.partition import Split
from napari_xseg.data.region import Box
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.config import TrainConfig

MakeJob = Any


def complaint(job: Any) -> str:
    with pytest.raises(XsegError) as caught:
        job.check()
    said = str(caught.value)
    assert "\n" not in said
    assert said.endswith(".")
    assert not job.out.exists()
    return said


def test_a_job_that_can_be_done_gives_the_grey_values(make_job: MakeJob) -> None:
    job = make_job()
    assert job.check() == measure_intensity(job.images, (1, 5, 8))
    region = Box(2, 30, 3, 38)
    assert make_job(region=region).check() == measure_intensity(job.images, (1, 5, 8), region)
    assert not job.out.exists()


def test_its_length_is_the_one_asked_for(make_job: MakeJob, poster: TrainConfig) -> None:
    assert make_job().recipe().steps == 24
    assert make_job(steps=7).recipe().steps == 7
    by_time = make_job(poster, time_limit=3.0).recipe()
    assert (by_time.epochs, by_time.steps, by_time.time_limit) == (None, None, 3.0)
    endless = make_job(poster.replace(epochs=None))
    assert "--steps or --time-limit" in complaint(endless)


def test_the_network_has_as_many_classes_as_the_labels(make_job: MakeJob) -> None:
    assert make_job().recipe().model.classes == 3
    two = make_job(classes=ClassTable.from_values([0, 128, 129, 255]))
    assert two.recipe().model.classes == 4


def test_sizes_that_differ_are_refused(
    make_job: MakeJob, scan: tuple[np.ndarray, np.ndarray]
) -> None:
    said = complaint(make_job(labels=scan[1][:, :39]))
    assert "39 x 36" in said
    assert "40 x 36" in said


def test_slices_that_are_not_there_are_refused(make_job: MakeJob) -> None:
    assert "slice 10 is not among them" in complaint(make_job(split=Split((1, 10), ())))
    assert "slice -1" in complaint(make_job(split=Split((1,), (-1,))))
    pairs = {1: 1, 5: 5}
    assert "slice 8 has no labels" in complaint(
        make_job(label_of=pairs, split=Split((1, 5, 8), ()))
    )


def test_labels_that_cannot_train_are_refused(
    make_job: MakeJob, scan: tuple[np.ndarray, np.ndarray]
) -> None:
    assert "no pixel is labelled" in complaint(make_job(labels=np.full_like(scan[1], 7)))
    one = np.where(scan[1] == 128, 128, 7).astype(np.uint8)
    assert "only the class 'class 1' is labelled" in complaint(make_job(labels=one))
    wrong = scan[1].copy()
    wrong[5, 0, 0] = 99
    assert "99 (1 pixels) outside the class table" in complaint(make_job(labels=wrong))
    # inside the region alone
    half = np.where(np.arange(36) < 18, scan[1], 128).astype(np.uint8)
    assert "inside the region" in complaint(make_job(labels=half, region=Box(18, 36, 0, 40)))


def test_images_that_tell_nothing_are_refused(
    make_job: MakeJob, scan: tuple[np.ndarray, np.ndarray]
) -> None:
    flat, empty = scan[0].copy(), scan[0].astype(np.float32)
    flat[5], empty[5] = 7, np.nan
    assert "same value 7" in complaint(make_job(images=flat))
    assert "no finite pixel" in complaint(make_job(images=empty))
    # where it is not used it does no harm
    make_job(images=flat, split=Split((1, 8), (3,))).check()


def test_noise_that_drowns_everything_is_refused(make_job: MakeJob, quick: TrainConfig) -> None:
    loud = quick.replace(noise=quick.noise.replace(std=1e5).model_dump())
    assert "ten times the spread" in complaint(make_job(loud))
    off = loud.replace(noise=loud.noise.replace(enabled=False).model_dump())
    make_job(off).check()


def test_a_device_that_is_not_there_is_refused(make_job: MakeJob) -> None:
    assert "--device" in complaint(replace(make_job(), device="cuda:77"))


def test_an_output_that_is_there_is_refused(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job()
    job.out.mkdir()
    job.check()  # an empty folder is as good as none
    (job.out / "config.toml").touch()
    with pytest.raises(XsegError, match="holds a training already"):
        job.check()
    replace(job, overwrite=True).check()
    replace(job, resume=True).check()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_a_model_comes_from_is_told(make_job: MakeJob) -> None:
    job = make_job(seed=3, command="train it")
    told = job.provenance(job.check(), {"train": {"images": "x"}})
    assert json.loads(json.dumps(told)) == told
    assert told["split"]["train"] == [1, 5, 8]
    assert told["split"]["val"] == [3, 6]
    assert told["sha256"] == {"train": {"images": "x"}}
    assert (told["seed"], told["command"], told["region"]) == (3, "train it", None)


def test_the_fingerprint_is_that_of_the_run(make_job: MakeJob) -> None:
    def fingerprint(**changes: Any) -> dict[str, Any]:
        job = make_job(**changes)
        found: dict[str, Any] = job.fingerprint(job.check())
        assert json.loads(json.dumps(found)) == found
        return found

    first = fingerprint()
    assert fingerprint(command="x", threads=2, overwrite=True) == first
    assert fingerprint(seed=1) != first
    assert fingerprint(steps=3) != first

"""Masks that were cut short, and gone on with: what is done stays as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.formats.zarr_writer import ZarrWriter
from napari_xseg.data.volume import open_volume, volume_from_array
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Finished, Progress, SlicesDone
from napari_xseg.prediction.copying import copy_mask
from napari_xseg.prediction.predictor import Predictor
from napari_xseg.prediction.sidecar import (
    pages_written,
    read_sidecar,
    remove_unfinished,
    sidecar_path,
    unfinished_masks,
    wanted_slices,
)
from napari_xseg.prediction.volume import PredictJob, predict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_xseg.model.checkpoint import SavedModel

Scan = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def job(
    model: SavedModel, scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> PredictJob:
    monkeypatch.setattr(Predictor, "batch_size", lambda *_: 1)
    return PredictJob(
        model=model,
        images=volume_from_array(scan[0]),
        slices=tuple(range(9)),
        out=tmp_path / "mask.zarr",
        confidence=tmp_path / "sure.zarr",
        precision="float32",
        device="cpu",
    )


def whole(job: PredictJob, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    all_of_it = replace(job, out=folder / "all.zarr", confidence=folder / "all-sure.zarr")
    list(predict(all_of_it))
    assert all_of_it.confidence is not None
    return open_volume(all_of_it.out)[:], open_volume(all_of_it.confidence)[:]


def cut(job: PredictJob, done: int) -> None:
    """Predict so many slices, then stop."""
    control = Control()
    for event in predict(job, control):
        if isinstance(event, Progress) and event.what == "predict" and event.done == done:
            control.stop()
    told = read_sidecar(job.out)
    assert told is not None
    assert told["slices"] == list(job.slices[:done])


def going_on(job: PredictJob) -> PredictJob:
    return replace(job, rest_of=job.out, overwrite=True)


def spoil(mask: Path, page: int) -> np.ndarray:
    """Write something into a page that no model says, so that it is known again."""
    import zarr

    array = zarr.open(mask, mode="r+")["0"]  # type: ignore[index]
    array[page] = 128
    return np.full(array.shape[1:], 128, np.uint8)


def test_the_rest_is_predicted_and_what_is_done_stays(
    job: PredictJob, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mask, sure = whole(job, tmp_path_factory.mktemp("all"))
    cut(job, 4)
    told = read_sidecar(job.out)
    assert told is not None
    assert (told["complete"], wanted_slices(told)) == (False, tuple(range(9)))
    mask[2] = spoil(job.out, 2)
    events = list(predict(going_on(job)))
    taken = next(event for event in events if isinstance(event, SlicesDone))
    assert (taken.slices, taken.first) == ((0, 1, 2, 3), 0)
    steps = [(e.done, e.total) for e in events if isinstance(e, Progress) and e.what == "predict"]
    assert steps == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "done"
    assert job.confidence is not None
    np.testing.assert_array_equal(open_volume(job.out)[:], mask)
    np.testing.assert_array_equal(open_volume(job.confidence)[:], sure)
    told = read_sidecar(job.out)
    assert told is not None
    assert told["complete"]
    assert told["slices"] == list(range(9))
    assert len(told["fractions"]["slices"]) == 9
    assert told["fractions"]["pooled"]["class 1"] == pytest.approx((mask == 128).mean())


@pytest.mark.parametrize("phase", ["read", "predict"])
def test_a_stop_at_any_moment_keeps_what_is_done(job: PredictJob, phase: str) -> None:
    cut(job, 4)
    kept = spoil(job.out, 1)
    for moment in (1, 2, 4):
        control = Control()
        for event in predict(going_on(job), control):
            if isinstance(event, Progress) and (event.what, event.done) == (phase, moment):
                control.stop()
        told = read_sidecar(job.out)
        assert told is not None
        assert len(told["slices"]) >= 4
        np.testing.assert_array_equal(open_volume(job.out).read(1), kept)
    assert len(list(job.out.parent.glob(".*"))) == 0


def test_a_full_disk_keeps_what_is_done(job: PredictJob, monkeypatch: pytest.MonkeyPatch) -> None:
    cut(job, 4)
    kept = spoil(job.out, 1)
    write = ZarrWriter._write
    for first in (2, 6):

        def full(self: ZarrWriter, z: int, plane: Any, first: int = first) -> None:
            if z >= first and (plane != self.fill_value).any():
                raise OSError(28, "No space left on device")
            write(self, z, plane)

        monkeypatch.setattr(ZarrWriter, "_write", full)
        with pytest.raises(XsegError, match="disk is full") if first == 2 else nullcontext():
            list(predict(going_on(job)))
        told = read_sidecar(job.out)
        assert told is not None
        assert len(told["slices"]) == max(first, 4)
        np.testing.assert_array_equal(open_volume(job.out).read(1), kept)


@pytest.mark.parametrize("what", ["image", "model", "slices", "confidence", "sidecar"])
def test_what_does_not_belong_to_the_mask_is_a_sentence(
    job: PredictJob, make_model: Callable[..., SavedModel], scan: Scan, what: str
) -> None:
    import shutil

    cut(job, 4)
    before = sidecar_path(job.out).read_bytes()
    wrong = going_on(job)
    if what == "image":
        other = scan[0].copy()
        other[3, 5, 5] += 1
        wrong = replace(wrong, images=volume_from_array(other))
    elif what == "model":
        wrong = replace(wrong, model=make_model(width=4))
    elif what == "slices":
        wrong = replace(wrong, slices=(0, 1, 2))
    elif what == "confidence":
        assert job.confidence is not None
        shutil.rmtree(job.confidence)
    else:
        sidecar_path(job.out).write_text("{}")
        before = b"{}"
    with pytest.raises(XsegError, match=r"anew|ask for the same"):
        list(predict(wrong))
    assert sidecar_path(job.out).read_bytes() == before
    assert open_volume(job.out)[:4].any()


KILLED = """
import os, sys
import numpy as np
from pathlib import Path
from napari_xseg.data.volume import volume_from_array
from napari_xseg.events import SlicesDone
from napari_xseg.model.checkpoint import load_model
from napari_xseg.prediction.predictor import Predictor
from napari_xseg.prediction.volume import PredictJob, predict

Predictor.batch_size = lambda *_: 1
folder = Path(sys.argv[1])
job = PredictJob(
    model=load_model(sys.argv[2]), images=volume_from_array(np.load(folder / "scan.npy")),
    slices=tuple(range(9)), out=folder / "mask.zarr", confidence=folder / "sure.zarr",
    precision="float32", device="cpu", threads=1,
)
for event in predict(job):
    if isinstance(event, SlicesDone) and event.slices == (3,):
        os._exit(9)
"""


@pytest.fixture
def killed(job: PredictJob, scan: Scan, tmp_path: Path) -> Path:
    np.save(tmp_path / "scan.npy", scan[0])
    where = [str(tmp_path), str(job.model.path)]
    subprocess.run([sys.executable, "-c", KILLED, *where], check=False, timeout=300)
    return next(one for one in unfinished_masks(tmp_path) if "mask" in one.name)


def test_a_mask_whose_writer_was_killed_is_gone_on_with(
    job: PredictJob, killed: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mask, sure = whole(job, tmp_path_factory.mktemp("all"))
    told = read_sidecar(killed)
    assert told is not None
    done = len(told["slices"])
    assert done >= 4
    assert wanted_slices(told) == tuple(range(9))
    mask[1] = spoil(killed, 1)
    saved = tmp_path / "saved.tif"
    list(copy_mask(killed, saved))
    np.testing.assert_array_equal(open_volume(saved).read(1), mask[1])
    events = list(predict(replace(job, rest_of=killed)))
    assert isinstance(events[-1], Finished)
    assert job.confidence is not None
    np.testing.assert_array_equal(open_volume(job.out)[:], mask)
    np.testing.assert_array_equal(open_volume(job.confidence)[:], sure)
    assert list(tmp_path.glob(".*")) == []


def test_what_a_dead_writer_left_is_removed_as_one(killed: Path) -> None:
    remove_unfinished(killed)
    assert list(killed.parent.glob(".*")) == []


@pytest.mark.parametrize(("damage", "left"), [("cut", 3), ("gone", 3), ("empty", 3)])
def test_a_page_that_is_not_whole_is_predicted_again(
    job: PredictJob, killed: Path, damage: str, left: int
) -> None:
    import shutil

    for page in range(4, pages_written(killed)):
        shutil.rmtree(killed / "0" / "c" / str(page))
    chunk = killed / "0" / "c" / "3" / "0" / "0"
    if damage == "cut":
        chunk.write_bytes(chunk.read_bytes()[:-5])
    elif damage == "gone":
        chunk.unlink()
    else:
        chunk.write_bytes(b"")
    assert pages_written(killed) == (4 if damage == "cut" else left)
    events: list[Event] = list(predict(replace(job, rest_of=killed)))
    taken = next(event for event in events if isinstance(event, SlicesDone))
    assert len(taken.slices) == left
    assert isinstance(events[-1], Finished)
    assert json.loads(sidecar_path(job.out).read_text())["complete"]

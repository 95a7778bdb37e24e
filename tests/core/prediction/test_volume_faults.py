"""Masks that are stopped, cannot be made, or meet a full disk."""

from __future__ import annotations

import errno
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_xseg.data.region import Box
from napari_xseg.data.volume import open_volume, volume_from_array
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Finished, Message, Progress, Started
from napari_xseg.prediction.predictor import Predictor
from napari_xseg.prediction.sidecar import read_sidecar, sidecar_path
from napari_xseg.prediction.volume import PredictJob, predict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_xseg.model.checkpoint import SavedModel

Scan = tuple[np.ndarray, np.ndarray]


def helpers() -> list[threading.Thread]:
    """Threads that read and write; zarr keeps others of its own."""
    return [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    end = time.monotonic() + 60
    while helpers() and time.monotonic() < end:
        time.sleep(0.01)
    assert not helpers()


@pytest.fixture(autouse=True)
def _one_slice_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Predictor, "batch_size", lambda *_: 1)


@pytest.fixture
def job(model: SavedModel, scan: Scan, tmp_path: Path) -> PredictJob:
    return PredictJob(
        model=model,
        images=volume_from_array(scan[0]),
        slices=tuple(range(9)),
        out=tmp_path / "mask.tif",
        confidence=tmp_path / "sure.tif",
        precision="float32",
        device="cpu",
    )


def refused(job: PredictJob) -> str:
    with pytest.raises(XsegError) as caught:
        list(predict(job))
    said = str(caught.value)
    assert "\n" not in said
    assert said.endswith(".")
    return said


def stopped_after(job: PredictJob, count: int) -> Finished:
    control = Control()
    if not count:
        control.stop()
    for event in predict(job, control):
        if isinstance(event, Progress) and event.done == count:
            control.stop()
    assert isinstance(event, Finished)
    return event


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_stop_keeps_what_is_done(
    job: PredictJob, tmp_path: Path, suffix: str, count: int
) -> None:
    list(predict(job))
    whole = open_volume(job.out)[:]
    part = replace(job, out=tmp_path / f"part{suffix}", confidence=tmp_path / f"part_sure{suffix}")
    finished = stopped_after(part, count)
    assert finished.reason == "stopped"
    mask, sure = open_volume(part.out)[:], open_volume(part.confidence)[:]  # type: ignore[arg-type]
    np.testing.assert_array_equal(mask[:count], whole[:count])
    assert (mask[count:] == job.model.classes.unlabelled).all()
    assert (sure[count:] == 0).all()
    told = read_sidecar(part.out)
    assert told is not None
    assert told["slices"] == list(range(count))
    assert told["complete"] is False
    assert len(told["fractions"]["slices"]) == count
    assert told["pixels"]["unlabelled"] == (9 - count) * 40 * 36


def test_a_stop_after_the_last_slice_is_no_stop(job: PredictJob) -> None:
    assert stopped_after(job, 9).reason == "done"


def test_a_pause_holds(job: PredictJob) -> None:
    control, seen = Control(), []

    def work() -> None:
        for event in predict(job, control):
            if isinstance(event, Progress):
                seen.append(event.done)
                if event.done == 3:
                    control.pause()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while 3 not in seen and thread.is_alive():
        time.sleep(0.005)
    time.sleep(0.1)
    assert seen[-1] == 3
    control.go_on()
    thread.join(60)
    assert seen[-1] == 9


@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
def test_a_job_that_is_dropped_leaves_nothing(job: PredictJob, tmp_path: Path, suffix: str) -> None:
    events = predict(replace(job, out=tmp_path / f"mask{suffix}"))
    for event in events:
        if isinstance(event, Progress) and event.done == 3:
            break
    events.close()  # type: ignore[attr-defined]
    assert names(tmp_path) == []


@pytest.mark.parametrize("bad", [0, 4, 8])
@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
def test_a_damaged_slice_leaves_no_mask(
    job: PredictJob, scan: Scan, tmp_path: Path, bad: int, suffix: str
) -> None:
    (tmp_path / "scan").mkdir()
    for z, plane in enumerate(scan[0]):
        tifffile.imwrite(tmp_path / "scan" / f"s{z}.tif", plane)
    images = open_volume(tmp_path / "scan")
    path = tmp_path / "scan" / f"s{bad}.tif"
    path.write_bytes(path.read_bytes()[:1500])
    said = refused(replace(job, images=images, out=tmp_path / f"mask{suffix}"))
    assert f"s{bad}.tif" in said
    assert names(tmp_path) == ["scan"]


def test_an_older_mask_stands_where_a_new_one_fails(
    job: PredictJob, scan: Scan, tmp_path: Path
) -> None:
    list(predict(job))
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}

    class Torn:
        shape, dtype = scan[0].shape, scan[0].dtype

        def __getitem__(self, z: int) -> np.ndarray:
            if z == 6:
                raise XsegError("scan: slice 6 is damaged.")
            return scan[0][z] + np.uint16(100)

    torn = replace(job, images=volume_from_array(Torn()), overwrite=True)
    # the sample for the grey values passes over slice 6
    torn = replace(torn, slices=tuple(range(6)) * 3 + (6,))
    assert "slice 6 is damaged" in refused(torn)
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


@pytest.mark.parametrize("which", ["out", "confidence"])
def test_what_is_there_is_not_overwritten(job: PredictJob, tmp_path: Path, which: str) -> None:
    path: Path = getattr(job, which)
    path.write_text("mine", encoding="utf-8")
    assert "--overwrite" in refused(job)
    assert names(tmp_path) == [path.name]
    list(predict(replace(job, overwrite=True)))
    assert len(open_volume(path)) == 9


def test_the_images_are_never_overwritten(job: PredictJob, scan: Scan, tmp_path: Path) -> None:
    scan_file = tmp_path / "scan.tif"
    tifffile.imwrite(scan_file, scan[0], photometric="minisblack")
    before = scan_file.read_bytes()
    images = open_volume(scan_file)
    for wrong in ({"out": scan_file}, {"confidence": scan_file}):
        said = refused(replace(job, images=images, overwrite=True, **wrong))  # type: ignore[arg-type]
        assert "is an input" in said
    own = job.model.path
    assert str(own) in refused(replace(job, out=own, overwrite=True))
    assert scan_file.read_bytes() == before
    assert names(tmp_path) == ["scan.tif"]


def test_a_folder_of_images_is_never_overwritten(
    job: PredictJob, scan: Scan, tmp_path: Path
) -> None:
    (tmp_path / "scan").mkdir()
    for z in range(9):
        tifffile.imwrite(tmp_path / "scan" / f"s{z}.tif", scan[0][z])
    images = open_volume(tmp_path / "scan")
    out = tmp_path / "scan" / "s3.tif"
    assert "among the images" in refused(replace(job, images=images, out=out, overwrite=True))
    np.testing.assert_array_equal(tifffile.imread(out), scan[0][3])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"slices": ()}, "no slice to predict"),
        ({"slices": (3, 9)}, "slice 9 is not among them"),
        ({"slices": (-1,)}, "slice -1 is not among them"),
        ({"region": Box(0, 99, 0, 5)}, "not inside"),
        ({"device": "cuda:77"}, "--device"),
        ({"out": Path("mask.png")}, ".tif, .tiff or .zarr"),
        ({"confidence": Path("sure.png")}, ".tif, .tiff or .zarr"),
        ({"confidence": Path("mask.tif")}, "two files"),
    ],
)
def test_a_job_that_cannot_be_done_is_refused_before_anything_is_written(
    job: PredictJob, tmp_path: Path, change: dict[str, Any], word: str
) -> None:
    placed = {
        key: tmp_path / value if isinstance(value, Path) else value for key, value in change.items()
    }
    events: list[object] = []
    with pytest.raises(XsegError, match=word.replace(".", r"\.")):
        events.extend(predict(replace(job, **placed)))
    assert not any(isinstance(event, Started) for event in events)
    assert names(tmp_path) == []


def test_a_model_of_other_channels_is_refused(
    make_model: Callable[..., SavedModel], job: PredictJob
) -> None:
    assert "wants 2 values a pixel" in refused(replace(job, model=make_model(channels=2)))


def test_images_that_tell_nothing_are_refused(job: PredictJob, scan: Scan, tmp_path: Path) -> None:
    flat = volume_from_array(np.zeros_like(scan[0]), name="flat")
    assert "flat" in refused(replace(job, images=flat))
    void = volume_from_array(np.full(scan[0].shape, np.nan, np.float32), name="void")
    assert "void" in refused(replace(job, images=void))
    assert names(tmp_path) == []


class FullDisk:
    """A disk on which the named output meets no more room when it is synced."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.hits = 0
        fsync = os.fsync
        stem, _, suffix = name.rpartition(".")

        def sync(handle: int) -> None:
            path = Path(f"/proc/self/fd/{handle}").resolve()
            for part in (path, *path.parents):
                if part.name.startswith(f".{stem}.") and part.suffix == f".{suffix}":
                    self.hits += 1
                    raise OSError(errno.ENOSPC, "No space left on device")
            fsync(handle)

        monkeypatch.setattr(os, "fsync", sync)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks up open files in /proc")
@pytest.mark.parametrize("name", ["mask.tif", "mask.zarr"])
def test_a_full_disk_at_the_end_leaves_no_mask(
    job: PredictJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    disk = FullDisk(monkeypatch, name)
    said = refused(replace(job, out=tmp_path / name, confidence=None))
    assert disk.hits
    assert "disk is full" in said
    assert names(tmp_path) == []


@pytest.mark.parametrize("call", ["mask", "sidecar"])
def test_a_full_disk_in_mid_write_leaves_the_older_mask(
    job: PredictJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    list(predict(job))
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    if call == "mask":
        write = tifffile.TiffWriter.write

        def full(self: Any, data: Any, **more: Any) -> Any:
            if "mask" in str(self.filehandle.path) and self.filehandle.tell() > 3000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(self, data, **more)

        monkeypatch.setattr(tifffile.TiffWriter, "write", full)
    else:

        def no_room(self: Path, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device", str(self))

        monkeypatch.setattr(Path, "write_bytes", no_room)
    said = refused(replace(job, overwrite=True, slices=tuple(range(8, -1, -1))))
    monkeypatch.undo()
    assert "disk is full" in said
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


def test_a_mask_never_stands_beside_an_older_sidecar(job: PredictJob) -> None:
    list(predict(job))
    other = replace(job, overwrite=True, slices=(1, 2))
    list(predict(other))
    told = read_sidecar(job.out)
    assert told is not None
    assert told["slices"] == [1, 2]
    assert sidecar_path(job.out).exists()


def test_slices_without_a_finite_pixel_are_counted(job: PredictJob, scan: Scan) -> None:
    images = scan[0].astype(np.float32)
    images[3:5] = np.nan
    images[6, :20] = np.nan
    told = list(predict(replace(job, images=volume_from_array(images, "scan"))))
    said = [event.text for event in told if isinstance(event, Message)]
    assert said == ["scan: 2 of 9 slices have no finite pixel; nothing is predicted there."]
    assert isinstance(told[-1], Finished)


def test_a_few_slices_among_many_blank_ones_are_predicted(job: PredictJob, scan: Scan) -> None:
    images = np.zeros((90, *scan[0].shape[1:]), scan[0].dtype)
    images[41:44] = scan[0][:3]
    many = replace(job, images=volume_from_array(images, "scan"), slices=tuple(range(90)))
    assert isinstance(list(predict(many))[-1], Finished)
    found = tifffile.imread(job.out)[42]
    few = replace(job, images=volume_from_array(scan[0][:3], "scan"), slices=(1,), overwrite=True)
    list(predict(few))
    np.testing.assert_array_equal(tifffile.imread(job.out).squeeze(), found)


def test_a_volume_without_a_finite_pixel_is_refused(job: PredictJob, scan: Scan) -> None:
    images = np.full(scan[0].shape, np.nan, np.float32)
    said = refused(replace(job, images=volume_from_array(images, "scan"), overwrite=True))
    assert "scan: all 9 slices looked at are constant or without a finite pixel" in said
    assert not job.out.exists()

"""What is kept of a mask where its disk fills up."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.formats.zarr_writer import ZarrWriter
from napari_xseg.data.volume import open_volume, volume_from_array
from napari_xseg.errors import XsegError
from napari_xseg.events import Finished, Message
from napari_xseg.prediction import account
from napari_xseg.prediction.predictor import Predictor
from napari_xseg.prediction.sidecar import read_sidecar, sidecar_path
from napari_xseg.prediction.volume import PredictJob, predict

if TYPE_CHECKING:
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
        precision="float32",
        device="cpu",
    )


def fill_disk(monkeypatch: pytest.MonkeyPatch, stem: str, first: int) -> None:
    """Leave no room for the slices of a Zarr from the page `first` on."""
    write = ZarrWriter._write

    def full(self: ZarrWriter, z: int, plane: Any) -> None:
        if self.path.stem == stem and z >= first and (plane != self.fill_value).any():
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, z, plane)

    monkeypatch.setattr(ZarrWriter, "_write", full)


@pytest.mark.parametrize("stem", ["mask", "sure"])
def test_a_full_disk_keeps_the_slices_that_are_done(
    job: PredictJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stem: str
) -> None:
    both = replace(job, confidence=tmp_path / "sure.zarr")
    list(predict(both))
    whole, sure = open_volume(both.out)[:], open_volume(tmp_path / "sure.zarr")[:]
    room = account.room(both)
    assert sidecar_path(both.out).stat().st_size < room
    fill_disk(monkeypatch, stem, 4)
    events = list(predict(replace(both, overwrite=True)))
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "stopped"
    assert events[-2] == Message(
        f"{both.out}: the disk is full; 4 of 9 slices are predicted and kept, the rest is "
        "unlabelled: make room, and predict the rest.",
        "warning",
    )
    told = read_sidecar(both.out)
    assert told is not None
    assert told["slices"] == [0, 1, 2, 3]
    assert not told["complete"]
    mask = open_volume(both.out)[:]
    np.testing.assert_array_equal(mask[:4], whole[:4])
    assert (mask[4:] == job.model.classes.unlabelled).all()
    np.testing.assert_array_equal(open_volume(tmp_path / "sure.zarr")[:][:4], sure[:4])


def test_a_full_disk_keeps_room_for_what_is_said_of_the_mask(
    job: PredictJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms: list[int] = []
    write = ZarrWriter._write

    def look(self: ZarrWriter, z: int, plane: Any) -> None:
        rooms.extend(path.stat().st_size for path in tmp_path.glob(".mask.zarr.*.json"))
        write(self, z, plane)

    monkeypatch.setattr(ZarrWriter, "_write", look)
    list(predict(job))
    assert min(rooms) > sidecar_path(job.out).stat().st_size


def test_a_disk_that_is_full_from_the_first_slice_on_leaves_no_mask(
    job: PredictJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_disk(monkeypatch, "mask", 0)
    with pytest.raises(XsegError, match="the disk is full"):
        list(predict(job))
    assert list(tmp_path.iterdir()) == []

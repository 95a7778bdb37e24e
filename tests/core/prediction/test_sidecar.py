"""Masks saved once more, and masks that were never finished."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.volume import VoxelSize, open_label_volume
from napari_xseg.data.writing import create_writer, save_volume
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Finished, Progress
from napari_xseg.prediction.copying import copy_mask
from napari_xseg.prediction.sidecar import (
    read_sidecar,
    remove_unfinished,
    sidecar_path,
    unfinished_masks,
)

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = ClassTable.from_values([0, 128, 255])
COLOURS = dict(zip(CLASSES.values, CLASSES.colours, strict=True))
PLANES = np.random.default_rng(0).choice(np.array([0, 128, 255], np.uint8), (4, 20, 30))


def mask_at(path: Path, told: bool = True) -> Path:
    save_volume(path, PLANES, voxel_size=VoxelSize(2.0, 0.5, 0.25, "um"), colours=COLOURS)
    if told:
        said = json.dumps({"classes": CLASSES.to_dict(), "slices": [1, 2, 3, 4]})
        sidecar_path(path).write_text(said, encoding="utf-8")
    return path


def copied(source: Path, target: Path, overwrite: bool = False) -> list[Event]:
    return list(copy_mask(source, target, overwrite=overwrite))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("first", ["a.tif", "a.zarr"])
@pytest.mark.parametrize("second", ["b.tif", "b.zarr"])
def test_a_copy_keeps_everything(tmp_path: Path, first: str, second: str, told: bool) -> None:
    source, target = mask_at(tmp_path / first, told), tmp_path / "new" / second
    *progress, finished = copied(source, target)
    assert [event.done for event in progress if isinstance(event, Progress)] == [1, 2, 3, 4]
    assert isinstance(finished, Finished)
    assert (finished.path, finished.reason) == (target, "done")
    found = open_label_volume(target)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found[:], PLANES)
    size = found.voxel_size
    assert size is not None
    assert (size.z, size.y, size.x, size.unit) == pytest.approx((2.0, 0.5, 0.25, "um"))
    assert found.palette is not None
    assert {value: found.palette[value] for value in COLOURS} == COLOURS
    assert read_sidecar(target) == read_sidecar(source)
    assert names(target.parent) == ([second, f"{second}.json"] if told else [second])


def test_an_older_sidecar_never_stays(tmp_path: Path) -> None:
    target = mask_at(tmp_path / "b.tif")
    source = mask_at(tmp_path / "a.tif", told=False)
    with pytest.raises(XsegError, match="is there already"):
        copied(source, target)
    assert read_sidecar(target) is not None
    copied(source, target, overwrite=True)
    assert read_sidecar(target) is None


def test_a_mask_is_not_copied_onto_itself(tmp_path: Path) -> None:
    source = mask_at(tmp_path / "a.zarr")
    with pytest.raises(XsegError, match="is an input"):
        copied(source, source, overwrite=True)
    np.testing.assert_array_equal(open_label_volume(source)[:], PLANES)


def test_a_copy_that_is_stopped_or_dropped_leaves_nothing(tmp_path: Path) -> None:
    source, control = mask_at(tmp_path / "a.tif"), Control()
    (tmp_path / "new").mkdir()
    events = copy_mask(source, tmp_path / "new" / "b.zarr", control=control)
    next(events)
    control.stop()
    (finished,) = events
    assert isinstance(finished, Finished)
    assert finished.reason == "stopped"
    dropped = copy_mask(source, tmp_path / "new" / "b.tif")
    next(dropped)
    dropped.close()  # type: ignore[attr-defined]
    assert names(tmp_path / "new") == []


def test_masks_of_a_dead_writer_are_found(tmp_path: Path) -> None:
    code = f"""
import os, signal, numpy as np
from napari_xseg.data.writing import atomic_path, create_writer
with atomic_path({str(tmp_path / "m.zarr.json")!r}) as beside:
    beside.write_text("begun")
    writer = create_writer({str(tmp_path / "m.zarr")!r}, (3, 4, 5), "uint8")
    writer.fill_value = 7
    with writer:
        writer.write(0, np.full((4, 5), 9, np.uint8))
        os._exit(9)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    (tmp_path / ".other.zarr").mkdir()
    with create_writer(tmp_path / "mine.zarr", (1, 4, 5), "uint8") as alive:
        (left,) = unfinished_masks(tmp_path)
        alive.write(0, np.zeros((4, 5), np.uint8))
    found = np.asarray(zarr.open(left, mode="r")["0"])  # type: ignore[index]
    assert found[:, 0, 0].tolist() == [9, 7, 7]
    remove_unfinished(left)
    assert names(tmp_path) == [".other.zarr", "mine.zarr"]
    with pytest.raises(ValueError, match="temporary"):
        remove_unfinished(tmp_path / "mine.zarr")
    assert unfinished_masks(tmp_path / "nowhere") == []


@pytest.mark.skipif(os.name == "nt", reason="there, time decides")
def test_a_mask_being_written_is_not_offered(tmp_path: Path) -> None:
    with create_writer(tmp_path / "m.tif", (1, 4, 5), "uint8") as writer:
        assert unfinished_masks(tmp_path) == []
        writer.write(0, np.zeros((4, 5), np.uint8))

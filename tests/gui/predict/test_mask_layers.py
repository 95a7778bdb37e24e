from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.writing import create_writer
from napari_xseg.errors import XsegError
from napari_xseg.gui.predict.mask_layers import LEAST, MOST, FilePlanes, open_mask, planes_kept

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = ClassTable.from_values([0, 128, 255])
SHAPE = (6, 8, 10)


def plane_of(value: int) -> np.ndarray:
    return np.full(SHAPE[1:], value, np.uint8)


def write_mask(path: Path, values: list[int], told: dict | None = None) -> None:
    with create_writer(path, (len(values), *SHAPE[1:]), np.dtype(np.uint8)) as writer:
        for page, value in enumerate(values):
            writer.write(page, plane_of(value))
    if told is not None:
        path.with_name(f"{path.name}.json").write_text(json.dumps(told), encoding="utf-8")


@pytest.mark.parametrize("name", ["mask.zarr", "mask.tif"])
def test_pages_lie_at_their_slices_as_layer_values(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_mask(path, [0, 128, 255, 1])
    planes = FilePlanes(SHAPE, (4, 1, 0, 2), path, classes=CLASSES)
    assert [int(planes[z].max()) for z in range(6)] == [3, 2, 0, 0, 1, 0]
    assert planes[4].shape == SHAPE[1:]
    assert planes.shape == SHAPE


def test_confidences_keep_their_values(tmp_path: Path) -> None:
    write_mask(tmp_path / "sure.zarr", [7, 200])
    planes = FilePlanes(SHAPE, (0, 5), tmp_path / "sure.zarr")
    assert (planes[0][0, 0], planes[5][0, 0], planes[3][0, 0]) == (7, 200, 0)


def test_an_unfinished_mask_shows_what_is_written_and_goes_on_at_its_own_place(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mask.zarr"
    planes = FilePlanes(SHAPE, (2, 3, 4), path, classes=CLASSES, written=False)
    assert not planes[2].any()
    with create_writer(path, (3, *SHAPE[1:]), np.dtype(np.uint8)) as writer:
        writer.write(0, plane_of(128))
        assert writer.readable is not None
        planes.add((2,), writer.readable)
        assert (planes[2] == 2).all()
        assert not planes[3].any()
        writer.write(1, plane_of(255))
        planes.add((3,), writer.readable)
        assert (planes[3] == 3).all()
        writer.write(2, plane_of(0))
    # Renamed, and nobody has said so yet.
    planes.forget()
    assert (planes[2] == 2).all()
    planes.finish()
    assert [int(planes[z].max()) for z in range(6)] == [0, 0, 2, 3, 1, 0]


def test_a_mask_that_is_gone_is_blank_and_told_once(tmp_path: Path) -> None:
    told: list[XsegError] = []
    planes = FilePlanes(
        SHAPE, (0, 1), tmp_path / "gone.zarr", classes=CLASSES, on_fault=told.append
    )
    assert not planes[0].any()
    assert not planes[1].any()
    assert len(told) == 1
    assert "is not there any more" in str(told[0])


def test_foreign_values_are_told(tmp_path: Path) -> None:
    told: list[XsegError] = []
    write_mask(tmp_path / "mask.tif", [77])
    planes = FilePlanes(SHAPE, (0,), tmp_path / "mask.tif", classes=CLASSES, on_fault=told.append)
    assert not planes[0].any()
    assert "77" in str(told[0])


def test_open_mask_reads_the_file_beside_it(tmp_path: Path) -> None:
    told = {
        "classes": CLASSES.to_dict(),
        "slices": [1, 3],
        "model": "abc",
        "model_file": str(tmp_path / "20260101-120000-fine" / "model.safetensors"),
        "images": "scan",
        "fractions": {"pooled": {"class 0": 0.25, "class 1": 0.75, "class 2": None}},
    }
    write_mask(tmp_path / "mask.zarr", [0, 128, 1], told)
    mask = open_mask(tmp_path / "mask.zarr")
    assert mask.slices == (1, 3)
    assert mask.classes == CLASSES
    assert mask.model_name == "20260101-120000-fine"
    assert mask.fractions == {"class 0": 0.25, "class 1": 0.75}
    assert mask.confidence is None
    assert mask.shape_on(SHAPE) == SHAPE
    assert mask.shape_on((2, 8, 10)) == (4, 8, 10)
    assert not mask.fits((6, 9, 10))


def test_open_mask_wants_the_file_beside_it(tmp_path: Path) -> None:
    write_mask(tmp_path / "mask.zarr", [0])
    with pytest.raises(XsegError, match=r"mask\.zarr\.json"):
        open_mask(tmp_path / "mask.zarr")


def test_few_large_planes_are_kept() -> None:
    assert planes_kept((500, 4000, 4000)) == 16
    assert planes_kept((500, 40_000, 40_000)) == LEAST
    assert planes_kept((500, 10, 10)) == MOST

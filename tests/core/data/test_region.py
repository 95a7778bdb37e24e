"""The part of each slice that counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_xseg.data.region import EVERYTHING, Box, Circle, Everything, Overlap, parse_region
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path

edge = st.integers(1, 40)


@pytest.mark.parametrize("text", [None, "", "  "])
def test_nothing_given_is_everything(text: str | None) -> None:
    region = parse_region(text)
    assert region == EVERYTHING
    assert region.mask(0, (3, 4)) is None
    region.check((1, 3, 4))


@given(height=edge, width=edge)
def test_the_circle_touches_the_nearer_edges(height: int, width: int) -> None:
    region = parse_region(" Circle ")
    inside = region.mask(0, (height, width))
    assert inside is not None
    np.testing.assert_array_equal(inside, inside[::-1])
    np.testing.assert_array_equal(inside, inside[:, ::-1])
    y, x = np.mgrid[:height, :width] + 0.5
    distance = np.hypot(y - height / 2, x - width / 2)
    radius = min(height, width) / 2
    assert inside[distance < radius - 1e-9].all()
    assert not inside[distance > radius + 1e-9].any()
    assert parse_region(region.text) == region


@given(ends=st.tuples(*[st.tuples(st.integers(0, 30), st.integers(1, 9), st.integers(0, 5))] * 2))
def test_a_box_is_half_open(ends: tuple[tuple[int, int, int], tuple[int, int, int]]) -> None:
    (x0, along, right), (y0, down, below) = ends
    x1, y1 = x0 + along, y0 + down
    width, height = x1 + right, y1 + below
    region = parse_region(f" {x0}:{x1} , {y0}:{y1} ")
    inside = region.mask(3, (height, width))
    expected = np.zeros((height, width), bool)
    expected[y0:y1, x0:x1] = True
    np.testing.assert_array_equal(inside, expected)
    assert parse_region(region.text) == region


def test_open_ends_reach_to_the_edges() -> None:
    region = parse_region(":,5:")
    inside = region.mask(0, (8, 9))
    assert inside is not None
    assert inside[5:].all()
    assert not inside[:5].any()
    assert parse_region(region.text) == region


@pytest.mark.parametrize("text", ["5:5,0:3", "7:2,0:3", "0:3,4:4"])
def test_empty_boxes_are_refused(text: str) -> None:
    with pytest.raises(XsegError, match="is empty"):
        parse_region(text)


@pytest.mark.parametrize("text", ["0:10,0:3", "0:3,0:9", "9:,:", ":,8:"])
def test_boxes_outside_the_slices_are_refused(text: str) -> None:
    region = parse_region(text)
    with pytest.raises(XsegError, match="is not inside"):
        region.check((2, 8, 9))
    with pytest.raises(XsegError, match="is not inside"):
        region.mask(0, (8, 9))


@pytest.mark.parametrize("text", ["square", "1:2", "1:2,3:4,5:6", "a:b,c:d", "nowhere.tif"])
def test_what_is_no_region_is_refused(text: str) -> None:
    with pytest.raises(XsegError, match=text.split(":")[0]):
        parse_region(text)


def test_one_mask_serves_all_slices(tmp_path: Path) -> None:
    path = tmp_path / "fov.png"
    mask = np.random.default_rng(0).integers(0, 2, (8, 9)).astype(np.uint8) * 255
    tifffile.imwrite(path, mask)
    region = parse_region(path)
    region.check((5, 8, 9))
    for z in (0, 4):
        np.testing.assert_array_equal(region.mask(z, (8, 9)), mask > 0)
    assert region.files == (path,)
    assert parse_region(region.text) == region
    with pytest.raises(XsegError, match=r"fov\.png: is a mask of 1 x 8 x 9"):
        region.check((5, 9, 8))
    with pytest.raises(XsegError, match=r"fov\.png"):
        region.mask(0, (9, 8))


def test_a_stack_of_masks_goes_slice_by_slice(tmp_path: Path) -> None:
    path = tmp_path / "fov.tif"
    masks = np.random.default_rng(0).integers(0, 2, (5, 8, 9)).astype(bool)
    tifffile.imwrite(path, masks.astype(np.int16), metadata={"axes": "ZYX"})
    region = parse_region(str(path))
    region.check((5, 8, 9))
    for z in range(5):
        np.testing.assert_array_equal(region.mask(z, (8, 9)), masks[z])
    with pytest.raises(XsegError, match="the volume has 6 x 8 x 9"):
        region.check((6, 8, 9))
    with pytest.raises(XsegError, match=r"fov\.tif"):
        region.mask(5, (8, 9))


def test_a_mask_that_marks_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "black.tif"
    tifffile.imwrite(path, np.zeros((8, 9), np.uint8))
    with pytest.raises(XsegError, match=r"black\.tif: marks no pixel"):
        parse_region(path)


def test_a_mask_may_be_a_dataset(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["mask"] = np.ones((8, 9), np.uint8)
        file["data"] = np.ones((5, 8, 9), np.uint16)
    region = parse_region(f"{path}:/mask")
    region.check((5, 8, 9))
    inside = region.mask(2, (8, 9))
    assert inside is not None
    assert inside.all()


def test_an_overlap_has_what_both_have() -> None:
    box = Box(2, 6, 1, 3)
    both = Overlap(Circle(), box)
    shape = (8, 8)
    expected = Circle().mask(0, shape) & box.mask(0, shape)
    np.testing.assert_array_equal(both.mask(0, shape), expected)
    np.testing.assert_array_equal(Overlap(Everything(), box).mask(0, shape), box.mask(0, shape))
    assert Overlap(Everything(), Everything()).mask(0, shape) is None
    both.check((3, 8, 8))
    with pytest.raises(XsegError, match="is not inside"):
        both.check((3, 5, 5))

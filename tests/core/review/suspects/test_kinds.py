"""Faults planted in a mask are found by the kind that should find them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.volume import volume_from_array
from napari_xseg.review.suspects.masks import open_mask
from napari_xseg.review.suspects.table import KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.review.suspects.table import Suspect, Suspects

Planted = tuple[np.ndarray, np.ndarray]
Look = "Callable[..., Suspects]"


def another(value: int) -> int:
    return 255 if value != 255 else 0


def near(suspects: Suspects, z: int, y: int, x: int) -> list[Suspect]:
    return [one for one in suspects if one.z == z and abs(one.y - y) <= 4 and abs(one.x - x) <= 4]


def test_a_hole_in_a_class(planted: Planted, inner: Any, look: Any) -> None:
    y, x, value = inner(3)
    planted[1][3, y : y + 2, x : x + 2] = another(value)
    found = look(*planted, kinds=("hole", "fragment"))
    (one,) = near(found, 3, y, x)
    assert (one.kind, one.pixels) == ("hole", 4)
    assert (one.y_range, one.x_range) == ((y, y + 2), (x, x + 2))
    names = found.classes.names
    assert one.found is not None
    assert one.other is not None
    assert found.classes.values[one.found] == another(value)
    assert found.classes.values[one.other] == value
    assert (
        found.words(one)
        == f"a hole of 4 pixels in {names[one.other]}, filled with {names[one.found]}"
    )


def test_a_fragment_between_two_classes(planted: Planted, look: Any) -> None:
    images, values = planted
    values[:] = 0
    values[:, :, 40:] = 128
    values[:, 60:, 20:60] = 255
    values[3, 20:22, 39:41] = 255
    (one,) = look(images, values, kinds=("hole", "fragment"))
    assert (one.kind, one.z, one.pixels) == ("fragment", 3, 4)


def test_pieces_that_the_edge_cuts_may_go_on_beyond_it(planted: Planted, look: Any) -> None:
    images, values = planted
    values[:] = 0
    values[:, 60:, 20:60] = 255
    values[3, :2, 30:32] = 255
    assert not len(look(images, values, kinds=("hole", "fragment")))


def test_sizes_that_are_set_take_the_place_of_learnt_ones(
    planted: Planted, inner: Any, look: Any
) -> None:
    y, x, value = inner(3)
    planted[1][3, y : y + 5, x : x + 5] = another(value)
    index = [0, 128, 255].index(another(value))
    for limit, count in ((25, 0), (26, 1)):
        found = look(*planted, kinds=("hole",), limits={index: limit})
        assert len(near(found, 3, y + 2, x + 2)) == count


def test_a_class_in_one_slice_alone(planted: Planted, inner: Any, look: Any) -> None:
    y, x, value = inner(3)
    planted[1][3, y - 3 : y + 4, x - 3 : x + 4] = another(value)
    (one,) = near(look(*planted, kinds=("neighbours",)), 3, y, x)
    assert (one.kind, one.pixels, one.z_range) == ("neighbours", 49, (3, 4))


@pytest.mark.parametrize("z", [0, 6])
def test_the_first_and_last_slice_have_one_neighbour_and_no_witness(
    planted: Planted, inner: Any, look: Any, z: int
) -> None:
    y, x, value = inner(z)
    planted[1][z, y - 3 : y + 4, x - 3 : x + 4] = another(value)
    assert not near(look(*planted, kinds=("neighbours",)), z, y, x)


def test_slices_that_are_no_neighbours_say_nothing_of_each_other(
    planted: Planted, inner: Any, look: Any
) -> None:
    y, x, value = inner(3)
    planted[1][3, y - 3 : y + 4, x - 3 : x + 4] = another(value)
    slices = (0, 1, 3, 4, 5)
    assert not near(look(*planted, kinds=("neighbours",), slices=slices), 3, y, x)
    found = look(*planted, neighbours=False)
    assert "neighbours" not in {kind for one in found for kind in one.kinds}


def test_a_second_mask_that_differs(
    planted: Planted, inner: Any, job_of: Any, look: Any, tmp_path: Path
) -> None:
    import tifffile

    y, x, value = inner(3)
    other = planted[1].copy()
    other[3, y - 4 : y + 5, x - 4 : x + 5] = another(value)
    tifffile.imwrite(tmp_path / "second.tif", other, photometric="minisblack")
    second = open_mask(tmp_path / "second.tif", volume_from_array(planted[0]))
    (one,) = look(*planted, kinds=("models",), second_mask=second)
    assert (one.kind, one.z) == ("models", 3)
    assert abs(one.y - y) < 1
    assert abs(one.x - x) < 1
    assert one.other is not None
    assert second.classes.values[one.other] == another(value)


def test_low_confidence_from_a_file_alone(planted: Planted, look: Any) -> None:
    sure = np.full(planted[1].shape, 250, np.uint8)
    sure[5, 40:52, 20:30] = 120
    found = look(*planted, kinds=("confidence",), confidence=volume_from_array(sure))
    assert {one.z for one in found} == {5}
    assert found[0].y_range[0] >= 38
    assert found[0].y_range[1] <= 54
    assert found[0].strength > 0.3


def test_a_slice_whose_grey_values_drift(planted: Planted, look: Any) -> None:
    images, values = planted
    images[2] = (images[2] * 0.6).astype(images.dtype)
    (one,) = look(images, values, kinds=("drift",))
    assert (one.kind, one.z, one.pixels) == ("drift", 2, 96 * 80)
    assert (one.found, one.y_range, one.x_range) == (None, (0, 96), (0, 80))


def test_a_slice_of_one_grey_value_drifts_most(planted: Planted, look: Any) -> None:
    images, values = planted
    images[2] = 30000
    images[4] = (images[4] * 0.75).astype(images.dtype)
    assert [one.z for one in look(images, values, kinds=("drift",))] == [2, 4]


def test_a_volume_of_nothing_but_one_grey_value_has_no_drift(planted: Planted, look: Any) -> None:
    images, values = planted
    images[:] = 7
    assert not len(look(images, values, kinds=("drift",)))


def test_a_right_mask_of_a_quiet_volume_is_hardly_suspicious(planted: Planted, look: Any) -> None:
    found = look(*planted)
    assert found.rows["pixels"].sum() < 0.003 * planted[1].size


def test_what_is_not_finite_or_outside_is_not_looked_at(
    planted: Planted, inner: Any, look: Any
) -> None:
    from napari_xseg.data.region import parse_region

    y, x, value = inner(3)
    images = planted[0].astype(np.float32)
    planted[1][3, y : y + 2, x : x + 2] = another(value)
    assert near(look(images, planted[1]), 3, y, x)
    images[3, y - 2 : y + 4, x - 2 : x + 4] = np.nan
    assert not near(look(images, planted[1]), 3, y, x)
    region = parse_region(f"{x + 8}:80,0:96")
    assert not near(look(planted[0], planted[1], region=region), 3, y, x)


@pytest.mark.parametrize("depth", [1, 2])
def test_one_image_and_a_stack_of_two(planted: Planted, look: Any, depth: int) -> None:
    images, values = planted[0][:depth], planted[1][:depth]
    values[0, 40, 40] = another(int(values[0, 40, 40]))
    found = look(images, values)
    assert {one.kind for one in found} <= set(KINDS)
    single = look(images[0], values[0])
    assert {one.z for one in single} <= {0}

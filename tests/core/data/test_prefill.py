from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from napari_xseg.data.phantom import phantom
from napari_xseg.data.prefill import (
    NOTHING,
    cut_slice,
    ellipse_outline,
    fill_unlabelled,
    grey_histogram,
    guess_cuts,
    region_mask,
)


def _two_humps(dtype: str = "uint16") -> np.ndarray:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(20_000, 900, 6_000), rng.normal(40_000, 900, 4_000)])
    return values.reshape(100, 100).astype(dtype)


def test_histogram_counts_every_finite_pixel_once() -> None:
    plane = _two_humps("float32")
    plane[0, :3] = [np.nan, np.inf, -np.inf]
    histogram = grey_histogram(plane)
    assert histogram is not None
    assert histogram.counts.sum() == plane.size - 3
    assert not histogram.whole
    assert histogram.low == plane[np.isfinite(plane)].min()


def test_histogram_of_integers_has_equally_many_values_a_bin() -> None:
    plane = np.arange(1000, dtype=np.uint16).reshape(10, 100)
    histogram = grey_histogram(plane)
    assert histogram is not None
    assert len(histogram.counts) <= 256
    assert set(histogram.counts[:-1].tolist()) == {4}
    assert histogram.counts.sum() == 1000


def test_histogram_range_leaves_out_hot_pixels_but_counts_them() -> None:
    plane = _two_humps()
    plane[0, 0] = 65_535
    plane[0, 1] = 0
    histogram = grey_histogram(plane.astype(np.float32) * 100)
    assert histogram is not None
    assert histogram.high == 6_553_500
    small = grey_histogram(plane)
    assert small is not None
    assert small.counts.sum() == plane.size
    hot = np.full((200, 200), 5.0)
    hot[:, ::2] = 6.0
    hot[0, 0] = 1e9
    robust = grey_histogram(hot)
    assert robust is not None
    assert robust.edges[-1] < 10
    assert robust.counts.sum() == hot.size


@pytest.mark.parametrize("dtype", ["uint8", "bool", "int16", "float32"])
def test_histogram_of_a_constant_slice(dtype: str) -> None:
    histogram = grey_histogram(np.ones((4, 5), dtype))
    assert histogram is not None
    assert histogram.counts.sum() == 20
    assert histogram.edges[0] < 1 < histogram.edges[-1]
    assert len(guess_cuts(histogram, 3)) == 2


def test_histogram_within_a_region_alone() -> None:
    plane = np.zeros((10, 10), np.uint8)
    plane[:, 5:] = 200
    within = np.zeros((10, 10), bool)
    within[:, 7:] = True
    histogram = grey_histogram(plane, within)
    assert histogram is not None
    assert (histogram.low, histogram.counts.sum()) == (200, 30)


def test_histogram_of_nothing_is_none() -> None:
    assert grey_histogram(np.full((3, 3), np.nan)) is None
    assert grey_histogram(np.ones((3, 3), np.uint8), np.zeros((3, 3), bool)) is None


@given(
    counts=st.lists(st.integers(0, 50), min_size=6, max_size=12),
    classes=st.integers(2, 4),
)
def test_cuts_are_the_best_of_all(counts: list[int], classes: int) -> None:
    values = np.repeat(np.arange(len(counts)), counts).astype(np.uint8)
    if len(np.unique(values)) < classes:
        return
    histogram = grey_histogram(values.reshape(1, -1))
    assert histogram is not None
    cuts = guess_cuts(histogram, classes)

    def spread(borders: tuple[float, ...]) -> float:
        parts = np.searchsorted(borders, values)
        groups = [values[parts == part] for part in range(classes)]
        return sum(float(((g - g.mean()) ** 2).sum()) for g in groups if g.size)

    best = min(spread(pair) for pair in combinations(range(len(counts) - 1), classes - 1))
    assert spread(cuts) == pytest.approx(best, abs=1e-6)
    assert list(cuts) == sorted(cuts)


def test_a_cut_lies_in_the_middle_of_a_gap() -> None:
    plane = np.repeat(np.array([10, 90], np.uint8), 50).reshape(10, 10)
    histogram = grey_histogram(plane)
    assert histogram is not None
    assert guess_cuts(histogram, 2) == (49.0,)


def test_cuts_of_more_classes_than_grey_values() -> None:
    histogram = grey_histogram(np.array([[0, 1]], np.uint8))
    assert histogram is not None
    cuts = guess_cuts(histogram, 20)
    assert len(cuts) == 19
    assert list(cuts) == sorted(set(cuts))


def test_guessed_cuts_find_the_phases_of_the_phantom() -> None:
    image, truth = phantom((3, 96, 128), seed=1)
    histogram = grey_histogram(image[1])
    assert histogram is not None
    mask = cut_slice(image[1], guess_cuts(histogram, 3), (0, 1, 2))
    values = np.array([0, *np.unique(truth)])
    assert (values[mask] == truth[1]).mean() > 0.85


def test_a_value_equal_to_a_cut_belongs_below() -> None:
    plane = np.array([[1, 2, 3]], np.int16)
    assert cut_slice(plane, (2.0,), (0, 1)).tolist() == [[1, 1, 2]]


def test_order_and_ranges_without_class() -> None:
    plane = np.array([[0, 10, 20]], np.uint8)
    assert cut_slice(plane, (5, 15), (2, NOTHING, 0)).tolist() == [[3, 0, 1]]


def test_pixels_that_are_not_finite_or_not_free_get_no_label() -> None:
    plane = np.array([[np.nan, 1.0, np.inf, 3.0]], np.float32)
    free = np.array([[True, True, True, False]])
    assert cut_slice(plane, (2.0,), (0, 1), free).tolist() == [[0, 1, 0, 0]]


def test_what_is_labelled_is_never_filled() -> None:
    labels = np.array([[0, 1, 0]], np.uint8)
    mask = np.array([[2, 2, 3]], np.uint8)
    assert fill_unlabelled(labels, mask).tolist() == [[2, 1, 3]]
    within = np.array([[False, True, True]])
    assert fill_unlabelled(labels, mask, within).tolist() == [[0, 1, 3]]
    assert labels.tolist() == [[0, 1, 0]]


def test_region_takes_the_pixels_whose_centre_is_inside() -> None:
    box = np.array([[0.5, 1.5], [0.5, 4.5], [2.5, 4.5], [2.5, 1.5]])
    mask = region_mask([box], (5, 7))
    assert np.argwhere(mask).tolist() == [[y, x] for y in (1, 2) for x in (2, 3, 4)]


def test_region_that_reaches_beyond_the_image() -> None:
    box = np.array([[-50.0, -50.0], [-50.0, 50.0], [50.0, 50.0], [50.0, -50.0]])
    assert region_mask([box], (5, 7)).all()
    assert not region_mask([box + 500], (5, 7)).any()


def test_regions_are_joined_and_an_ellipse_has_its_area() -> None:
    corners = np.array([[20.0, 10.0], [20.0, 90.0], [60.0, 90.0], [60.0, 10.0]])
    ellipse = region_mask([ellipse_outline(corners)], (100, 100))
    assert ellipse.sum() == pytest.approx(np.pi * 40 * 20, rel=0.01)
    small = np.array([[1.0, 1.0], [1.0, 5.0], [5.0, 5.0], [5.0, 1.0]])
    both = region_mask([ellipse_outline(corners), small], (100, 100))
    assert both.sum() == ellipse.sum() + 16


# Corners between the pixel centres: whether a centre on an edge is inside is nobody's concern.
BETWEEN = st.tuples(st.integers(-3, 22), st.integers(-3, 32)).map(
    lambda p: (p[0] + 0.37, p[1] + 0.41)
)


@given(st.lists(BETWEEN, min_size=3, max_size=7))
def test_region_agrees_with_a_ray_from_each_pixel(points: list[tuple[float, float]]) -> None:
    corners = np.array(points)
    mask = region_mask([corners], (20, 30))
    for y, x in ((3, 4), (10, 15), (19, 29), (0, 0)):
        crossings = 0
        for (y0, x0), (y1, x1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if (y0 < y) != (y1 < y):
                at = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
                assume(abs(at - x) > 1e-9)
                crossings += at < x
        assert mask[y, x] == bool(crossings % 2)

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_xseg.metrics import IGNORE
from napari_xseg.review import pictures


def test_classes_have_their_colours(table):
    plane = np.array([[0, 1, 2, IGNORE]], np.uint8)
    assert pictures.class_picture(plane, table)[0].tolist() == [
        *([255, 0, 0], [0, 255, 0], [0, 0, 255], list(pictures.UNLABELLED_COLOUR)),
    ]


def test_mistakes_lie_on_black_in_the_true_colour(table):
    found = pictures.mistakes_picture(np.array([[0, 1, 3]], np.uint8), table, None)
    assert found[0].tolist() == [[0, 0, 0], [255, 0, 0], [0, 0, 255]]


def test_mistakes_lie_on_the_dimmed_picture(table):
    under = np.full((1, 2, 3), 200, np.uint8)
    found = pictures.mistakes_picture(np.array([[0, 2]], np.uint8), table, under)
    assert found[0, 1].tolist() == [0, 255, 0]
    assert 0 < found[0, 0, 0] < 200


def test_grey_spans_the_values_and_outliers_do_not_matter():
    plane = np.linspace(1000, 2000, 10_000).reshape(100, 100).astype(np.uint16)
    plane[0, 0] = 65535
    found = pictures.grey_picture(plane)
    assert found.dtype == np.uint8
    assert found.min() == 0
    assert int(found[50, 50, 0]) == pytest.approx(127, abs=3)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_a_constant_plane_is_mid_grey(dtype):
    assert (pictures.grey_picture(np.full((4, 5), 7, dtype)) == 128).all()


def test_pixels_that_are_not_finite_are_black():
    plane = np.array([[math.nan, 1.0], [2.0, math.inf]])
    found = pictures.grey_picture(plane)[..., 0]
    assert found[0, 0] == found[1, 1] == 0
    assert found[1, 0] > found[0, 1]
    assert not pictures.grey_picture(np.full((2, 2), math.nan)).any()


@given(
    hnp.arrays(
        np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 3)
    ),
    st.integers(1, 5),
)
def test_shrinking_loses_no_mistake(mistakes, factor):
    small = pictures.shrink_mistakes(mistakes, factor)
    assert small.shape == pictures.shrink(mistakes, factor).shape
    for row, column in np.ndindex(*small.shape):
        block = mistakes[row * factor :, column * factor :][:factor, :factor]
        votes = np.bincount(block.ravel(), minlength=4)[1:]
        if votes.any():
            assert votes[small[row, column] - 1] == votes.max()
        else:
            assert small[row, column] == 0


@pytest.mark.parametrize(
    ("shape", "limit", "factor"),
    [((501, 501), 1000, 1), ((1000, 10), 1000, 1), ((1001, 10), 1000, 2), ((10, 4000), 1000, 4)],
)
def test_shrink_factor_makes_it_fit(shape, limit, factor):
    assert pictures.shrink_factor(shape, limit) == factor

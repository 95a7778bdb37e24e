from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_xseg.metrics import IGNORE
from napari_xseg.review.border import border_band

maps = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.sampled_from([0, 1, 2, IGNORE]),
)


def near_another_class(truth, width, row, column):
    if truth[row, column] == IGNORE:
        return False
    return any(
        truth[there] not in (IGNORE, truth[row, column])
        and (there[0] - row) ** 2 + (there[1] - column) ** 2 <= width**2
        for there in np.ndindex(*truth.shape)
    )


@given(maps, st.integers(0, 12))
def test_band_is_what_lies_near_another_class(truth, width):
    slow = [near_another_class(truth, width, *place) for place in np.ndindex(*truth.shape)]
    np.testing.assert_array_equal(border_band(truth, width).ravel(), slow)


@given(maps, st.integers(0, 4))
def test_band_grows_with_its_width(truth, width):
    narrow, wide = border_band(truth, width), border_band(truth, width + 1)
    assert not (narrow & ~wide).any()


def test_band_covers_both_sides_of_a_straight_border():
    truth = np.zeros((5, 10), np.uint8)
    truth[:, 5:] = 1
    assert border_band(truth, 2)[2].tolist() == [False] * 3 + [True] * 4 + [False] * 3


@pytest.mark.parametrize("width", [0, 1, 2, 5])
def test_the_edge_of_scribbles_is_no_class_border(width):
    truth = np.full((8, 8), IGNORE, np.uint8)
    truth[2:5, 1:7] = 1
    assert not border_band(truth, width).any()

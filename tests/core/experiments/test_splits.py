from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_xseg.errors import XsegError
from napari_xseg.experiments.splits import split_parts, thinned


@given(
    count=st.integers(6, 120),
    training=st.integers(40, 540),
    validation=st.integers(1, 10),
    repeat=st.integers(0, 4),
    kind=st.sampled_from(["blocked", "random"]),
)
def test_parts_share_no_slice_and_keep_the_gap(
    count: int, training: int, validation: int, repeat: int, kind: str
) -> None:
    usable = range(3, 3 + count)
    parts = split_parts(usable, kind, training, validation, repeat, 5)  # type: ignore[arg-type]
    train, val = set(parts.train), set(parts.validation)
    assert train
    assert val
    assert not train & val
    assert train | val <= set(usable)
    assert len(train) <= training
    assert len(val) <= max(1, validation)
    assert min(abs(z - other) for z in train for other in val) > parts.guard
    if kind == "blocked":
        assert max(val) - min(val) == len(val) - 1
    assert parts.scaled == (count < training + validation)


def test_published_numbers_are_taken_where_there_are_enough() -> None:
    parts = split_parts(range(500), "random", 400, 100, 0, 1)
    assert (len(parts.train), len(parts.validation), parts.scaled) == (400, 100, False)
    fewer = split_parts(range(200), "random", 400, 100, 0, 1)
    assert (len(fewer.train), len(fewer.validation), fewer.scaled) == (160, 40, True)


def test_repeats_are_other_splits() -> None:
    for kind in ("blocked", "random"):
        vals = {split_parts(range(100), kind, 80, 20, n, 3).validation for n in range(3)}  # type: ignore[arg-type]
        assert len(vals) == 3


def test_the_first_slices_of_a_block_are_spread() -> None:
    parts = split_parts(range(200), "blocked", 160, 40, 1, 3)
    five = parts.first(5)
    assert five == tuple(sorted(five))
    assert min(b - a for a, b in itertools.pairwise(five)) >= 15
    assert set(five) <= set(parts.first(9))
    assert parts.first(None) == tuple(sorted(parts.train))


def test_more_slices_than_there_are_is_said() -> None:
    with pytest.raises(XsegError, match="50 training slices: the labels have"):
        split_parts(range(30), "random", 400, 100, 0, 1).first(50)
    with pytest.raises(XsegError, match="wants two or more"):
        split_parts([3], "random", 400, 100, 0, 1)


def test_a_block_that_leaves_none_to_train_on_is_said() -> None:
    with pytest.raises(XsegError, match="guard gap of 3 slices leaves none of 30"):
        split_parts(range(30), "blocked", 1, 29, 0, 1)


@given(count=st.integers(1, 120), most=st.integers(1, 130))
def test_thinned_slices_lie_evenly_and_are_no_more_than_asked(count: int, most: int) -> None:
    slices = tuple(range(10, 10 + count))
    kept = thinned(slices, most)
    assert len(kept) == min(count, most)
    assert set(kept) <= set(slices)
    gaps = np.diff(kept)
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1
    assert most == 1 or (kept[0], kept[-1]) == (slices[0], slices[-1])
    assert thinned(slices, None) == slices

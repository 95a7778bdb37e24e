from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from napari_xseg.data.labels import label_volume
from napari_xseg.data.pairing import pair
from napari_xseg.data.split import (
    Split,
    choose_band,
    correlation,
    leakage,
    make_split,
    split_labels,
)
from napari_xseg.data.volume import open_volume, volume_from_array
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SOC = tuple(range(200))
zs = st.lists(st.integers(0, 300), min_size=2, max_size=60, unique=True)


def even_rows(height: int = 100, classes: int = 3) -> Any:
    return lambda slices: np.full((height, classes), 10 * len(slices), dtype=np.int64)


@given(zs, st.sampled_from(["random", "blocked", "held-out"]), st.floats(0.01, 0.99), st.data())
def test_nothing_leaks_and_the_guard_is_kept(
    labelled: list[int], kind: Any, fraction: float, data: st.DataObject
) -> None:
    guard = data.draw(st.integers(0, 12))
    seed = data.draw(st.integers(0, 5))
    try:
        split = make_split(labelled, kind=kind, fraction=fraction, guard=guard, seed=seed)
    except XsegError:
        assume(False)
    train, val, near = set(split.train), set(split.val), set(split.guard)
    assert train
    assert val
    assert not train & val
    assert not near & (train | val)
    assert train | val | near == set(labelled)
    assert min(abs(t - v) for t in train for v in val) > guard
    assert all(min(abs(g - v) for v in val) <= guard for g in near)


@given(zs, st.data())
def test_a_block_is_contiguous_among_the_labelled(labelled: list[int], data: st.DataObject) -> None:
    split = make_split(labelled, kind="blocked", guard=0, fraction=data.draw(st.floats(0.1, 0.9)))
    known = sorted(labelled)
    start = known.index(split.val[0])
    assert split.val == tuple(known[start : start + len(split.val)])


@given(zs, st.integers(0, 1000))
def test_a_random_split_is_decided_by_its_seed(labelled: list[int], seed: int) -> None:
    first = make_split(labelled, kind="random", seed=seed)
    assert first == make_split(sorted(labelled), kind="random", seed=seed)
    assert len(first.val) == max(1, min(len(labelled) - 1, round(0.2 * len(labelled))))


def test_random_splits_differ_by_seed() -> None:
    assert make_split(SOC, kind="random", seed=0) != make_split(SOC, kind="random", seed=1)


@given(zs)
def test_dictionary_round_trip(labelled: list[int]) -> None:
    split = make_split(labelled, kind="random")
    assert Split.from_dict(json.loads(json.dumps(split.to_dict()))) == split


def test_a_stack_labelled_throughout_gets_a_block_with_guard_gap() -> None:
    split = make_split(SOC)
    assert split.kind == "blocked"
    assert split.val == tuple(range(80, 120))
    assert split.guard == (*range(60, 80), *range(120, 140))
    assert split.train == (*range(60), *range(140, 200))
    assert split.gap() == 21
    assert "guard gap of 20" in split.describe()


def test_an_unordered_collection_gets_no_block() -> None:
    assert make_split(SOC, ordered=False).kind == "held-out"


@pytest.mark.parametrize(
    ("labelled", "held_out"),
    [
        ((13, 39, 65, 91, 117), 65),
        ((0, 1, 2), 1),
        ((10, 11, 12, 100), 100),
        ((0, 10, 50, 60, 100), 100),
        ((0, 20, 50, 80, 100), 50),
        ((0, 40, 41, 100), 100),
    ],
)
def test_the_slice_held_out_is_far_from_the_others(
    labelled: tuple[int, ...], held_out: int
) -> None:
    split = make_split(labelled)
    assert split.kind == "held-out"
    assert split.val == (held_out,)
    assert split.train == tuple(z for z in labelled if z != held_out)
    assert not split.rough
    assert "held out" in split.describe()


@pytest.mark.parametrize("labelled", [(7,), (7, 90)])
def test_with_fewer_than_three_slices_a_band_validates(labelled: tuple[int, ...]) -> None:
    split = make_split(labelled, row_counts=even_rows(100))
    assert split.kind == "band"
    assert split.rough
    assert split.train == split.val == labelled
    assert "rough" in split.describe()
    train, val = split.train_region(7, (100, 30)), split.val_region(7, (100, 30))
    assert train is not None
    assert val is not None
    assert val.sum() == 20 * 30
    rows_train, rows_val = np.flatnonzero(train.any(axis=1)), np.flatnonzero(val.any(axis=1))
    assert np.abs(rows_train[:, None] - rows_val).min() == split.margin + 1 == 6


def test_a_whole_slice_has_no_region() -> None:
    split = make_split((1, 2, 3))
    assert split.train_region(1, (9, 9)) is None
    assert split.val_region(2, (9, 9)) is None


@given(
    st.integers(1, 120).flatmap(
        lambda height: st.lists(
            st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=height, max_size=height
        )
    ),
    st.integers(0, 30),
)
def test_a_band_leaves_every_class_to_train(rows: list[list[int]], margin: int) -> None:
    counts = np.array(rows, dtype=np.int64)
    band = choose_band(counts, margin)
    if band is None:
        return
    start, stop = band
    assert 0 <= start < stop <= len(counts)
    assert counts[start:stop].sum() > 0
    left = np.delete(counts, np.s_[max(0, start - margin) : stop + margin], axis=0)
    assert np.array_equal(left.any(axis=0), counts.any(axis=0))


def test_a_band_goes_where_the_strokes_are() -> None:
    rows = np.zeros((100, 2), dtype=np.int64)
    rows[10:16] = 5
    rows[50:56] = 5
    band = choose_band(rows, 3)
    assert band is not None
    inside = rows[band[0] : band[1]].sum()
    assert 0 < inside < rows.sum()


def test_one_stroke_validates_nothing() -> None:
    rows = np.zeros((100, 2), dtype=np.int64)
    rows[50] = 5
    split = make_split((3,), row_counts=lambda slices: rows)
    assert split == Split((3,), (), kind="none")
    assert "no validation" in split.describe()


def test_explicit_slices_are_taken_as_they_are() -> None:
    split = make_split(SOC, train=(117, 13, 39, 65, 91), val=range(160, 200), guard=50)
    assert split.train == (13, 39, 65, 91, 117)
    assert split.val == tuple(range(160, 200))
    assert split.gap() == 43
    assert split.to_dict()["val"] == list(range(160, 200))
    assert "5 slices (13,39,65,91,117) train" in split.describe()
    assert "as given" in split.describe()


def test_explicit_training_alone_validates_on_the_farthest_other() -> None:
    split = make_split(SOC, train=(13, 39, 65, 91, 117))
    assert split.train == (13, 39, 65, 91, 117)
    assert split.val == (199,)
    assert "slice 199 validates (held out), 82 slices or more" in split.describe()


def test_explicit_training_of_everything_validates_on_a_band() -> None:
    split = make_split((1, 50, 99), train=(1, 50, 99), row_counts=even_rows())
    assert split.kind == "band"
    assert split.train == (1, 50, 99)


def test_explicit_validation_alone_leaves_the_rest_but_for_the_guard() -> None:
    assert make_split(range(10), val=(9,)).train == tuple(range(9))
    split = make_split(range(10), val=(9,), guard=2)
    assert split.train == tuple(range(7))
    assert split.guard == (7, 8)


def test_no_validation_trains_on_all() -> None:
    split = make_split((1, 5, 9), validate=False)
    assert (split.train, split.val, split.kind) == ((1, 5, 9), (), "none")
    assert make_split((1, 5, 9), validate=False, train=(5,)).train == (5,)


@pytest.mark.parametrize(
    ("labelled", "choices", "complaint"),
    [
        ((), {}, "no labelled slice"),
        ((1, 2, 3), {"train": (1, 2), "val": (2, 3)}, "share slice 2"),
        ((1, 2, 3), {"train": (1, 4)}, "--train-slices: slice 4 has no labels"),
        ((1, 2, 3), {"val": (7,)}, "--val-slices: slice 7 has no labels"),
        ((1, 2, 3), {"train": ()}, "--train-slices: names no slice"),
        ((1, 2, 3), {"val": (1, 2, 3)}, "no slice is left to train on"),
        ((1, 2, 3), {"kind": "blocked", "guard": 9}, "guard gap of 9"),
        ((1, 2, 3), {"kind": "random", "fraction": 1.5}, "fraction 1.5"),
        ((1, 2, 3), {"guard": -1}, "guard gap -1"),
        ((1,), {"kind": "random"}, "needs two labelled slices or more, found slice 1"),
    ],
)
def test_what_cannot_be_split_is_refused(
    labelled: Sequence[int], choices: Any, complaint: str
) -> None:
    with pytest.raises(XsegError, match=complaint):
        make_split(labelled, **choices)


def test_a_broken_dictionary_is_refused() -> None:
    with pytest.raises(XsegError, match="split: cannot be read"):
        Split.from_dict({"train": [1], "vall": [2]})


def stack(depth: int = 40, step: float = 0.3) -> np.ndarray:
    """Slices that drift: neighbours are alike, distant ones are not."""
    rng = np.random.default_rng(0)
    planes = [rng.normal(size=(48, 48))]
    for _ in range(depth - 1):
        planes.append((1 - step) * planes[-1] + step * rng.normal(size=(48, 48)))
    return np.array(planes, dtype=np.float32)


def test_leakage_is_measured_and_a_random_split_warned_of() -> None:
    images = volume_from_array(stack(), name="drift")
    result = leakage(images, make_split(range(40), kind="random"))
    assert result is not None
    assert len(result.pairs) == 4
    for val_z, train_z, value in result.pairs:
        expected = np.corrcoef(stack()[val_z].ravel(), stack()[train_z].ravel())[0, 1]
        assert value == pytest.approx(expected, abs=1e-6)
    assert result.correlation > 0.7
    assert result.warning is not None
    assert "random split" in result.warning
    assert f"{result.correlation:.2f}" in result.warning


def test_a_block_with_guard_gap_is_not_warned_of() -> None:
    images = volume_from_array(stack(), name="drift")
    result = leakage(images, make_split(range(40), kind="blocked", guard=8))
    assert result is not None
    assert result.correlation < 0.5
    assert result.warning is None


def test_leakage_of_no_validation_or_a_band_is_not_measured() -> None:
    images = volume_from_array(stack(), name="drift")
    assert leakage(images, make_split((1, 2, 3), validate=False)) is None
    assert leakage(images, make_split((1,), row_counts=even_rows(48))) is None


def test_correlation_leaves_out_what_is_not_finite() -> None:
    rng = np.random.default_rng(1)
    first = rng.normal(size=(64, 64))
    second = 3 * first + 7
    second[:9] = np.nan
    assert correlation(first, second) == pytest.approx(1)
    assert np.isnan(correlation(first, np.ones_like(first)))
    assert np.isnan(correlation(first, np.full_like(first, np.nan)))


class Counting:
    """Label slices that remember which of them were read."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.read_z: list[int] = []

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def ndim(self) -> int:
        return 3

    def __getitem__(self, key: Any) -> np.ndarray:
        self.read_z.append(key[0] if isinstance(key, tuple) else key)
        part: np.ndarray = self.array[key]
        return part


def halves(depth: int, labelled: Sequence[int]) -> np.ndarray:
    array = np.zeros((depth, 60, 8), dtype=np.uint8)
    for z in labelled:
        array[z, :, :4] = 1
        array[z, :, 4:] = 2
    return array


def test_only_the_slices_in_use_are_read() -> None:
    source = Counting(halves(30, (3, 4, 20)))
    volume = volume_from_array(source, name="labels")
    labels = label_volume(volume, slices=(3, 4), unlabelled=None)
    pairing = pair(volume, labels, "order")
    split = split_labels(labels, pairing, train=(3,), val=(4,))
    assert (split.train, split.val) == ((3,), (4,))
    assert set(source.read_z) == {3, 4}


def test_slices_of_one_value_do_not_validate_where_nobody_said_what_it_means() -> None:
    volume = volume_from_array(halves(30, (3, 4, 20)), name="labels")
    labels = label_volume(volume, slices=(3, 4))
    split = split_labels(labels, pair(volume, labels), train=(3, 4))
    assert split.val == (20,)


def test_labelled_slices_are_found_and_split() -> None:
    volume = volume_from_array(halves(30, (3, 9, 20)), name="labels")
    labels = label_volume(volume, unlabelled=0)
    split = split_labels(labels, pair(volume, labels))
    assert (split.train, split.val) == ((3, 20), (9,))


def test_the_band_of_labels_lies_inside_the_region() -> None:
    class Top:
        def mask(self, z: int, shape: tuple[int, int]) -> np.ndarray:
            usable = np.zeros(shape, dtype=bool)
            usable[:30] = True
            return usable

    volume = volume_from_array(halves(30, (3,)), name="labels")
    labels = label_volume(volume, unlabelled=0)
    split = split_labels(labels, pair(volume, labels), region=Top())
    assert split.band is not None
    assert split.band[1] <= 40


@pytest.mark.realdata
def test_soc_neighbours_correlate_as_measured(soc_dir: Path) -> None:
    images = open_volume(soc_dir / "data")
    for gap, expected in {1: 0.99, 5: 0.89, 10: 0.73, 20: 0.49, 50: 0.13}.items():
        values = [correlation(images.read(z), images.read(z + gap)) for z in range(0, 150, 25)]
        assert np.mean(values) == pytest.approx(expected, abs=0.12)


@pytest.mark.realdata
def test_soc_random_split_leaks_and_the_default_does_not(soc_dir: Path) -> None:
    images = open_volume(soc_dir / "data")
    random = leakage(images, make_split(SOC, kind="random"))
    blocked = leakage(images, make_split(SOC))
    assert random is not None
    assert random.warning is not None
    assert random.correlation > 0.95
    assert blocked is not None
    assert blocked.warning is None

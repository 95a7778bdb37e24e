"""The figures against slow definitions, counted pixel by pixel."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_xseg import metrics
from napari_xseg.data import coding
from napari_xseg.metrics import IGNORE


@st.composite
def pairs(draw):
    classes = draw(st.integers(1, 5))
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=6))
    values = st.sampled_from([*range(classes), IGNORE])
    truth = draw(hnp.arrays(np.uint8, shape, elements=values))
    prediction = draw(hnp.arrays(np.uint8, shape, elements=values))
    return truth, prediction, classes


def counted(truth, prediction):
    both = zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True)
    return [(t, p) for t, p in both if t != IGNORE and p != IGNORE]


def ratio(part, whole):
    return part / whole if whole else math.nan


def hits_and_misses(pixels, k):
    hits = sum(t == k and p == k for t, p in pixels)
    false_alarms = sum(t != k and p == k for t, p in pixels)
    missed = sum(t == k and p != k for t, p in pixels)
    return hits, false_alarms, missed


@given(pairs())
def test_confusion_counts_every_pixel_once(case):
    truth, prediction, classes = case
    table = metrics.confusion(truth, prediction, classes)
    slow = np.zeros((classes, classes), np.int64)
    for t, p in counted(truth, prediction):
        slow[t, p] += 1
    assert table.dtype == np.int64
    np.testing.assert_array_equal(table, slow)


@given(pairs())
def test_per_class_figures_match_their_definitions(case):
    truth, prediction, classes = case
    table = metrics.confusion(truth, prediction, classes)
    pixels = counted(truth, prediction)
    for k in range(classes):
        tp, fp, fn = hits_and_misses(pixels, k)
        expected = [
            ratio(2 * tp, 2 * tp + fp + fn),
            ratio(tp, tp + fp + fn),
            ratio(tp, tp + fp),
            ratio(tp, tp + fn),
        ]
        found = [
            f(table)[k] for f in (metrics.dice, metrics.iou, metrics.precision, metrics.recall)
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@given(pairs())
def test_means_leave_out_what_does_not_occur(case):
    truth, prediction, classes = case
    table = metrics.confusion(truth, prediction, classes)
    pixels = counted(truth, prediction)
    known = {
        k: 2 * tp / (2 * tp + fp + fn)
        for k in range(classes)
        for tp, fp, fn in [hits_and_misses(pixels, k)]
        if tp + fp + fn
    }
    foreground = [value for k, value in known.items() if k > 0]
    expected = [
        ratio(sum(known.values()), len(known)),
        ratio(sum(foreground), len(foreground)),
        ratio(sum(t == p for t, p in pixels), len(pixels)),
    ]
    found = [metrics.dice_all(table), metrics.dice_foreground(table), metrics.accuracy(table)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@given(pairs())
def test_fractions_are_of_the_counted_pixels(case):
    truth, prediction, classes = case
    table = metrics.confusion(truth, prediction, classes)
    pixels = counted(truth, prediction)
    for side, found in enumerate(
        (metrics.true_fractions(table), metrics.predicted_fractions(table))
    ):
        expected = [ratio(sum(px[side] == k for px in pixels), len(pixels)) for k in range(classes)]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@given(pairs())
def test_dice_and_iou_are_one_figure_in_two_forms(case):
    table = metrics.confusion(*case)
    iou = metrics.iou(table)
    np.testing.assert_allclose(metrics.dice(table), 2 * iou / (1 + iou), rtol=1e-12)


@given(pairs())
def test_swapping_truth_and_prediction_swaps_precision_and_recall(case):
    truth, prediction, classes = case
    there = metrics.confusion(truth, prediction, classes)
    back = metrics.confusion(prediction, truth, classes)
    np.testing.assert_array_equal(there, back.T)
    np.testing.assert_array_equal(metrics.precision(there), metrics.recall(back))
    np.testing.assert_array_equal(metrics.dice(there), metrics.dice(back))


@given(pairs(), st.integers(0, 6))
def test_counts_of_parts_add_up(case, cut):
    truth, prediction, classes = case
    parts = sum(
        metrics.confusion(truth[part], prediction[part], classes)
        for part in (slice(None, cut), slice(cut, None))
    )
    np.testing.assert_array_equal(parts, metrics.confusion(truth, prediction, classes))


def test_a_known_case():
    truth = np.array([[0, 0, 1, 1], [2, 2, IGNORE, 1]], np.uint8)
    prediction = np.array([[0, 1, 1, 1], [2, IGNORE, 2, 0]], np.uint8)
    table = metrics.confusion(truth, prediction, 4)
    assert table.tolist() == [[1, 1, 0, 0], [1, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(metrics.dice(table), [1 / 2, 2 / 3, 1, math.nan])
    assert metrics.dice_all(table) == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert metrics.dice_foreground(table) == pytest.approx((2 / 3 + 1) / 2)
    assert metrics.accuracy(table) == pytest.approx(4 / 6)


def test_nothing_counted_gives_nan_without_a_warning():
    blank = np.full((3, 3), IGNORE, np.uint8)
    table = metrics.confusion(blank, blank, 3)
    assert not table.any()
    assert np.isnan(metrics.dice(table)).all()
    assert math.isnan(metrics.dice_all(table))
    assert math.isnan(metrics.dice_foreground(table))
    assert math.isnan(metrics.accuracy(table))
    assert np.isnan(metrics.true_fractions(table)).all()


def test_one_class_has_no_foreground():
    table = metrics.confusion(np.zeros(4, np.uint8), np.zeros(4, np.uint8), 1)
    assert metrics.dice_all(table) == 1.0
    assert math.isnan(metrics.dice_foreground(table))


def test_the_ignored_index_is_that_of_the_class_table():
    assert coding.IGNORE == IGNORE


def test_254_classes_keep_their_counts():
    truth = np.arange(254, dtype=np.uint8)
    table = metrics.confusion(truth, truth[::-1].copy(), 254)
    np.testing.assert_array_equal(table, np.eye(254, dtype=np.int64)[::-1])


def test_a_view_counts_like_its_copy():
    stack = np.random.default_rng(0).integers(0, 3, (4, 30, 20), dtype=np.uint8)
    views = stack[1, ::2, ::-1], stack[3, ::2, :]
    np.testing.assert_array_equal(
        metrics.confusion(*views, 3), metrics.confusion(views[0].copy(), views[1].copy(), 3)
    )


def test_blocks_do_not_lose_pixels():
    size = 2 * metrics._BLOCK + 17
    truth = np.random.default_rng(1).integers(0, 3, size, dtype=np.uint8)
    table = metrics.confusion(truth, np.zeros(size, np.uint8), 3)
    np.testing.assert_array_equal(table[:, 0], np.bincount(truth, minlength=3))
    assert table.sum() == size


def test_class_counts_and_fractions():
    plane = np.array([[0, 2, 2], [IGNORE, 2, 0]], np.uint8)
    counts = metrics.class_counts(plane, 3)
    assert counts.tolist() == [2, 0, 3]
    np.testing.assert_allclose(metrics.fractions(counts), [0.4, 0, 0.6])


@pytest.mark.parametrize(
    ("truth", "prediction", "says"),
    [
        (np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), "prediction is"),
        (np.zeros(2, np.int64), np.zeros(2, np.uint8), "truth is int64"),
        (np.zeros(2, np.uint8), np.zeros(2, bool), "prediction is bool"),
        (np.full(2, 3, np.uint8), np.zeros(2, np.uint8), "truth holds index 3"),
        (np.full(2, IGNORE, np.uint8), np.full(2, 254, np.uint8), "prediction holds index 254"),
    ],
)
def test_what_is_no_index_map_is_refused(truth, prediction, says):
    with pytest.raises(ValueError, match=says):
        metrics.confusion(truth, prediction, 3)


def test_two_hundred_slices_take_less_than_half_a_second():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 3, (101, 101), dtype=np.uint8)
    truth = np.kron(coarse, np.ones((5, 5), np.uint8))[:501, :501].copy()
    prediction = np.where(rng.random(truth.shape) < 0.02, np.uint8(1), truth)
    fastest = min(timed(truth, prediction) for _ in range(8))
    assert 10 * fastest < 0.5


def timed(truth, prediction):
    start = time.process_time()
    for _ in range(20):
        metrics.confusion(truth, prediction, 3)
    return time.process_time() - start

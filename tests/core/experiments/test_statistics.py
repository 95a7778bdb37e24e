from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from napari_xseg.experiments.statistics import estimate, threshold


def test_the_interval_is_students() -> None:
    values = [98.1, 98.4, 98.0, 98.9]
    found = estimate(values)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(values), low, high))


def test_two_repeats_have_no_interval() -> None:
    found = estimate([1.0, 3.0, math.nan])
    assert found.mean == 2.0
    assert not found.known
    assert math.isnan(estimate([]).mean)


def test_the_threshold_is_the_first_count_from_which_all_are_good_enough() -> None:
    dice = {1: [90.0], 5: [98.9], 10: [98.0], 20: [98.95], 40: [99.0]}
    found = threshold(dice, 0.2)
    assert found is not None
    assert (found.count, found.low) == (20, None)
    assert threshold({5: [98.0]}, 0.2) is None


def test_the_threshold_has_an_interval_over_repeats() -> None:
    rng = np.random.default_rng(1)
    dice = {n: list(99 - 3 / n + rng.normal(0, 0.15, 5)) for n in (1, 2, 5, 10, 20, 40)}
    found = threshold(dice, 0.3)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert (found.count, found.low, found.high) == (10, 10, 20)

"""Figures against textbooks, other packages, and what must hold for any scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_xseg.review.scoring import statistics as ours

Scores = st.lists(st.integers(1, 5), min_size=2, max_size=40)
Pairs = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=40)


def columns(pairs: Any) -> Any:
    return np.array(pairs, float).T


def test_wilson_as_in_newcombe_1998() -> None:
    """Newcombe, Statistics in Medicine 17, 857 (1998), table I, method 3."""
    for successes, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        found = ours.wilson(successes, n)
        assert found.value == successes / n
        assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert ours.wilson(5, 5).high == 1.0
    assert math.isnan(ours.wilson(0, 0).value)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_as_scipy_has_it(case: tuple[int, int]) -> None:
    from scipy.stats import binomtest

    theirs = binomtest(*case).proportion_ci(method="wilson")
    found = ours.wilson(*case)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_weighted_kappa_of_a_table_worked_by_hand() -> None:
    """Two raters, scores 1 to 3: counts [[11, 3, 1], [2, 9, 4], [0, 2, 8]] of 40.

    Seen: (3 + 2 + 4 + 2) * 1 + 1 * 4 = 15, so 15 / 40. By chance, from the margins
    15, 15, 10 and 13, 14, 13: (15 * 14 + 15 * 13 + 15 * 13 + 10 * 14) * 1
    + (15 * 13 + 10 * 13) * 4 = 2040, so 2040 / 1600.
    """
    counts = [[11, 3, 1], [2, 9, 4], [0, 2, 8]]
    pairs = [(a + 1, b + 1) for a in range(3) for b in range(3) for _ in range(counts[a][b])]
    assert ours.weighted_kappa(*columns(pairs)) == pytest.approx(1 - (15 / 40) / (2040 / 1600))


@given(Pairs)
def test_weighted_kappa_as_its_definition_has_it(pairs: list[tuple[int, int]]) -> None:
    """Cohen 1968: 1 - sum(w * seen) / sum(w * expected), w the squared distance."""
    first, second = columns(pairs)
    seen = np.zeros((5, 5))
    for a, b in pairs:
        seen[a - 1, b - 1] += 1 / len(pairs)
    weights = np.subtract.outer(np.arange(5), np.arange(5)) ** 2
    chance = (weights * np.outer(seen.sum(axis=1), seen.sum(axis=0))).sum()
    found = ours.weighted_kappa(first, second)
    if chance == 0:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(1 - (weights * seen).sum() / chance, abs=1e-9)
        assert found <= 1
        assert ours.weighted_kappa(second, first) == pytest.approx(found, abs=1e-9)


@given(Pairs)
def test_weighted_kappa_as_scikit_learn_has_it(pairs: list[tuple[int, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    first, second = columns(pairs)
    found = ours.weighted_kappa(first, second)
    if not math.isnan(found):
        theirs = metrics.cohen_kappa_score(
            first, second, weights="quadratic", labels=[1, 2, 3, 4, 5]
        )
        assert found == pytest.approx(theirs, abs=1e-9)


@given(Scores)
def test_full_agreement_is_1(scores: list[int]) -> None:
    same = np.array(scores, float)
    found = ours.weighted_kappa(same, same)
    assert math.isnan(found) if len(set(scores)) == 1 else found == 1


def test_too_few_pairs_have_no_kappa() -> None:
    one, other = columns([(1, 2), (2, 2), (3, 3), (4, 5), (5, 5)])
    assert ours.kappa(one, other, range(5)) is None
    assert ours.kappa(np.ones(9), np.ones(9), range(9)) is None


@given(Pairs)
def test_spearman_as_scipy_has_it(pairs: list[tuple[int, int]]) -> None:
    from scipy.stats import spearmanr

    first, second = columns(pairs)
    found = ours.spearman(first, second)
    if len(set(first)) > 1 and len(set(second)) > 1:
        assert found == pytest.approx(spearmanr(first, second).statistic, abs=1e-9)
    else:
        assert math.isnan(found)


@given(st.lists(st.integers(-4, 4), min_size=6, max_size=11))
def test_sign_flips_as_scipy_has_them(differences: list[int]) -> None:
    from scipy.stats import permutation_test

    values = np.array(differences, float)
    theirs = permutation_test(
        (values, np.zeros(len(values))),
        lambda one, other: abs((one - other).sum()),
        permutation_type="samples",
        alternative="greater",
        n_resamples=math.inf,
    )
    assert ours.sign_flip(values) == pytest.approx(theirs.pvalue, abs=1e-9)


def test_sign_flips_of_many_differences() -> None:
    rng = np.random.default_rng(0)
    none = [ours.sign_flip(rng.integers(-2, 3, 40).astype(float), seed) for seed in range(40)]
    assert 0.3 < np.mean([p for p in none if p is not None]) < 0.7
    assert sum(p < 0.05 for p in none if p is not None) <= 6
    shifted = ours.sign_flip(rng.integers(-1, 4, 40).astype(float))
    assert shifted is not None
    assert 0 < shifted < 0.01
    assert ours.sign_flip(np.ones(13)) == pytest.approx(2 / 2**13, abs=5e-4)
    assert ours.sign_flip(np.ones(6)) == 2 / 2**6


def test_five_pairs_are_too_few_to_say() -> None:
    assert ours.sign_flip(np.ones(5)) is None
    assert ours.sign_flip(np.zeros(6)) == 1.0


@given(Scores, st.integers(0, 50))
def test_the_interval_of_a_mean_holds_it_and_follows_its_seed(scores: list[int], seed: int) -> None:
    values = np.array(scores, float)
    found = ours.mean(values, range(len(values)), seed=seed, resamples=300)
    assert min(scores) <= found.low <= found.value <= found.high <= max(scores) or len(scores) < 4
    assert found == ours.mean(values, range(len(values)), seed=seed, resamples=300)


def test_the_bootstrap_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(1).normal(3, 1, 400)
    found = ours.mean(values, range(400), resamples=4000)
    half = 1.96 * values.std() / 20
    assert (found.low, found.high) == pytest.approx(
        (found.value - half, found.value + half), abs=0.02
    )


def test_values_of_one_slice_are_drawn_together() -> None:
    values = np.repeat(np.random.default_rng(2).normal(3, 1, 30), 20)
    alone = ours.mean(values, range(600))
    together = ours.mean(values, np.repeat(np.arange(30), 20).tolist())
    assert together.high - together.low > 3 * (alone.high - alone.low)
    low, high = ours.resample(
        lambda drawn: float(values[drawn].mean()), np.repeat(np.arange(30), 20).tolist()
    )
    assert (low, high) == pytest.approx((together.low, together.high), abs=0.05)


def test_one_slice_has_no_interval() -> None:
    found = ours.mean(np.array([3.0, 4.0]), [7, 7])
    assert (found.value, found.n) == (3.5, 2)
    assert math.isnan(found.low)
    assert math.isnan(ours.mean(np.array([]), []).value)

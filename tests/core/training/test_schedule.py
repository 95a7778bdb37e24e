from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_xseg.training.schedule import PROBE_STEPS, Length, one_cycle


@given(st.integers(1, 3000), st.integers(0, 500))
def test_one_cycle_rises_then_falls(steps: int, warmup: int) -> None:
    factors = [one_cycle(step, steps, warmup) for step in range(steps)]
    assert all(0 < factor <= 1 for factor in factors)
    rise = min(warmup, steps // 4)
    assert factors[: rise + 1] == sorted(factors[: rise + 1])
    assert factors[rise:] == sorted(factors[rise:], reverse=True)
    assert max(factors) == pytest.approx(1)
    assert one_cycle(steps, steps, warmup) == pytest.approx(0, abs=1e-12)


def test_while_the_length_is_not_known_the_rate_is_held() -> None:
    assert [one_cycle(step, None, 4) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]


def test_a_number_of_steps_given_stands() -> None:
    length = Length(7, None)
    length.note(1, 100.0, 100.0)
    assert length.steps == 7
    assert not length.over(6, 1e9)
    assert length.over(7, 0.0)


@given(
    pace=st.floats(1e-3, 5),
    limit=st.floats(0.5, 300),
    first=st.floats(1, 20),
)
def test_a_time_limit_becomes_steps_and_is_kept(pace: float, limit: float, first: float) -> None:
    """A machine of even pace, its first steps slower."""
    length, seconds, step = Length(None, limit), 0.0, 0
    known = set()
    while not length.over(step, seconds):
        step += 1
        this = pace * (first if step <= 2 else 1)
        seconds += this
        length.note(step, seconds, this)
        known.add(length.steps)
    assert length.steps == step or seconds >= limit
    assert seconds <= limit + pace * first
    if limit > 4 * pace * max(PROBE_STEPS, 2 * first):
        assert len(known - {None}) == 1, "an even pace is known at once"
        assert seconds <= limit
        assert seconds >= 0.9 * limit


@pytest.mark.parametrize("later", [0.05, 0.4])
@pytest.mark.parametrize("change", [30, 60])
def test_where_the_pace_changes_the_rate_still_falls_to_nothing_in_time(
    later: float, change: int
) -> None:
    length, seconds, step = Length(None, 20.0, warmup=10), 0.0, 0
    factors = []
    while not length.over(step, seconds):
        factors.append(length.factor(step))
        step += 1
        pace = 0.1 if step < change else later
        seconds += pace
        length.note(step, seconds, pace)
    assert 18 <= seconds <= 20 + later
    assert factors[10:] == sorted(factors[10:], reverse=True), "it never rises again"
    steps = -np.diff(factors[10:])
    assert steps.max() < 0.15, "it falls without a jump"
    assert factors[-1] < 0.05


def test_a_machine_that_was_busy_at_first_does_not_end_early() -> None:
    """Thirteen steps are thought to be left when each is over in no time."""
    length, seconds, step = Length(None, 15.0, warmup=100), 0.0, 0
    while not length.over(step, seconds):
        step += 1
        pace = 0.78 if step <= 8 else 0.015
        seconds += pace
        length.note(step, seconds, pace)
    assert 14 <= seconds <= 15.1


def test_a_correction_while_the_rate_rises_leaves_the_fall_whole() -> None:
    length = Length(1000, 10.0, warmup=200)
    length.note(100, 9.0, 0.09)
    assert (length.steps, length.bend) == (111, None)
    length = Length(1000, 10.0, warmup=50)
    length.note(100, 2.0, 0.02)
    assert length.steps == 500
    assert length.bend == (100, pytest.approx(50 / 950))


def test_one_slow_step_does_not_spoil_the_pace() -> None:
    length, seconds = Length(None, 20.0), 0.0
    for step in range(1, 30):
        pace = 1.0 if step == 1 else 0.05
        seconds += pace
        length.note(step, seconds, pace)
    assert length.steps is not None
    assert 0.95 < (1.0 + 0.05 * length.steps) / 20 < 1.01


def test_without_an_end_a_run_goes_on() -> None:
    assert not Length(None, None).over(10**9, math.inf)

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_xseg.data.volume import volume_from_array
from napari_xseg.events import NextSlices
from napari_xseg.review.slice_statistics import (
    correlation_length,
    slice_statistics,
    unlikeness,
)
from napari_xseg.review.suggest import Suggestion, suggest_slices, suggestions_of


def slices_of(found: tuple[Suggestion, ...]) -> list[int]:
    return [one.z for one in found]


def test_without_anything_known_they_spread_from_the_middle() -> None:
    found = suggest_slices(101, (), 3, length=20)
    assert found[0].z == 50
    first, second = sorted(slices_of(found)[1:])
    assert 10 < first < 35
    assert 65 < second < 90
    assert found[0].nearest is None
    assert found[1].nearest == 50


def test_a_labelled_slice_stands_for_its_neighbours() -> None:
    (one,) = suggest_slices(100, (20, 25), 1, length=10)
    assert one.z > 40
    assert (one.nearest, one.distance) == (25, one.z - 25)


def test_what_is_uncertain_comes_first() -> None:
    doubt = {z: 0.05 if 60 <= z < 75 else 0.01 for z in range(100)}
    assert suggest_slices(100, (50,), 1, length=8, uncertainty=doubt)[0].z in range(60, 75)
    assert suggest_slices(100, (50, 67), 1, length=8, uncertainty=doubt)[0].z not in range(55, 80)


def test_one_broken_slice_does_not_draw_all_suggestions() -> None:
    doubt = dict.fromkeys(range(100), 0.01) | {97: 1e6}
    plain = suggest_slices(100, (30,), 1, length=10)[0].z
    assert abs(suggest_slices(100, (30,), 1, length=10, uncertainty=doubt)[0].z - plain) < 10


def test_between_measured_slices_it_is_interpolated() -> None:
    measured = {0: 0.01, 40: 0.01, 60: 0.03, 80: 0.01, 50: math.nan, 99: 0.01}
    (one,) = suggest_slices(100, (), 1, length=5, uncertainty=measured)
    assert 55 <= one.z <= 65
    assert one.uncertainty is not None
    assert one.uncertainty > 1


@pytest.mark.parametrize("doubt", [{}, {3: 0.0}, {3: math.nan}])
def test_without_a_figure_place_alone_decides(doubt: dict[int, float]) -> None:
    plain = suggest_slices(40, (3,), 2)
    assert suggest_slices(40, (3,), 2, uncertainty=doubt) == plain
    assert plain[0].uncertainty is None


def test_likeness_may_be_given() -> None:
    alike = np.eye(6)
    alike[4, :] = 1
    (one,) = suggest_slices(6, (0,), 1, alike=alike)
    assert (one.z, one.gain) == (4, pytest.approx(1))


def test_only_what_is_wanted_is_suggested() -> None:
    found = suggest_slices(100, (12,), 50, slices=range(10, 20))
    assert sorted(slices_of(found)) == [z for z in range(10, 20) if z != 12]
    assert suggest_slices(100, range(100), 3) == ()
    assert suggest_slices(0, (), 3) == ()
    assert suggest_slices(5, (), 3, slices=()) == ()


@given(
    st.integers(1, 60),
    st.sets(st.integers(0, 59), max_size=6),
    st.integers(1, 5),
    st.lists(st.floats(0, 1), min_size=60, max_size=60),
    st.floats(0.5, 40),
)
def test_suggestions_are_new_slices_that_stay_the_same(
    depth: int, labelled: set[int], count: int, doubt: list[float], length: float
) -> None:
    known = {z for z in labelled if z < depth}
    values = dict(enumerate(doubt[:depth]))
    found = suggest_slices(depth, known, count, uncertainty=values, length=length)
    assert len(found) == min(count, depth - len(known))
    assert len({*slices_of(found), *known}) == len(found) + len(known)
    assert all(0 <= one.gain <= 1 for one in found)
    assert found == suggest_slices(depth, known, count, uncertainty=values, length=length)
    assert found[:1] == suggest_slices(depth, known, 1, uncertainty=values, length=length)


def test_slices_that_show_nothing_come_last() -> None:
    plain = suggest_slices(9, (), 1)[0].z
    assert plain == 4
    found = slices_of(suggest_slices(9, (), 9, last=(3, 4, 5), uncertainty={4: 9.0}))
    assert set(found[-3:]) == {3, 4, 5}
    assert slices_of(suggest_slices(3, (0, 2), 3, last=(1,))) == [1]


def test_why_in_words() -> None:
    first, second = suggest_slices(100, (), 2, uncertainty=dict.fromkeys(range(100), 0.2))
    assert first.why.startswith("no slice is labelled yet, and this one is like most others, as un")
    assert "the nearest labelled or suggested one" in second.why
    text = Suggestion(7, 0.25, 6, 2.04).why
    assert text == (
        "1 slice from slice 6, the nearest labelled or suggested one, 2.0 times as uncertain as "
        "most; stands for 25 % of the rest"
    )


def test_a_job_says_the_same_in_numbers() -> None:
    event = NextSlices((7, 3), (0.5, 0.2), (-1, 7), (1.5, math.nan), (1,), (0.1,), 4.0)
    assert suggestions_of(event) == (Suggestion(7, 0.5, None, 1.5), Suggestion(3, 0.2, 7, None))


def smooth_stack(depth: int, length: float) -> np.ndarray:
    """Slices whose correlation falls as exp(-distance / length)."""
    random = np.random.default_rng(3)
    keep = math.exp(-1 / length)
    planes = [random.normal(size=(90, 90))]
    for _ in range(depth - 1):
        step = random.normal(size=(90, 90))
        planes.append(keep * planes[-1] + math.sqrt(1 - keep**2) * step)
    return np.stack(planes).astype(np.float32)


@pytest.mark.parametrize("length", [3, 12, 40])
def test_the_correlation_length_is_found(length: float) -> None:
    volume = volume_from_array(smooth_stack(60, length), "stack")
    assert correlation_length(volume) == pytest.approx(length, rel=0.35)


def test_where_there_is_no_correlation_it_is_short_or_not_known() -> None:
    noise = np.random.default_rng(0).normal(size=(12, 50, 50))
    assert 0.5 <= correlation_length(volume_from_array(noise, "noise")) < 1
    flat = volume_from_array(np.ones((12, 5, 5)), "flat")
    assert correlation_length(flat) == 0
    assert correlation_length(volume_from_array(noise, "n", neighbours=False)) == 0
    assert correlation_length(volume_from_array(noise, "n"), [4]) == 0


def test_slices_that_look_unlike_the_labelled_ones_stand_out() -> None:
    stack = np.random.default_rng(0).normal(100, 5, (20, 60, 60))
    stack[15:] += 30
    stack[4] = np.nan
    statistics = slice_statistics(volume_from_array(stack, "stack"), range(20))
    assert set(statistics) == set(range(20)) - {4}
    apart = unlikeness(statistics, {2, 8})
    assert apart[2] == apart[8] == 0.1
    assert min(apart[z] for z in range(15, 20)) > 3 * max(apart[z] for z in range(4, 15) if z != 4)
    assert unlikeness(statistics, {4}) == {}
    assert unlikeness(statistics, ()) == {}

"""The number of threads that a training chooses, on machines made of numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_xseg.training.threads import APART, SHARE, Threads, threads_kept

Pace = Callable[[int], float]


def quiet(threads: int) -> float:
    """Seconds of a step where nobody else computes."""
    return 0.01 + 0.02 / threads


def busy(cores: int, taken: int) -> Pace:
    """Where others keep some cores busy, and a thread there gets a tenth of its core."""
    return lambda threads: quiet(threads) * (10 if threads > cores - taken else 1)


def work(threads: Threads, pace: Pace, seconds: float) -> dict[int, float]:
    """Seconds computed in each number of threads."""
    spent: dict[int, float] = {}
    while sum(spent.values()) < seconds:
        count = threads.count
        took = pace(count)
        spent[count] = spent.get(count, 0.0) + took
        threads.note(took)
    return spent


@pytest.mark.parametrize("cores", [2, 3, 8, 64])
def test_a_quiet_machine_computes_in_all_threads(cores: int) -> None:
    spent = work(Threads(cores), quiet, 60.0)
    assert spent[cores] > 0.94 * sum(spent.values())


@pytest.mark.parametrize(("cores", "taken", "best"), [(2, 1, 1), (4, 1, 3), (8, 1, 7), (8, 4, 4)])
def test_busy_cores_are_left_to_others_from_the_first_seconds_on(
    cores: int, taken: int, best: int
) -> None:
    threads = Threads(cores)
    work(threads, busy(cores, taken), 3.0)
    assert threads.count == best
    spent = work(threads, busy(cores, taken), 60.0)
    assert spent[best] > 0.9 * sum(spent.values())


def test_what_others_begin_and_end_is_followed() -> None:
    threads = Threads(2)
    work(threads, quiet, 20.0)
    assert threads.count == 2
    work(threads, busy(2, 1), 2 * APART + 3)
    assert work(threads, busy(2, 1), 10.0)[1] > 9.0
    work(threads, quiet, 2 * APART + 10)
    assert work(threads, quiet, 10.0)[2] > 9.0


def test_the_first_step_of_a_trial_which_prepares_it_does_not_count_against_it() -> None:
    threads, seen = Threads(2), set[int]()

    def pace(count: int) -> float:
        first = count not in seen
        seen.add(count)
        return 5.0 if first else busy(2, 1)(count)

    work(threads, pace, 15.0)
    assert threads.count == 1


def test_trials_of_slow_steps_are_rare() -> None:
    spent = work(Threads(2), lambda threads: 6.0 / threads, 3600.0)
    assert spent[1] < (SHARE + 0.01) * 3600 + 12


@given(most=st.integers(1, 200), took=st.lists(st.floats(1e-4, 100.0), max_size=300))
def test_whatever_steps_take_the_number_is_possible(most: int, took: list[float]) -> None:
    threads = Threads(most)
    assert threads.count == most
    for seconds in took:
        threads.note(seconds)
        assert 1 <= threads.count <= most


def test_torch_has_its_threads_back() -> None:
    def breaks() -> None:
        with threads_kept():
            torch.set_num_threads(before + 1)
            raise ZeroDivisionError

    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        breaks()
    assert torch.get_num_threads() == before

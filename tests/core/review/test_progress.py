from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_xseg.review.progress import (
    SliceChange,
    Spot,
    got_worse,
    progress_text,
    slice_change,
    slice_changes,
    spot_changes,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def spot(z: int, *box: int, kind: str = "hole") -> Spot:
    return Spot(z, (box[0], box[1], box[2], box[3]), kind, 0.5)


def test_a_place_is_one_of_slice_kind_and_box() -> None:
    before = [spot(1, 0, 10, 0, 10), spot(2, 0, 10, 0, 10), spot(3, 5, 6, 5, 6)]
    after = [
        spot(2, 0, 10, 0, 10, kind="drift"),
        spot(1, 8, 12, 8, 12),
        spot(3, 6, 7, 5, 6),
        spot(4, 0, 1, 0, 1),
    ]
    changes = spot_changes(before, after)
    assert changes.stayed == ((0, 1),)
    assert (changes.gone, changes.appeared) == ((1, 2), (0, 2, 3))


def test_what_shares_most_belongs_together() -> None:
    before = [spot(0, 0, 10, 0, 10), spot(0, 0, 10, 5, 15)]
    after = [spot(0, 0, 10, 4, 14), spot(0, 0, 10, 0, 9)]
    assert spot_changes(before, after).stayed == ((0, 1), (1, 0))


def test_too_little_in_common_is_another_place() -> None:
    before, after = [spot(0, 0, 10, 0, 10)], [spot(0, 9, 19, 5, 15)]
    assert spot_changes(before, after).stayed == ()
    assert spot_changes(before, after, overlap=0.05).stayed == ((0, 0),)


spots = st.builds(
    lambda z, y, x, kind: spot(z, y, y + 4, x, x + 4, kind=kind),
    st.integers(0, 2),
    st.integers(0, 9),
    st.integers(0, 9),
    st.sampled_from(["hole", "drift"]),
)


@given(st.lists(spots, max_size=12), st.lists(spots, max_size=12))
def test_each_place_is_counted_once(before: list[Spot], after: list[Spot]) -> None:
    changes = spot_changes(before, after)
    firsts, seconds = [one for one, _ in changes.stayed], [two for _, two in changes.stayed]
    assert sorted((*changes.gone, *firsts)) == list(range(len(before)))
    assert sorted((*changes.appeared, *seconds)) == list(range(len(after)))
    assert spot_changes(before, before).gone == ()


def test_both_masks_are_judged_by_the_same_pixels() -> None:
    labels = np.array([[0, 0, 1, 1, 255, 1]], np.uint8)
    before = np.array([[0, 0, 1, 1, 0, 255]], np.uint8)
    after = np.array([[0, 1, 1, 255, 0, 1]], np.uint8)
    change = slice_change(7, labels, before, after, 2, border=0)
    assert (change.z, change.wrong_before, change.wrong_after) == (7, 0, 1)
    assert change.before == 1
    assert math.isclose(change.after, (2 / 3 + 2 / 3) / 2)
    assert change.worse()


def test_slices_are_read_one_at_a_time() -> None:
    read: list[tuple[str, int]] = []

    def maps(name: str, value: int) -> Callable[[int], np.ndarray]:
        def give(z: int) -> np.ndarray:
            read.append((name, z))
            return np.full((2, 3), value, np.uint8)

        return give

    found = slice_changes([4, 2], maps("labels", 1), maps("old", 0), maps("new", 1), 2)
    first = next(found)
    assert (first.z, first.before, first.after, first.wrong_before) == (4, 0, 1, 6)
    assert {z for _, z in read} == {4}
    assert [one.z for one in found] == [2]


def test_nothing_in_common_is_no_change_for_the_worse() -> None:
    nothing = np.full((2, 2), 255, np.uint8)
    change = slice_change(0, nothing, nothing, nothing, 3)
    assert math.isnan(change.before)
    assert not change.worse()


def test_the_worst_slice_comes_first_and_noise_is_left_out() -> None:
    changes = [
        SliceChange(1, 0.99, 0.9895, 10, 12),
        SliceChange(2, 0.99, 0.98, 10, 20),
        SliceChange(3, 0.99, 0.90, 10, 90),
        SliceChange(4, 0.90, 0.99, 90, 10),
    ]
    assert [one.z for one in got_worse(changes)] == [3, 2]
    assert [one.z for one in got_worse(changes, 0.0001)] == [3, 2, 1]
    assert not SliceChange(5, 0.99, 0.98, 10, 9).worse()
    text = progress_text(changes, spot_changes([spot(0, 0, 1, 0, 1)], []))
    assert text == (
        "1 of 1 suspects went away, 0 came up. Of 4 labelled slices 2 got worse: "
        "3 (Dice 99.00 to 90.00 %), 2 (Dice 99.00 to 98.00 %). Pixels up to 2 from a class border "
        "do not count."
    )
    assert progress_text(changes[3:]) == "None of 1 labelled slice got worse."
    assert progress_text([]) == ""


def discs(*, radius: int = 20, hole: int = 0) -> np.ndarray:
    """A disc of class 1, with a square hole in its middle."""
    y, x = np.ogrid[-30:31, -30:31]
    plane = (y**2 + x**2 <= radius**2).astype(np.uint8)
    plane[30 - hole : 30 + hole, 30 - hole : 30 + hole] = 0
    return plane


def test_borders_a_pixel_apart_are_no_loss_on_an_accepted_slice() -> None:
    """The labels are the older mask itself: it agrees with them by their making."""
    labels = discs()
    for after in (discs(radius=19), discs(radius=21)):
        change = slice_change(3, labels, labels, after, 2)
        assert (change.before, change.after) == (1, 1)
        assert not change.worse()
        assert slice_change(3, labels, labels, after, 2, border=0).worse()


def test_what_is_lost_away_from_borders_is() -> None:
    labels = discs()
    (change,) = slice_changes(
        [3], lambda _: labels, lambda _: labels, lambda _: discs(hole=3), classes=2
    )
    assert (change.wrong_before, change.wrong_after) == (0, 36)
    assert change.worse()
    told = progress_text([change])
    assert told.startswith("Of 1 labelled slice 1 got worse: 3 (Dice 100.00 to 9")


def test_a_slice_of_borders_alone_says_nothing() -> None:
    labels = np.indices((20, 20)).sum(axis=0).astype(np.uint8) % 2
    change = slice_change(0, labels, labels, 1 - labels, 2)
    assert math.isnan(change.before)
    assert not change.worse()

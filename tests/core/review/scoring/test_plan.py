from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_xseg.errors import XsegError
from napari_xseg.review.scoring.plan import Plan, make_items
from napari_xseg.review.scoring.values import Place, letter

SLICES = range(100, 140)


def zs(plan: Plan, masks: int = 1, places: Any = ()) -> list[int]:
    return [item.z for item in make_items(plan, SLICES, masks, places)]


def test_every_slice_in_order() -> None:
    items = make_items(Plan(), SLICES, 1)
    assert [item.z for item in items] == list(SLICES)
    assert [item.number for item in items] == list(range(1, 41))


def test_every_nth_slice() -> None:
    assert zs(Plan("nth", step=7)) == [100, 107, 114, 121, 128, 135]


def test_a_random_sample_has_distinct_slices_and_follows_its_seed() -> None:
    first = zs(Plan("random", count=10))
    assert len(set(first)) == 10
    assert first == sorted(first) == zs(Plan("random", count=10))
    assert first != zs(Plan("random", count=10, seed=1))
    assert zs(Plan("random", count=1000)) == list(SLICES)


def test_suspects_keep_their_rank_and_miss_no_place() -> None:
    places = [
        Place(z, 5, x, (4, 7, x - 1, x + 2), "fragment", 0.5)
        for z, x in ((120, 6), (105, 6), (999, 6), (120, 30), (110, 6))
    ]
    items = make_items(Plan("suspects", count=3), SLICES, 1, places)
    assert [item.z for item in items] == [120, 105, 120]
    assert items[0].place is places[0]


def test_a_place_that_stands_twice_is_asked_once() -> None:
    box = (4, 7, 5, 8)
    places = [
        *(Place(120, 5, 6, box, "hole", 0.9), Place(105, 5, 6), Place(120, 5, 6, box, "hole", 0.4)),
        *(Place(105, 5.2, 5.8, kind="flips"), Place(120, 5.5, 6, box, "flips"), Place(110, 5, 6)),
    ]
    items = make_items(Plan("suspects", count=5), SLICES, 1, places)
    assert [item.place for item in items] == [places[0], places[1], places[5]]


def test_each_mask_is_asked_for_each_slice() -> None:
    items = make_items(Plan("nth", step=20), SLICES, 3)
    assert [(item.z, item.mask) for item in items] == [
        (z, mask) for z in (100, 120) for mask in range(3)
    ]


def test_blind_masks_come_in_changing_order() -> None:
    items = make_items(Plan(blind=True), SLICES, 2)
    firsts = [item.mask for item in items[::2]]
    assert 10 < sum(firsts) < 30
    assert all(one.z == other.z for one, other in zip(items[::2], items[1::2], strict=True))


def test_shuffled_items_are_the_same_items() -> None:
    shuffled = zs(Plan(shuffled=True))
    assert sorted(shuffled) == list(SLICES) != shuffled


@given(
    count=st.integers(1, 40),
    share=st.floats(0, 1),
    apart=st.integers(1, 30),
    seed=st.integers(0, 1000),
    masks=st.integers(1, 3),
)
def test_repeats_come_late_enough(
    count: int, share: float, apart: int, seed: int, masks: int
) -> None:
    plan = Plan(repeats=share, apart=apart, seed=seed, shuffled=bool(seed % 2))
    items = make_items(plan, range(count), masks)
    again = [item for item in items if item.repeat_of is not None]
    assert [item.number for item in items] == list(range(1, len(items) + 1))
    assert len(items) - len(again) == count * masks
    assert len({item.repeat_of for item in again}) == len(again)
    for item in again:
        assert item.repeat_of is not None
        first = items[item.repeat_of - 1]
        assert first.repeat_of is None
        assert replace(item, number=0, repeat_of=None) == replace(first, number=0)
        assert item.number - first.number >= apart
    if count * masks >= apart:
        assert len(again) == round(share * count * masks)


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "some"}, {"step": 0}, {"count": 0}, {"repeats": 1.5}, {"apart": 0}, {"seed": -1}],
)
def test_plans_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(XsegError, match="expected"):
        Plan(**wrong)


def test_nothing_to_score_is_said() -> None:
    with pytest.raises(XsegError, match="no slice in common"):
        make_items(Plan(), (), 2)
    with pytest.raises(XsegError, match="no suspect"):
        make_items(Plan("suspects"), SLICES, 1, [Place(3, 1, 1)])


def test_a_plan_survives_its_way_through_a_file() -> None:
    plan = Plan("random", count=7, blind=True, repeats=0.25)
    assert Plan.from_dict({**plan.to_dict(), "of a later version": 1}) == plan
    assert "7 slices" in plan.words()
    assert "25 % asked twice" in plan.words()


def test_letters() -> None:
    assert [letter(place) for place in (0, 1, 25, 26, 27, 701, 702)] == [
        *("A", "B", "Z", "AA", "AB", "ZZ", "AAA")
    ]

"""Edits of connected pieces, against what a plain and slow program makes of the same slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_xseg.data import mending, pieces
from napari_xseg.data.mending import Area, Edit, Rules
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Plane = NDArray[np.uint8]

SIZE = 14
planes = arrays(np.uint8, (SIZE, SIZE - 2), elements=st.integers(0, 3))
points = st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 3))
reaches = st.integers(1, 5)
areas = st.one_of(
    st.none(),
    arrays(bool, (SIZE, SIZE - 2)).map(Area.of_mask),
    st.tuples(*[st.integers(-3, SIZE)] * 4).map(lambda box: Area.of_box(box, (SIZE, SIZE - 2))),
)
rules = st.builds(Rules, areas, st.frozensets(st.integers(0, 3), max_size=2))


@pytest.fixture(autouse=True, params=[1, 64])
def _reach(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small slices too are looked at bit by bit."""
    monkeypatch.setattr(pieces, "_REACH", request.param)


def after(plane: Plane, edit: Edit | None) -> Plane:
    """The slice with the edit; whatever is said of the edit must hold."""
    if edit is None:
        return plane
    changed = edit.on(plane)
    differs = changed != plane
    rows, columns = np.nonzero(differs)
    assert edit.pixels == rows.size > 0
    assert edit.box == (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)
    return changed


def slow_piece(
    plane: Plane, point: tuple[int, int], within: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    found = np.zeros(plane.shape, bool)
    waiting = [point] if within[point] else []
    while waiting:
        y, x = waiting.pop()
        if found[y, x]:
            continue
        found[y, x] = True
        for there in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            inside = min(there) >= 0 and there[0] < plane.shape[0] and there[1] < plane.shape[1]
            if inside and within[there] and plane[there] == plane[point]:
                waiting.append(there)
    return found


def area_mask(area: Area | None, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if area is None:
        return np.ones(shape, bool)
    return area.inside((0, shape[0], 0, shape[1]))


def free(plane: Plane, given: Rules) -> NDArray[np.bool_]:
    return area_mask(given.area, plane.shape) & ~np.isin(plane, list(given.protected))


def distances(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """From each pixel to the nearest of `mask`."""
    there = np.argwhere(mask)
    all_of_them = np.argwhere(np.ones(mask.shape, bool))
    if not there.size:
        return np.full(mask.shape, np.inf)
    apart = np.sqrt(((all_of_them[:, None] - there) ** 2).sum(axis=2)).min(axis=1)
    return apart.reshape(mask.shape)


@given(planes, points, areas)
def test_a_piece_is_what_can_be_reached_over_sides(
    plane: Plane, point: tuple[int, int], area: Area | None
) -> None:
    wanted = slow_piece(plane, point, area_mask(area, plane.shape))
    piece = mending.piece_at(plane, point, area)
    if piece is None:
        assert not wanted.any()
        return
    found = np.zeros(plane.shape, bool)
    found[pieces.within(piece.box)] = piece.mask
    assert np.array_equal(found, wanted)
    assert (piece.value, piece.pixels) == (plane[point], wanted.sum())


@given(planes, points, st.integers(0, 4), rules)
def test_a_piece_gets_another_value(
    plane: Plane, point: tuple[int, int], value: int, given: Rules
) -> None:
    piece = slow_piece(plane, point, area_mask(given.area, plane.shape))
    wanted = np.where(piece & free(plane, given), np.uint8(value), plane)
    assert np.array_equal(after(plane, mending.make_piece(plane, point, value, given)), wanted)


@given(planes, areas, st.integers(0, 4), rules)
def test_an_area_gets_one_value(plane: Plane, area: Area | None, value: int, given: Rules) -> None:
    if area is None:
        return
    chosen = area_mask(area, plane.shape) & free(plane, given)
    wanted = np.where(chosen, np.uint8(value), plane)
    assert np.array_equal(after(plane, mending.fill_area(plane, area, value, given)), wanted)


@given(planes, planes, areas, rules)
def test_an_area_is_taken_over_where_the_other_holds_something(
    plane: Plane, other: Plane, area: Area | None, given: Rules
) -> None:
    if area is None:
        return
    chosen = area_mask(area, plane.shape) & free(plane, given) & (other != 0)
    wanted = np.where(chosen, other, plane)
    assert np.array_equal(after(plane, mending.take_over(plane, other, area, given)), wanted)


@given(planes, points, reaches, rules)
def test_a_piece_grows_as_far_as_it_may(
    plane: Plane, point: tuple[int, int], reach: int, given: Rules
) -> None:
    piece = slow_piece(plane, point, np.ones(plane.shape, bool))
    near = (distances(piece) <= reach) & (piece | free(plane, given))
    reached = slow_piece(near.astype(np.uint8), point, np.ones(plane.shape, bool))
    wanted = np.where(reached, plane[point], plane)
    assert np.array_equal(after(plane, mending.grow_piece(plane, point, reach, given)), wanted)


@given(planes, points, reaches, rules)
def test_a_piece_gives_its_rim_to_the_nearest(
    plane: Plane, point: tuple[int, int], reach: int, given: Rules
) -> None:
    value = plane[point]
    piece = slow_piece(plane, point, np.ones(plane.shape, bool))
    rim = piece & (distances(plane != value) <= reach) & free(plane, given)
    changed = after(plane, mending.shrink_piece(plane, point, reach, given))
    assert np.array_equal(changed != plane, rim)
    for other in set(np.unique(changed[rim]).tolist()):
        here = rim & (changed == other)
        nearest = distances(plane == other)[here]
        assert np.allclose(nearest, distances(plane != value)[here])


@given(planes, points, st.one_of(st.none(), st.integers(1, 6)))
def test_a_hole_has_no_way_out(plane: Plane, point: tuple[int, int], largest: int | None) -> None:
    piece = slow_piece(plane, point, np.ones(plane.shape, bool))
    outside = np.pad(~piece, 1, constant_values=True)
    seen = np.zeros(outside.shape, bool)
    seen[0] = True
    while True:
        grown = seen.copy()
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                grown |= np.roll(seen, (down, right), (0, 1))
        grown &= outside
        if (grown == seen).all():
            break
        seen = grown
    holes = (outside & ~seen)[1:-1, 1:-1]
    changed = after(plane, mending.fill_holes(plane, point, largest=largest))
    filled = changed != plane
    assert (changed[filled] == plane[point]).all()
    assert not (filled & ~holes).any()
    if largest is None:
        assert (changed[holes] == plane[point]).all()


def test_only_small_holes_are_filled() -> None:
    plane = np.ones((9, 12), np.uint8)
    plane[2, 2] = 2
    plane[4:7, 5:9] = 3
    changed = after(plane, mending.fill_holes(plane, (0, 0), largest=11))
    assert changed[2, 2] == 1
    assert (changed[4:7, 5:9] == 3).all()
    assert (after(plane, mending.fill_holes(plane, (0, 0), largest=12)) == 1).all()


def test_a_corner_is_a_way_out_of_a_piece_connected_by_sides() -> None:
    plane = np.zeros((5, 5), np.uint8)
    plane[1:4, 1:4] = 1
    plane[2, 2] = plane[1, 1] = 0
    assert mending.fill_holes(plane, (2, 1)) is None


def test_a_piece_does_not_grow_through_a_protected_wall() -> None:
    plane = np.zeros((5, 9), np.uint8)
    plane[:, :2], plane[:, 3] = 1, 2
    changed = after(plane, mending.grow_piece(plane, (0, 0), 5, Rules(protected=frozenset({2}))))
    assert (changed[:, 2] == 1).all()
    assert (changed[:, 4:] == 0).all()


def test_the_edge_of_the_slice_is_none_of_the_piece() -> None:
    plane = np.ones((6, 6), np.uint8)
    assert mending.shrink_piece(plane, (0, 0), 3) is None
    plane[:, 5] = 2
    changed = after(plane, mending.shrink_piece(plane, (0, 0), 2))
    assert (changed[:, 3:] == 2).all()
    assert (changed[:, :3] == 1).all()


@pytest.mark.parametrize("point", [(-1, 0), (0, 6), (5, 0)])
@pytest.mark.parametrize(
    "edit",
    [
        mending.piece_at,
        mending.value_at,
        mending.fill_holes,
        lambda plane, point: mending.make_piece(plane, point, 1),
        lambda plane, point: mending.grow_piece(plane, point, 1),
        lambda plane, point: mending.shrink_piece(plane, point, 1),
    ],
)
def test_a_point_outside_is_said(edit: Callable[..., object], point: tuple[int, int]) -> None:
    with pytest.raises(XsegError, match="lies outside the slice of 5 x 6 pixels"):
        edit(np.zeros((5, 6), np.uint8), point)


def test_a_mask_of_another_size_is_said() -> None:
    area = Area((0, 2, 0, 2))
    with pytest.raises(XsegError, match="4 x 4 pixels, the labels' 5 x 6"):
        mending.take_over(np.zeros((5, 6), np.uint8), np.ones((4, 4), np.uint8), area)


def test_small_pieces_of_large_slices_are_looked_at_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plane = np.ones((3000, 3000), np.uint8)
    plane[1500:1520, 100:140] = 2
    seen: list[int] = []
    plain = pieces.reached

    def counted(allowed: NDArray[np.bool_], start: NDArray[np.bool_]) -> NDArray[np.bool_]:
        seen.append(allowed.size)
        return plain(allowed, start)

    monkeypatch.setattr(pieces, "_REACH", 64)
    monkeypatch.setattr(pieces, "reached", counted)
    edit = mending.make_piece(plane, (1510, 120), 3)
    assert edit is not None
    assert edit.box == (1500, 1520, 100, 140)
    assert max(seen) < 300 * 300

"""Mending a slice by hand: connected pieces given another class, grown, shrunk, filled.

A slice is (y, x) uint8, labels as in our napari layers (class k is k + 1, 0 is not
labelled) or class indices. Nothing is changed in place: each function gives an
`Edit`, or None where nothing changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.data.pieces import (
    Area,
    Piece,
    Point,
    box_of,
    padded,
    piece_at,
    reached,
    shape_of,
    shifted,
    value_at,
    within,
)
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_xseg.data.pieces import Mask, Plane
    from napari_xseg.events import Box

__all__ = [
    "Area",
    "Edit",
    "Piece",
    "Point",
    "Rules",
    "fill_area",
    "fill_holes",
    "grow_piece",
    "make_piece",
    "piece_at",
    "shrink_piece",
    "take_over",
    "value_at",
]


@dataclass(frozen=True)
class Rules:
    """What an edit must leave alone.

    Attributes
    ----------
    area : Area, optional
        Nothing outside of it changes.
    protected : frozenset of int
        Pixels with one of these values stay as they are; 0 may be among them.
    """

    area: Area | None = None
    protected: frozenset[int] = frozenset()

    def allow(self, plane: Plane, box: Box) -> Mask:
        """Which pixels of `box` may change."""
        free = ~np.isin(plane[within(box)], list(self.protected))
        return free if self.area is None else free & self.area.inside(box)


FREE = Rules()
"""All may change."""


@dataclass(frozen=True, eq=False)
class Edit:
    """Pixels that change.

    Attributes
    ----------
    box : (int, int, int, int)
        Top, bottom, left and right of them, half open.
    part : ndarray of uint8
        What the box holds afterwards.
    pixels : int
        How many change.
    """

    box: Box
    part: Plane
    pixels: int

    def on(self, plane: Plane) -> Plane:
        """A copy of `plane`, the slice that the edit was made from, with the change."""
        changed = plane.copy()
        changed[within(self.box)] = self.part
        return changed


def make_piece(plane: Plane, point: Point, value: int, rules: Rules = FREE) -> Edit | None:
    """Give the piece under a point another value; within an area, the part of it that lies there.

    Parameters
    ----------
    plane : ndarray (y, x) of uint8
    point : (int, int)
        y and x; XsegError where it lies outside the slice.
    value : int
        0 to 255.
    rules : Rules
        What stays as it is.
    """
    piece = piece_at(plane, point, rules.area)
    if piece is None:
        return None
    return _edit(plane, piece.box, piece.mask & rules.allow(plane, piece.box), value)


def fill_area(plane: Plane, area: Area, value: int, rules: Rules = FREE) -> Edit | None:
    """Give all of an area one value, such as the one under the cursor (`value_at`)."""
    return _edit(plane, area.box, area.inside(area.box) & rules.allow(plane, area.box), value)


def take_over(
    plane: Plane,
    other: Plane,
    area: Area,
    rules: Rules = FREE,
) -> Edit | None:
    """Take an area from `other`, a slice of the same shape, where that holds anything but 0."""
    if other.shape != plane.shape:
        raise XsegError(
            f"The mask's slice is {other.shape[0]} x {other.shape[1]} pixels, the labels' "
            f"{plane.shape[0]} x {plane.shape[1]}; choose a mask of this volume."
        )
    theirs = other[within(area.box)]
    chosen = area.inside(area.box) & rules.allow(plane, area.box) & (theirs != 0)
    return _edit(plane, area.box, chosen, theirs)


def grow_piece(plane: Plane, point: Point, pixels: int, rules: Rules = FREE) -> Edit | None:
    """Let the piece under a point grow into what lies beside it.

    Parameters
    ----------
    plane, point, rules
        As `make_piece` has them. The piece does not grow across what may not change.
    pixels : int
        How far, 1 or more.

    Returns
    -------
    Edit or None
        Each pixel no farther than `pixels` from the piece gets its value.
    """
    import edt

    piece = piece_at(plane, point)
    if piece is None or pixels < 1:
        return None
    box = padded(piece.box, pixels, plane.shape)
    own = np.zeros(shape_of(box), bool)
    own[within(piece.box, box)] = piece.mask
    near: Mask = edt.edt(~own, black_border=False) <= pixels
    near &= own | rules.allow(plane, box)
    return _edit(plane, box, reached(near, own) & ~own, piece.value)


def shrink_piece(plane: Plane, point: Point, pixels: int, rules: Rules = FREE) -> Edit | None:
    """Let the piece under a point give up what lies near its edge.

    Parameters
    ----------
    plane, point, rules
        As `make_piece` has them. The edge of the slice is none of the piece.
    pixels : int
        How far, 1 or more; a thinner piece goes altogether.

    Returns
    -------
    Edit or None
        Each pixel no farther than `pixels` from one of another value gets the value
        of the nearest of those.
    """
    import edt

    piece = piece_at(plane, point)
    if piece is None or pixels < 1:
        return None
    box = padded(piece.box, pixels + 1, plane.shape)
    part = plane[within(box)]
    same = part == piece.value
    if same.all():
        return None
    apart = edt.edt(same, black_border=False)
    rim = np.zeros(same.shape, bool)
    rim[within(piece.box, box)] = piece.mask
    rim &= (apart <= pixels) & rules.allow(plane, box)
    return _edit(plane, box, rim, _nearest_values(part, same, rim, apart))


def fill_holes(
    plane: Plane,
    point: Point,
    rules: Rules = FREE,
    largest: int | None = None,
) -> Edit | None:
    """Give the piece under a point what it encloses.

    Parameters
    ----------
    plane, point, rules
        As `make_piece` has them.
    largest : int, optional
        Pixels of the largest hole that is filled; without it, all are.
    """
    piece = piece_at(plane, point)
    if piece is None:
        return None
    holes = _holes(piece.mask, largest)
    return _edit(plane, piece.box, holes & rules.allow(plane, piece.box), piece.value)


def _nearest_values(part: Plane, same: Mask, rim: Mask, apart: NDArray[np.float32]) -> Plane:
    """`part` with the value of the nearest pixel that is not `same` in each pixel of the rim.

    That one lies `apart` from it, so that a few places have to be looked at.
    """
    values = part.copy()
    places = np.flatnonzero(rim)
    squares = np.rint(apart[rim].astype(np.float64) ** 2).astype(np.int64)
    for square in np.unique(squares).tolist():
        left = places[squares == square]
        for down, right in _steps(square):
            y, x = np.divmod(left, part.shape[1])
            y, x = y + down, x + right
            there = (y >= 0) & (y < part.shape[0]) & (x >= 0) & (x < part.shape[1])
            there[there] = ~same[y[there], x[there]]
            values.flat[left[there]] = part[y[there], x[there]]
            left = left[~there]
    return values


def _steps(square: int) -> list[tuple[int, int]]:
    """All (y, x) of which the squares add up to `square`."""
    reach = math.isqrt(square)
    span = range(-reach, reach + 1)
    found = ((y, math.isqrt(square - y * y)) for y in span)
    ends = [(y, x) for y, x in found if y * y + x * x == square]
    return [*ends, *((y, -x) for y, x in ends if x)]


def _holes(mask: Mask, largest: int | None) -> Mask:
    import cc3d

    # A corner is enough for a way out: the piece itself is connected by sides.
    outside = np.pad(~mask, 1, constant_values=True)
    numbers = cc3d.connected_components(outside, connectivity=8)
    sizes = np.bincount(numbers.ravel())
    hole = np.ones(sizes.size, bool)
    hole[[0, int(numbers[0, 0])]] = False
    if largest is not None:
        hole &= sizes <= largest
    found: Mask = hole[numbers[1:-1, 1:-1]]
    return found


def _edit(plane: Plane, box: Box, chosen: Mask, values: int | Plane) -> Edit | None:
    part = plane[within(box)]
    changes = chosen & (part != values)
    inner = box_of(changes)
    if inner is None:
        return None
    here = changes[within(inner)]
    fresh = part[within(inner)].copy()
    fresh[here] = values if isinstance(values, int) else values[within(inner)][here]
    return Edit(shifted(inner, box), fresh, int(np.count_nonzero(here)))

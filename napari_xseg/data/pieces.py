"""Boxes, areas and connected pieces of a slice.

A slice is (y, x) uint8. Pixels are connected by their sides, so that what touches
at a corner alone is another piece; only the surroundings of a piece are looked at,
so that a small one costs nothing in a large slice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_xseg.events import Box

    Plane = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

Point = tuple[int, int]
"""(y, x) in pixels."""
# Pixels to each side of a point that are looked at first.
_REACH = 64


@dataclass(frozen=True, eq=False)
class Area:
    """Where an edit may change pixels.

    Attributes
    ----------
    box : (int, int, int, int)
        Top, bottom, left and right, half open, inside the slice.
    mask : ndarray of bool, optional
        Of the box's shape; without it, all of the box.
    """

    box: Box
    mask: Mask | None = None

    @classmethod
    def of_box(cls, box: Box, shape: tuple[int, int]) -> Self | None:
        """The part of `box` that lies in a slice of `shape` (y, x); None where none does."""
        y0, y1, x0, x1 = box
        y0, y1 = max(y0, 0), min(y1, shape[0])
        x0, x1 = max(x0, 0), min(x1, shape[1])
        return cls((y0, y1, x0, x1)) if y0 < y1 and x0 < x1 else None

    @classmethod
    def of_mask(cls, mask: Mask) -> Self | None:
        """Where `mask` (y, x), of the slice's shape, is True; None where it is nowhere."""
        box = box_of(mask)
        return None if box is None else cls(box, mask[within(box)])

    def inside(self, box: Box) -> Mask:
        """Which pixels of `box`, inside the slice, belong to the area."""
        found = np.zeros(shape_of(box), bool)
        both = meeting(self.box, box)
        if both is not None:
            mine = True if self.mask is None else self.mask[within(both, self.box)]
            found[within(both, box)] = mine
        return found


@dataclass(frozen=True, eq=False)
class Piece:
    """Connected pixels of one value.

    Attributes
    ----------
    box : (int, int, int, int)
        Top, bottom, left and right, half open.
    mask : ndarray of bool
        Which pixels of the box.
    value : int
    pixels : int
    """

    box: Box
    mask: Mask
    value: int
    pixels: int


def value_at(plane: Plane, point: Point) -> int:
    """The value under a point; XsegError where it lies outside."""
    y, x = point
    if not (0 <= y < plane.shape[0] and 0 <= x < plane.shape[1]):
        raise XsegError(
            f"The point y = {y}, x = {x} lies outside the slice of {plane.shape[0]} x "
            f"{plane.shape[1]} pixels; point into it."
        )
    return int(plane[y, x])


def piece_at(plane: Plane, point: Point, area: Area | None = None) -> Piece | None:
    """The connected piece under a point.

    Parameters
    ----------
    plane : ndarray (y, x) of uint8
    point : (int, int)
        y and x.
    area : Area, optional
        The piece ends at its edges.

    Returns
    -------
    Piece or None
        None where the point lies outside the area.

    Raises
    ------
    XsegError
        A point outside the slice.
    """
    value, whole = value_at(plane, point), (0, plane.shape[0], 0, plane.shape[1])
    bounds = whole if area is None else area.box
    if area is not None and not area.inside(_around(point, 0, whole)).any():
        return None
    box = meeting(_around(point, _REACH, whole), bounds) or bounds
    while True:
        mask = _connected(plane, area, box, point, value)
        wider = _wider(mask, box, bounds)
        if wider == box:
            return _trimmed(mask, box, value)
        box = wider


def _connected(plane: Plane, area: Area | None, box: Box, point: Point, value: int) -> Mask:
    same = plane[within(box)] == value
    if area is not None:
        same &= area.inside(box)
    start = np.zeros(same.shape, bool)
    start[point[0] - box[0], point[1] - box[2]] = True
    return reached(same, start)


def reached(allowed: Mask, start: Mask) -> Mask:
    """The pieces of `allowed` that hold a pixel of `start`."""
    import cc3d

    numbers = cc3d.connected_components(allowed, connectivity=4)
    first = int(numbers[tuple(np.argwhere(start)[0])]) if start.any() else 0
    if first and start.sum() == 1:
        return np.asarray(numbers == first)
    wanted = np.zeros(int(numbers.max()) + 1, bool)
    wanted[numbers[start]] = True
    wanted[0] = False
    found: Mask = wanted[numbers]
    return found


def _wider(mask: Mask, box: Box, bounds: Box) -> Box:
    """A box twice as large where the mask may go on beyond it."""
    y0, y1, x0, x1 = box
    height, width = mask.shape
    return (
        max(bounds[0], y0 - height) if mask[0].any() else y0,
        min(bounds[1], y1 + height) if mask[-1].any() else y1,
        max(bounds[2], x0 - width) if mask[:, 0].any() else x0,
        min(bounds[3], x1 + width) if mask[:, -1].any() else x1,
    )


def _trimmed(mask: Mask, box: Box, value: int) -> Piece:
    inner = box_of(mask)
    if inner is None:
        raise RuntimeError("a piece holds its own point")
    part = mask[within(inner)]
    return Piece(shifted(inner, box), part, value, int(np.count_nonzero(part)))


def box_of(mask: Mask) -> Box | None:
    """The bounding box of what is True; None where nothing is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def shape_of(box: Box) -> tuple[int, int]:
    """Rows and columns of a box."""
    return box[1] - box[0], box[3] - box[2]


def shifted(inner: Box, outer: Box) -> Box:
    """A box given from the corner of `outer`, from that of the slice."""
    (y0, y1, x0, x1), top, left = inner, outer[0], outer[2]
    return y0 + top, y1 + top, x0 + left, x1 + left


def within(box: Box, outer: Box = (0, 0, 0, 0)) -> tuple[slice, slice]:
    """Where `box` lies in an array that begins at the corner of `outer`, by default the slice."""
    top, left = outer[0], outer[2]
    return slice(box[0] - top, box[1] - top), slice(box[2] - left, box[3] - left)


def meeting(one: Box, other: Box) -> Box | None:
    """The common part of two boxes; None without one."""
    y0, y1 = max(one[0], other[0]), min(one[1], other[1])
    x0, x1 = max(one[2], other[2]), min(one[3], other[3])
    return (y0, y1, x0, x1) if y0 < y1 and x0 < x1 else None


def _around(point: Point, reach: int, whole: Box) -> Box:
    y, x = point
    return padded((y, y + 1, x, x + 1), reach, (whole[1], whole[3]))


def padded(box: Box, by: int, shape: tuple[int, ...]) -> Box:
    """A box with `by` more pixels on each side, as far as a slice of `shape` goes."""
    y0, y1, x0, x1 = box
    return max(0, y0 - by), min(shape[0], y1 + by), max(0, x0 - by), min(shape[1], x1 + by)

"""Edits of labels with the help of a mask: what is not labelled yet is seen as the mask has it.

Planes are (y, x) uint8 of labels, class k as k + 1 and 0 for nothing. Each function
gives a changed copy of `labels`; what the user points at is labelled whole, so
that a piece of the mask that is right becomes labels too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.mending import (
    Area,
    fill_holes,
    grow_piece,
    piece_at,
    shrink_piece,
    take_over,
    value_at,
)
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_xseg.data.mending import Edit, Point
    from napari_xseg.events import Box

Plane = Any  # ndarray (y, x) of uint8


def both(labels: Plane, mask: Plane | None) -> Plane:
    """What is seen: the labels, and the mask where there are none."""
    return labels if mask is None else np.where(labels == 0, mask, labels)


def value_seen(labels: Plane, mask: Plane | None, point: Point) -> int:
    """The label under a point; XsegError where there is none, or the point lies outside."""
    value = value_at(labels, point) or (0 if mask is None else value_at(mask, point))
    if not value:
        raise XsegError(
            f"There is neither a label nor a mask at y = {point[0]}, x = {point[1]}; point at "
            "something that has a class."
        )
    return value


def piece_becomes(labels: Plane, mask: Plane | None, point: Point, value: int) -> Plane:
    """Give the connected piece under a point one label."""
    piece = piece_at(both(labels, mask), point)
    if piece is None:
        return labels
    return _with(labels, piece.box, piece.mask, value)


def place_becomes(labels: Plane, mask: Plane | None, box: Box, wrong: int, value: int) -> Plane:
    """Give what has the label `wrong` in a box another one; all of the box where `wrong` is 0."""
    area = Area.of_box(box, labels.shape)
    if area is None:
        return labels
    y0, y1, x0, x1 = area.box
    part = both(labels[y0:y1, x0:x1], None if mask is None else mask[y0:y1, x0:x1])
    chosen = part == wrong if wrong else np.ones(part.shape, bool)
    return _with(labels, area.box, chosen, value)


def piece_grown(labels: Plane, mask: Plane | None, point: Point, pixels: int) -> Plane:
    """Let the piece under a point grow."""
    return _changed(labels, mask, point, lambda seen: grow_piece(seen, point, pixels))


def piece_shrunk(labels: Plane, mask: Plane | None, point: Point, pixels: int) -> Plane:
    """Let the piece under a point give up its edge to what lies beside it."""
    return _changed(labels, mask, point, lambda seen: shrink_piece(seen, point, pixels))


def holes_filled(labels: Plane, mask: Plane | None, point: Point) -> Plane:
    """Give the piece under a point what it encloses."""
    return _changed(labels, mask, point, lambda seen: fill_holes(seen, point))


def taken_over(labels: Plane, mask: Plane, box: Box) -> Plane:
    """Take a box of the mask, whatever was labelled there."""
    area = Area.of_box(box, labels.shape)
    edit = None if area is None else take_over(labels, mask, area)
    return labels if edit is None else edit.on(labels)


def _changed(
    labels: Plane, mask: Plane | None, point: Point, change: Callable[[Plane], Edit | None]
) -> Plane:
    value_seen(labels, mask, point)
    seen = both(labels, mask)
    piece = piece_at(seen, point)
    edit = change(seen)
    if piece is None or edit is None:
        return labels
    after = edit.on(seen)
    chosen = after != seen
    y0, y1, x0, x1 = piece.box
    chosen[y0:y1, x0:x1] |= piece.mask
    return np.where(chosen, after, labels)


def _with(labels: Plane, box: Box, chosen: NDArray[np.bool_], value: int) -> Plane:
    y0, y1, x0, x1 = box
    changed = labels.copy()
    changed[y0:y1, x0:x1][chosen] = value
    return changed

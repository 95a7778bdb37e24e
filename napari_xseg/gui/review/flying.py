"""Flying the view to a place of a slice, which is outlined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image, Labels
    from numpy.typing import NDArray

    from napari_xseg.gui.session import Session

    # y0, y1, x0, x1
    Corners = tuple[float, float, float, float]

# A place fills so much of the canvas, but no less than so many pixels around it are seen.
_FILLS, _LEAST_SEEN = 0.4, 48
_MARGIN = 2
_MOST_OUTLINES = 64
_LINE = 2.5  # canvas pixels


class Place(Protocol):
    """Where something is: a slice, and a box that may go on in other slices, half open."""

    @property
    def z(self) -> int:
        """Its slice."""

    @property
    def z_range(self) -> tuple[int, int]:
        """Its slices."""

    @property
    def y_range(self) -> tuple[int, int]:
        """Its rows."""

    @property
    def x_range(self) -> tuple[int, int]:
        """Its columns."""


def fly_to(session: Session, base: Image | Labels, place: Place, name: str) -> None:
    """Bring a place to the middle of the canvas, at a size to be seen, and outline it.

    Parameters
    ----------
    session : Session
    base : Image or Labels
        The layer whose pixels the place is given in.
    place : Place
    name : str
        Of the layer with the outline.
    """
    look_at(session, base, place.z, (*place.y_range, *place.x_range))
    outline(session, base, _rectangles(place), name)


def look_at(
    session: Session, base: Image | Labels, z: int, box: Corners, least: int = _LEAST_SEEN
) -> None:
    """Bring a box of slice z of a layer to the middle of the canvas, at a size to be seen.

    `least` is the number of pixels around the box that are seen in any case.
    """
    session.flatten()
    dims, camera, ranges = session.viewer.dims, session.camera, (box[:2], box[2:])
    centre = [(low + high - 1) / 2 for low, high in ranges]
    world = base.data_to_world([z, *centre][-base.ndim :])
    if base.ndim > 2:
        dims.set_point(dims.ndim - 3, world[-3])
    camera.center = (0.0, float(world[-2]), float(world[-1]))
    seen = [
        max((high - low) / _FILLS, least) * scale
        for (low, high), scale in zip(ranges, base.scale[-2:], strict=True)
    ]
    canvas = session.viewer.canvas.size
    camera.zoom = float(min(size / part for size, part in zip(canvas, seen, strict=True)))


def outline(
    session: Session, base: Image | Labels, rectangles: Sequence[NDArray[Any]], name: str
) -> None:
    """Outline rectangles of a layer with a line that is as wide on the canvas at any zoom."""
    width = _LINE / (session.camera.zoom * float(np.min(base.scale[-2:])))
    session.layers.show_outline(rectangles, name=name, on=base, width=width)


def rectangle(z: int, box: Corners) -> NDArray[np.float64]:
    """Corners (4, 3) of the box (y0, y1, x0, x1) of slice z, from corner to corner."""
    y0, y1, x0, x1 = box
    return np.array([(z, y0, x0), (z, y0, x1), (z, y1, x1), (z, y1, x0)], float)


def around(box: Corners) -> Corners:
    """A box (y0, y1, x0, x1), half open, as corners with a margin around its pixels."""
    y0, y1, x0, x1 = box
    return y0 - _MARGIN, y1 - 1 + _MARGIN, x0 - _MARGIN, x1 - 1 + _MARGIN


def _rectangles(place: Place) -> list[NDArray[np.float64]]:
    first, stop = place.z_range
    if stop - first > _MOST_OUTLINES:
        first = max(first, place.z - _MOST_OUTLINES // 2)
        stop = min(stop, first + _MOST_OUTLINES)
    corners = around((*place.y_range, *place.x_range))
    return [rectangle(z, corners) for z in range(first, stop)]

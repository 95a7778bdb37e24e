"""Flying the view to a place of a slice, which is outlined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from numpy.typing import NDArray

    from napari_xseg.gui.session import Session

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


def is_flat(session: Session) -> bool:
    """Whether single slices are seen, along z."""
    dims = session.viewer.dims
    return bool(dims.ndisplay == 2 and tuple(dims.order) == tuple(range(dims.ndim)))


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
    viewer = session.viewer
    if not is_flat(session):
        viewer.dims.ndisplay = 2
        viewer.dims.order = tuple(range(viewer.dims.ndim))
    centre = [(low + high - 1) / 2 for low, high in (place.y_range, place.x_range)]
    world = base.data_to_world([place.z, *centre][-base.ndim :])
    if base.ndim > 2:
        viewer.dims.set_point(viewer.dims.ndim - 3, world[-3])
    camera = session.camera
    camera.center = (0.0, float(world[-2]), float(world[-1]))
    camera.zoom = _zoom(session, place, base)
    session.layers.show_outline(
        _rectangles(place),
        name=name,
        on=base,
        width=_LINE / (camera.zoom * float(np.min(base.scale[-2:]))),
    )


def _zoom(session: Session, place: Place, base: Image | Labels) -> float:
    ranges = place.y_range, place.x_range
    seen = [
        max((high - low) / _FILLS, _LEAST_SEEN) * scale
        for (low, high), scale in zip(ranges, base.scale[-2:], strict=True)
    ]
    canvas = session.viewer.canvas.size
    return float(min(size / part for size, part in zip(canvas, seen, strict=True)))


def _rectangles(place: Place) -> list[NDArray[np.float64]]:
    y0, y1 = place.y_range[0] - _MARGIN, place.y_range[1] - 1 + _MARGIN
    x0, x1 = place.x_range[0] - _MARGIN, place.x_range[1] - 1 + _MARGIN
    first, stop = place.z_range
    if stop - first > _MOST_OUTLINES:
        first = max(first, place.z - _MOST_OUTLINES // 2)
        stop = min(stop, first + _MOST_OUTLINES)
    return [
        np.array([(z, y0, x0), (z, y0, x1), (z, y1, x1), (z, y1, x0)], float)
        for z in range(first, stop)
    ]

"""Regions that the user has drawn: the outlines of a Shapes layer on a slice of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.prefill import ellipse_outline
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from napari.layers import Image, Shapes
    from numpy.typing import NDArray

# Lines and paths have no inside.
WITH_AREA = ("rectangle", "ellipse", "polygon")


def outlines_on(layer: Shapes, image: Image, z: int) -> list[NDArray[np.float64]]:
    """Corners (n, 2), in (y, x) pixels of `image`, of each area drawn on slice z.

    Shapes without a z of their own are on all slices. Scale and position of both
    layers count.

    Raises
    ------
    XsegError
        No area on this slice.
    """
    found = []
    for data, kind in zip(layer.data, layer.shape_type, strict=True):
        if str(kind) not in WITH_AREA:
            continue
        corners = np.asarray(data, np.float64)
        outline = ellipse_outline(corners) if str(kind) == "ellipse" else corners
        points = np.array([image.world_to_data(layer.data_to_world(point)) for point in outline])
        if _is_on(points, z, flat=min(layer.ndim, image.ndim) < 3):
            found.append(points[:, -2:])
    if not found:
        raise XsegError(
            f"layer {layer.name!r}: has no polygon, rectangle or ellipse on slice {z}; draw one "
            "here, or choose the whole slice."
        )
    return found


def _is_on(points: NDArray[Any], z: int, *, flat: bool) -> bool:
    if flat:
        return True
    first, last = np.round([points[:, -3].min(), points[:, -3].max()])
    return bool(first <= z <= last)

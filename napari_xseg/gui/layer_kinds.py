"""What layers of napari-xseg say of themselves: their kind, their classes, their grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_xseg.data.classes import ClassTable

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer, Shapes
    from napari.utils.colormaps import DirectLabelColormap

KEY = "napari_xseg"
Kind = Literal[
    "labels",
    "preview",
    "mask",
    "mistakes",
    "confidence",
    "crops",
    "outline",
    "region",
    "reduced",
    "scored",
]
# Opacity of a mask over the image: both can be read.
OPACITY = {"labels": 0.6, "preview": 0.35, "mask": 0.45, "mistakes": 0.9, "scored": 0.45}
# By kind: the kinds whose colours would hide it; None are the layers of others.
COVERED_BY = {
    "preview": ("mask", "mistakes"),
    "mask": ("preview", "mask", "mistakes"),
    "mistakes": ("preview", "mask", "labels", None),
}
SHAPE_KEYS = ("scale", "translate", "units", "axis_labels")


def kind_of(layer: Layer) -> str | None:
    """What a layer of ours is; None for others."""
    found = layer.metadata.get(KEY)
    return found.get("kind") if isinstance(found, dict) else None


def classes_of(layer: Layer) -> ClassTable | None:
    """The class table of a layer; None where it has none."""
    found = layer.metadata.get(KEY)
    table = found.get("classes") if isinstance(found, dict) else None
    return None if table is None else ClassTable.from_dict(table, f"layer {layer.name!r}")


def class_colormap(classes: ClassTable) -> DirectLabelColormap:
    """Colours of a Labels layer of ours: class k + 1 in its colour, all else transparent."""
    from napari.utils.colormaps import DirectLabelColormap

    colours: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    for index, (red, green, blue) in enumerate(classes.colours):
        colours[index + 1] = np.array([red / 255, green / 255, blue / 255, 1.0])
    return DirectLabelColormap(color_dict=colours)


def grid_of(image: Image | Labels) -> dict[str, Any]:
    """Scale, position, units and axis names of an image as those of a (z, y, x) layer on it."""
    grid: dict[str, Any] = {}
    one = {"scale": 1.0, "translate": 0.0, "units": "pixel", "axis_labels": "z"}
    for key in SHAPE_KEYS:
        values = list(getattr(image, key))
        grid[key] = [one[key], *values] if len(values) == 2 else values[-3:]
    if len({str(unit) == "pixel" for unit in grid["units"]}) > 1:
        grid["units"] = ["pixel"] * 3
    if image.ndim == 2:
        grid["axis_labels"] = ["z", "y", "x"]
    return grid


def lies_on(shapes: Shapes, on: Image | Labels) -> bool:
    """Whether a Shapes layer lies on the grid of another layer."""
    grid = grid_of(on)
    return all(np.array_equal(getattr(shapes, key), grid[key]) for key in ("scale", "translate"))

"""What napari's menu File > Open Sample opens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_xseg.data.classes import ClassSpec, ClassTable
from napari_xseg.data.colours import pick_colours
from napari_xseg.data.lis_like import lis_like
from napari_xseg.data.phantom import PHASES, phantom
from napari_xseg.data.sample import LIS_LIKE_SHAPE, SEED, SHAPE
from napari_xseg.gui.opening import class_layer_options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    LayerData = tuple[NDArray[Any], dict[str, Any], str]


def labelled_phantom() -> list[LayerData]:
    """Make the three-phase volume and its labels, class k as k + 1."""
    image, labels = phantom(SHAPE, SEED)
    classes = phantom_classes()
    layer_labels = classes.to_layer(classes.encode(labels))
    return [
        (image, {"name": "phantom"}, "image"),
        (layer_labels, {"name": "phantom labels", **class_layer_options(classes)}, "labels"),
    ]


def unlabelled_phantom() -> list[LayerData]:
    """Make the volume without labels that resembles another material and machine."""
    return [(lis_like(LIS_LIKE_SHAPE, SEED), {"name": "lis-like"}, "image")]


def phantom_classes() -> ClassTable:
    """The phases of the phantom as classes, with their values in files."""
    colours = pick_colours(len(PHASES))
    specs = tuple(
        ClassSpec(phase.name, phase.value, colour)
        for phase, colour in zip(PHASES, colours, strict=True)
    )
    return ClassTable(specs, unlabelled=1, unlabelled_in_files=False)

"""What napari's menu File > Open Sample opens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.lis_like import lis_like
from napari_xseg.data.phantom import PHASES, phantom
from napari_xseg.data.sample import LIS_LIKE_SHAPE, SEED, SHAPE

if TYPE_CHECKING:
    LayerData = tuple[np.ndarray[Any, Any], dict[str, Any], str]


def labelled_phantom() -> list[LayerData]:
    """Make the three-phase volume and its labels, class k as k + 1."""
    image, labels = phantom(SHAPE, SEED)
    values = [phase.value for phase in PHASES]
    layer_labels = np.searchsorted(values, labels).astype(np.uint8) + 1
    return [
        (image, {"name": "phantom"}, "image"),
        (layer_labels, {"name": "phantom labels"}, "labels"),
    ]


def unlabelled_phantom() -> list[LayerData]:
    """Make the volume without labels that resembles another material and machine."""
    return [(lis_like(LIS_LIKE_SHAPE, SEED), {"name": "lis-like"}, "image")]

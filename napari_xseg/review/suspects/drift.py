"""How far the grey values of a slice lie off those of its volume."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.intensity import Intensity, measure_intensity
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_xseg.data.region import Region
    from napari_xseg.data.volume import Volume

# Slices of which the grey values of the volume are learnt, and pixels looked at in each slice.
SAMPLED = 16
PIXELS = 1 << 16
# In units of what is far off between two volumes: nearer is no drift, and farther is no worse.
LEAST = 0.5
MOST = 2.0


def usual_grey(images: Volume, slices: Sequence[int], region: Region | None) -> Intensity | None:
    """Grey values over some of `slices`; None where nothing in them can be measured."""
    step = max(1, len(slices) // SAMPLED)
    try:
        return measure_intensity(images, slices[::step], region, skip_empty=True)
    except XsegError:
        return None


def drift_of(
    plane: NDArray[Any], inside: NDArray[np.bool_] | None, usual: Intensity | None
) -> float:
    """0 for a slice like the others, to 1 for one that is far off.

    Off is the middle between the 5 and 95 % percentiles by a quarter of their
    distance in the volume, or that distance by a factor of two, as `Intensity.far_off`
    has it. Half of that is drift; twice that and more is 1, a slice of one grey value
    too.

    Parameters
    ----------
    plane : ndarray (y, x)
        Grey values; those that are not finite do not count.
    inside : bool (y, x), optional
        Pixels that count.
    """
    if usual is None or usual.extent <= 0:
        return 0.0
    step = max(1, math.isqrt(plane.size // PIXELS))
    values = plane[::step, ::step]
    kept = np.isfinite(values)
    if inside is not None:
        kept &= inside[::step, ::step]
    if not kept.any():
        return 0.0
    low, high = np.percentile(values[kept].astype(np.float64), (5, 95)).tolist()
    if high <= low:
        return 1.0
    shift = abs((low + high) / 2 - usual.centre) / usual.extent / 0.25
    stretch = abs(math.log2((high - low) / usual.extent))
    off = max(shift, stretch)
    return 0.0 if off < LEAST else min(off / MOST, 1.0)

"""A synthetic volume with known truth: a three-phase solid.

The phases are grains that meet in edges and corners: at each voxel the largest
of several smooth random fields decides. Fractions, grey values, spreads, blur,
noise and the likeness of neighbouring slices are those measured on
ptychographic tomography of a solid oxide cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.data.instrument import blurred, check_request, noise, reach
from napari_xseg.data.smooth_field import SmoothField

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Plane = NDArray[np.float64]
    Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of the solid: its share of the volume, grey inside, and slow change of grey."""

    name: str
    value: int
    fraction: float
    grey: float
    texture: float


PHASES = (
    Phase("pore", 0, 0.2945, 21550.0, 230.0),
    Phase("electrolyte", 128, 0.4335, 35130.0, 465.0),
    Phase("metal", 255, 0.2720, 41450.0, 190.0),
)
GRAIN_FIELDS = 3  # for each phase: the more, the sharper the corners
GRAIN_SIGMA = 17.0
TEXTURE_SIGMA = 12.0
PORE_EXCESS = 0.015  # in field units: labels reach a fraction of a voxel out of the pores
EDGE_SIGMA = 1.38  # blur of the borders, voxels
NOISE_SIGMA = 0.98  # blur of the noise, voxels
NOISE_STD = 685.0
SAMPLE_VOXELS = 500_000  # that the fractions are set on


def phantom(
    shape: Shape = (40, 256, 256), seed: int = 0
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Make a three-phase volume and its labels.

    Parameters
    ----------
    shape
        (z, y, x) in voxels.
    seed
        0 or more; the same seed gives the same volume.

    Returns
    -------
    image
        (z, y, x) uint16, grey counts of about 17000 to 46000.
    labels
        (z, y, x) uint8 with the values 0, 128 and 255 of `PHASES`.

    Raises
    ------
    XsegError
        Where a length is below 1 or the seed below 0.
    """
    check_request("phantom", shape, seed)
    image = np.empty(shape, dtype=np.uint16)
    labels = np.empty(shape, dtype=np.uint8)
    for z, (image_plane, label_plane) in enumerate(phantom_slices(shape, seed)):
        image[z], labels[z] = image_plane, label_plane
    return image, labels


def phantom_slices(
    shape: Shape, seed: int = 0
) -> Iterator[tuple[NDArray[np.uint16], NDArray[np.uint8]]]:
    """Yield the slices of `phantom(shape, seed)` one after the other, in the memory of a few."""
    check_request("phantom", shape, seed)
    rng = np.random.default_rng(seed)
    solid = _Solid(shape, rng)
    texture = SmoothField(shape, TEXTURE_SIGMA, rng)
    phases_at = lru_cache(maxsize=2 * reach(EDGE_SIGMA) + 1)(solid.plane)
    grey = np.array([phase.grey for phase in PHASES])
    change = np.array([phase.texture for phase in PHASES])
    values = np.array([phase.value for phase in PHASES], dtype=np.uint8)

    def sharp(z: int) -> Plane:
        phase, _ = phases_at(z)
        return grey[phase] + change[phase] * texture.plane(z)

    planes = blurred(sharp, EDGE_SIGMA, shape[0])
    noises = noise(shape, NOISE_SIGMA, seed)
    for z, (plane, grain) in enumerate(zip(planes, noises, strict=True)):
        counts = np.rint(plane + NOISE_STD * grain)
        _, labelled = phases_at(z)
        yield np.clip(counts, 0, 65535).astype(np.uint16), values[labelled]


class _Solid:
    """The phase at each voxel of a plane, as indices into `PHASES`: in truth, and as labelled."""

    def __init__(self, shape: Shape, rng: np.random.Generator) -> None:
        self._fields = [
            [SmoothField(shape, GRAIN_SIGMA, rng) for _ in range(GRAIN_FIELDS)] for _ in PHASES
        ]
        self._bias = self._bias_for_fractions(shape)

    def plane(self, z: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        scores = self._scores(z) + self._bias[:, None, None]
        labelled = np.argmax(scores, axis=0).astype(np.uint8)
        scores[0] -= PORE_EXCESS
        return np.argmax(scores, axis=0).astype(np.uint8), labelled

    def _scores(self, z: int, every: int = 1) -> Plane:
        best = [
            np.maximum.reduce([field.plane(z, every) for field in fields])
            for fields in self._fields
        ]
        return np.stack(best)

    def _bias_for_fractions(self, shape: Shape) -> Plane:
        every = int(np.ceil((np.prod(shape, dtype=float) / SAMPLE_VOXELS) ** (1 / 3)))
        planes = [self._scores(z, every) for z in range(0, shape[0], every)]
        scores = np.concatenate([plane.reshape(len(PHASES), -1) for plane in planes], axis=1)
        wanted = np.array([phase.fraction for phase in PHASES])
        bias = np.zeros(len(PHASES))
        for _ in range(100):
            winners = np.argmax(scores + bias[:, None], axis=0)
            found = np.bincount(winners, minlength=len(PHASES)) / scores.shape[1]
            if np.abs(wanted - found).max() < 2e-4:
                break
            bias += wanted - found
        return bias

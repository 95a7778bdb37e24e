"""A synthetic volume without labels: bright angular particles, rings, float32.

It resembles the `lis` scan, which is another material from another machine:
what a model meets when it leaves the data it was trained on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.data.instrument import blurred, check_request, noise
from napari_xseg.data.smooth_field import SmoothField

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Plane = NDArray[np.float64]
    Shape = tuple[int, int, int]

FRACTION = 0.20  # of the volume in particles, overlaps counted twice
RADIUS = (7.0, 0.5, 3.0, 26.0)  # median, spread of the logarithm, smallest, largest; voxels
FACES = 9
GREY, OFFSET = 0.66, 0.03
EDGE_SIGMA = 1.7
HALO_SIGMA, HALO = 6.0, 0.55  # what phase contrast takes from around the particles
MATRIX_SIGMA, MATRIX_STD = 6.0, 0.048
NOISE_SIGMA, NOISE_STD = 1.35, 0.038
AXIS = (0.485, 0.572)  # where the rotation axis meets the slice, as shares of (y, x)
GRID = 2.0**-12  # grey values are multiples of it, so that files compress


def lis_like(shape: Shape = (6, 256, 256), seed: int = 0) -> NDArray[np.float32]:
    """Make a volume of bright particles with ring artefacts, about -0.8 to 0.9.

    Parameters
    ----------
    shape
        (z, y, x) in voxels.
    seed
        0 or more; the same seed gives the same volume.

    Returns
    -------
    numpy.ndarray
        (z, y, x) float32.

    Raises
    ------
    XsegError
        Where a length is below 1 or the seed below 0.
    """
    check_request("lis-like phantom", shape, seed)
    return np.stack(list(lis_like_slices(shape, seed)))


def lis_like_slices(shape: Shape, seed: int = 0) -> Iterator[NDArray[np.float32]]:
    """Yield the slices of `lis_like(shape, seed)` one after the other, in the memory of a few."""
    from scipy.ndimage import gaussian_filter

    check_request("lis-like phantom", shape, seed)
    rng = np.random.default_rng(seed)
    particles = _Particles(shape, rng)
    matrix = SmoothField(shape, MATRIX_SIGMA, rng)
    rings = _rings(shape[1:], rng)
    planes = blurred(particles.plane, EDGE_SIGMA, shape[0])
    noises = noise(shape, NOISE_SIGMA, seed)
    for z, (plane, grain) in enumerate(zip(planes, noises, strict=True)):
        halo = HALO * gaussian_filter(plane, HALO_SIGMA, mode="reflect")
        grey = OFFSET + plane - halo + MATRIX_STD * matrix.plane(z) + NOISE_STD * grain + rings
        yield (np.rint(grey / GRID) * GRID).astype(np.float32)


class _Particles:
    """Convex bodies of a few flat faces, anywhere in the volume and a little beyond it."""

    def __init__(self, shape: Shape, rng: np.random.Generator) -> None:
        median, spread, smallest, largest = RADIUS
        self._shape = shape[1:]
        room = np.array(shape) + 2 * largest
        typical = np.clip(median * np.exp(spread * rng.standard_normal(1000)), smallest, largest)
        count = round(FRACTION * float(np.prod(room)) / float(np.mean(4 / 3 * np.pi * typical**3)))
        self._radius = np.clip(
            median * np.exp(spread * rng.standard_normal(count)), smallest, largest
        )
        self._centre = rng.uniform(size=(count, 3)) * room - largest
        normals = rng.standard_normal((count, FACES, 3))
        self._normal = normals / np.linalg.norm(normals, axis=2, keepdims=True)
        self._face = self._radius[:, None] * rng.uniform(0.55, 1.05, size=(count, FACES))
        self._grey = GREY * rng.uniform(0.8, 1.15, size=count)

    def plane(self, z: int) -> Plane:
        grey = np.zeros(self._shape)
        for index in np.flatnonzero(np.abs(self._centre[:, 0] - z) < 1.3 * self._radius):
            self._draw(grey, index, z)
        return grey

    def _draw(self, grey: Plane, index: np.intp, z: int) -> None:
        centre, reach = self._centre[index], 1.3 * self._radius[index]
        low = np.maximum(np.ceil(centre[1:] - reach), 0).astype(int)
        high = np.minimum(np.floor(centre[1:] + reach) + 1, self._shape).astype(int)
        if (low >= high).any():
            return
        y = np.arange(low[0], high[0])[:, None, None] - centre[1]
        x = np.arange(low[1], high[1])[:, None] - centre[2]
        normal = self._normal[index]
        along = (z - centre[0]) * normal[:, 0] + y * normal[:, 1] + x * normal[:, 2]
        inside = (along <= self._face[index]).all(axis=2)
        inside &= ((z - centre[0]) ** 2 + y**2 + x**2)[:, :, 0] <= reach**2
        box = grey[low[0] : high[0], low[1] : high[1]]
        np.maximum(box, self._grey[index] * inside, out=box)


def _rings(shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    """Rings about the rotation axis, strongest near it and uneven along their arcs."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    dy, dx = y - AXIS[0] * shape[0], x - AXIS[1] * shape[1]
    radius = np.hypot(dy, dx)
    length = int(radius.max()) + 3
    r = np.arange(length)
    fine, coarse = rng.standard_normal(length), np.repeat(rng.standard_normal(length), 5)[:length]
    strength = 0.024 + 0.08 * np.exp(-r / 45.0)
    amplitude = np.interp(radius, r, strength * (0.55 * fine + 0.8 * coarse))
    turn = np.interp(radius, r, np.cumsum(rng.normal(0.0, 0.15, length)))
    arcs = 0.6 + 0.4 * np.cos(np.arctan2(dy, dx) - turn)
    dark_axis = 0.45 * np.exp(-0.5 * (radius / 5.5) ** 2)
    return np.asarray(amplitude * arcs - dark_axis)

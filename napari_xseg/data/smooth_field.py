"""Smooth random fields of any size, read one plane at a time.

A field is white noise on a coarse grid, smoothed there and read between its
nodes as a cubic B-spline. The grid is hundreds of times smaller than the
volume, so a volume of many gigabytes needs no more memory than a few planes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NODES_PER_SIGMA = 3.0
_SPLINE_VARIANCE = 1.0 / 3.0  # of the cubic B-spline, in grid steps squared
_FREE_SIGMAS = 5.0  # the grid wraps round this many widths beyond the volume


class SmoothField:
    """A stationary Gaussian field of mean 0 and variance 1.

    Its correlation at distance d is exp(-d^2 / (4 sigma^2)): white noise
    filtered by a Gaussian of width `sigma`.

    Parameters
    ----------
    shape
        (z, y, x) in voxels.
    sigma
        Width of the Gaussian filter in voxels.
    rng
        Where the noise comes from.
    """

    def __init__(self, shape: tuple[int, int, int], sigma: float, rng: np.random.Generator) -> None:
        self._step = max(sigma / _NODES_PER_SIGMA, 1.0)
        self._nodes = _smooth_grid(shape, sigma / self._step, self._step, rng)
        self._y = _spline_weights(np.arange(shape[1]), self._step)
        self._x = _spline_weights(np.arange(shape[2]), self._step)

    def plane(self, z: float, every: int = 1) -> NDArray[np.float64]:
        """Read the field over plane `z`, or over each `every`-th pixel of it: (y, x) float64."""
        first, weights = _spline_weights(np.array([z]), self._step)
        wrapped = (int(first[0]) + np.arange(4)) % len(self._nodes)
        coarse = np.tensordot(weights[:, 0], self._nodes[wrapped].astype(np.float64), 1)
        rows = _combine_rows(coarse, self._y, every)
        return _combine_rows(rows.T, self._x, every).T


def _smooth_grid(
    shape: tuple[int, int, int], sigma: float, step: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    from scipy import ndimage

    free = int(np.ceil(_FREE_SIGMAS * sigma)) + 4
    noise = rng.standard_normal(tuple(int(length / step) + free for length in shape))
    remaining = np.sqrt(max(sigma**2 - _SPLINE_VARIANCE, 0.0))
    smooth = ndimage.gaussian_filter(noise, remaining, mode="wrap")
    deviation = (2.0 * np.sqrt(np.pi) * sigma) ** -1.5  # of white noise after the filter
    nodes: NDArray[np.float32] = (smooth / deviation).astype(np.float32)
    return nodes


def _spline_weights(
    positions: NDArray[np.generic], step: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    scaled = np.asarray(positions, dtype=np.float64) / step
    first = np.floor(scaled).astype(np.intp)
    u = scaled - first
    weights = (
        (1 - u) ** 3,
        3 * u**3 - 6 * u**2 + 4,
        -3 * u**3 + 3 * u**2 + 3 * u + 1,
        u**3,
    )
    return first, np.stack(weights) / 6.0


def _combine_rows(
    nodes: NDArray[np.float64],
    spline: tuple[NDArray[np.intp], NDArray[np.float64]],
    every: int,
) -> NDArray[np.float64]:
    first, weights = spline[0][::every], spline[1][:, ::every]
    total = weights[0][:, None] * nodes[first]
    for offset in range(1, 4):
        total += weights[offset][:, None] * nodes[first + offset]
    return np.asarray(total)

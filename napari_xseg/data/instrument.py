"""What an instrument adds to a synthetic volume: blur and noise, one plane at a time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Plane = NDArray[np.float64]
    Shape = tuple[int, int, int]


def check_request(name: str, shape: Shape, seed: int) -> None:
    """Raise XsegError where `shape` or `seed` of the synthetic volume `name` cannot be made."""
    if len(shape) != 3 or min(shape) < 1:
        raise XsegError(f"{name}: shape {shape} is not three lengths (z, y, x) of 1 or more.")
    if seed < 0:
        raise XsegError(f"{name}: seed {seed} is negative; give 0 or more.")


def reach(sigma: float) -> int:
    """Voxels to each side that a Gaussian of width `sigma` is taken over."""
    return int(4.0 * sigma + 0.5)


def blurred(plane_at: Callable[[int], Plane], sigma: float, count: int) -> Iterator[Plane]:
    """Planes 0 to `count` - 1 after a Gaussian blur of `sigma` voxels in z, y and x.

    Asks `plane_at` for `reach(sigma)` planes beyond both ends too, each plane
    once and in order; keeps 2 `reach(sigma)` + 1 of them.
    """
    from scipy.ndimage import correlate1d

    weights = _weights(sigma)
    window: deque[Plane] = deque(maxlen=len(weights))
    for z in range(-reach(sigma), count + reach(sigma)):
        rows = correlate1d(plane_at(z), weights, axis=0, mode="reflect")
        window.append(correlate1d(rows, weights, axis=1, mode="reflect"))
        if len(window) == len(weights):
            total = weights[0] * window[0]
            for weight, plane in zip(weights[1:], list(window)[1:], strict=True):
                total += weight * plane
            yield total


def noise(shape: Shape, sigma: float, seed: int) -> Iterator[Plane]:
    """Planes of Gaussian noise of mean 0 and deviation 1, blurred by `sigma` voxels."""
    margin = reach(sigma)
    inner = (slice(margin, margin + shape[1]), slice(margin, margin + shape[2]))

    def white(z: int) -> Plane:
        rng = np.random.default_rng((seed, 1 + z + margin))
        return rng.standard_normal((shape[1] + 2 * margin, shape[2] + 2 * margin))

    deviation = np.sqrt((_weights(sigma) ** 2).sum()) ** 3
    for plane in blurred(white, sigma, shape[0]):
        yield plane[inner] / deviation


def _weights(sigma: float) -> Plane:
    offsets = np.arange(-reach(sigma), reach(sigma) + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    return np.asarray(weights / weights.sum())

"""What lies beyond the edge of a slice: its mirror image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def mirror_indices(start: int, stop: int, length: int) -> NDArray[np.intp]:
    """Indices `start:stop` folded into `0..length - 1` as in a mirror at both ends.

    The end pixels are not repeated (numpy's "reflect"); any distance is allowed.
    """
    if length == 1:
        return np.zeros(stop - start, dtype=np.intp)
    period = 2 * (length - 1)
    folded = np.arange(start, stop, dtype=np.intp) % period
    return np.minimum(folded, period - folded)

"""Which axis of a stored array is which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_xseg.data.formats.source import Array, DType

# Below this an edge of 3 or 4 may well be a small volume's.
_LEAST_COLOUR_EDGE = 16


@dataclass(frozen=True)
class Layout:
    """Axes of a stored array: z may be missing, `samples` is that of red, green, blue.

    Axes that are named nowhere have length one.
    """

    rank: int
    z: int | None
    y: int
    x: int
    samples: int | None = None

    @classmethod
    def guess(cls, shape: Sequence[int], dtype: DType, where: str) -> Self:
        """Find the axes of an array that does not name them: ([z,] y, x [, 3 or 4]).

        Raises
        ------
        XsegError
            Where more than three axes are longer than one.
        """
        rank = len(shape)
        last_two = {rank - 2, rank - 1}
        kept = [axis for axis in range(rank) if shape[axis] != 1 or axis in last_two]
        colour = (
            len(kept) in (3, 4)
            and shape[-1] in (3, 4)
            and dtype in (np.uint8, np.uint16)
            and min(shape[axis] for axis in kept[-3:-1]) >= _LEAST_COLOUR_EDGE
        )
        samples = kept.pop() if colour else None
        if len(kept) not in (2, 3):
            raise XsegError(
                f"{where}: has the shape {tuple(shape)}; one stack (z, y, x) is expected: save one "
                "channel and one time point alone."
            )
        return cls(rank, kept[-3] if len(kept) == 3 else None, kept[-2], kept[-1], samples)

    @classmethod
    def named(cls, shape: Sequence[int], axes: Sequence[str], where: str) -> Self:
        """Find the axes of an array that names them, as OME does: t, c, z, y, x.

        Raises
        ------
        XsegError
            Where it has several channels or time points, or lacks y and x.
        """
        names = [name.casefold() for name in axes]
        if len(names) != len(shape) or not {"y", "x"} <= set(names):
            raise XsegError(f"{where}: names the axes {list(axes)}; z, y and x are expected.")
        for name, size in zip(names, shape, strict=True):
            if name not in "zyx" and size != 1:
                raise XsegError(
                    f"{where}: has {size} along the axis {name}; one channel and one time point "
                    "are expected: save it alone."
                )
        z = names.index("z") if "z" in names else None
        return cls(len(shape), z, names.index("y"), names.index("x"))

    def shape(self, stored: Sequence[int]) -> tuple[int, int, int]:
        """Give (z, y, x) of an array of the shape `stored`."""
        deep = 1 if self.z is None else int(stored[self.z])
        return deep, int(stored[self.y]), int(stored[self.x])

    def take(self, array: Any, z: int) -> Array:
        """Read slice z: (y, x), or (y, x, 3) where there are samples."""
        return self._arranged(np.asarray(array[self._index(z)]), (self.y, self.x))

    def take_block(self, array: Any, start: int, stop: int) -> Array:
        """Read slices [start, stop): (z, y, x[, 3])."""
        if self.z is None:
            return self.take(array, 0)[np.newaxis][start:stop]
        part = np.asarray(array[self._index(slice(start, stop))])
        return self._arranged(part, (self.z, self.y, self.x))

    def rgb(self, plane: Array) -> Array:
        """Drop the alpha of a (.., y, x, samples) array."""
        return plane if self.samples is None else plane[..., :3]

    def _index(self, z: int | slice) -> tuple[int | slice, ...]:
        whole = {self.y, self.x, self.samples}
        return tuple(
            z if axis == self.z else slice(None) if axis in whole else 0
            for axis in range(self.rank)
        )

    def _arranged(self, part: Array, axes: tuple[int, ...]) -> Array:
        wanted = axes if self.samples is None else (*axes, self.samples)
        stored = sorted(wanted)
        return self.rgb(part.transpose([stored.index(axis) for axis in wanted]))

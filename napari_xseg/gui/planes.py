"""Arrays (z, y, x) that layers show a plane at a time, without holding the whole."""

from __future__ import annotations

import operator
import threading
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Plane = "NDArray[np.uint8]"
KEPT = 64


class LazyPlanes:
    """A uint8 array (z, y, x) whose planes are made when they are looked at.

    Parameters
    ----------
    shape : (int, int, int)
        (z, y, x) in pixels.
    make : callable
        Gives plane z, (y, x) uint8; called from any thread.
    kept : int
        Planes that stay in memory.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(
        self,
        shape: tuple[int, int, int],
        make: Callable[[int], NDArray[np.uint8]],
        kept: int = KEPT,
    ) -> None:
        self.shape = shape
        self._make = make
        self._kept = kept
        self._lock = threading.Lock()
        self._planes: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._changed: Counter[int] = Counter()
        self._era = 0

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def plane(self, z: int) -> NDArray[np.uint8]:
        """Plane z, (y, x); not the caller's to change."""
        with self._lock:
            if z in self._planes:
                self._planes.move_to_end(z)
                return self._planes[z]
        plane = self._make(z)
        self._remember(z, plane)
        return plane

    def forget(self, *slices: int) -> None:
        """Make these planes anew when they are looked at; all where none is named."""
        with self._lock:
            self._changed.update(slices)
            self._era += not slices
            for z in slices or tuple(self._planes):
                self._planes.pop(z, None)

    def version(self, z: int) -> int:
        """A number that rises when plane z may have changed."""
        return self._changed[z] + self._era

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        keys = key if isinstance(key, tuple) else (key,)
        if Ellipsis in [item for item in keys if item is Ellipsis]:
            at = next(place for place, item in enumerate(keys) if item is Ellipsis)
            keys = (*keys[:at], *[slice(None)] * (4 - len(keys)), *keys[at + 1 :])
        first, rest = (keys[0], keys[1:]) if keys else (slice(None), ())
        if isinstance(first, np.ndarray):
            return self._points(first, rest)
        if not isinstance(first, slice):
            z = operator.index(first)
            return self.plane(z + len(self) if z < 0 else z)[rest]
        wanted = range(*first.indices(len(self)))
        if not wanted:
            return np.empty((0, *self.shape[1:]), self.dtype)[(slice(None), *rest)]
        return np.stack([self.plane(z)[rest] for z in wanted])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("planes made one at a time cannot be an array without a copy")
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)

    def _points(self, zs: NDArray[Any], rest: tuple[Any, ...]) -> NDArray[np.uint8]:
        values = np.zeros(zs.shape, self.dtype)
        for z in np.unique(zs):
            here = zs == z
            values[here] = self.plane(int(z))[tuple(axis[here] for axis in rest)]
        return values

    def _remember(self, z: int, plane: NDArray[np.uint8]) -> None:
        with self._lock:
            self._planes[z] = plane
            self._planes.move_to_end(z)
            while len(self._planes) > self._kept:
                self._planes.popitem(last=False)


class PreviewPlanes(LazyPlanes):
    """Masks of single slices as they come, nothing elsewhere; layer values, 0 for none."""

    def __init__(self, shape: tuple[int, int, int], kept: int = KEPT) -> None:
        super().__init__(shape, lambda _: np.zeros(shape[1:], np.uint8), kept)

    def put(self, z: int, box: tuple[int, int, int, int], values: NDArray[np.uint8]) -> None:
        """Take the part `box` (y0, y1, x0, x1) of slice z; the rest of it stays."""
        y0, y1, x0, x1 = box
        plane = self.plane(z).copy()
        plane[y0:y1, x0:x1] = values
        self._changed[z] += 1
        self._remember(z, plane)

"""Arrays (z, y, x) that layers show a plane at a time, without holding the whole."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.plane_index import Box, Points, parse_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

KEPT = 64
LABELS = np.dtype(np.uint8)


class LazyPlanes:
    """A read-only array (z, y, x) whose planes are made when they are looked at.

    It may be indexed in any thread, by ints, slices, arrays of points or a mask.

    Parameters
    ----------
    shape : (int, int, int)
        (z, y, x) in pixels.
    make : callable
        Gives plane z, (y, x) of `dtype`; called from any thread.
    kept : int
        Planes that stay in memory.
    dtype : numpy.dtype
        Of the pixels.
    """

    ndim = 3

    def __init__(
        self,
        shape: tuple[int, int, int],
        make: Callable[[int], NDArray[Any]],
        kept: int = KEPT,
        dtype: np.dtype[Any] = LABELS,
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self._make = make
        self._kept = kept
        self._lock = threading.Lock()
        self._planes: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._changed: Counter[int] = Counter()
        self._era = 0

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def plane(self, z: int) -> NDArray[Any]:
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

    def __getitem__(self, key: Any) -> Any:
        wanted = parse_key(key, self.shape)
        if isinstance(wanted, Points):
            return self._points(wanted)
        # A view of a single plane: what is looked at is not copied.
        one = wanted.dropped[0]
        part = self.plane(wanted.z[0])[wanted.within] if one else self._stack(wanted)
        part = part.reshape(wanted.shape)
        return part if wanted.shape else part[()]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Make everything, in memory."""
        if copy is False:
            raise ValueError("planes made one at a time cannot be an array without a copy")
        whole: NDArray[Any] = self[:]
        return whole if dtype is None else whole.astype(dtype)

    def _stack(self, box: Box) -> NDArray[Any]:
        part = np.empty(box.full_shape, self.dtype)
        for row, z in enumerate(box.z):
            part[row] = self.plane(z)[box.within]
        return part

    def _points(self, points: Points) -> NDArray[Any]:
        values = np.zeros(points.shape, self.dtype)
        for z, here in points.by_slice():
            values[here] = self.plane(z)[points.y[here], points.x[here]]
        return values

    def _remember(self, z: int, plane: NDArray[Any]) -> None:
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

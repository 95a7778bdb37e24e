"""Volumes as the data of napari layers: only the slices that are looked at are read."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_xseg.data.plane_index import Points, parse_key
from napari_xseg.errors import XsegError
from napari_xseg.jobs import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_xseg.data.label_base import PairedLabels
    from napari_xseg.data.volume import Volume

# Bytes of slices that are kept, and how many there are at least and at most.
KEPT_BYTES, KEPT_LEAST, KEPT_MOST = 128 << 20, 3, 48
# What napari's 3D view may load at once: beyond it the graphics driver may end the process.
MOST_BYTES = 2 << 30


def show_fault(error: XsegError) -> None:
    """Show an error as napari's notification; from any thread."""
    from napari.utils.notifications import show_error

    show_error(str(error))


class LazyPlanes:
    """A read-only (z, y, x) array of which each slice is read when it is needed.

    It may be indexed in any thread, by ints and slices. A slice that cannot be read
    is blank, and `on_fault` is told of it once.
    """

    ndim: ClassVar[int] = 3

    def __init__(self, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype
        self.on_fault: Callable[[XsegError], None] = show_fault
        self._kept: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._faulty: set[int] = set()
        self._lock = threading.Lock()
        room = KEPT_BYTES // (shape[1] * shape[2] * dtype.itemsize)
        self._most = min(max(room, KEPT_LEAST), KEPT_MOST)

    def _read(self, z: int) -> NDArray[Any]:
        raise NotImplementedError

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    def __getitem__(self, key: Any) -> Any:
        """Read a part; XsegError where it is more than a 3D view can show."""
        box = parse_key(key, self.shape)
        if isinstance(box, Points):
            values = np.zeros(box.shape, self.dtype)
            for z, here in box.by_slice():
                values[here] = self._plane(z)[box.y[here], box.x[here]]
            return values
        self._check_size(box.full_shape)
        part = np.empty(box.full_shape, self.dtype)
        for row, z in enumerate(box.z):
            part[row] = self._plane(z)[box.within]
        part = part.reshape(box.shape)
        return part if box.shape else part[()]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read everything into memory."""
        if copy is False:
            raise ValueError("a volume on disk cannot be an array without a copy")
        whole: NDArray[Any] = self[:]
        return whole if dtype is None else whole.astype(dtype)

    def _check_size(self, shape: tuple[int, int, int]) -> None:
        size = int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
        if size > MOST_BYTES:
            raise XsegError(
                f"The volume is too large to be shown in 3D ({size / 2**30:.1f} GB, at most "
                f"{MOST_BYTES / 2**30:.0f} GB can be); show it in 2D."
            )

    def _plane(self, z: int) -> NDArray[Any]:
        with self._lock:
            if z in self._kept:
                self._kept.move_to_end(z)
                return self._kept[z]
        try:
            plane = self._read(z)
        except XsegError as error:
            return self._blank(z, error)
        with self._lock:
            self._kept[z] = plane
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return plane

    def _blank(self, z: int, error: XsegError) -> NDArray[Any]:
        with self._lock:
            known = z in self._faulty
            self._faulty.add(z)
        if not known:
            self.on_fault(error)
        return np.zeros(self.shape[1:], self.dtype)


class LazyImage(LazyPlanes):
    """A volume as the data of an Image layer.

    Parameters
    ----------
    volume : Volume
        What is shown.
    raw : str, optional
        How raw binary is read, as `RawSpec.parse` takes it.
    """

    def __init__(self, volume: Volume, raw: str | None = None) -> None:
        super().__init__(volume.shape, volume.dtype)
        self.volume = volume
        self._raw = raw

    @property
    def source(self) -> FileSource | None:
        """How another process opens the volume; None where it lies in memory."""
        if not self.volume.files:
            return None
        return FileSource(path=str(self.volume.path), dataset=self.volume.dataset, raw=self._raw)

    def _read(self, z: int) -> NDArray[Any]:
        return self.volume.read(z)


class LazyLabels(LazyPlanes):
    """Label files as the data of a Labels layer: class k is k + 1, 0 is not labelled.

    Parameters
    ----------
    base : PairedLabels
        What is shown.
    """

    def __init__(self, base: PairedLabels) -> None:
        super().__init__(base.shape, np.dtype(np.uint8))
        self.base = base

    def __setitem__(self, key: Any, value: Any) -> None:
        """Refuse: label files are never written."""
        raise XsegError(
            f"{self.base.labels.name}: label files are never written; choose this layer as labels "
            "in the dock of napari-xseg, and what you paint is kept in its project."
        )

    def _read(self, z: int) -> NDArray[Any]:
        if z not in self.base.label_of:
            return np.zeros(self.shape[1:], np.uint8)
        return np.add(self.base.read(z), 1, dtype=np.uint8)  # 255 wraps to 0

"""Volumes as the data of napari layers: only the slices that are looked at are read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.errors import XsegError
from napari_xseg.gui.planes import LazyPlanes
from napari_xseg.jobs import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_xseg.data.label_base import PairedLabels
    from napari_xseg.data.plane_index import Box
    from napari_xseg.data.volume import Volume

# Bytes of slices that are kept, and how many there are at least.
KEPT_BYTES, KEPT_LEAST = 128 << 20, 3
# What napari's 3D view may load at once: beyond it the graphics driver may end the process.
MOST_BYTES = 2 << 30


def show_fault(error: XsegError) -> None:
    """Show an error as napari's notification; from any thread."""
    from napari.utils.notifications import show_error

    show_error(str(error))


class SlicesOnDisk(LazyPlanes):
    """A read-only (z, y, x) array of which each slice is read when it is needed.

    A slice that cannot be read is blank, and `on_fault` is told of it once.
    """

    def __init__(self, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> None:
        room = KEPT_BYTES // (shape[1] * shape[2] * dtype.itemsize)
        kept = max(room, KEPT_LEAST)
        super().__init__(shape, self._read, kept, dtype)
        self.on_fault: Callable[[XsegError], None] = show_fault
        self._faulty: set[int] = set()

    def _read(self, z: int) -> NDArray[Any]:
        raise NotImplementedError

    def plane(self, z: int) -> NDArray[Any]:
        """Slice z, (y, x), blank where it cannot be read; not the caller's to change."""
        try:
            return super().plane(z)
        except XsegError as error:
            return self._blank(z, error)

    def _stack(self, box: Box) -> NDArray[Any]:
        """Read a part; XsegError where it is more than a 3D view can show."""
        size = math.prod(box.full_shape) * self.dtype.itemsize
        if size > MOST_BYTES:
            raise XsegError(
                f"The volume is too large to be shown in 3D ({size / 2**30:.1f} GB, at most "
                f"{MOST_BYTES / 2**30:.0f} GB can be); show it in 2D."
            )
        return super()._stack(box)

    def _blank(self, z: int, error: XsegError) -> NDArray[Any]:
        with self._lock:
            known = z in self._faulty
            self._faulty.add(z)
        if not known:
            self.on_fault(error)
        return np.zeros(self.shape[1:], self.dtype)


class LazyImage(SlicesOnDisk):
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


class LazyLabels(SlicesOnDisk):
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

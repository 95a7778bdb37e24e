"""Slices of a label store in memory: those in use, each read from the store or its base."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_xseg.data.label_base import LabelBase
    from napari_xseg.data.label_chunks import LabelChunks
    from napari_xseg.data.label_writer import LabelWriter

# Bytes of decoded slices that are kept, and how many there are at least and at most.
KEPT_BYTES, KEPT_LEAST, KEPT_MOST = 160 << 20, 3, 64


class LabelPlanes:
    """Slices as (y, x) uint8 labels; each may be read in any thread.

    Attributes
    ----------
    lock : RLock
        Held while a kept slice is used or changed.
    kept : dict of int to ndarray
        The slices in use, the last used one at the end.
    versions : dict of int to int
        How often each slice was changed.
    """

    def __init__(self, chunks: LabelChunks, writer: LabelWriter, base: LabelBase | None) -> None:
        self.lock = threading.RLock()
        self.kept: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self.versions: defaultdict[int, int] = defaultdict(int)
        self._chunks = chunks
        self._writer = writer
        self._base = base
        room = KEPT_BYTES // (chunks.shape[1] * chunks.shape[2])
        self._most = min(max(room, KEPT_LEAST), KEPT_MOST)

    def is_through(self, z: int) -> bool:
        """Whether slice z is the base's."""
        own = self._writer.record.own
        return self._base is not None and z not in own and z in self._base.slices

    def through(self) -> set[int]:
        """Each z that is the base's."""
        return set() if self._base is None else set(self._base.slices) - self._writer.record.own

    def read(self, z: int) -> NDArray[np.uint8]:
        """Slice z, the caller's own; XsegError where it cannot be read."""
        while True:
            with self.lock:
                if z in self.kept:
                    return self.kept[z].copy()
                version = self.versions[z]
            # Outside the lock, since painting must not wait for it.
            plane = self._load(z)
            with self.lock:
                if self.versions[z] == version:
                    return plane

    def keep(self, z: int) -> NDArray[np.uint8]:
        """Slice z itself, kept for the next use."""
        with self.lock:
            if z not in self.kept:
                self.kept[z] = self._load(z)
                for other in [k for k in self.kept if k not in self._writer.waiting][: -self._most]:
                    del self.kept[other]
            self.kept.move_to_end(z)
            return self.kept[z]

    def _load(self, z: int) -> NDArray[np.uint8]:
        if self._base is not None and self.is_through(z):
            labels = np.add(self._base.read(z), 1, dtype=np.uint8)  # 255 wraps to 0
            return self._writer.record.base_table[labels]
        return self._chunks.read(z)

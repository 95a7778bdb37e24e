"""Normalised slices with their neighbours, read once and kept while memory allows."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_xseg.data.intensity import Intensity
    from napari_xseg.data.volume import Volume

Prepare = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class PlaneCache:
    """Arrays by slice, the least lately used dropped above `limit` bytes.

    Several threads may ask; a plane may then be made twice, never half.
    """

    def __init__(self, make: Callable[[int], NDArray[Any]], limit: int) -> None:
        self._make = make
        self._limit = limit
        self._held: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __call__(self, z: int) -> NDArray[Any]:
        """The array of slice `z`; the caller leaves it unchanged."""
        with self._lock:
            if z in self._held:
                self._held.move_to_end(z)
                return self._held[z]
        plane = self._make(z)
        with self._lock:
            if z not in self._held:
                self._held[z] = plane
                self._bytes += plane.nbytes
            while self._bytes > self._limit and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._bytes -= dropped.nbytes
        return plane


class ContextReader:
    """Slices of a volume as the network sees them: normalised, with their neighbours.

    Parameters
    ----------
    images : Volume
        (z, y, x) of any dtype.
    intensity : Intensity
        What normalises them.
    context : int
        Neighbours on each side; at ends and gaps the outermost known one repeats.
    limit : int
        Bytes of normalised slices that are kept.
    prepare : callable, optional
        Applied to each normalised slice (y, x) before it is kept.
    digests : bool
        Whether to take the SHA-256 of each slice while it is read, for `sha256`.
    """

    def __init__(
        self,
        images: Volume,
        intensity: Intensity,
        context: int,
        limit: int,
        prepare: Prepare | None = None,
        *,
        digests: bool = True,
    ) -> None:
        self._wants_digests = digests
        self.images = images
        self.context = context
        self.intensity = intensity
        self._prepare = prepare
        self._digests: dict[int, str] = {}
        self._finite = PlaneCache(self._read_finite, limit // 4)
        self.plane = PlaneCache(self._read_plane, limit)

    def _read_plane(self, z: int) -> NDArray[np.float32]:
        raw = self.images.read(z)
        if self._wants_digests:
            self._digests[z] = hashlib.sha256(raw.tobytes()).hexdigest()
        plane = self.intensity.normalise(raw)
        return plane if self._prepare is None else self._prepare(plane)

    def _read_finite(self, z: int) -> NDArray[np.bool_]:
        return np.isfinite(self.images.read(z))

    def finite(self, z: int) -> NDArray[np.bool_] | None:
        """Where slice `z` (y, x) has a value at all; None where it has everywhere."""
        if self.images.dtype.kind != "f":
            return None
        known: NDArray[np.bool_] = self._finite(z)
        return None if known.all() else known

    def neighbours(self, z: int) -> list[int]:
        """Give z of the 2 * context + 1 channels of slice `z`, lowest first."""
        reach = range(-self.context, self.context + 1)
        return [self.images.neighbour(z, offset) for offset in reach]

    def read(self, z: int) -> list[NDArray[np.float32]]:
        """Slice `z` and its neighbours, lowest first, each as `prepare` gives it."""
        return [self.plane(near) for near in self.neighbours(z)]

    def sha256(self, slices: Sequence[int]) -> str:
        """SHA-256 (hex) over the SHA-256 (hex) of the pixels of each of `slices`, in order."""
        digest = hashlib.sha256()
        for z in slices:
            if z not in self._digests:
                self._digests[z] = hashlib.sha256(self.images.read(z).tobytes()).hexdigest()
            digest.update(self._digests[z].encode())
        return digest.hexdigest()


def memory_share(share: float) -> int:
    """Give `share` of the memory that is free on this machine, in bytes; 1 GiB where unknown."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:  # noqa: PTH123
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(share * int(line.split()[1]) * 1024)
    except OSError:
        pass
    return 1 << 30

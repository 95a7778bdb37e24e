"""What was painted and is not on disk yet, and what is there and not synced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_xseg.data.label_record import StoreRecord, recode_chunks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_xseg.data.label_chunks import LabelChunks, Place


class LabelWriter:
    """Writes chunks of slices, and remembers those that could not be written.

    Parameters
    ----------
    chunks : LabelChunks
        Where to.

    Attributes
    ----------
    record : StoreRecord
        As it shall be on disk.
    """

    def __init__(self, chunks: LabelChunks) -> None:
        self.record = StoreRecord.read(chunks.folder)
        self._chunks = chunks
        self._own_on_disk = set(self.record.own)
        self._waiting: dict[int, set[Place]] = {}
        self._unsynced: set[tuple[int, Place]] = set()

    @property
    def waiting(self) -> Collection[int]:
        """Each z of which something is in memory alone."""
        return self._waiting.keys()

    @property
    def pending(self) -> bool:
        """Whether anything is in memory alone."""
        return bool(self._waiting) or self.record.own != self._own_on_disk

    def add(self, z: int, places: Iterable[Place]) -> None:
        """Have chunks of slice z written by the next `write`."""
        self._waiting.setdefault(z, set()).update(places)

    def write(self, planes: Mapping[int, NDArray[np.uint8]]) -> None:
        """Write all that waits, of `planes` by z; on OSError the rest goes on waiting."""
        for z in list(self._waiting):
            for place in list(self._waiting[z]):
                self._chunks.write(z, place, planes[z])
                self._unsynced.add((z, place))
                self._waiting[z].remove(place)
            del self._waiting[z]
        # A slice is the store's own once it is there whole.
        if self.record.own != self._own_on_disk:
            self.record.write(self._chunks.folder)
            self._own_on_disk = set(self.record.own)

    def recode(self, slices: Iterable[int], table: NDArray[np.uint8]) -> None:
        """Make each label of `slices` and of the base `table[label]`; OSError or XsegError."""
        record = StoreRecord(self.record.own, table[self.record.base_table])
        recode_chunks(self._chunks, slices, table, record)
        self.record = record

    def take_unsynced(self) -> set[tuple[int, Place]]:
        """Give the chunks written since the last time."""
        taken, self._unsynced = self._unsynced, set()
        return taken

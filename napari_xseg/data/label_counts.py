"""How many pixels of each slice hold each label: kept while painting, and on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.label_chunks import put_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_xseg.data.label_base import LabelBase
    from napari_xseg.data.label_chunks import LabelChunks

COUNTS_FILE = "counts.json"
# A slice may change twice within one tick of a file system's clock (2 s on FAT).
_TICK_NS = 2_000_000_000
_SMALL = 1 << 16


def count_labels(plane: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels (256,) of a plane by label value."""
    if plane.size <= _SMALL:
        return np.bincount(plane.ravel(), minlength=256).astype(np.int64)
    # bincount makes eight bytes of each: for a few values, comparing is ten times as fast.
    counts = np.zeros(256, np.int64)
    missing = plane.size
    for value in range(256):
        counts[value] = np.count_nonzero(plane == value)
        missing -= int(counts[value])
        if not missing:
            break
    return counts


class SliceCounts:
    """Counts of the slices that are labelled, and their sum.

    Parameters
    ----------
    shape : (int, int, int)
        (z, y, x) in pixels.

    Attributes
    ----------
    waiting : set of int
        Each z that is not counted yet.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.waiting: set[int] = set()
        self._shape = shape
        self._of: dict[int, NDArray[np.int64]] = {}
        self._total = np.zeros(256, np.int64)
        self._stamps: dict[int, int] = {}

    def __getitem__(self, z: int) -> NDArray[np.int64]:
        """Pixels (256,) of slice z by label value."""
        pixels = self._shape[1] * self._shape[2]
        return _filled(self._of.get(z), pixels)

    def __setitem__(self, z: int, counts: NDArray[np.int64]) -> None:
        """Replace the counts of slice z; what is not labelled needs not be counted."""
        fresh = np.array(counts, np.int64)
        fresh[0] = 0
        self._total += fresh - self._of.get(z, 0)
        self._stamps.pop(z, None)
        self.waiting.discard(z)
        if fresh.any():
            self._of[z] = fresh
        else:
            self._of.pop(z, None)

    def change(
        self, z: int, plane: NDArray[np.uint8], old: NDArray[np.uint8], new: NDArray[np.uint8]
    ) -> None:
        """Follow pixels of slice z from `old` to `new` values; `plane` is what it has become."""
        if z in self.waiting:
            self[z] = count_labels(plane)
        else:
            self[z] = self._of.get(z, 0) + count_labels(new) - count_labels(old)

    def count_base(self, base: LabelBase, slices: Iterable[int], table: NDArray[np.uint8]) -> None:
        """Take over what a base has counted of `slices`, its labels being `table[label]` here."""
        for z in slices:
            known = base.known_counts(z)
            if known is None:
                self.waiting.add(z)
                continue
            counts = np.zeros(256, np.int64)
            np.add.at(counts, table[1 : len(known) + 1], known)
            self[z] = counts

    def total(self) -> NDArray[np.int64]:
        """Pixels (256,) of all slices by label value."""
        return _filled(self._total, int(np.prod(self._shape, dtype=np.int64)))

    def labelled(self) -> set[int]:
        """Each z with a labelled pixel."""
        return set(self._of)

    def recode(self, table: NDArray[np.uint8]) -> None:
        """Follow labels that become `table[label]`."""
        for z, counts in list(self._of.items()):
            fresh = np.zeros(256, np.int64)
            np.add.at(fresh, table, counts)
            self[z] = fresh

    def save(self, chunks: LabelChunks, slices: set[int]) -> None:
        """Write what is counted of `slices`, with the time of each one's last change; OSError."""
        rows = {}
        for z in sorted((slices - self.waiting) & self._of.keys()):
            if z not in self._stamps:
                self._stamps[z] = chunks.stamp(z)
            found = np.flatnonzero(self._of[z]).tolist()
            rows[z] = {"stamp": self._stamps[z]} | {
                "counts": {value: int(self._of[z][value]) for value in found}
            }
        put_file(chunks.folder / COUNTS_FILE, json.dumps({"slices": rows}).encode())

    def load(self, chunks: LabelChunks, slices: set[int]) -> None:
        """Take over what `save` wrote of `slices`; the others must be counted again."""
        path = chunks.folder / COUNTS_FILE
        kept, saved = _read(path)
        for z in slices:
            stamp = chunks.stamp(z)
            row = kept.get(str(z))
            if row is None or row[0] != stamp or stamp + _TICK_NS > saved:
                self.waiting.add(z)
            else:
                self[z] = row[1]
                self._stamps[z] = stamp


def _filled(labelled: NDArray[np.int64] | None, pixels: int) -> NDArray[np.int64]:
    counts = np.zeros(256, np.int64) if labelled is None else labelled.copy()
    counts[0] = pixels - int(counts[1:].sum())
    return counts


def _read(path: Path) -> tuple[dict[str, tuple[int, NDArray[np.int64]]], int]:
    """Stamp and counts by slice, and when they were written; nothing where they are damaged."""
    try:
        saved = path.stat().st_mtime_ns
        rows = json.loads(path.read_text(encoding="utf-8"))["slices"]
        return {z: _row(row) for z, row in rows.items()}, saved
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}, 0


def _row(row: dict[str, Any]) -> tuple[int, NDArray[np.int64]]:
    counts = np.zeros(256, np.int64)
    for value, count in row["counts"].items():
        counts[int(value)] = int(count)
    return int(row["stamp"]), counts

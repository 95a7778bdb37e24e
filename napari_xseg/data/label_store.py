"""Labels as they are painted: an array in which every change is on disk when it is made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.formats.atomic import write_error, writing_to
from napari_xseg.data.formats.source import reading
from napari_xseg.data.label_chunks import LabelChunks, chunks_of
from napari_xseg.data.label_counts import SliceCounts, count_labels
from napari_xseg.data.label_planes import LabelPlanes
from napari_xseg.data.label_record import finish_recoding
from napari_xseg.data.label_writer import LabelWriter
from napari_xseg.data.plane_index import Edit, Points, as_labels, edits_of, parse_key
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_xseg.data.label_base import LabelBase

Plane = Any  # ndarray (y, x) of uint8
# Seconds between two savings of the counts while painting.
SAVE_EVERY = 5.0


class LabelStore:
    """A (z, y, x) uint8 array of labels: class k is k + 1, 0 is not labelled.

    It serves as the `data` of a napari Labels layer. Each change is on disk, as
    far as the process may be killed, when the call that makes it returns; `flush`
    is for a machine that loses its power. All methods may be called from any thread.

    Parameters
    ----------
    chunks : LabelChunks
        Where the labels lie; use `create` or `open`.
    base : LabelBase, optional
        Label files that are shown where the store has no slice of its own. A slice
        is copied whole before its first change; the files are never written.
    read_only : bool
        Refuse changes: another process paints here.

    Attributes
    ----------
    on_change : callable, optional
        Called with the z that changed, after each change, in the thread that made it.
    on_error : callable, optional
        Called with an XsegError where labels cannot be read or written, once for each
        cause. Without it, it is raised where it happens; what was painted is kept
        in memory either way.
    """

    ndim = 3

    def __init__(
        self, chunks: LabelChunks, base: LabelBase | None = None, *, read_only: bool = False
    ) -> None:
        self.read_only = read_only
        self.on_change: Callable[[frozenset[int]], None] | None = None
        self.on_error: Callable[[XsegError], None] | None = None
        self.path = chunks.folder
        self.shape = chunks.shape
        self.dtype = np.dtype(np.uint8)
        self._chunks = chunks
        self._writer = LabelWriter(chunks)
        self._planes = LabelPlanes(chunks, self._writer, base)
        self._lock = self._planes.lock
        self._told: set[int | str] = set()
        self._counts = SliceCounts(self.shape)
        self._painted = set(chunks.slices()) - self._planes.through()
        self._counts.load(chunks, self._painted)
        if base is not None:
            table = self._writer.record.base_table
            self._counts.count_base(base, self._planes.through(), table)
        self._saved = time.monotonic()

    @classmethod
    def create(
        cls, path: Path, shape: tuple[int, int, int], base: LabelBase | None = None
    ) -> LabelStore:
        """Make an empty store in the folder `path`; XsegError where it cannot be written."""
        with writing_to(path):
            return cls(LabelChunks.create(path, shape), base)

    @classmethod
    def open(
        cls, path: Path, base: LabelBase | None = None, *, read_only: bool = False
    ) -> LabelStore:
        """Open the store in the folder `path`; XsegError where it is damaged or no store."""
        if not read_only:
            with writing_to(path):
                finish_recoding(path)
        with reading(path, "labels"):
            return cls(LabelChunks.open(path), base, read_only=read_only)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @property
    def labelled(self) -> tuple[int, ...]:
        """Each z with a labelled pixel; base slices once they are counted."""
        with self._lock:
            return tuple(sorted(self._counts.labelled() | (self._counts.waiting & self._painted)))

    @property
    def pending(self) -> bool:
        """Whether something painted is in memory alone."""
        return self._writer.pending

    def version(self, z: int) -> int:
        """A number that rises with each change of slice z."""
        return self._planes.versions[z]

    # -- reading ------------------------------------------------------------

    def read(self, z: int) -> NDArray[np.uint8]:
        """Slice z, (y, x) uint8, the caller's own; XsegError where it cannot be read."""
        return self._planes.read(range(len(self))[z])

    def __getitem__(self, key: Any) -> Any:
        """Read a part by numpy's indexing, (see `parse_key`): a copy."""
        wanted = parse_key(key, self.shape)
        if isinstance(wanted, Points):
            values = np.zeros(wanted.shape, np.uint8)
            for z, here in wanted.by_slice():
                values[here] = self._shown(z)[wanted.y[here], wanted.x[here]]
            return values
        part = np.empty(wanted.full_shape, np.uint8)
        for row, z in enumerate(wanted.z):
            part[row] = self._shown(z, keep=len(wanted.z) == 1)[wanted.within]
        part = part.reshape(wanted.shape)
        return part if wanted.shape else part[()]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read everything into memory."""
        if copy is False:
            raise ValueError("labels on disk cannot be an array without a copy")
        whole: NDArray[Any] = self[:]
        return whole if dtype is None else whole.astype(dtype)

    def _shown(self, z: int, *, keep: bool = True) -> Plane:
        """Slice z as it is drawn: blank where it cannot be read and there is `on_error`."""
        try:
            return self._planes.keep(z) if keep else self._planes.read(z)
        except XsegError as error:
            self._tell(z, error)
            return np.zeros(self.shape[1:], np.uint8)

    # -- painting -----------------------------------------------------------

    def __setitem__(self, key: Any, value: Any) -> None:
        """Change a part by numpy's indexing; returns when it is on disk.

        Raises
        ------
        XsegError
            Without `on_error`: the disk is full or gone, though what was painted
            stays in memory; or the store is read only, or the slice is damaged.
        """
        wanted = parse_key(key, self.shape)
        values = np.broadcast_to(as_labels(value), wanted.shape)
        self._edit(edits_of(wanted, values))

    def write(self, z: int, plane: NDArray[np.uint8]) -> None:
        """Replace slice z by `plane`, (y, x) of labels; as `__setitem__`."""
        self[z] = plane

    def _edit(self, edits: dict[int, Edit]) -> None:
        if self.read_only:
            self._tell("read only", self._not_here())
            return
        changed: set[int] = set()
        fault: XsegError | None = None
        for z, edit in edits.items():
            with self._lock:
                try:
                    if self._edit_slice(z, edit):
                        changed.add(z)
                        self._write()
                except XsegError as error:
                    fault = error
        if changed and self.on_change is not None:
            self.on_change(frozenset(changed))
        if fault is not None:
            self._tell("writing", fault)

    def _edit_slice(self, z: int, edit: Edit) -> bool:
        """Change a part of slice z in memory; False where nothing differs."""
        plane = self._planes.keep(z)
        part = plane[edit.within]
        old = part.copy()
        edit.paint(part)
        differs = old != part
        if not differs.any():
            return False
        self._counts.change(z, plane, old[differs], part[differs])
        if self._planes.is_through(z):
            self._writer.record.own.add(z)
            self._writer.add(z, self._chunks.places)
        else:
            y = np.asarray(edit.rows)[differs.any(axis=1)]
            x = np.asarray(edit.columns)[differs.any(axis=0)]
            self._writer.add(z, chunks_of(y, x))
        self._painted.add(z)
        self._planes.versions[z] += 1
        return True

    def _write(self) -> None:
        """Write what is in memory alone; XsegError where some of it must stay there."""
        try:
            self._writer.write(self._planes.kept)
            if time.monotonic() - self._saved > SAVE_EVERY:
                self._save_counts()
        except OSError as error:
            raise XsegError(
                f"{str(write_error(self.path, error)).rstrip('.')}; what was painted is kept in "
                "memory and written as soon as that is possible: keep this window open."
            ) from error
        self._told.discard("writing")

    def _not_here(self) -> XsegError:
        return XsegError(f"{self.path}: is open in another window; close it there, and paint here.")

    def save_pending(self) -> bool:
        """Try again to write what is in memory alone; True where nothing is left."""
        try:
            with self._lock:
                self._write()
        except XsegError as error:
            self._tell("writing", error)
        return not self.pending

    def _tell(self, cause: int | str, error: XsegError) -> None:
        known = cause in self._told
        self._told.add(cause)
        if self.on_error is None:
            # What cannot be read has no value to give; what is kept in memory is said once.
            if not known or cause != "writing":
                raise error
        elif not known:
            self.on_error(error)

    # -- counting -----------------------------------------------------------

    def counts(self, z: int) -> NDArray[np.int64]:
        """Pixels (256,) of slice z by label; counts the slice where that was not done yet."""
        if z in self._counts.waiting:
            self._count_again(z)
        with self._lock:
            return self._counts[z]

    def totals(self) -> NDArray[np.int64]:
        """Pixels (256,) of all slices by label, of those counted so far."""
        with self._lock:
            return self._counts.total()

    @property
    def uncounted(self) -> frozenset[int]:
        """Each z whose labels are not in `totals` yet."""
        with self._lock:
            return frozenset(self._counts.waiting)

    def count_base(self) -> Iterator[int]:
        """Count the slices that are not counted yet, giving each z; errors as in `__getitem__`.

        To be run in a thread of its own, while the user paints.
        """
        for z in sorted(self.uncounted):
            try:
                self.counts(z)
            except XsegError as error:
                self._tell(z, error)
                continue
            yield z

    def _count_again(self, z: int) -> None:
        while True:
            version = self._planes.versions[z]
            counts = count_labels(self.read(z))
            with self._lock:
                if self._planes.versions[z] == version:
                    self._counts[z] = counts
                    return

    # -- the whole store ----------------------------------------------------

    def recode(self, table: NDArray[np.uint8]) -> None:
        """Replace every label by `table[label]`, as classes are removed or reordered.

        Parameters
        ----------
        table : ndarray of uint8, (256,)
            New labels; `table[0]` is 0.

        Raises
        ------
        XsegError
            Where it cannot be written; all labels stay as they were.
        """
        if table.shape != (256,) or table[0] != 0:
            raise ValueError("a table has 256 labels, and 0 stays 0")
        if self.read_only:
            raise self._not_here()
        with self._lock:
            self._write()
            touched = frozenset(self.labelled) | self._planes.through()
            with writing_to(self.path):
                self._writer.recode(sorted(self._painted), table)
            self._planes.kept.clear()
            self._counts.recode(table)
            for z in touched:
                self._planes.versions[z] += 1
        if touched and self.on_change is not None:
            self.on_change(touched)

    def flush(self) -> None:
        """Have the system put all that was painted on the disk, and save the counts.

        To be called now and then, best in a thread: it may take a while.
        """
        if self.read_only:
            return
        with self._lock:
            unsynced = self._writer.take_unsynced()
        try:
            for z, place in unsynced:
                self._chunks.sync(z, place)
            with self._lock:
                self._save_counts()
        except OSError as error:
            self._tell("writing", write_error(self.path, error))

    def close(self) -> None:
        """Write what is left, sync it and save the counts; XsegError where that fails."""
        if not self.read_only:
            self.save_pending()
            self.flush()

    def _save_counts(self) -> None:
        self._saved = time.monotonic()
        self._counts.save(self._chunks, self._painted)

"""TIFF in all its kinds: single, multi-page, ImageJ, OME, BigTIFF, many codecs."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_xseg.data.formats.colour import expand
from napari_xseg.data.formats.source import (
    Array,
    DType,
    Palette,
    broken_off,
    check_numeric,
    file_size,
    reading,
)
from napari_xseg.data.formats.tiff_voxels import tiff_voxel_size
from napari_xseg.errors import XsegError

_PALETTE, _SEPARATED = 3, 5
_ALPHA = (1, 2)
# A lone image this much smaller than the main one is its preview, flagged or not.
_THUMBNAIL_AREA = 0.25
_MOST_CHANNELS = 4


class TiffImage:
    """One TIFF file as a number of planes of one size.

    The file is closed between reads, so that it can be moved or replaced while a
    volume of it is open; `read` says so where that happened. Thread safe.

    Parameters
    ----------
    path
        The file.
    indexed
        Palette images give their indices (labels) instead of their colours (images).

    Raises
    ------
    XsegError
        Where the file is no TIFF, is broken off, or holds no single stack.
    """

    shape: tuple[int, int]
    dtype: DType
    colour: bool

    def __init__(self, path: Path, *, indexed: bool) -> None:
        self.path = path
        self.palette: Palette | None = None
        self.warnings: tuple[str, ...] = ()
        self._expand: Palette | None = None
        self._lock = threading.RLock()
        self._size = file_size(path)
        with reading(path, "TIFF"):
            self._file = tifffile.TiffFile(path)
            try:
                self._stamp = path.stat()
                self._scan(indexed)
                self.voxel_size = tiff_voxel_size(self._file)
            except BaseException:
                self.close()
                raise

    @property
    def planes(self) -> int:
        """Number of planes in the file."""
        return len(self._planes)

    @property
    def stored_bytes(self) -> int | None:
        """Bytes that one plane takes in the file, where that is the same for each."""
        first = self._planes[0]
        return self._plane_bytes if isinstance(first, int) else None

    def read(self, z: int) -> Array:
        """Read plane z: (y, x), or (y, x, 3) where `colour`; byte order as stored."""
        where = f"{self.path}, page {z}" if self.planes > 1 else str(self.path)
        with reading(where, "TIFF"):
            plane = self._planes[z]
            pixels = self._at(plane) if isinstance(plane, int) else self._decoded(plane)
        return self._arranged(pixels, where)

    def files(self) -> tuple[Path, ...]:
        """List all files the planes lie in: one, but for OME-TIFF over several."""
        pages = (plane for plane in self._planes if not isinstance(plane, int))
        files = {Path(page.parent.filehandle.path) for page in pages}
        return tuple(sorted(files)) if len(files) > 1 else (self.path,)

    def close(self) -> None:
        """Close the file until the next read."""
        self._file.close()

    def _scan(self, indexed: bool) -> None:
        series = self._main_series()
        key = series[0].keyframe
        self._check_chain()
        self._planes: list[int | Any] = [
            plane for one in series for plane in self._planes_of(one, key)
        ]
        self._check_complete(series)
        self._describe(key, indexed)

    def _main_series(self) -> list[Any]:
        series = [one for one in self._file.series if not _is_preview(one)]
        if not series:
            raise XsegError(
                f"{self.path}: holds no whole image; it is empty or broken off: copy it again."
            )
        largest = max(series, key=lambda one: _area(one.keyframe))
        same = [one for one in series if _layout(one.keyframe) == _layout(largest.keyframe)]
        for one in series:
            lone = len(one) == 1 and _area(one.keyframe) <= _THUMBNAIL_AREA * _area(
                largest.keyframe
            )
            if one not in same and not lone:
                raise XsegError(
                    f"{self.path}: holds pages of different kinds ({_kind(largest.keyframe)} and "
                    f"{_kind(one.keyframe)}); one stack of equal pages is expected: save it alone."
                )
        return same

    def _check_chain(self) -> None:
        # tifffile stops at a page it cannot find; the pointer to it is still there.
        position = self._file.pages.next_page_offset
        if position is None:
            return
        handle = self._file.filehandle
        handle.seek(position)
        pointer = handle.read(self._file.tiff.offsetsize)
        if len(pointer) < self._file.tiff.offsetsize or any(pointer):
            raise XsegError(
                f"{self.path}: is broken off after {len(self._file.pages)} pages: the next one is "
                "missing; copy or export it again."
            )

    def _planes_of(self, series: Any, key: Any) -> list[int | Any]:
        count = self._count_planes(series)
        offset = None if series.is_multifile else series.dataoffset
        self._plane_bytes = math.prod(key.shape) * key.dtype.itemsize if key.dtype else 0
        if offset is not None:
            end = offset + count * self._plane_bytes
            if end > self._size:
                raise broken_off(self.path, self._size, end)
            return [offset + index * self._plane_bytes for index in range(count)]
        pages = [series[index] for index in range(len(series))]
        if len(pages) != count or any(page is None for page in pages):
            found = sum(page is not None for page in pages)
            raise XsegError(
                f"{self.path}: has {found} of the {count} pages its header tells of; a part is "
                "missing or lies in another file: copy or export it again."
            )
        for page in pages:
            self._check_segments(page)
        return pages

    def _check_segments(self, page: Any) -> None:
        size = page.parent.filehandle.size
        ends = map(sum, zip(page.dataoffsets, page.databytecounts, strict=False))
        end = max(ends, default=0)
        if end > size:
            raise broken_off(Path(page.parent.filehandle.path), size, end)
        complete = len(page.dataoffsets) >= math.prod(page.keyframe.chunked)
        if not complete or not all(page.dataoffsets) or not all(page.databytecounts):
            raise XsegError(
                f"{self.path}: lacks the data of a page; its writing was interrupted: export it "
                "again."
            )

    def _count_planes(self, series: Any) -> int:
        axes, shape = series.get_axes(False), series.get_shape(False)
        long = [
            (axis, size)
            for axis, size in zip(axes, shape, strict=True)
            if axis not in "YXS" and size > 1
        ]
        samples = series.keyframe.samplesperpixel
        if samples > 1 and "S" not in axes and ("C", samples) in long:
            long.remove(("C", samples))
        if series.keyframe.imagedepth > 1 or len(long) > 1:
            raise XsegError(
                f"{self.path}: is an image of shape {shape} along {axes}; one stack along z is "
                "expected: save one time point and one channel as a file of its own."
            )
        axis, count = long[0] if long else ("Z", 1)
        if axis == "C":
            self._accept_channels(count)
        return int(count)

    def _accept_channels(self, count: int) -> None:
        # Many programs write slices as channels; nothing has more than a few real ones.
        if count <= _MOST_CHANNELS:
            raise XsegError(
                f"{self.path}: has {count} channels; one is expected: save the channel to segment "
                "as a file of its own (or, where they are slices, say so in ImageJ under Image > "
                "Properties)."
            )
        self.warnings = (f"{self.path}: its {count} channels are taken as slices.",)

    def _check_complete(self, series: list[Any]) -> None:
        told = self._file.imagej_metadata or {}
        extent = math.prod(int(told.get(axis, 1)) for axis in ("slices", "frames"))
        if series[0].kind != "imagej" and self.planes < extent:
            raise XsegError(
                f"{self.path}: has {self.planes} of the {extent} slices its header tells of; it is "
                "broken off: copy or export it again."
            )

    def _describe(self, key: Any, indexed: bool) -> None:
        if key.dtype is None:
            raise XsegError(f"{self.path}: has pixels of an unknown type; export it again.")
        check_numeric(np.dtype(key.dtype), str(self.path))
        alpha = sum(kind in _ALPHA for kind in key.extrasamples)
        channels = key.samplesperpixel - alpha
        if channels not in (1, 3) or key.photometric == _SEPARATED:
            raise XsegError(
                f"{self.path}: has {key.samplesperpixel} channels; grey values are expected: save "
                "one channel as a file of its own."
            )
        self.shape = (key.imagelength, key.imagewidth)
        self.dtype = np.dtype(key.dtype).newbyteorder("=")
        self.colour = channels == 3
        self._page_shape, self._page_axes = key.shape, key.axes
        self._stored = np.dtype(key.dtype).newbyteorder(self._file.byteorder)
        self._read_palette(key, indexed)

    def _read_palette(self, key: Any, indexed: bool) -> None:
        if key.photometric != _PALETTE or key.colormap is None or self.colour:
            return
        table = np.asarray(key.colormap)
        palette = (table >> 8 if table.max(initial=0) > 255 else table).T.astype(np.uint8)
        if indexed:
            self.palette = palette
        # ImageJ's palette only says how grey values are shown.
        elif not self._file.is_imagej:
            self._expand, self.colour, self.dtype = palette, True, np.dtype(np.uint8)

    def _at(self, offset: int) -> Array:
        with self.path.open("rb") as file:
            self._check_unchanged(os.fstat(file.fileno()))
            file.seek(offset)
            count = self._plane_bytes // self._stored.itemsize
            pixels = np.fromfile(file, self._stored, count)
        if pixels.size < count:
            raise broken_off(self.path, self._size, offset + self._plane_bytes)
        return pixels.reshape(self._page_shape)

    def _decoded(self, page: Any) -> Array:
        handle = page.parent.filehandle
        with self._lock:
            closed = handle.closed
            if closed:
                handle.open()
            try:
                if page.parent is self._file:
                    self._check_unchanged(self.path.stat())
                # One thread: the network computes meanwhile.
                pixels: Array = page.asarray(maxworkers=1)
            finally:
                if closed:
                    handle.close()
        return pixels

    def _check_unchanged(self, now: os.stat_result) -> None:
        before = self._stamp
        if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise XsegError(f"{self.path}: was changed after it had been opened; open it again.")

    def _arranged(self, pixels: Array, where: str) -> Array:
        if "S" in self._page_axes:
            pixels = np.moveaxis(pixels, self._page_axes.index("S"), -1)
            pixels = pixels[..., :3] if self.colour else pixels[..., 0]
        if self._expand is not None:
            return expand(pixels, self._expand, where)
        return pixels


def _is_preview(series: Any) -> bool:
    return bool(series.keyframe.is_reduced or series.keyframe.is_mask)


def _area(key: Any) -> int:
    return int(key.imagelength) * int(key.imagewidth)


def _layout(key: Any) -> tuple[Any, ...]:
    return (key.shape, key.dtype, key.axes, key.photometric)


def _kind(key: Any) -> str:
    return f"{key.imagewidth} x {key.imagelength} {key.dtype}"

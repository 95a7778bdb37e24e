"""Plain numbers in a file: raw binary and .npy, and what other headers point to."""

from __future__ import annotations

import math
import tempfile
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from napari_xseg.data.formats.layout import Layout
from napari_xseg.data.formats.naming import trailing_number
from napari_xseg.data.formats.source import (
    Array,
    DType,
    Palette,
    Source,
    VoxelSize,
    broken_off,
    check_numeric,
    file_size,
    reading,
    stack_source,
)
from napari_xseg.errors import XsegError

Order = Literal["<", ">"]

_ORDERS: dict[str, Order] = {"little": "<", "big": ">"}
_FORM = "SHAPE,DTYPE,little|big[,OFFSET], as 200x501x501,uint16,little"


@dataclass(frozen=True)
class RawSpec:
    """What a raw binary file holds: (z, y, x), dtype with its byte order, bytes before.

    `offset` is None where it was not given; the file then holds the data alone.
    """

    shape: tuple[int, int, int]
    dtype: DType
    offset: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `200x501x501,uint16,little` (z x y x x), `501x501,..`, `..,little,512`.

        Raises
        ------
        XsegError
            Where a part is missing or is not what it should be.
        """
        parts = [part.strip() for part in text.split(",")]
        if len(parts) not in (3, 4):
            raise XsegError(f"raw description {text!r}: give {_FORM}.")
        order = _ORDERS.get(parts[2].casefold())
        if order is None:
            raise XsegError(f"raw description {text!r}: the byte order is little or big; {_FORM}.")
        return cls(_parse_shape(parts[0], text), _parse_dtype(parts[1], order, text),
                   _parse_offset(parts[3], text) if len(parts) == 4 else None)  # fmt: skip

    def __str__(self) -> str:
        """Write the description as `parse` reads it."""
        shape = "x".join(map(str, self.shape))
        order = "big" if self.dtype.str[0] == ">" else "little"
        offset = "" if self.offset is None else f",{self.offset}"
        return f"{shape},{self.dtype.name},{order}{offset}"

    @property
    def size(self) -> int:
        """Bytes of the data."""
        return math.prod(self.shape) * self.dtype.itemsize


class FlatFile:
    """Slices (z, y, x[, 3]) stored one after the other; opened for each read. Thread safe."""

    def __init__(self, path: Path, offset: int, shape: tuple[int, ...], dtype: DType) -> None:
        self._path, self._offset, self._shape, self._dtype = path, offset, shape, dtype
        self._plane_bytes = math.prod(shape[1:]) * dtype.itemsize

    def check(self) -> None:
        """Raise XsegError where the file ends before the data."""
        size = file_size(self._path)
        needed = self._offset + self._shape[0] * self._plane_bytes
        if size < needed:
            raise broken_off(self._path, size, needed)

    def read(self, z: int) -> Array:
        """Read slice z in the stored byte order."""
        plane: Array = self.read_block(z, z + 1)[0]
        return plane

    def read_block(self, start: int, stop: int) -> Array:
        """Read slices [start, stop) in the stored byte order."""
        shape = (stop - start, *self._shape[1:])
        count = math.prod(shape)
        with reading(self._path), self._path.open("rb") as file:
            file.seek(self._offset + start * self._plane_bytes)
            values = np.fromfile(file, self._dtype, count)
        if values.size < count:
            raise broken_off(
                self._path, file_size(self._path), self._offset + stop * self._plane_bytes
            )
        return values.reshape(shape)


class PackedFile:
    """Slices compressed as one stream (gzip or zlib), unpacked to a temporary file when used."""

    def __init__(self, path: Path, offset: int, shape: tuple[int, ...], dtype: DType) -> None:
        self._path, self._offset, self._shape, self._dtype = path, offset, shape, dtype
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._flat: FlatFile | None = None

    def read(self, z: int) -> Array:
        """Read slice z in the stored byte order; the first read unpacks all."""
        with self._lock:
            if self._flat is None:
                self._flat = self._unpack()
        return self._flat.read(z)

    def close(self) -> None:
        """Remove the temporary file."""
        with self._lock:
            if self._folder is not None:
                self._folder.cleanup()
            self._folder = self._flat = None

    def _unpack(self) -> FlatFile:
        needed = math.prod(self._shape) * self._dtype.itemsize
        self._folder = tempfile.TemporaryDirectory(prefix="napari-xseg-")
        target = Path(self._folder.name) / "unpacked"
        with reading(self._path, "gzip stream"):
            written = self._copy(target, needed)
        if written < needed:
            raise broken_off(self._path, written, needed)
        return FlatFile(target, 0, self._shape, self._dtype)

    def _copy(self, target: Path, needed: int) -> int:
        written = 0
        # 32: gzip or zlib, whichever the stream's head says.
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        with self._path.open("rb") as packed, target.open("wb") as unpacked:
            packed.seek(self._offset)
            pending = b""
            while written < needed and not stream.eof:
                chunk = pending or packed.read(1 << 20)
                if not chunk:
                    break
                written += unpacked.write(stream.decompress(chunk, 1 << 24))
                pending = stream.unconsumed_tail
        return written


class RawImage:
    """One raw binary file among others in a folder: an image of one plane."""

    colour = False
    palette: Palette | None = None
    voxel_size: VoxelSize | None = None
    warnings: tuple[str, ...] = ()
    stored_bytes: int | None = None

    def __init__(self, path: Path, spec: RawSpec) -> None:
        self.shape = spec.shape[1:]
        self.dtype = spec.dtype.newbyteorder("=")
        self.planes = spec.shape[0]
        self._path = path
        self._flat = _checked_raw(path, spec)

    def read(self, z: int) -> Array:
        """Read plane z in the stored byte order."""
        return self._flat.read(z)

    def files(self) -> tuple[Path, ...]:
        """List the one file."""
        return (self._path,)

    def close(self) -> None:
        """Do nothing: the file is closed already."""


def open_raw(path: Path, spec: RawSpec) -> Source:
    """Open a raw binary file as `spec` describes it.

    Raises
    ------
    XsegError
        Where the file's size does not fit.
    """
    flat = _checked_raw(path, spec)
    single: dict[str, Any] = {
        "numbers": (trailing_number(path.name),),
        "slice_names": (path.name,),
        "where": lambda _: str(path),
    }
    return stack_source(
        path,
        spec.shape,
        spec.dtype,
        flat.read,
        read_block=flat.read_block,
        **(single if spec.shape[0] == 1 else {}),
    )


def open_npy(path: Path) -> Source:
    """Open a .npy file of 2 or 3 dimensions (or RGB); object arrays are never unpickled.

    Raises
    ------
    XsegError
        Where the file is none, is broken off or holds something else.
    """
    file_size(path)
    with reading(path, ".npy"):
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        stored, dtype, offset, c_order = (
            mapped.shape,
            mapped.dtype,
            mapped.offset,
            mapped.flags.c_contiguous,
        )
        del mapped
    layout = Layout.guess(stored, dtype, str(path))
    shape, colour = layout.shape(stored), layout.samples is not None
    if not c_order:
        # Planes lie scattered: the system's page cache serves them best.
        read = lambda z: layout.take(np.load(path, mmap_mode="r", allow_pickle=False), z)  # noqa: E731
        return stack_source(path, shape, dtype, read, colour=colour)
    flat = FlatFile(path, offset, (*shape, stored[-1]) if colour else shape, dtype)
    return stack_source(
        path,
        shape,
        dtype,
        lambda z: layout.rgb(flat.read(z)),
        read_block=lambda start, stop: layout.rgb(flat.read_block(start, stop)),
        colour=colour,
    )


def _checked_raw(path: Path, spec: RawSpec) -> FlatFile:
    check_numeric(spec.dtype, str(path))
    flat = FlatFile(path, spec.offset or 0, spec.shape, spec.dtype)
    flat.check()
    size = file_size(path)
    if spec.offset is None and size != spec.size:
        raise XsegError(
            f"{path}: has {size} bytes, but {spec} needs {spec.size}; correct the description, or "
            f"add the number of bytes before the data (here perhaps {size - spec.size})."
        )
    return flat


def _parse_shape(part: str, text: str) -> tuple[int, int, int]:
    try:
        shape = tuple(int(size) for size in part.casefold().split("x"))
    except ValueError:
        shape = ()
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise XsegError(f"raw description {text!r}: the shape is ZxYxX or YxX; {_FORM}.")
    return (1, *shape) if len(shape) == 2 else shape  # type: ignore[return-value]


def _parse_dtype(part: str, order: Order, text: str) -> DType:
    try:
        dtype = np.dtype(part.casefold()).newbyteorder(order)
    except TypeError as error:
        raise XsegError(f"raw description {text!r}: {part!r} is no dtype; {_FORM}.") from error
    check_numeric(dtype, f"raw description {text!r}")
    return dtype


def _parse_offset(part: str, text: str) -> int:
    if not part.isdecimal():
        raise XsegError(f"raw description {text!r}: the offset is a number of bytes; {_FORM}.")
    return int(part)

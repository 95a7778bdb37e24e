"""What every file format gives: the slices of one volume, and what is known of them."""

from __future__ import annotations

import logging
import math
import struct
import tokenize
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Array = npt.NDArray[Any]
DType = np.dtype[Any]
Palette = npt.NDArray[np.uint8]

# What decoders raise at broken bytes. Wide on purpose: it only ever surrounds
# calls into a decoder, and a broken file is the user's to mend, not a bug.
UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    SyntaxError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
)

# Without a handler of their own these loggers print to the terminal.
for _logger in ("tifffile", "PIL"):
    logging.getLogger(_logger).addHandler(logging.NullHandler())

_UNITS = {
    "um": ("um", "µm", "μm", "\\u00b5m", "micron", "microns", "micrometer", "micrometre",
           "micrometers", "micrometres"),
    "nm": ("nm", "nanometer", "nanometre", "nanometers", "nanometres"),
    "mm": ("mm", "millimeter", "millimetre", "millimeters", "millimetres"),
    "cm": ("cm", "centimeter", "centimetre", "centimeters", "centimetres"),
    "m": ("m", "meter", "metre", "meters", "metres"),
    "pm": ("pm", "picometer", "picometre"),
    "angstrom": ("angstrom", "angstroms", "ångström", "å", "a", "ang"),
    "inch": ("inch", "inches", "in", '"'),
}  # fmt: skip
_CANONICAL = {spelling: unit for unit, spellings in _UNITS.items() for spelling in spellings}
_METRES = {
    "um": 1e-6,
    "nm": 1e-9,
    "mm": 1e-3,
    "cm": 1e-2,
    "m": 1.0,
    "pm": 1e-12,
    "angstrom": 1e-10,
    "inch": 0.0254,
}


@dataclass(frozen=True)
class VoxelSize:
    """Edge lengths of a voxel along z, y and x in `unit`.

    `unit` is one of um, nm, mm, cm, m, pm, angstrom, inch, or empty where the
    file gives a scale without saying of what. Where only the pixel size within a
    slice is known, `z` equals `y`.
    """

    z: float
    y: float
    x: float
    unit: str

    def __str__(self) -> str:
        """Write the edge lengths as `1.5 x 0.5 x 0.5 um`."""
        return f"{self.z:g} x {self.y:g} x {self.x:g} {self.unit or '(no unit)'}"


def physical_unit(text: object) -> str:
    """Bring the name of a length unit into its short form; empty where it names none."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return _CANONICAL.get(str(text or "").strip().casefold(), "")


def convert_length(length: float, unit: str, to: str) -> float:
    """Convert a length between units of `physical_unit`; ValueError where one is none."""
    if unit == to:
        return length
    if unit not in _METRES or to not in _METRES:
        raise ValueError(f"no length: {unit!r} to {to!r}")
    # Rounded, since 0.1 um in nm shall read 100 and not 99.99999999999999.
    return float(f"{length * (_METRES[unit] / _METRES[to]):.12g}")


def voxel_size(z: Any, y: Any, x: Any, unit: object) -> VoxelSize | None:
    """Make a `VoxelSize`, or None where the numbers are no lengths.

    Ones without a unit are what writers put where nothing is known: None too.
    """
    try:
        edges = (float(z), float(y), float(x))
    except (TypeError, ValueError):
        return None
    short = physical_unit(unit)
    if not all(math.isfinite(edge) and edge > 0 for edge in edges):
        return None
    if not short and edges == (1.0, 1.0, 1.0):
        return None
    return VoxelSize(*edges, unit=short)


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Source:
    """The slices of one volume as a file format gives them.

    Attributes
    ----------
    path, name, dataset
        File or folder, its short name, and the dataset within it.
    shape
        (z, y, x).
    dtype
        Of one stored value, native byte order.
    read
        Reads slice z: (y, x) or, where `colour`, (y, x, 3); any byte order. Thread safe.
    where
        Names slice z in messages.
    list_files
        All files that hold the volume's content, in order.
    runs
        Lengths of the stretches of slices known to be neighbours, summing to z.
    numbers
        The number in each file's name, or the page index in a stack.
    slice_names
        What a slice is called.
    palette
        (n, 3) colours of the values, uint8, where labels come with them.
    chunk_depth
        Slices that one stored chunk holds: reading as many at once saves decoding.
    read_block
        Reads slices [start, stop) at once, where that is faster than one by one.
    check
        Looks at every file's header; raises XsegError at the first that does not fit.
    warnings
        What the user should know about how the files were understood.
    """

    path: Path
    name: str
    shape: tuple[int, int, int]
    dtype: DType
    read: Callable[[int], Array]
    where: Callable[[int], str]
    list_files: Callable[[], tuple[Path, ...]]
    runs: tuple[int, ...]
    numbers: tuple[int | None, ...]
    slice_names: tuple[str, ...]
    colour: bool = False
    palette: Palette | None = None
    voxel_size: VoxelSize | None = None
    dataset: str | None = None
    chunk_depth: int = 1
    read_block: Callable[[int, int], Array] | None = None
    check: Callable[[], None] = _nothing
    close: Callable[[], None] = _nothing
    warnings: tuple[str, ...] = ()


def stack_source(
    path: Path,
    shape: tuple[int, int, int],
    dtype: DType,
    read: Callable[[int], Array],
    *,
    name: str | None = None,
    dataset: str | None = None,
    list_files: Callable[[], tuple[Path, ...]] | None = None,
    **more: Any,
) -> Source:
    """Make the source of a stack whose slices are all neighbours of each other.

    Parameters
    ----------
    path, shape, dtype, read, dataset
        As in `Source`.
    name
        Short name; by default the path's stem.
    list_files
        By default `path` alone.
    **more
        Further fields of `Source`.

    Raises
    ------
    XsegError
        Where the shape is empty or the dtype holds no real numbers.
    """
    label = name or path.stem
    locator = f"{path}:{dataset}" if dataset else str(path)
    check_numeric(dtype, locator)
    if min(shape) < 1:
        raise XsegError(f"{locator}: is empty (shape {shape}); give a file with image data.")
    stack = Source(
        path=path,
        name=label,
        shape=shape,
        dtype=dtype.newbyteorder("="),
        read=read,
        where=lambda z: f"{locator}, slice {z}",
        list_files=list_files or (lambda: (path,)),
        runs=(shape[0],),
        numbers=tuple(range(shape[0])),
        slice_names=tuple(f"{label}[{z}]" for z in range(shape[0])),
        dataset=dataset,
    )
    return replace(stack, **more)


def check_numeric(dtype: DType, where: str) -> None:
    """Raise XsegError unless `dtype` is bool, integer or float of up to 64 bits."""
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise XsegError(
            f"{where}: holds values of type {dtype}; integers or floats of up to 64 bits are "
            "expected: convert it first."
        )


@contextmanager
def reading(where: str | Path, what: str = "file") -> Iterator[None]:
    """Turn whatever a decoder raises into one sentence that names `where`."""
    try:
        yield
    except FileNotFoundError as error:
        raise XsegError(f"{where}: does not exist; check the path.") from error
    except PermissionError as error:
        raise XsegError(f"{where}: may not be read; ask for read permission.") from error
    except MemoryError as error:
        raise XsegError(
            f"{where}: does not fit into memory, or its header is broken; check the file."
        ) from error
    except UNREADABLE as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise XsegError(
            f"{where}: cannot be read as {what} ({reason.rstrip('.')}); it is damaged, broken off "
            "or of another kind: copy or export it again."
        ) from error


def file_size(path: Path) -> int:
    """Size of `path` in bytes; XsegError where it cannot be had or the file is empty."""
    with reading(path):
        size = path.stat().st_size
    if size == 0:
        raise XsegError(f"{path}: is an empty file; copy or export it again.")
    return size


def broken_off(path: Path, found: int, needed: int) -> XsegError:
    """Make the error for a file that ends before its data does, sizes in bytes."""
    return XsegError(
        f"{path}: is broken off: its data need {needed} bytes, the file has {found}; "
        "copy or export it again."
    )

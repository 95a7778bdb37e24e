"""Label values of any integer type to class indices, by look-up."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

IGNORE = 255
"""Index of a pixel that is not labelled or not predicted."""

MAX_CLASSES = 254
"""Indices 0..253 are classes."""

OUTSIDE = 254
"""Index that `look_up` gives to a value outside the table."""

_FILE_DTYPES = ("uint8", "uint16", "int16", "uint32", "int32", "int64", "uint64")


def look_up(
    plane: NDArray[np.integer[Any]], values: Sequence[int], unlabelled: int | None
) -> NDArray[np.uint8]:
    """Index of each value of `plane` in `values`; IGNORE for `unlabelled`, else OUTSIDE."""
    if plane.dtype.itemsize <= 2:
        table = _table(tuple(values), unlabelled, plane.dtype.str)
        return np.take(table, np.ascontiguousarray(plane).view(f"u{plane.dtype.itemsize}"))
    return _search(plane, values, unlabelled)


def as_integers(plane: NDArray[Any], source: str) -> NDArray[np.integer[Any]]:
    """`plane` with an integer dtype of native byte order; XsegError where it holds fractions."""
    if plane.dtype.kind == "b":
        return plane.view(np.uint8)
    if plane.dtype.kind in "iu":
        return plane if plane.dtype.isnative else plane.astype(plane.dtype.newbyteorder("="))
    if plane.dtype.kind == "f" and np.isfinite(plane).all():
        whole = plane.astype(np.int64)
        if (whole == plane).all():
            return whole
    raise XsegError(
        f"{source}: found {plane.dtype} values that are no integers, expected labels; "
        "give the folder or file of the label masks."
    )


def count_values(plane: NDArray[Any], source: str) -> dict[int, int]:
    """How many pixels of `plane` hold each value, by rising value."""
    whole = as_integers(plane, source)
    if whole.dtype.itemsize <= 2:
        unsigned = f"u{whole.dtype.itemsize}"
        counts = np.bincount(np.ascontiguousarray(whole).view(unsigned).ravel())
        keys = np.flatnonzero(counts)
        values = keys.astype(unsigned).view(whole.dtype)
        return dict(sorted(zip(values.tolist(), counts[keys].tolist(), strict=True)))
    found, times = np.unique(whole, return_counts=True)
    return dict(zip(found.tolist(), times.tolist(), strict=True))


def smallest_unused(values: Iterable[int]) -> int:
    """Find the smallest value from 0 on that is not among `values`."""
    used = set(values)
    return next(value for value in range(len(used) + 1) if value not in used)


def fits(values: Iterable[int], dtype: np.dtype[Any]) -> bool:
    """Whether the integer `dtype` holds all `values`."""
    limits = np.iinfo(dtype)
    return all(limits.min <= value <= limits.max for value in values)


def smallest_dtype(values: Sequence[int]) -> np.dtype[Any]:
    """Find the first of uint8, uint16, int16, uint32, int32, ... that holds all `values`."""
    for name in _FILE_DTYPES:
        if fits(values, np.dtype(name)):
            return np.dtype(name)
    raise XsegError(
        f"class table: no integer type holds {min(values)} as well as {max(values)}; "
        "use values of 64 bits at most."
    )


def _indices(values: Sequence[int], unlabelled: int | None, dtype: np.dtype[Any]) -> dict[int, int]:
    pairs = {value: index for index, value in enumerate(values)}
    if unlabelled is not None:
        pairs[unlabelled] = IGNORE
    return {value: index for value, index in pairs.items() if fits([value], dtype)}


@lru_cache(maxsize=64)
def _table(values: tuple[int, ...], unlabelled: int | None, dtype: str) -> NDArray[np.uint8]:
    """Index by the bit pattern of a value of the 8 or 16 bit integer `dtype`."""
    kind = np.dtype(dtype)
    table = np.full(1 << 8 * kind.itemsize, OUTSIDE, dtype=np.uint8)
    for value, index in _indices(values, unlabelled, kind).items():
        table[value & (table.size - 1)] = index
    table.setflags(write=False)
    return table


def _search(
    plane: NDArray[np.integer[Any]], values: Sequence[int], unlabelled: int | None
) -> NDArray[np.uint8]:
    pairs = sorted(_indices(values, unlabelled, plane.dtype).items())
    if not pairs:
        return np.full(plane.shape, OUTSIDE, dtype=np.uint8)
    keys = np.array([value for value, _ in pairs], dtype=plane.dtype)
    table = np.array([index for _, index in pairs], dtype=np.uint8)
    place = np.minimum(np.searchsorted(keys, plane), len(keys) - 1)
    return np.where(keys[place] == plane, table[place], np.uint8(OUTSIDE))

"""numpy's indexing of a (z, y, x) array that is kept plane by plane."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Box:
    """What ints and slices name: a range along each axis, and which axes an int takes away."""

    z: range
    y: range
    x: range
    dropped: tuple[bool, bool, bool]

    @property
    def full_shape(self) -> Shape:
        """Lengths of the three ranges."""
        return len(self.z), len(self.y), len(self.x)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what numpy gives for the key."""
        kept = zip(self.full_shape, self.dropped, strict=True)
        return tuple(length for length, gone in kept if not gone)

    @property
    def within(self) -> tuple[slice, slice]:
        """The key of its part of a plane, always two-dimensional."""
        return _as_slice(self.y), _as_slice(self.x)


@dataclass(frozen=True)
class Points:
    """What arrays of indices name: z, y and x of each pixel, none negative, of one shape."""

    z: NDArray[np.intp]
    y: NDArray[np.intp]
    x: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what numpy gives for the key."""
        return self.z.shape

    def by_slice(self) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Each z with True for its points, by rising z."""
        for z in np.unique(self.z).tolist():
            yield z, self.z == z


@dataclass(frozen=True)
class Edit:
    """What becomes of one plane.

    Attributes
    ----------
    rows, columns : range
        Those that may change.
    within : (slice, slice)
        The key of this part of the plane.
    paint : callable
        Changes the part in place.
    """

    rows: range
    columns: range
    within: tuple[slice, slice]
    paint: Callable[[NDArray[np.uint8]], None]


def edits_of(wanted: Box | Points, values: NDArray[np.uint8]) -> dict[int, Edit]:
    """Say by z what assigning `values`, of the shape of `wanted`, does to each plane."""
    if isinstance(wanted, Box):
        planes = values.reshape(wanted.full_shape)
        if not (wanted.y and wanted.x):
            return {}
        return {
            z: Edit(wanted.y, wanted.x, wanted.within, _painter(..., planes[row]))
            for row, z in enumerate(wanted.z)
        }
    return {z: _dots(wanted, values, here) for z, here in wanted.by_slice()}


def parse_key(key: Any, shape: Shape) -> Box | Points:
    """Read what stands in brackets after an array of `shape`.

    Parameters
    ----------
    key
        Ints, slices and an ellipsis; or three arrays of ints; or one mask of `shape`.
    shape : (int, int, int)
        (z, y, x).

    Raises
    ------
    IndexError
        For other keys, and for indices outside `shape`.
    """
    if isinstance(key, np.ndarray) and key.dtype.kind == "b" and key.shape == shape:
        return Points(*np.nonzero(key))
    keys = list(key) if isinstance(key, tuple) else [key]
    if any(isinstance(part, list) or np.ndim(part) > 0 for part in keys if _is_array(part)):
        return _points(keys, shape)
    return _box(keys, shape)


def as_labels(value: Any) -> NDArray[np.uint8]:
    """Bring what is assigned to uint8; ValueError where it is no whole number from 0 to 255."""
    array = np.asarray(value)
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "bui" or (array.size and (array.min() < 0 or array.max() > 255)):
        raise ValueError("labels are whole numbers from 0 to 255")
    return array.astype(np.uint8)


def _dots(points: Points, values: NDArray[np.uint8], here: NDArray[np.bool_]) -> Edit:
    y, x = points.y[here], points.x[here]
    rows, columns = range(y.min(), y.max() + 1), range(x.min(), x.max() + 1)
    paint = _painter((y - y.min(), x - x.min()), values[here])
    return Edit(rows, columns, (_as_slice(rows), _as_slice(columns)), paint)


def _painter(key: Any, values: NDArray[np.uint8]) -> Callable[[NDArray[np.uint8]], None]:
    def paint(part: NDArray[np.uint8]) -> None:
        part[key] = values

    return paint


def _is_array(part: Any) -> bool:
    return isinstance(part, list | np.ndarray)


def _points(keys: list[Any], shape: Shape) -> Points:
    if len(keys) != 3 or any(isinstance(part, slice) or part is Ellipsis for part in keys):
        raise IndexError("arrays of indices are taken for all of z, y and x together")
    arrays = [np.asarray(part) for part in keys]
    if any(array.dtype.kind not in "iu" and array.size for array in arrays):
        raise IndexError("arrays of indices hold whole numbers")
    whole = [
        _inside(array.astype(np.intp), length) for array, length in zip(arrays, shape, strict=True)
    ]
    return Points(*np.broadcast_arrays(*whole))


def _inside(array: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    if array.size and (array.min() < -length or array.max() >= length):
        raise IndexError(f"an index lies outside an axis of {length}")
    return np.where(array < 0, array + length, array)


def _box(keys: list[Any], shape: Shape) -> Box:
    dots = [place for place, part in enumerate(keys) if part is Ellipsis]
    if dots:
        keys[dots[0] : dots[0] + 1] = [slice(None)] * (4 - len(keys))
    if len(keys) > 3 or len(dots) > 1:
        raise IndexError(f"too many indices for (z, y, x): {keys}")
    keys += [slice(None)] * (3 - len(keys))
    z, y, x = (_range(part, length) for part, length in zip(keys, shape, strict=True))
    dropped = tuple(not isinstance(part, slice) for part in keys)
    return Box(z, y, x, (dropped[0], dropped[1], dropped[2]))


def _range(part: Any, length: int) -> range:
    if isinstance(part, slice):
        return range(*part.indices(length))
    try:
        index = operator.index(part)
    except TypeError as error:
        raise IndexError(f"{part!r} is no index") from error
    if not -length <= index < length:
        raise IndexError(f"index {index} lies outside an axis of {length}")
    return range(index % length, index % length + 1)


def _as_slice(wanted: range) -> slice:
    if not wanted:
        return slice(0, 0)
    # A falling range that reaches 0 ends before it, which -1 would not say.
    return slice(wanted.start, wanted.stop if wanted.stop >= 0 else None, wanted.step)

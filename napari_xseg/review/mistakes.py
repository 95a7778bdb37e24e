"""Misclassified pixels: a map of them, and the connected mistakes, largest first.

Slices come one at a time; what is kept of each is one row a mistake, never the
slice. A `MistakeFinder` and a `mistakes_writer` are visitors of
`review.evaluation.evaluate_volumes`, so that one pass over the files does all.
"""

from __future__ import annotations

import csv
import itertools
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.metrics import IGNORE
from napari_xseg.review.border import border_band

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.volume import VoxelSize
    from napari_xseg.review.matching import IndexMap

_ROW = np.dtype(
    [
        ("pixels", np.int64),
        ("border_pixels", np.int64),
        ("z", np.int32),
        ("z0", np.int32),
        ("z1", np.int32),
        ("y", np.float64),
        ("x", np.float64),
        ("y0", np.int32),
        ("y1", np.int32),
        ("x0", np.int32),
        ("x1", np.int32),
        ("true", np.uint8),
        ("predicted", np.uint8),
    ]
)

CSV_FIELDS = (
    *("rank", "pixels", "z", "y", "x", "true", "predicted", "true_value", "predicted_value"),
    *("touches_border", "border_pixels"),
    *("z_start", "z_stop", "y_start", "y_stop", "x_start", "x_stop"),
)
_CSV_BLOCK = 1 << 14


@dataclass(frozen=True, slots=True)
class Mistake:
    """Connected pixels of one true class that were predicted as one other class.

    Parameters
    ----------
    pixels, border_pixels : int
        Size, and how much of it lies in the band around class borders.
    z : int
        Its slice; the one where it is largest if it spans several.
    y, x : float
        Centre of mass in that slice, in pixels.
    z_range, y_range, x_range : (int, int)
        Bounding box, half-open.
    true, predicted : int
        Class indices.
    """

    pixels: int
    border_pixels: int
    z: int
    y: float
    x: float
    z_range: tuple[int, int]
    y_range: tuple[int, int]
    x_range: tuple[int, int]
    true: int
    predicted: int

    @property
    def touches_border(self) -> bool:
        """Whether any of its pixels lies in the band around class borders."""
        return self.border_pixels > 0


@dataclass(frozen=True, eq=False)
class Mistakes:
    """All connected mistakes, largest first; `rows` is a structured array, one row each."""

    classes: ClassTable
    rows: NDArray[np.void]

    def __len__(self) -> int:
        """Count the mistakes."""
        return len(self.rows)

    def __getitem__(self, index: int) -> Mistake:
        """Return the mistake at `index`, 0 the largest."""
        return _mistake(self.rows[index])

    def __iter__(self) -> Iterator[Mistake]:
        """Go through the mistakes, largest first."""
        return map(_mistake, self.rows)

    @property
    def pixels(self) -> int:
        """Misclassified pixels in all."""
        return int(self.rows["pixels"].sum())

    def of_slice(self, z: int) -> Mistakes:
        """Keep the mistakes that reach into slice `z`."""
        return Mistakes(self.classes, self.rows[(self.rows["z0"] <= z) & (z < self.rows["z1"])])

    def csv_rows(self) -> Iterator[tuple[Any, ...]]:
        """Go through the rows of the CSV, in the order of `CSV_FIELDS`."""
        for start in range(0, len(self), _CSV_BLOCK):
            rows = self.rows[start : start + _CSV_BLOCK]
            ranks = range(start + 1, start + len(rows) + 1)
            yield from zip(ranks, *self._csv_columns(rows), strict=True)

    def _csv_columns(self, rows: NDArray[np.void]) -> list[list[Any]]:
        names, values = np.array(self.classes.names, object), np.array(self.classes.values)
        centre = [np.char.mod("%.2f", rows[axis]) for axis in "yx"]
        sides = [rows["true"], rows["predicted"]]
        columns = [
            *(rows["pixels"], rows["z"], *centre),
            *(names[side] for side in sides),
            *(values[side] for side in sides),
            *((rows["border_pixels"] > 0).astype(int), rows["border_pixels"]),
            *(rows[f"{axis}{end}"] for axis in "zyx" for end in "01"),
        ]
        return [column.tolist() for column in columns]

    def write_csv(self, path: Path) -> None:
        """Write the mistakes, largest first, to a UTF-8 CSV file; ranges are half-open."""
        from napari_xseg.data.writing import atomic_path

        with (
            atomic_path(path) as unfinished,
            unfinished.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(CSV_FIELDS)
            writer.writerows(self.csv_rows())


def join_mistakes(classes: ClassTable, parts: Iterable[Mistakes]) -> Mistakes:
    """Put the mistakes of several slices into one list, largest first."""
    rows = [part.rows for part in parts]
    joined = np.concatenate(rows) if rows else np.empty(0, _ROW)
    return Mistakes(classes, joined[_largest_first(joined)])


class MistakeFinder:
    """Collect the connected mistakes of slices visited in order.

    Parameters
    ----------
    classes : ClassTable
        The classes of the index maps.
    border : int
        Half-width in pixels of the band around class borders.
    across_slices : bool
        Join mistakes of consecutive z (26-connectivity); otherwise each slice is
        on its own (8-connectivity).
    """

    def __init__(
        self, classes: ClassTable, border: int = 2, *, across_slices: bool = False
    ) -> None:
        self._classes = classes
        self._border = border
        self._across_slices = across_slices
        self._rows: list[NDArray[np.void]] = []
        self._links: list[NDArray[np.int64]] = []
        self._found = 0
        self._last: _Labelled | None = None

    def visit(
        self,
        z: int,
        truth: IndexMap,
        prediction: IndexMap,
        band: NDArray[np.bool_] | None = None,
    ) -> None:
        """Take the mistakes of slice `z` from two uint8 (y, x) index maps.

        `band`, bool (y, x), is the one around class borders where it is known already.
        """
        codes = _pair_codes(truth, prediction)
        numbers = _connected(codes)
        if band is None:
            band = border_band(truth, self._border)
        rows = _measure(z, codes, numbers, band)
        if self._across_slices:
            self._link(_Labelled(z, codes, numbers, self._found))
        self._rows.append(rows)
        self._found += len(rows)

    def mistakes(self) -> Mistakes:
        """Return the mistakes of all slices visited so far, largest first."""
        rows = np.concatenate(self._rows) if self._rows else np.empty(0, _ROW)
        if self._links:
            rows = _join(rows, np.concatenate(self._links, axis=1))
        return Mistakes(self._classes, rows[_largest_first(rows)])

    def _link(self, now: _Labelled) -> None:
        last, self._last = self._last, now
        if last is not None and now.z == last.z + 1:
            self._links.append(_touching(last, now))


@contextmanager
def mistakes_writer(
    path: Path,
    shape: tuple[int, int, int],
    classes: ClassTable,
    *,
    voxel_size: VoxelSize | None = None,
    overwrite: bool = False,
) -> Iterator[Callable[[int, IndexMap, IndexMap], None]]:
    """Write the mistakes map of each visited slice to a TIFF or Zarr.

    Slices are stored in the order of the visits; 0 is right or unlabelled and
    shown black, k + 1 a mistake in the colour of its true class k. The file
    stands under `path` only after all `shape[0]` slices were visited.
    """
    from napari_xseg.data.writing import create_writer

    colours = {0: (0, 0, 0)} | {index + 1: rgb for index, rgb in enumerate(classes.colours)}
    with create_writer(
        path, shape, np.uint8, voxel_size=voxel_size, colours=colours, overwrite=overwrite
    ) as writer:
        place = itertools.count()
        yield lambda _, truth, prediction: writer.write(
            next(place), mistakes_map(truth, prediction)
        )


def mistakes_map(truth: IndexMap, prediction: IndexMap) -> IndexMap:
    """Mark what is wrong by its true class.

    Parameters
    ----------
    truth, prediction : uint8 arrays of one shape
        Index maps, 255 where unlabelled or not predicted.

    Returns
    -------
    uint8 array
        0 where right or 255 in either, k + 1 where wrong and the true class is k.
    """
    return np.where(_wrong(truth, prediction), truth + np.uint8(1), np.uint8(0))


@dataclass(frozen=True, eq=False, slots=True)
class _Labelled:
    z: int
    codes: NDArray[np.uint16]
    numbers: NDArray[np.int64]
    offset: int


def _wrong(truth: IndexMap, prediction: IndexMap) -> NDArray[np.bool_]:
    wrong: NDArray[np.bool_] = truth != prediction
    wrong &= truth != IGNORE
    wrong &= prediction != IGNORE
    return wrong


def _pair_codes(truth: IndexMap, prediction: IndexMap) -> NDArray[np.uint16]:
    codes = truth.astype(np.uint16) * 256 + prediction
    # True and predicted class differ where wrong, so a code of 0 is never a mistake.
    codes[~_wrong(truth, prediction)] = 0
    return codes


def _connected(codes: NDArray[np.uint16]) -> NDArray[np.int64]:
    import cc3d

    numbers: NDArray[Any] = cc3d.connected_components(codes, connectivity=8)
    return numbers.astype(np.int64)


def _measure(
    z: int,
    codes: NDArray[np.uint16],
    numbers: NDArray[np.int64],
    band: NDArray[np.bool_],
) -> NDArray[np.void]:
    ys, xs = np.nonzero(codes)
    which = numbers[ys, xs] - 1
    rows = np.zeros(int(which.max()) + 1 if which.size else 0, _ROW)
    count = len(rows)
    rows["pixels"] = np.bincount(which, minlength=count)
    rows["border_pixels"] = np.bincount(which[band[ys, xs]], minlength=count)
    rows["z"], rows["z0"], rows["z1"] = z, z, z + 1
    for axis, places in (("y", ys), ("x", xs)):
        rows[axis] = np.bincount(which, weights=places, minlength=count) / rows["pixels"]
        rows[f"{axis}0"] = _extreme(np.minimum, which, places, count)
        rows[f"{axis}1"] = _extreme(np.maximum, which, places, count) + 1
    rows["true"][which], rows["predicted"][which] = np.divmod(codes[ys, xs], 256)
    return rows


def _extreme(
    pick: np.ufunc, which: NDArray[np.int64], places: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(count))
    extreme: NDArray[np.int64] = pick.reduceat(places[order], starts) if count else places
    return extreme


def _touching(last: _Labelled, now: _Labelled) -> NDArray[np.int64]:
    ys, xs = np.nonzero(now.codes)
    codes, numbers = np.pad(last.codes, 1), np.pad(last.numbers, 1)
    above = now.numbers[ys, xs] + now.offset
    found = []
    for down, right in itertools.product(range(3), repeat=2):
        same = codes[ys + down, xs + right] == now.codes[ys, xs]
        below = numbers[ys + down, xs + right][same] + last.offset
        found.append((below - 1) << 32 | (above[same] - 1))
    links = np.unique(np.concatenate(found))
    return np.stack([links >> 32, links & 0xFFFFFFFF])


def _join(rows: NDArray[np.void], links: NDArray[np.int64]) -> NDArray[np.void]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(links.shape[1], bool), tuple(links)), shape=(len(rows),) * 2)
    count, groups = connected_components(graph, directed=False)
    # Within a group the largest cross-section comes first: it gives z, y and x.
    order = np.lexsort((rows["z"], -rows["pixels"], groups))
    ordered, starts = rows[order], np.searchsorted(groups[order], np.arange(count))
    joined = ordered[starts]
    for field in ("pixels", "border_pixels"):
        joined[field] = np.add.reduceat(ordered[field], starts)
    for axis in "zyx":
        joined[f"{axis}0"] = np.minimum.reduceat(ordered[f"{axis}0"], starts)
        joined[f"{axis}1"] = np.maximum.reduceat(ordered[f"{axis}1"], starts)
    return joined


def _largest_first(rows: NDArray[np.void]) -> NDArray[np.intp]:
    return np.lexsort((rows["x0"], rows["y0"], rows["z"], -rows["pixels"]))


def _mistake(row: np.void) -> Mistake:
    return Mistake(
        pixels=int(row["pixels"]),
        border_pixels=int(row["border_pixels"]),
        z=int(row["z"]),
        y=float(row["y"]),
        x=float(row["x"]),
        z_range=(int(row["z0"]), int(row["z1"])),
        y_range=(int(row["y0"]), int(row["y1"])),
        x_range=(int(row["x0"]), int(row["x1"])),
        true=int(row["true"]),
        predicted=int(row["predicted"]),
    )

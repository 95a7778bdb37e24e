"""Suspects: one row each, the ones with most to mend first."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from napari_xseg.metrics import IGNORE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_xseg.data.classes import ClassTable

Kind = Literal["confidence", "flips", "models", "neighbours", "fragment", "hole", "drift"]
# A suspect's kind is its place in here, in files too: others go to the end.
KINDS: tuple[Kind, ...] = get_args(Kind)
KIND_WORDS: dict[Kind, str] = {
    "confidence": "low confidence",
    "flips": "differs when turned",
    "models": "models differ",
    "neighbours": "in one slice alone",
    "fragment": "fragment",
    "hole": "hole",
    "drift": "grey values drift",
}

ROW = np.dtype(
    [
        ("kind", np.uint8),
        ("kinds", np.uint8),
        ("strength", np.float32),
        ("pixels", np.int64),
        ("z", np.int32),
        ("y", np.float32),
        ("x", np.float32),
        ("y0", np.int32),
        ("y1", np.int32),
        ("x0", np.int32),
        ("x1", np.int32),
        ("found", np.uint8),
        ("other", np.uint8),
    ]
)

CSV_FIELDS = (
    *("rank", "kind", "kinds", "strength", "pixels", "z", "y", "x", "found", "other"),
    *("y_start", "y_stop", "x_start", "x_stop", "words"),
)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A place of a mask that is probably wrong.

    Parameters
    ----------
    rank : int
        1 for the first one to look at.
    kind, kinds : str, tuple of str
        What says so most strongly, and all that say so.
    strength : float
        0 to 1: the share of its pixels that are probably wrong.
    pixels : int
        Its size in its slice.
    z : int
        Its slice.
    y, x : float
        Its centre, in pixels.
    y_range, x_range : (int, int)
        Bounding box, half open.
    found, other : int or None
        Index of the class in the mask there, and of the one that it may be; None
        where nothing tells.
    """

    rank: int
    kind: Kind
    kinds: tuple[Kind, ...]
    strength: float
    pixels: int
    z: int
    y: float
    x: float
    y_range: tuple[int, int]
    x_range: tuple[int, int]
    found: int | None
    other: int | None

    @property
    def z_range(self) -> tuple[int, int]:
        """The slices that it lies in, half open."""
        return self.z, self.z + 1


@dataclass(frozen=True, eq=False)
class Suspects:
    """Ranked suspects; `rows` is a structured array of dtype `ROW`, in the order of the ranks.

    `ranks` (n,) are those that they have in the whole list, where this is a part of it.
    """

    classes: ClassTable
    rows: NDArray[np.void]
    ranks: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """Count them."""
        return len(self.rows)

    def __getitem__(self, index: int) -> Suspect:
        """Give the suspect at place `index`."""
        rank = range(len(self))[index] + 1 if self.ranks is None else int(self.ranks[index])
        return _suspect(self.rows[index], rank)

    def __iter__(self) -> Iterator[Suspect]:
        """Go through them, the first to look at first."""
        return (self[index] for index in range(len(self)))

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Suspects:
        """Give a part, the ranks kept."""
        ranks = np.arange(1, len(self) + 1) if self.ranks is None else self.ranks
        return Suspects(self.classes, self.rows[chosen], ranks[chosen])

    def top(self, count: int) -> Suspects:
        """Give the first `count`."""
        return self.where(slice(0, max(0, count)))

    def of_slice(self, z: int) -> Suspects:
        """Give those of slice `z`."""
        return self.where(self.rows["z"] == z)

    def of_kinds(self, kinds: Collection[Kind]) -> Suspects:
        """Give those of which any of `kinds` says so."""
        bits = sum(1 << KINDS.index(kind) for kind in set(kinds))
        return self.where((self.rows["kinds"] & np.uint8(bits)) > 0)

    def words(self, suspect: Suspect) -> str:
        """Say in a few words what is suspicious."""
        names = self.classes.names
        found = "" if suspect.found is None else names[suspect.found]
        other = "" if suspect.other is None else names[suspect.other]
        return _words(suspect, found, other)

    def csv_rows(self) -> Iterator[tuple[Any, ...]]:
        """Go through the rows of the CSV, in the order of `CSV_FIELDS`."""
        names = self.classes.names
        for one in self:
            yield (
                *(one.rank, one.kind, "+".join(one.kinds), f"{one.strength:.3f}", one.pixels),
                *(one.z, f"{one.y:.1f}", f"{one.x:.1f}"),
                *("" if index is None else names[index] for index in (one.found, one.other)),
                *(*one.y_range, *one.x_range, self.words(one)),
            )

    def write_csv(self, path: Path) -> None:
        """Write them to a UTF-8 CSV file, whole or not at all; ranges are half open."""
        from napari_xseg.data.writing import atomic_path

        with (
            atomic_path(path) as unfinished,
            unfinished.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(CSV_FIELDS)
            writer.writerows(self.csv_rows())


def _words(suspect: Suspect, found: str, other: str) -> str:
    size = f"{suspect.pixels} pixel{'s'[: suspect.pixels != 1]}"
    match suspect.kind:
        case "fragment":
            return f"a piece of {found} of {size} alone"
        case "hole":
            return f"a hole of {size} in {other}, filled with {found}"
        case "neighbours":
            return f"{size} of {found} in this slice alone, {other} above and below"
        case "models":
            return f"{size} of {found}; the second opinion is {other}"
        case "flips":
            return f"{size} of {_either(found, other)}, otherwise when the slice is turned"
        case "drift":
            return "grey values of the slice lie off those of the volume"
    return f"{size} of {_either(found, other)}, the model is not sure"


def _either(found: str, other: str) -> str:
    return f"{found} or {other}" if other else found


def _suspect(row: np.void, rank: int) -> Suspect:
    kinds = tuple(kind for place, kind in enumerate(KINDS) if int(row["kinds"]) >> place & 1)
    found, other = (None if row[name] == IGNORE else int(row[name]) for name in ("found", "other"))
    return Suspect(
        rank=rank,
        kind=KINDS[int(row["kind"])],
        kinds=kinds,
        strength=float(row["strength"]),
        pixels=int(row["pixels"]),
        z=int(row["z"]),
        y=float(row["y"]),
        x=float(row["x"]),
        y_range=(int(row["y0"]), int(row["y1"])),
        x_range=(int(row["x0"]), int(row["x1"])),
        found=found,
        other=other,
    )

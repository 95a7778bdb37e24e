"""Label values in files, class indices in memory, and the table between them.

A class has an index 0..C-1, a name, a colour and its value in files. Index maps
are uint8 and hold `IGNORE` where a pixel is not labelled or not predicted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tomli_w

from napari_xseg.config import read_toml
from napari_xseg.data.class_file import parse_table
from napari_xseg.data.coding import (
    IGNORE,
    MAX_CLASSES,
    OUTSIDE,
    as_integers,
    fits,
    look_up,
    smallest_dtype,
    smallest_unused,
)
from napari_xseg.data.colours import (
    COLOUR_BLIND,
    DEFAULT_COLOURS,
    Colour,
    hex_colour,
    pack_colour,
    pick_colours,
    unpack_colour,
)
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import DTypeLike, NDArray

__all__ = [
    "COLOUR_BLIND",
    "DEFAULT_COLOURS",
    "IGNORE",
    "MAX_CLASSES",
    "ClassSpec",
    "ClassTable",
    "CountRow",
    "table_with_counts",
]


@dataclass(frozen=True, slots=True)
class ClassSpec:
    """One class: its name, its integer value in files and its RGB colour (0..255 each)."""

    name: str
    value: int
    colour: Colour


@dataclass(frozen=True, slots=True)
class CountRow:
    """One line of a printed class table; `fraction` is of the labelled pixels, else None."""

    value: int
    name: str
    colour: str
    pixels: int
    fraction: float | None


@dataclass(frozen=True)
class ClassTable:
    """The classes of a label file, in the order of their indices.

    Parameters
    ----------
    classes : tuple of ClassSpec
        1 to 254 classes with different names, values and colours.
    unlabelled : int
        File value of pixels that are not labelled or not predicted; no class's value.
    unlabelled_in_files : bool
        False where `unlabelled` was only chosen because nobody uses it: a label
        file that holds it then has a value outside the table.
    unlabelled_colour : (int, int, int) or None
        In RGB label files the colour of unlabelled pixels, None where there is none.

    Raises
    ------
    XsegError
        Duplicates, too many classes, or a class that has the unlabelled value.
    """

    classes: tuple[ClassSpec, ...]
    unlabelled: int
    unlabelled_in_files: bool = True
    unlabelled_colour: Colour | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.classes) <= MAX_CLASSES:
            raise XsegError(
                f"class table: {len(self.classes)} classes, expected 1 to {MAX_CLASSES}; "
                "list each class once."
            )
        _refuse_duplicates("name", self.names)
        _refuse_duplicates("value", self.values)
        _refuse_duplicates("colour", [hex_colour(colour) for colour in self.colours])
        if self.unlabelled in self.values:
            name = self.names[self.values.index(self.unlabelled)]
            raise XsegError(
                f"class table: the value {self.unlabelled} is both class {name!r} and unlabelled; "
                "give them different values."
            )
        smallest_dtype((*self.values, self.unlabelled))  # says where no file can hold them
        if self.unlabelled_colour is not None and self.unlabelled_colour in self.colours:
            shown = hex_colour(self.unlabelled_colour)
            raise XsegError(
                f"class table: the colour {shown} is both a class and unlabelled; "
                "give them different colours."
            )

    @classmethod
    def from_values(
        cls, values: Iterable[int], *, unlabelled: int | None = None, source: str = "labels"
    ) -> ClassTable:
        """Make the table of a file that holds `values`: by rising value, default names and colours.

        Without `unlabelled` the smallest value from 0 on that is not in use is
        taken (1 for 0, 128, 255). More than 254 values raise XsegError.
        """
        found = sorted({int(value) for value in values} - {unlabelled})
        _check_count(len(found), source)
        colours = pick_colours(len(found))
        classes = tuple(
            ClassSpec(f"class {index}", value, colours[index]) for index, value in enumerate(found)
        )
        if unlabelled is None:
            return cls(classes, smallest_unused(found), unlabelled_in_files=False)
        return cls(classes, int(unlabelled))

    @classmethod
    def from_colours(
        cls, packed: Iterable[int], *, unlabelled: int | None = None, source: str = "labels"
    ) -> ClassTable:
        """Make the table of RGB labels: each colour a class, by rising `r << 16 | g << 8 | b`.

        The classes keep their colours and get the values 0..C-1, so that masks
        are index masks; `unlabelled` is the packed colour of unlabelled pixels.
        """
        found = sorted({int(value) for value in packed} - {unlabelled})
        _check_count(len(found), source)
        classes = tuple(
            ClassSpec(f"class {index}", index, unpack_colour(value))
            for index, value in enumerate(found)
        )
        if unlabelled is None:
            return cls(classes, len(found), unlabelled_in_files=False)
        return cls(classes, len(found), unlabelled_colour=unpack_colour(unlabelled))

    @classmethod
    def from_dict(cls, table: dict[str, Any], source: str = "class table") -> ClassTable:
        """Read the table that `to_dict` wrote, or a person; XsegError names `source`."""
        try:
            parts = parse_table(table)
            specs = map(ClassSpec, parts.names, parts.values, parts.colours)
            return cls(
                tuple(specs), parts.unlabelled, parts.unlabelled_in_files, parts.unlabelled_colour
            )
        except XsegError as error:
            raise XsegError(f"{source}: {str(error).removeprefix('class table: ')}") from error

    @classmethod
    def from_toml(cls, path: str | Path) -> ClassTable:
        """Read the table from the TOML file at `path`; the order of its classes is kept.

        The file has one `[[classes]]` block a class with `value`, `name` and
        `colour` ("#rrggbb" or [r, g, b]), and one `unlabelled` value; name,
        colour and `unlabelled` may be left out.
        """
        return cls.from_dict(read_toml(Path(path)), str(path))

    def to_dict(self) -> dict[str, Any]:
        """Give the table as plain JSON values."""
        table: dict[str, Any] = {"unlabelled": self.unlabelled}
        if not self.unlabelled_in_files:
            table["unlabelled_in_files"] = False
        if self.unlabelled_colour is not None:
            table["unlabelled_colour"] = hex_colour(self.unlabelled_colour)
        table["classes"] = [
            {"name": spec.name, "value": spec.value, "colour": hex_colour(spec.colour)}
            for spec in self.classes
        ]
        return table

    def to_toml(self) -> str:
        """Give the table as TOML text that `from_toml` reads."""
        return tomli_w.dumps(self.to_dict())

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def values(self) -> tuple[int, ...]:
        """File values by class index."""
        return tuple(spec.value for spec in self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Names by class index."""
        return tuple(spec.name for spec in self.classes)

    @property
    def colours(self) -> tuple[Colour, ...]:
        """RGB colours by class index."""
        return tuple(spec.colour for spec in self.classes)

    @property
    def file_dtype(self) -> np.dtype[Any]:
        """The first of uint8, uint16, int16, uint32, int32, ... that holds all file values."""
        return smallest_dtype((*self.values, self.unlabelled))

    def why_not_as(self, known: ClassTable) -> str:
        """Why what knows the classes `known` cannot go on with these; empty where it can.

        A network knows classes by their indices alone, so their number and order have to
        be the same: by the values in files, whatever the names are today, or by the names.
        """
        if self.values == known.values or self.names == known.names:
            return ""
        return f"knows the classes {_told(known)}, the labels have {_told(self)}"

    def with_colours(self, colours: Sequence[Colour] = DEFAULT_COLOURS) -> ClassTable:
        """Give the same classes other colours, such as COLOUR_BLIND."""
        fresh = pick_colours(len(self), colours)
        return replace(
            self,
            classes=tuple(
                replace(spec, colour=colour)
                for spec, colour in zip(self.classes, fresh, strict=True)
            ),
            unlabelled_colour=None,
        )

    def encode(
        self,
        plane: NDArray[Any],
        *,
        source: str = "labels",
        colours: bool = False,
        strict: bool = False,
    ) -> NDArray[np.uint8]:
        """File values to class indices, 255 where unlabelled.

        Parameters
        ----------
        plane : ndarray of integers, any shape
            File values; with `colours` RGB packed as `r << 16 | g << 8 | b`.
        source : str
            What the error names: the file or slice.
        strict : bool
            The unlabelled value counts as a class's only where files may hold it.

        Raises
        ------
        XsegError
            A value outside the table: it is named with its pixel count and the mend.
        """
        plane = as_integers(plane, source)
        keys = tuple(map(pack_colour, self.colours)) if colours else self.values
        index = look_up(plane, keys, self._unlabelled_key(colours, strict))
        if (index == OUTSIDE).any():
            raise XsegError(self._outside_message(plane[index == OUTSIDE], source, colours))
        return index

    def decode(
        self, index_map: NDArray[np.uint8], dtype: DTypeLike | None = None
    ) -> NDArray[np.integer[Any]]:
        """Class indices to file values of `dtype` (default `file_dtype`), 255 to unlabelled.

        XsegError where `dtype` cannot hold a value, ValueError where an index has no class.
        """
        wanted = self.file_dtype if dtype is None else np.dtype(dtype)
        if wanted.kind not in "iu" or not fits((*self.values, self.unlabelled), wanted):
            raise XsegError(
                f"class table: the values {_listed(self.values)} and {self.unlabelled} "
                f"(unlabelled) do not fit {wanted}; expected {self.file_dtype}."
            )
        if ((index_map >= len(self)) & (index_map != IGNORE)).any():
            raise ValueError(f"index map holds an index beyond the {len(self)} classes")
        table = np.full(256, self.unlabelled, dtype=wanted)
        table[: len(self)] = self.values
        decoded: NDArray[np.integer[Any]] = table[index_map]
        return decoded

    def to_layer(self, index_map: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Index map to the values of our napari Labels layers: class k is k + 1, 0 unlabelled."""
        return np.add(index_map, 1, dtype=np.uint8)  # 255 wraps to 0

    def from_layer(self, layer: NDArray[Any], source: str = "layer") -> NDArray[np.uint8]:
        """Values of a Labels layer of ours to an index map; XsegError for k beyond the classes."""
        if layer.size and (layer.min() < 0 or layer.max() > len(self)):
            raise XsegError(
                f"{source}: label {layer.max() if layer.min() >= 0 else layer.min()} has no class; "
                f"expected 0 (not labelled) to {len(self)}; convert the layer or repaint it."
            )
        return np.subtract(layer.astype(np.uint8), 1, dtype=np.uint8)  # 0 wraps to 255

    def _unlabelled_key(self, colours: bool, strict: bool) -> int | None:
        if colours:
            return None if self.unlabelled_colour is None else pack_colour(self.unlabelled_colour)
        return None if strict and not self.unlabelled_in_files else self.unlabelled

    def _outside_message(self, outside: NDArray[Any], source: str, colours: bool) -> str:
        values, counts = np.unique(outside, return_counts=True)
        shown = [hex_colour(unpack_colour(v)) if colours else str(v) for v in values.tolist()]
        found = _listed(
            [f"{v} ({n:,} pixels)" for v, n in zip(shown, counts.tolist(), strict=True)], 4
        )
        known = [hex_colour(c) for c in self.colours] if colours else list(map(str, self.values))
        what = "colour" if colours else "value"
        return (
            f"{source}: found the label {what} {found} outside the class table "
            f"({_listed(known)}); add it to the table (--classes), correct the labels, or "
            f"name it with --unlabelled {shown[0]} where it means not labelled."
        )


def table_with_counts(
    table: ClassTable, counts: Sequence[int] | NDArray[np.int64], unlabelled: int = 0
) -> tuple[CountRow, ...]:
    """Rows for printing: each class with its pixel count, then the unlabelled pixels.

    `counts` has one pixel count a class; fractions are of the labelled pixels.
    """
    total = sum(int(count) for count in counts)
    rows = [
        CountRow(
            spec.value,
            spec.name,
            hex_colour(spec.colour),
            int(count),
            int(count) / total if total else 0.0,
        )
        for spec, count in zip(table.classes, counts, strict=True)
    ]
    return (*rows, CountRow(table.unlabelled, "unlabelled", "", int(unlabelled), None))


def _told(table: ClassTable) -> str:
    return ", ".join(f"{spec.name} ({spec.value})" for spec in table.classes)


def _listed(items: Sequence[object], most: int = 12) -> str:
    shown = ", ".join(str(item) for item in items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown


def _refuse_duplicates(what: str, items: Sequence[object]) -> None:
    for item, times in Counter(items).items():
        if times > 1:
            raise XsegError(
                f"class table: the {what} {item!r} occurs {times} times; "
                f"give every class its own {what}."
            )


def _check_count(count: int, source: str) -> None:
    if count > MAX_CLASSES:
        raise XsegError(
            f"{source}: found {count} different values, expected {MAX_CLASSES} classes at most: "
            "it looks like an image, not labels; give the label masks."
        )
    if count == 0:
        raise XsegError(f"{source}: no labelled pixel found; label some pixels of each class.")

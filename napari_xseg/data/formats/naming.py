"""What file names say: natural order, slice numbers, and which files are one series."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIGITS = re.compile(r"([0-9]+)")
# One odd file in twenty, and at least one, is a stray beside a series of ten or more.
_STRAYS, _LONG_SERIES = 0.05, 10
_SUFFIXES = {".tiff": ".tif", ".jpeg": ".jpg"}


@dataclass(frozen=True)
class Series:
    """Files whose names differ in one number alone.

    Attributes
    ----------
    pattern
        The name with `#` in the number's place.
    names
        File names in natural order.
    numbers
        The number in each name; None where a name has none.
    """

    pattern: str
    names: tuple[str, ...]
    numbers: tuple[int | None, ...]

    @property
    def runs(self) -> tuple[int, ...]:
        """Lengths of the stretches of consecutive numbers."""
        lengths: list[int] = []
        previous: int | None = None
        for number in self.numbers:
            if lengths and number is not None and previous is not None and number == previous + 1:
                lengths[-1] += 1
            else:
                lengths.append(1)
            previous = number
        return tuple(lengths)


@dataclass(frozen=True)
class Naming:
    """The series that make up a folder, and the names that belong to none of them."""

    series: tuple[Series, ...]
    strays: tuple[str, ...]


def natural_key(name: str) -> tuple[tuple[tuple[int, int | str], ...], str]:
    """Give a sort key by which `slice 2.tif` comes before `slice 10.tif`, whatever the case."""
    stem, suffix = _split(name)
    parts = _DIGITS.split(stem)
    key = [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]
    return (*key, (1, suffix)), name


def trailing_number(name: str) -> int | None:
    """Read the last number in a file name's stem; None where there is none."""
    found = _DIGITS.findall(_split(name)[0])
    return int(found[-1]) if found else None


def understand(names: Sequence[str]) -> Naming:
    """Sort file names into series.

    Names are of one series where they differ in one number alone, case and the
    spelling of the suffix (.tif, .TIFF) apart. A few names beside one series that
    holds nearly all are strays; otherwise every name is kept.

    Parameters
    ----------
    names
        File names without folders.

    Returns
    -------
    Naming
        Series in natural order of their first names.
    """
    kinds: dict[str, list[str]] = defaultdict(list)
    for name in names:
        stem, suffix = _split(name)
        kinds[_DIGITS.sub("#", stem) + suffix].append(name)
    series = [one for kind in kinds.values() for one in _series_of(kind)]
    series.sort(key=lambda one: natural_key(one.names[0]))
    return _without_strays(series)


def shared_numbers(naming: Naming) -> tuple[Series, Series] | None:
    """Find two series of several files that count with the same numbers."""
    owner: dict[int, Series] = {}
    for series in naming.series:
        if len(series.names) < 2:
            continue
        for number in series.numbers:
            if number is not None and owner.setdefault(number, series) is not series:
                return owner[number], series
    return None


def repeated_number(series: Series) -> tuple[str, str] | None:
    """Find two names of one series with the same number, as `a1.tif` and `a01.tif`."""
    seen: dict[int, str] = {}
    for name, number in zip(series.names, series.numbers, strict=True):
        if number is not None and seen.setdefault(number, name) != name:
            return seen[number], name
    return None


def _split(name: str) -> tuple[str, str]:
    path = PurePath(name.casefold())
    return path.stem, _SUFFIXES.get(path.suffix, path.suffix)


def _series_of(names: list[str]) -> list[Series]:
    """Split names of one skeleton by all their numbers but the one that counts."""
    rows = {name: tuple(map(int, _DIGITS.findall(_split(name)[0]))) for name in names}
    columns = list(zip(*rows.values(), strict=True))
    column = next((i for i in reversed(range(len(columns))) if _counts_on(columns[i])), None)
    if column is not None:
        # Other numbers that run along (a time, a position) separate nothing.
        return [_series(names, rows, column)]
    column = _varying_column(columns)
    groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for name, row in rows.items():
        groups[row[:column] + row[column + 1 :]].append(name)
    return [_series(group, rows, column) for group in groups.values()]


def _counts_on(numbers: tuple[int, ...]) -> bool:
    ordered = sorted(numbers)
    steps = [after - before for before, after in pairwise(ordered)]
    return len(ordered) >= 3 and min(steps) > 0 and 2 * steps.count(1) >= len(steps)


def _varying_column(columns: list[tuple[int, ...]]) -> int:
    """Find the last column without repetition, else the last that varies, else the last."""
    distinct = [len(set(column)) for column in columns]
    for wanted in (len(columns[0]) if columns else 0, 2):
        for index in reversed(range(len(columns))):
            if distinct[index] >= max(wanted, 2):
                return index
    return max(len(columns) - 1, 0)


def _series(names: list[str], rows: dict[str, tuple[int, ...]], column: int) -> Series:
    names = sorted(names, key=lambda name: (rows[name][column : column + 1], natural_key(name)))
    numbers = tuple(rows[name][column] if rows[name] else None for name in names)
    return Series(_pattern(names[0], column), tuple(names), numbers)


def _pattern(name: str, column: int) -> str:
    parts = _DIGITS.split(PurePath(name).stem)
    if len(parts) > 1:
        parts[2 * column + 1] = "#"
    return "".join(parts) + PurePath(name).suffix


def _without_strays(series: list[Series]) -> Naming:
    total = sum(len(one.names) for one in series)
    largest = max(series, key=lambda one: len(one.names))
    rest = total - len(largest.names)
    if len(largest.names) < _LONG_SERIES or rest > max(1, _STRAYS * total):
        return Naming(tuple(series), ())
    strays = tuple(name for one in series if one is not largest for name in one.names)
    return Naming((largest,), strays)

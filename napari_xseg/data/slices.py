"""Slices as text: `13,39,160:200` to z and back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Sequence

_DASH = re.compile(r"(\d+)\s*-\s*(\d+)")
_RANGE = re.compile(r"(\d*):(\d*)(?::(\d*))?")


def parse_slices(text: str, count: int, what: str = "slices") -> tuple[int, ...]:
    """Read the z that `text` names, in its order.

    Parameters
    ----------
    text : str
        z and half-open Python ranges with commas between: "13,39,160:200", "::10".
        z are 0-based.
    count : int
        Number of slices there are; ":" ends there.
    what : str
        What the error names, such as "--train-slices".

    Raises
    ------
    XsegError
        Not a list of slices, negative, out of range, named twice, or empty.
    """
    found: list[int] = []
    for part in text.split(","):
        found.extend(_parse_part(part.strip(), count, f"{what} {text}"))
    if not found:
        raise XsegError(f"{what} {text}: names no slice; give z such as 13,39 or 160:200.")
    seen: set[int] = set()
    for z in found:
        if z in seen:
            raise XsegError(f"{what} {text}: names slice {z} twice; name each slice once.")
        seen.add(z)
    return tuple(found)


def format_slices(slices: Sequence[int]) -> str:
    """Write z as short text that `parse_slices` reads: (1, 5, 6, 7, 9) is "1,5:8,9"."""
    parts: list[str] = []
    run: list[int] = []
    for z in [*slices, None]:
        if run and z != run[-1] + 1:
            parts.append(f"{run[0]}:{run[-1] + 1}" if len(run) > 2 else ",".join(map(str, run)))
            run = []
        if z is not None:
            run.append(z)
    return ",".join(parts)


def _parse_part(part: str, count: int, where: str) -> range:
    if (dash := _DASH.fullmatch(part)) is not None:
        first, last = map(int, dash.groups())
        raise XsegError(f"{where}: ranges are written {first}:{last + 1}, up to slice {last}.")
    if re.search(r"-\s*\d", part):
        raise XsegError(f"{where}: {part} is negative; z count from 0, expected 0 to {count - 1}.")
    match = _RANGE.fullmatch(part)
    if match is None:
        if not (part.isascii() and part.isdigit()):
            raise XsegError(
                f"{where}: {part!r} is no slice; expected z such as 13,39 or a range such as "
                "160:200."
            )
        return _inside(range(int(part), int(part) + 1), count, where)
    start, stop, step = (int(number) if number else None for number in match.groups())
    if step == 0:
        raise XsegError(f"{where}: the step of {part} is 0; expected 1 or more.")
    found = range(start or 0, count if stop is None else stop, step or 1)
    if len(found) == 0:
        raise XsegError(f"{where}: the range {part} is empty; expected start:stop.")
    if stop is not None and stop > count:
        raise _out_of_range(stop - 1, count, where)
    return _inside(found, count, where)


def _inside(found: range, count: int, where: str) -> range:
    if found[-1] >= count:
        raise _out_of_range(found[-1], count, where)
    return found


def _out_of_range(z: int, count: int, where: str) -> XsegError:
    return XsegError(
        f"{where}: slice {z} is out of range; there are {count} slices, z from 0 to {count - 1}."
    )

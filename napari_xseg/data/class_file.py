"""What a class file may say: the blocks of a TOML or JSON class table, checked."""

from __future__ import annotations

from typing import Any, NamedTuple

from napari_xseg.data.coding import smallest_unused
from napari_xseg.data.colours import Colour, parse_colour, pick_colours
from napari_xseg.errors import XsegError

_TABLE_KEYS = {"classes", "unlabelled", "unlabelled_in_files", "unlabelled_colour"}
_CLASS_KEYS = {"name", "value", "colour"}


class TableParts(NamedTuple):
    """What a class file says; one name, value and colour a class."""

    names: list[str]
    values: list[int]
    colours: list[Colour]
    unlabelled: int
    unlabelled_in_files: bool
    unlabelled_colour: Colour | None


def parse_table(table: dict[str, Any]) -> TableParts:
    """Check the content of a class file and fill in what it leaves out.

    Missing names become "class 0", ..., missing values 0, 1, ..., missing
    colours the first free default ones, a missing `unlabelled` the smallest
    unused value. Anything else that is wrong raises XsegError.
    """
    _refuse_unknown_keys(table, _TABLE_KEYS)
    blocks = table.get("classes")
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise XsegError("class table: expected one [[classes]] block for each class.")
    for block in blocks:
        _refuse_unknown_keys(block, _CLASS_KEYS)
    values = _class_values(blocks)
    unlabelled = table.get("unlabelled")
    colour = table.get("unlabelled_colour")
    return TableParts(
        _class_names(blocks),
        values,
        _class_colours(blocks),
        smallest_unused(values) if unlabelled is None else _integer("unlabelled", unlabelled),
        unlabelled is not None and bool(table.get("unlabelled_in_files", True)),
        None if colour is None else parse_colour(colour),
    )


def _refuse_unknown_keys(block: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(block.keys() - known)
    if unknown:
        raise XsegError(
            f"class table: unknown key {unknown[0]!r}; expected {', '.join(sorted(known))}."
        )


def _class_values(blocks: list[dict[str, Any]]) -> list[int]:
    given = [block["value"] for block in blocks if "value" in block]
    if not given:
        return list(range(len(blocks)))
    if len(given) < len(blocks):
        raise XsegError("class table: a class has no `value`; give one to every class or to none.")
    return [_integer("value", value) for value in given]


def _class_names(blocks: list[dict[str, Any]]) -> list[str]:
    names = [block.get("name", f"class {index}") for index, block in enumerate(blocks)]
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise XsegError(f"class table: the name {name!r} is no text; expected a name.")
    return [name.strip() for name in names]


def _class_colours(blocks: list[dict[str, Any]]) -> list[Colour]:
    given = {
        index: parse_colour(block["colour"])
        for index, block in enumerate(blocks)
        if "colour" in block
    }
    taken = set(given.values())
    free = (colour for colour in pick_colours(2 * len(blocks)) if colour not in taken)
    return [given[index] if index in given else next(free) for index in range(len(blocks))]


def _integer(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise XsegError(f"class table: {key} = {value!r}; expected an integer.")
    return value

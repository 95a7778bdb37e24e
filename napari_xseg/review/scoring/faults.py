"""Kinds of fault that a reviewer can name, each with its key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Sequence

_TAKEN = {"u": "undo"}
_LONGEST = 60


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault: what it is called, and the letter that names it while scoring."""

    name: str
    key: str


DEFAULT_FAULTS = (
    FaultKind("missed phase", "m"),
    FaultKind("wrong phase", "w"),
    FaultKind("noise speckle", "n"),
    FaultKind("border shift", "b"),
    FaultKind("artefact", "a"),
    FaultKind("other", "o"),
)


def check_faults(kinds: Sequence[FaultKind]) -> None:
    """Raise XsegError where a name or a key is missing, stands twice, or cannot be used."""
    for kind in kinds:
        if not kind.name.strip() or len(kind.name) > _LONGEST:
            raise XsegError(
                f"fault kind {kind.name[:20]!r}: expected a name of 1 to {_LONGEST} letters; "
                "change it."
            )
        if len(kind.key) != 1 or not kind.key.isalpha():
            raise XsegError(f"{kind.name}: has the key {kind.key!r}; expected one letter.")
        if kind.key.casefold() in _TAKEN:
            raise XsegError(
                f"{kind.name}: the key {kind.key!r} is that of {_TAKEN[kind.key.casefold()]}; "
                "choose another letter."
            )
    _check_once([kind.name.casefold() for kind in kinds], "name")
    _check_once([kind.key.casefold() for kind in kinds], "key")


def _check_once(values: Sequence[str], what: str) -> None:
    for value in values:
        if values.count(value) > 1:
            raise XsegError(f"fault kinds: the {what} {value!r} stands twice; change one of them.")

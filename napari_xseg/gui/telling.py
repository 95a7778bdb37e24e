"""Words to the user as napari's notifications show them: one line, the rest when opened."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# What the engine's warning about grey values names, and the Predict dock has a box for.
FLAG = "; --match-intensity maps them onto those"
_AGAIN = 3.0  # s in which the same words are not said twice


class Telling:
    """Says things once: several docks may come upon one fault at the same moment."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def say(self, show: Callable[[str], object], text: str) -> None:
        """Have `show` say `text`, unless it was said a moment ago."""
        at = time.monotonic()
        self._said = {words: when for words, when in self._said.items() if at - when < _AGAIN}
        if text not in self._said:
            show(in_lines(text))
        self._said[text] = at


def in_lines(text: str) -> str:
    """Put what matters first: the name of a file, what is the matter, and then where it is."""
    place, colon, rest = text.partition(": ")
    path = Path(place)
    if not colon or not path.is_absolute():
        return text
    return f"{path.name}: {rest}\n{path.parent}"

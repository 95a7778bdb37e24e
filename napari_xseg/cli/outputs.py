"""What a command that fails leaves behind: nothing."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def no_new_folders(*outputs: Path | None) -> Iterator[None]:
    """Take away the empty folders that were made for `outputs` where the block fails."""
    places = [place for path in outputs if path is not None for place in (path, *path.parents)]
    missing = [place for place in places if not place.exists()]
    try:
        yield
    except BaseException:
        for place in sorted(missing, key=lambda place: len(place.parts), reverse=True):
            # Files, and folders with something in them, stay.
            with suppress(OSError):
                place.rmdir()
        raise

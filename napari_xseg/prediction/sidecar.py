"""The file beside a mask that says how it came to be, and masks that were never finished."""

from __future__ import annotations

import json
import math
import os
import re
import time
from pathlib import Path
from typing import Any

from napari_xseg.data.formats.atomic import remove
from napari_xseg.data.slices import parse_slices
from napari_xseg.errors import XsegError

# As `temporary_beside` names them: .<stem>.<process>-<six digits>.<suffix>
_TEMPORARY = re.compile(r"\.(?P<stem>.+)\.(?P<pid>\d+)-[0-9a-f]{6}\.(?P<suffix>zarr|tiff?)")
# Where a process cannot be looked up: so long without a change, and nobody writes any more.
_ABANDONED_AFTER = 60.0
# More slices than any volume has.
_ANY = 1 << 31


def sidecar_path(mask: str | Path) -> Path:
    """The file beside a mask that says how it came to be."""
    mask = Path(mask)
    return mask.with_name(mask.name + ".json")


def read_sidecar(mask: str | Path) -> dict[str, Any] | None:
    """What the sidecar of `mask` says; None where there is none that can be read.

    Of a .zarr whose writer was killed it is what was settled when it was begun, with
    the `slices` that are written whole.
    """
    mask = Path(mask)
    if not is_unfinished(mask):
        return _content(sidecar_path(mask))
    for told in map(_content, _of_the_same_writer(mask, ".json")):
        if told is not None and told.get("unfinished") == mask.name:
            return {**told, "slices": list(wanted_slices(told)[: _pages_done(mask, told)])}
    return None


def _pages_done(mask: Path, told: dict[str, Any]) -> int:
    """How many pages are written whole in a mask, and in its confidences, which come after."""
    sure = mask.with_name(str(told.get("unfinished_confidence")))
    count = pages_written(mask)
    return min(count, pages_written(sure)) if sure.exists() else count


def is_unfinished(mask: Path) -> bool:
    """Whether a mask lies under the temporary name of one that is being written, or was."""
    return _TEMPORARY.fullmatch(mask.name) is not None


def wanted_slices(told: dict[str, Any]) -> tuple[int, ...]:
    """Z of all pages of the mask that a sidecar is of, predicted or not; empty if it says not."""
    try:
        return parse_slices(str(told.get("wanted")), _ANY)
    except XsegError:
        return ()


def pages_written(mask: Path) -> int:
    """How many pages of an unfinished .zarr are written whole, from the first on.

    They are written in order, and chunks without a value are not: so a page is whole
    where a later one is begun, or all of its chunks are there.
    """
    store = mask / "0"
    try:
        about = json.loads((store / "zarr.json").read_text(encoding="utf-8"))
        shape = about["shape"]
        chunks = about["chunk_grid"]["configuration"]["chunk_shape"]
        begun = {int(page.name) for page in (store / "c").iterdir() if page.name.isdigit()}
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    count = next(page for page in range(len(begun) + 1) if page not in begun)
    if count == 0 or count <= max(begun):
        return count
    sizes = zip(shape[1:], chunks[1:], strict=True)
    expected = math.prod(-(-size // chunk) for size, chunk in sizes)
    files = (store / "c" / str(count - 1)).glob("*/*")
    found = sum(file.name.isdigit() and file.stat().st_size > 0 for file in files)
    return count - 1 if found < expected else count


def unfinished_masks(folder: str | Path) -> list[Path]:
    """Masks in `folder` whose writer was killed, oldest first.

    They lie under the temporary name `.<stem>.<process>-<six digits>.<suffix>`. A
    .zarr opens, and holds each finished plane whole and 0 elsewhere; a .tif can seldom
    be read. One that a process of this machine is still writing is left out.
    """
    try:
        found = [path for path in Path(folder).iterdir() if _TEMPORARY.fullmatch(path.name)]
        dated = {path: path.stat().st_mtime for path in found if not _is_being_written(path)}
    except OSError:
        return []
    return sorted(dated, key=dated.__getitem__)


def remove_unfinished(mask: Path) -> None:
    """Remove what `unfinished_masks` gave, with the sidecar and confidences begun for it.

    Raises
    ------
    ValueError
        Where the name is not that of an unfinished mask.
    """
    parts = _TEMPORARY.fullmatch(mask.name)
    if parts is None:
        raise ValueError(f"{mask} is not the temporary name of a mask")
    begun = f".{parts['stem']}.{parts['suffix']}."
    remove(mask)
    for beside in _of_the_same_writer(mask, ".json"):
        told = _content(beside)
        if told is not None and told.get("unfinished") == mask.name:
            for file in (beside, *_confidences_left(mask, told)):
                remove(file)
        elif told is None and beside.name.startswith(begun):
            remove(beside)


def confidences_of(mask: Path, told: dict[str, Any]) -> list[Path]:
    """Where the confidences of a mask may be, by its sidecar: the likeliest place first."""
    named = [told.get("unfinished_confidence"), told.get("confidence")]
    places = [Path(name) for name in named if isinstance(name, str)]
    # The folder of both may have moved.
    return [one for place in places for one in (mask.with_name(place.name), place)]


def _confidences_left(mask: Path, told: dict[str, Any]) -> list[Path]:
    """Those of an unfinished mask: they come to their place before it, but never without it."""
    whole = (mask.parent / str(told.get("out"))).exists()
    found = [one for one in confidences_of(mask, told) if one.parent == mask.parent]
    return [one for one in found if is_unfinished(one) or not whole]


def _content(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _of_the_same_writer(mask: Path, suffix: str) -> list[Path]:
    """Hidden files beside an unfinished mask that the same process has begun."""
    parts = _TEMPORARY.fullmatch(mask.name)
    assert parts is not None
    return sorted(mask.parent.glob(f".*.{parts['pid']}-??????{suffix}"))


def _is_being_written(mask: Path) -> bool:
    parts = _TEMPORARY.fullmatch(mask.name)
    assert parts is not None
    if os.name == "nt":  # signal 0 would end the process there
        return time.time() - mask.stat().st_mtime < _ABANDONED_AFTER
    try:
        os.kill(int(parts["pid"]), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True

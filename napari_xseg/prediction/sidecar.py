"""The file beside a mask that says how it came to be, and masks that were never finished."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

from napari_xseg.data.formats.atomic import remove

# As `temporary_beside` names them: .<stem>.<process>-<six digits>.<suffix>
_TEMPORARY = re.compile(r"\.(?P<stem>.+)\.(?P<pid>\d+)-[0-9a-f]{6}\.(?P<suffix>zarr|tiff?)")
# Where a process cannot be looked up: so long without a change, and nobody writes any more.
_ABANDONED_AFTER = 60.0


def sidecar_path(mask: str | Path) -> Path:
    """The file beside a mask that says how it came to be."""
    mask = Path(mask)
    return mask.with_name(mask.name + ".json")


def read_sidecar(mask: str | Path) -> dict[str, Any] | None:
    """What the sidecar of `mask` says; None where there is none that can be read."""
    try:
        found = json.loads(sidecar_path(mask).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


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
    """Remove what `unfinished_masks` gave, and the sidecar begun for it.

    Raises
    ------
    ValueError
        Where the name is not that of an unfinished mask.
    """
    parts = _TEMPORARY.fullmatch(mask.name)
    if parts is None:
        raise ValueError(f"{mask} is not the temporary name of a mask")
    remove(mask)
    begun = f".{parts['stem']}.{parts['suffix']}.{parts['pid']}-"
    for beside in mask.parent.iterdir():
        if beside.name.startswith(begun) and beside.suffix == ".json":
            remove(beside)


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

"""Models that were used to predict, the latest first; kept between sessions."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from qtpy.QtCore import QStandardPaths

from napari_xseg.data.writing import write_atomic
from napari_xseg.errors import XsegError

MOST = 8


def recent_models() -> list[Path]:
    """Run folders and model files that are still there."""
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    named = found if isinstance(found, list) else []
    paths = [Path(item) for item in named if isinstance(item, str)]
    return [path for path in paths if path.exists()]


def remember_model(path: Path) -> None:
    """Put a model first in the list."""
    path = path.expanduser().absolute()
    kept = [path, *(other for other in recent_models() if other != path)][:MOST]
    with suppress(XsegError):  # a list of conveniences: a full disk is told of elsewhere
        write_atomic(_file(), json.dumps([str(item) for item in kept], indent=1) + "\n")


def _file() -> Path:
    place = QStandardPaths.StandardLocation.GenericConfigLocation
    folder = QStandardPaths.writableLocation(place)
    return Path(folder) / "napari-xseg" / "recent-models.json"

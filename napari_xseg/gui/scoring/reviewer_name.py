"""Who scores at this computer; kept between sessions."""

from __future__ import annotations

import getpass
import json
from contextlib import suppress
from pathlib import Path

from qtpy.QtCore import QStandardPaths

from napari_xseg.data.writing import write_atomic
from napari_xseg.errors import XsegError


def known_reviewer() -> str:
    """Who scored here last; else the name that the system knows, or none."""
    with suppress(OSError, ValueError):
        found = json.loads(_file().read_text(encoding="utf-8"))
        if isinstance(found, str) and found.strip():
            return found
    with suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return ""


def remember_reviewer(name: str) -> None:
    """Offer this name the next time."""
    with suppress(XsegError):  # a convenience: a full disk is told of elsewhere
        write_atomic(_file(), json.dumps(name, ensure_ascii=False) + "\n")


def _file() -> Path:
    place = QStandardPaths.StandardLocation.GenericConfigLocation
    folder = QStandardPaths.writableLocation(place)
    return Path(folder) / "napari-xseg" / "reviewer.json"

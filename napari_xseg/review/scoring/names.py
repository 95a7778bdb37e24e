"""Which file is whose: one for each reviewer, whatever they are called."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from napari_xseg.data.project_file import harmless_name
from napari_xseg.errors import XsegError

SUFFIX = ".sqlite"
_LONGEST = 80
_PLAIN = re.compile(r"[a-z0-9][a-z0-9 ._-]*[a-z0-9]|[a-z0-9]")
_HASHED = re.compile(r".*-[0-9a-f]{8}")


def tidy_name(reviewer: str) -> str:
    """Bring a reviewer's name into one form: no outer or double spaces, composed letters.

    XsegError where nothing is left, or it is too long.
    """
    name = " ".join(unicodedata.normalize("NFC", reviewer).split())
    if not name or not name.isprintable():
        raise XsegError(f"reviewer {reviewer!r}: expected a name; give one, such as your own.")
    if len(name) > _LONGEST:
        raise XsegError(f"reviewer {name[:20]!r}...: expected {_LONGEST} letters at most.")
    return name


def file_name(reviewer: str) -> str:
    """Name a reviewer's file: another one for each name, on any system.

    Plain lower-case names are kept; of others the file has what any system takes,
    and a part of their hash, so that `Anna` and `anna` are two files even where
    the disk does not tell them apart.
    """
    name = tidy_name(reviewer)
    plain = bool(_PLAIN.fullmatch(name)) and harmless_name(name) == name
    if plain and not _HASHED.fullmatch(name):
        return name + SUFFIX
    told = re.sub(r"[^\w-]+", "_", name.casefold())[:40].strip("_") or "reviewer"
    exact = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{told}-{exact}{SUFFIX}"

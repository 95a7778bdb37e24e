"""What a project's folder and its project.toml hold, and how they are named."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import tomli_w

from napari_xseg.config import read_toml
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.formats.atomic import remove, temporary_beside, write_atomic, writing_to
from napari_xseg.errors import XsegError

PROJECT_FILE, LABELS = "project.toml", "labels.zarr"
FOLDERS = ("runs", "masks", "reviews", "pending")
VERSION = 1
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LONGEST_NAME = 80
_MEND = (
    "Labels, runs and masks are not concerned: put back a copy of the file, or press New labels, "
    "which sets it aside and keeps the rest."
)


class DamagedProject(XsegError):
    """A project.toml that cannot be read; labels, runs and masks beside it may be whole."""


def is_project(path: Path) -> bool:
    """Whether `path` is a project folder or its project.toml."""
    path = Path(path)
    try:
        if path.name == PROJECT_FILE and path.is_file():
            return True
        return (path / PROJECT_FILE).is_file()
    except OSError:
        return False


def default_folder(source: Path | None, name: str) -> Path:
    """Where the project of an image is kept: beside its files where that can be written.

    Parameters
    ----------
    source : Path or None
        File or folder of the image; None where it lies in memory.
    name : str
        Of the image.

    Returns
    -------
    Path
        `<name>-xseg` beside `source`, else in `Documents/napari-xseg` in the home folder.
    """
    folder = f"{harmless_name(name) or 'image'}-xseg"
    if source is not None:
        beside = Path(source).expanduser().absolute().with_name(folder)
        if is_project(beside) or _takes_files(beside.parent):
            return beside
    return Path.home() / "Documents" / "napari-xseg" / folder


def read_project(path: Path) -> dict[str, Any]:
    """Read the project.toml at `path`.

    Raises
    ------
    DamagedProject
        It says not what a project must say.
    XsegError
        It cannot be opened, or is of a later version.
    """
    try:
        content = read_toml(path)
    except XsegError as error:
        if isinstance(error.__cause__, OSError):
            raise
        raise DamagedProject(f"{error} {_MEND}") from error
    if isinstance(content.get("version"), int) and content["version"] > VERSION:
        raise XsegError(f"{path}: was written by a newer napari-xseg; update this one.")
    fault = _fault(content, path)
    if fault:
        raise DamagedProject(f"{path}: is damaged ({fault}). {_MEND}")
    return content


def _fault(content: dict[str, Any], path: Path) -> str:
    try:
        if not isinstance(content["version"], int):
            return "version"
        z, y, x = map(int, content["shape"])
        if min(z, y, x) < 1:
            return "shape"
        image = content["image"]
        if not isinstance(image.get("path", image.get("name")), str):
            return "image"
        if not isinstance(content.get("labels", {}).get("path", ""), str):
            return "labels"
        ClassTable.from_dict(content["classes"], "classes")
    except KeyError as error:
        return f"{error.args[0]} is missing"
    except (XsegError, TypeError, ValueError, AttributeError) as error:
        return str(error)
    return ""


def set_aside(folder: Path) -> Path:
    """Rename the project.toml in `folder`, so that another one can be written; its new path."""
    path, number = folder / "project.damaged.toml", 1
    while path.exists():
        number += 1
        path = folder / f"project.damaged-{number}.toml"
    with writing_to(folder):
        (folder / PROJECT_FILE).rename(path)
    return path


def write_project(folder: Path, content: dict[str, Any]) -> None:
    """Write project.toml whole or not at all; XsegError where it cannot be written."""
    ordered = sorted(content.items(), key=lambda item: isinstance(item[1], dict))
    write_atomic(folder / PROJECT_FILE, tomli_w.dumps(dict(ordered)))


def stored(source: dict[str, Any], folder: Path) -> dict[str, Any]:
    """As project.toml keeps it: data beside the project by a relative path, to move with it."""
    kept = without_none(source)
    if "path" in kept:
        path = Path(kept["path"]).expanduser().absolute()
        beside = path.is_relative_to(folder.parent)
        kept["path"] = (Path("..") / path.relative_to(folder.parent) if beside else path).as_posix()
    return kept


def resolved(source: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What `stored` gave, with its whole path."""
    if "path" not in source:
        return dict(source)
    return {**source, "path": os.path.normpath(folder / source["path"])}


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    """Values that TOML can hold."""
    return {
        key: without_none(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }


def check_name(name: str) -> None:
    """Raise XsegError where a folder cannot have this name on any of the usual systems."""
    bare = name.strip()
    wrong = _NOT_IN_NAMES.search(bare)
    if wrong or not bare or bare.endswith(".") or bare.startswith(".") or _RESERVED.fullmatch(bare):
        reason = f"{wrong.group()!r} cannot stand in it" if wrong else "folders cannot have it"
        raise XsegError(f"The name {name!r} cannot be used: {reason}; choose another.")
    if len(bare) > _LONGEST_NAME:
        raise XsegError(
            f"The name {bare[:20]!r}... is too long; use {_LONGEST_NAME} letters at most."
        )


def harmless_name(name: str) -> str:
    """Make a name that folders can have; empty where nothing is left of it."""
    kept = _NOT_IN_NAMES.sub("_", name).strip(" .")[:_LONGEST_NAME].rstrip(" .")
    return f"_{kept}" if _RESERVED.fullmatch(kept) else kept


def _takes_files(folder: Path) -> bool:
    if not os.access(folder, os.W_OK):
        return False
    probe = temporary_beside(folder / "probe")
    try:
        probe.touch()
    except OSError:
        return False
    remove(probe)
    return True

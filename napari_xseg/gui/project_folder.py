"""Which folder is an image's project, and how one is made there."""

from __future__ import annotations

import hashlib
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.label_store import LabelStore
from napari_xseg.data.project import Project, default_folder, is_project
from napari_xseg.data.project_file import (
    LABELS,
    PROJECT_FILE,
    DamagedProject,
    read_project,
    set_aside,
)
from napari_xseg.data.runs_list import list_runs
from napari_xseg.errors import XsegError
from napari_xseg.model.metadata import read_model_info

if TYPE_CHECKING:
    from napari_xseg.gui.images import Images

_SAMPLED = 256  # rows and columns of the middle slice that tell images in memory apart


def folder_of(images: Images) -> Path:
    """Where the project of an image is, or will be.

    An image that lies in memory is known again by its name, its size and some grey
    values: another one of the same name gets a folder of its own.
    """
    path = images.address.get("path")
    if path is not None:
        return default_folder(Path(path), images.volume.name)
    for number in count(1):
        name = images.volume.name if number == 1 else f"{images.volume.name} {number}"
        folder = default_folder(None, name)
        if not is_project(folder) or _is_of(folder, images):
            return folder
    raise AssertionError("unreachable")


def address_of(images: Images) -> dict[str, Any]:
    """How a project opens its image again; for one in memory, how it knows it again."""
    address = images.address
    return address if "path" in address else {**address, "grey": _fingerprint(images)}


def make_project(images: Images, folder: Path, classes: ClassTable) -> Project:
    """Make a project, or mend one whose project.toml is damaged: labels and runs are kept.

    Raises
    ------
    XsegError
        The folder holds a whole project, or cannot be written.
    """
    if is_project(folder) and _is_damaged(folder):
        set_aside(folder)
        classes = _classes_in(folder) or classes
    return Project.create(folder, image=address_of(images), shape=images.shape, classes=classes)


def _is_damaged(folder: Path) -> bool:
    try:
        read_project(folder / PROJECT_FILE)
    except DamagedProject:
        return True
    return False


def _is_of(folder: Path, images: Images) -> bool:
    try:
        content = read_project(folder / PROJECT_FILE)
    except XsegError:  # told when it is opened
        return True
    if tuple(content["shape"]) != images.shape:
        return False
    known = content["image"].get("grey")
    return known is None or known == _fingerprint(images)


def _fingerprint(images: Images) -> str:
    plane = images.volume.read(len(images.volume) // 2)
    rows, columns = (max(1, size // _SAMPLED) for size in plane.shape)
    return hashlib.sha256(np.ascontiguousarray(plane[::rows, ::columns]).tobytes()).hexdigest()[:16]


def _classes_in(folder: Path) -> ClassTable | None:
    """The classes of the last model with enough of them, else as many as are labelled."""
    try:
        store = LabelStore.open(folder / LABELS, read_only=True)
        for _ in store.count_base():
            pass
    except XsegError:
        return None
    labelled = np.flatnonzero(store.totals()[1:])
    store.close()
    count = int(labelled[-1]) + 1 if len(labelled) else 0
    for run in list_runs(folder / "runs"):
        if run.usable:
            classes = read_model_info(run.path).classes
            if len(classes) >= count:
                return classes
    return ClassTable.from_values(range(1, count + 1), unlabelled=0) if count else None

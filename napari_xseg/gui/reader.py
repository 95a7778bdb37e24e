"""What napari calls when something is dropped on it, or opened, with napari-xseg."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_xseg.data.project import is_project
from napari_xseg.gui.side_by_side import READABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_xseg.data.labels import NeedsUnlabelled, Unlabelled

    LayerData = tuple[Any, dict[str, Any], str]
    Reader = Callable[[Any], list[LayerData]]

_STORES = {"zarr.json", ".zarray", ".zgroup"}
# Entries and inner folders that are looked at before a folder is said to hold no image.
_LOOKED_AT, _FOLDERS = 200, 8


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Give the function that reads `path`, a file, a folder or several; None for other kinds."""
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    return read if paths and all(_is_readable(Path(one)) for one in paths) else None


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Open `path` lazily, each of several for itself.

    Raises
    ------
    XsegError
        What cannot be read, in a sentence, which napari shows.
    """
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    return [layer for one in paths for layer in _layers(Path(one))]


def _layers(path: Path) -> list[LayerData]:
    from napari_xseg.errors import XsegError
    from napari_xseg.gui.opening import NeedsUnlabelled, open_path

    try:
        opened = open_path(path)
    except NeedsUnlabelled as question:
        opened = open_path(path, unlabelled=ask_unlabelled(question))
    if opened.project is not None:
        raise XsegError(
            f"{opened.project}: is a project; drop it on a dock of napari-xseg, or use Open there."
        )
    for warning in opened.warnings:
        _warn(warning)
    return opened.layers()


def ask_unlabelled(question: NeedsUnlabelled) -> Unlabelled:
    """Ask whether a label value is a class or means not labelled.

    Raises
    ------
    NeedsUnlabelled
        The question itself, where there is nobody to answer it, or no answer.
    """
    from qtpy.QtWidgets import QApplication, QMessageBox

    if QApplication.instance() is None:
        raise question
    box = QMessageBox()
    box.setWindowTitle("napari-xseg")
    box.setIcon(QMessageBox.Icon.Question)
    box.setText(question.question)
    unlabelled = box.addButton("&Not labelled", QMessageBox.ButtonRole.YesRole)
    a_class = box.addButton("A &class", QMessageBox.ButtonRole.NoRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.exec()
    answers: dict[Any, Unlabelled] = {unlabelled: question.value, a_class: "none"}
    answer = answers.get(box.clickedButton())
    if answer is None:
        raise question
    return answer


def _warn(text: str) -> None:
    from napari.utils.notifications import show_warning

    show_warning(text)


def _is_readable(path: Path) -> bool:
    if path.suffix.casefold() in READABLE or is_project(path):
        return True
    entries = _entries(path)
    folders = [entry for entry in entries if entry.is_dir()][:_FOLDERS]
    within = [deeper for folder in folders for deeper in _entries(folder)]
    return any(
        entry.name in _STORES or entry.suffix.casefold() in READABLE for entry in entries + within
    )


def _entries(path: Path) -> list[Path]:
    """The first of what is in a folder; nothing where it is none, or may not be read."""
    try:
        return list(islice(path.iterdir(), _LOOKED_AT))
    except OSError:
        return []

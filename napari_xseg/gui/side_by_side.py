"""Images and labels that lie side by side: which is which, told by their names."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_xseg.data.formats.source import reading
from napari_xseg.data.project import is_project
from napari_xseg.data.volume import list_datasets, open_volume
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

IMAGE_SUFFIXES = {".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp"}
VOLUME_SUFFIXES = {".h5", ".hdf5", ".hdf", ".nxs", ".npy", ".nrrd", ".nhdr", ".mhd", ".mha"}
STORE_SUFFIXES = {".h5", ".hdf5", ".hdf", ".nxs", ".zarr"}
READABLE = IMAGE_SUFFIXES | VOLUME_SUFFIXES | {".zarr", ".raw"}
_LABELS = re.compile(
    r"(?<![a-z])(label|mask|seg|segmentation|segmented|truth|groundtruth|gt|annotation|annotated|"
    r"target|class|classe|labelled|labeled)s?(?![a-z])"
)
_IMAGES = re.compile(
    r"(?<![a-z])(image|img|data|raw|scan|slice|grey|gray|input|volume|recon)s?(?![a-z])"
)
# Folders of many thousand slices are not looked through to the end.
_MOST = 64
_FEWEST = 3  # files chosen at once that may be the slices of a folder


@dataclass(frozen=True)
class Sides:
    """Where images and labels are: `open_volume` takes both."""

    images: str
    labels: str


def says_labels(name: str) -> bool:
    """Whether a file, folder or dataset is called labels, mask, segmentation or the like."""
    return _LABELS.search(name.casefold()) is not None


def folder_of_slices(paths: Sequence[Path]) -> Path | None:
    """The folder whose slices these files are, all of them; None where they are no slices.

    XsegError where it has more slices.
    """
    folders = {path.parent for path in paths}
    if len(paths) < _FEWEST or len(folders) > 1 or not all(map(_is_image, paths)):
        return None
    if len(open_volume(paths[0])) > 1:
        return None
    folder = folders.pop()
    images = {path for path in folder.iterdir() if _is_image(path)}
    if images - set(paths):
        raise XsegError(
            f"{folder}: {len(paths)} of its {len(images)} images were chosen; drop or open the "
            "folder to have them as one volume, or choose one file."
        )
    return folder


def _is_image(path: Path) -> bool:
    return path.suffix.casefold() in IMAGE_SUFFIXES and not path.name.startswith(".")


def find_sides(path: Path) -> Sides | None:
    """Images and labels in a folder or store: two folders, two volumes or two datasets.

    None where there is but one thing, or more than one reading of the names.
    """
    if path.suffix.casefold() in STORE_SUFFIXES:
        return _in_store(path)
    if not path.is_dir():
        return None
    folders, files = _entries(path)
    if files and len(files) != 2:
        return None
    return _choose(folders) if not files else _choose(files) if not folders else None


def _in_store(path: Path) -> Sides | None:
    names = list_datasets(path)
    if not 2 <= len(names) <= _MOST:
        return None
    chosen = _choose(names)
    return None if chosen is None else Sides(f"{path}:{chosen.images}", f"{path}:{chosen.labels}")


def _entries(path: Path) -> tuple[list[str], list[str]]:
    """Folders and files of a folder that may be volumes; none where there are many."""
    folders, files = [], []
    with reading(path), os.scandir(path) as entries:
        for count, entry in enumerate(entries):
            if count >= _MOST:
                return [], []
            if entry.name.startswith(".") or is_project(Path(entry.path)):
                continue
            suffix = Path(entry.name).suffix.casefold()
            if entry.is_dir():
                folders.append(entry.path)
            elif suffix in IMAGE_SUFFIXES | VOLUME_SUFFIXES:
                files.append(entry.path)
    return folders, files


def _choose(paths: Iterable[str]) -> Sides | None:
    names = {path: Path(path).name for path in paths}
    labels = [path for path, name in names.items() if says_labels(name)]
    others = [path for path in names if path not in labels]
    if len(others) > 1:
        others = [path for path in others if _IMAGES.search(names[path].casefold())]
    if len(labels) != 1 or len(others) != 1:
        return None
    return Sides(others[0], labels[0])

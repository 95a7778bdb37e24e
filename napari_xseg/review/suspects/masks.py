"""A mask beside its images: which page belongs to which slice, and with which classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.labels import LabelVolume, label_volume
from napari_xseg.data.volume import open_label_volume, open_volume
from napari_xseg.errors import XsegError
from napari_xseg.metrics import IGNORE
from napari_xseg.prediction.sidecar import read_sidecar, sidecar_path

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_xseg.data.volume import Volume
    from napari_xseg.review.matching import IndexMap


@dataclass(frozen=True, eq=False)
class OpenMask:
    """Class indices of the slices of some images.

    Attributes
    ----------
    path : Path
        The file or folder.
    labels : LabelVolume
        Its pages.
    page_of : dict of int to int
        The page of each slice that it has.
    """

    path: Path
    labels: LabelVolume
    page_of: dict[int, int]

    @property
    def classes(self) -> ClassTable:
        """What its indices mean."""
        return self.labels.classes

    def read(self, z: int) -> IndexMap:
        """Slice `z` (y, x) of the images, 255 where unlabelled."""
        return self.labels.read(self.page_of[z])


def open_mask(path: Path, images: Volume, classes: ClassTable | None = None) -> OpenMask:
    """Open a mask of `images`.

    Page i is the slice that the file beside the mask says; without such a file,
    slice i of as many images.

    Parameters
    ----------
    path : Path
        A mask in any format.
    images : Volume
        What it is a mask of.
    classes : ClassTable, optional
        Whose indices to give; without it those that the file beside the mask says,
        else the values that occur.

    Raises
    ------
    XsegError
        A mask that cannot be read, or does not fit the images or the classes.
    """
    volume = open_label_volume(path)
    if volume.shape[1:] != images.shape[1:]:
        raise XsegError(
            f"{path}: its slices are {_size(volume)} pixels, those of {images.name} "
            f"{_size(images)}; give a mask of these images."
        )
    found = read_sidecar(path)
    page_of = _pages(path, volume, images, found)
    own = _own_classes(path, found)
    if classes is not None and own is not None and set(own.values) != set(classes.values):
        raise XsegError(
            f"{path}: holds the classes {sorted(own.values)}, {sorted(classes.values)} are "
            "expected; give a mask and a model of the same classes."
        )
    labels = label_volume(volume, classes=classes or own, masks=True)
    return OpenMask(path, labels, page_of)


def open_confidence(path: Path, mask: OpenMask) -> Volume:
    """Open the confidences of a mask, uint8 and page by page as the mask; XsegError else."""
    volume = open_volume(path)
    if volume.shape != mask.labels.shape or volume.dtype != np.uint8:
        raise XsegError(
            f"{path}: is {' x '.join(map(str, volume.shape))} {volume.dtype}, expected "
            f"{' x '.join(map(str, mask.labels.shape))} uint8, the confidence of "
            f"{mask.path.name}; give the file that was predicted with the mask."
        )
    return volume


def doubt_of(confidence: NDArray[np.uint8], mask: IndexMap) -> NDArray[np.float32]:
    """The chance (y, x) that each pixel is wrong, from confidences with 255 for certain."""
    doubt = np.subtract(1, confidence / np.float32(255), dtype=np.float32)
    doubt[mask == IGNORE] = 0
    return doubt


def _pages(
    path: Path, volume: Volume, images: Volume, found: dict[str, Any] | None
) -> dict[int, int]:
    try:
        slices = None if found is None else [int(z) for z in found["slices"]]
    except (KeyError, TypeError, ValueError):
        slices = None
    if slices is None:
        if len(volume) != len(images):
            raise XsegError(
                f"{path}: has {len(volume)} slices, {images.name} has {len(images)}, and no "
                f"{sidecar_path(path).name} says which belong together; give a mask of as many."
            )
        return {z: z for z in range(len(images))}
    if len(slices) > len(volume) or any(not 0 <= z < len(images) for z in slices):
        raise XsegError(
            f"{path}: is a mask of other images than {images.name}, as {sidecar_path(path).name} "
            "says; give the images that it was made from."
        )
    return {z: page for page, z in enumerate(slices)}


def _own_classes(path: Path, found: dict[str, Any] | None) -> ClassTable | None:
    if found is None or not isinstance(found.get("classes"), dict):
        return None
    return ClassTable.from_dict(found["classes"], str(sidecar_path(path)))


def _size(volume: Volume) -> str:
    return f"{volume.shape[1]} x {volume.shape[2]}"

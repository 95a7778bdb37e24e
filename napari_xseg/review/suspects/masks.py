"""A mask beside its images: which page belongs to which slice, and with which classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.labels import LabelVolume, label_volume
from napari_xseg.data.volume import open_label_volume, open_volume
from napari_xseg.errors import XsegError
from napari_xseg.metrics import IGNORE
from napari_xseg.prediction.sidecar import read_sidecar, sidecar_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_xseg.data.volume import Volume
    from napari_xseg.review.matching import IndexMap

# Slices in which a confidence is held against its mask, and the share of their pixels that may
# have been painted since.
_CHECKED = 4
_MOST_LOW = 0.01


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
    """Open the confidences of a mask, uint8 and page by page as the mask.

    Raises
    ------
    XsegError
        Another size or dtype; the file beside the mask names another confidence, which
        is there; more than a hundredth of some labelled pixels is less sure than the
        most probable of the classes can be.
    """
    volume = open_volume(path)
    if volume.shape != mask.labels.shape or volume.dtype != np.uint8:
        raise XsegError(
            f"{path}: is {' x '.join(map(str, volume.shape))} {volume.dtype}, expected "
            f"{' x '.join(map(str, mask.labels.shape))} uint8, the confidence of "
            f"{mask.path.name}; give the file that was predicted with the mask."
        )
    told = read_sidecar(mask.path) or {}
    own = _named_confidence(mask, told)
    if own is not None and own.name != path.name and own.exists():
        raise XsegError(
            f"{path}: is not the confidence of {mask.path.name}, which is {own}; give that one."
        )
    classes = _own_classes(mask.path, told)
    _check_sure(path, volume, mask, 1 if classes is None else 255 // len(classes) - 1)
    return volume


def confidence_doubt(path: Path, mask: OpenMask) -> str | None:
    """Say so where the file beside a mask names no confidence, or one of another name."""
    told = read_sidecar(mask.path)
    if told is None or "confidence" not in told:
        return None
    own = _named_confidence(mask, told)
    if own is None:
        return (
            f"{path}: may be of another mask, since {mask.path.name} was predicted without its "
            "confidence."
        )
    if own.name == path.name:
        return None
    return (
        f"{path}: may be of another mask, since the confidence of {mask.path.name} was written to "
        f"{own.name}."
    )


def doubt_of(confidence: NDArray[np.uint8], mask: IndexMap) -> NDArray[np.float32]:
    """The chance (y, x) that each pixel is wrong, from confidences with 255 for certain."""
    doubt = np.subtract(1, confidence / np.float32(255), dtype=np.float32)
    doubt[mask == IGNORE] = 0
    return doubt


def _named_confidence(mask: OpenMask, told: dict[str, Any]) -> Path | None:
    """The confidence that was written with a mask: beside it, else where it was then."""
    named = told.get("confidence")
    if not isinstance(named, str):
        return None
    beside = mask.path.with_name(Path(named).name)
    return beside if beside.exists() else Path(named)


def _check_sure(path: Path, volume: Volume, mask: OpenMask, least: int) -> None:
    """The class of a pixel is the most probable one: it has a share of 1 / classes at least."""
    slices = sorted(mask.page_of)
    labelled = low = 0
    for z in slices[:: max(1, len(slices) // _CHECKED)]:
        sure = volume.read(mask.page_of[z])[mask.read(z) != IGNORE]
        labelled, low = labelled + sure.size, low + int(np.count_nonzero(sure < least))
    if low > _MOST_LOW * labelled:
        raise XsegError(
            f"{path}: is below {least} of 255 at {low} of {labelled} labelled pixels, which the "
            f"confidence of {mask.path.name} cannot be; give the file that was predicted with the "
            "mask."
        )


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

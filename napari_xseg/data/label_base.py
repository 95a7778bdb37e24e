"""Label files shown through a label store: each image slice with the label slice it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.labels import open_labels
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_xseg.data.labels import LabelVolume


class LabelBase(Protocol):
    """Labels that a store shows where it has none of its own."""

    @property
    def slices(self) -> Collection[int]:
        """Each image z that has labels."""

    def read(self, z: int) -> NDArray[np.uint8]:
        """Class indices (y, x) of image slice z, 255 where unlabelled."""

    def known_counts(self, z: int) -> NDArray[np.int64] | None:
        """Pixels (C,) of image slice z by class, where that takes no reading."""


class PairedLabels:
    """The label slices of label files by the z of their images.

    Parameters
    ----------
    labels : LabelVolume
        With the class table that the files were first opened with.
    label_of : mapping of int to int
        Label z by image z.
    shape : (int, int, int)
        (z, y, x) of the images.

    Raises
    ------
    XsegError
        Where the labels have another size.
    """

    def __init__(
        self, labels: LabelVolume, label_of: Mapping[int, int], shape: tuple[int, int, int]
    ) -> None:
        if labels.shape[1:] != shape[1:]:
            raise XsegError(
                f"{labels.name}: labels of {labels.shape[1]} x {labels.shape[2]} pixels do not fit "
                f"the images of {shape[1]} x {shape[2]}; give labels of the same size."
            )
        self.labels = labels
        self.label_of = {z: label_z for z, label_z in label_of.items() if 0 <= z < shape[0]}
        self.shape = shape

    @property
    def slices(self) -> Collection[int]:
        """Each image z that has a label slice."""
        return self.label_of.keys()

    def read(self, z: int) -> NDArray[np.uint8]:
        """Class indices (y, x) of image slice z; XsegError as `LabelVolume.read`."""
        return self.labels.read(self.label_of[z])

    def describe(self) -> dict[str, Any]:
        """How to open them again, as values for `open_base`."""
        pairs = sorted(self.label_of.items())
        return {
            "path": str(self.labels.path),
            "dataset": self.labels.volume.dataset,
            "masks": self.labels.masks,
            "count": len(self.labels),
            "pairs": [list(pair) for pair in pairs],
            "classes": self.labels.classes.to_dict(),
        }

    def known_counts(self, z: int) -> NDArray[np.int64] | None:
        """Pixels (C,) of image slice z by class, where the file has been read for its values."""
        label_z = self.label_of[z]
        return self.labels.counts(label_z) if self.labels.is_read(label_z) else None


def open_base(source: dict[str, Any], shape: tuple[int, int, int]) -> PairedLabels:
    """Open label files again, from what `PairedLabels.describe` gave.

    Parameters
    ----------
    source : dict
        `path`, `dataset`, `classes`, `masks`, and `pairs` of image z and label z.
    shape : (int, int, int)
        (z, y, x) of the images.

    Raises
    ------
    XsegError
        They cannot be read, have another size than before, or are not described.
    """
    try:
        path, count = source["path"], int(source["count"])
        pairs = {int(image_z): int(label_z) for image_z, label_z in source["pairs"]}
        classes = ClassTable.from_dict(source["classes"], str(path))
    except (LookupError, TypeError, ValueError) as error:
        raise XsegError(
            f"the label files of the project are not described ({error}); choose them again."
        ) from error
    labels = open_labels(
        path, classes=classes, masks=bool(source.get("masks")), dataset=source.get("dataset")
    )
    if len(labels) != count:
        raise XsegError(
            f"{path}: holds {len(labels)} label slices, and {count} when the project was made; "
            "put them back as they were."
        )
    return PairedLabels(labels, pairs, shape)

"""What the user opens: images, labels, both side by side, or a project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.label_base import PairedLabels
from napari_xseg.data.labels import LabelVolume, NeedsUnlabelled, label_volume
from napari_xseg.data.pairing import Pairing, pair
from napari_xseg.data.project import is_project
from napari_xseg.data.volume import RawSpec, Volume, open_label_volume, open_volume
from napari_xseg.errors import XsegError
from napari_xseg.gui.layer_kinds import KEY, OPACITY, class_colormap
from napari_xseg.gui.lazy import LazyImage, LazyLabels
from napari_xseg.gui.side_by_side import find_sides, says_labels

if TYPE_CHECKING:
    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.labels import Unlabelled

    LayerData = tuple[Any, dict[str, Any], str]

__all__ = [
    "LazyImage",
    "LazyLabels",
    "NeedsUnlabelled",
    "Opened",
    "class_layer_options",
    "image_layer_data",
    "labels_layer_data",
    "open_pair",
    "open_path",
]

# Label pixels that are looked at to find the classes, and slices of a larger volume.
READ_PIXELS, READ_SLICES = 150_000_000, 48
# The darkest and brightest pixels of a slice, in percent, that are shown as black and white.
CONTRAST = (0.1, 99.9)


@dataclass(frozen=True)
class Opened:
    """What was found at a path.

    Attributes
    ----------
    images : Volume or None
        Grey slices.
    labels : LabelVolume or None
        Label slices with their class table.
    pairing : Pairing or None
        Which label slice belongs to which image, where there are both.
    project : Path or None
        The folder of a project; the rest is None then.
    raw : str or None
        How raw binary was read.
    """

    images: Volume | None = None
    labels: LabelVolume | None = None
    pairing: Pairing | None = None
    project: Path | None = None
    raw: str | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know about how it was understood."""
        told = () if self.images is None else self.images.warnings
        return told if self.pairing is None else (*told, *self.pairing.warnings)

    def layers(self) -> list[LayerData]:
        """Layers as napari's readers give them, images first."""
        found = []
        if self.images is not None:
            found.append(image_layer_data(self.images, raw=self.raw))
        if self.labels is not None:
            found.append(labels_layer_data(self.labels, self.images, self.pairing))
        return found


def open_path(
    path: str | Path,
    *,
    unlabelled: Unlabelled = None,
    dataset: str | None = None,
    raw: str | None = None,
) -> Opened:
    """Open a file, a folder, a store, or a folder with images and labels side by side.

    Parameters
    ----------
    path : str or Path
        `file.h5:/data` names a dataset.
    unlabelled : int, "none" or None
        The label value (packed colour) that means not labelled; "none" where
        every pixel is labelled; None where nobody has said.
    dataset, raw : str, optional
        Of the images, as `open_volume` takes them.

    Raises
    ------
    NeedsUnlabelled
        A label value may be a class or mean not labelled: ask, and open it with
        `unlabelled`.
    XsegError
        Nothing readable is there, or labels do not fit their images.
    """
    place = Path(path).expanduser()
    if is_project(place):
        return Opened(project=place.parent if place.is_file() else place)
    plain = dataset is None and raw is None
    sides = find_sides(place) if plain else None
    if sides is not None:
        return open_pair(sides.images, sides.labels, unlabelled=unlabelled)
    if plain and says_labels(place.name) and _may_be_labels(place):
        return Opened(labels=_labels(open_label_volume(place), unlabelled))
    spec = None if raw is None else RawSpec.parse(raw)
    return Opened(images=open_volume(path, raw=spec, dataset=dataset), raw=raw)


def open_pair(images: str | Path, labels: str | Path, *, unlabelled: Unlabelled = None) -> Opened:
    """Open images and their labels, each a file, a folder or a dataset; as `open_path`."""
    volume = open_volume(images)
    values = open_label_volume(labels)
    pairing = pair(volume, values)
    found = _labels(values, unlabelled)
    PairedLabels(found, pairing.label_of, volume.shape)  # says where sizes differ
    return Opened(volume, found, pairing)


def image_layer_data(volume: Volume, *, raw: str | None = None) -> LayerData:
    """Make the data, options and kind of an Image layer; one slice is read, for its contrast."""
    data = LazyImage(volume, raw)
    options = {
        "name": volume.name,
        "rgb": False,
        "multiscale": False,
        "contrast_limits": _contrast(data),
        **_grid(volume),
    }
    return data, options, "image"


def labels_layer_data(
    labels: LabelVolume, images: Volume | None = None, pairing: Pairing | None = None
) -> LayerData:
    """Make the data, options and kind of a Labels layer in class colours, class k as k + 1.

    Parameters
    ----------
    labels : LabelVolume
        The label files; they are never written.
    images, pairing : optional
        The images they belong to: the layer lies on their grid.

    Returns
    -------
    tuple
        `metadata["napari_xseg"]` has the class table as `classes`, and as `source`
        how the files are opened again, for `Project.set_base`.
    """
    shape = labels.shape if images is None else images.shape
    label_of = dict(zip(*[range(len(labels))] * 2, strict=True))
    base = PairedLabels(labels, label_of if pairing is None else pairing.label_of, shape)
    options = {
        "name": labels.name if images is None else f"{images.name} labels",
        "multiscale": False,
        **class_layer_options(labels.classes, source=base.describe()),
        **_grid(labels.volume if images is None else images),
    }
    return LazyLabels(base), options, "labels"


def class_layer_options(classes: ClassTable, **metadata: Any) -> dict[str, Any]:
    """Options of a Labels layer of ours: class colours, and the class table in its metadata."""
    told = {"kind": "labels", "classes": classes.to_dict(), **metadata}
    return {
        "colormap": class_colormap(classes),
        "opacity": OPACITY["labels"],
        "metadata": {KEY: told},
    }


def _labels(values: Volume, unlabelled: Unlabelled) -> LabelVolume:
    depth, height, width = values.shape
    if values.palette is None and depth * height * width > READ_PIXELS:
        some = np.unique(np.linspace(0, depth - 1, READ_SLICES).round().astype(int)).tolist()
        return label_volume(values, unlabelled=unlabelled, slices=some)
    return label_volume(values, unlabelled=unlabelled)


def _may_be_labels(path: Path) -> bool:
    """Whether the values of its first slice may be labels; what cannot be read is no label."""
    try:
        values = open_label_volume(path)
        label_volume(values, slices=[0], unlabelled="none")
    except XsegError:
        return False
    return True


def _contrast(data: LazyImage) -> tuple[float, float]:
    plane = data[len(data) // 2]
    finite = plane[np.isfinite(plane)] if plane.dtype.kind == "f" else plane.ravel()
    if not finite.size:
        return 0.0, 1.0
    # Each tenth pixel of a large slice says the same, ten times as fast.
    low, high = np.percentile(finite[:: 1 + finite.size // 2_000_000], CONTRAST).tolist()
    return (low, high) if low < high else (low, low + 1.0)


def _grid(volume: Volume) -> dict[str, Any]:
    """Names of the axes, which the slider shows; scale and units of physical voxels."""
    names = {"axis_labels": ("z", "y", "x")}
    size = volume.voxel_size
    if size is None or not size.unit:
        return names
    return {**names, "scale": (size.z, size.y, size.x), "units": (size.unit,) * 3}

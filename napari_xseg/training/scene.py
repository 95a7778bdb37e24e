"""What is looked at while a training runs, as the network takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.mirror import mirror_indices
from napari_xseg.data.planes import ContextReader, memory_share
from napari_xseg.data.volume import Volume
from napari_xseg.errors import XsegError
from napari_xseg.model import geometry
from napari_xseg.prediction.predictor import stack_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_xseg.config import ModelConfig
    from napari_xseg.data.intensity import Intensity
    from napari_xseg.data.region import Region
    from napari_xseg.events import Box, View

OpenImages = Callable[[dict[str, Any]], Volume]
"""Opens the images that a view names; XsegError where it cannot."""

# Of the free memory, for slices that are looked at.
MEMORY = 0.05
# Pixels; a box is not made smaller than that.
SMALLEST = 64


@dataclass(frozen=True, eq=False)
class Scene:
    """The input of a preview.

    Attributes
    ----------
    box, window : (int, int, int, int)
        What is predicted, and with what lies around it: (y0, y1, x0, x1) in the slice.
    x : Tensor
        The window as `Predictor.predict` takes it.
    hidden : ndarray or None
        True (y, x) in the box where nothing is predicted; None where all is.
    """

    z: int
    source: dict[str, Any] | None
    box: Box
    window: Box
    x: Tensor
    hidden: NDArray[np.bool_] | None

    @property
    def size(self) -> tuple[int, int]:
        """(y, x) of the window."""
        return size_of(self.window)

    def cut(self, mask: NDArray[np.uint8], ignore: int) -> NDArray[np.uint8]:
        """The box out of a mask of the window, `ignore` where it is hidden."""
        top, left = self.box[0] - self.window[0], self.box[2] - self.window[2]
        height, width = size_of(self.box)
        part = mask[top : top + height, left : left + width]
        return part if self.hidden is None else np.where(self.hidden, np.uint8(ignore), part)


class SceneReader:
    """Reads what views show; the last scene and some slices are kept.

    Parameters
    ----------
    images : Volume
        What a view shows that names no images of its own.
    intensity : Intensity
        What normalises them.
    region : Region, optional
        Pixels outside are hidden.
    config : ModelConfig
        Shape of the network.
    open_images : callable, optional
        For views that name their images.
    """

    def __init__(
        self,
        images: Volume,
        intensity: Intensity,
        region: Region | None,
        config: ModelConfig,
        open_images: OpenImages | None = None,
    ) -> None:
        self._images = images
        self._intensity = intensity
        self._region = region
        self._config = config
        self._open_images = open_images
        self._own: ContextReader | None = None
        self._other: tuple[dict[str, Any], ContextReader] | None = None
        self._last: Scene | None = None

    def shape(self, view: View) -> tuple[int, int]:
        """(y, x) of the slice; XsegError where there is none."""
        images = self._reader(view).images
        if not 0 <= view.z < len(images):
            raise XsegError(f"{images.name}: has no slice {view.z}, the last is {len(images) - 1}.")
        return images.shape[1], images.shape[2]

    def read(self, view: View, box: Box) -> Scene:
        """The scene for `box` of the slice; XsegError where it cannot be read."""
        last = self._last
        if last is None or (last.z, last.source, last.box) != (view.z, view.images, box):
            self._last = last = self._read(view, box)
        return last

    def forget(self) -> None:
        """Keep nothing: what was read is in doubt, or its files are not there any more."""
        self._other = self._last = None

    def _read(self, view: View, box: Box) -> Scene:
        reader = self._reader(view)
        shape = self.shape(view)
        window = window_around(box, shape, self._config)
        x = window_input(reader.read(view.z), window, self._config)
        usable = None if self._region is None else self._region.mask(view.z, shape)
        finite = reader.finite(view.z)
        shown = [_part(mask, box) for mask in (usable, finite) if mask is not None]
        hidden = ~np.logical_and.reduce(shown) if shown else None
        return Scene(view.z, view.images, box, window, x, hidden)

    def _reader(self, view: View) -> ContextReader:
        if view.images is None:
            self._other = None
            if self._own is None:
                self._own = self._context_reader(self._images)
            return self._own
        if self._other is None or self._other[0] != view.images:
            if self._open_images is None:
                raise XsegError("the images looked at are not those of the training.")
            self._other = view.images, self._context_reader(self._open_images(view.images))
        return self._other[1]

    def _context_reader(self, images: Volume) -> ContextReader:
        return ContextReader(images, self._intensity, self._config.context, memory_share(MEMORY))


def window_input(planes: Sequence[NDArray[np.float32]], window: Box, config: ModelConfig) -> Tensor:
    """The window of a slice and its neighbours (y, x) as `Predictor.predict` takes it.

    With the pixels around it, mirrored at the edges of the slice, that the network
    trims and that make it as large as the network wants it.
    """
    trim = geometry.margin(config)
    for axis, (start, stop) in enumerate([window[:2], window[2:]]):
        stop = start + geometry.output_size(config, stop - start) + trim
        around = mirror_indices(start - trim, stop, planes[0].shape[axis])
        planes = [plane.take(around, axis) for plane in planes]
    return stack_blocks([[_blocks(plane, config.patch) for plane in planes]])


def seen_box(box: Box, shape: tuple[int, int]) -> Box | None:
    """The part of `box` inside a slice of `shape` (y, x); None where there is none."""
    top, bottom = max(box[0], 0), min(box[1], shape[0])
    left, right = max(box[2], 0), min(box[3], shape[1])
    return (top, bottom, left, right) if top < bottom and left < right else None


def smaller_box(box: Box, shape: tuple[int, int], config: ModelConfig, most: float) -> Box:
    """The middle of `box`, so small that its window has at most `most` pixels."""
    while True:
        top, bottom, left, right = box
        pixels = pixels_of(size_of(window_around(box, shape, config)), config)
        if pixels <= most or min(size_of(box)) <= SMALLEST:
            return box
        dy, dx = (bottom - top) // 10, (right - left) // 10
        box = (top + dy, bottom - dy, left + dx, right - dx)


def window_around(box: Box, shape: tuple[int, int], config: ModelConfig) -> Box:
    """`box` and all that its mask depends on, pooled as in the whole slice; (y, x) `shape`."""
    step = geometry.alignment(config)
    reach = geometry.radius(config)
    if config.padding == "valid":
        # What lies around the window comes with it; but interpolation repeats its last pixel.
        reach = 2 * step if config.upsampling == "bilinear" else 0
    top, left = (max(0, (start - reach) // step * step) for start in (box[0], box[2]))
    return top, min(box[1] + reach, shape[0]), left, min(box[3] + reach, shape[1])


def pixels_of(size: tuple[int, int], config: ModelConfig) -> int:
    """Pixels that go into the network for a mask of `size` (y, x)."""
    trim = 2 * geometry.margin(config)
    return (size[0] + trim) * (size[1] + trim)


def size_of(box: Box) -> tuple[int, int]:
    """(y, x) of a box."""
    return box[1] - box[0], box[3] - box[2]


def _blocks(plane: NDArray[np.float32], patch: int) -> NDArray[np.float32]:
    rows, columns = (length // patch for length in plane.shape)
    blocks = plane.reshape(rows, patch, columns, patch).swapaxes(1, 2)
    return np.ascontiguousarray(blocks).reshape(rows, columns, patch * patch)


def _part(plane: NDArray[Any], box: Box) -> NDArray[Any]:
    return plane[box[0] : box[1], box[2] : box[3]]

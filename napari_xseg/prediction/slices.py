"""One slice, or a part of it, predicted at once: what is done here is also done to volumes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.data.coding import IGNORE
from napari_xseg.data.intensity import Intensity, measure_intensity
from napari_xseg.data.planes import ContextReader
from napari_xseg.errors import XsegError
from napari_xseg.events import Message
from napari_xseg.prediction.predictor import blocks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_xseg.data.region import Region
    from napari_xseg.data.volume import Volume
    from napari_xseg.events import Control
    from napari_xseg.model.checkpoint import SavedModel
    from napari_xseg.prediction.predictor import Box, Predictor

# Slices looked at to see whether their grey values are those the model knows.
SAMPLED = 8
READERS = 4


@dataclass(frozen=True, eq=False)
class SlicePredictor:
    """A model ready to predict slices of one volume; planes it has read are kept.

    Attributes
    ----------
    predictor : Predictor
        The model made fast.
    reader : ContextReader
        The slices, as `open_reader` gives them.
    region : Region, optional
        Pixels outside are not predicted.
    """

    predictor: Predictor
    reader: ContextReader
    region: Region | None = None

    def predict(
        self,
        z: int,
        box: Box | None = None,
        *,
        confidence: bool = False,
        control: Control | None = None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        """Class indices of `box` in slice `z`, as a prediction of the volume gives them.

        Parameters
        ----------
        z : int
            0-based.
        box : (int, int, int, int), optional
            Top, bottom, left and right, half open and inside the slice; without it,
            all of it.
        confidence : bool
            Whether to give the probability of the class too.
        control : Control, optional
            Looked at between two tiles.

        Returns
        -------
        ndarray, ndarray or None
            (y, x) uint8: indices, 255 where nothing is predicted, and probabilities,
            255 for certain.

        Raises
        ------
        XsegError
            A damaged image, or a device without memory.
        Stopped
            As `control` says.
        """
        shape = (self.reader.images.shape[1], self.reader.images.shape[2])
        mask, certain = self.predictor.predict(
            [self._read(z)], shape, confidence=confidence, box=box, control=control
        )
        index: NDArray[np.uint8] = mask[0].numpy()
        sure: NDArray[np.uint8] | None = None if certain is None else certain[0].numpy()
        outside = outside_of(self.reader, self.region, z)
        if outside is not None:
            top, bottom, left, right = box or (0, shape[0], 0, shape[1])
            outside = outside[top:bottom, left:right]
            index = np.where(outside, np.uint8(IGNORE), index)
            sure = None if sure is None else np.where(outside, np.uint8(0), sure)
        return index, sure

    def _read(self, z: int) -> list[NDArray[np.float32]]:
        """The channels of slice `z`, those not known yet read at the same time."""
        near = self.reader.neighbours(z)
        with ThreadPoolExecutor(READERS) as readers:
            planes = dict(zip(set(near), readers.map(self.reader.plane, set(near)), strict=True))
        return [planes[z] for z in near]


def open_reader(
    model: SavedModel, images: Volume, intensity: Intensity, limit: int, *, digests: bool = True
) -> ContextReader:
    """Slices of `images` as the model's network takes them; `limit` bytes of them are kept.

    `digests` says whether their SHA-256 will be asked for.
    """
    config = model.config
    return ContextReader(
        images,
        intensity,
        config.context,
        limit,
        lambda plane: blocks_of(plane, config),
        digests=digests,
    )


def check_fits(model: SavedModel, images: Volume, region: Region | None) -> None:
    """Raise XsegError where the model cannot predict these images, or the region does not fit."""
    if model.config.channels != 1:
        raise XsegError(
            f"{model.path}: wants {model.config.channels} values a pixel, "
            f"{images.name} has one; use a model trained on such images."
        )
    if region is not None:
        region.check(images.shape)


def outside_of(reader: ContextReader, region: Region | None, z: int) -> NDArray[np.bool_] | None:
    """Where slice `z` (y, x) is not to be predicted; None where it is everywhere."""
    shape = (reader.images.shape[1], reader.images.shape[2])
    inside = None if region is None else region.mask(z, shape)
    finite = reader.finite(z)
    if inside is None or finite is None:
        known = inside if finite is None else finite
        return None if known is None else ~known
    return ~(inside & finite)


def settle_intensity(
    model: SavedModel,
    images: Volume,
    slices: Sequence[int],
    region: Region | None,
    *,
    match: bool,
) -> tuple[Intensity, list[Message]]:
    """What normalises the images, and what the user should know about their grey values.

    Parameters
    ----------
    slices : sequence of int
        z to be predicted; some of them are looked at.
    match : bool
        Map the grey values onto those of the training data.
    """
    known = model.intensity
    found = _measure_some(images, slices, region)
    if match:
        text = (
            f"{images.name}: grey values {found.low:.5g} to {found.high:.5g} are mapped onto "
            f"{known.low:.5g} to {known.high:.5g} of the training images."
        )
        return known.matched(found), [Message(text)]
    warning = known.far_off(found)
    messages = [] if warning is None else [Message(f"{images.name}: {warning}", "warning")]
    if model.config.context and not images.has_neighbours:
        text = f"{images.name}: no neighbouring slices are known, each slice stands for them."
        messages.append(Message(text))
    return known, messages


def _measure_some(images: Volume, slices: Sequence[int], region: Region | None) -> Intensity:
    """The grey values of some slices, of more of them where those hold nothing."""
    step = max(1, len(slices) // SAMPLED)
    while True:
        try:
            return measure_intensity(images, slices[::step], region, skip_empty=True)
        except XsegError:
            if step == 1:
                raise
            step = max(1, step // 4)

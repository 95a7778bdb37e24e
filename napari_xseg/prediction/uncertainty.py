"""How sure a model is of a mask, pixel by pixel, and whether it says the same of a turned slice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from napari_xseg.data.coding import IGNORE
from napari_xseg.data.planes import ContextReader
from napari_xseg.prediction.predictor import best_class, blocks_of
from napari_xseg.prediction.slices import outside_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_xseg.data.intensity import Intensity
    from napari_xseg.data.region import Region
    from napari_xseg.data.volume import Volume
    from napari_xseg.events import Box, Control
    from napari_xseg.prediction.predictor import Predictor

Measure = Literal["margin", "entropy"]
Flip = tuple[int, bool]
"""Quarter turns, after a mirroring of left and right where True."""

# Those first that leave the shape of a slice as it is.
FLIPS: tuple[Flip, ...] = (
    *((0, False), (2, False), (0, True), (2, True)),
    *((1, False), (3, False), (1, True), (3, True)),
)


@dataclass(frozen=True, eq=False, slots=True)
class Uncertainty:
    """What a model makes of one slice (y, x).

    Attributes
    ----------
    mask : uint8 array
        Class indices, 255 where nothing is predicted: the model's own.
    doubt : float32 array
        0 where the model is sure. As "margin" half of one less the probability of
        the class looked at over the best other one: 0.5 for a tie, 1 where the model
        is sure of another class. As "entropy" that of the probabilities over that
        of equal ones.
    disagreement : float32 array or None
        Share of the turned slices for which it says another class than the one
        looked at; None where none were asked for.
    """

    mask: NDArray[np.uint8]
    doubt: NDArray[np.float32]
    disagreement: NDArray[np.float32] | None


@dataclass(frozen=True, eq=False)
class UncertaintyPredictor:
    """A model ready to say how sure it is of slices of one volume.

    Attributes
    ----------
    predictor : Predictor
        The model made fast.
    reader : ContextReader
        Normalised slices, as `plane_reader` gives them.
    region : Region, optional
        Pixels outside are not predicted.
    """

    predictor: Predictor
    reader: ContextReader
    region: Region | None = None

    def look(
        self,
        z: int,
        mask: NDArray[np.uint8] | None = None,
        *,
        flips: Sequence[Flip] = (),
        measure: Measure = "margin",
        control: Control | None = None,
    ) -> Uncertainty:
        """Predict slice `z` and say how sure that is.

        Parameters
        ----------
        z : int
            0-based.
        mask : uint8 (y, x), optional
            Class indices that doubt and disagreement are about; without it, those of
            the model. Where it holds 255 both are 0.
        flips : sequence of (int, bool)
            Of `FLIPS`; the slice as it is does not count.
        control : Control, optional
            Looked at between two tiles.

        Raises
        ------
        XsegError
            A damaged image, or a device without memory.
        Stopped
            As `control` says.
        """
        planes = self.reader.read(z)
        own, doubt = self._doubt(planes, mask, measure, control)
        about = own if mask is None else mask
        turned = [flip for flip in flips if flip != (0, False)]
        disagreement = np.zeros(about.shape, np.float32)
        for flip in turned:
            disagreement += self._flipped(planes, flip, control) != about
        disagreement /= max(1, len(turned))
        outside = outside_of(self.reader, self.region, z)
        if outside is not None:
            own[outside] = IGNORE
        unknown = (about == IGNORE) | (own == IGNORE)
        doubt[unknown] = disagreement[unknown] = 0
        return Uncertainty(own, doubt, disagreement if turned else None)

    def _doubt(
        self,
        planes: list[NDArray[np.float32]],
        mask: NDArray[np.uint8] | None,
        measure: Measure,
        control: Control | None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The model's class indices, and its doubt of those of the mask."""
        about = None if mask is None else torch.from_numpy(mask)

        def both(logits: Tensor, box: Box) -> Tensor:
            best = best_class(logits)
            part = best if about is None else about[None, box[0] : box[1], box[2] : box[3]]
            unsure = entropy(logits) if measure == "entropy" else margin_doubt(logits, part)
            return torch.stack((best.float(), unsure), 1)

        shape = (planes[0].shape[0], planes[0].shape[1])
        blocks = [self._blocks(planes)]
        found = self.predictor.map_logits(blocks, shape, both, 2, control)[0].numpy()
        return found[0].astype(np.uint8), found[1].copy()

    def _flipped(
        self, planes: list[NDArray[np.float32]], flip: Flip, control: Control | None
    ) -> NDArray[np.uint8]:
        """Class indices that the model finds in the turned slice, turned back."""
        turned = [turn(plane, flip) for plane in planes]
        shape = (turned[0].shape[0], turned[0].shape[1])
        mask, _ = self.predictor.predict([self._blocks(turned)], shape, control=control)
        back: NDArray[np.uint8] = turn_back(mask[0].numpy(), flip)
        return back

    def _blocks(self, planes: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        return [blocks_of(np.ascontiguousarray(plane), self.predictor.config) for plane in planes]


def plane_reader(images: Volume, intensity: Intensity, context: int) -> ContextReader:
    """Normalised slices with their neighbours; as many are kept as one slice needs, and one."""
    _, height, width = images.shape
    limit = (2 * context + 2) * 4 * height * width
    return ContextReader(images, intensity, context, limit, digests=False)


def turn(plane: NDArray[np.float32], flip: Flip) -> NDArray[np.float32]:
    """A slice (y, x) mirrored and turned; (x, y) for odd quarter turns."""
    quarters, mirrored = flip
    return np.rot90(plane[:, ::-1] if mirrored else plane, quarters)


def turn_back(plane: NDArray[np.uint8], flip: Flip) -> NDArray[np.uint8]:
    """Undo `turn`."""
    quarters, mirrored = flip
    back = np.rot90(plane, -quarters)
    return back[:, ::-1] if mirrored else back


def margin_doubt(logits: Tensor, mask: Tensor) -> Tensor:
    """Doubt of `mask` (n, y, x) uint8, 255 where unknown, from logits (n, classes, y, x); 0..1."""
    chances = logits.softmax(1)
    about = mask.long().clamp(max=logits.shape[1] - 1)[:, None]
    held = chances.gather(1, about)[:, 0]
    others = chances.scatter(1, about, -1).amax(1).clamp(min=0)
    return (1 - held + others) / 2


def entropy(logits: Tensor) -> Tensor:
    """Entropy of the softmax of logits (n, classes, y, x) over log(classes): (n, y, x), 0..1."""
    logs = logits.log_softmax(1)
    classes = max(2, logits.shape[1])
    return -(logs.exp() * logs).sum(1).clamp(max=0) / math.log(classes)

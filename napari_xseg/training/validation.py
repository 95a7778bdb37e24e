"""Figures of a network on the validation pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.metrics import confusion
from napari_xseg.prediction.predictor import Predictor, stack_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch
    from numpy.typing import NDArray

    from napari_xseg.config import Precision
    from napari_xseg.data.sampling import LabelledSlices
    from napari_xseg.model.unet import UNet

# Pixels of a look between two steps: enough for the curve, a fraction of a second.
GLANCE = 2_500_000


class Validator:
    """Counts what a network gets right on validation slices.

    Parameters
    ----------
    data : LabelledSlices
        Slices as `prediction.predictor.blocks_of` gives them; truth 255 where nothing
        validates.
    slices : sequence of int
        z that validate; empty where nothing does.
    device, precision
        Where and how to compute.
    """

    def __init__(
        self,
        data: LabelledSlices,
        slices: Sequence[int],
        device: torch.device,
        precision: Precision,
    ) -> None:
        self.data = data
        self.slices = tuple(slices)
        self.device = device
        self.precision = precision
        count = max(1, GLANCE // (data.shape[0] * data.shape[1]))
        # From the middle of equal parts, so that ends weigh no more than the rest.
        places = (np.arange(min(count, len(slices))) + 0.5) * len(slices) / max(1, count)
        evenly = len(slices) > count
        self.some = tuple(slices[int(place)] for place in places) if evenly else self.slices

    def counts(self, network: UNet, *, all_slices: bool) -> NDArray[np.int64]:
        """Confusion counts (classes, classes), true class by row, over all slices or some."""
        total = np.zeros((self.data.classes, self.data.classes), np.int64)
        for part in self.parts(network, all_slices=all_slices):
            total += part
        return total

    def parts(self, network: UNet, *, all_slices: bool) -> Iterator[NDArray[np.int64]]:
        """Those counts slice by slice, so that a long validation can be stopped."""
        predictor = Predictor(network, self.device, self.precision)
        for z in self.slices if all_slices else self.some:
            x = stack_blocks([self.data.reader.read(z)])
            mask, _ = predictor.predict(x, self.data.shape)
            yield confusion(self.data.truth(z), mask[0].numpy(), self.data.classes)

"""Crops as a training sees them, for people to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_xseg.data.augment import variation
from napari_xseg.training.batches import crop_sampler

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_xseg.training.job import TrainJob


def draw_crops(job: TrainJob, count: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Draw what the first steps of `job` would learn from; nothing is written.

    Returns
    -------
    ndarray, ndarray
        (count, y, x): grey values of the data, float32, after all that the recipe
        varies; class indices, uint8, 255 where unlabelled.

    Raises
    ------
    XsegError
        As `TrainJob.check_data` says.
    """
    intensity = job.check_data()
    config = job.recipe()
    sampler = crop_sampler(job, intensity)
    images, truth = sampler.batch(count)
    generator = torch.Generator().manual_seed(job.seed)
    varied = variation(config.augment, config.noise, intensity).apply(
        torch.from_numpy(images), generator
    )
    (height, width), margin = sampler.size, sampler.margin
    middle = varied[:, config.model.context].numpy()
    middle = middle[:, margin : margin + height, margin : margin + width]
    return intensity.denormalise(middle), truth.astype(np.uint8)

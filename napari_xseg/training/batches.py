"""What a recipe lets the network see of a job's labelled slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_xseg.data.augment import noise_std
from napari_xseg.data.planes import memory_share
from napari_xseg.data.sampling import CropSampler, LabelledSlices
from napari_xseg.model import geometry

if TYPE_CHECKING:
    from napari_xseg.data.intensity import Intensity
    from napari_xseg.data.planes import Prepare
    from napari_xseg.training.job import TrainJob

# Of the free memory, for the slices of one part.
SHARE = 0.2


def labelled_slices(
    job: TrainJob, part: str, intensity: Intensity, prepare: Prepare | None = None
) -> LabelledSlices:
    """Slices of `part`, "train" or "val", with their truth; `prepare` as `ContextReader` has it."""
    return LabelledSlices(
        job.images,
        job.labels,
        job.label_of,
        job.within(part),
        intensity,
        job.recipe().model.context,
        memory_share(SHARE),
        prepare,
    )


def crop_sampler(job: TrainJob, intensity: Intensity) -> CropSampler:
    """Crops of the training slices, of a size that the recipe's network takes."""
    config, data = job.recipe(), labelled_slices(job, "train", intensity)
    wanted = [min(config.crop or length, length) for length in data.shape]
    if config.crop:
        wanted = [max(wanted), max(wanted)]  # square, so that crops can be turned
    if config.batch == 1:  # batch norm wants two values or more, at the deepest level too
        wanted = [max(length, geometry.alignment(config.model) + 1) for length in wanted]
    height, width = (geometry.output_size(config.model, length) for length in wanted)
    copies = None
    if config.noise.enabled and config.noise.copies:
        copies = data.noisy_copies(noise_std(config.noise, intensity), job.seed)
    return CropSampler(
        data,
        job.split.train,
        (height, width),
        geometry.margin(config.model),
        config,
        noisy_copies=copies,
        seed=job.seed,
    )

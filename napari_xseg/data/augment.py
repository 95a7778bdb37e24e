"""What is varied in a batch of normalised crops, on the device they lie on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from napari_xseg.config import DEFAULT_NOISE

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from napari_xseg.config import AugmentConfig, NoiseConfig
    from napari_xseg.data.intensity import Intensity


@dataclass(frozen=True)
class Variation:
    """Random changes of a batch, lengths in spreads of the training images.

    Attributes
    ----------
    noise : (float, float) or None
        Smallest and largest sd of the Gaussian noise that a crop may get.
    gain, offset : float
        Sds of a factor around 1 and of an addition, one of each a crop.
    context_drop : float
        Share of crops whose neighbours are replaced by the slice itself.
    """

    noise: tuple[float, float] | None = None
    gain: float = 0.0
    offset: float = 0.0
    context_drop: float = 0.0

    def apply(self, x: Tensor, generator: Generator) -> Tensor:
        """Give the crops `x` (n, channels, y, x), float32, changed, partly in place."""

        def draw(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, device=x.device)

        count = len(x)
        if self.gain:
            x *= 1 + self.gain * draw(count, 1, 1, 1)
        if self.offset:
            x += self.offset * draw(count, 1, 1, 1)
        if self.noise is not None:
            low, high = self.noise
            share = torch.rand((count, 1, 1, 1), generator=generator, device=x.device)
            x.addcmul_(draw(*x.shape), low + (high - low) * share)
        if self.context_drop and x.shape[1] > 1:
            share = torch.rand((count, 1, 1, 1), generator=generator, device=x.device)
            middle = x[:, x.shape[1] // 2, None]
            x = torch.where(share < self.context_drop, middle, x)
        return x


def noise_std(noise: NoiseConfig, intensity: Intensity) -> float:
    """The sd of the noise in counts; XsegError where it is over ten spreads."""
    std = noise.std if noise.std is not None else DEFAULT_NOISE * intensity.std
    intensity.normalised_noise(std)
    return std


def variation(augment: AugmentConfig, noise: NoiseConfig, intensity: Intensity) -> Variation:
    """What a recipe asks for, in spreads of the training images."""
    sds = None
    if noise.enabled and not noise.copies:
        std = intensity.normalised_noise(noise_std(noise, intensity))
        sds = (noise.low * std, noise.high * std)
    return Variation(sds, augment.gain, augment.offset, augment.context_drop)

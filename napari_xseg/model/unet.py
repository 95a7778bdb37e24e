"""The UNet (Ronneberger et al. 2015), with batch norm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from napari_xseg.config import ModelConfig


class DoubleConv(nn.Sequential):
    """Two 3 x 3 convolutions, each with batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, *, padding: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=padding, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=padding, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class UNet(nn.Module):
    """Contracting path, expanding path, 1 x 1 convolution to the classes.

    Parameters
    ----------
    config : ModelConfig
        `padding="valid", width=64, depth=5` is the network of the paper.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.level_widths
        padding = 1 if config.padding == "same" else 0
        blocks = config.patch**2
        inputs = (config.input_channels * blocks, *widths[:-1])
        self.down = nn.ModuleList(
            DoubleConv(into, out, padding=padding) for into, out in zip(inputs, widths, strict=True)
        )
        rising = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(_upsampling(config, deep, shallow) for deep, shallow in rising)
        self.merge = nn.ModuleList(
            DoubleConv(2 * shallow, shallow, padding=padding) for _, shallow in rising
        )
        self.head = nn.Conv2d(widths[0], config.classes * blocks, 1)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, classes, Y, X) of the slices `x` (n, input channels, y, x).

        Lengths must be those of `model.geometry`. With "same" padding Y = y,
        with "valid" Y = y - 2 margin.
        """
        patch = self.config.patch
        if patch == 1:
            return self.block_logits(x)
        blocks = F.pixel_unshuffle(x, patch).contiguous(memory_format=torch.channels_last)
        return F.pixel_shuffle(self.block_logits(blocks), patch)

    def block_logits(self, x: Tensor) -> Tensor:
        """Logits by blocks of patch x patch pixels.

        Takes (n, input channels * patch**2, y / patch, x / patch), the pixels of a
        block as channels (row by row, within each input channel), and gives (n,
        classes * patch**2, Y / patch, X / patch) alike.
        """
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        skips.pop()
        for up, block in zip(self.up, self.merge, strict=True):
            x = up(x)
            x = block(torch.cat([centre_crop(skips.pop(), x), x], dim=1))
        logits: Tensor = self.head(x)
        return logits


def centre_crop(x: Tensor, like: Tensor) -> Tensor:
    """The middle (…, y, x) of `x` that has the size of `like`."""
    top, left = ((x.shape[axis] - like.shape[axis]) // 2 for axis in (-2, -1))
    return x[..., top : top + like.shape[-2], left : left + like.shape[-1]]


def _upsampling(config: ModelConfig, deep: int, shallow: int) -> nn.Module:
    if config.upsampling == "transposed":
        return nn.ConvTranspose2d(deep, shallow, 2, stride=2)
    return nn.Sequential(
        nn.Conv2d(deep, shallow, 1),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
    )


def _initialise(module: nn.Module) -> None:
    """Gaussian of sd sqrt(2 / N), N the incoming values of a neuron (He et al. 2015)."""
    # Weights on the meta device hold no values, and torch would load its compiler to draw them.
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and not module.weight.is_meta:
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)

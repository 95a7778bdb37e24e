"""Which input sizes the UNet takes, and how far a pixel of the mask looks.

Plain arithmetic on `ModelConfig`; lengths are pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_xseg.config import ModelConfig


def alignment(config: ModelConfig) -> int:
    """Length of which the position of every pooled block is a multiple."""
    return int(config.patch * 2 ** (config.depth - 1))


def radius(config: ModelConfig) -> int:
    """Farthest input pixel, along one axis, that a pixel of the mask may depend on."""
    convolutions = sum(4 * 2**level for level in range(config.depth - 1)) + 2**config.depth
    # bilinear interpolation looks one coarse pixel further at each level
    blur = 2**config.depth - 2 if config.upsampling == "bilinear" else 0
    return int(config.patch * (convolutions + blur) + alignment(config))


def margin(config: ModelConfig) -> int:
    """What the network trims off each side: 0 with "same" padding."""
    if config.padding == "same":
        return 0
    input_size, output_size = _valid_sizes(config, 1)
    return (input_size - output_size) // 2


def output_size(config: ModelConfig, wanted: int) -> int:
    """Smallest output length of `wanted` or more; the input has `margin` more on each side."""
    if config.padding == "same":
        step = alignment(config)
        return -(-wanted // step) * step
    return _valid_sizes(config, wanted)[1]


def _valid_sizes(config: ModelConfig, wanted: int) -> tuple[int, int]:
    """Input and output length of the unpadded network, from the bottom up."""
    blocks = -(-wanted // config.patch)
    bottom = 1
    while True:
        out, into = bottom, bottom + 4
        for _ in range(config.depth - 1):
            out, into = 2 * out - 4, 2 * into + 4
        if out >= blocks:
            return into * config.patch, out * config.patch
        bottom += 1

"""Slices too large for the memory of one pass, cut into tiles without seams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_xseg.model import geometry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_xseg.config import ModelConfig

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Tile:
    """A core of the mask and the window of the extended slice that gives it.

    All are (top, bottom, left, right) in pixels; `core` lies in the mask,
    `window` in the slice as extended, `inner` in the network's output for it.
    """

    core: Box
    window: Box
    inner: Box


def cut_tiles(config: ModelConfig, shape: tuple[int, int], largest: int) -> Iterator[Tile]:
    """Tiles that cover a slice of `shape` (y, x), each of about `largest` pixels at most.

    One tile where the slice fits. Each tile's core sees all that it would see in
    the whole slice, and its pooled blocks lie in the same places.
    """
    whole = [geometry.output_size(config, length) for length in shape]
    if whole[0] * whole[1] <= largest:
        spans = [[(0, whole[0])], [(0, whole[1])]]
    else:
        reach = 2 * (halo(config) + geometry.margin(config))
        side = max(int(largest**0.5) - reach, geometry.alignment(config))
        spans = [_spans(config, length, side) for length in whole]
    for top, bottom in spans[0]:
        for left, right in spans[1]:
            window_y, inner_y = _window(config, (top, bottom), whole[0], shape[0])
            window_x, inner_x = _window(config, (left, right), whole[1], shape[1])
            core = (top, min(bottom, shape[0]), left, min(right, shape[1]))
            yield Tile(core, (*window_y, *window_x), (*inner_y, *inner_x))


def halo(config: ModelConfig) -> int:
    """Pixels that a core must see beyond its edge, a multiple of the alignment."""
    step = geometry.alignment(config)
    if config.padding == "valid":
        # Interpolation knows no "unpadded": at an edge it repeats the last pixel.
        return 2 * step if config.upsampling == "bilinear" else 0
    return -(-geometry.radius(config) // step) * step


def _spans(config: ModelConfig, whole: int, side: int) -> list[tuple[int, int]]:
    size = min(geometry.output_size(config, -(-whole // -(-whole // side))), whole)
    step = size - size % geometry.alignment(config) or geometry.alignment(config)
    starts = [*range(0, whole - size, step), whole - size]
    return [(start, start + size) for start in starts]


def _window(
    config: ModelConfig, core: tuple[int, int], whole: int, length: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    start, stop = core
    first = max(start - halo(config), 0)
    last = min(stop + halo(config), whole)
    inner = start - first
    return (first, last + 2 * geometry.margin(config)), (inner, inner + min(stop, length) - start)

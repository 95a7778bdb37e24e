"""Colours of classes: the default set, a colour-blind-safe one, and how files write colours."""

from __future__ import annotations

import colorsys
import re
from typing import TYPE_CHECKING

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Sequence

Colour = tuple[int, int, int]

DEFAULT_COLOURS: tuple[Colour, ...] = (
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 225, 25),
    (240, 50, 230),
    (70, 240, 240),
    (245, 130, 48),
    (145, 30, 180),
    (0, 128, 128),
    (170, 110, 40),
    (250, 190, 212),
    (128, 128, 0),
)
"""Colours of classes 0, 1, 2, ...: red, green, blue, then far from those before."""

COLOUR_BLIND: tuple[Colour, ...] = (
    (213, 94, 0),
    (0, 158, 115),
    (0, 114, 178),
    (240, 228, 66),
    (204, 121, 167),
    (86, 180, 233),
    (230, 159, 0),
    (153, 153, 153),
)
"""Colours that most colour-blind people tell apart (Okabe and Ito 2008), red-like first."""


def pick_colours(count: int, first: Sequence[Colour] = DEFAULT_COLOURS) -> tuple[Colour, ...]:
    """`count` different colours: those of `first`, then hues a golden angle apart."""
    colours = list(first[:count])
    step = 0
    while len(colours) < count:
        hue = (0.08 + step * 0.618034) % 1.0
        made = colorsys.hls_to_rgb(hue, (0.45, 0.7, 0.3)[step % 3], 0.55 + 0.4 * (step % 2))
        colour = (round(255 * made[0]), round(255 * made[1]), round(255 * made[2]))
        if colour not in colours:
            colours.append(colour)
        step += 1
    return tuple(colours)


def hex_colour(colour: Colour) -> str:
    """(255, 0, 0) as "#ff0000"."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def parse_colour(colour: object) -> Colour:
    """(r, g, b) from "#rrggbb" or [r, g, b] of 0..255; anything else raises XsegError."""
    if isinstance(colour, str) and re.fullmatch("#[0-9a-fA-F]{6}", colour.strip()):
        return unpack_colour(int(colour.strip()[1:], 16))
    if isinstance(colour, list | tuple) and len(colour) == 3 and all(map(_is_byte, colour)):
        return colour[0], colour[1], colour[2]
    raise XsegError(
        f'class table: the colour {colour!r} cannot be read; expected "#rrggbb" or [r, g, b].'
    )


def pack_colour(colour: Colour) -> int:
    """(r, g, b) as `r << 16 | g << 8 | b`."""
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def unpack_colour(packed: int) -> Colour:
    """`r << 16 | g << 8 | b` as (r, g, b)."""
    return packed >> 16 & 255, packed >> 8 & 255, packed & 255


def _is_byte(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= 255

"""The part of each slice that counts: everything, a circle, a box or a mask."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_xseg.data.formats.source import reading
from napari_xseg.data.volume import open_label_volume
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from napari_xseg.data.volume import Volume

Mask = npt.NDArray[np.bool_]
_BOX = re.compile(r"\s*(\d*)\s*:\s*(\d*)\s*,\s*(\d*)\s*:\s*(\d*)\s*")


class Region(ABC):
    """Which pixels take part in statistics, loss, scores and prediction."""

    @property
    @abstractmethod
    def text(self) -> str:
        """What `parse_region` takes to make this region; empty for everything."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the region depends on."""
        return ()

    @abstractmethod
    def mask(self, z: int, shape: tuple[int, int]) -> Mask | None:
        """Mark the pixels of slice z that count.

        Parameters
        ----------
        z
            0-based slice.
        shape
            (y, x) of the slice.

        Returns
        -------
        ndarray or None
            bool (y, x), or None where all count.

        Raises
        ------
        XsegError
            Where the region does not fit a slice of this shape.
        """

    @abstractmethod
    def check(self, shape: tuple[int, int, int]) -> None:
        """Raise XsegError unless the region fits a volume (z, y, x)."""


@dataclass(frozen=True)
class Everything(Region):
    """All pixels."""

    @property
    def text(self) -> str:
        """Nothing: the default."""
        return ""

    def mask(self, z: int, shape: tuple[int, int]) -> None:
        """Mark all pixels."""

    def check(self, shape: tuple[int, int, int]) -> None:
        """Fit every volume."""


@dataclass(frozen=True)
class Circle(Region):
    """The largest circle in the slice, as a reconstruction's field of view.

    A pixel counts where its centre lies inside.
    """

    @property
    def text(self) -> str:
        """The word `circle`."""
        return "circle"

    def mask(self, z: int, shape: tuple[int, int]) -> Mask:
        """Mark the circle's pixels."""
        height, width = shape
        y, x = np.ogrid[:height, :width]
        # Twice the distances from the centre, so that all numbers are whole.
        inside: Mask = (2 * y + 1 - height) ** 2 + (2 * x + 1 - width) ** 2 <= min(shape) ** 2
        return inside

    def check(self, shape: tuple[int, int, int]) -> None:
        """Fit every volume."""


@dataclass(frozen=True)
class Box(Region):
    """Pixels x0 <= x < x1 and y0 <= y < y1; an end that is None is the slice's."""

    x0: int
    x1: int | None
    y0: int
    y1: int | None

    @property
    def text(self) -> str:
        """The box as `x0:x1,y0:y1`."""
        x1, y1 = ("" if end is None else end for end in (self.x1, self.y1))
        return f"{self.x0}:{x1},{self.y0}:{y1}"

    def mask(self, z: int, shape: tuple[int, int]) -> Mask:
        """Mark the box's pixels."""
        self.check((1, *shape))
        inside = np.zeros(shape, bool)
        inside[self.y0 : self.y1, self.x0 : self.x1] = True
        return inside

    def check(self, shape: tuple[int, int, int]) -> None:
        """Raise XsegError where the box is empty or reaches out of the slices."""
        _, height, width = shape
        for name, low, high, size in (
            ("x", self.x0, self.x1, width),
            ("y", self.y0, self.y1, height),
        ):
            end = size if high is None else high
            if not 0 <= low < end <= size:
                raise XsegError(
                    f"region {self.text}: {name} from {low} to {end} is not inside 0 to {size} "
                    "(the end is not included); correct it."
                )


@dataclass(frozen=True)
class Overlap(Region):
    """Pixels that two regions have in common."""

    first: Region
    second: Region

    @property
    def text(self) -> str:
        """Both, for people: `parse_region` takes them one by one."""
        return f"{self.first.text} & {self.second.text}"

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of both."""
        return (*self.first.files, *self.second.files)

    def mask(self, z: int, shape: tuple[int, int]) -> Mask | None:
        """Mark what both mark."""
        one, other = self.first.mask(z, shape), self.second.mask(z, shape)
        if one is None or other is None:
            return one if other is None else other
        return one & other

    def check(self, shape: tuple[int, int, int]) -> None:
        """Raise XsegError unless both fit."""
        self.first.check(shape)
        self.second.check(shape)


@dataclass(frozen=True)
class MaskRegion(Region):
    """Pixels that are not zero in a mask: one image for all slices, or a stack of them."""

    volume: Volume = field(compare=False)
    path: str

    @property
    def text(self) -> str:
        """The mask's path."""
        return self.path

    @property
    def files(self) -> tuple[Path, ...]:
        """The mask's files."""
        return self.volume.files

    def mask(self, z: int, shape: tuple[int, int]) -> Mask:
        """Read the mask's pixels for slice z."""
        depth, *found = self.volume.shape
        if tuple(found) != shape or (depth > 1 and not 0 <= z < depth):
            raise self._misfit((z + 1, *shape))
        inside: Mask = self.volume.read(0 if depth == 1 else z) != 0
        return inside

    def check(self, shape: tuple[int, int, int]) -> None:
        """Raise XsegError unless the mask has the volume's size, or that of one slice."""
        depth, *found = self.volume.shape
        if tuple(found) != shape[1:] or depth not in (1, shape[0]):
            raise self._misfit(shape)

    def _misfit(self, shape: tuple[int, int, int]) -> XsegError:
        mask, volume = (" x ".join(map(str, size)) for size in (self.volume.shape, shape))
        return XsegError(
            f"{self.path}: is a mask of {mask} (z, y, x), the volume has {volume}; give a mask of "
            "the volume's size, or one image of a slice's."
        )


EVERYTHING = Everything()


def parse_region(text: str | Path | None) -> Region:
    """Make a region of what the user gives.

    Parameters
    ----------
    text
        `circle`; a box `x0:x1,y0:y1` in pixels, half open, ends may be left out;
        or the path of a mask, whose pixels count where they are not zero. None or
        empty for everything.

    Raises
    ------
    XsegError
        Where it is none of these, or the mask cannot be read or marks nothing.
    """
    words = str(text or "").strip()
    if not words:
        return EVERYTHING
    if words.casefold() == "circle":
        return Circle()
    box = _BOX.fullmatch(words)
    if box:
        x0, x1, y0, y1 = (int(end) if end else None for end in box.groups())
        region = Box(x0 or 0, x1, y0 or 0, y1)
        _check_not_empty(region)
        return region
    return _mask_region(words)


def _check_not_empty(box: Box) -> None:
    if (box.x1 is not None and box.x1 <= box.x0) or (box.y1 is not None and box.y1 <= box.y0):
        raise XsegError(f"region {box.text}: is empty; give x0:x1,y0:y1 with x0 < x1 and y0 < y1.")


def _mask_region(path: str) -> MaskRegion:
    with reading(path):
        there = Path(path).expanduser().exists()
    if not there and ":" not in path:
        raise XsegError(
            f"region {path}: is neither circle, nor x0:x1,y0:y1, nor a mask that exists; "
            "correct it."
        )
    volume = open_label_volume(path)
    if len(volume) == 1 and not volume.read(0).any():
        raise XsegError(f"{path}: marks no pixel; the region's pixels are those that are not zero.")
    return MaskRegion(volume, path)

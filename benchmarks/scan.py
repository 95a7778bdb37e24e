"""The real scan that everything is measured on, and what is made from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tifffile

from benchmarks.commands import ROOT
from napari_xseg.data.derived import noisy_volume
from napari_xseg.data.volume import open_label_volume, open_volume

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from numpy.typing import NDArray

PLACE = ROOT.parent / "shared" / "data" / "soc"
TRAIN = (13, 39, 65, 91, 117)
VALIDATE = range(160, 200)
# A value that no class of the scan has.
UNLABELLED = 1
BRUSH = 3


@dataclass(frozen=True)
class Scan:
    """A folder with the images in `data` and a label of each in `labels`."""

    folder: Path = PLACE

    @property
    def images(self) -> Path:
        return self.folder / "data"

    @property
    def labels(self) -> Path:
        return self.folder / "labels"

    @property
    def there(self) -> bool:
        return self.images.is_dir() and self.labels.is_dir()

    def write_noisy(self, folder: Path, std: float, seed: int) -> None:
        """Write each slice with Gaussian noise of its own, clipped and rounded to the dtype."""
        folder.mkdir()
        volume = open_volume(self.images)
        noisy = noisy_volume(volume, std, seed)
        for z, name in enumerate(volume.slice_names):
            tifffile.imwrite(folder / name, noisy.read(z))

    def write_darker(self, folder: Path, factor: float, darker: Collection[int]) -> None:
        """Write all slices, the grey values of those of `darker` times `factor`."""
        folder.mkdir()
        volume = open_volume(self.images)
        for z, name in enumerate(volume.slice_names):
            plane = volume.read(z)
            changed = np.rint(plane * factor).astype(plane.dtype) if z in darker else plane
            tifffile.imwrite(folder / name, changed)

    def write_strokes(self, folder: Path, share: float, seed: int) -> None:
        """Write the training labels with a `share` of their pixels, the rest `UNLABELLED`."""
        folder.mkdir()
        volume = open_label_volume(self.labels)
        for z in TRAIN:
            known = strokes(volume.shape[1:], share, np.random.default_rng([seed, z]))
            truth = volume.read(z)
            scribbled = np.where(known, truth, truth.dtype.type(UNLABELLED))
            tifffile.imwrite(folder / volume.slice_names[z], scribbled)


def strokes(shape: tuple[int, ...], share: float, random: np.random.Generator) -> NDArray[np.bool_]:
    """Wandering brush strokes, 3 pixels wide, that cover a `share` of `shape` (y, x), no more."""
    drawn = np.zeros(shape, bool)
    left = round(share * drawn.size)
    while True:
        y, x = random.uniform(0, shape[0]), random.uniform(0, shape[1])
        heading = random.uniform(0, 2 * math.pi)
        for turn in random.normal(0, 0.15, random.integers(20, 120)):
            heading += turn
            y, x = y + math.sin(heading), x + math.cos(heading)
            if not (0 <= y < shape[0] and 0 <= x < shape[1]):
                break
            spot = drawn[_brush(y), _brush(x)]
            left -= spot.size - int(spot.sum())
            if left < 0:
                return drawn
            spot[:] = True


def _brush(centre: float) -> slice:
    first = int(centre) - BRUSH // 2
    return slice(max(0, first), first + BRUSH)

"""What the first n suspects of a mask catch of its true mistakes, against random places.

python -m benchmarks.suspects SUSPECTS.csv MASK LABELS SEED prints the figures as JSON.

A mistake is caught where half of its pixels and more lie in the boxes of the first
n suspects. Random places are boxes of the very same sizes, each at a place and in a
slice drawn at random, or around a random pixel at a border between classes in the
mask, where nearly all mistakes lie; their figures are means over the draws.
"""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cc3d
import numpy as np

from benchmarks.promises import CAUGHT_SIZE, FIRST
from napari_xseg.data.labels import open_labels
from napari_xseg.data.volume import open_volume
from napari_xseg.review.suspects.masks import open_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Box = tuple[int, slice, slice]
DRAWS = 20


@dataclass(frozen=True, eq=False)
class Wrong:
    """Wrong pixels (n, y, x) with the connected mistakes of each slice, numbered from 1.

    `borders` (m, 3) are the pixels of the mask beside one of another class.
    """

    pixels: NDArray[np.bool_]
    mistakes: tuple[NDArray[np.integer], ...]
    borders: NDArray[np.intp]

    def caught(self, boxes: Sequence[Box]) -> tuple[float, float]:
        """Shares of the wrong pixels and of the larger mistakes that lie in the boxes."""
        seen = np.zeros_like(self.pixels)
        for place, rows, columns in boxes:
            seen[place, rows, columns] = True
        there = found = 0
        for covered, numbers in zip(seen, self.mistakes, strict=True):
            sizes = np.bincount(numbers.ravel())
            inside = np.bincount(numbers[covered], minlength=len(sizes))
            large = sizes >= CAUGHT_SIZE
            large[0] = False
            there += int(large.sum())
            found += int((large & (2 * inside >= sizes)).sum())
        share = (self.pixels & seen).sum() / max(1, self.pixels.sum())
        return float(share), found / max(1, there)

    def random_boxes(
        self, boxes: Sequence[Box], random: np.random.Generator, *, at_borders: bool
    ) -> list[Box]:
        """Boxes of the same sizes elsewhere: anywhere, or around pixels at borders."""
        shape = np.array(self.pixels.shape)
        drawn = []
        for _, rows, columns in boxes:
            size = np.array([1, rows.stop - rows.start, columns.stop - columns.start])
            corner = random.integers(shape - size + 1)
            if at_borders:
                middle = self.borders[random.integers(len(self.borders))]
                corner = np.clip(middle - size // 2, 0, shape - size)
            z, top, left = corner.tolist()
            drawn.append((z, slice(top, top + int(size[1])), slice(left, left + int(size[2]))))
        return drawn


def compare(mask: Path, labels: Path) -> tuple[Wrong, tuple[int, ...]]:
    """The wrong pixels of a mask, and the slices that it has."""
    values = open_labels(labels, slices=[0])
    opened = open_mask(mask, open_volume(labels), values.classes)
    slices = tuple(sorted(opened.page_of))
    wrong, numbers, masks = [], [], []
    for z in slices:
        truth, found = values.read(z), opened.read(z)
        masks.append(found)
        wrong.append(truth != found)
        codes = np.where(wrong[-1], truth.astype(np.uint16) * 256 + found + 1, 0)
        numbers.append(cc3d.connected_components(codes.astype(np.uint32), connectivity=8))
    return Wrong(np.stack(wrong), tuple(numbers), _borders(np.stack(masks))), slices


def _borders(masks: NDArray[np.uint8]) -> NDArray[np.intp]:
    border = np.zeros(masks.shape, bool)
    border[:, :-1] |= masks[:, :-1] != masks[:, 1:]
    border[..., :-1] |= masks[..., :-1] != masks[..., 1:]
    return np.argwhere(border)


def read_boxes(path: Path, slices: tuple[int, ...]) -> list[Box]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            (
                slices.index(int(row["z"])),
                slice(int(row["y_start"]), int(row["y_stop"])),
                slice(int(row["x_start"]), int(row["x_stop"])),
            )
            for row in csv.DictReader(file)
        ]


def main(words: Sequence[str]) -> None:
    listed, mask, labels, seed = Path(words[0]), Path(words[1]), Path(words[2]), int(words[3])
    wrong, slices = compare(mask, labels)
    boxes = read_boxes(listed, slices)
    random = np.random.default_rng(seed)
    figures = {"suspects": float(len(boxes))}
    for count in FIRST:
        first = boxes[:count]
        pixels, mistakes = wrong.caught(first)
        figures[f"caught_pixels_{count}"] = 100 * pixels
        figures[f"caught_mistakes_{count}"] = 100 * mistakes
        for name, at_borders in (("chance", False), ("border", True)):
            drawn = [
                wrong.caught(wrong.random_boxes(first, random, at_borders=at_borders))
                for _ in range(DRAWS)
            ]
            by_chance = np.mean(drawn, axis=0).tolist()
            figures[f"{name}_pixels_{count}"] = 100 * by_chance[0]
            figures[f"{name}_mistakes_{count}"] = 100 * by_chance[1]
            figures[f"{name}_ratio_{count}"] = pixels / max(by_chance[0], 1e-9)
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])

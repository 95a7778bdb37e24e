"""Crops for training: where they lie, and what the network gets to see of them.

Everything random comes from one numpy generator, so that a run can go on from
its state exactly.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_xseg.data.coding import IGNORE
from napari_xseg.data.derived import add_noise
from napari_xseg.data.mirror import mirror_indices
from napari_xseg.data.planes import ContextReader, PlaneCache
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_xseg.config import TrainConfig
    from napari_xseg.data.intensity import Intensity
    from napari_xseg.data.labels import LabelVolume, Masked
    from napari_xseg.data.planes import Prepare
    from napari_xseg.data.volume import Volume

Item = TypeVar("Item")
# Places kept for each class of a slice, to put crops on: enough not to repeat.
ANCHORS = 4096
# From this labelled share on, a crop placed anywhere is labelled well enough.
DENSE = 0.9


class LabelledSlices:
    """Some slices with their truth, read when used and kept while memory allows.

    Parameters
    ----------
    images, labels : Volume, LabelVolume
        Of the same (y, x).
    label_of : mapping of int to int
        Label z by image z.
    region : optional
        Pixels outside have no truth.
    intensity : Intensity
        What normalises the images.
    context : int
        Neighbours on each side.
    limit : int
        Bytes of slices that are kept.
    prepare : callable, optional
        Applied to each normalised slice (see `ContextReader`).
    """

    def __init__(
        self,
        images: Volume,
        labels: LabelVolume,
        label_of: Mapping[int, int],
        region: Masked | None,
        intensity: Intensity,
        context: int,
        limit: int,
        prepare: Prepare | None = None,
    ) -> None:
        self.name = labels.name
        self.shape = (images.shape[1], images.shape[2])
        self.classes = len(labels.classes)
        self.reader = ContextReader(images, intensity, context, limit, prepare)
        self._limit = limit
        self._labels = labels
        self._label_of = label_of
        self._region = region
        self.truth = PlaneCache(self._read_truth, limit)

    def _read_truth(self, z: int) -> NDArray[np.uint8]:
        """Class indices (y, x) of slice `z`, 255 where nothing may be learnt."""
        truth = self._labels.read(self._label_of[z])
        usable = None if self._region is None else self._region.mask(z, self.shape)
        if usable is not None:
            truth = np.where(usable, truth, np.uint8(IGNORE))
        finite = self.reader.finite(z)
        return truth if finite is None else np.where(finite, truth, np.uint8(IGNORE))

    def noisy_copies(self, std: float, seed: int) -> PlaneCache:
        """Slices with Gaussian noise of sd `std` counts, clipped and rounded, then normalised.

        The same slice has the same noise each time.
        """
        images, intensity = self.reader.images, self.reader.intensity

        def make(z: int) -> NDArray[np.float32]:
            rng = np.random.default_rng([seed, z])
            return intensity.normalise(add_noise(images.read(z), std, rng))

        return PlaneCache(make, self._limit)

    def sha256(self, slices: Sequence[int]) -> dict[str, str]:
        """SHA-256 (hex) of the images and of the truth of `slices`, in this order.

        Images as `ContextReader.sha256` says; truth over the class indices, with
        255 where nothing may be learnt.
        """
        digest = hashlib.sha256()
        for z in slices:
            digest.update(self.truth(z).tobytes())
        return {"images": self.reader.sha256(slices), "labels": digest.hexdigest()}


@dataclass(frozen=True, slots=True)
class Crop:
    """A window of slice `z`, `top` and `left` in pixels (outside is mirrored)."""

    z: int
    noisy: bool
    top: int
    left: int
    turn: int = 0
    mirror: bool = False
    reverse: bool = False


class CropSampler:
    """Draws crops with labelled pixels in them, or whole slices in turn.

    Parameters
    ----------
    data : LabelledSlices
        Where they come from.
    slices : sequence of int
        z that train.
    size : (int, int)
        Of the crop's truth; the image reaches `margin` pixels further on each side.
    margin : int
        What the network trims.
    config : TrainConfig
        `crop`, `balance` and what is turned and reversed. Without `crop` every
        slice comes once an epoch, in a random order.
    noisy_copies : PlaneCache, optional
        Slices with noise, as further slices to train on.
    seed : int
        Of all that is drawn.

    Raises
    ------
    XsegError
        No labelled pixel in any of the slices.
    """

    def __init__(
        self,
        data: LabelledSlices,
        slices: Sequence[int],
        size: tuple[int, int],
        margin: int,
        config: TrainConfig,
        *,
        noisy_copies: PlaneCache | None = None,
        seed: int = 0,
    ) -> None:
        self.data = data
        self.size = size
        self.margin = margin
        self.whole = config.crop is None
        self.balance = 0.0 if self.whole else config.balance
        self.turns = config.augment.turns and size[0] == size[1]
        self.reverse = config.augment.reverse_context
        self.noisy_copies = noisy_copies
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.drawn = 0
        self._index(slices)

    def _index(self, slices: Sequence[int]) -> None:
        # Its own generator: where crops can lie is no part of the run's random stream.
        rng = np.random.default_rng(0)
        self.anchors: dict[int, list[NDArray[np.int64]]] = {}
        self.dense: dict[int, bool] = {}
        for z in slices:
            truth = self.data.truth(z).ravel()
            places = [np.flatnonzero(truth == index) for index in range(self.data.classes)]
            labelled = sum(map(len, places))
            if labelled:
                self.dense[z] = labelled >= DENSE * truth.size
                self.anchors[z] = [_some(found, rng) for found in places]
        if not self.anchors:
            raise XsegError(
                f"{self.data.name}: no labelled pixel lies where the images have values; label "
                "pixels inside the field of view."
            )
        self.slices = tuple(self.anchors)
        copies = (False,) if self.noisy_copies is None else (False, True)
        self.items = [(z, noisy) for noisy in copies for z in self.slices]
        self.holders = [
            holders
            for index in range(self.data.classes)
            if (holders := [item for item in self.items if len(self.anchors[item[0]][index])])
        ]
        self.present = [
            index
            for index in range(self.data.classes)
            if any(len(self.anchors[z][index]) for z in self.slices)
        ]

    @property
    def window(self) -> tuple[int, int]:
        """Size (Y, X) of what the network sees."""
        return self.size[0] + 2 * self.margin, self.size[1] + 2 * self.margin

    def state(self) -> dict[str, Any]:
        """Where the random stream is, as plain values."""
        return {"rng": json.dumps(self.rng.bit_generator.state), "drawn": self.drawn}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.rng.bit_generator.state = json.loads(state["rng"])
        self.drawn = int(state["drawn"])

    def draw(self) -> Crop:
        """The next crop."""
        rng = self.rng
        if self.whole:
            (z, noisy), top, left = self._next_in_turn(), 0, 0
        elif rng.random() < self.balance:
            place = int(rng.integers(len(self.present)))
            z, noisy = _pick(rng, self.holders[place])
            top, left = self._around(self.anchors[z][self.present[place]])
        else:
            z, noisy = _pick(rng, self.items)
            top, left = self._anywhere() if self.dense[z] else self._on_label(z)
        self.drawn += 1
        turn = int(rng.integers(4)) if self.turns else 0
        mirror = bool(rng.integers(2)) if self.turns else False
        reverse = bool(rng.integers(2)) if self.reverse else False
        return Crop(z, noisy, top, left, turn, mirror, reverse)

    def _next_in_turn(self) -> tuple[int, bool]:
        epoch, place = divmod(self.drawn, len(self.items))
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.items))
        return self.items[int(order[place])]

    def _anywhere(self) -> tuple[int, int]:
        top, left = (
            int(self.rng.integers(length - size + 1)) if length > size else 0
            for length, size in zip(self.data.shape, self.size, strict=True)
        )
        return top, left

    def _on_label(self, z: int) -> tuple[int, int]:
        kinds = self.anchors[z]
        sizes = np.cumsum([len(found) for found in kinds])
        index = int(np.searchsorted(sizes, self.rng.integers(sizes[-1]), side="right"))
        return self._around(kinds[index])

    def _around(self, places: NDArray[np.int64]) -> tuple[int, int]:
        """A crop inside the slice, at a random place that holds one of `places`."""
        place = divmod(int(places[self.rng.integers(len(places))]), self.data.shape[1])
        top, left = (
            int(np.clip(at - self.rng.integers(size), 0, length - size)) if length > size else 0
            for at, length, size in zip(place, self.data.shape, self.size, strict=True)
        )
        return top, left

    def batch(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Images (count, channels, Y, X) float32 and truth (count, y, x) int64, 255 ignored."""
        channels = 2 * self.data.reader.context + 1
        height, width = self.size
        images = np.empty(
            (count, channels, height + 2 * self.margin, width + 2 * self.margin), np.float32
        )
        truth = np.empty((count, height, width), np.int64)
        for place in range(count):
            self.cut(self.draw(), images[place], truth[place])
        return images, truth

    def cut(self, crop: Crop, image: NDArray[np.float32], truth: NDArray[np.int64]) -> None:
        """Write `crop` into `image` (channels, Y, X) and `truth` (y, x)."""
        (height, width), margin = self.size, self.margin
        rows = _window(crop.top, height, 0, self.data.shape[0])
        columns = _window(crop.left, width, 0, self.data.shape[1])
        known = self.data.truth(crop.z)[rows][:, columns]
        truth[:] = _turned(self._within_slice(known, crop), crop)
        rows = _window(crop.top, height, margin, self.data.shape[0])
        columns = _window(crop.left, width, margin, self.data.shape[1])
        neighbours = self.data.reader.neighbours(crop.z)
        if crop.reverse:
            neighbours.reverse()
        copies = self.noisy_copies if crop.noisy else None
        plane = copies or self.data.reader.plane
        for channel, z in zip(image, neighbours, strict=True):
            channel[:] = _turned(plane(z)[rows][:, columns], crop)

    def _within_slice(self, known: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
        """Mirrored pixels have no truth of their own: they would count twice."""
        bottom, right = (
            length - start
            for length, start in zip(self.data.shape, (crop.top, crop.left), strict=True)
        )
        if bottom >= self.size[0] and right >= self.size[1]:
            return known
        known = known.copy()
        known[bottom:] = IGNORE
        known[:, right:] = IGNORE
        return known


def _window(start: int, size: int, margin: int, length: int) -> slice | NDArray[np.intp]:
    """Index for `size` pixels and a margin from `start`, mirrored where that reaches outside."""
    first, last = start - margin, start + size + margin
    if first >= 0 and last <= length:
        return slice(first, last)
    return mirror_indices(first, last, length)


def _turned(plane: NDArray[np.generic], crop: Crop) -> NDArray[np.generic]:
    plane = np.rot90(plane, crop.turn) if crop.turn else plane
    return plane[:, ::-1] if crop.mirror else plane


def _some(places: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.int64]:
    if len(places) > ANCHORS:
        places = rng.choice(places, ANCHORS, replace=False)
    return places.astype(np.int64)


def _pick(rng: np.random.Generator, items: Sequence[Item]) -> Item:
    return items[int(rng.integers(len(items)))]

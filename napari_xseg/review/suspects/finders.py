"""What finds suspects of each kind in a slice, with the slices above and below it at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_xseg.metrics import IGNORE
from napari_xseg.review.suspects import ranking
from napari_xseg.review.suspects.places import measure, unsure_places
from napari_xseg.review.suspects.sizes import inner_pieces, pieces, surroundings
from napari_xseg.review.suspects.table import ROW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_xseg.review.matching import IndexMap
    from napari_xseg.review.suspects.table import Kind


@dataclass(frozen=True, eq=False, slots=True)
class Seen:
    """A slice (y, x) with all that is known of it.

    Attributes
    ----------
    z : int
        0-based.
    mask : uint8 array
        Class indices, 255 where unlabelled.
    doubt : float32 array, optional
        The chance that the pixel is wrong, 0 to 1, as a model says.
    disagreement : float32 array, optional
        Share of the turned slices that give another class.
    second : uint8 array, optional
        Class indices of another model or mask, 255 where unlabelled.
    drift : float, optional
        How far its grey values lie off those of the volume: see `drift`.
    """

    z: int
    mask: IndexMap
    doubt: NDArray[np.float32] | None = None
    disagreement: NDArray[np.float32] | None = None
    second: IndexMap | None = None
    drift: float = 0.0


class Finder(Protocol):
    """Finds suspects of some kinds; slices come one at a time."""

    def find(self, seen: Seen, below: Seen | None, above: Seen | None) -> NDArray[np.void]:
        """Rows of `seen`; `below` and `above` are the slices beside it, where they are known."""


class Confidence:
    """Places where the model is not sure of the class in the mask."""

    def find(self, seen: Seen, below: Seen | None, above: Seen | None) -> NDArray[np.void]:
        """As `Finder.find`."""
        if seen.doubt is None:
            return np.empty(0, ROW)
        return unsure_places("confidence", seen.z, seen.doubt, seen.mask)


class Flips:
    """Places that the model sees otherwise when the slice is turned or mirrored."""

    def find(self, seen: Seen, below: Seen | None, above: Seen | None) -> NDArray[np.void]:
        """As `Finder.find`."""
        share = seen.disagreement
        if share is None:
            return np.empty(0, ROW)
        chance = ranking.FLIPPED_ONCE + ranking.FLIPPED_ALWAYS * share
        chance = np.where(share > 0, chance, np.float32(0)).astype(np.float32)
        return unsure_places("flips", seen.z, chance, seen.mask)


class Models:
    """Places where another model or mask has another class."""

    def find(self, seen: Seen, below: Seen | None, above: Seen | None) -> NDArray[np.void]:
        """As `Finder.find`."""
        if seen.second is None:
            return np.empty(0, ROW)
        differs = (seen.second != seen.mask) & (seen.mask != IGNORE) & (seen.second != IGNORE)
        chance = differs.astype(np.float32) * np.float32(ranking.SECOND_DIFFERS)
        return unsure_places("models", seen.z, chance, seen.mask, seen.second)


class Alone:
    """A class in one slice alone: the slices above and below agree on another one there."""

    def find(self, seen: Seen, below: Seen | None, above: Seen | None) -> NDArray[np.void]:
        """As `Finder.find`."""
        if below is None or above is None:
            return np.empty(0, ROW)
        alone = (seen.mask != below.mask) & (below.mask == above.mask)
        alone &= (seen.mask != IGNORE) & (below.mask != IGNORE)
        numbers = pieces(np.where(alone, seen.mask, np.uint8(IGNORE)))
        chance = np.full(alone.shape, ranking.ALONE_IN_ONE_SLICE, np.float32)
        return measure("neighbours", seen.z, numbers, chance, seen.mask, below.mask)


class SmallPieces:
    """Fragments and holes that are too small for their class.

    A hole is a piece with one class alone all around it; what the edge of the slice
    or of the labelled part cuts is neither. The smaller a piece, the more suspicious;
    one that the slices above or below have too, in half of its pixels, is less so.

    Parameters
    ----------
    kinds : sequence of str
        "fragment", "hole" or both.
    limits : sequence of int
        Pixels by class below which a piece is too small, as `learn_sizes` gives them.
    """

    def __init__(self, kinds: Sequence[Kind], limits: Sequence[int] | NDArray[np.int64]) -> None:
        self._kinds = kinds
        self._limits = np.zeros(256, np.int64)
        self._limits[: len(limits)] = limits

    def find(self, seen: Seen, below: Seen | None, above: Seen | None) -> NDArray[np.void]:
        """As `Finder.find`."""
        mask = seen.mask
        numbers = pieces(mask)
        sizes = np.bincount(numbers.ravel())
        classes = np.full(len(sizes), IGNORE, np.uint8)
        classes[numbers.ravel()] = mask.ravel()
        limits = self._limits[classes]
        small = (sizes < limits) & inner_pieces(mask, numbers)
        if not small.any():
            return np.empty(0, ROW)
        around, alone = surroundings(mask, numbers, small)
        chance = self._chance(seen, below, above, numbers, sizes) * (1 - sizes / limits.clip(1))
        by_pixel, others = chance.astype(np.float32)[numbers], around[numbers]
        groups: tuple[tuple[Kind, NDArray[np.bool_]], ...]
        groups = (("fragment", small & ~alone), ("hole", small & alone))
        found = [
            measure(kind, seen.z, np.where(which[numbers], numbers, 0), by_pixel, mask, others, 1)
            for kind, which in groups
            if kind in self._kinds
        ]
        return np.concatenate(found)

    @staticmethod
    def _chance(
        seen: Seen,
        below: Seen | None,
        above: Seen | None,
        numbers: NDArray[np.int64],
        sizes: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Of each piece, were it very small."""
        beside = [other.mask == seen.mask for other in (below, above) if other is not None]
        if not beside:
            return np.full(len(sizes), ranking.SMALL_PIECE)
        held = np.bincount(numbers.ravel(), weights=np.logical_or.reduce(beside).ravel())
        return np.where(2 * held < sizes, ranking.LONE_PIECE, ranking.SMALL_PIECE)


class Drift:
    """Slices whose grey values lie off those of the volume."""

    def find(self, seen: Seen, below: Seen | None, above: Seen | None) -> NDArray[np.void]:
        """As `Finder.find`."""
        if seen.drift <= 0:
            return np.empty(0, ROW)
        whole = (seen.mask != IGNORE).astype(np.int64)
        chance = np.full(whole.shape, ranking.DRIFTED_SLICE * seen.drift, np.float32)
        rows = measure("drift", seen.z, whole, chance, seen.mask)
        rows["found"] = rows["other"] = IGNORE
        return rows

"""How large pieces of a class are in a mask, and which are too small for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.metrics import IGNORE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_xseg.review.matching import IndexMap

# Pieces too small hold together no more than this share of the pixels of their class.
SMALL_SHARE = 0.001
# Where there are very many of them: a piece is too small below this share of the usual one.
SMALL_PART = 0.001


def pieces(mask: IndexMap) -> NDArray[np.int64]:
    """Number (y, x) int64 the connected pieces of each class from 1, 0 where unlabelled."""
    import cc3d

    # 255 wraps to 0, which is no piece.
    raised = np.add(mask, 1, dtype=np.uint8)
    numbers: NDArray[np.int64] = cc3d.connected_components(raised, connectivity=8).astype(np.int64)
    return numbers


def learn_sizes(masks: Iterable[IndexMap], classes: int) -> NDArray[np.int64]:
    """Pixels (C,) below which a piece is too small for its class, from slices of the mask itself.

    It is the size at which the smaller pieces of the class hold together a
    thousandth of its pixels; at least a thousandth of the piece in which the median
    pixel of the class lies. A class that does not occur has 0: nothing is too small.
    """
    found: list[list[NDArray[np.int64]]] = [[] for _ in range(classes)]
    for mask in masks:
        numbers = pieces(mask)
        sizes = np.bincount(numbers.ravel())
        for index in range(classes):
            here = np.unique(numbers[mask == index])
            found[index].append(sizes[here])
    return np.array([_limit(np.concatenate([np.empty(0, np.int64), *own])) for own in found])


def _limit(sizes: NDArray[np.int64]) -> int:
    if not sizes.size:
        return 0
    rising = np.sort(sizes)
    held = np.cumsum(rising)
    small = rising[np.searchsorted(held, SMALL_SHARE * held[-1])]
    usual = rising[np.searchsorted(held, held[-1] / 2)]
    return int(max(small, round(SMALL_PART * usual)))


def inner_pieces(mask: IndexMap, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each number (0 to n) is a piece that ends within the slice, all of it labelled."""
    count = int(numbers.max()) + 1
    inner = np.ones(count, bool)
    inner[0] = False
    for edge in (numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]):
        inner[edge] = False
    unknown = mask == IGNORE
    if unknown.any():
        for here, there in _beside():
            inner[numbers[here][unknown[there]]] = False
    return inner


def surroundings(
    mask: IndexMap, numbers: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The commonest class (n,) around each `wanted` piece, and whether it is the only one."""
    keys = [np.empty(0, np.int64)]
    for here, there in _beside():
        border = wanted[numbers[here]] & (numbers[here] != numbers[there])
        keys.append(numbers[here][border] * 256 + mask[there][border])
    pairs, counts = np.unique(np.concatenate(keys), return_counts=True)
    order = np.argsort(counts, kind="stable")
    around = np.full(len(wanted), IGNORE, np.uint8)
    around[pairs[order] // 256] = pairs[order] % 256
    alone = np.bincount(pairs // 256, minlength=len(wanted)) == 1
    return around, alone


def _beside() -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Where pixels lie, and their four neighbours."""
    whole, first, last = slice(None), slice(None, -1), slice(1, None)
    across = [((whole, first), (whole, last)), ((first, whole), (last, whole))]
    return across + [(there, here) for here, there in across]

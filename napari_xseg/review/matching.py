"""Masks beside labels: index maps of the same classes, one slice at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_xseg.errors import XsegError
from napari_xseg.metrics import IGNORE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.labels import Masked

IndexMap = NDArray[np.uint8]


class IndexMaps(Protocol):
    """What is scored: slices of class indices, as `data.labels.LabelVolume` gives them."""

    @property
    def name(self) -> str:
        """What errors call it."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""

    @property
    def classes(self) -> ClassTable:
        """The classes whose indices the slices hold."""

    def read(self, z: int) -> IndexMap:
        """Slice `z`: uint8 (y, x), 255 where unlabelled or not predicted."""


def match(
    masks: IndexMaps,
    labels: IndexMaps,
    pairs: Sequence[tuple[int, int]],
    region: Masked | None = None,
) -> tuple[ClassTable, Iterator[tuple[int, IndexMap, IndexMap]]]:
    """Check `pairs` of (mask z, label z) and read them as truth and prediction.

    Returns
    -------
    ClassTable
        The classes of both, matched by file value.
    iterator of (z, truth, prediction)
        The label's z and two uint8 (y, x) index maps, read when asked for; the
        truth is 255 outside `region`, which is asked for the label's z.

    Raises
    ------
    XsegError
        No pair, a z outside the volumes, or sizes or classes that differ.
    """
    _check_pairs(masks, labels, pairs)
    classes, mask_codes, label_codes = common_classes(masks, labels)

    def read() -> Iterator[tuple[int, IndexMap, IndexMap]]:
        for mask_z, label_z in pairs:
            truth = _recode(labels.read(label_z), label_codes)
            prediction = _recode(masks.read(mask_z), mask_codes)
            inside = None if region is None else region.mask(label_z, truth.shape)
            if inside is not None:
                truth = np.where(inside, truth, np.uint8(IGNORE))
            yield label_z, truth, prediction

    return classes, read()


def common_classes(
    masks: IndexMaps, labels: IndexMaps
) -> tuple[ClassTable, IndexMap | None, IndexMap | None]:
    """Find the classes of both, and for each the index table into them (None: as they are).

    Classes are matched by file value; names and colours are those of the labels, or
    of the masks where only those have names. XsegError where each side has a value
    that the other lacks.
    """
    for table in sorted((labels.classes, masks.classes), key=_is_nameless):
        if set(masks.classes.values) | set(labels.classes.values) == set(table.values):
            return table, _codes(masks.classes, table), _codes(labels.classes, table)
    strange = sorted(set(masks.classes.values) - set(labels.classes.values))
    raise XsegError(
        f"{masks.name}: holds the values {strange}, which are no class of {labels.name} "
        f"{sorted(labels.classes.values)}; give masks and labels of the same classes."
    )


def _is_nameless(table: ClassTable) -> bool:
    return all(name == f"class {index}" for index, name in enumerate(table.names))


def _codes(table: ClassTable, target: ClassTable) -> IndexMap | None:
    if table.values == target.values:
        return None
    codes = np.full(256, IGNORE, np.uint8)
    codes[: len(table)] = [target.values.index(value) for value in table.values]
    return codes


def _recode(index_map: IndexMap, codes: IndexMap | None) -> IndexMap:
    return index_map if codes is None else codes[index_map]


def _check_pairs(masks: IndexMaps, labels: IndexMaps, pairs: Sequence[tuple[int, int]]) -> None:
    if not pairs:
        raise XsegError(f"{labels.name}: no slice to score; choose labelled slices.")
    if masks.shape[1:] != labels.shape[1:]:
        raise XsegError(
            f"{masks.name}: its slices are {_size(masks)} pixels, those of {labels.name} "
            f"{_size(labels)}; give masks of the labelled slices."
        )
    for source, wanted in ((masks, [m for m, _ in pairs]), (labels, [t for _, t in pairs])):
        outside = [z for z in wanted if not 0 <= z < source.shape[0]]
        if outside:
            raise XsegError(
                f"{source.name}: z {outside[0]} was asked for, it has 0 to {source.shape[0] - 1}."
            )


def _size(source: IndexMaps) -> str:
    return f"{source.shape[1]} x {source.shape[2]}"

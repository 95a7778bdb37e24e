"""Two masks of one image against each other: what differs, slice by slice, counted when asked for.

Nothing here knows of Qt or napari; everything may be called from any thread.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.coding import OUTSIDE, as_integers, look_up
from napari_xseg.errors import XsegError
from napari_xseg.metrics import IGNORE
from napari_xseg.review.border import border_band, check_border
from napari_xseg.review.evaluation import Evaluation, SliceScore, score_slice
from napari_xseg.review.matching import IndexMap, common_classes, match
from napari_xseg.review.mistakes import MistakeFinder, Mistakes, join_mistakes
from napari_xseg.review.selection import ANY_PAIR, ClassPair, pair_map

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

TRUTH_WORDS = ("truth", "prediction")
MASK_WORDS = ("A", "B")
# Slices whose values are looked at where neither layer has a class table.
_SAMPLED = 9


@dataclass(frozen=True, eq=False)
class LayerMaps:
    """The index maps of a Labels layer, read a slice at a time.

    Parameters
    ----------
    name : str
        The layer's, for messages.
    data : array-like
        (z, y, x) or (y, x) of integers.
    classes : ClassTable
        What the values mean.
    coded : bool
        Class k is k + 1 and 0 is unlabelled, as in layers of ours; otherwise
        the values are those of files.
    """

    name: str
    data: Any
    classes: ClassTable
    coded: bool = True

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x) in pixels; z is 1 for a single slice."""
        depth, height, width = (1, *self.data.shape)[-3:]
        return int(depth), int(height), int(width)

    def read(self, z: int) -> IndexMap:
        """Slice z: uint8 (y, x), 255 where unlabelled; XsegError for a value without a class."""
        source = f"layer {self.name!r}, z = {z}"
        plane = as_integers(_plane(self.data, z), source)
        if self.coded:
            return self.classes.from_layer(plane, source)
        index = look_up(plane, self.classes.values, self.classes.unlabelled)
        strange = plane[index == OUTSIDE]
        if strange.size:
            raise XsegError(
                f"{source}: holds the value {strange[0]} in {strange.size:,} pixels, which is no "
                f"class {self.classes.values}; choose a layer of the same classes."
            )
        return index

    def version(self, z: int) -> int:
        """A number that rises when slice z changes, where the array can say so; else 0."""
        told = getattr(self.data, "version", None)
        return int(told(z)) if callable(told) else 0


@dataclass(frozen=True, eq=False)
class Chosen:
    """A Labels layer as it was when it was chosen: name, array, and class table if it has one."""

    name: str
    data: Any
    classes: ClassTable | None


@dataclass(frozen=True)
class Rules:
    """How mistakes are counted.

    Parameters
    ----------
    border : int
        Half-width in pixels of the band around class borders of the truth.
    leave_out : bool
        The band takes no part: not in figures, mistakes or the overlay.
    across_slices : bool
        Mistakes of neighbouring slices that touch are one.
    """

    border: int = 2
    leave_out: bool = False
    across_slices: bool = False

    def __post_init__(self) -> None:
        check_border(self.border)


@dataclass(frozen=True, eq=False, slots=True)
class SliceReview:
    """What is known of one slice: its counts, and its connected mistakes."""

    score: SliceScore
    mistakes: Mistakes


class Comparison:
    """Truth and prediction, matched by class, with everything counted so far.

    Parameters
    ----------
    truth, prediction : LayerMaps
        Of one shape; classes are matched by file value.

    Raises
    ------
    XsegError
        Shapes or classes that differ.
    """

    def __init__(self, truth: LayerMaps, prediction: LayerMaps) -> None:
        if truth.shape != prediction.shape:
            raise XsegError(
                f"layer {prediction.name!r}: is {_size(prediction)} pixels, layer {truth.name!r} "
                f"is {_size(truth)}; choose two layers of one size."
            )
        self.truth = truth
        self.prediction = prediction
        self.classes, _, _ = common_classes(prediction, truth)
        self._lock = threading.Lock()
        self._rules = Rules()
        self._touched: Counter[int] = Counter()
        self._era = 0
        self._reviews: dict[int, tuple[object, SliceReview]] = {}

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x) in pixels."""
        return self.truth.shape

    @property
    def rules(self) -> Rules:
        """How mistakes are counted."""
        return self._rules

    def set_rules(self, rules: Rules) -> None:
        """Count by other rules from here on."""
        with self._lock:
            if (rules.border, rules.leave_out) != (self._rules.border, self._rules.leave_out):
                self._reviews.clear()
                self._era += 1
            self._rules = rules

    def touch(self, *slices: int) -> None:
        """Count these slices anew when they are asked for; all where none is named."""
        with self._lock:
            self._touched.update(slices)
            if not slices:
                self._era += 1
                self._reviews.clear()

    def read(self, z: int) -> tuple[IndexMap, IndexMap]:
        """Truth and prediction of slice z: uint8 (y, x) of the common classes, 255 unlabelled."""
        _, slices = match(self.prediction, self.truth, [(z, z)])
        _, truth, prediction = next(slices)
        return truth, prediction

    def overlay(
        self,
        truth: IndexMap,
        prediction: IndexMap,
        pair: ClassPair = ANY_PAIR,
        *,
        by_prediction: bool = False,
    ) -> NDArray[np.uint8]:
        """What differs in a slice as `read` gives it, by the rules: `pair_map` of it."""
        if self._rules.leave_out:
            truth = np.where(border_band(truth, self._rules.border), np.uint8(IGNORE), truth)
        return pair_map(truth, prediction, pair, by_prediction=by_prediction)

    def review(self, z: int) -> SliceReview:
        """Counts and mistakes of slice z, from memory where it has not changed."""
        with self._lock:
            state, rules = self._state(z), self._rules
            known = self._reviews.get(z)
        if known is not None and known[0] == state:
            return known[1]
        review = self._count(z, rules)
        with self._lock:
            if self._state(z) == state:
                self._reviews[z] = state, review
        return review

    def known(self, slices: Iterable[int]) -> list[SliceReview]:
        """The reviews of those of the slices that are counted and have not changed."""
        with self._lock:
            found = ((self._state(z), self._reviews.get(z)) for z in slices)
            return [kept[1] for state, kept in found if kept is not None and kept[0] == state]

    def evaluation(self, reviews: Sequence[SliceReview]) -> Evaluation:
        """The figures of one or more slices."""
        scores = tuple(review.score for review in reviews)
        return Evaluation(self.classes, self._rules.border, scores)

    def _state(self, z: int) -> object:
        versions = self.truth.version(z), self.prediction.version(z)
        return versions, self._touched[z], self._era

    def _count(self, z: int, rules: Rules) -> SliceReview:
        truth, prediction = self.read(z)
        band = border_band(truth, rules.border)
        score = score_slice(z, truth, prediction, len(self.classes), rules.border, band)
        finder = MistakeFinder(self.classes, rules.border)
        finder.visit(z, *_within(truth, prediction, band, rules), band)
        return SliceReview(score, finder.mistakes())


@dataclass(frozen=True, eq=False, slots=True)
class Outcome:
    """What a sweep found: the slices that were counted, and their mistakes."""

    reviews: tuple[SliceReview, ...]
    mistakes: Mistakes
    complete: bool


class Sweep:
    """A count of many slices, one after the other, that can be cancelled and looked at meanwhile.

    Parameters
    ----------
    comparison : Comparison
    slices : sequence of int
        Rising z.
    """

    def __init__(self, comparison: Comparison, slices: Sequence[int]) -> None:
        self.comparison = comparison
        self.slices = tuple(slices)
        self.done = 0
        self._cancelled = False
        self._rules = comparison.rules

    @property
    def total(self) -> int:
        """Slices to count."""
        return len(self.slices)

    def cancel(self) -> None:
        """End it after the current slice; what is counted stays."""
        self._cancelled = True

    def run(self) -> Outcome:
        """Count; XsegError for a slice that cannot be read or holds a value without a class."""
        reviews = []
        joined = self._finder() if self._rules.across_slices else None
        for z in self.slices:
            if self._cancelled:
                break
            reviews.append(self.comparison.review(z))
            if joined is not None:
                self._join(joined, z)
            self.done += 1
        apart = (review.mistakes for review in reviews)
        mistakes = (
            join_mistakes(self.comparison.classes, apart) if joined is None else joined.mistakes()
        )
        return Outcome(tuple(reviews), mistakes, self.done == self.total)

    def _finder(self) -> MistakeFinder:
        return MistakeFinder(self.comparison.classes, self._rules.border, across_slices=True)

    def _join(self, finder: MistakeFinder, z: int) -> None:
        truth, prediction = self.comparison.read(z)
        band = border_band(truth, self._rules.border)
        finder.visit(z, *_within(truth, prediction, band, self._rules), band)


def compare(first: Chosen, second: Chosen) -> Comparison:
    """Match two layers.

    A layer without a class table is read by the file values of the other's; where
    neither has one, each value found in nine slices of both is a class of its own.

    Raises
    ------
    XsegError
        Layers of other than two or three axes; sizes or classes that differ.
    """
    for chosen in (first, second):
        _check_axes(chosen)
    table = first.classes or second.classes or _found_classes(first, second)
    return Comparison(*(_maps(chosen, table) for chosen in (first, second)))


def _maps(chosen: Chosen, table: ClassTable) -> LayerMaps:
    data = _level(chosen.data)
    return LayerMaps(chosen.name, data, chosen.classes or table, chosen.classes is not None)


def _found_classes(*layers: Chosen) -> ClassTable:
    values: set[int] = set()
    for chosen in layers:
        data = _level(chosen.data)
        depth = data.shape[0] if data.ndim == 3 else 1
        for z in np.unique(np.linspace(0, depth - 1, _SAMPLED).round().astype(int)).tolist():
            values.update(np.unique(_plane(data, z)).tolist())
    return ClassTable.from_values(values, source=" and ".join(repr(item.name) for item in layers))


def _check_axes(chosen: Chosen) -> None:
    axes = _level(chosen.data).ndim
    if axes not in (2, 3):
        raise XsegError(
            f"layer {chosen.name!r}: has {axes} axes; (z, y, x) or (y, x) is expected: choose "
            "labels of one channel and one time."
        )


def _level(data: Any) -> Any:
    """The full resolution of data in several."""
    return data if hasattr(data, "shape") and hasattr(data, "ndim") else data[0]


def _plane(data: Any, z: int) -> NDArray[Any]:
    read = getattr(data, "read", None)
    if callable(read) and hasattr(data, "version"):  # a LabelStore says why it cannot be read
        plane: NDArray[Any] = read(z)
        return plane
    return np.asarray(data[z] if data.ndim == 3 else data)


def _within(
    truth: IndexMap, prediction: IndexMap, band: NDArray[np.bool_], rules: Rules
) -> tuple[IndexMap, IndexMap]:
    return (np.where(band, np.uint8(IGNORE), truth) if rules.leave_out else truth), prediction


def _size(maps: LayerMaps) -> str:
    return " x ".join(map(str, maps.shape))

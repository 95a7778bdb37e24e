"""Which labelled slices train and which validate.

The ways: explicit, one slice held out, a random choice, a block with a guard
gap, or a band of rows where too few slices are labelled to hold one out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

import numpy as np

from napari_xseg.data.leakage import Leakage, correlation, leakage
from napari_xseg.data.partition import Kind, Split, distance, name_slices
from napari_xseg.data.slices import format_slices, parse_slices
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_xseg.data.labels import LabelVolume, Masked
    from napari_xseg.data.pairing import Pairing

__all__ = [
    "Kind",
    "Leakage",
    "Split",
    "SplitChoices",
    "choose_band",
    "correlation",
    "format_slices",
    "leakage",
    "make_split",
    "parse_slices",
    "split_labels",
]

RowCounts = Callable[[Sequence[int]], "NDArray[np.int64]"]

DENSE = 10  # labelled slices from which on a block is held out of a stack, not one slice
LONGEST_GUARD = 20  # slices; SOC neighbours this far apart still correlate by a half
BAND_FRACTION = 0.2


class SplitChoices(TypedDict, total=False):
    """What a user may say about the split; all of it may be left out.

    Attributes
    ----------
    kind : str
        "auto" (default): explicit where `train` or `val` is given; else a block
        with a guard gap where ten or more labelled slices of a stack lie closer
        together than that gap; else one slice held out; a band with fewer than
        three labelled slices. Or one of "held-out", "random", "blocked", "band".
    train, val : sequence of int or None
        Explicit z of images. With `val` alone the other labelled slices train.
        With `train` alone the labelled slice farthest from all of them
        validates, or a band of rows where no other slice is labelled.
    validate : bool
        False: all train, nothing validates.
    fraction : float
        Share of the slices that validates in a random or blocked split (0.2).
    seed : int
        Of a random split (0).
    guard : int or None
        Labelled slices up to this far from a validation slice do not train.
        Default: for a block a tenth of the labelled range, 20 at most; else 0.
        Explicit training slices are never taken away.
    """

    kind: Literal["auto", "held-out", "random", "blocked", "band"]
    train: Sequence[int] | None
    val: Sequence[int] | None
    validate: bool
    fraction: float
    seed: int
    guard: int | None


def split_labels(
    labels: LabelVolume,
    pairing: Pairing,
    *,
    region: Masked | None = None,
    ordered: bool = True,
    **choices: Unpack[SplitChoices],
) -> Split:
    """Split the labelled images of `pairing`; no more label slices are read than needed.

    `region` is what the band's rows are chosen within; `ordered` says that the
    images are neighbours in space (`Volume.has_neighbours`). XsegError as in
    `make_split`.
    """

    def row_counts(slices: Sequence[int]) -> NDArray[np.int64]:
        size = labels.shape[1:]
        usable = {z: None if region is None else region.mask(z, size) for z in slices}
        counts = [labels.row_counts(pairing.label_of[z], usable[z]) for z in slices]
        total: NDArray[np.int64] = np.sum(counts, axis=0, dtype=np.int64)
        return total

    labelled = _needed(labels, pairing, choices.get("train"), choices.get("val"))
    return make_split(labelled, ordered=ordered, row_counts=row_counts, **choices)


def make_split(
    labelled: Sequence[int],
    *,
    ordered: bool = True,
    row_counts: RowCounts | None = None,
    **choices: Unpack[SplitChoices],
) -> Split:
    """Choose which labelled slices train and which validate.

    Parameters
    ----------
    labelled : sequence of int
        z of the images with labels.
    ordered : bool
        Whether the slices are neighbours in space.
    row_counts : callable, optional
        Gives the labelled pixels (y, C) by row and class of the named z
        together. Without it no band can be chosen, and nothing validates.
    **choices
        See SplitChoices.

    Raises
    ------
    XsegError
        Nothing labelled, a named slice without labels, or training and
        validation overlap.
    """
    known = tuple(sorted(set(labelled)))
    if not known:
        raise XsegError("labels: no labelled slice; label some pixels of two or more classes.")
    train = _checked(choices.get("train"), known, "--train-slices")
    val = _checked(choices.get("val"), known, "--val-slices")
    guard = choices.get("guard")
    if guard is not None and guard < 0:
        raise XsegError(f"split: the guard gap {guard} is negative; give a number of slices.")
    if not choices.get("validate", True):
        return Split(train or known, (), kind="none")
    if train is not None or val is not None:
        return _explicit(known, train, val, guard or 0, row_counts)
    gap = min(LONGEST_GUARD, (known[-1] - known[0] + 1) // 10) if guard is None else guard
    kind = choices.get("kind", "auto")
    if kind == "auto":
        kind = _automatic(known, gap, ordered)
    if kind == "band":
        return _banded(known, row_counts)
    if len(known) < 2:
        raise XsegError(
            f"split: a {kind} split needs two labelled slices or more, found {name_slices(known)}; "
            "label more slices or use --no-validation."
        )
    fraction = choices.get("fraction", 0.2)
    if kind == "random":
        return _random(known, fraction, choices.get("seed", 0), guard or 0)
    if kind == "blocked":
        return _blocked(known, fraction, gap)
    return _held_out(known, guard or 0)


def choose_band(rows: NDArray[np.int64], margin: int) -> tuple[int, int] | None:
    """Rows that validate while the others train, or None where too little is labelled.

    Parameters
    ----------
    rows : ndarray of int64, (y, C)
        Labelled pixels by row and class.
    margin : int
        Rows on each side of the band that are lost to both.

    Notes
    -----
    A fifth of the rows, where the other rows keep all classes; of these the
    band with the most classes, then with half of its fair share of the pixels,
    then the one that leaves most to train on, then the lowest.
    """
    height = len(rows)
    size = max(1, round(BAND_FRACTION * height))
    sums = np.concatenate([np.zeros((1, rows.shape[1]), np.int64), rows.cumsum(axis=0)])
    total = sums[-1]
    fair = int(total.sum() * BAND_FRACTION / 2)
    best: tuple[tuple[int, int, int, int], tuple[int, int]] | None = None
    for start in np.linspace(0, height - size, 9).round().astype(int).tolist():
        stop = start + size
        inside = sums[stop] - sums[start]
        outside = total - sums[min(height, stop + margin)] + sums[max(0, start - margin)]
        if not inside.any() or np.count_nonzero(outside) < np.count_nonzero(total):
            continue
        enough = min(int(inside.sum()), fair)
        merit = (int(np.count_nonzero(inside)), enough, int(outside.sum()), start)
        if best is None or merit > best[0]:
            best = merit, (start, stop)
    return None if best is None else best[1]


def _needed(
    labels: LabelVolume,
    pairing: Pairing,
    train: Sequence[int] | None,
    val: Sequence[int] | None,
) -> tuple[int, ...]:
    label_of = pairing.label_of

    def labelled(slices: Sequence[int]) -> tuple[int, ...]:
        return tuple(z for z in slices if z in label_of and labels.labelled_among([label_of[z]]))

    if train is None:
        return labelled(list(label_of))
    if val is not None:
        return labelled([*train, *val])
    others = [z for z in label_of if z not in train]
    far_first = sorted(others, key=lambda z: (-distance(z, train), z)) if train else []
    first = next((z for z in far_first if labelled([z])), None)
    return (*labelled(train), *(() if first is None else (first,)))


def _explicit(
    known: tuple[int, ...],
    train: tuple[int, ...] | None,
    val: tuple[int, ...] | None,
    guard: int,
    row_counts: RowCounts | None,
) -> Split:
    if train is None:
        train, near = _guarded(known, val or (), guard)
        return Split(train, val or (), near, "explicit", guard_distance=guard)
    if val is not None:
        return Split(train, val, kind="explicit")
    others = [z for z in known if z not in train]
    if not others:
        return _banded(train, row_counts)
    far = max(others, key=lambda z: (distance(z, train), -z))
    return Split(train, (far,), kind="held-out")


def _automatic(
    known: tuple[int, ...], gap: int, ordered: bool
) -> Literal["band", "blocked", "held-out"]:
    if len(known) < 3:
        return "band"
    dense = len(known) >= DENSE and float(np.median(np.diff(known))) < max(gap, 2)
    return "blocked" if dense and ordered else "held-out"


def _held_out(known: tuple[int, ...], guard: int) -> Split:
    """Hold out the slice farthest from the others; the ends, which extrapolate, count half."""
    middle = (known[0] + known[-1]) / 2

    def merit(z: int) -> tuple[float, float, int]:
        gap = distance(z, [other for other in known if other != z])
        return gap / (1 + (z in (known[0], known[-1]))), -abs(z - middle), -z

    val = (max(known, key=merit),)
    train, near = _guarded(known, val, guard)
    return Split(train, val, near, "held-out", guard_distance=guard)


def _random(known: tuple[int, ...], fraction: float, seed: int, guard: int) -> Split:
    order = np.random.default_rng(seed).permutation(len(known))
    chosen = order[: _share(fraction, len(known))].tolist()
    val = tuple(sorted(known[index] for index in chosen))
    train, near = _guarded(known, val, guard)
    return Split(train, val, near, "random", guard_distance=guard, fraction=fraction, seed=seed)


def _blocked(known: tuple[int, ...], fraction: float, guard: int) -> Split:
    count = _share(fraction, len(known))
    start = (len(known) - count) // 2
    val = known[start : start + count]
    train, near = _guarded(known, val, guard)
    return Split(train, val, near, "blocked", guard_distance=guard, fraction=fraction)


def _banded(train: tuple[int, ...], row_counts: RowCounts | None) -> Split:
    rows = None if row_counts is None else row_counts(train)
    margin = 0 if rows is None else max(1, min(32, len(rows) // 20))
    band = None if rows is None else choose_band(rows, margin)
    if band is None:
        return Split(train, (), kind="none")
    return Split(train, train, kind="band", rough=True, band=band, margin=margin)


def _guarded(
    known: tuple[int, ...], val: tuple[int, ...], guard: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    rest = [z for z in known if z not in val]
    near = tuple(z for z in rest if guard and distance(z, val) <= guard)
    if near and len(near) == len(rest):
        raise XsegError(
            f"split: with a guard gap of {guard} slices around the validation slices "
            f"{format_slices(val)} no labelled slice is left to train on; make the gap smaller or "
            "label more slices."
        )
    return tuple(z for z in rest if z not in near), near


def _checked(
    slices: Sequence[int] | None, known: tuple[int, ...], what: str
) -> tuple[int, ...] | None:
    if slices is None:
        return None
    if not slices:
        raise XsegError(f"{what}: names no slice; give z such as 13,39 or leave the option out.")
    for z in slices:
        if z not in known:
            raise XsegError(f"{what}: slice {z} has no labels; name labelled slices only.")
    return tuple(sorted(set(slices)))


def _share(fraction: float, count: int) -> int:
    if not 0 < fraction < 1:
        raise XsegError(f"split: the fraction {fraction} is not between 0 and 1.")
    return max(1, min(count - 1, round(fraction * count)))

"""How alike validation and training slices are, measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.partition import distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_xseg.data.partition import Split
    from napari_xseg.data.volume import Volume

LEAKS_FROM = 0.6
"""Correlation from which on a validation slice is called a near copy (SOC: 13 slices apart)."""

SAMPLES = 65536


@dataclass(frozen=True, slots=True)
class Leakage:
    """Validation slices beside their nearest training slices.

    `pairs` holds (validation z, training z, Pearson correlation of their grey
    values); `correlation` is the mean over them; `warning` is a sentence where
    the slices are near copies, else None.
    """

    pairs: tuple[tuple[int, int, float], ...]
    correlation: float
    warning: str | None


def leakage(images: Volume, split: Split, n_pairs: int = 4) -> Leakage | None:
    """Correlation of validation slices with their nearest training slices.

    At most `n_pairs` validation slices, evenly spread, are read, and a regular
    sample of their pixels is used. None where nothing validates or a band of
    the training slices does: that figure is called rough anyway.
    """
    if split.band is not None or not split.val:
        return None
    places = np.linspace(0, len(split.val) - 1, min(n_pairs, len(split.val))).round()
    pairs = []
    for val_z in [split.val[int(place)] for place in places]:
        train_z = min(split.train, key=lambda z: (abs(z - val_z), z))
        pairs.append((val_z, train_z, correlation(images.read(val_z), images.read(train_z))))
    known = [value for _, _, value in pairs if np.isfinite(value)]
    mean = float(np.mean(known)) if known else float("nan")
    return Leakage(tuple(pairs), mean, _warning(split, pairs, mean))


def correlation(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Pearson correlation of the finite pixels of two slices (y, x); nan where one is constant.

    Slices of more than 65536 pixels are sampled regularly.
    """
    step = max(1, int(np.sqrt(first.size / SAMPLES)))
    a = first[::step, ::step].astype(np.float64).ravel()
    b = second[::step, ::step].astype(np.float64).ravel()
    finite = np.isfinite(a) & np.isfinite(b)
    if np.count_nonzero(finite) < 2:
        return float("nan")
    a, b = a[finite] - a[finite].mean(), b[finite] - b[finite].mean()
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else float("nan")


def _nearest(val_z: int, split: Split) -> int:
    return min(split.train, key=lambda z: (abs(z - val_z), z))


def _warning(split: Split, pairs: list[tuple[int, int, float]], mean: float) -> str | None:
    if not mean >= LEAKS_FROM:
        return None
    gaps = [distance(z, split.train) for z in split.val]
    near = sum(gap <= 1 for gap in gaps)
    val_z, train_z, value = max(pairs, key=lambda row: row[2])
    what = "random split" if split.kind == "random" else "split"
    beside = (
        f"{near} of {len(gaps)} validation slices lie beside a training slice, and " if near else ""
    )
    return (
        f"{what}: {beside}validation slices correlate with the nearest training slice by "
        f"{mean:.2f} on average ({value:.2f} for slices {val_z} and {train_z}), so the figures "
        "come out too good; a block with a guard gap does not leak."
    )

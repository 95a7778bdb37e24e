"""Figures of a segmentation: confusion counts first, everything else from them.

Conventions, kept by every function here:

* An index map is uint8 with class indices 0..C-1; 255 (`IGNORE`) is unlabelled
  in a truth and not predicted in a prediction. A pixel that is 255 in either
  is left out.
* Counts add up: the confusion of a volume is the sum over its slices. A pooled
  figure is that of the summed counts, not a mean of the slices' figures.
* With TP, FP and FN of one class against the rest: Dice = 2 TP / (2 TP + FP +
  FN), IoU = TP / (TP + FP + FN), precision = TP / (TP + FP), recall = TP / (TP
  + FN), with no smoothing term. A figure whose denominator is 0 is nan: Dice
  and IoU of a class absent from truth and prediction, precision of a class
  never predicted, recall of a class absent from the truth.
* `dice_all` is the mean of the Dice of all classes, `dice_foreground` of all
  but class 0; both leave out classes whose Dice is nan.
* Figures are fractions, 0 to 1, float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

IGNORE = 255
_CODES = 256
_BLOCK = 1 << 18

Counts = NDArray[np.int64]
Figures = NDArray[np.float64]


def confusion(truth: NDArray[Any], prediction: NDArray[Any], classes: int) -> Counts:
    """Count pixels by true and predicted class.

    Parameters
    ----------
    truth, prediction : uint8 arrays of one shape
        Index maps, 255 where unlabelled or not predicted.
    classes : int
        Number of classes C, 1 to 254.

    Returns
    -------
    int64 array (C, C)
        Row is the true class, column the predicted one.

    Raises
    ------
    ValueError
        If the shapes differ, an array is not uint8, or it holds a value that is
        neither a class index nor 255.
    """
    _check_index_map(truth, "truth")
    _check_index_map(prediction, "prediction")
    if truth.shape != prediction.shape:
        raise ValueError(f"truth is {truth.shape}, prediction is {prediction.shape}")
    table = _pair_table(truth.ravel(), prediction.ravel())
    _check_indices(table.sum(axis=1), classes, "truth")
    _check_indices(table.sum(axis=0), classes, "prediction")
    return table[:classes, :classes].astype(np.int64)


def class_counts(index_map: NDArray[Any], classes: int) -> Counts:
    """Count the pixels of each class in a uint8 index map, 255 left out: int64 (C,)."""
    _check_index_map(index_map, "index map")
    counts = np.bincount(index_map.ravel(), minlength=_CODES)
    _check_indices(counts, classes, "index map")
    return counts[:classes].astype(np.int64)


def dice(counts: Counts) -> Figures:
    """Dice of each class, 2 TP / (2 TP + FP + FN): (C, C) counts to (C,) (Dice 1945)."""
    return _ratio(2 * _hits(counts), counts.sum(axis=0) + counts.sum(axis=1))


def iou(counts: Counts) -> Figures:
    """Intersection over union of each class, TP / (TP + FP + FN) (Jaccard 1912)."""
    hits = _hits(counts)
    return _ratio(hits, counts.sum(axis=0) + counts.sum(axis=1) - hits)


def precision(counts: Counts) -> Figures:
    """Share of the pixels predicted as a class that are of it, TP / (TP + FP)."""
    return _ratio(_hits(counts), counts.sum(axis=0))


def recall(counts: Counts) -> Figures:
    """Share of the pixels of a class that are predicted as it, TP / (TP + FN)."""
    return _ratio(_hits(counts), counts.sum(axis=1))


def accuracy(counts: Counts) -> float:
    """Share of all counted pixels that are right; nan where none is counted."""
    return float(_ratio(np.trace(counts)[None], counts.sum()[None])[0])


def dice_all(counts: Counts) -> float:
    """Mean Dice of all classes that occur in truth or prediction; nan where none does."""
    return _mean_of_known(dice(counts))


def dice_foreground(counts: Counts) -> float:
    """Mean Dice of the classes but class 0 that occur; nan where none does.

    The convention of milesial/Pytorch-UNet's validation, there averaged over
    slices, here over the pooled counts given.
    """
    return _mean_of_known(dice(counts)[1:])


def fractions(pixels: Counts) -> Figures:
    """Phase fractions from pixels of each class, (C,) to (C,); nan where there is no pixel."""
    return _ratio(pixels, np.broadcast_to(pixels.sum(), pixels.shape))


def true_fractions(counts: Counts) -> Figures:
    """Phase fractions of the truth over the counted pixels, (C, C) counts to (C,)."""
    return fractions(counts.sum(axis=1))


def predicted_fractions(counts: Counts) -> Figures:
    """Phase fractions of the prediction over the counted pixels, (C, C) counts to (C,)."""
    return fractions(counts.sum(axis=0))


def _pair_table(truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> NDArray[np.intp]:
    table = np.zeros(_CODES**2, np.intp)
    # In blocks that fit the cache: bincount works on 8-byte copies of its input.
    for start in range(0, truth.size, _BLOCK):
        codes = truth[start : start + _BLOCK].astype(np.uint16)
        codes *= _CODES
        codes += prediction[start : start + _BLOCK]
        table += np.bincount(codes, minlength=_CODES**2)
    return table.reshape(_CODES, _CODES)


def _hits(counts: Counts) -> Counts:
    return np.diagonal(counts)


def _ratio(part: Counts, whole: Counts) -> Figures:
    out = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _mean_of_known(values: Figures) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _check_index_map(index_map: NDArray[Any], name: str) -> None:
    if index_map.dtype != np.uint8:
        raise ValueError(f"{name} is {index_map.dtype}, an index map is uint8")


def _check_indices(pixels: NDArray[np.intp], classes: int, name: str) -> None:
    wrong = np.flatnonzero(pixels[classes:IGNORE])
    if wrong.size:
        value = classes + int(wrong[0])
        raise ValueError(f"{name} holds index {value}, classes are 0 to {classes - 1}")

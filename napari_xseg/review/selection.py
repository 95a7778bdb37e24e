"""A part of the mistakes: of one pair of classes, of some size, not seen yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.metrics import IGNORE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_xseg.review.matching import IndexMap

ClassPair = tuple[int | None, int | None]
"""True and predicted class index; None is any class."""
ANY_PAIR: ClassPair = (None, None)


def pair_map(
    truth: IndexMap,
    prediction: IndexMap,
    pair: ClassPair = ANY_PAIR,
    *,
    by_prediction: bool = False,
) -> IndexMap:
    """Mark what is wrong, of one pair of classes or of all.

    Parameters
    ----------
    truth, prediction : uint8 arrays of one shape
        Index maps, 255 where unlabelled or not predicted.
    pair : (int or None, int or None)
        True and predicted class, None for any. Where both are the same class,
        the pixels that are right are marked.
    by_prediction : bool
        Mark with the predicted class instead of the true one.

    Returns
    -------
    uint8 array
        k + 1 where marked with class k, else 0.
    """
    true, predicted = pair
    right = true is not None and true == predicted
    marked = np.equal(truth, prediction) if right else np.not_equal(truth, prediction)
    marked &= truth != IGNORE if true is None else truth == true
    marked &= prediction != IGNORE if predicted is None else prediction == predicted
    shown = prediction if by_prediction else truth
    return np.where(marked, shown + np.uint8(1), np.uint8(0))


def select_mistakes(
    rows: NDArray[np.void],
    pair: ClassPair = ANY_PAIR,
    least: int = 1,
    hidden: NDArray[np.bool_] | None = None,
) -> NDArray[np.intp]:
    """Places of the mistakes of one pair of classes and at least `least` pixels.

    Parameters
    ----------
    rows : structured array (n,)
        As `Mistakes.rows`.
    pair : (int or None, int or None)
        True and predicted class, None for any.
    hidden : bool (n,), optional
        Mistakes to leave out.

    Returns
    -------
    int array
        Rising places in `rows`.
    """
    chosen: NDArray[np.bool_] = rows["pixels"] >= least
    for field, wanted in zip(("true", "predicted"), pair, strict=True):
        if wanted is not None:
            chosen &= rows[field] == wanted
    if hidden is not None:
        chosen &= ~hidden
    return np.flatnonzero(chosen)

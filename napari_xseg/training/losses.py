"""Losses of logits against class indices; pixels of 255 take no part.

In the formulas p is the softmax of the logits and r the truth as 0 or 1, for one
class against the rest; sums run over all labelled pixels of the batch. Dice
losses are means over the classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from napari_xseg.data.coding import IGNORE

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from napari_xseg.config import Loss

EPSILON = 1e-5


def cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean over the labelled pixels of -log p of the true class; 0 without any.

    Parameters
    ----------
    logits : Tensor
        (n, classes, y, x), floating point.
    truth : Tensor
        (n, y, x) int64, 255 where unlabelled.
    """
    total = F.cross_entropy(logits, truth, ignore_index=IGNORE, reduction="sum")
    return total / (truth != IGNORE).sum().clamp(min=1)


def soft_dice(logits: Tensor, truth: Tensor) -> Tensor:
    """1 - (2 sum p r + e) / (sum (p + r) + e), Milletari et al. 2016 without the squares."""
    p, r, _ = _shares(logits, truth)
    score = (2 * (p * r).sum(1) + EPSILON) / ((p + r).sum(1) + EPSILON)
    return (1 - score).mean()


def dl2(logits: Tensor, truth: Tensor) -> Tensor:
    """Two-term Dice loss of Sudre et al. 2017, 0 for a perfect p.

    1 - (sum p r + e) / (sum (p + r) + e)
      - (sum (1 - p)(1 - r) + e) / (sum (2 - p - r) + e)
    """
    p, r, labelled = _shares(logits, truth)
    inside = ((p * r).sum(1) + EPSILON) / ((p + r).sum(1) + EPSILON)
    others = ((1 - p) * (1 - r) * labelled).sum(1)
    outside = (others + EPSILON) / (((2 - p - r) * labelled).sum(1) + EPSILON)
    return (1 - inside - outside).mean()


def loss_function(name: Loss) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss, or sum of losses, of that name."""
    terms = {"ce": cross_entropy, "dice": soft_dice, "dl2": dl2}
    chosen = [terms[part] for part in name.split("+")]

    def total(logits: Tensor, truth: Tensor) -> Tensor:
        return torch.stack([term(logits, truth) for term in chosen]).sum()

    return total if len(chosen) > 1 else chosen[0]


def _shares(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give p and r (classes, pixels), 0 where unlabelled, and what is labelled (pixels,)."""
    classes = logits.shape[1]
    labelled = (truth != IGNORE).flatten()
    p = logits.softmax(1).movedim(1, 0).flatten(1) * labelled
    index = torch.where(labelled, truth.flatten(), 0)
    r = F.one_hot(index, classes).movedim(1, 0) * labelled
    return p, r.to(p.dtype), labelled

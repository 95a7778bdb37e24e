from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_xseg.config import Loss
from napari_xseg.training.losses import EPSILON, cross_entropy, dl2, loss_function, soft_dice

NAMES: tuple[Any, ...] = get_args(Loss)
LOSSES = {"ce": cross_entropy, "dice": soft_dice, "dl2": dl2}


def softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def in_numpy(name: str, logits: np.ndarray, truth: np.ndarray) -> float:
    """The formulas, pixel by pixel and class by class."""
    if "+" in name:
        return sum(in_numpy(part, logits, truth) for part in name.split("+"))
    probability = softmax(logits)
    places = list(zip(*np.nonzero(truth != 255), strict=True))
    if name == "ce":
        logs = [-np.log(probability[n, truth[n, y, x], y, x]) for n, y, x in places]
        return float(np.mean(logs)) if logs else 0.0
    scores = []
    for index in range(logits.shape[1]):
        p = np.array([probability[n, index, y, x] for n, y, x in places])
        r = np.array([float(truth[n, y, x] == index) for n, y, x in places])
        e = EPSILON
        if name == "dice":
            scores.append(1 - (2 * (p * r).sum() + e) / ((p + r).sum() + e))
        else:
            inside = ((p * r).sum() + e) / ((p + r).sum() + e)
            outside = (((1 - p) * (1 - r)).sum() + e) / ((2 - p - r).sum() + e)
            scores.append(1 - inside - outside)
    return float(np.mean(scores))


def batch(seed: int, classes: int = 3, unlabelled: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, size=(2, classes, 4, 5))
    truth = rng.integers(classes, size=(2, 4, 5))
    truth[rng.random(truth.shape) < unlabelled] = 255
    return logits, truth


@given(
    st.sampled_from(NAMES), st.integers(0, 1000), st.integers(2, 5), st.sampled_from([0, 0.3, 0.9])
)
def test_each_loss_is_its_formula(name: Any, seed: int, classes: int, unlabelled: float) -> None:
    logits, truth = batch(seed, classes, unlabelled)
    found = loss_function(name)(torch.from_numpy(logits), torch.from_numpy(truth))
    assert found.dtype == torch.float64
    assert found.item() == pytest.approx(in_numpy(name, logits, truth), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("unlabelled", [0.0, 0.4])
def test_each_gradient_is_that_of_the_loss(name: Any, unlabelled: float) -> None:
    logits, truth = batch(1, unlabelled=unlabelled)
    x = torch.from_numpy(logits).requires_grad_()
    y = torch.from_numpy(truth)
    assert torch.autograd.gradcheck(lambda values: loss_function(name)(values, y), (x,))


@pytest.mark.parametrize("name", NAMES)
def test_unlabelled_pixels_take_no_part(name: Any) -> None:
    logits, truth = batch(2)
    loss = loss_function(name)
    x = torch.from_numpy(logits).requires_grad_()
    value = loss(x, torch.from_numpy(truth))
    (gradient,) = torch.autograd.grad(value, x)
    outside = torch.from_numpy(truth == 255)[:, None].expand_as(x)
    assert not gradient[outside].any()
    assert gradient[~outside].any()
    other = np.where((truth == 255)[:, None], np.random.default_rng(0).normal(size=x.shape), logits)
    assert loss(torch.from_numpy(other), torch.from_numpy(truth)).item() == pytest.approx(
        value.item(), rel=1e-12
    )


@pytest.mark.parametrize("name", NAMES)
def test_without_a_labelled_pixel_nothing_is_learnt(name: Any) -> None:
    logits, truth = batch(3, unlabelled=1.0)
    x = torch.from_numpy(logits).requires_grad_()
    value = loss_function(name)(x, torch.from_numpy(truth))
    (gradient,) = torch.autograd.grad(value, x)
    assert value.isfinite()
    assert not gradient.any()


def perfect(truth: np.ndarray, classes: int = 3) -> torch.Tensor:
    known = np.where(truth == 255, 0, truth)
    return torch.from_numpy(60.0 * np.moveaxis(np.eye(classes)[known], -1, 1))


@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_network_loses_nothing(name: Any) -> None:
    _, truth = batch(4)
    assert loss_function(name)(perfect(truth), torch.from_numpy(truth)).item() == pytest.approx(
        0, abs=1e-6
    )


@pytest.mark.parametrize("name", ["dice", "dl2"])
def test_the_worst_network_loses_all(name: str) -> None:
    _, truth = batch(5)
    wrong = np.where(truth == 255, 255, (truth + 1) % 3)
    found = LOSSES[name](perfect(wrong), torch.from_numpy(truth)).item()
    # one class wrong for another: nothing overlaps inside, a third of the pixels is right outside
    assert found == pytest.approx(in_numpy(name, perfect(wrong).numpy(), truth), rel=1e-9)
    assert found > (0.99 if name == "dice" else 0.7)


@pytest.mark.parametrize("name", NAMES)
def test_extreme_logits_stay_finite(name: Any) -> None:
    logits, truth = batch(6)
    x = torch.from_numpy(1e4 * logits).float().requires_grad_()
    value = loss_function(name)(x, torch.from_numpy(truth))
    (gradient,) = torch.autograd.grad(value, x)
    assert value.isfinite()
    assert gradient.isfinite().all()


def test_a_large_batch_keeps_its_digits() -> None:
    """Sums over a million pixels in float32."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, size=(1, 3, 512, 512))
    truth = rng.integers(3, size=(1, 512, 512))
    y = torch.from_numpy(truth)
    for loss in LOSSES.values():
        exact = loss(torch.from_numpy(logits), y).item()
        assert loss(torch.from_numpy(logits).float(), y).item() == pytest.approx(exact, rel=1e-4)

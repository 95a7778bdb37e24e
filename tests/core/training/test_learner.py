from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch

from napari_xseg.config import ModelConfig, TrainConfig
from napari_xseg.data.augment import Variation
from napari_xseg.errors import XsegError
from napari_xseg.training.learner import Learner

CPU = torch.device("cpu")
PLAIN = Variation()
CONFIG = TrainConfig(model=ModelConfig(width=2, depth=2), batch=2, learning_rate=0.01)


def batch(seed: int = 0, count: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, (count, 16, 16))
    images = truth[:, None] - 1 + rng.normal(0, 0.3, (count, 1, 16, 16))
    truth[:, :2] = 255
    return images.astype(np.float32), truth


def learner(config: TrainConfig = CONFIG, seed: int = 0) -> Learner:
    return Learner(config, CPU, seed)


def weights(network: torch.nn.Module) -> list[torch.Tensor]:
    return [value.detach().clone() for value in network.state_dict().values()]


def test_a_learner_learns() -> None:
    one = learner(CONFIG.replace(model={"width": 4, "depth": 2}))
    losses = [one.step(*batch(step), PLAIN) for step in range(60)]
    assert one.steps == 60
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


def test_the_first_weights_are_those_of_the_seed() -> None:
    for first, second in zip(weights(learner().network), weights(learner().network), strict=True):
        assert torch.equal(first, second)
    others = zip(weights(learner().network), weights(learner(seed=1).network), strict=True)
    assert not all(torch.equal(first, second) for first, second in others)


def test_the_average_is_that_of_the_weights() -> None:
    """Old kept with min(ema, (1 + n) / (10 + n)) after step n, running statistics included."""
    one = learner(CONFIG.replace(ema=0.4))
    expected = weights(one.network)
    for step in range(1, 6):
        one.step(*batch(step), PLAIN)
        keep = min(0.4, (1 + step) / (10 + step))
        pairs = zip(expected, weights(one.network), strict=True)
        expected = [keep * old + (1 - keep) * new for old, new in pairs]
    assert one.best_guess is one.average
    for found, wanted in zip(weights(one.average), expected, strict=True):
        if found.is_floating_point():
            torch.testing.assert_close(found, wanted)
    assert not one.average.training


def test_without_an_average_the_network_itself_is_the_best_guess() -> None:
    one = learner()
    one.step(*batch(), PLAIN)
    assert one.best_guess is one.network


def test_the_optimiser_is_the_recipe_s() -> None:
    rmsprop = CONFIG.replace(optimiser="rmsprop", momentum=0.999, weight_decay=1e-8)
    made = learner(rmsprop).optimiser
    assert isinstance(made, torch.optim.RMSprop)
    group = made.param_groups[0]
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.01, 0.999, 1e-8)
    assert (group["alpha"], group["eps"], group["centered"]) == (0.99, 1e-8, False)
    made = learner(CONFIG.replace(weight_decay=0.1)).optimiser
    assert isinstance(made, torch.optim.AdamW)
    assert made.param_groups[0]["weight_decay"] == 0.1
    assert made.param_groups[0]["betas"] == (0.9, 0.99)
    names = [name for name, _ in learner().network.named_parameters()]
    assert len(made.param_groups[0]["params"]) == len(names)


def test_one_step_of_rmsprop_is_its_formula() -> None:
    config = CONFIG.replace(optimiser="rmsprop", momentum=0.5, weight_decay=0.3)
    one = learner(config)
    before = dict(one.network.named_parameters())["head.bias"].detach().clone()
    one.step(*batch(), PLAIN)
    bias = dict(one.network.named_parameters())["head.bias"]
    assert bias.grad is not None
    gradient = bias.grad + 0.3 * before  # L2 regularisation
    expected = before - 0.01 * gradient / ((0.01 * gradient**2).sqrt() + 1e-8)
    torch.testing.assert_close(bias.detach(), expected)


def test_gradients_are_clipped_by_their_norm() -> None:
    one = learner(CONFIG.replace(clip_norm=1e-3))
    one.step(*batch(), PLAIN)
    norms = [parameter.grad.norm() for parameter in one.network.parameters()]  # type: ignore[union-attr]
    assert torch.stack(norms).norm().item() == pytest.approx(1e-3, rel=1e-3)
    free = learner()
    free.step(*batch(), PLAIN)
    norms = [parameter.grad.norm() for parameter in free.network.parameters()]  # type: ignore[union-attr]
    assert torch.stack(norms).norm() > 0.01


def test_the_pace_is_a_share_of_the_recipe_s_rate() -> None:
    one = learner()
    one.set_pace(0.25)
    assert one.learning_rate == 0.0025
    one.set_pace(1)
    assert one.learning_rate == 0.01


def test_unlabelled_pixels_give_no_gradient() -> None:
    images, truth = batch()
    one, other = learner(), learner()
    truth[:] = 255
    before = weights(one.network)
    assert one.step(images, truth, PLAIN) == 0
    names = {name for name, _ in one.network.named_parameters()}
    for name, old, new in zip(one.network.state_dict(), before, weights(one.network), strict=True):
        assert torch.equal(old, new) or name not in names
    assert other.step(*batch(), PLAIN) > 0


def test_images_are_left_as_they_were() -> None:
    """Unless they vary: then they are the caller's no more."""
    images, truth = batch()
    kept = images.copy()
    learner().step(images, truth, PLAIN)
    np.testing.assert_array_equal(images, kept)


@pytest.mark.parametrize("optimiser", ["adamw", "rmsprop"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_state_goes_on_to_the_last_bit(optimiser: Any, dtype: Any) -> None:
    config = CONFIG.replace(optimiser=optimiser, ema=0.8, momentum=0.7, clip_norm=1.0)
    noisy = Variation(noise=(0.1, 0.5), gain=0.1)
    whole, first, second = learner(config), learner(config), learner(config, seed=7)
    for one in (whole, first):
        one.choose_precision(dtype, (16, 16))
        for step in range(4):
            one.step(*batch(step), noisy)
            one.plateau.step(0.5)
    file = io.BytesIO()
    torch.save(first.state(), file)
    file.seek(0)
    second.step(*batch(9), PLAIN)
    second.load_state(torch.load(file, weights_only=True))
    assert (second.steps, second.dtype) == (4, first.dtype)
    for step in range(4, 8):
        losses = [one.step(*batch(step), noisy) for one in (whole, second)]
        assert losses[0] == losses[1]
        for one in (whole, second):
            one.plateau.step(0.4)
    for name in ("network", "average"):
        pairs = zip(weights(getattr(whole, name)), weights(getattr(second, name)), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
    assert whole.learning_rate == second.learning_rate
    assert whole.plateau.num_bad_epochs == second.plateau.num_bad_epochs


def test_bfloat16_learns_alike() -> None:
    ends = []
    for dtype in ("float32", "bfloat16"):
        one = learner()
        one.choose_precision(dtype, (16, 16))  # type: ignore[arg-type]
        ends.append(np.mean([one.step(*batch(step), PLAIN) for step in range(40)][-5:]))
        assert {value.dtype for value in one.network.parameters()} == {torch.float32}
    assert ends[1] == pytest.approx(ends[0], rel=0.25)


def test_timing_the_precisions_changes_nothing() -> None:
    one, other = learner(), learner()
    one.choose_precision("auto", (16, 16))
    assert one.dtype in (torch.float32, torch.bfloat16)
    for first, second in zip(weights(one.network), weights(other.network), strict=True):
        assert torch.equal(first, second)
    assert torch.equal(one.generator.get_state(), other.generator.get_state())


def test_a_batch_shrinks_to_one_crop() -> None:
    one = learner(CONFIG.replace(batch=5))
    sizes = []
    for _ in range(2):
        one.shrink()
        sizes.append(one.batch)
    assert sizes == [2, 1]
    with pytest.raises(XsegError, match="smaller crop or width"):
        one.shrink()

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_xseg.config import AugmentConfig, NoiseConfig
from napari_xseg.data.augment import DEFAULT_NOISE, Variation, noise_std, variation
from napari_xseg.data.intensity import Intensity
from napari_xseg.errors import XsegError

INTENSITY = Intensity(30_000.0, 8000.0, (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0), "uint16")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def crops(count: int = 4, channels: int = 3, size: int = 32) -> torch.Tensor:
    return torch.randn((count, channels, size, size), generator=generator(9))


def test_nothing_asked_for_changes_nothing() -> None:
    x = crops()
    rng = generator()
    before = rng.get_state()
    assert torch.equal(Variation().apply(x.clone(), rng), x)
    assert torch.equal(rng.get_state(), before)


@pytest.mark.parametrize(
    "what",
    [
        Variation(noise=(0.1, 0.5)),
        Variation(gain=0.2),
        Variation(offset=0.2),
        Variation(noise=(0.1, 0.5), gain=0.2, offset=0.1, context_drop=0.5),
    ],
)
def test_a_seed_settles_everything(what: Variation) -> None:
    first = what.apply(crops(), generator(1))
    assert torch.equal(what.apply(crops(), generator(1)), first)
    assert not torch.equal(what.apply(crops(), generator(2)), first)


def test_noise_is_drawn_afresh_for_each_pixel_crop_and_neighbour() -> None:
    x = torch.zeros((3, 5, 64, 64))
    rng = generator()
    noise = Variation(noise=(1.0, 1.0)).apply(x.clone(), rng)
    rows = torch.cat([noise, Variation(noise=(1.0, 1.0)).apply(x.clone(), rng)]).flatten(2)
    rows = rows.flatten(0, 1)
    together = torch.corrcoef(rows)
    assert (together - torch.eye(30)).abs().max() < 0.08
    assert rows.std(dim=1).sub(1).abs().max() < 0.06
    assert rows.mean(dim=1).abs().max() < 0.08
    # neighbouring pixels too
    beside = noise[..., 1:].flatten(), noise[..., :-1].flatten()
    assert torch.corrcoef(torch.stack(beside))[0, 1].abs() < 0.02


def test_each_crop_draws_its_own_sd_between_the_ends() -> None:
    noise = Variation(noise=(0.5, 2.0)).apply(torch.zeros((400, 1, 24, 24)), generator())
    sds = noise.flatten(1).std(dim=1)
    assert sds.min() > 0.5 * 0.88
    assert sds.max() < 2.0 * 1.12
    shares = np.histogram(sds.numpy(), bins=3, range=(0.5, 2.0))[0] / 400
    assert np.abs(shares - 1 / 3).max() < 0.09
    # one sd for a crop and all its neighbours
    noise = Variation(noise=(0.0, 2.0)).apply(torch.zeros((50, 3, 64, 64)), generator())
    sds = noise.flatten(2).std(dim=2)
    assert (sds.amax(dim=1) - sds.amin(dim=1)).max() < 0.12


def test_gain_and_offset_are_one_number_a_crop() -> None:
    x = crops(count=300, size=8)
    y = Variation(gain=0.2).apply(x.clone(), generator())
    factors = (y / x).flatten(1)
    assert (factors.amax(1) - factors.amin(1)).max() < 1e-3
    assert factors[:, 0].std() == pytest.approx(0.2, rel=0.15)
    assert factors[:, 0].mean() == pytest.approx(1, abs=0.05)
    added = (Variation(offset=0.3).apply(x.clone(), generator()) - x).flatten(1)
    assert (added.amax(1) - added.amin(1)).max() < 1e-4
    assert added[:, 0].std() == pytest.approx(0.3, rel=0.15)


def test_a_dropped_context_is_the_slice_itself() -> None:
    x = crops(count=500, channels=5, size=4)
    y = Variation(context_drop=0.3).apply(x.clone(), generator())
    assert torch.equal(y[:, 2], x[:, 2])
    dropped = (y == x[:, 2:3]).all(dim=(1, 2, 3))  # type: ignore[call-overload]
    kept = (y == x).all(dim=(1, 2, 3))  # type: ignore[call-overload]
    assert (dropped ^ kept).all()
    assert dropped.float().mean().item() == pytest.approx(0.3, abs=0.06)


def test_a_dropped_context_has_one_noise() -> None:
    """At prediction a slice alone stands for its neighbours, noise and all."""
    y = Variation(noise=(1.0, 1.0), context_drop=1.0).apply(torch.zeros(6, 3, 8, 8), generator())
    assert torch.equal(y[:, 0], y[:, 1])
    assert torch.equal(y[:, 2], y[:, 1])


def test_a_slice_without_context_has_none_to_drop() -> None:
    x = crops(channels=1)
    rng = generator()
    before = rng.get_state()
    assert torch.equal(Variation(context_drop=1.0).apply(x.clone(), rng), x)
    assert torch.equal(rng.get_state(), before)


def test_a_recipe_s_noise_is_in_counts() -> None:
    augment = AugmentConfig(gain=0.1, offset=0.2, context_drop=0.3)
    noise = NoiseConfig(enabled=True, std=4000, low=0.5, high=1.5)
    assert variation(augment, noise, INTENSITY) == Variation((0.25, 0.75), 0.1, 0.2, 0.3)
    off = NoiseConfig(enabled=False, std=4000)
    assert variation(augment, off, INTENSITY).noise is None
    copies = NoiseConfig(enabled=True, std=4000, copies=True)
    assert variation(augment, copies, INTENSITY).noise is None


def test_a_range_of_sds_is_the_one_asked_for() -> None:
    noise = NoiseConfig().switched_on("2000:6000")
    found = variation(AugmentConfig(), noise, INTENSITY).noise
    assert found == pytest.approx((0.25, 0.75))


def test_the_default_is_a_share_of_the_training_spread() -> None:
    assert DEFAULT_NOISE == 0.64
    assert noise_std(NoiseConfig().switched_on("auto"), INTENSITY) == pytest.approx(5120)
    assert noise_std(NoiseConfig(std=123), INTENSITY) == 123


def test_noise_of_over_ten_spreads_is_refused() -> None:
    assert noise_std(NoiseConfig(std=80_000), INTENSITY) == 80_000
    with pytest.raises(XsegError, match="ten times the spread") as caught:
        noise_std(NoiseConfig(std=80_001), INTENSITY)
    assert "\n" not in str(caught.value)

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from napari_xseg.config import ModelConfig
from napari_xseg.model import geometry
from napari_xseg.model.unet import UNet

KINDS = [
    ModelConfig(width=2, depth=depth, patch=patch, padding=padding, upsampling=upsampling)
    for depth, patch, padding, upsampling in itertools.product(
        range(1, 6), (1, 2, 4), ("same", "valid"), ("transposed", "bilinear")
    )
]
THE_PAPER = ModelConfig(width=64, depth=5, padding="valid")


def name(config: ModelConfig) -> str:
    return f"{config.depth}-{config.patch}-{config.padding}-{config.upsampling}"


def test_the_paper_s_lengths() -> None:
    assert geometry.margin(THE_PAPER) == 92
    assert geometry.output_size(THE_PAPER, 388) == 388
    assert geometry.output_size(THE_PAPER, 388) + 2 * geometry.margin(THE_PAPER) == 572
    assert geometry.output_size(THE_PAPER, 389) == 404
    assert geometry.alignment(THE_PAPER) == 16


@given(st.sampled_from(KINDS), st.integers(1, 3000))
def test_the_smallest_length_that_the_network_takes(config: ModelConfig, wanted: int) -> None:
    found = geometry.output_size(config, wanted)
    assert found >= wanted
    assert geometry.output_size(config, found) == found
    shorter = found - geometry.alignment(config)
    assert shorter < wanted
    if shorter > 0:
        assert geometry.output_size(config, shorter) in (shorter, found)


@given(st.sampled_from(KINDS), st.integers(1, 2000), st.integers(1, 2000))
def test_lengths_differ_by_multiples_of_the_alignment(
    config: ModelConfig, one: int, other: int
) -> None:
    sizes = geometry.output_size(config, one), geometry.output_size(config, other)
    assert (sizes[0] - sizes[1]) % geometry.alignment(config) == 0
    assert (one - other) * (sizes[0] - sizes[1]) >= 0


@pytest.mark.parametrize("config", KINDS, ids=name)
def test_with_valid_padding_lengths_hold_level_by_level(config: ModelConfig) -> None:
    if config.padding == "same":
        assert geometry.margin(config) == 0
        return
    for wanted in (1, 30, 100):
        length = geometry.output_size(config, wanted) + 2 * geometry.margin(config)
        assert length % config.patch == 0
        length //= config.patch
        for _ in range(config.depth - 1):
            length -= 4
            assert length % 2 == 0, "a pool that drops a row"
            length //= 2
        length -= 4
        for _ in range(config.depth - 1):
            length = 2 * length - 4
        assert length * config.patch == geometry.output_size(config, wanted)


def reach_of(config: ModelConfig, place: int, length: int) -> tuple[int, int]:
    """First and last input column that the output at `place` depends on."""
    network = UNet(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()  # so that nothing cancels and no ReLU is dead
    rows = geometry.output_size(config, 1) + 2 * geometry.margin(config)
    x = torch.ones((1, config.input_channels, rows, length), requires_grad=True)
    network(x)[..., place].sum().backward()
    assert x.grad is not None
    columns = x.grad.abs().sum((0, 1, 2)).nonzero().flatten()
    return int(columns[0]), int(columns[-1])


@pytest.mark.parametrize("config", [kind for kind in KINDS if kind.depth <= 4], ids=name)
def test_no_pixel_looks_farther_than_the_radius(
    config: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A maximum hands its gradient to one pixel alone; a mean shows all that could be it.
    monkeypatch.setattr(F, "max_pool2d", F.avg_pool2d)
    radius, step, margin = (
        geometry.radius(config),
        geometry.alignment(config),
        geometry.margin(config),
    )
    whole = geometry.output_size(config, 2 * radius + step + 1)
    farthest = 0
    for place in {radius, radius + step // 2, radius + step - 1}:
        first, last = reach_of(config, place, whole + 2 * margin)
        farthest = max(farthest, place + margin - first, last - place - margin)
    assert farthest <= radius
    # A radius that is far too long makes slow tiles.
    assert radius <= farthest + 2 * step

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from napari_xseg.config import ModelConfig
from napari_xseg.data.mirror import mirror_indices
from napari_xseg.model import geometry
from napari_xseg.model.unet import UNet, centre_crop

if TYPE_CHECKING:
    import numpy as np

THE_PAPER = ModelConfig(width=64, depth=5, padding="valid", context=0)


@st.composite
def configs(draw: st.DrawFn, deepest: int = 5) -> ModelConfig:
    depth = draw(st.integers(1, deepest))
    return ModelConfig(
        widths=tuple(draw(st.lists(st.integers(1, 3), min_size=depth, max_size=depth))),
        depth=depth,
        context=draw(st.integers(0, 2)),
        patch=draw(st.sampled_from([1, 2, 4])),
        classes=draw(st.integers(2, 4)),
        padding=draw(st.sampled_from(["same", "valid"])),
        upsampling=draw(st.sampled_from(["transposed", "bilinear"])),
    )


def mirrored(length: int, config: ModelConfig) -> np.ndarray:
    trim = geometry.margin(config)
    return mirror_indices(-trim, geometry.output_size(config, length) + trim, length)


def test_the_paper_s_network_has_its_layers_and_parameters() -> None:
    """Ronneberger et al. 2015, figure 1, with batch norm in place of the biases before it."""
    with torch.device("meta"):
        network = UNet(THE_PAPER)
        x = torch.empty(1, 1, 572, 572)
    shapes: list[tuple[str, tuple[int, ...]]] = []

    def note(module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            shapes.append((type(module).__name__, tuple(output.shape[1:])))

    for module in network.modules():
        module.register_forward_hook(note)
    assert network(x).shape == (1, 3, 388, 388)
    down = [(64, 570), (64, 568), (128, 282), (128, 280), (256, 138), (256, 136)]
    down += [(512, 66), (512, 64), (1024, 30), (1024, 28)]
    up = [(512, 56, 54, 52), (256, 104, 102, 100), (128, 200, 198, 196), (64, 392, 390, 388)]
    expected = [("Conv2d", (width, size, size)) for width, size in down]
    for width, rising, first, second in up:
        expected.append(("ConvTranspose2d", (width, rising, rising)))
        expected += [("Conv2d", (width, size, size)) for size in (first, second)]
    expected.append(("Conv2d", (3, 388, 388)))
    assert shapes == expected
    widths = (64, 128, 256, 512, 1024)
    double = sum(9 * (a * b + b * b) + 4 * b for a, b in zip((1, *widths), widths, strict=False))
    double += sum(9 * (2 * b * b + b * b) + 4 * b for b in widths[:-1])
    rising = sum(4 * 2 * b * b + b for b in widths[:-1])
    counted = sum(parameter.numel() for parameter in network.parameters())
    assert counted == double + rising + 64 * 3 + 3 == 31_036_611


def test_pooling_and_kernels_are_the_paper_s() -> None:
    with torch.device("meta"):
        network = UNet(THE_PAPER)
    convolutions = [module for module in network.modules() if type(module) is nn.Conv2d]
    assert [module.kernel_size for module in convolutions] == [(3, 3)] * 18 + [(1, 1)]
    assert {module.padding for module in convolutions} == {(0, 0)}
    rising = [module for module in network.modules() if isinstance(module, nn.ConvTranspose2d)]
    assert {(module.kernel_size, module.stride) for module in rising} == {((2, 2), (2, 2))}
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 18
    assert len([module for module in network.modules() if isinstance(module, nn.ReLU)]) == 18


@given(configs(), st.integers(1, 50), st.integers(1, 50), st.integers(1, 2))
@settings(max_examples=60)
def test_slices_of_any_size(config: ModelConfig, height: int, width: int, count: int) -> None:
    x = torch.zeros((count, config.input_channels, height, width))
    x = x[..., mirrored(height, config), :][..., mirrored(width, config)]
    with torch.inference_mode():
        logits = UNet(config).eval()(x)
    size = geometry.output_size(config, height), geometry.output_size(config, width)
    assert logits.shape == (count, config.classes, *size)
    assert logits.isfinite().all()


@given(configs(deepest=3))
@settings(max_examples=20)
def test_every_weight_learns(config: ModelConfig) -> None:
    torch.manual_seed(0)
    network = UNet(config)
    length = geometry.output_size(config, 8 * geometry.alignment(config))
    length += 2 * geometry.margin(config)
    x = torch.randn((2, config.input_channels, length, length))
    network(x).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("patch", [2, 4])
def test_a_block_s_pixels_keep_their_places(patch: int) -> None:
    """With the blocks' pixels handed through, the mask is the image."""
    config = ModelConfig(width=patch * patch, depth=1, patch=patch, classes=2)
    network = UNet(config).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.zero_()
                middle = module.kernel_size[0] // 2
                for channel in range(patch * patch):
                    module.weight[channel, channel, middle, middle] = 1
        network.head.weight[patch * patch :] = -network.head.weight[: patch * patch]
        network.head.bias.zero_()
        x = torch.rand((2, 1, 3 * patch, 5 * patch))
        logits = network(x)
    scale = (1 + 1e-5) ** -1
    torch.testing.assert_close(logits[:, :1], scale * x, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(logits[:, 1:], -scale * x, rtol=1e-4, atol=1e-6)


def test_a_skip_joins_the_pixels_it_came_from() -> None:
    """Away from the edges valid and same padding agree, while their pools lie alike."""
    torch.manual_seed(1)
    same = UNet(ModelConfig(width=3, depth=2, padding="same")).eval()
    valid = UNet(ModelConfig(width=3, depth=2, padding="valid")).eval()
    valid.load_state_dict(same.state_dict())
    trim = geometry.margin(valid.config)
    length = geometry.output_size(valid.config, 24) + 2 * trim
    x = torch.randn((1, 1, length, length))
    with torch.inference_mode():
        whole, inner = same(x), valid(x)
    torch.testing.assert_close(inner, centre_crop(whole, inner), rtol=1e-4, atol=1e-5)


def test_centre_crop() -> None:
    x = torch.arange(7.0)[:, None] * 10 + torch.arange(6.0)
    cut = centre_crop(x, torch.empty(3, 2))
    torch.testing.assert_close(cut, torch.tensor([[22.0, 23.0], [32.0, 33.0], [42.0, 43.0]]))


def test_the_first_weights_keep_the_spread_of_a_signal() -> None:
    torch.manual_seed(0)
    network = UNet(ModelConfig(width=16, depth=3))
    first = network.down[0][0].weight
    assert isinstance(first, torch.Tensor)
    assert first.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.25)
    assert F.relu(network(torch.randn(4, 1, 32, 32))).std() < 20

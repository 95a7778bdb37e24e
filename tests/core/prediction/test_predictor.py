from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.nn import functional as F

from napari_xseg.config import ModelConfig
from napari_xseg.data.mirror import mirror_indices
from napari_xseg.errors import XsegError
from napari_xseg.model import geometry
from napari_xseg.prediction.predictor import (
    Predictor,
    best_class,
    blocks_of,
    cut_tiles,
    fold,
    probability,
    slice_bytes,
    stack_blocks,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.model.unet import UNet

    MakeNetwork = Callable[..., UNet]

CPU = torch.device("cpu")


@st.composite
def configs(draw: st.DrawFn, deepest: int = 4) -> ModelConfig:
    depth = draw(st.integers(1, deepest))
    return ModelConfig(
        widths=tuple(draw(st.lists(st.integers(1, 3), min_size=depth, max_size=depth))),
        depth=depth,
        context=draw(st.integers(0, 1)),
        patch=draw(st.sampled_from([1, 2, 4])),
        classes=draw(st.integers(2, 4)),
        padding=draw(st.sampled_from(["same", "valid"])),
        upsampling=draw(st.sampled_from(["transposed", "bilinear"])),
    )


lengths = st.integers(1, 70)


def planes(
    config: ModelConfig, shape: tuple[int, int], count: int = 1, seed: int = 0
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, config.input_channels, *shape)).astype(np.float32)


def as_blocks(config: ModelConfig, slices: np.ndarray) -> torch.Tensor:
    return stack_blocks([[blocks_of(plane, config) for plane in each] for each in slices])


def by_the_book(network: UNet, slices: np.ndarray) -> torch.Tensor:
    """Logits (n, classes, y, x): mirror the slice, run the network as it is, cut."""
    config, (height, width) = network.config, slices.shape[-2:]
    for axis, length in ((2, height), (3, width)):
        trim = geometry.margin(config)
        stop = geometry.output_size(config, length) + trim
        slices = slices.take(mirror_indices(-trim, stop, length), axis)
    with torch.inference_mode():
        return network(torch.from_numpy(slices))[..., :height, :width]


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether logits agree within rounding of float32."""
    scale = max(1.0, float(other.abs().max()))
    return float((one - other).abs().max()) < 2e-5 * scale


@given(configs(), st.integers(0, 9))
@settings(max_examples=40)
def test_folded_norms_change_nothing(
    make_network: MakeNetwork, config: ModelConfig, seed: int
) -> None:
    network = make_network(config, seed)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    folded = fold(network.train())
    assert network.training
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    network.eval()
    length = geometry.output_size(config, 12) + 2 * geometry.margin(config)
    x = torch.from_numpy(planes(config, (length, length), 2, seed))
    with torch.inference_mode():
        assert close(folded(x), network(x))
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


@given(configs(), lengths, lengths)
@settings(max_examples=60)
def test_whole_slices_are_as_the_network_gives_them(
    make_network: MakeNetwork, config: ModelConfig, height: int, width: int
) -> None:
    network = make_network(config)
    slices = planes(config, (height, width), 2)
    expected = by_the_book(network, slices)
    predictor = Predictor(network, CPU, "float32", workspace=1 << 40)
    found = predictor.logits(as_blocks(config, slices), (height, width))
    assert found.shape == expected.shape
    assert close(found, expected)


@given(configs(), lengths, lengths, st.integers(4, 14))
@settings(max_examples=50)
def test_tiles_are_as_whole_slices(
    make_network: MakeNetwork, config: ModelConfig, height: int, width: int, room: int
) -> None:
    network = make_network(config)
    slices = planes(config, (height, width), 2)
    expected = by_the_book(network, slices)
    workspace = max(1, slice_bytes(config, (1, 1)) * 2**room)
    predictor = Predictor(network, CPU, "float32", workspace=workspace)
    x = as_blocks(config, slices)
    assert close(predictor.logits(x, (height, width)), expected)
    mask, certain = predictor.predict(x, (height, width), confidence=True)
    assert certain is not None
    two = expected.topk(2, dim=1).values
    clear = (two[:, 0] - two[:, 1]) > 1e-3 * max(1.0, float(expected.abs().max()))
    assert torch.equal(mask[clear], expected.argmax(1).to(torch.uint8)[clear])
    sure = 255 * expected.softmax(1).amax(1)
    assert (certain.float() - sure).abs().max() < 0.51 + 0.02 * float(expected.abs().max())


@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("patch", [1, 2])
def test_tiles_inside_a_slice_see_enough(
    make_network: MakeNetwork, patch: Any, padding: Any, upsampling: Any
) -> None:
    """A long strip: some tiles touch neither end."""
    config = ModelConfig(width=2, depth=3, patch=patch, padding=padding, upsampling=upsampling)
    network, shape = make_network(config), (240 * patch, 20)
    slices = planes(config, shape)
    room = slice_bytes(config, (1, 1)) * (50 * patch) ** 2
    ends = [tile.core[:2] for tile in cut_tiles(config, shape, (50 * patch) ** 2)]
    assert len(ends) >= 4
    predictor = Predictor(network, CPU, "float32", workspace=room)
    found = predictor.logits(as_blocks(config, slices), shape)
    assert close(found, by_the_book(network, slices))


@given(configs(deepest=5), st.integers(1, 600), st.integers(1, 600), st.integers(0, 20))
def test_tiles_cover_each_pixel_once(config: ModelConfig, height: int, width: int, room: int):
    covered = np.zeros((height, width), np.uint8)
    tiles = list(cut_tiles(config, (height, width), 2**room))
    trim = geometry.margin(config)
    whole = [geometry.output_size(config, length) for length in (height, width)]
    for tile in tiles[:400]:
        top, bottom, left, right = tile.core
        assert 0 <= top <= bottom <= height
        covered[top:bottom, left:right] = 1
        for axis, (start, stop) in enumerate((tile.window[:2], tile.window[2:])):
            assert 0 <= start < stop <= whole[axis] + 2 * trim
            assert start % config.patch == 0
            size = stop - start - 2 * trim
            assert geometry.output_size(config, size) == size, "a size the network takes"
            first, last = tile.inner[2 * axis : 2 * axis + 2]
            assert last - first == tile.core[2 * axis + 1] - tile.core[2 * axis]
            assert start + first == tile.core[2 * axis]
    if len(tiles) <= 400:
        assert covered.all()
    if whole[0] * whole[1] <= 2**room:
        assert len(tiles) == 1


def test_tiles_keep_to_their_room() -> None:
    for config in (ModelConfig(width=8, depth=3), ModelConfig(depth=4, padding="valid")):
        for largest in (300**2, 500**2, 1000**2):
            for tile in cut_tiles(config, (3000, 2500), largest):
                top, bottom, left, right = tile.window
                assert (bottom - top) * (right - left) <= 1.3 * largest


@given(configs(), lengths, lengths)
def test_blocks_are_pixels_side_by_side(config: ModelConfig, height: int, width: int) -> None:
    slices = planes(config, (height, width), 2)
    x = as_blocks(config, slices)
    for axis, length in ((2, height), (3, width)):
        trim = geometry.margin(config)
        stop = geometry.output_size(config, length) + trim
        slices = slices.take(mirror_indices(-trim, stop, length), axis)
    expected = F.pixel_unshuffle(torch.from_numpy(slices), config.patch)
    assert torch.equal(x.permute(0, 3, 1, 2), expected)
    assert x.is_contiguous()


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 2), st.integers(2, 6), st.integers(1, 4), st.integers(1, 5)),
        elements=st.sampled_from([-3.0, -0.0, 0.0, 1.5, 2.0, np.inf, -np.inf]),
    ),
    st.sampled_from([torch.float32, torch.bfloat16]),
    st.booleans(),
)
def test_the_best_class_is_the_first_of_the_largest(
    logits: np.ndarray, dtype: torch.dtype, channels_last: bool
) -> None:
    x = torch.from_numpy(logits).to(dtype)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    found = best_class(x)
    assert found.dtype == torch.uint8
    np.testing.assert_array_equal(found.numpy(), logits.argmax(1))


def test_many_classes_have_their_index() -> None:
    logits = torch.full((1, 254, 2, 2), -1.0)
    logits[0, 253, 1, 1] = logits[0, 128, 0, 1] = 3
    assert best_class(logits)[0].tolist() == [[0, 128], [0, 253]]


def test_the_probability_is_that_of_the_best_class() -> None:
    logits = torch.tensor([[0.0, 30.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, -5.0]]).T[None, ..., None]
    found = probability(logits.permute(0, 1, 2, 3))
    assert found.dtype == torch.uint8
    sure = torch.softmax(logits, 1).amax(1)
    assert torch.equal(found, (255 * sure).round().to(torch.uint8))
    rng = torch.Generator().manual_seed(0)
    wild = 50 * torch.randn((2, 3, 20, 20), generator=rng)
    assert 85 <= int(probability(wild).min()) <= int(probability(wild).max()) == 255


@pytest.mark.parametrize("patch", [1, 2, 4])
def test_a_slice_is_the_same_alone_and_in_a_batch(make_network: MakeNetwork, patch: int) -> None:
    config = ModelConfig(width=4, depth=3, context=1, patch=patch)
    predictor = Predictor(make_network(config), CPU, "float32")
    slices = planes(config, (37, 41), 5)
    x = as_blocks(config, slices)
    together = predictor.logits(x, (37, 41))
    for place in range(5):
        assert close(predictor.logits(x[place : place + 1], (37, 41)), together[place : place + 1])


@pytest.mark.parametrize("patch", [1, 2, 4])
@pytest.mark.parametrize("room", [None, 1 << 19])
def test_a_box_is_the_same_to_the_bit_alone_and_in_a_batch(
    make_network: MakeNetwork, patch: Any, room: int | None
) -> None:
    config = ModelConfig(width=4, depth=2, context=1, patch=patch)
    predictor = Predictor(make_network(config), CPU, "float32", workspace=room)
    slices = planes(config, (137, 141), 3)
    channels = [[blocks_of(plane, config) for plane in each] for each in slices]
    whole, sure = predictor.predict(stack_blocks(channels), (137, 141), confidence=True)
    assert sure is not None
    for top, bottom, left, right in ((0, 137, 0, 141), (60, 61, 3, 141), (100, 137, 50, 60)):
        for index in range(3):
            box = (top, bottom, left, right)
            found, certain = predictor.predict(
                channels[index : index + 1], (137, 141), confidence=True, box=box
            )
            assert certain is not None
            assert torch.equal(found[0], whole[index, top:bottom, left:right])
            assert torch.equal(certain[0], sure[index, top:bottom, left:right])


def test_tiles_are_even(make_network: MakeNetwork) -> None:
    """A slice a little too large for one tile is not covered by large ones that overlap."""
    config = ModelConfig(width=8, depth=2, patch=2)
    tiles = list(cut_tiles(config, (2048, 2048), 1900**2))
    assert [tile.core for tile in tiles[:2]] == [(0, 1024, 0, 1024), (0, 1024, 1024, 2048)]


def test_bfloat16_agrees(make_network: MakeNetwork) -> None:
    config = ModelConfig(width=8, depth=3, context=1, patch=2)
    network, slices = make_network(config), planes(config, (64, 64), 2)
    x = as_blocks(config, slices)
    masks, logits = {}, {}
    for name in ("float32", "bfloat16"):
        predictor = Predictor(network, CPU, name)  # type: ignore[arg-type]
        assert predictor.precision == name
        masks[name], _ = predictor.predict(x, (64, 64))
        logits[name] = predictor.logits(x, (64, 64))
    assert (masks["float32"] == masks["bfloat16"]).float().mean() > 0.97
    assert len(masks["float32"].unique()) == 3
    spread = logits["float32"].std()
    assert (logits["float32"] - logits["bfloat16"]).abs().mean() < 0.05 * spread


@pytest.mark.parametrize("faster", ["float32", "bfloat16"])
def test_the_faster_precision_is_taken(
    make_network: MakeNetwork, monkeypatch: pytest.MonkeyPatch, faster: str
) -> None:
    probed: list[torch.dtype] = []

    def choose(device: torch.device, precision: str, run: Any) -> torch.dtype:
        assert (device, precision) == (CPU, "auto")
        for dtype in (torch.float32, torch.bfloat16, torch.float32):
            run(dtype)
            probed.append(dtype)
        chosen: torch.dtype = getattr(torch, faster)
        return chosen

    monkeypatch.setattr("napari_xseg.prediction.predictor.choose_dtype", choose)
    predictor = Predictor(make_network(ModelConfig(width=2, depth=2, padding="valid")), CPU)
    assert predictor.precision == faster
    assert len(probed) == 3
    assert {value.dtype for value in predictor.network.parameters()} == {getattr(torch, faster)}


def test_slices_share_a_pass_where_there_is_room(make_network: MakeNetwork) -> None:
    config = ModelConfig(width=8, depth=3)
    need = slice_bytes(config, (100, 100))
    network = make_network(config)
    sizes = [
        Predictor(network, CPU, "float32", workspace=room).batch_size((100, 100))
        for room in (1, need, 4 * need, 13 * need, 1000 * need)
    ]
    assert sizes == [1, 1, 1, 3, 16]


def test_a_device_that_is_too_small_gets_smaller_tiles(
    make_network: MakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ModelConfig(width=2, depth=2)
    predictor = Predictor(make_network(config), CPU, "float32")
    x = as_blocks(config, planes(config, (400, 380)))
    expected, _ = predictor.predict(x, (400, 380))
    forward, passed = predictor.network.block_logits, []

    def limited(part: torch.Tensor) -> torch.Tensor:
        if part.shape[-1] * part.shape[-2] > 200 * 200:
            raise torch.OutOfMemoryError("out of memory")
        passed.append(tuple(part.shape[-2:]))
        return forward(part)

    monkeypatch.setattr(predictor.network, "block_logits", limited)
    found, _ = predictor.predict(x, (400, 380))
    assert torch.equal(found, expected)
    assert len(passed) > 4
    passed.clear()
    predictor.predict(x, (400, 380))
    assert len(passed) > 4, "it is known from then on"

    def never(_part: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(predictor.network, "block_logits", never)
    with pytest.raises(XsegError, match="--device cpu"):
        predictor.predict(x, (400, 380))

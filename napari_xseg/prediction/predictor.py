"""A model made fast: batch norm folded in, the faster precision, whole slices or tiles."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_xseg.data.mirror import mirror_indices
from napari_xseg.errors import XsegError
from napari_xseg.model import geometry
from napari_xseg.model.device import choose_dtype, dtype_name, place
from napari_xseg.model.unet import DoubleConv
from napari_xseg.prediction.tiles import cut_tiles, halo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from napari_xseg.config import ModelConfig, Precision
    from napari_xseg.events import Control
    from napari_xseg.model.unet import UNet
    from napari_xseg.prediction.tiles import Tile

# Bytes of activations that a forward pass may hold. The processor is fastest with what stays in
# its caches, unless tiles get so small that most of a window is seen for the sake of others.
CPU_WORKSPACE = (64 << 20, 512 << 20)
WINDOW_OVER_REACH = 8
PROBE = 96
# Numbers that hold the bits of so many float32: copied as one, several times as fast.
_WIDE = {1: np.float32, 2: np.complex64, 4: np.complex128}

Box = tuple[int, int, int, int]
Channels = Sequence[NDArray[np.float32]]


class Stopped(Exception):
    """A prediction was ended between two tiles, as its control asked."""


class Predictor:
    """Turns normalised slices into class indices.

    Parameters
    ----------
    network : UNet
        Left as it is; a folded copy computes.
    device : torch.device
        Where.
    precision : str
        "auto" times float32 and bfloat16 once and takes the faster.
    workspace : int, optional
        Bytes of activations a pass may hold: slices that need more are cut into
        tiles, slices that need less are batched.
    """

    def __init__(
        self,
        network: UNet,
        device: torch.device,
        precision: Precision = "auto",
        workspace: int | None = None,
    ) -> None:
        self.config = network.config
        self.device = device
        self.workspace = workspace or _workspace(device, self.config)
        folded = place(fold(network), device)
        size = geometry.output_size(self.config, PROBE) + 2 * geometry.margin(self.config)
        zeros = torch.zeros((1, self.config.input_channels, size, size), device=device)
        zeros = zeros.contiguous(memory_format=torch.channels_last)
        twins: dict[torch.dtype, UNet] = {}

        def probe(dtype: torch.dtype) -> None:
            if dtype not in twins:
                twins[dtype] = copy.deepcopy(folded).to(dtype)
            with torch.inference_mode():
                twins[dtype](zeros.to(dtype))

        self.dtype = choose_dtype(device, precision, probe)
        self.network = folded.to(self.dtype)

    @property
    def precision(self) -> Precision:
        """The name of the dtype computed in."""
        return dtype_name(self.dtype)

    def batch_size(self, shape: tuple[int, int]) -> int:
        """Slices of `shape` (y, x) that go through the network at once; 1 or more."""
        return max(1, min(16, self.workspace // (4 * slice_bytes(self.config, shape))))

    def predict(
        self,
        x: Tensor | Sequence[Channels],
        shape: tuple[int, int],
        *,
        confidence: bool = False,
        box: Box | None = None,
        control: Control | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Class indices of slices.

        Parameters
        ----------
        x : Tensor, or sequence of sequences of ndarray
            For each slice, the `blocks_of` itself and its neighbours, as they are or
            side by side: (n, Y, X, channels) float32.
        shape : (int, int)
            Of the slices themselves, (y, x).
        confidence : bool
            Whether to give the probability of the class too.
        box : (int, int, int, int), optional
            Top, bottom, left and right, half open, of the part wanted. Its pixels are
            those of the whole slice, to the bit.
        control : Control, optional
            Looked at between two tiles.

        Returns
        -------
        Tensor, Tensor or None
            Class indices (n, y, x) uint8 and probabilities (n, y, x) uint8, 255
            for certain; on the CPU, of the box where one is given.

        Raises
        ------
        XsegError
            A device without memory for a small tile. Before that, slices are cut
            into smaller and smaller tiles.
        Stopped
            Where `control` asks for a stop.
        """
        box = box or (0, shape[0], 0, shape[1])
        while True:
            try:
                if self.device.type != "cpu" or len(x) < 2:
                    return self._predict(x, shape, box, confidence, control)
                # One by one, so that a slice is the same to the bit alone and among others.
                each = [
                    self._predict(x[index : index + 1], shape, box, confidence, control)
                    for index in range(len(x))
                ]
                certain = [sure for _, sure in each if sure is not None]
                masks = torch.cat([mask for mask, _ in each])
                return masks, torch.cat(certain) if certain else None
            except torch.OutOfMemoryError:
                self._shrink(shape)

    def _predict(
        self,
        x: Tensor | Sequence[Channels],
        shape: tuple[int, int],
        box: Box,
        confidence: bool,
        control: Control | None,
    ) -> tuple[Tensor, Tensor | None]:
        mask = torch.empty((len(x), box[1] - box[0], box[3] - box[2]), dtype=torch.uint8)
        certain = torch.empty_like(mask) if confidence else None
        for tile, blocks in self._tiles(x, shape, box, control):
            there, part = _meeting(tile.core, box)
            logits = blocks.view(len(x), self.config.classes, -1, *blocks.shape[-2:])
            mask[there] = self._core(best_class(logits), tile)[part]
            if certain is not None:
                certain[there] = self._core(probability(logits), tile)[part]
        return mask, certain

    def _shrink(self, shape: tuple[int, int]) -> None:
        """Take smaller tiles from here on; XsegError where they are small already."""
        self.workspace = min(self.workspace, slice_bytes(self.config, shape)) // 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if self.workspace < slice_bytes(self.config, (PROBE, PROBE)):
            raise XsegError(
                f"{self.device}: has not enough memory for this model; close other programs that "
                "use it, or choose --device cpu."
            )

    def logits(self, x: Tensor, shape: tuple[int, int]) -> Tensor:
        """Logits (n, classes, y, x), float32 on the CPU, of `x` as `predict` takes it."""
        return self.map_logits(x, shape, lambda part, _: part, self.config.classes)

    def map_logits(
        self,
        x: Tensor | Sequence[Channels],
        shape: tuple[int, int],
        function: Callable[[Tensor, Box], Tensor],
        values: int,
        control: Control | None = None,
    ) -> Tensor:
        """A function of logits (n, classes, y, x) and their box: (n, values, y, x), all float32.

        It is applied tile by tile, on the CPU; other parameters and errors as `predict`.
        """
        whole = torch.empty((len(x), values, *shape))
        while True:
            try:
                for tile, blocks in self._tiles(x, shape, (0, shape[0], 0, shape[1]), control):
                    part = function(self._core(blocks, tile).float(), tile.core)
                    whole[..., slice(*tile.core[:2]), slice(*tile.core[2:])] = part
                return whole
            except torch.OutOfMemoryError:
                self._shrink(shape)

    def _core(self, blocks: Tensor, tile: Tile) -> Tensor:
        """The part of a tile's output (n, values of a block, Y, X) that counts, on the CPU."""
        part = F.pixel_shuffle(blocks, self.config.patch)
        part = part[:, 0] if blocks.dtype == torch.uint8 else part
        return part[..., slice(*tile.inner[:2]), slice(*tile.inner[2:])].cpu()

    def _tiles(
        self,
        x: Tensor | Sequence[Channels],
        shape: tuple[int, int],
        box: Box,
        control: Control | None,
    ) -> Iterator[tuple[Tile, Tensor]]:
        """Tiles that meet `box` with the network's output for their windows, until stopped."""
        largest = self.workspace // slice_bytes(self.config, (1, 1))
        patch = self.config.patch
        for tile in cut_tiles(self.config, shape, largest):
            if not _meets(tile.core, box):
                continue
            top, bottom, left, right = (end // patch for end in tile.window)
            window = slice(top, bottom), slice(left, right)
            part = x[:, *window] if isinstance(x, torch.Tensor) else stack_blocks(x, window)
            # (n, y, x, channels) seen as (n, channels, y, x) is channels_last as it lies.
            part = part.to(self.device, self.dtype).contiguous().permute(0, 3, 1, 2)
            with torch.inference_mode():
                blocks = self.network.block_logits(part)
            yield tile, blocks
            if control is not None and control.stopped:
                raise Stopped


def fold(network: UNet) -> UNet:
    """A copy in evaluation mode, its batch norms folded into the convolutions."""
    folded = copy.deepcopy(network).eval().requires_grad_(False)
    for blocks in (folded.down, folded.merge):
        for index, block in enumerate(blocks):
            if isinstance(block, DoubleConv):
                first, norm, relu, second, second_norm, second_relu = block
                blocks[index] = nn.Sequential(
                    _fused(first, norm), relu, _fused(second, second_norm), second_relu
                )
    return folded


def _fused(convolution: nn.Module, norm: nn.Module) -> nn.Module:
    fused: nn.Module = fuse_conv_bn_eval(convolution, norm)  # type: ignore[type-var, arg-type]
    return fused


def blocks_of(plane: NDArray[np.float32], config: ModelConfig) -> NDArray[np.float32]:
    """A normalised slice (y, x) as the network takes it.

    Mirrored beyond its edges to a size that the network takes, then cut into
    blocks: (Y / patch, X / patch, patch**2) float32.
    """
    trim = geometry.margin(config)
    for axis, length in enumerate(plane.shape):
        stop = geometry.output_size(config, length) + trim
        if trim or stop > length:
            plane = plane.take(mirror_indices(-trim, stop, length), axis)
    patch = config.patch
    rows, columns = (length // patch for length in plane.shape)
    lines: NDArray[Any] = (
        np.ascontiguousarray(plane).view(_WIDE[patch]).reshape(rows, patch, columns)
    )
    blocks = np.empty((rows, columns, patch), lines.dtype)
    for line in range(patch):
        blocks[:, :, line] = lines[:, line]
    return blocks.view(np.float32)


def stack_blocks(
    slices: Sequence[Channels], window: tuple[slice, slice] = (slice(None), slice(None))
) -> Tensor:
    """A batch (n, Y, X, channels) of slices, each given as the blocks of its channels.

    With a `window`, of that part of their blocks alone.
    """
    first = slices[0][0][window]
    rows, columns, values = first.shape
    wide = np.dtype(_WIDE.get(values, np.float32))
    pieces = 4 * values // wide.itemsize
    x = np.empty((len(slices), rows, columns, len(slices[0]), pieces), wide)
    for index, channels in enumerate(slices):
        for channel, blocks in enumerate(channels):
            torch.from_numpy(x[index, :, :, channel]).copy_(
                torch.from_numpy(blocks.view(wide)[window])
            )
    return torch.from_numpy(x.view(np.float32).reshape(len(slices), rows, columns, -1))


def slice_bytes(config: ModelConfig, shape: tuple[int, int]) -> int:
    """Bytes of activations that a slice of `shape` (y, x) needs at once, about."""
    widest = max(width / 4**level for level, width in enumerate(config.level_widths))
    # a concatenation, its two parts and a result live at the same time
    values = 6 * widest / config.patch**2 + 2 * config.input_channels + 2 * config.classes
    return int(4 * values * shape[0] * shape[1])


def best_class(logits: Tensor) -> Tensor:
    """Index of the largest of `logits` (n, classes, …), the first where equal; uint8 (n, …).

    One pass a class: torch's argmax over a strided axis takes ten times as long.
    """
    logits = logits.contiguous()
    highest = logits[:, 0]
    best = torch.zeros(highest.shape, dtype=torch.uint8, device=logits.device)
    for index in range(1, logits.shape[1]):
        best = torch.maximum(best, (logits[:, index] > highest).to(torch.uint8) * index)
        highest = torch.maximum(highest, logits[:, index])
    return best


def probability(logits: Tensor) -> Tensor:
    """Probability of the best class of `logits` (n, classes, …); uint8 (n, …), 255 for 1."""
    return logits.float().softmax(1).amax(1).mul(255).round().to(torch.uint8)


def _workspace(device: torch.device, config: ModelConfig) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2
    side = WINDOW_OVER_REACH * 2 * (halo(config) + geometry.margin(config))
    return min(max(slice_bytes(config, (side, side)), CPU_WORKSPACE[0]), CPU_WORKSPACE[1])


def _meets(core: Box, box: Box) -> bool:
    return core[0] < box[1] and box[0] < core[1] and core[2] < box[3] and box[2] < core[3]


def _meeting(core: Box, box: Box) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Where the common part of `core` and `box` lies in the box, and in the core."""
    top, bottom = max(core[0], box[0]), min(core[1], box[1])
    left, right = max(core[2], box[2]), min(core[3], box[3])

    def within(one: Box) -> tuple[Any, ...]:
        rows = slice(top - one[0], bottom - one[0])
        return (..., rows, slice(left - one[2], right - one[2]))

    return within(box), within(core)

"""Time training steps of our UNet and of MONAI's BasicUNet, turn about, and print the ratios.

Both get the same crops, loss, optimiser, precision and memory format. BasicUNet takes six
feature numbers: five levels, and the last decoder's.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING, Any

import torch
from monai.networks.nets import BasicUNet
from torch import Tensor, nn

from napari_xseg.config import ModelConfig
from napari_xseg.model.unet import UNet
from napari_xseg.training.losses import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Callable

LEVELS = 5
FEATURES = 32
FIRST_OF_DOUBLING = 16
CHANNELS, CLASSES, BATCH = 5, 3, 8
SECONDS, FEWEST, WARM_UP = 8.0, 3, 2


def step_of(network: nn.Module, dtype: torch.dtype, crop: int) -> Callable[[], None]:
    """A training step of `network` on a batch of crops, (8, 5, crop, crop)."""
    network = network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), foreach=True)
    draw = torch.Generator().manual_seed(0)
    x = torch.randn((BATCH, CHANNELS, crop, crop), generator=draw)
    x = x.contiguous(memory_format=torch.channels_last)
    truth = torch.randint(CLASSES, (BATCH, crop, crop), generator=draw)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            logits: Tensor = network(x)
        torch.autograd.backward(cross_entropy(logits.float(), truth))
        optimiser.step()

    return step


def compare(widths: tuple[int, ...], dtype: torch.dtype, crop: int, **theirs: Any) -> float:
    """Median time of BasicUNet's step over that of ours, steps taken in turn."""
    config = ModelConfig(
        widths=widths, depth=len(widths), patch=1, context=CHANNELS // 2, classes=CLASSES
    )
    torch.manual_seed(0)
    features = (*widths, widths[0])
    other = BasicUNet(2, CHANNELS, CLASSES, features=features, **theirs)
    steps = step_of(UNet(config), dtype, crop), step_of(other, dtype, crop)
    times: tuple[list[float], list[float]] = ([], [])
    start = time.perf_counter()
    while time.perf_counter() - start < SECONDS or len(times[0]) < WARM_UP + FEWEST:
        for step, taken in zip(steps, times, strict=True):
            begun = time.perf_counter()
            step()
            taken.append(time.perf_counter() - begun)
    ours, other_time = (statistics.median(taken[WARM_UP:]) for taken in times)
    return other_time / ours


def main() -> None:
    equal = (FEATURES,) * LEVELS
    doubling = tuple(FIRST_OF_DOUBLING * 2**level for level in range(LEVELS))
    ratios = {
        f"monai_{name}_{crop}": compare(equal, dtype, crop)
        for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16))
        for crop in (64, 128)
    }
    ratios["monai_batch_norm"] = compare(equal, torch.float32, 128, norm="batch", act="relu")
    ratios["monai_doubling"] = compare(doubling, torch.float32, 128)
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()

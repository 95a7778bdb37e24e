from __future__ import annotations

import time

import pytest
import torch

from napari_xseg.config import ModelConfig
from napari_xseg.errors import XsegError
from napari_xseg.model.device import (
    DTYPES,
    choose_dtype,
    describe_device,
    dtype_name,
    find_device,
    list_devices,
    place,
)
from napari_xseg.model.unet import UNet

CPU = torch.device("cpu")


def test_the_processor_is_always_there() -> None:
    assert find_device("cpu") == CPU
    assert list_devices()[0] == "cpu"
    assert find_device("auto").type in ("cpu", "cuda", "mps")
    assert "threads" in describe_device(CPU)


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "cpu:", "meta", "xpu:0", "cuda:97"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(XsegError, match="--device") as caught:
        find_device(name)
    assert "\n" not in str(caught.value)


def test_without_a_gpu_auto_is_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert find_device("auto") == CPU
    for name in ("cuda", "cuda:0", "mps"):
        with pytest.raises(XsegError, match="expected one of cpu or auto"):
            find_device(name)


def test_a_gpu_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert find_device("auto").type == "cuda"
    assert find_device("cuda:1").index == 1
    assert list_devices()[:3] == ["cpu", "cuda:0", "cuda:1"]
    with pytest.raises(XsegError, match="cuda:2"):
        find_device("cuda:2")


class Machine:
    """A processor that takes so many seconds in each dtype, longer the first time."""

    def __init__(self, **seconds: float) -> None:
        self.seconds = seconds
        self.times: dict[str, int] = dict.fromkeys(seconds, 0)
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def run(self, dtype: torch.dtype) -> None:
        name = dtype_name(dtype)
        self.now += self.seconds[name] + (5.0 if not self.times[name] else 0.0)
        self.times[name] += 1


@pytest.mark.parametrize(
    ("float32", "bfloat16", "chosen"),
    [
        (5.1, 8.0, "float32"),  # AVX512 without bf16
        (2.8, 41.8, "float32"),  # AVX2
        (3.0, 1.45, "bfloat16"),  # Zen 4
        (1.0, 0.95, "float32"),  # not worth the rounding
    ],
)
def test_the_faster_precision_is_found_by_timing(
    monkeypatch: pytest.MonkeyPatch, float32: float, bfloat16: float, chosen: str
) -> None:
    machine = Machine(float32=float32, bfloat16=bfloat16)
    monkeypatch.setattr(time, "perf_counter", machine.clock)
    assert dtype_name(choose_dtype(CPU, "auto", machine.run)) == chosen
    assert min(machine.times.values()) >= 2


def test_a_precision_asked_for_is_taken_untimed() -> None:
    def never(_dtype: torch.dtype) -> None:
        raise AssertionError("timed")

    for name, dtype in DTYPES.items():
        assert choose_dtype(CPU, name, never) is dtype
    assert choose_dtype(torch.device("mps"), "auto", never) is torch.float32


@pytest.mark.parametrize(("has", "chosen"), [(True, torch.bfloat16), (False, torch.float16)])
def test_gpus_take_bfloat16_where_they_have_it(
    monkeypatch: pytest.MonkeyPatch, has: bool, chosen: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has)
    found = choose_dtype(torch.device("cuda"), "auto", lambda _dtype: None)
    assert found is chosen


def test_placed_networks_lie_channels_last() -> None:
    network = place(UNet(ModelConfig(width=4, depth=2)), CPU)
    for parameter in network.parameters():
        if parameter.ndim == 4:
            assert parameter.is_contiguous(memory_format=torch.channels_last)

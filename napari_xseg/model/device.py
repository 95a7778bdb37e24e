"""Devices and precisions: what there is, and what is fastest here."""

from __future__ import annotations

import math
import platform
import time
from typing import TYPE_CHECKING, TypeVar

import torch

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.config import Precision

Network = TypeVar("Network", bound=torch.nn.Module)
DTYPES: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
# Timings waver by a tenth or two; what is chosen must be worth its rounding.
WORTH = 1.25
PROBES = 6
PROBE_SECONDS = 0.5


def find_device(name: str) -> torch.device:
    """The device called `name`: "cpu", "cuda", "cuda:1", "mps", or "auto" for the fastest.

    Raises
    ------
    XsegError
        A name that torch does not know, or a device that is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise XsegError(
            f"--device {name}: is not a device; expected auto, cpu, cuda, cuda:N or mps."
        ) from error
    there = {
        "cpu": True,
        "cuda": (device.index or 0) < torch.cuda.device_count(),
        "mps": _has_mps(),
    }
    if device.type not in there or not there[device.type]:
        raise XsegError(
            f"--device {name}: is not here; expected one of {', '.join(list_devices())} or auto."
        )
    return device


def list_devices() -> list[str]:
    """Names of the devices that are here, the processor first."""
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return ["cpu", *cuda, *(["mps"] if _has_mps() else [])]


def describe_device(device: torch.device) -> str:
    """The device's make, and its memory where it has its own."""
    if device.type == "cuda":
        found = torch.cuda.get_device_properties(device)
        return f"{found.name}, {found.total_memory / 2**30:.0f} GiB"
    if device.type == "mps":
        return "Apple GPU"
    return f"{_processor()}, {torch.get_num_threads()} threads"


def place(network: Network, device: torch.device) -> Network:
    """Move `network` there, in the memory order in which convolutions are fastest."""
    placed: Network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed


def choose_dtype(
    device: torch.device, precision: Precision, run: Callable[[torch.dtype], None]
) -> torch.dtype:
    """The dtype to compute in: the one asked for, or the faster of float32 and bfloat16.

    Parameters
    ----------
    device : torch.device
        CUDA devices take bfloat16 where they have it, else float16, untimed; mps
        takes float32.
    precision : str
        "auto" or the name of a dtype.
    run : callable
        Does a piece of the work in the given dtype, and waits for its end. It is
        called a few times in both: processors say that they have bfloat16 where
        it is many times slower than float32.
    """
    if precision != "auto":
        return DTYPES[precision]
    if device.type == "cuda":
        return (
            torch.bfloat16
            if torch.cuda.is_bf16_supported(including_emulation=False)
            else torch.float16
        )
    if device.type != "cpu":
        return torch.float32
    float32, bfloat16 = _fastest(run)
    return torch.bfloat16 if float32 > WORTH * bfloat16 else torch.float32


def dtype_name(dtype: torch.dtype) -> Precision:
    """The name of a dtype, as settings give it."""
    return _NAMES[dtype]


def _fastest(run: Callable[[torch.dtype], None]) -> tuple[float, float]:
    """Seconds of the best float32 and the best bfloat16 run, taken in turn.

    In turn, since a machine that is busy for a moment would else decide.
    """
    best = {torch.float32: math.inf, torch.bfloat16: math.inf}
    began = time.perf_counter()
    for turn in range(PROBES):  # the first turn also builds the kernels
        for dtype in best:
            start = time.perf_counter()
            run(dtype)
            best[dtype] = min(best[dtype], time.perf_counter() - start)
        if turn and time.perf_counter() - began > PROBE_SECONDS:
            break
    return best[torch.float32], best[torch.bfloat16]


def _has_mps() -> bool:
    return torch.backends.mps.is_available()


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()

"""`napari-xseg doctor`: what this machine has, and what it lacks."""

import os
import platform
import shutil
import sys
from importlib import metadata, util
from pathlib import Path

from napari_xseg import __version__
from napari_xseg.cli.console import Console

NEEDED = (
    *("torch", "numpy", "scipy", "tifffile", "imagecodecs", "zarr", "yaozarrs", "h5py"),
    *("dask", "pydantic", "safetensors", "connected-components-3d", "edt", "matplotlib"),
    *("jinja2", "typer", "rich", "tomli-w"),
)
EXTRAS = {
    "napari": "the window: pip install 'napari-xseg[all]'",
    "lightning-fabric": "several GPUs: pip install 'napari-xseg[cluster]'",
    "distributed": "clusters: pip install 'napari-xseg[cluster]'",
}
QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")


def doctor() -> int:
    """Show what this machine has and lacks.

    Devices, precisions, versions, threads, memory, disk, and what is missing.
    """
    console = Console()
    console.result(f"napari-xseg {__version__}")
    console.result(f"Python {platform.python_version()} ({sys.executable})")
    console.result(f"{platform.platform()}")
    versions = {name: _version(name) for name in (*NEEDED, *EXTRAS)}
    rows = [(name, found) for name, found in versions.items() if found]
    console.table(("package", "version"), rows, title="Versions")
    for title, lines in (("Devices", _devices()), ("Machine", _machine())):
        console.table(("", ""), lines, title=title)
    missing = _missing(versions)
    console.table(("", ""), missing or [("nothing", "")], title="Missing")
    return 2 if any(not versions[name] for name in NEEDED) else 0


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _missing(versions: dict[str, str | None]) -> list[tuple[str, str]]:
    rows = [
        (name, "needed: pip install napari-xseg again") for name in NEEDED if not versions[name]
    ]
    rows += [(name, what) for name, what in EXTRAS.items() if not versions[name]]
    if not any(util.find_spec(name) for name in QT_BINDINGS):
        rows.append(("a Qt binding", "the window: pip install 'napari-xseg[all]'"))
    return rows


def _devices() -> list[tuple[str, str]]:
    if util.find_spec("torch") is None:
        return [("none", "torch is missing")]
    from napari_xseg.model.device import describe_device, find_device, list_devices

    automatic = find_device("auto").type
    rows = []
    for name in list_devices():
        device = find_device(name)
        chosen = "  <- auto" if device.type == automatic else ""
        rows.append((name, f"{describe_device(device)}; {_precisions(name)}{chosen}"))
    return rows


def _precisions(name: str) -> str:
    """Time one convolution; processors claim bfloat16 where it is many times slower."""
    import torch

    from napari_xseg.model.device import choose_dtype, find_device

    device = find_device(name)
    tensors = {
        dtype: (
            torch.ones(4, 32, 128, 128, dtype=dtype, device=device),
            torch.ones(32, 32, 3, 3, dtype=dtype, device=device),
        )
        for dtype in (torch.float32, torch.bfloat16)
    }

    def convolve(dtype: torch.dtype) -> None:
        image, weight = tensors[dtype]
        torch.nn.functional.conv2d(image, weight, padding=1)

    taken = str(choose_dtype(device, "auto", convolve)).removeprefix("torch.")
    known = "float32, bfloat16" + (", float16" if device.type != "cpu" else "")
    return f"{known}; auto takes {taken}"


def _machine() -> list[tuple[str, str]]:
    from napari_xseg.cli.machine import measure_memory

    free, total = measure_memory()
    rows = [
        ("processor threads", _threads()),
        ("memory free", f"{_gigabytes(free)} of {_gigabytes(total)}"),
    ]
    for what, folder in (("disk free here", Path.cwd()), ("disk free at home", Path.home())):
        usage = shutil.disk_usage(folder if folder.exists() else folder.anchor)
        rows.append((what, f"{_gigabytes(usage.free)} of {_gigabytes(usage.total)} ({folder})"))
    return rows


def _threads() -> str:
    usable = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    text = f"{len(usable)} of {os.cpu_count()} usable"
    if util.find_spec("torch") is not None:
        import torch

        text += f", torch uses {torch.get_num_threads()}"
    limit = os.environ.get("OMP_NUM_THREADS")
    return f"{text} (OMP_NUM_THREADS={limit})" if limit else text


def _gigabytes(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 1e9:.1f} GB"

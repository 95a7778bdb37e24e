"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from napari_xseg import __version__
from napari_xseg.cli.machine import measure_memory

_PACKAGES = ("torch", "numpy", "tifffile", "monai", "scikit-learn")
# Those that decide how fast a convolution is.
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16")


@dataclass(frozen=True)
class Machine:
    """Processor, cores in use, memory in GB, versions, and how busy it was."""

    processor: str
    instructions: tuple[str, ...]
    cores: int
    memory: float
    system: str
    versions: dict[str, str]
    load: float
    threads: str

    @property
    def name(self) -> str:
        return f"{self.processor}, {self.cores} cores, {self.memory:.0f} GB"

    @property
    def slug(self) -> str:
        plain = re.sub(r"\((r|tm)\)", "", f"{self.processor} {self.cores} cores".lower())
        return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")

    def describe(self) -> str:
        versions = ", ".join(f"{name} {found}" for name, found in self.versions.items())
        known = f" ({' '.join(self.instructions)})" if self.instructions else ""
        return (
            f"{self.name}{known}; {self.system}; {versions}; {self.threads}; load average "
            f"{self.load:.1f} at the start"
        )


def this_machine() -> Machine:
    facts = _processor_facts()
    flags = facts.get("flags", facts.get("Features", "")).split()
    usable = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    limit = os.environ.get("OMP_NUM_THREADS")
    return Machine(
        processor=facts.get("model name") or platform.processor() or platform.machine(),
        instructions=tuple(name for name in _INSTRUCTIONS if name in flags),
        cores=len(usable),
        memory=(measure_memory()[1] or 0) / 1e9,
        system=f"{platform.system()}, Python {platform.python_version()}",
        versions={"napari-xseg": __version__, **_versions()},
        load=getattr(os, "getloadavg", lambda: (0.0,))()[0],
        threads=f"OMP_NUM_THREADS={limit}" if limit else "default threads",
    )


def _processor_facts() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing"
    return found

"""Free memory of this machine."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_GROUP_USED = Path("/sys/fs/cgroup/memory.current")


def measure_memory() -> tuple[int | None, int | None]:
    """Bytes of memory that are free and that there are; None for what the system does not say.

    Within a container its limit counts.
    """
    if sys.platform == "win32":
        return _windows_memory()
    if _MEMINFO.exists():
        return _linux_memory(_MEMINFO.read_text(encoding="utf-8"))
    try:
        return None, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None, None


def _linux_memory(text: str) -> tuple[int | None, int | None]:
    lines = (line.split() for line in text.splitlines())
    kilobytes = {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) > 1}
    free, total = (1024 * kilobytes.get(key, 0) for key in ("MemAvailable", "MemTotal"))
    limit, used = _read_number(_GROUP_LIMIT), _read_number(_GROUP_USED)
    if limit is not None and limit < total:
        free, total = min(free, limit - (used or 0)), limit
    return free, total


def _read_number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # "max" where there is no limit
        return None


class _Status(ctypes.Structure):
    # MEMORYSTATUSEX of the Windows API.
    _fields_ = (
        ("length", ctypes.c_ulong),
        ("load", ctypes.c_ulong),
        *((name, ctypes.c_ulonglong) for name in ("total", "free", "a", "b", "c", "d", "e")),
    )


def _windows_memory() -> tuple[int | None, int | None]:
    status = _Status()
    status.length = ctypes.sizeof(status)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - only there on Windows
    if not kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None, None
    return int(status.free), int(status.total)

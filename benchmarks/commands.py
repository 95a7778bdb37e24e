"""Run a command in a process of its own, and measure it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
XSEG = "napari_xseg.cli"
# oneDNN as it is on a laptop without AVX-512.
LAPTOP = {"ONEDNN_MAX_CPU_ISA": "AVX2"}


class CommandError(RuntimeError):
    """A command that should have been measured failed; `said` holds its last lines."""

    def __init__(self, text: str, said: str) -> None:
        super().__init__(text)
        self.said = said


@dataclass(frozen=True)
class Ended:
    """A command that has ended: seconds from start to end, peak memory in bytes, what it said."""

    wall: float
    peak: float
    output: str


def run_module(module: str, *words: object, variables: Mapping[str, str]) -> Ended:
    """Run `python -m module words` from the root of the checkout; CommandError where it fails.

    The peak is NaN where the system does not tell that of a child.
    """
    command = [sys.executable, "-m", module, *map(str, words)]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, **variables},
        )
        code, peak = _wait(process)
        wall = time.perf_counter() - start
        said.seek(0)
        output = said.read()
    if code:
        named = f"napari-xseg {words[0]}" if module == XSEG else module
        last = output.strip().splitlines()[-5:]
        raise CommandError(f"`{named}` ended with exit code {code}", "\n".join(last))
    return Ended(wall, peak, output)


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    if sys.platform == "win32":
        return process.wait(), float("nan")
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:  # Ctrl+C reaches the child as well
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    return process.returncode, float(usage.ru_maxrss * unit)

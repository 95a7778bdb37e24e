"""Ctrl+C and kill: the job ends after its current step, a second Ctrl+C ends at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_xseg.events import Control

STOPPED = 130

_NOTE = b"\nStopping after this step; Ctrl+C again ends at once.\n"
_SHOW_CURSOR = b"\x1b[?25h"


@contextmanager
def stop_on_signals(control: Control) -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into `control.stop()` within the block."""

    def stop(number: int, _frame: object) -> None:
        if number == signal.SIGINT and control.stopped:
            _end_at_once()
        control.stop()
        _write_to_terminal(_NOTE)

    with _handled(stop, ("SIGINT", "SIGTERM", "SIGHUP")):
        yield


@contextmanager
def interrupt_on_signals() -> Iterator[None]:
    """Have SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt within the block."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    with _handled(interrupt, ("SIGINT", "SIGTERM", "SIGHUP")):
        yield


@contextmanager
def _handled(handler: Callable[[int, Any], None], names: tuple[str, ...]) -> Iterator[None]:
    # Python lets the main thread alone set handlers; SIGHUP is not on Windows.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # nohup has SIGHUP ignored. A shell has SIGINT ignored in what it starts with `&`,
    # but who sends it to a training by its number wants it stopped.
    numbers = [number for number in numbers if number == signal.SIGINT or not _ignored(number)]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _ignored(number: int) -> bool:
    return signal.getsignal(number) == signal.SIG_IGN


def _end_at_once() -> None:
    _write_to_terminal(_SHOW_CURSOR)
    os._exit(STOPPED)


def _write_to_terminal(text: bytes) -> None:
    # A handler may interrupt a write to sys.stderr, which must not be entered twice.
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), text)

"""Folders that one process at a time works in: the system lifts the lock however it ends."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


_PATIENCE = (0.01, 0.02, 0.05)  # s between two tries


def lock_folder(folder: Path) -> int | None:
    """Lock an existing folder.

    Parameters
    ----------
    folder : Path
        On Windows, which cannot lock a folder, the file `.lock` is made in it.

    Returns
    -------
    int or None
        A handle for `unlock`; None where the folder is locked already, by another
        process or by this one.

    Raises
    ------
    OSError
        Where the folder cannot be opened.
    """
    handle = _open_lock(folder)
    # Whoever only asks whether it is locked holds it for a moment.
    if _take(handle) or any(map(_take_after, repeat(handle), _PATIENCE)):
        return handle
    os.close(handle)
    return None


def unlock(handle: int) -> None:
    """Give a lock back."""
    with suppress(OSError):
        os.close(handle)


def is_locked(folder: Path) -> bool:
    """Whether someone works in the folder."""
    try:
        handle = _open_lock(folder)
    except OSError:
        return False
    try:
        # Several may ask at once, without finding each other.
        taken = _take(handle, shared=True)
        if not taken and sys.platform == "win32":  # which knows no shared locks
            taken = any(map(_take_after, repeat(handle), _PATIENCE))
    finally:
        os.close(handle)
    return not taken


def _open_lock(folder: Path) -> int:
    if sys.platform == "win32":
        return os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)
    return os.open(folder, os.O_RDONLY)


def _take_after(handle: int, seconds: float) -> bool:
    time.sleep(seconds)
    return _take(handle)


def _take(handle: int, *, shared: bool = False) -> bool:
    """Lock it for this process alone, or for all that ask; False where another one holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True  # a file system without locks
    return True

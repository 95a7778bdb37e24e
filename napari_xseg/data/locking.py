"""Folders that one process at a time works in: the system lifts the lock however it ends."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


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
    if _take(handle):
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
        handle = lock_folder(folder)
    except OSError:
        return False
    if handle is None:
        return True
    unlock(handle)
    return False


def _open_lock(folder: Path) -> int:
    if sys.platform == "win32":
        return os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)
    return os.open(folder, os.O_RDONLY)


def _take(handle: int) -> bool:
    """Lock it for this process alone; False where another one holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True  # a file system without locks
    return True

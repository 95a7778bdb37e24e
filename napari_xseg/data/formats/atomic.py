"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Iterator

# On Windows a virus scanner or a viewer may hold a file for a moment.
_RETRY_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.0)
# So many files are synced faster all at once, other programs' included.
_MANY = 200
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


class DiskFull(XsegError):
    """There is no room for a file, or for one so large."""


def temporary_beside(path: Path) -> Path:
    """Name a hidden file beside `path`, with its suffix; folders on the way are made.

    Raises
    ------
    XsegError
        Where the folder cannot be made.
    """
    with writing_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.stem[:100]}.{os.getpid()}-{secrets.token_hex(3)}{path.suffix}")


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn what the system says against writing `path` into one sentence."""
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


def write_error(path: Path, error: OSError) -> XsegError:
    """Say why `path` could not be written, and what to do."""
    if error.errno in _FULL:
        return DiskFull(
            f"{path}: the disk is full, or allows no larger file; this file was not written: make "
            "room, or choose another disk."
        )
    if error.errno == errno.ENOENT:
        return XsegError(f"{path}: its folder is gone; put it back, or choose another place.")
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return XsegError(f"{path}: a part of this path is no folder; choose another place.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return XsegError(
            f"{path}: may not be written there; choose a folder that you may write to, and close "
            "programs that have the file open."
        )
    reason = error.strerror or str(error) or type(error).__name__
    return XsegError(f"{path}: cannot be written ({reason}); choose another place.")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path to write to; it takes the place of `path` at the end.

    The file is synced and renamed once the block ends well. However else it ends,
    nothing is left behind, and an older file at `path` stays as it was.

    Parameters
    ----------
    path
        Where the file shall be. Missing folders are made.

    Raises
    ------
    XsegError
        Where it cannot be written there, or the disk fills up.
    """
    target = Path(path)
    with writing_to(target):
        target = target.resolve() if target.is_symlink() else target
    temporary = temporary_beside(target)
    try:
        try:
            yield temporary
            with writing_to(target):
                sync_file(temporary)
                rename(temporary, target)
        except OSError as error:
            # Other errors of the block are its own.
            if error.errno in _FULL or str(error.filename) == str(temporary):
                raise write_error(target, error) from error
            raise
    except BaseException:
        remove(temporary)
        raise


def write_atomic(path: str | Path, data: bytes | str) -> None:
    """Write a file whole or not at all; text as UTF-8 with its line ends as they are.

    Raises
    ------
    XsegError
        As `atomic_path` does.
    """
    content = data.encode() if isinstance(data, str) else data
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def sync_file(path: Path) -> None:
    """Have the system put a file's content on the disk."""
    # Windows syncs only what is open for writing.
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have the system put all files of a folder on the disk."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    if len(files) > _MANY and hasattr(os, "sync"):
        os.sync()
        return
    for file in files:
        sync_file(file)


def rename(source: Path, target: Path) -> None:
    """Put `source` in the place of the file `target`, trying again where it is held."""
    for seconds in _RETRY_SECONDS:
        try:
            source.replace(target)
            break
        except PermissionError:
            time.sleep(seconds)
    else:
        source.replace(target)
    _sync_entries(target.parent)


def rename_folder(source: Path, target: Path) -> None:
    """Put the folder `source` in the place of `target`, which returns if that fails."""
    if not target.exists():
        rename(source, target)
        return
    old = temporary_beside(target)
    rename(target, old)
    try:
        rename(source, target)
    except BaseException:
        rename(old, target)
        raise
    remove(old)


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there and may be removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _sync_entries(folder: Path) -> None:
    # Not to be had on Windows and on some network file systems.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

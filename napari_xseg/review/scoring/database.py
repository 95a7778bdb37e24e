"""A SQLite file on any disk, network drives included: opened, read, and its errors said.

A rollback journal and `synchronous=FULL`: what is committed is on the disk, and a
file whose writer was killed is whole again when it is next opened. WAL would need
memory shared between machines.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from napari_xseg.data.formats.atomic import writing_to
from napari_xseg.errors import XsegError
from napari_xseg.review.scoring.schema import check_version, migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_SECONDS = 5.0

_PRIMARY = 0xFF
_SAID = {
    sqlite3.SQLITE_BUSY: (
        f"is in use by another program for more than {BUSY_SECONDS:.0f} s; close that one, "
        "or try again"
    ),
    sqlite3.SQLITE_READONLY: "may not be written to; make it and its folder writable, or copy it",
    sqlite3.SQLITE_FULL: "the disk is full; make room, then try again",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that the file and its folder may be used",
    sqlite3.SQLITE_IOERR: "the disk or its connection fails; check it, then try again",
    sqlite3.SQLITE_PERM: "may not be used; ask for permission",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore it from a copy, or move it away to begin anew",
    sqlite3.SQLITE_CONSTRAINT: (
        "was changed by another program in between, and nothing was written; try again"
    ),
    sqlite3.SQLITE_NOTADB: "is no file of scores; restore it from a copy, or move it away",
}
_SAID[sqlite3.SQLITE_LOCKED] = _SAID[sqlite3.SQLITE_PROTOCOL] = _SAID[sqlite3.SQLITE_BUSY]


@contextmanager
def saying(path: Path) -> Iterator[None]:
    """Turn what SQLite says of `path` into one sentence."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        said = _SAID.get(code)
        if said is None and str(error).startswith("no such"):
            said = "lacks a table or column; restore it from a copy, or move it away"
        # SQLITE_ERROR is a statement that is wrong: a bug, which is not to be said away.
        unknown = said is None and code != sqlite3.SQLITE_ERROR
        if unknown and isinstance(error, sqlite3.OperationalError):
            said = "cannot be read or written; check the disk and its connection, then try again"
        if said is None:
            raise
        raise XsegError(f"{path}: {said} ({error}).") from error


@contextmanager
def saying_damage(path: Path) -> Iterator[None]:
    """Turn contents of `path` that make no sense into one sentence."""
    try:
        yield
    except (ValueError, TypeError, LookupError) as error:
        raise XsegError(
            f"{path}: is damaged ({error}); restore it from a copy, or move it away."
        ) from error


def open_database(path: Path) -> sqlite3.Connection:
    """Open a file for writing, made where it is missing, with its tables up to date.

    It may be used from any thread, by one at a time. Nothing is locked while no
    statement runs.

    Raises
    ------
    XsegError
        Damaged, locked, read-only, of another program or a later version.
    """
    with writing_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with saying(path):
        connection = _connect(path, "rwc")
        try:
            _settle(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def read_database(path: Path) -> sqlite3.Connection:
    """Copy a file into memory, with its tables up to date; the file itself stays as it is.

    Raises
    ------
    XsegError
        Missing, damaged, locked, of another program or a later version.
    """
    if not path.is_file():
        raise XsegError(f"{path}: does not exist; check the path.")
    memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        with saying(path), closing(_connect(path, "rw")) as source:
            # Opened to write where that can be, so that the journal of a killed writer is
            # rolled back. The lock is asked for here: `backup` would wait for ever.
            source.execute("BEGIN")
            check_version(source, path)
            source.backup(memory)
            _check_whole(memory)
            migrate(memory, path)
    except BaseException:
        memory.close()
        raise
    return memory


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Have all of the block on the disk at its end, or none of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Where the disk is full SQLite has done it already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _settle(connection: sqlite3.Connection, path: Path) -> None:
    check_version(connection, path)
    mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
    if mode != "delete":
        raise XsegError(f"{path}: keeps its journal as {mode}, which is no use on all disks.")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    _check_whole(connection)
    migrate(connection, path)


def _check_whole(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        damaged = sqlite3.DatabaseError(found)
        damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damaged


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file://{_slashed(path.absolute())}?mode={mode}",
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        uri=True,
    )


def _slashed(path: Path) -> str:
    # C:/x as /C:/x, and //server/share with its two slashes: no part of it is a host.
    text = quote(path.as_posix())
    return text if text.startswith("/") else f"/{text}"

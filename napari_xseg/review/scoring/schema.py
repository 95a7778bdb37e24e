"""The tables of a reviewer's file, and how files of earlier versions are brought up to date.

`PRAGMA user_version` counts the steps of `MIGRATIONS` that a file has seen. A later
version of this package appends a step and never changes those before it.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path

# "XsSc": tells our files from other programs' SQLite files.
APPLICATION = 0x58735363

_VERSION_1 = """
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
CREATE TABLE session (
    uid TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    created TEXT NOT NULL,
    closed TEXT,
    volume_path TEXT NOT NULL,
    volume_name TEXT NOT NULL,
    volume_shape TEXT NOT NULL,
    volume_fingerprint TEXT NOT NULL,
    plan TEXT NOT NULL,
    faults TEXT NOT NULL
);
CREATE TABLE mask (
    session TEXT NOT NULL REFERENCES session (uid),
    number INTEGER NOT NULL,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    slices TEXT NOT NULL,
    model TEXT NOT NULL,
    confidence TEXT NOT NULL,
    classes TEXT NOT NULL,
    PRIMARY KEY (session, number)
);
CREATE TABLE item (
    session TEXT NOT NULL REFERENCES session (uid),
    number INTEGER NOT NULL,
    z INTEGER NOT NULL,
    mask INTEGER NOT NULL,
    place TEXT,
    repeat_of INTEGER,
    PRIMARY KEY (session, number)
);
CREATE TABLE change (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    item INTEGER NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('score', 'undo', 'import')),
    score INTEGER CHECK (score BETWEEN 1 AND 5),
    faults TEXT,
    note TEXT,
    mark TEXT,
    seconds REAL,
    made TEXT NOT NULL,
    undoes INTEGER REFERENCES change (id),
    FOREIGN KEY (session, item) REFERENCES item (session, number),
    CHECK ((action = 'undo') = (score IS NULL)),
    CHECK ((action = 'undo') = (undoes IS NOT NULL))
);
CREATE INDEX change_of_item ON change (session, item);
CREATE UNIQUE INDEX undone_once ON change (undoes) WHERE undoes IS NOT NULL;
"""

MIGRATIONS: tuple[str, ...] = (_VERSION_1,)


def version_of(connection: sqlite3.Connection) -> int:
    """Which version of the tables a file has; 0 where it has none yet."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_version(connection: sqlite3.Connection, path: Path) -> int:
    """Give the version of a file.

    Raises
    ------
    XsegError
        Another program's file, or one of a later version of this package.
    """
    version = version_of(connection)
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION and (tables or application or version):
        raise XsegError(
            f"{path}: is a SQLite file, but holds no scores of napari-xseg; move it out of the "
            "folder reviews."
        )
    if version > len(MIGRATIONS):
        raise XsegError(
            f"{path}: was written by a newer napari-xseg (version {version} of its tables, this "
            f"one knows {len(MIGRATIONS)}); update this one."
        )
    return version


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a file up to date, all steps or none; a new one gets its tables.

    Raises
    ------
    XsegError
        As `check_version` does.
    """
    if check_version(connection, path) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have done it while this one waited.
    for step in MIGRATIONS[check_version(connection, path) :]:
        for statement in _statements(step):
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.execute("COMMIT")


def _statements(script: str) -> list[str]:
    # `executescript` would commit between them.
    statements, begun = [], ""
    for line in script.splitlines(keepends=True):
        begun += line
        if sqlite3.complete_statement(begun):
            statements.append(begun)
            begun = ""
    return statements

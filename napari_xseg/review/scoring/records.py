"""Sessions, items and scores as rows of tables, and back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from napari_xseg.review.scoring.faults import FaultKind
from napari_xseg.review.scoring.plan import Plan
from napari_xseg.review.scoring.values import (
    Item,
    Kept,
    Mark,
    MaskRef,
    Place,
    Score,
    Session,
    VolumeRef,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

_SESSION = (
    "uid, title, created, closed, volume_path, volume_name, volume_shape, volume_fingerprint, "
    "plan, faults"
)
_MASK = "session, number, path, name, sha256, slices, model, confidence, classes"
_ITEM = "session, number, z, mask, place, repeat_of"
_CHANGE = "session, item, action, score, faults, note, mark, seconds, made, undoes"
_NOT_UNDONE = """
action != 'undo' AND id NOT IN (SELECT undoes FROM change WHERE undoes IS NOT NULL)
"""
# What counts: of each item the latest score that was not taken back.
_COUNTS = f"""
SELECT id, {_CHANGE} FROM change WHERE id IN (
    SELECT max(id) FROM change WHERE session = ? AND {_NOT_UNDONE} GROUP BY item
) ORDER BY item
"""
_LAST = f"""
SELECT id, {_CHANGE} FROM change WHERE session = ? AND {_NOT_UNDONE} ORDER BY id DESC LIMIT 1
"""


@dataclass(frozen=True)
class Change:
    """One line of the history of an item.

    Attributes
    ----------
    number : int
        Rises with each change of the file.
    action : str
        `score`, `import` (taken from another file) or `undo`.
    kept : Kept, optional
        What was kept; None of an undo.
    undoes : int, optional
        Number of the change that an undo takes back.
    """

    number: int
    item: int
    action: str
    made: str
    kept: Kept | None = None
    undoes: int | None = None


def insert_session(connection: sqlite3.Connection, session: Session) -> None:
    """Write a session with its masks and items."""
    volume = session.volume
    values = (
        *(session.uid, session.title, session.created, session.closed),
        *(volume.path, volume.name, json.dumps(volume.shape), volume.fingerprint),
        *(_json(session.plan.to_dict()), faults_text(session.faults)),
    )
    _insert(connection, "session", _SESSION, [values])
    masks = [
        (
            *(session.uid, number, mask.path, mask.name, mask.sha256),
            *(json.dumps(mask.slices), mask.model, mask.confidence, mask.classes),
        )
        for number, mask in enumerate(session.masks)
    ]
    _insert(connection, "mask", _MASK, masks)
    items = [
        (session.uid, item.number, item.z, item.mask, _place_text(item.place), item.repeat_of)
        for item in session.items
    ]
    _insert(connection, "item", _ITEM, items)


def end_session(connection: sqlite3.Connection, uid: str, closed: str) -> bool:
    """Write when a session ended; False where it had ended already, and nothing is written."""
    found = connection.execute(
        "UPDATE session SET closed = ? WHERE uid = ? AND closed IS NULL", (closed, uid)
    )
    return found.rowcount > 0


def insert_score(
    connection: sqlite3.Connection,
    uid: str,
    item: int,
    score: Score,
    made: str,
    action: str = "score",
) -> Kept:
    """Write a score as the latest change of an item."""
    mark = None if score.mark is None else _json(asdict(score.mark))
    values = (
        *(uid, item, action, score.score, json.dumps(score.faults, ensure_ascii=False)),
        *(score.note, mark, score.seconds, made, None),
    )
    number = _insert(connection, "change", _CHANGE, [values])
    return Kept(number, item, score, made)


def insert_undo(connection: sqlite3.Connection, uid: str, kept: Kept, made: str) -> int:
    """Write that a score is taken back; gives the number of the change."""
    values = (uid, kept.item, "undo", None, None, None, None, None, made, kept.change)
    return _insert(connection, "change", _CHANGE, [values])


def select_sessions(connection: sqlite3.Connection, reviewer: str) -> tuple[Session, ...]:
    """Read all sessions of a file, oldest first."""
    found = connection.execute(f"SELECT {_SESSION} FROM session ORDER BY created, rowid")
    return tuple(_session(connection, row, reviewer) for row in found.fetchall())


def select_kept(connection: sqlite3.Connection, uid: str) -> dict[int, Kept]:
    """Read what counts in a session, by item number."""
    rows = connection.execute(_COUNTS, (uid,)).fetchall()
    return {row[2]: _kept(row) for row in rows}


def select_last(connection: sqlite3.Connection, uid: str) -> Kept | None:
    """Read the latest score of a session that was not taken back; None without one."""
    row = connection.execute(_LAST, (uid,)).fetchone()
    return None if row is None else _kept(row)


def select_changes(
    connection: sqlite3.Connection, uid: str, item: int | None = None
) -> tuple[Change, ...]:
    """Read all changes of a session, or of one of its items, oldest first."""
    where, values = ("", (uid,)) if item is None else (" AND item = ?", (uid, item))
    found = connection.execute(
        f"SELECT id, {_CHANGE} FROM change WHERE session = ?{where} ORDER BY id", values
    )
    return tuple(_change(row) for row in found.fetchall())


def select_size(connection: sqlite3.Connection) -> tuple[int, int]:
    """Count the sessions, and give the number of the latest change."""
    found = connection.execute(
        "SELECT (SELECT count(*) FROM session), (SELECT coalesce(max(id), 0) FROM change)"
    )
    sessions, change = found.fetchone()
    return int(sessions), int(change)


def read_meta(connection: sqlite3.Connection, key: str) -> str | None:
    """Read what a file says of itself."""
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if found is None else str(found[0])


def write_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Keep what a file says of itself."""
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))


def faults_text(faults: Sequence[FaultKind]) -> str:
    """Fault kinds as a session's row keeps them."""
    return _json([asdict(kind) for kind in faults])


def _insert(
    connection: sqlite3.Connection, table: str, columns: str, rows: Sequence[tuple[Any, ...]]
) -> int:
    marks = ", ".join("?" for _ in columns.split(","))
    statement = f"INSERT INTO {table} ({columns}) VALUES ({marks})"
    if len(rows) == 1:
        return int(connection.execute(statement, rows[0]).lastrowid or 0)
    connection.executemany(statement, rows)
    return 0


def _session(connection: sqlite3.Connection, row: tuple[Any, ...], reviewer: str) -> Session:
    uid, title, created, closed, path, name, shape, fingerprint, plan, faults = row
    z, y, x = json.loads(shape)
    masks = connection.execute(
        f"SELECT {_MASK} FROM mask WHERE session = ? ORDER BY number", (uid,)
    )
    items = connection.execute(
        f"SELECT {_ITEM} FROM item WHERE session = ? ORDER BY number", (uid,)
    )
    return Session(
        uid,
        title,
        reviewer,
        created,
        VolumeRef(path, name, (z, y, x), fingerprint),
        tuple(
            MaskRef(path, name, sha256, tuple(json.loads(slices)), model, confidence, classes)
            for _, _, path, name, sha256, slices, model, confidence, classes in masks.fetchall()
        ),
        Plan.from_dict(json.loads(plan)),
        tuple(FaultKind(**kind) for kind in json.loads(faults)),
        tuple(
            Item(number, z, mask, _place(place), repeat_of)
            for _, number, z, mask, place, repeat_of in items.fetchall()
        ),
        closed,
    )


def _change(row: tuple[Any, ...]) -> Change:
    number, _, item, action, *_, made, undoes = row
    kept = None if action == "undo" else _kept(row)
    return Change(number, item, action, made, kept, undoes)


def _kept(row: tuple[Any, ...]) -> Kept:
    number, _, item, _, score, faults, note, mark, seconds, made, _ = row
    place = None if mark is None else Mark(**json.loads(mark))
    return Kept(number, item, Score(score, tuple(json.loads(faults)), note, place, seconds), made)


def _place_text(place: Place | None) -> str | None:
    if place is None:
        return None
    found = asdict(place)
    found["strength"] = None if place.strength != place.strength else place.strength
    return _json(found)


def _place(text: str | None) -> Place | None:
    if text is None:
        return None
    found = json.loads(text)
    if found["box"] is not None:
        found["box"] = tuple(found["box"])
    if found["strength"] is None:
        found["strength"] = float("nan")
    return Place(**found)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)

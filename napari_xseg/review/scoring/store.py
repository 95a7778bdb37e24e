"""One reviewer's file: sessions and scores, on the disk before a call returns."""

from __future__ import annotations

import random
import threading
import uuid
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from napari_xseg.errors import XsegError
from napari_xseg.review.scoring import records
from napari_xseg.review.scoring.database import (
    open_database,
    saying,
    saying_damage,
    transaction,
)
from napari_xseg.review.scoring.faults import DEFAULT_FAULTS, check_faults
from napari_xseg.review.scoring.names import file_name, tidy_name
from napari_xseg.review.scoring.plan import make_items
from napari_xseg.review.scoring.rules import (
    check_faults_known,
    check_open,
    check_session,
    next_item,
)
from napari_xseg.review.scoring.subject import shared_slices
from napari_xseg.review.scoring.values import Progress, Session

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from napari_xseg.review.scoring.faults import FaultKind
    from napari_xseg.review.scoring.plan import Plan
    from napari_xseg.review.scoring.records import Change
    from napari_xseg.review.scoring.values import Item, Kept, MaskRef, Place, Score, VolumeRef

__all__ = ["NotKept", "ScoreFile", "next_item"]


class NotKept(XsegError):
    """A score could not be written; nothing is lost: give `uid`, `item`, `score` to `keep` again.

    Attributes
    ----------
    uid : str
        The session's.
    item : int
        Its number.
    score : Score
        What was to be kept.
    """

    def __init__(self, message: str, uid: str, item: int, score: Score) -> None:
        self.uid, self.item, self.score = uid, item, score
        super().__init__(f"The score of item {item} is not kept yet. {message}")


class ScoreFile:
    """A reviewer's scores; use `ScoreFile.open`, and `close` at the end.

    Any thread may call; calls wait for each other.

    Attributes
    ----------
    path : Path
        The file.
    reviewer : str
        Whose it is.
    """

    def __init__(self, path: Path, reviewer: str, connection: sqlite3.Connection) -> None:
        self.path = path
        self.reviewer = reviewer
        self._connection = connection
        self._lock = threading.RLock()
        self._identity = _identity(path)
        self._sessions: dict[str, Session] = {}
        self._kept: dict[str, dict[int, Kept]] = {}
        self._version = _version(connection)
        self._read_sessions()

    @classmethod
    def open(cls, folder: Path, reviewer: str) -> ScoreFile:
        """Open a reviewer's file in `folder`, made where it is missing.

        Raises
        ------
        XsegError
            A name that is none; a file that is damaged, locked, another's, or of a
            later version.
        """
        name = tidy_name(reviewer)
        path = Path(folder) / file_name(name)
        connection = open_database(path)
        try:
            with saying(path), saying_damage(path):
                _settle_owner(connection, path, name)
                return cls(path, name, connection)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> ScoreFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- sessions -----------------------------------------------------------

    def new_session(
        self,
        volume: VolumeRef,
        masks: Sequence[MaskRef],
        plan: Plan,
        *,
        faults: Sequence[FaultKind] | None = None,
        places: Sequence[Place] = (),
        title: str = "",
    ) -> Session:
        """Begin a session.

        Parameters
        ----------
        volume, masks
            As `subject.volume_ref` and `subject.mask_ref` give them. Of a blind
            session the masks are put in random order.
        plan : Plan
            What is asked.
        faults : sequence of FaultKind, optional
            By default those of the reviewer's latest session.
        places : sequence of Place
            Of the plan `suspects`, strongest first.
        title : str
            By default the volume and the day.

        Raises
        ------
        XsegError
            No mask, one given twice, nothing to score, or a file that cannot be
            written.
        """
        check_session(volume, masks, plan, places)
        known = self.sessions()
        kinds = tuple(
            faults if faults is not None else known[-1].faults if known else DEFAULT_FAULTS
        )
        check_faults(kinds)
        ordered = list(masks)
        if plan.blind:
            random.SystemRandom().shuffle(ordered)
        made = _now()
        session = Session(
            uuid.uuid4().hex,
            title.strip() or f"{volume.name}, {made[:10]}",
            self.reviewer,
            made,
            volume,
            tuple(ordered),
            plan,
            kinds,
            make_items(plan, shared_slices(ordered), len(ordered), places),
        )
        with self._writing() as connection:
            records.insert_session(connection, session)
        self._sessions[session.uid] = session
        return session

    def sessions(self) -> tuple[Session, ...]:
        """All sessions, oldest first, those of other programs at the file included."""
        with self._reading():
            return tuple(self._sessions.values())

    def session(self, uid: str) -> Session:
        """Give a session by its uid or a unique beginning of it; XsegError where there is none."""
        found = [one for one in self.sessions() if uid and one.uid.startswith(uid.casefold())]
        if len(found) != 1:
            have = ", ".join(one.uid[:8] for one in self.sessions()) or "none"
            raise XsegError(
                f"session {uid!r}: {self.reviewer} has {len(found)} of that name; choose one of "
                f"{have}."
            )
        return found[0]

    def unfinished(self) -> Session | None:
        """The latest session that has not ended and has items to score; None without one."""
        for session in reversed(self.sessions()):
            if session.closed is None and len(self.kept(session.uid)) < len(session.items):
                return session
        return None

    def set_faults(self, uid: str, kinds: Sequence[FaultKind]) -> Session:
        """Change the kinds of fault that are offered; scores keep those that they have.

        XsegError where two share a name or a key, or the file cannot be written.
        """
        check_faults(kinds)
        changed = replace(self.session(uid), faults=tuple(kinds))
        with self._writing() as connection:
            text = records.faults_text(changed.faults)
            connection.execute("UPDATE session SET faults = ? WHERE uid = ?", (text, changed.uid))
        self._sessions[changed.uid] = changed
        return changed

    def end(self, uid: str) -> Session:
        """End a session, finished or not: blind names may be shown, and no score changes.

        XsegError where the file cannot be written.
        """
        session = self.session(uid)
        if session.closed is not None:
            return session
        now = _now()
        ended = replace(session, closed=now)
        with self._writing() as connection:
            records.end_session(connection, ended.uid, now)
        self._sessions[ended.uid] = ended
        return ended

    # -- scores -------------------------------------------------------------

    def keep(self, uid: str, item: int, score: Score) -> Kept:
        """Write a score; it is on the disk when this returns.

        An earlier score of the item stays in the file, the latest counts.

        Parameters
        ----------
        uid : str
            The session's.
        item : int
            Number of the item.
        score : Score
            What is said of it.

        Raises
        ------
        NotKept
            The file cannot be written: locked, read-only, gone, the disk full. It
            holds what was to be kept.
        XsegError
            No such item or fault kind, or the session has ended.
        """
        # What is known already is not read again: a locked file shall not get in between.
        session = self._sessions.get(uid) or self.session(uid)
        session.item(item)
        check_open(session)
        check_faults_known(session, score)
        try:
            with self._writing() as connection:
                kept = records.insert_score(connection, session.uid, item, score, _now())
        except XsegError as error:
            raise NotKept(str(error), session.uid, item, score) from error
        with self._lock:
            if session.uid in self._kept:
                self._kept[session.uid][item] = kept
        return kept

    def undo(self, uid: str) -> int | None:
        """Take back the latest score of a session that still counts; the file remembers both.

        Returns
        -------
        int or None
            Number of its item; None where nothing is left to take back.

        Raises
        ------
        XsegError
            The session has ended, or the file cannot be written.
        """
        session = self.session(uid)
        check_open(session)
        with self._writing() as connection:
            last = records.select_last(connection, session.uid)
            if last is None:
                return None
            records.insert_undo(connection, session.uid, last, _now())
            self._kept.pop(session.uid, None)
        return last.item

    def kept(self, uid: str) -> dict[int, Kept]:
        """What counts in a session, by item number."""
        whole = self.session(uid).uid
        with self._reading() as connection:
            if whole not in self._kept:
                self._kept[whole] = records.select_kept(connection, whole)
            return dict(self._kept[whole])

    def history(self, uid: str, item: int) -> tuple[Change, ...]:
        """All changes of an item, oldest first."""
        with self._reading() as connection:
            return records.select_changes(connection, self.session(uid).uid, item)

    def next(self, uid: str, after: int = 0) -> Item | None:
        """Give the first item without a score behind number `after`, round the end."""
        return next_item(self.session(uid), self.kept(uid), after)

    def progress(self, uid: str) -> Progress:
        """How far a session is."""
        session, kept = self.session(uid), self.kept(uid)
        times = [one.score.seconds for one in kept.values() if one.score.seconds is not None]
        mean = sum(times) / len(times) if times else float("nan")
        return Progress(len(kept), len(session.items), sum(times), mean)

    # -- inside -------------------------------------------------------------

    def _read_sessions(self) -> None:
        found = records.select_sessions(self._connection, self.reviewer)
        self._sessions = {session.uid: session for session in found}

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection, what is held in memory being that of the file."""
        with self._lock, saying(self.path):
            if self._version != (version := _version(self._connection)):
                self._kept.clear()
                self._read_sessions()
                self._version = version
            yield self._connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._identity is not None and _identity(self.path) != self._identity:
                raise XsegError(
                    f"{self.path}: was moved, removed or replaced while it was open; put it back, "
                    "or open the session again."
                )
            with saying(self.path), transaction(self._connection):
                yield self._connection


def _settle_owner(connection: sqlite3.Connection, path: Path, reviewer: str) -> None:
    owner = records.read_meta(connection, "reviewer")
    if owner is None:
        with transaction(connection):
            records.write_meta(connection, "reviewer", reviewer)
    elif owner != reviewer:
        raise XsegError(
            f"{path}: holds the scores of {owner}, expected {reviewer}; was it renamed? Import it "
            "instead."
        )


def _version(connection: sqlite3.Connection) -> int:
    # Changes where another connection has written.
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _identity(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

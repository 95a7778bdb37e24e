"""Scores of another file taken into a project: nothing is overwritten unasked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from napari_xseg.errors import XsegError
from napari_xseg.review.scoring import records
from napari_xseg.review.scoring.database import open_database, saying, transaction
from napari_xseg.review.scoring.names import file_name
from napari_xseg.review.scoring.reading import distinct_titles, read_score_file, read_scores

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from napari_xseg.review.scoring.reading import AllScores, ReviewerScores
    from napari_xseg.review.scoring.values import Item, Kept, Session

Resolve = Literal["keep", "take", "both"]
RESOLVES: tuple[Resolve, ...] = ("keep", "take", "both")

_Key = tuple[str, int, str, bool]


@dataclass(frozen=True)
class Conflict:
    """One item that the same reviewer scored in two ways.

    Attributes
    ----------
    session, item
        Where it stands in the file that is there already.
    mine, theirs : Kept
        What is there, and what the other file says.
    revealed : bool
        Whether the names of a blind session's masks may be said: it is over.
    """

    reviewer: str
    session: Session
    item: Item
    mine: Kept
    theirs: Kept
    origin: str
    number: int
    revealed: bool = False

    def words(self) -> str:
        """Say it in one line."""
        place = self.item.place
        where = f"z = {self.item.z}{f', {place.kind}' if place and place.kind else ''}"
        name = self.session.mask_name(self.item.mask, reveal=self.revealed)
        return f"{where}, {name}: here {_said(self.mine)}, in the other file {_said(self.theirs)}"


def conflict_words(conflicts: Sequence[Conflict]) -> list[str]:
    """Each conflict in one line, with its session where there are several."""
    titles = distinct_titles([one.session for one in conflicts])
    if len(titles) < 2:
        return [one.words() for one in conflicts]
    return [f"{titles[one.session.uid]}; {one.words()}" for one in conflicts]


class ConflictsFound(XsegError):
    """Scores differ, and nobody has said which count; `conflicts` lists them."""

    def __init__(self, path: Path, conflicts: tuple[Conflict, ...]) -> None:
        self.conflicts = conflicts
        count = len(conflicts)
        super().__init__(
            f"{path}: {count} score{'s'[: count != 1]} of {conflicts[0].reviewer} differ"
            f"{'s'[: count == 1]} from what is here, and nothing was imported; say --conflicts "
            "keep, take or both."
        )


@dataclass(frozen=True)
class Imported:
    """What an import did: to which file, and how many sessions and scores came in.

    `ended` counts the sessions that were open here and are ended, as the file says.
    """

    path: Path
    reviewer: str
    sessions: int
    scores: int
    conflicts: tuple[Conflict, ...]
    ended: int = 0


def import_scores(
    folder: Path,
    file: Path,
    resolve: Resolve | None = None,
    *,
    masks: Collection[str] | None = None,
) -> Imported:
    """Take the scores of another file into `folder`, all or none.

    A session that has ended in one of both files is ended here, `keep` or `take`: its
    names were shown there. Where both ended it, the date that is here stands. With
    `both` it is that of the second reviewer.

    Parameters
    ----------
    folder : Path
        The `reviews` of a project.
    file : Path
        A reviewer's file; it stays as it is.
    resolve : str, optional
        Where a reviewer of the same name scored the same item of the same mask in
        another way: `keep` what is here, `take` what the file says (what was here
        stays in the history), or keep `both`, the other's as those of a second
        reviewer `NAME (2)`.
    masks : collection of str, optional
        SHA-256 of masks that may be scored here, besides those of the sessions in
        `folder`. None: any mask may, where there is no session yet.

    Raises
    ------
    ConflictsFound
        There are conflicts and `resolve` is None; nothing is written.
    XsegError
        The file is damaged or of a later version, is one of the project's own,
        scores another mask or volume, or the project's cannot be written.
    """
    theirs = read_score_file(file)
    here = read_scores(folder)
    _check_strange(theirs, here, folder)
    _check_masks(theirs, here, masks)
    mine = next((one for one in here.files if one.reviewer == theirs.reviewer), None)
    conflicts = () if mine is None else find_conflicts(mine, theirs)
    if conflicts and resolve is None:
        raise ConflictsFound(file, conflicts)
    if conflicts and resolve == "both":
        copied = set() if mine is None else _copies(mine, theirs)
        return _write(folder, *_second(theirs, here), (), conflicts, copied)
    return _write(folder, theirs, mine, conflicts if resolve == "take" else (), conflicts)


def find_conflicts(mine: ReviewerScores, theirs: ReviewerScores) -> tuple[Conflict, ...]:
    """List the items that both files score in different ways.

    Of one session they are known by their number; of two sessions by mask, slice,
    place and whether it was asked a second time.
    """
    scored = _scored(mine)
    found = []
    for session in theirs.sessions:
        for number, kept in theirs.kept[session.uid].items():
            item = session.items[number - 1]
            same = _counterpart(mine, scored, session, item)
            if same is not None and same[2].score.said != kept.score.said:
                ours, at, had = same
                over = _is_over(ours.uid, mine, theirs)
                found.append(
                    Conflict(mine.reviewer, ours, at, had, kept, session.uid, number, over)
                )
    return tuple(found)


def _is_over(uid: str, *files: ReviewerScores) -> bool:
    """Whether a session is finished in one of the files: its names were shown there."""
    return any(file.is_finished(one) for file in files for one in file.sessions if one.uid == uid)


def _counterpart(
    mine: ReviewerScores,
    scored: Mapping[_Key, tuple[Session, Item, Kept]],
    session: Session,
    item: Item,
) -> tuple[Session, Item, Kept] | None:
    if session.uid in mine.kept:
        kept = mine.kept[session.uid].get(item.number)
        return None if kept is None else (session, item, kept)
    return scored.get(_key(session, item))


def _copies(mine: ReviewerScores, theirs: ReviewerScores) -> set[tuple[str, int]]:
    """Session and item of scores that were given once, and stand in both files.

    As those of a second reviewer they would agree with themselves.
    """
    return {
        (uid, number)
        for uid, kept in theirs.kept.items()
        for number, score in kept.items()
        if (same := mine.kept.get(uid, {}).get(number)) is not None
        and (same.score.said, same.made) == (score.score.said, score.made)
    }


def _scored(file: ReviewerScores) -> dict[_Key, tuple[Session, Item, Kept]]:
    return {
        _key(session, session.items[number - 1]): (session, session.items[number - 1], kept)
        for session in file.sessions
        for number, kept in file.kept[session.uid].items()
    }


def _key(session: Session, item: Item) -> _Key:
    place = "" if item.place is None else item.place.key
    return session.masks[item.mask].sha256, item.z, place, item.repeat_of is not None


def _write(
    folder: Path,
    theirs: ReviewerScores,
    mine: ReviewerScores | None,
    taken: Collection[Conflict],
    conflicts: tuple[Conflict, ...],
    copied: Collection[tuple[str, int]] = (),
) -> Imported:
    path = folder / file_name(theirs.reviewer)
    left = {(one.origin, one.number) for one in conflicts} if mine is not None else set()
    known = set() if mine is None else {session.uid for session in mine.sessions}
    scores = sessions = ended = 0
    connection = open_database(path)
    try:
        with saying(path), transaction(connection):
            _check_unchanged(connection, path, mine)
            records.write_meta(connection, "reviewer", theirs.reviewer)
            for session in theirs.sessions:
                if session.uid not in known:
                    records.insert_session(connection, session)
                    sessions += 1
                elif session.closed is not None:
                    ended += records.end_session(connection, session.uid, session.closed)
                have = {} if mine is None else mine.kept.get(session.uid, {})
                left_out = {*left, *copied}
                skipped = {*have, *(item for uid, item in left_out if uid == session.uid)}
                scores += _copy_changes(connection, theirs, session.uid, skipped)
            for one in taken:
                made = datetime.now(UTC).isoformat(timespec="milliseconds")
                records.insert_score(
                    connection, one.session.uid, one.item.number, one.theirs.score, made, "import"
                )
                scores += 1
    finally:
        connection.close()
    return Imported(path, theirs.reviewer, sessions, scores, conflicts, ended)


def _check_unchanged(
    connection: sqlite3.Connection, path: Path, mine: ReviewerScores | None
) -> None:
    """What was compared must be what is there: another program may have written since."""
    seen = () if mine is None else [one.number for all_ in mine.changes.values() for one in all_]
    known = 0 if mine is None else len(mine.sessions)
    if records.select_size(connection) != (known, max(seen, default=0)):
        raise XsegError(
            f"{path}: was changed by another program in between, and nothing was imported; import "
            "again."
        )


def _copy_changes(
    connection: sqlite3.Connection, theirs: ReviewerScores, uid: str, skipped: Collection[int]
) -> int:
    """Copy the history of a session's items but those skipped; count the items that it scores."""
    number_of: dict[int, Kept] = {}
    for change in theirs.changes[uid]:
        if change.item in skipped:
            continue
        if change.kept is not None:
            number_of[change.number] = records.insert_score(
                connection, uid, change.item, change.kept.score, change.made, change.action
            )
        elif change.undoes in number_of:
            records.insert_undo(connection, uid, number_of[change.undoes], change.made)
    return sum(item not in skipped for item in theirs.kept[uid])


def _second(
    theirs: ReviewerScores, here: AllScores
) -> tuple[ReviewerScores, ReviewerScores | None]:
    """The scores as those of `NAME (2)`, and that file where it holds nothing else of them."""
    files = {file.reviewer: file for file in here.files}
    number = 2
    while True:
        name = f"{theirs.reviewer} ({number})"
        there = files.get(name)
        if there is None or not find_conflicts(there, theirs):
            return replace(theirs, reviewer=name), there
        number += 1


def _check_strange(theirs: ReviewerScores, here: AllScores, folder: Path) -> None:
    for file in here.files:
        if file.path.resolve() == theirs.path.resolve():
            raise XsegError(f"{theirs.path}: is a file of this project already.")
    own = folder / file_name(theirs.reviewer)
    if own.exists() and all(file.path != own for file in here.files):
        raise XsegError(
            f"{own}: cannot be read, so nothing can be imported to it; restore it or move it away."
        )


def _check_masks(theirs: ReviewerScores, here: AllScores, masks: Collection[str] | None) -> None:
    known = {mask.sha256 for session in here.sessions() for mask in session.masks}
    if not known and masks is None:
        return
    known |= set(masks or ())
    volumes = {session.volume.fingerprint for session in here.sessions()}
    for session in theirs.sessions:
        strange = [mask for mask in session.masks if mask.sha256 not in known]
        if not strange:
            continue
        if volumes and session.volume.fingerprint not in volumes:
            raise XsegError(
                f"{theirs.path}: scores masks of another volume ({session.volume.name}, "
                f"{session.volume.size}), which is none of this project; import it in the project "
                "of that volume."
            )
        raise XsegError(
            f"{theirs.path}: scores the mask {strange[0].name} (SHA-256 "
            f"{strange[0].sha256[:12]}), which is none of those of this project; import it where "
            "that mask is, or name the mask."
        )


def _said(kept: Kept) -> str:
    faults = f" ({', '.join(kept.score.faults)})" if kept.score.faults else ""
    return f"{kept.score.score}{faults}"

"""The scores of all reviewers of a project, read together."""

from __future__ import annotations

import csv
import hashlib
import io
import unicodedata
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from napari_xseg.errors import XsegError
from napari_xseg.review.scoring import records
from napari_xseg.review.scoring.database import read_database, saying, saying_damage
from napari_xseg.review.scoring.names import SUFFIX, file_name
from napari_xseg.review.scoring.values import letter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from napari_xseg.review.scoring.records import Change
    from napari_xseg.review.scoring.values import Item, Kept, MaskRef, Score, Session

_COLUMNS = (
    *("reviewer", "session", "item", "volume", "mask", "mask_sha256", "z", "kind", "y", "x"),
    *("y_start", "y_stop", "x_start", "x_stop", "repeat_of", "score", "faults", "note"),
    *("mark_z", "mark_y", "mark_x", "mark_height", "mark_width", "seconds", "made"),
)


@dataclass(frozen=True)
class ReviewerScores:
    """What one file holds.

    Attributes
    ----------
    path : Path
        The file.
    reviewer : str
        Whose it is.
    sessions : tuple of Session
        Oldest first.
    kept : mapping
        By session uid: what counts, by item number.
    changes : mapping
        By session uid: the whole history, oldest first.
    """

    path: Path
    reviewer: str
    sessions: tuple[Session, ...]
    kept: Mapping[str, Mapping[int, Kept]]
    changes: Mapping[str, tuple[Change, ...]]

    def is_finished(self, session: Session) -> bool:
        """Whether a session has ended, or all of its items are scored."""
        return session.closed is not None or len(self.kept[session.uid]) == len(session.items)


def distinct_titles(sessions: Iterable[Session]) -> dict[str, str]:
    """Titles by uid; where a reviewer has two alike, with the time of day, of here."""
    alike: defaultdict[tuple[str, str], dict[str, datetime]] = defaultdict(dict)
    for one in sessions:
        alike[one.reviewer, one.title][one.uid] = datetime.fromisoformat(one.created).astimezone()
    found: dict[str, str] = {}
    for (_, title), made in alike.items():
        times = {uid: f"{when:%H:%M}" for uid, when in made.items()}
        if len(set(times.values())) < len(times):
            times = {uid: f"{when:%H:%M:%S}" for uid, when in made.items()}
        found |= {
            uid: f"{title}, {time}" if len(made) > 1 else title for uid, time in times.items()
        }
    return found


@dataclass(frozen=True)
class Row:
    """One scored item.

    Attributes
    ----------
    mask : str
        SHA-256 of the mask; what tells masks apart, never shown while `hidden`.
    mask_name : str
        What to call it: a neutral name while `hidden`.
    hidden : bool
        A blind session that takes part is under way.
    """

    reviewer: str
    session: Session
    item: Item
    kept: Kept
    mask: str
    mask_name: str
    hidden: bool = False

    @property
    def score(self) -> Score:
        """What the reviewer says."""
        return self.kept.score

    @property
    def volume(self) -> str:
        """Which volume it is."""
        return self.session.volume.fingerprint

    @property
    def unit(self) -> tuple[str, int, str]:
        """What was looked at, the same for all reviewers and masks: volume, slice, place."""
        place = self.item.place
        return self.volume, self.item.z, "" if place is None else place.key


@dataclass(frozen=True)
class AllScores:
    """The files of a project; `faults` are sentences on those that cannot be read."""

    files: tuple[ReviewerScores, ...]
    faults: tuple[str, ...] = ()

    def sessions(self) -> tuple[Session, ...]:
        """All sessions of all reviewers."""
        return tuple(session for file in self.files for session in file.sessions)

    def rows(self, sessions: Collection[str] | None = None) -> tuple[Row, ...]:
        """Give what counts, one row for each scored item.

        Parameters
        ----------
        sessions : collection of str, optional
            The uids that take part; by default all.

        Notes
        -----
        While a blind session that takes part is neither finished nor ended, masks
        have neutral names in all rows.
        """
        chosen = [
            (file, session)
            for file in self.files
            for session in file.sessions
            if sessions is None or session.uid in sessions
        ]
        hidden = any(session.blind and not file.is_finished(session) for file, session in chosen)
        names = _names([session for _, session in chosen], hidden=hidden)
        return tuple(
            Row(
                file.reviewer,
                session,
                session.items[number - 1],
                kept,
                session.masks[session.items[number - 1].mask].sha256,
                names[session.masks[session.items[number - 1].mask].sha256],
                hidden,
            )
            for file, session in chosen
            for number, kept in file.kept[session.uid].items()
        )


def reviewers(folder: Path) -> tuple[str, ...]:
    """Whose files lie in `folder`; those that cannot be read are left out."""
    return tuple(file.reviewer for file in read_scores(folder).files)


def read_scores(folder: Path) -> AllScores:
    """Read all reviewers' files in `folder`, each as it is at that moment.

    A file that cannot be read is named in `faults`, and the others are read. So is a
    copy under another name: its scores would count twice.
    """
    files, faults = [], []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            files.append(_own_file(read_score_file(path)))
        except XsegError as error:
            faults.append(str(error))
    return AllScores(tuple(sorted(files, key=lambda file: file.reviewer)), tuple(faults))


def read_score_file(path: Path) -> ReviewerScores:
    """Read one file, which stays as it is.

    Raises
    ------
    XsegError
        Missing, damaged, locked, of another program or a later version.
    """
    with saying(path), saying_damage(path), closing(read_database(path)) as connection:
        reviewer = records.read_meta(connection, "reviewer")
        if reviewer is None:
            raise XsegError(
                f"{path}: holds nothing, as where a full disk stopped it from being made; restore "
                "it from a copy, or remove it."
            )
        sessions = records.select_sessions(connection, reviewer)
        uids = [session.uid for session in sessions]
        kept = {uid: records.select_kept(connection, uid) for uid in uids}
        changes = {uid: records.select_changes(connection, uid) for uid in uids}
    return ReviewerScores(path, reviewer, sessions, kept, changes)


def _own_file(found: ReviewerScores) -> ReviewerScores:
    own = file_name(found.reviewer)
    # Some disks take letters apart, or do not tell capitals.
    if unicodedata.normalize("NFC", found.path.name).casefold() != own.casefold():
        raise XsegError(
            f"{found.path}: holds the scores of {found.reviewer}, which belong in {own}; they are "
            "left out: rename it, or move it out of the folder and import it."
        )
    return found


def rows_csv(rows: Iterable[Row]) -> str:
    """Write scores as CSV with a header: decimal points, one line each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(map(_cells, rows))
    return text.getvalue()


def write_rows(rows: Iterable[Row], path: Path) -> None:
    """Write scores as a CSV file in UTF-8, whole or not at all; XsegError where it cannot be."""
    from napari_xseg.data.writing import write_atomic

    write_atomic(path, rows_csv(rows))


def _cells(row: Row) -> tuple[object, ...]:
    place, mark, score = row.item.place, row.score.mark, row.score
    where = ("", "", "") if place is None else (place.kind, f"{place.y:g}", f"{place.x:g}")
    box = ("",) * 4 if place is None or place.box is None else place.box
    marked: tuple[str, ...] = ("",) * 5
    if mark is not None:
        numbers = (mark.y, mark.x, mark.height, mark.width)
        marked = (str(mark.z), *(f"{number:g}" for number in numbers))
    return (
        *(row.reviewer, row.session.uid, row.item.number, row.session.volume.name, row.mask_name),
        *("" if row.hidden else row.mask, row.item.z, *where, *box),
        *(row.item.repeat_of or "", score.score, "; ".join(score.faults), score.note, *marked),
        *("" if score.seconds is None else f"{score.seconds:.2f}", row.kept.made),
    )


def _names(sessions: Sequence[Session], *, hidden: bool) -> dict[str, str]:
    """Call each mask by its name, by its hash too where two share one; or neutrally."""
    masks = {mask.sha256: mask for session in sessions for mask in session.masks}
    if hidden:
        return _neutral_names(sessions, masks)
    names = [mask.name for mask in masks.values()]
    return {
        sha256: mask.name if names.count(mask.name) == 1 else f"{mask.name} ({sha256[:8]})"
        for sha256, mask in masks.items()
    }


def _neutral_names(sessions: Sequence[Session], masks: Mapping[str, MaskRef]) -> dict[str, str]:
    if len(sessions) == 1:
        return {mask.sha256: letter(place) for place, mask in enumerate(sessions[0].masks)}
    # In an order that says nothing of when a mask was made or named.
    order = sorted(masks, key=lambda sha256: hashlib.sha256(sha256.encode()).hexdigest())
    return {sha256: f"mask {number}" for number, sha256 in enumerate(order, 1)}

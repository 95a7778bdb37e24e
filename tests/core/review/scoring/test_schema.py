"""Files of earlier and later versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from napari_xseg.errors import XsegError
from napari_xseg.review.scoring import schema
from napari_xseg.review.scoring.reading import read_score_file
from napari_xseg.review.scoring.store import ScoreFile
from napari_xseg.review.scoring.values import Score, Session

if TYPE_CHECKING:
    from pathlib import Path

Open = Callable[..., ScoreFile]
LATER = "ALTER TABLE change ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm; 1';\n"


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    found = schema.version_of(connection)
    connection.close()
    return found


@pytest.fixture
def old(file: ScoreFile, session: Session) -> Path:
    """A file of version 1 with a score."""
    file.keep(session.uid, 2, Score(4, note="before"))
    file.close()
    assert version(file.path) == 1
    return file.path


def test_an_older_file_is_brought_up_to_date(
    old: Path, session: Session, open_file: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, LATER))
    file = open_file()
    assert version(old) == 2
    assert file.kept(session.uid)[2].score == Score(4, note="before")
    file.keep(session.uid, 3, Score(1))
    moods = file._connection.execute("SELECT mood FROM change").fetchall()
    assert moods == [("calm; 1",), ("calm; 1",)]


def test_reading_an_older_file_changes_nothing(
    old: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = old.read_bytes()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, LATER))
    assert read_score_file(old).kept[session.uid][2].score.note == "before"
    assert old.read_bytes() == before


def test_a_step_that_fails_leaves_the_file_as_it_was(
    old: Path, open_file: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = old.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, LATER, "NONSENSE;\n"))
        with pytest.raises(sqlite3.OperationalError, match="NONSENSE"):
            open_file()
    assert old.read_bytes() == before
    assert open_file().kept(open_file().sessions()[0].uid)


def test_a_newer_file_is_refused(old: Path, open_file: Open) -> None:
    connection = sqlite3.connect(old)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    for use in (open_file, lambda: read_score_file(old)):
        with pytest.raises(XsegError, match=r"newer napari-xseg \(version 2.*knows 1.*update"):
            use()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TABLE item", "lacks a table or column"),
        ("UPDATE session SET plan = '{half'", "is damaged"),
        ("UPDATE session SET faults = '[{}]'", "is damaged"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused(
    statement: str, said: str, old: Path, open_file: Open
) -> None:
    connection = sqlite3.connect(old)
    connection.execute(statement)
    connection.commit()
    connection.close()
    with pytest.raises(XsegError, match=said):
        open_file()
    with pytest.raises(XsegError, match=said):
        read_score_file(old)

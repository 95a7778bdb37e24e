from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from napari_xseg.errors import XsegError
from napari_xseg.review.scoring import importing
from napari_xseg.review.scoring.importing import ConflictsFound, conflict_words, import_scores
from napari_xseg.review.scoring.plan import Plan
from napari_xseg.review.scoring.reading import distinct_titles, read_score_file, read_scores
from napari_xseg.review.scoring.store import ScoreFile
from napari_xseg.review.scoring.values import MaskRef, Score, Session, VolumeRef

Open = Callable[..., ScoreFile]
Fill = Callable[..., Session]


@pytest.fixture
def away(tmp_path: Path) -> Path:
    return tmp_path / "laptop"


@pytest.fixture
def copied(open_file: Open, fill: Fill, folder: Path, away: Path) -> tuple[Session, Path]:
    """Anna's file with scores 1, 2, 3, and a copy of it on her laptop."""
    file = open_file()
    made = fill(file, [1, 2, 3])
    away.mkdir()
    return made, Path(shutil.copy(file.path, away))


def counting(folder: Path) -> dict[str, list[int]]:
    """The scores that count of each reviewer, by item."""
    return {
        file.reviewer: [
            kept.score.score
            for session in file.sessions
            for _, kept in sorted(file.kept[session.uid].items())
        ]
        for file in read_scores(folder).files
    }


def test_a_strangers_scores_come_in_whole(
    open_file: Open, fill: Fill, folder: Path, away: Path
) -> None:
    fill(open_file(), [1, 2])
    bert = open_file("bert", away)
    made = fill(bert, [4, 4, 5])
    bert.undo(made.uid)
    bert.keep(made.uid, 1, Score(3))
    done = import_scores(folder, bert.path)
    assert (done.reviewer, done.sessions, done.scores, done.conflicts) == ("bert", 1, 2, ())
    assert counting(folder) == {"anna": [1, 2], "bert": [3, 4]}
    ours, theirs = (read_score_file(path) for path in (done.path, bert.path))
    assert ours.sessions == theirs.sessions
    assert [(one.item, one.action, one.made) for one in ours.changes[made.uid]] == [
        (one.item, one.action, one.made) for one in theirs.changes[made.uid]
    ]


def test_what_was_added_elsewhere_comes_in_and_a_second_time_does_nothing(
    copied: tuple[Session, Path], open_file: Open, folder: Path, away: Path
) -> None:
    made, path = copied
    other = open_file("anna", away)
    other.keep(made.uid, 7, Score(5))
    open_file().keep(made.uid, 8, Score(4))
    assert import_scores(folder, path).scores == 1
    assert import_scores(folder, path).scores == 0
    assert counting(folder) == {"anna": [1, 2, 3, 5, 4]}


@pytest.mark.parametrize("resolve", ["keep", "take"])
def test_a_session_ended_elsewhere_is_ended_here(
    copied: tuple[Session, Path], open_file: Open, folder: Path, away: Path, resolve: Any
) -> None:
    made, path = copied
    other = open_file("anna", away)
    other.keep(made.uid, 2, Score(5))
    closed = other.end(made.uid).closed
    done = import_scores(folder, path, resolve)
    assert (done.sessions, done.ended) == (0, 1)
    (ours,) = read_score_file(done.path).sessions
    assert closed is not None
    assert ours.closed == closed
    assert import_scores(folder, path, resolve).ended == 0


def test_an_end_here_stands(
    copied: tuple[Session, Path], open_file: Open, folder: Path, away: Path
) -> None:
    made, path = copied
    mine, other = open_file(), open_file("anna", away)
    closed = mine.end(made.uid).closed
    assert import_scores(folder, path).ended == 0
    other.end(made.uid)
    assert import_scores(folder, path).ended == 0
    assert read_score_file(mine.path).sessions[0].closed == closed


@pytest.fixture
def differing(copied: tuple[Session, Path], open_file: Open, away: Path) -> Path:
    """The copy says 5 of the second item, and 4 of the sixth, which has no score here."""
    made, path = copied
    other = open_file("anna", away)
    other.keep(made.uid, 2, Score(5, ("artefact",)))
    other.keep(made.uid, 6, Score(4))
    return path


def test_conflicts_are_listed_and_nothing_is_written(differing: Path, folder: Path) -> None:
    before = (folder / "anna.sqlite").read_bytes()
    with pytest.raises(ConflictsFound, match=r"1 score of anna differs.*--conflicts") as caught:
        import_scores(folder, differing)
    (conflict,) = caught.value.conflicts
    assert conflict.words() == "z = 1, quick: here 2, in the other file 5 (artefact)"
    assert (folder / "anna.sqlite").read_bytes() == before


def test_keep(differing: Path, folder: Path) -> None:
    assert import_scores(folder, differing, "keep").scores == 1
    assert counting(folder) == {"anna": [1, 2, 3, 4]}


def test_take_leaves_what_was_here_in_the_history(
    differing: Path, folder: Path, open_file: Open
) -> None:
    assert import_scores(folder, differing, "take").scores == 2
    assert counting(folder) == {"anna": [1, 5, 3, 4]}
    file = open_file()
    uid = file.sessions()[0].uid
    assert [one.action for one in file.history(uid, 2)] == ["score", "import"]
    file.undo(uid)
    assert file.kept(uid)[2].score.score == 2


def test_both_makes_a_second_reviewer_once(differing: Path, folder: Path) -> None:
    for _ in range(2):
        import_scores(folder, differing, "both")
        # What was scored once is no second opinion.
        assert counting(folder) == {"anna": [1, 2, 3], "anna (2)": [5, 4]}


def test_two_people_of_one_name_are_a_conflict_though_their_sessions_differ(
    open_file: Open, fill: Fill, folder: Path, away: Path
) -> None:
    fill(open_file(), [1, 2, 3])
    other = open_file("anna", away)
    fill(other, [1, 2, 5, 5])
    with pytest.raises(ConflictsFound) as caught:
        import_scores(folder, other.path)
    assert [one.item.z for one in caught.value.conflicts] == [2]
    import_scores(folder, other.path, "keep")
    assert counting(folder) == {"anna": [1, 2, 3, 1, 2, 5]}


def test_a_file_of_another_mask_or_volume_is_refused(
    open_file: Open,
    fill: Fill,
    folder: Path,
    away: Path,
    masks: tuple[MaskRef, ...],
    volume: VolumeRef,
) -> None:
    fill(open_file(), [1])
    bert = open_file("bert", away)
    fill(bert, [1], masks=masks[1:])
    with pytest.raises(XsegError, match=r"scores the mask poster \(SHA-256 222222222222\)"):
        import_scores(folder, bert.path)
    assert import_scores(folder, bert.path, masks=[masks[1].sha256]).scores == 1
    clara = open_file("clara", away)
    strange = replace(volume, fingerprint="0" * 64, name="lis")
    clara.new_session(strange, [replace(masks[0], sha256="9" * 64)], Plan())
    with pytest.raises(XsegError, match=r"another volume .lis, 12 x 40 x 50"):
        import_scores(folder, clara.path)
    assert "clara" not in counting(folder)


def test_files_that_are_no_strangers_are_refused(
    open_file: Open, fill: Fill, folder: Path, tmp_path: Path
) -> None:
    file = open_file()
    fill(file, [1])
    with pytest.raises(XsegError, match="of this project already"):
        import_scores(folder, file.path)
    with pytest.raises(XsegError, match="does not exist"):
        import_scores(folder, tmp_path / "absent.sqlite")


def test_nothing_is_imported_over_a_damaged_file(
    copied: tuple[Session, Path], open_file: Open, folder: Path
) -> None:
    _, path = copied
    open_file().close()
    (folder / "anna.sqlite").write_bytes(b"broken" * 1000)
    with pytest.raises(XsegError, match="cannot be read, so nothing can be imported"):
        import_scores(folder, path)
    assert (folder / "anna.sqlite").read_bytes() == b"broken" * 1000


def test_a_file_written_to_in_between_is_not_imported_to(
    copied: tuple[Session, Path], open_file: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was compared is not what is there any more: nothing may be written."""
    made, copy = copied
    mine = open_file()
    with ScoreFile.open(copy.parent, "anna") as other:
        other.keep(made.uid, 4, Score(2))

    def meanwhile(where: Path) -> Any:
        found = read_scores(where)
        mine.keep(made.uid, 4, Score(5))
        return found

    monkeypatch.setattr(importing, "read_scores", meanwhile)
    with pytest.raises(XsegError, match="changed by another program in between"):
        import_scores(folder, copy)
    assert counting(folder) == {"anna": [1, 2, 3, 5]}


@pytest.mark.parametrize("end", ["", "here", "there"])
def test_conflicts_of_a_blind_session_name_its_masks_once_it_is_over(
    fill: Fill, folder: Path, away: Path, masks: tuple[MaskRef, ...], end: str
) -> None:
    with ScoreFile.open(folder, "anna") as file:
        made = fill(file, [1, 2], masks=masks, plan=Plan(blind=True))
    away.mkdir()
    path = Path(shutil.copy(file.path, away))
    for place, ends in ((away, end == "there"), (folder, end == "here")):
        with ScoreFile.open(place, "anna") as file:
            if place == away:
                file.keep(made.uid, 1, Score(5))
            if ends:
                file.end(made.uid)
    with pytest.raises(ConflictsFound) as found:
        import_scores(folder, path)
    (words,) = conflict_words(found.value.conflicts)
    (conflict,) = found.value.conflicts
    name = made.masks[conflict.item.mask].name if end else "AB"[conflict.item.mask]
    assert words == f"z = {conflict.item.z}, {name}: here 1, in the other file 5"


def test_conflicts_of_several_sessions_say_of_which(fill: Fill, folder: Path, away: Path) -> None:
    with ScoreFile.open(folder, "anna") as file:
        made = [fill(file, [1]), fill(file, [2])]
    away.mkdir()
    path = Path(shutil.copy(file.path, away))
    with ScoreFile.open(away, "anna") as file:
        for one in made:
            file.keep(one.uid, 1, Score(5))
    with pytest.raises(ConflictsFound) as found:
        import_scores(folder, path)
    words = conflict_words(found.value.conflicts)
    titles = distinct_titles(made)
    assert [line.split(";")[0] for line in words] == [titles[one.uid] for one in made]


def test_titles_that_are_alike_get_the_time_of_day(session: Session) -> None:
    def at(uid: str, created: str, reviewer: str = "anna") -> Session:
        return replace(session, uid=uid, created=created, reviewer=reviewer)

    alone = at("c", "2026-01-01T10:20:30.000+00:00", "bert")
    early, late = (at(uid, f"2026-01-01T10:{uid}:30.000+00:00") for uid in ("20", "45"))
    titles = distinct_titles([early, late, alone])
    assert titles["c"] == session.title
    assert titles["20"].startswith(f"{session.title}, ")
    assert titles["20"].endswith(":20")
    assert titles["45"].endswith(":45")
    soon = at("s", "2026-01-01T10:20:31.000+00:00")
    assert [title[-5:] for title in distinct_titles([early, soon]).values()] == ["20:30", "20:31"]

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from napari_xseg.review.scoring.plan import Plan
from napari_xseg.review.scoring.reading import read_scores, reviewers, write_rows
from napari_xseg.review.scoring.store import ScoreFile
from napari_xseg.review.scoring.values import Mark, MaskRef, Score, Session

if TYPE_CHECKING:
    from pathlib import Path

Open = Callable[..., ScoreFile]
Fill = Callable[..., Session]


def test_all_reviewers_are_read_together(open_file: Open, fill: Fill, folder: Path) -> None:
    fill(open_file("bert"), [1, None, 3])
    made = fill(open_file("anna"), [5, 4])
    found = read_scores(folder)
    assert reviewers(folder) == ("anna", "bert")
    assert [(row.reviewer, row.item.z, row.score.score) for row in found.rows()] == [
        ("anna", 0, 5),
        ("anna", 1, 4),
        ("bert", 0, 1),
        ("bert", 2, 3),
    ]
    assert {row.reviewer for row in found.rows({made.uid})} == {"anna"}


def test_a_damaged_file_is_named_and_the_others_are_read(
    open_file: Open, fill: Fill, folder: Path
) -> None:
    fill(open_file("anna"), [5])
    (folder / "bert.sqlite").write_bytes(b"no database at all" * 99)
    found = read_scores(folder)
    assert [file.reviewer for file in found.files] == ["anna"]
    assert len(found.faults) == 1
    assert "bert.sqlite" in found.faults[0]


def test_a_copy_under_another_name_counts_once_and_is_named(
    open_file: Open, fill: Fill, folder: Path
) -> None:
    made = fill(open_file("anna"), [5, 4])
    shutil.copy(folder / "anna.sqlite", folder / "anna (copy).sqlite")
    found = read_scores(folder)
    assert [file.path.name for file in found.files] == ["anna.sqlite"]
    assert len(found.rows()) == 2
    assert "anna (copy).sqlite: holds the scores of anna" in found.faults[0]
    assert [session.uid for session in found.sessions()] == [made.uid]


def test_an_empty_file_is_named_as_such(open_file: Open, fill: Fill, folder: Path) -> None:
    fill(open_file("anna"), [5])
    (folder / "bert.sqlite").touch()
    found = read_scores(folder)
    assert [file.reviewer for file in found.files] == ["anna"]
    assert "bert.sqlite: holds nothing" in found.faults[0]


def test_names_are_hidden_while_a_blind_session_is_under_way(
    open_file: Open, fill: Fill, folder: Path, masks: tuple[MaskRef, ...]
) -> None:
    blind = Plan("nth", step=6, blind=True)
    anna = open_file("anna")
    first = fill(anna, [1, 2, 3], masks=masks, plan=blind)
    rows = read_scores(folder).rows()
    assert {row.mask_name for row in rows} <= {"A", "B"}
    by_item = {row.item.number: row.mask_name for row in rows}
    assert by_item == {number: first.mask_name(first.item(number).mask) for number in (1, 2, 3)}
    fill(open_file("bert"), [1, 2], masks=masks, plan=Plan())
    assert {row.mask_name for row in read_scores(folder).rows()} == {"mask 1", "mask 2"}
    anna.keep(first.uid, 4, Score(4))  # the last one
    assert {row.mask_name for row in read_scores(folder).rows()} == {"quick", "poster"}


def test_an_ended_blind_session_shows_its_names(
    open_file: Open, fill: Fill, folder: Path, masks: tuple[MaskRef, ...]
) -> None:
    anna = open_file("anna")
    made = fill(anna, [1], masks=masks, plan=Plan(blind=True))
    assert all(row.hidden for row in read_scores(folder).rows())
    anna.end(made.uid)
    assert {row.mask_name for row in read_scores(folder).rows()} <= {"quick", "poster"}


def test_scores_as_csv(open_file: Open, fill: Fill, folder: Path, tmp_path: Path) -> None:
    anna = open_file("Änna")
    made = fill(anna, [5])
    anna.keep(made.uid, 2, Score(2, ("other", "artefact"), 'a "ring"\nhere, grün',
                                 Mark(1, 2.5, 3), 1.5))  # fmt: skip
    write_rows(read_scores(folder).rows(), tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["score"] for row in rows] == ["5", "2"]
    last = rows[1]
    assert last["reviewer"] == "Änna"
    assert last["note"] == 'a "ring"\nhere, grün'
    assert last["faults"] == "other; artefact"
    assert (last["mark_y"], last["mark_x"], last["seconds"]) == ("2.5", "3", "1.50")
    assert last["mask_sha256"] == "1" * 64


def test_a_hidden_csv_holds_nothing_that_tells_the_masks_apart(
    open_file: Open, fill: Fill, folder: Path, tmp_path: Path, masks: tuple[MaskRef, ...]
) -> None:
    fill(open_file(), [1, 2], masks=masks, plan=Plan(blind=True))
    write_rows(read_scores(folder).rows(), tmp_path / "out.csv")
    text = (tmp_path / "out.csv").read_text(encoding="utf-8")
    for mask in masks:
        assert mask.name not in text
        assert mask.sha256 not in text


def test_masks_of_one_name_are_told_apart(
    open_file: Open, fill: Fill, folder: Path, masks: tuple[MaskRef, ...]
) -> None:
    from dataclasses import replace

    same = (masks[0], replace(masks[1], name=masks[0].name))
    fill(open_file(), [1, 2], masks=same, plan=Plan())
    names = {row.mask_name for row in read_scores(folder).rows()}
    assert names == {"quick (11111111)", "quick (22222222)"}


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_a_folder_without_scores_is_empty(name: str, tmp_path: Path) -> None:
    if name == "empty":
        (tmp_path / name).mkdir()
    assert read_scores(tmp_path / name).rows() == ()

"""Masks scored from the command line, without a window."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_xseg.cli import main
from napari_xseg.data.project import Project
from napari_xseg.data.volume import open_volume
from napari_xseg.review.scoring.page import NO_TRUTH

if TYPE_CHECKING:
    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.sample import SamplePaths

Xseg = Callable[..., Any]
Refused = Callable[..., str]
CLASSES = "".join(f"[[classes]]\nvalue = {value}\n" for value in (255, 128, 0))
COMMANDS = ("new", "next", "score", "undo", "end", "summary", "export", "import")


@pytest.fixture
def masks(tiny: SamplePaths, tmp_path: Path) -> list[Path]:
    """The labels as a mask, and a worse one; names that no fingerprint has in it."""
    truth = np.stack([tifffile.imread(path) for path in sorted(tiny.labels.iterdir())])
    paths = [tmp_path / "good.tif", tmp_path / "poor.tif"]
    for path, planes in zip(paths, (truth, np.roll(truth, 5, axis=2)), strict=True):
        tifffile.imwrite(path, planes, photometric="minisblack")
    return paths


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "scan-xseg"
    folder.mkdir()
    return folder


@pytest.fixture
def review(xseg: Xseg, project: Path) -> Xseg:
    """Run a command of `review` as Anna in the project; it must do well. Gives what it said."""

    def run(command: str, *words: object, reviewer: str = "Anna") -> str:
        own = () if command in ("summary", "export", "import") else ("--reviewer", reviewer)
        said = xseg("review", command, *words, "--project", project, *own)
        assert (said.code, said.err) == (0, ""), said
        out: str = said.out
        return out

    return run


@pytest.fixture
def begun(review: Xseg, tiny: SamplePaths, masks: list[Path]) -> str:
    """A session of four slices of one mask; its id."""
    words = ("--images", tiny.images, "--mask", masks[0], "--plan", "nth", "--step", 3)
    facts = json.loads(review("new", *words, "--json"))
    assert facts["items"] == 4
    return str(facts["session"])


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_session_from_its_beginning_to_the_report(
    begun: str, review: Xseg, project: Path, tmp_path: Path
) -> None:
    assert review("next").startswith("item 1 of 4: z = 0, mask good (0 scored)")
    review("score", 1, 4, "--fault", "wrong phase", "--note", "a hole, grün", "--point", "0,4,5")
    assert "(2 of 4 scored)" in review("score", "next", 3, "--fault", "n", "--seconds", 2.5)
    facts = json.loads(review("next", "--json"))
    assert (facts["item"], facts["z"], facts["page"], facts["done"]) == (3, 6, 6, 2)
    review("score", 3, 5, "--box", "6,1,4,2,9")
    assert review("undo") == "taken back: item 3\n"
    review("score", 3, 2)
    review("score", 4, 5)
    assert "all 4 items are scored" in review("next")
    assert json.loads(review("next", "--json"))["item"] is None
    out = review("summary", "--report", tmp_path / "report")
    assert re.search(r"^good +\S+ +Anna +4 +4 +3\.50 ", out, re.MULTILINE)
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert NO_TRUTH in page
    assert NO_TRUTH in " ".join(out.split())
    assert begun in page
    assert read(tmp_path / "report" / "masks.csv")[0]["mean score"] == "3.50"
    review("export", "--out", tmp_path / "scores.csv")
    rows = read(tmp_path / "scores.csv")
    assert [row["score"] for row in rows] == ["4", "3", "2", "5"]
    assert [row["faults"] for row in rows] == ["wrong phase", "noise speckle", "", ""]
    assert rows[0]["note"] == "a hole, grün"
    assert (rows[0]["mark_y"], rows[0]["mark_x"], rows[1]["seconds"]) == ("4", "5", "2.50")
    assert [path.suffix for path in (project / "reviews").iterdir()] == [".sqlite"]


def test_the_images_are_those_of_the_project(
    xseg: Xseg, tiny: SamplePaths, masks: list[Path], tmp_path: Path, table: ClassTable
) -> None:
    folder = tmp_path / "whole-xseg"
    image = {"path": str(tiny.images)}
    shape = open_volume(tiny.images).shape
    opened = Project.create(folder, image=image, shape=shape, classes=table)
    words = ("--project", folder, "--mask", masks[0], "--reviewer", "Anna")
    assert xseg("review", "new", *words).code == 0  # though the project is open elsewhere
    opened.close()
    found = xseg("review", "next", "--project", folder / "project.toml", "--json")
    assert json.loads(found.out)["images"] == str(tiny.images)


@pytest.fixture
def table() -> ClassTable:
    from napari_xseg.data.classes import ClassTable

    return ClassTable.from_values([0, 128, 255])


def test_a_blind_session_names_no_mask_before_its_end(
    review: Xseg, xseg: Xseg, tiny: SamplePaths, masks: list[Path], project: Path, tmp_path: Path
) -> None:
    words = ["--images", tiny.images, "--blind", "--repeats", 0.25, "--apart", 2]
    said = [review("new", *words, "--mask", masks[0], "--mask", masks[1])]
    assert "30 items, every slice, blind, 25 % asked twice" in said[0]
    shown: list[str] = []
    for _ in range(29):
        facts = json.loads(review("next", "--json"))
        shown.append(facts["mask"])
        assert facts["mask_path"] is None
        said.append(review("score", "next", 5 if facts["mask"] == "A" else 2))
    assert set(shown) == {"A", "B"}
    words = ["--project", project, "--report", tmp_path / "report"]
    said.append(xseg("review", "summary", *words).out)
    said.append((tmp_path / "report" / "report.html").read_text(encoding="utf-8"))
    for text in said[1:]:
        assert "good" not in text
        assert "poor" not in text
    assert "A blind session is under way" in said[-1]
    ended = review("end")
    first, second = re.search(r"the masks were: (\w+), (\w+)", ended).groups()  # type: ignore[union-attr]
    out = review("summary")
    assert re.search(rf"^{first} .* 5\.00 ", out, re.MULTILINE)
    assert re.search(rf"^{second} .* 2\.00 ", out, re.MULTILINE)
    assert f"{first} is scored higher" in out


def test_suspects_are_gone_through_from_a_list(
    review: Xseg, tiny: SamplePaths, masks: list[Path], tmp_path: Path
) -> None:
    listed = tmp_path / "suspects.csv"
    listed.write_text(
        "rank,kind,strength,z,y,x,y_start,y_stop,x_start,x_stop\n1,hole,0.9,7,10.5,20,8,13,18,23\n"
        "2,fragment,0.5,2,3,4,,,,\n3,hole,0.1,1,1,1,,,,\n",
        encoding="utf-8",
    )
    words = ("--images", tiny.images, "--mask", masks[0], "--plan", "suspects", "--count", 2)
    assert "2 items" in review("new", *words, "--suspects", listed)
    assert review("next").startswith("item 1 of 2: z = 7, y = 10, x = 20, hole, mask good")
    assert json.loads(review("next", "--json"))["place"]["box"] == [8, 13, 18, 23]
    review("score", "next", 1)
    assert "good, suspects" in review("summary")


def test_own_kinds_of_fault(review: Xseg, tiny: SamplePaths, masks: list[Path]) -> None:
    words = ("--images", tiny.images, "--mask", masks[0])
    review("new", *words, "--faults", "c=crack, r=ring")
    review("score", 1, 2, "--fault", "R", "--fault", "crack")
    assert re.search(r"^good +ring +1 ", review("summary"), re.MULTILINE)


@pytest.fixture
def elsewhere(begun: str, review: Xseg, project: Path, tmp_path: Path) -> Path:
    """A copy of Anna's file that says 5 where it says 2 here."""
    review("score", 1, 2)
    (file,) = (project / "reviews").iterdir()
    away = tmp_path / "away"
    (away / "reviews").mkdir(parents=True)
    copied = Path(shutil.copy(file, away / "reviews"))
    words = ["review", "score", "1", "5", "--project", str(away)]
    assert main(words) == 0
    return copied


def test_an_import_lists_conflicts_and_asks(
    elsewhere: Path, xseg: Xseg, review: Xseg, project: Path, tmp_path: Path
) -> None:
    said = xseg("review", "import", elsewhere, "--project", project)
    assert said.code == 2
    assert said.out == "z = 0, good: here 2, in the other file 5\n"
    assert said.err.count("\n") == 1
    for choice, scores in (("keep", ["2"]), ("both", ["2", "5"]), ("take", ["5", "5"])):
        review("import", elsewhere, "--conflicts", choice)
        review("export", "--out", tmp_path / "all.csv", "--overwrite")
        assert [row["score"] for row in read(tmp_path / "all.csv")] == scores
    assert "Agreement between reviewers" in review("summary")


def test_scores_of_another_mask_are_refused(
    elsewhere: Path, refused: Refused, review: Xseg, project: Path, tmp_path: Path,
    tiny: SamplePaths, masks: list[Path],
) -> None:  # fmt: skip
    other = tmp_path / "other"
    other.mkdir()
    words = ["review", "new", "--project", other, "--images", tiny.images, "--mask", masks[1]]
    assert main([str(word) for word in [*words, "--reviewer", "bert"]]) == 0
    file = other / "reviews" / "bert.sqlite"
    line = refused("review", "import", file, "--project", project)
    assert "scores the mask poor" in line
    assert "none of those of this project" in line
    more = ("--mask", masks[1], "--images", tiny.images)
    assert "0 scores and 1 session of bert" in review("import", file, *more)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["score", "9", "4"], "items 1 to 4, found 9"),
        (["score", "two", "4"], "expected a number"),
        (["score", "1", "6"], "1..5"),
        (["score", "1", "4", "--fault", "ugly"], "none of the session's kinds"),
        (["score", "1", "4", "--point", "1,2"], "expected 3 numbers"),
        (["score", "1", "4", "--box", "1,5,5,2,3"], "is empty"),
        (["score", "1", "4", "--point", "99,2,3"], "lies outside of"),
        (["score", "1", "4", "--box", "1,1,9999,2,3"], "goes beyond it"),
        (["score", "1", "4", "--point", "1,2,3", "--box", "1,1,2,1,2"], "one mark"),
        (["score", "1", "4", "--session", "zzz"], "has 0 of that name"),
        (["next", "--reviewer", "bert"], "has no scores of bert, but of Anna"),
        (["summary"], "nothing is scored yet"),
        (["summary", "--session", "zzz"], "--session zzz"),
        (["import", "absent.sqlite"], "absent.sqlite: does not exist"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str], said: str, begun: str, refused: Refused, project: Path
) -> None:
    assert said in refused("review", *words, "--project", project)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--images", "absent"], "absent: does not exist"),
        ([], "is no project"),
        (["--images", "{images}", "--plan", "suspects"], "give both"),
        (["--images", "{images}", "--blind"], "two or more"),
        (["--images", "{images}", "--faults", "crack"], "expected KEY=NAME"),
        (["--images", "{lis}"], "holds 12 slices and no file beside it"),
        (["--images", "{images}", "--mask", "{images}"], "looks like an image"),
    ],
)
def test_sessions_that_make_no_sense_leave_nothing_behind(
    words: list[str], said: str, refused: Refused, project: Path, tiny: SamplePaths,
    masks: list[Path],
) -> None:  # fmt: skip
    given = [word.format(images=tiny.images, lis=tiny.lis_like) for word in words]
    assert said in refused("review", "new", "--project", project, "--mask", masks[0], *given)
    assert list(project.iterdir()) == []


def test_a_project_without_scores_says_how_to_begin(refused: Refused, project: Path) -> None:
    assert "review new" in refused("review", "next", "--project", project)
    assert "is no folder" in refused("review", "next", "--project", project / "absent")


def test_a_locked_file_is_said_and_the_score_is_not_lost_silently(
    begun: str, refused: Refused, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_xseg.review.scoring.database.BUSY_SECONDS", 0.01)
    (file,) = (project / "reviews").iterdir()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    line = refused("review", "score", 1, 4, "--project", project, "--reviewer", "Anna")
    assert "The score of item 1 is not kept yet" in line
    assert "in use by another program" in line
    other.close()


def test_ones_own_file_that_cannot_be_read_is_not_taken_for_none(
    begun: str, refused: Refused, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_xseg.review.scoring.database.BUSY_SECONDS", 0.01)
    (file,) = (project / "reviews").iterdir()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    words = ("review", "next", "--project", project)
    assert "in use by another program" in refused(*words, "--reviewer", "Anna")
    other.close()
    file.write_bytes(b"broken" * 999)
    assert "is no file of scores" in refused(*words, "--reviewer", "Anna")
    assert f"{file}: is no file of scores" in refused(*words, "--reviewer", "bert")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("a,b\n1,2\n", "its first line is a,b"),
        ("z;y;x\n1;2;3\n", "its first line is z;y;x"),
        ("", "its first line is nothing"),
        ("z,y,x\n1,2,3\n1,nan,3\n", "line 3: found z 1, y nan, x 3"),
        ("z,y,x,strength\n1,2,3,inf\n", "line 2: found"),
        ("z,y,x\n1.5,2,3\n", "line 2: found"),
        ("z,y,x,y_start,y_stop,x_start,x_stop\n1,2,3,9,5,1,4\n", "line 2: found"),
        ("z,y,x\n1,9999,3\n", "lies outside"),
        ("z,y,x\n-1,2,3\n", "lies outside"),
    ],
)
def test_a_list_of_places_that_makes_no_sense_is_refused(
    table: str, said: str, refused: Refused, project: Path, tiny: SamplePaths,
    masks: list[Path], tmp_path: Path,
) -> None:  # fmt: skip
    listed = tmp_path / "list.csv"
    listed.write_text(table, encoding="utf-8")
    given = ("--images", tiny.images, "--mask", masks[0], "--plan", "suspects")
    assert said in refused("review", "new", *given, "--suspects", listed, "--project", project)


def test_a_list_saved_by_another_program_is_read(
    review: Xseg, tiny: SamplePaths, masks: list[Path], tmp_path: Path
) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("z, y, x, strength\r\n1.0, 2, 3,\r\n", encoding="utf-8-sig")
    given = ("--images", tiny.images, "--mask", masks[0], "--plan", "suspects")
    assert "1 item, the top 20 suspects" in review("new", *given, "--suspects", listed)
    assert review("next").startswith("item 1 of 1: z = 1, y = 2, x = 3")


def test_too_few_items_for_the_repeats_is_said(
    review: Xseg, tiny: SamplePaths, masks: list[Path]
) -> None:
    given = ("--images", tiny.images, "--mask", masks[0], "--repeats", 1, "--apart", 50)
    assert re.search(r"only 0 of \d+ items are asked a second time", review("new", *given))
    assert json.loads(review("new", *given, "--json"))["repeats"] == 0


def test_an_export_never_replaces_scores(begun: str, refused: Refused, project: Path) -> None:
    (file,) = (project / "reviews").iterdir()
    before = file.read_bytes()
    words = ("--project", project, "--out", file, "--overwrite")
    assert "is an input of this work" in refused("review", "export", *words)
    assert file.read_bytes() == before


def test_a_damaged_file_of_one_reviewer_does_not_hide_the_others(
    begun: str, review: Xseg, project: Path
) -> None:
    review("score", 1, 4)
    (project / "reviews" / "bert.sqlite").write_bytes(b"broken" * 999)
    out = review("summary")
    assert "warning: " in out
    assert "bert.sqlite" in out
    assert re.search(r"^good .* 4\.00 ", out, re.MULTILINE)


def test_a_volume_without_truth_goes_all_the_way(
    xseg: Xseg, trained: Path, tiny: SamplePaths, project: Path, tmp_path: Path
) -> None:
    mask = tmp_path / "lis.tif"
    words = ["--model", trained, "--images", tiny.lis_like, "--out", mask, "--match-intensity"]
    assert xseg("predict", *words, "--confidence", tmp_path / "sure.tif").code == 0
    own = ("--project", project, "--reviewer", "anna")
    assert xseg("review", "new", *own, "--images", tiny.lis_like, "--mask", mask).code == 0
    for score in (2, 4):
        assert xseg("review", "score", "next", score, *own).code == 0
    said = xseg("review", "summary", "--project", project, "--report", tmp_path / "report")
    assert "Score and confidence" in said.out
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert NO_TRUTH in page
    assert "too few to say" in page


@pytest.mark.parametrize("command", COMMANDS)
def test_the_reference_lists_every_option(command: str, xseg: Xseg, repository: Path) -> None:
    text = (repository / "docs" / "cli.md").read_text(encoding="utf-8")
    section = re.search(rf"^## `review {command}`\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert section is not None
    shown = xseg("review", command, "--help").out
    options = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", shown, re.MULTILINE))
    told = set(re.findall(r"^\| `(--[a-z-]+)", section[1], re.MULTILINE))
    assert told == options - {"--help"}


@pytest.mark.parametrize("words", [("next",), ("score", "next", 3)])
def test_another_mask_in_its_place_is_refused(
    words: tuple[object, ...],
    begun: str,
    refused: Refused,
    masks: list[Path],
    review: Xseg,
    project: Path,
) -> None:
    assert "item 1" in review("next")
    masks[0].write_bytes(masks[1].read_bytes())
    assert "has changed since the session began" in refused(
        "review", *words, "--project", project, "--reviewer", "Anna"
    )
    masks[0].unlink()
    assert "is not there any more" in refused(
        "review", *words, "--project", project, "--reviewer", "Anna"
    )


def test_a_rewritten_mask_that_is_the_same_is_taken(
    begun: str, review: Xseg, masks: list[Path]
) -> None:
    masks[0].write_bytes(masks[0].read_bytes())
    assert "kept: item 1" in review("score", "next", 3)


def test_a_class_table_given_once_holds_for_the_session(
    review: Xseg, tiny: SamplePaths, masks: list[Path], tmp_path: Path
) -> None:
    table = tmp_path / "classes.toml"
    table.write_text("unlabelled = 7\n" + CLASSES, encoding="utf-8")
    words = ("--images", tiny.images, "--mask", masks[0], "--classes", table)
    review("new", *words)
    masks[0].write_bytes(masks[0].read_bytes())
    assert "kept: item 1" in review("score", "next", 3)

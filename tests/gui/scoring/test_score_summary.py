"""What scores say, in the page and in files."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog

from napari_xseg.gui.scoring.conflict_dialog import ConflictDialog
from napari_xseg.review.scoring.reading import read_scores
from napari_xseg.review.scoring.store import ScoreFile
from napari_xseg.review.scoring.values import Score
from tests.gui.hands import when_up
from tests.gui.scoring.bench import LEFT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gui.scoring.bench import Bench

SPACE = Qt.Key.Key_Space


def score_all(bench: Bench, scores: str = "34512345") -> None:
    """Go through a session of eight items."""
    bench.begin()
    for place, score in enumerate(scores):
        bench.press(score, *("w" for _ in range(place % 2)), SPACE)
    assert bench.scorer.opened is None


def write_other(bench: Bench, folder: Path, reviewer: str, score: int) -> Path:
    """A file of a reviewer of the same masks, made elsewhere."""
    session = read_scores(bench.folder).sessions()[-1]
    with ScoreFile.open(folder, reviewer) as file:
        made = file.new_session(session.volume, session.masks, session.plan)
        for item in made.items:
            file.keep(made.uid, item.number, Score(score))
        return file.path


def choose_file(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))


@pytest.mark.usefixtures("slow_typing")
def test_tables_and_pictures(bench: Bench) -> None:
    score_all(bench)
    summary = bench.page.summary
    titles = [summary.chosen.itemText(row) for row in range(summary.chosen.count())]

    assert "mean 3.38" in summary.told.text()
    assert titles[:4] == ["Scores by mask", "How often each score was given", "Faults", "Along z"]
    assert summary.table.item(0, 0).text() == "mask fine of image"
    assert summary.picture.pixmap().width() > 300
    summary.chosen.setFocus()
    bench.qtbot.keyClicks(summary.chosen, "Along")
    assert summary.table.rowCount() == 8
    assert not summary.picture.pixmap().isNull()


def test_nothing_is_scored_yet(bench: Bench) -> None:
    summary = bench.page.summary
    assert "Nothing is scored yet" in summary.told.text()
    assert not summary.buttons["report"].isEnabled()
    assert not summary.table.isVisible()


def test_scores_of_one_session(bench: Bench) -> None:
    score_all(bench, "11111111")
    score_all(bench, "55555555")
    summary = bench.page.summary
    assert "mean 5.00" in summary.told.text()  # the latest of a slice counts
    bench.qtbot.keyClick(summary.session, Qt.Key.Key_End)
    bench.idle()

    assert "mean 1.00" in summary.told.text()


def test_report_and_csv(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score_all(bench)
    buttons = bench.page.summary.buttons
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "out"))
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "scores of Ada"), "")
    )
    assert not buttons["open"].isEnabled()
    bench.click(buttons["report"])
    bench.click(buttons["open"])
    bench.click(buttons["export"])

    assert opened == [str(tmp_path / "out" / "report.html")]
    assert "no truth" in (tmp_path / "out" / "report.html").read_text()
    assert len((tmp_path / "scores of Ada.csv").read_text().splitlines()) == 9


def test_files_are_not_older_than_the_scores(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_all(bench)
    monkeypatch.setattr(bench.page.summing, "refresh", lambda: None)
    write_other(bench, bench.folder, "Ben", 2)
    bench.page.summing.write_csv(tmp_path / "scores.csv")
    bench.idle()
    lines = (tmp_path / "scores.csv").read_text(encoding="utf-8").splitlines()
    assert [line.partition(",")[0] for line in lines] == ["reviewer", *["Ada"] * 8, *["Ben"] * 8]


def test_report_that_cannot_be_written(
    bench: Bench, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    score_all(bench)
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "file"))
    bench.click(bench.page.summary.buttons["report"])

    assert "file" in said[-1]
    assert not bench.page.summary.buttons["open"].isEnabled()


def test_another_reviewer_s_file(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_all(bench)
    choose_file(monkeypatch, write_other(bench, tmp_path / "far", "Grace", 3))
    bench.click(bench.page.summary.buttons["import"])

    assert [file.reviewer for file in read_scores(bench.folder).files] == ["Ada", "Grace"]
    chosen = bench.page.summary.chosen
    assert chosen.findText("Agreement between reviewers") >= 0


def test_sessions_that_an_import_ends_are_told(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(bench.session, "notify", said.append)
    bench.begin()
    bench.press("3", Qt.Key.Key_Escape)
    (mine,) = read_scores(bench.folder).files
    (tmp_path / "far").mkdir()
    path = shutil.copy(mine.path, tmp_path / "far")
    with ScoreFile.open(tmp_path / "far", "Ada") as file:
        file.end(mine.sessions[0].uid)
    choose_file(monkeypatch, path)
    bench.click(bench.page.summary.buttons["import"])

    assert "1 session was ended here, as the file says." in said[-1]
    assert read_scores(bench.folder).sessions()[0].closed is not None


def test_sessions_of_one_day_are_told_apart(bench: Bench) -> None:
    for _ in range(2):
        bench.begin()
        bench.press("3", Qt.Key.Key_Escape)
    names = [bench.page.sessions.list.topLevelItem(row).text(0) for row in range(2)]
    choice = bench.page.summary.session
    listed = [choice.itemText(row) for row in range(1, choice.count())]

    assert len(set(names)) == 2
    assert listed == [f"Ada: {name}" for name in names]


@pytest.mark.parametrize(
    ("answer", "expected"), [("keep", {"Ada": 3}), ("take", {"Ada": 2}), ("both", None), (None, {})]
)
def test_conflicts(
    bench: Bench,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str | None,
    expected: dict[str, int] | None,
) -> None:
    score_all(bench, "33333333")
    choose_file(monkeypatch, write_other(bench, tmp_path / "far", "Ada", 2))
    listed: list[int] = []

    def click(dialog: ConflictDialog) -> None:
        listed.append(dialog.list.count())
        if answer is None:
            dialog.reject()
        else:
            bench.qtbot.mouseClick(dialog.buttons[answer], LEFT)

    when_up(ConflictDialog, click)
    bench.click(bench.page.summary.buttons["import"])
    bench.until(lambda: listed)
    bench.idle()

    assert listed == [8]
    files = read_scores(bench.folder).files
    if expected is None:
        assert [file.reviewer for file in files] == ["Ada", "Ada (2)"]
    else:
        assert [file.reviewer for file in files] == ["Ada"]
        mean = "mean 2.00" if expected.get("Ada") == 2 else "mean 3.00"
        assert mean in bench.page.summary.told.text()

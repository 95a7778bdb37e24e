"""What can go wrong while masks are scored: it is said, and no score is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_xseg.data.volume import volume_from_array
from napari_xseg.data.writing import save_volume
from napari_xseg.gui.scoring import preparing
from napari_xseg.review.scoring import database, store
from napari_xseg.review.scoring.values import Score

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gui.scoring.bench import Bench

SPACE, ESCAPE = Qt.Key.Key_Space, Qt.Key.Key_Escape


@pytest.fixture
def told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the session tells the user."""
    words: list[str] = []
    for name in ("notify", "warn"):
        monkeypatch.setattr(bench.session, name, words.append)
    monkeypatch.setattr(bench.session, "show_error", lambda error: words.append(str(error)))
    return words


def change(path: Any) -> None:
    """Write other values into a mask file."""
    values = tifffile.imread(path)
    values[:, :20, :20] = 255
    tifffile.imwrite(path, values, photometric="minisblack")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A disk that is full while the list is not empty."""
    is_full: list[bool] = []
    real = store.records.insert_score

    def insert(*args: Any, **options: Any) -> Any:
        if is_full:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return real(*args, **options)

    monkeypatch.setattr(store.records, "insert_score", insert)
    return is_full


def test_full_disk_keeps_the_score_to_be_tried_again(
    bench: Bench, told: list[str], full: list[bool]
) -> None:
    bench.begin()
    full.append(True)
    bench.press("4", "w", SPACE)

    assert bench.item.number == 1
    assert bench.page.running.scores[4].isChecked()
    assert "disk is full" in bench.page.running.trouble.text()
    assert "Space tries again" in bench.page.running.trouble.text()
    assert any("disk is full" in text for text in told)

    full.clear()
    bench.press(SPACE)
    assert bench.item.number == 2
    assert bench.on_disk()[1].score == 4
    assert bench.on_disk()[1].faults == ("wrong phase",)
    assert bench.page.running.trouble.isHidden()


def test_leaving_with_a_full_disk_takes_two_escapes(
    bench: Bench, told: list[str], full: list[bool]
) -> None:
    bench.begin()
    full.append(True)
    bench.press("4", ESCAPE)
    assert bench.scorer.opened is not None
    assert "once more" in bench.page.running.trouble.text()
    bench.press(ESCAPE)
    assert bench.scorer.opened is None

    full.clear()
    bench.click(bench.page.sessions.go_on)
    assert bench.page.running.scores[4].isChecked()  # remembered, and kept with the next step
    bench.press(SPACE)
    assert bench.on_disk()[1].score == 4


def test_locked_database(bench: Bench, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    bench.begin()
    (path,) = bench.folder.glob("*.sqlite")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    bench.press("2")
    assert "in use by another program" in bench.page.running.trouble.text()

    other.execute("ROLLBACK")
    other.close()
    bench.press(SPACE)
    assert bench.on_disk()[1].score == 2


def test_project_deleted(bench: Bench, told: list[str]) -> None:
    bench.begin()
    bench.press("2", SPACE)
    shutil.rmtree(bench.folder.parent)
    bench.press("3", SPACE)

    assert bench.item.number == 2
    assert "Nothing is lost" in bench.page.running.trouble.text()
    bench.press(ESCAPE, ESCAPE)
    assert bench.scorer.opened is None


def test_mask_changed_during_a_session(bench: Bench, told: list[str]) -> None:
    bench.begin()
    bench.press("2", SPACE)
    change(bench.page.scorer.opened.session.masks[0].path)
    bench.press("3", SPACE)

    assert bench.item.number == 2
    assert list(bench.on_disk()) == [1]
    assert "has changed since the session began" in bench.page.running.trouble.text()


def test_mask_changed_before_going_on(bench: Bench, told: list[str]) -> None:
    bench.begin()
    bench.press("2", ESCAPE)
    change(bench.page.begin.chosen()[0].path)
    bench.click(bench.page.sessions.go_on)

    assert bench.scorer.opened is None
    assert "has changed since the session began" in told[-1]


def test_blind_fault_names_no_file(bench: Bench, told: list[str]) -> None:
    bench.tick_all()
    bench.click(bench.page.begin.blind)
    bench.begin()
    for path in bench.paths:
        change(path)
    bench.press("3")

    said = [*told, bench.page.running.trouble.text()]
    assert "has changed" in said[-1]
    assert not [text for text in said if "fine" in text or "noisy" in text]


def test_layer_deleted_during_a_session(bench: Bench, told: list[str]) -> None:
    bench.begin()
    bench.session.layers.remove(*bench.scored_layers(), *bench.masks)
    bench.idle()
    assert bench.shown().any()
    bench.press("3", SPACE)

    assert bench.on_disk()[1].score == 3
    assert bench.shown().any()


def test_image_deleted_leaves_the_session(bench: Bench, told: list[str]) -> None:
    bench.begin()
    bench.press("3")
    bench.session.layers.remove(bench.session.image)
    bench.idle()

    assert bench.scorer.opened is None
    assert not bench.page.keys.taking
    assert "image or its project was changed" in told[-1]
    assert bench.on_disk()[1].score == 3


def test_going_on_with_another_image(bench: Bench, told: list[str]) -> None:
    bench.begin()
    bench.press("3", ESCAPE)
    folder, (uid,) = bench.folder, [one.uid for one in bench.page.sessions._sessions.values()]
    other = bench.viewer.add_image(np.ones((8, 96, 128), np.uint16), name="other")
    bench.session.set_image(other)
    bench.idle()
    bench.scorer.go_on(folder, "Ada", uid)
    bench.idle()

    assert bench.scorer.opened is None
    assert "is not the image of this session" in told[-1]


def test_session_in_a_second_window(bench: Bench, told: list[str]) -> None:
    bench.begin()
    with store.ScoreFile.open(bench.folder, "Ada") as file:
        file.keep(bench.scorer.opened.session.uid, 2, Score(5, note="elsewhere"))
    bench.press("4", SPACE)

    assert bench.page.running.scores[5].isChecked()
    assert bench.page.running.note.text() == "elsewhere"
    assert {number: one.score for number, one in bench.on_disk().items()} == {1: 4, 2: 5}


def test_file_of_somebody_else_in_the_way(bench: Bench, told: list[str]) -> None:
    bench.folder.mkdir(exist_ok=True)
    bench.page.begin.reviewer.setText("ada")
    (bench.folder / "ada.sqlite").write_bytes(b"no database at all" * 100)
    bench.click(bench.page.begin.begin)

    assert bench.scorer.opened is None
    assert "ada.sqlite" in told[-1]
    assert bench.page.begin.begin.text() == "&Begin"


def test_mask_that_does_not_fit(bench: Bench, told: list[str], monkeypatch: Any) -> None:
    path = bench.folder.parent.parent / "small.tif"
    tifffile.imwrite(path, np.zeros((8, 9, 9), np.uint8), photometric="minisblack")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    bench.click(bench.page.begin.file)
    bench.tick_all()
    bench.click(bench.page.begin.begin)

    assert bench.scorer.opened is None
    assert "9 x 9" in told[-1]


def test_an_added_mask_is_not_offered_for_another_image(bench: Bench, monkeypatch: Any) -> None:
    path = bench.folder.parent.parent / "added.tif"
    tifffile.imwrite(path, np.zeros((8, 96, 128), np.uint8), photometric="minisblack")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    bench.click(bench.page.begin.file)
    assert path in {mask.path for mask in bench.page._offered()}

    other = bench.viewer.add_image(np.ones((8, 96, 128), np.uint16), name="other")
    bench.session.set_image(other)
    assert path not in {mask.path for mask in bench.page._offered()}


def test_no_suspects(bench: Bench, told: list[str]) -> None:
    bench.qtbot.keyClick(bench.page.begin.kind, Qt.Key.Key_End)
    bench.click(bench.page.begin.begin)

    assert bench.scorer.opened is None
    assert "nobody has looked for suspects" in told[-1]


def test_window_closes_during_a_session(bench: Bench) -> None:
    bench.begin()
    bench.press("3")
    bench.session.close()
    bench.idle()

    assert not bench.page.keys.taking
    assert bench.on_disk()[1].score == 3


def zarr_copy(path: Path) -> Path:
    """The same mask as a Zarr, with the file beside it."""
    out = path.with_name("20260101-130000-chunks.zarr")
    save_volume(out, volume_from_array(tifffile.imread(path), "chunks"))
    shutil.copy(f"{path}.json", f"{out}.json")
    return out


def a_chunk(mask: Path) -> Path:
    """A file of a Zarr mask that is far below its folder, and holds values."""
    return max(mask.rglob("*"), key=lambda one: (len(one.parts), one.is_file(), one.name))


@pytest.mark.parametrize("kept", ["date", "size"])
def test_a_chunk_of_a_zarr_that_changes_during_a_session(
    bench: Bench, told: list[str], kept: str
) -> None:
    mask = zarr_copy(bench.paths[0])
    for path in bench.paths:
        path.unlink()
    bench.session.layers.remove(*bench.masks)
    bench.idle()
    bench.begin()
    assert bench.scorer.opened is not None
    assert bench.scorer.opened.session.masks[0].path == str(mask)
    bench.press("2", SPACE)
    chunk = a_chunk(mask)
    before = chunk.stat()
    if kept == "size":
        chunk.write_bytes(bytes(byte ^ 0xFF for byte in chunk.read_bytes()))
    else:
        chunk.unlink()  # a chunk that is not there is blank
        os.utime(chunk.parent, ns=(before.st_atime_ns, before.st_mtime_ns))
    bench.press("3", SPACE)

    assert list(bench.on_disk()) == [1]
    assert bench.item.number == 2
    assert bench.scorer.draft.score == 3
    words = bench.page.running.trouble.text()
    assert str(mask) in words
    assert "Nothing is lost" in words


def test_a_mask_that_is_put_back_is_scored_again(bench: Bench, told: list[str]) -> None:
    mask = zarr_copy(bench.paths[0])
    for path in bench.paths:
        path.unlink()
    bench.session.layers.remove(*bench.masks)
    bench.idle()
    bench.begin()
    chunk = a_chunk(mask)
    content = chunk.read_bytes()
    chunk.unlink()
    bench.press("3")
    assert bench.on_disk() == {}
    chunk.write_bytes(content)
    bench.press(SPACE)

    assert bench.on_disk()[1].score == 3
    assert bench.item.number == 2


def test_a_mask_that_changes_while_it_is_read_for_a_session(
    bench: Bench, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = preparing.mask_ref

    def ref(path: Path, *args: Any, **options: Any) -> Any:
        made = real(path, *args, **options)
        change(path)
        return made

    monkeypatch.setattr(preparing, "mask_ref", ref)
    bench.begin()
    bench.press("3")
    assert bench.on_disk() == {}
    assert "has changed since the session began" in bench.page.running.trouble.text()

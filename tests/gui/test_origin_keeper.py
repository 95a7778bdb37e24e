from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.label_origins import ORIGINS_FILE, Origin, Origins
from napari_xseg.gui.label.label_dock import LabelDock
from tests.gui.label_hands import click

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.gui.session import Session


@pytest.fixture
def folder(session: Session, tmp_path: Path) -> Path:
    """Where the project lies, with labels in it."""
    session.move_project(tmp_path / "scan-xseg")
    session.new_labels()
    return tmp_path / "scan-xseg"


def kinds(folder: Path, z: int) -> list[str]:
    return [one.kind for one in Origins.open(folder, read_only=True).of(z)]


def test_strokes_are_noted_once(session: Session, folder: Path, wait_idle: Any) -> None:
    session.go_to(3)
    assert session.labels is not None
    for x in (10, 20, 30):
        session.labels.paint((3, 40, x), 1)
    wait_idle(session)
    assert kinds(folder, 3) == ["painted"]


def test_what_is_made_by_an_edit_is_not_painted(
    session: Session, folder: Path, wait_idle: Any
) -> None:
    session.go_to(2)
    assert session.labels is not None
    with session.origins.noting(2, Origin("corrected", at="suspect")):
        session.layers.edit_slice(session.labels, 2, np.ones((96, 128), np.uint8))
    with session.origins.noting(2, Origin("accepted", mask="mask.zarr")):
        pass
    wait_idle(session)
    assert kinds(folder, 2) == ["corrected", "accepted"]
    assert session.origins.counts([2, 5]) == {"accepted": 1, "corrected": 1, "unknown": 1}
    with session.origins.noting(2, None):
        pass
    wait_idle(session)
    assert kinds(folder, 2) == []


def test_each_project_has_its_own(
    session: Session, folder: Path, tmp_path: Path, wait_idle: Any
) -> None:
    session.origins.note(1, Origin("painted"))
    wait_idle(session)
    session.move_project(tmp_path / "other-xseg")
    session.origins.note(1, Origin("painted"))
    wait_idle(session)
    assert kinds(folder, 1) == kinds(tmp_path / "other-xseg", 1) == ["painted"]


def test_a_damaged_file_is_told_and_set_aside(
    session: Session, folder: Path, tmp_path: Path, said: list[str], wait_idle: Any
) -> None:
    session.move_project(tmp_path / "other-xseg")
    (folder / ORIGINS_FILE).write_text("{", encoding="utf-8")
    session.move_project(folder)
    assert any("where labels came from cannot be read" in words for words in said)
    session.origins.note(1, Origin("painted"))
    wait_idle(session)
    assert kinds(folder, 1) == ["painted"]


def test_a_prefilled_slice_says_so(
    session: Session, folder: Path, qtbot: Any, wait_idle: Any, show_dock: Any
) -> None:
    dock = show_dock(LabelDock)
    session.go_to(4)
    dock.fold.set_open(True)
    qtbot.waitUntil(lambda: dock.prefill.prefill.mask_at(4) is not None, timeout=20_000)
    click(qtbot, dock.prefill.apply)
    wait_idle(session)
    assert kinds(folder, 4) == ["prefilled"]

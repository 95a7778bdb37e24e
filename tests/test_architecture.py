from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def test_every_file_that_the_architecture_names_exists(repository: Path) -> None:
    text = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:[\w-]+/)*([\w-]+\.\w+)`", text))
    there = {path.name for path in repository.rglob("*") if ".venv" not in path.parts}
    assert len(named) > 15
    assert named <= there


@pytest.mark.parametrize("house", ["napari_xseg", "napari_xseg/gui", "napari_xseg/data"])
def test_every_room_is_described(repository: Path, house: str) -> None:
    text = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = [path for path in (repository / house).iterdir() if path.is_dir()]
    missing = [room.name for room in rooms if f"`{room.name}/`" not in text]
    assert [name for name in missing if name != "__pycache__"] == []


@pytest.mark.parametrize(
    "room",
    [
        *("gui", "jobs", "experiments", "training", "prediction", "model", "data"),
        *("review", "review/suspects", "review/scoring"),
    ],
)
def test_every_file_of_a_room_is_described(repository: Path, room: str) -> None:
    text = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    files = [path.name for path in (repository / "napari_xseg" / room).glob("*.py")]
    assert [name for name in files if f"`{name}`" not in text and name != "__init__.py"] == []

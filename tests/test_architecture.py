from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def test_every_file_that_the_architecture_names_exists(repository: Path) -> None:
    text = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:[\w-]+/)*([\w-]+\.\w+)`", text))
    there = {path.name for path in repository.rglob("*") if ".venv" not in path.parts}
    assert len(named) > 15
    assert named <= there


def test_every_room_is_described(repository: Path) -> None:
    text = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = [path for path in (repository / "napari_xseg").iterdir() if path.is_dir()]
    missing = [room.name for room in rooms if f"`{room.name}/`" not in text]
    assert [name for name in missing if name != "__pycache__"] == []

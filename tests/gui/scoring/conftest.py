"""A Score page on a small image with two masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.gui.scoring.bench import Bench

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.gui.session import Session


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def bench(session: Session, truth: Any, tmp_path: Path, qtbot: Any) -> Bench:
    return Bench(session, truth, tmp_path, qtbot)

"""A Suspects page on a mask on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.gui.suspects.bench import Bench

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.gui.session import Session


@pytest.fixture
def bench(session: Session, tmp_path: Path, qtbot: Any) -> Bench:
    return Bench(session, tmp_path, qtbot)

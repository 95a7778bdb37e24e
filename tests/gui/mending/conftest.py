"""A Suspects page with a suspect that is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.gui.suspects.bench import Bench, keep, suspects_at

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.gui.session import Session


@pytest.fixture
def bench(session: Session, tmp_path: Path, qtbot: Any) -> Bench:
    made = Bench(session, tmp_path, qtbot)
    keep(made.path, suspects_at((2, "fragment"), (5, "hole")))
    made.open()
    made.row(0)
    made.wait()
    return made

"""A Score page on a small image with two masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtWidgets import QApplication

from tests.gui.scoring.bench import Bench
from tests.limits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_xseg.gui.session import Session


@pytest.fixture
def slow_typing() -> Iterator[None]:
    """Letters are one word, however slowly they come."""
    before = QApplication.keyboardInputInterval()
    QApplication.setKeyboardInputInterval(1000 * round(PATIENCE))
    yield
    QApplication.setKeyboardInputInterval(before)


@pytest.fixture
def bench(session: Session, truth: Any, tmp_path: Path, qtbot: Any) -> Bench:
    return Bench(session, truth, tmp_path, qtbot)

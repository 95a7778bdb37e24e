"""A Review dock on a mask with known mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.gui.review.desk import Desk

if TYPE_CHECKING:
    from napari_xseg.gui.session import Session


@pytest.fixture
def desk(session: Session, truth: Any, qtbot: Any) -> Desk:
    return Desk(session, truth, qtbot)

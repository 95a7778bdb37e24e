"""What SQLite says, in words."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from napari_xseg.errors import XsegError
from napari_xseg.review.scoring.database import saying

if TYPE_CHECKING:
    from pathlib import Path


def test_any_fault_of_the_disk_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(XsegError, match="cannot be read or written"), saying(tmp_path / "anna"):
        raise sqlite3.OperationalError("out of memory")


def test_a_mistake_of_ours_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.ProgrammingError), saying(tmp_path / "anna"):
        raise sqlite3.ProgrammingError("closed")

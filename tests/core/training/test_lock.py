"""Two trainings never share a run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_xseg.errors import XsegError
from napari_xseg.training.run_folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path


def test_a_locked_folder_refuses_a_second_training(tmp_path: Path) -> None:
    first, second = RunFolder(tmp_path / "run"), RunFolder(tmp_path / "run")
    refused = pytest.raises(XsegError, match="a training is running here")
    with first.locked(), refused, second.locked():
        pass
    with second.locked():
        assert second.path.is_dir()

"""Many files chosen or dropped at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from napari_xseg.errors import XsegError
from napari_xseg.gui.open_files import read_all
from napari_xseg.gui.side_by_side import folder_of_slices

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def slices(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "scan"
    folder.mkdir()
    paths = [folder / f"slice{z:03}.tif" for z in range(5)]
    for z, path in enumerate(paths):
        tifffile.imwrite(path, np.full((8, 9), z, np.uint16))
    (folder / "notes.txt").touch()
    return paths


def test_all_slices_of_a_folder_are_one_volume(slices: list[Path]) -> None:
    (found,), faults = read_all(slices[::-1], None)
    assert not faults
    ((data, options, kind),) = found[1]
    assert (kind, data.shape, options["name"]) == ("image", (5, 8, 9), "scan")


def test_some_of_them_are_not(slices: list[Path]) -> None:
    with pytest.raises(XsegError, match="4 of its 5 images were chosen; drop or open the folder"):
        read_all(slices[:4], None)


def test_two_files_and_stacks_stay_what_they_are(slices: list[Path], tmp_path: Path) -> None:
    assert folder_of_slices(slices[:2]) is None
    stacks = [tmp_path / f"{name}.tif" for name in "abc"]
    for path in stacks:
        tifffile.imwrite(path, np.zeros((3, 8, 9), np.uint16), photometric="minisblack")
    assert folder_of_slices(stacks) is None

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.formats.source import VoxelSize
from napari_xseg.errors import XsegError
from napari_xseg.jobs import (
    ArrayFile,
    share_planes,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "changes", [{"dtype": "O"}, {"dtype": "nonsense"}, {"dtype": "S3"}, {"shape": (0, 4, 5)}]
)
def test_an_array_of_no_numbers_is_refused(changes: dict[str, Any]) -> None:
    values = {"file": "a.raw", "dtype": "<u2", "shape": (3, 4, 5), **changes}
    with pytest.raises(XsegError):
        ArrayFile.from_dict(values)


def test_planes_come_back_as_they_were(tmp_path: Path) -> None:
    array = np.arange(5 * 4 * 3, dtype=">u2").reshape(5, 4, 3)
    size = VoxelSize(2.0, 1.0, 1.0, "um")
    shared = share_planes(
        tmp_path / "a.raw", {4: array[4], 1: array[1]}, 5, name="layer", voxel_size=size
    )
    volume = shared.open()
    assert (volume.name, volume.shape, volume.voxel_size) == ("layer", (5, 4, 3), size)
    np.testing.assert_array_equal(volume.read(1), array[1])
    np.testing.assert_array_equal(volume.read(4), array[4])
    assert volume.has_neighbours
    with pytest.raises(XsegError, match="layer: slice 2 was not given"):
        volume.read(2)


def test_a_memmap_of_the_viewer_is_read_where_it_lies(tmp_path: Path) -> None:
    array = np.random.default_rng(0).random((3, 4, 5), np.float32)
    (tmp_path / "a.raw").write_bytes(b"header" + array.tobytes())
    source = ArrayFile(file=tmp_path / "a.raw", dtype="<f4", shape=(3, 4, 5), offset=6)
    np.testing.assert_array_equal(source.open()[:], array)


def test_labels_and_masks_of_bool_are_shared(tmp_path: Path) -> None:
    array = np.eye(4, dtype=bool)
    volume = share_planes(tmp_path / "a.raw", {0: array}, 1).open("labels")
    np.testing.assert_array_equal(volume.read(0), array.astype(np.uint8))


def test_an_array_file_that_is_gone_or_short_is_named(tmp_path: Path) -> None:
    shared = share_planes(tmp_path / "a.raw", {0: np.zeros((4, 5), np.uint8)}, 1, name="layer")
    (tmp_path / "a.raw").write_bytes(b"short")
    with pytest.raises(XsegError, match=r"layer: .*a\.raw"):
        shared.open()
    (tmp_path / "a.raw").unlink()
    with pytest.raises(XsegError, match=r"layer: .*a\.raw"):
        shared.open()


def test_planes_of_two_kinds_and_none_at_all_are_refused(tmp_path: Path) -> None:
    planes = {0: np.zeros((4, 5)), 1: np.zeros((4, 6))}
    with pytest.raises(XsegError, match="slice 1"):
        share_planes(tmp_path / "a.raw", planes, 2)
    with pytest.raises(XsegError, match="no slice"):
        share_planes(tmp_path / "a.raw", {}, 2)
    assert list(tmp_path.iterdir()) == []

"""The real scans."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from napari_xseg.data.volume import hash_source, open_label_volume, open_volume
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.realdata


def test_soc_images(soc_dir: Path) -> None:
    volume = open_volume(soc_dir / "data")
    assert volume.shape == (200, 501, 501)
    assert volume.dtype == np.uint16
    # Their tag says 72 dpi, a screen's.
    assert volume.voxel_size is None
    assert volume.numbers == tuple(range(1, 201))
    assert volume.neighbour(0, 2) == 2
    assert volume.warnings == ()
    plane = volume.read(117)
    np.testing.assert_array_equal(plane, tifffile.imread(volume.files[117]))
    assert 20000 < plane.mean() < 45000
    volume.check()


def test_soc_labels(soc_dir: Path) -> None:
    volume = open_label_volume(soc_dir / "labels")
    assert volume.shape == (200, 501, 501)
    assert volume.dtype == np.uint8
    assert volume.numbers == tuple(range(1, 201))
    assert np.unique(volume.read(12)).tolist() == [0, 128, 255]


def test_soc_folder_says_where_the_images_are(soc_dir: Path) -> None:
    with pytest.raises(XsegError, match="give one of data, labels"):
        open_volume(soc_dir)


def test_lis(lis_dir: Path) -> None:
    volume = open_volume(lis_dir)
    assert volume.shape == (6, 702, 759)
    assert volume.dtype == np.float32
    assert volume.dtype.isnative
    assert volume.numbers == tuple(range(1316, 1322))
    assert volume.slice_names[0] == "Slice_ 1316.tif"
    plane = volume.read(0)
    assert -1.0 < plane.min() < -0.3
    assert plane.max() < 1.5
    with pytest.raises(XsegError, match="whole numbers"):
        open_label_volume(lis_dir)


def test_hashes_stay_the_same(lis_dir: Path) -> None:
    first = hash_source(open_volume(lis_dir))
    assert first == hash_source(open_volume(str(lis_dir)))
    assert len(first) == 64

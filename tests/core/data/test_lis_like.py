from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_xseg.data.lis_like import AXIS, lis_like, lis_like_slices
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    return lis_like((3, 512, 512), seed=0)


IN_PLANE = ndimage.generate_binary_structure(2, 1)[np.newaxis]


def describe(volume: np.ndarray) -> dict[str, float]:
    """Figures that say whether two such volumes look alike."""
    bright = ndimage.gaussian_filter(volume, (0, 1, 1)) > 0.24
    matrix = volume[~ndimage.binary_dilation(bright, IN_PLANE, iterations=3)]
    inside = volume[ndimage.binary_erosion(bright, IN_PLANE, iterations=2)]
    return {
        "bright share": float(bright.mean()),
        "matrix mean": float(matrix.mean()),
        "matrix deviation": float(matrix.std()),
        "particle mean": float(inside.mean()),
        "particle deviation": float(inside.std()),
    }


def ring_strength(plane: np.ndarray, centre: tuple[float, float]) -> float:
    """Deviation between means over neighbouring circles about `centre`, of radius 5 to 60."""
    y, x = np.indices(plane.shape)
    radius = np.hypot(y - centre[0], x - centre[1]).astype(int).ravel()
    means = np.bincount(radius, plane.ravel()) / np.bincount(radius)
    return float(np.diff(means[5:60]).std())


def test_type_and_range(volume: np.ndarray) -> None:
    assert volume.dtype == np.float32
    assert volume.shape == (3, 512, 512)
    assert -0.9 < volume.min() < -0.2
    assert 0.6 < volume.max() < 1.0
    assert (volume < 0).mean() > 0.2


def test_rings_lie_about_the_axis_and_nowhere_else(volume: np.ndarray) -> None:
    mean = volume.mean(axis=0)
    axis = (AXIS[0] * 512, AXIS[1] * 512)
    elsewhere = [ring_strength(mean, (y, x)) for y in (100, 400) for x in (100, 420)]
    assert ring_strength(mean, axis) > 1.4 * max(elsewhere)


def test_same_seed_same_volume_other_seed_another() -> None:
    first, again, other = (lis_like((2, 48, 40), seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.01


@settings(max_examples=12)
@given(st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40)), st.integers(0, 2**40))
def test_any_size_and_seed(shape: tuple[int, int, int], seed: int) -> None:
    volume = lis_like(shape, seed)
    assert volume.shape == shape
    assert np.isfinite(volume).all()


def test_bad_requests_are_refused() -> None:
    with pytest.raises(XsegError, match="lis-like phantom: shape"):
        next(lis_like_slices((1, 0, 8)))


@pytest.mark.realdata
def test_it_resembles_the_scan(lis_dir: Path) -> None:
    paths = sorted(lis_dir.iterdir())[::2]
    scan = np.stack([tifffile.imread(path) for path in paths]).astype(np.float32)
    found, wanted = describe(lis_like((3, 702, 759), seed=0)), describe(scan)
    assert found["bright share"] == pytest.approx(wanted["bright share"], abs=0.04)
    assert found["matrix mean"] == pytest.approx(wanted["matrix mean"], abs=0.03)
    assert found["matrix deviation"] == pytest.approx(wanted["matrix deviation"], rel=0.25)
    assert found["particle mean"] == pytest.approx(wanted["particle mean"], rel=0.1)
    assert found["particle deviation"] == pytest.approx(wanted["particle deviation"], rel=0.25)

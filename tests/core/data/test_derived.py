from __future__ import annotations

import numpy as np
import pytest

from napari_xseg.data.derived import as_dtype, joined_volume, noisy_volume
from napari_xseg.data.volume import volume_from_array
from napari_xseg.errors import XsegError

RNG = np.random.default_rng(0)


def test_noise_has_the_sd_asked_for_and_stays_in_the_dtype() -> None:
    images = volume_from_array(np.full((3, 200, 200), 30_000, np.uint16))
    noisy = noisy_volume(images, 500.0, seed=4)
    assert noisy.dtype == np.uint16
    plane = noisy.read(1)
    assert plane.std() == pytest.approx(500, rel=0.02)
    assert plane.mean() == pytest.approx(30_000, abs=10)
    np.testing.assert_array_equal(plane, noisy_volume(images, 500.0, seed=4).read(1))
    assert (plane != noisy.read(2)).any()
    assert (plane != noisy_volume(images, 500.0, seed=5).read(1)).any()


@pytest.mark.parametrize("dtype", ["u1", "i2", "u8", "f4"])
def test_noise_is_clipped_and_never_wraps(dtype: str) -> None:
    top = 250 if dtype == "u1" else np.iinfo(dtype).max if dtype != "f4" else 1.0
    images = volume_from_array(np.full((1, 64, 64), top, dtype))
    noisy = noisy_volume(images, 20.0).read(0)
    assert noisy.dtype == np.dtype(dtype)
    assert noisy.astype(float).min() > 0.9 * float(top) - 100


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("uint16", [0, 0, 1, 65535]),
        ("int16", [-5, 0, 1, 32767]),
        ("float32", [-5, 0.4, 1.4, 1e6]),
        ("int64", [-5, 0, 1, 10**6]),
    ],
)
def test_counts_are_clipped_and_rounded_to_the_dtype(dtype: str, expected: list[float]) -> None:
    found = as_dtype(np.array([-5, 0.4, 1.4, 1e6]), dtype)
    assert found.dtype == dtype
    assert found.tolist() == pytest.approx(expected)


def test_the_largest_64_bit_counts_do_not_wrap() -> None:
    assert as_dtype(np.array([1e30]), "int64")[0] > 2**62


def test_no_noise_is_the_volume_itself() -> None:
    images = volume_from_array(np.zeros((1, 4, 4)))
    assert noisy_volume(images, 0.0) is images
    with pytest.raises(XsegError, match="0 or more"):
        noisy_volume(images, -1.0)


def test_joined_volumes_are_no_neighbours() -> None:
    first = volume_from_array(RNG.integers(0, 9, (3, 4, 5), np.uint8), "a")
    second = volume_from_array(RNG.integers(0, 9, (2, 4, 5), np.uint8), "b")
    both = joined_volume(first, second)
    np.testing.assert_array_equal(both[:], np.concatenate([first[:], second[:]]))
    assert both.neighbour(2, 1) == 2
    assert both.neighbour(3, -1) == 3
    assert both.runs == (3, 2)
    with pytest.raises(XsegError, match="not like those"):
        joined_volume(first, volume_from_array(np.zeros((1, 4, 6), np.uint8)))

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_xseg.data.phantom import PHASES, phantom, phantom_slices
from napari_xseg.errors import XsegError
from napari_xseg.metrics import confusion

if TYPE_CHECKING:
    from pathlib import Path

Volumes = tuple[np.ndarray, np.ndarray]
VALUES = (0, 128, 255)
# Of the whole real scan: share, grey mean, grey spread.
FACTS = ((0.295, 22676, 2405), (0.434, 35048, 1348), (0.272, 40885, 1708))


@pytest.fixture(scope="module")
def volumes() -> Volumes:
    return phantom((60, 256, 256), seed=1)


@pytest.fixture(scope="module")
def scan(soc_dir: Path) -> Volumes:
    images = sorted((soc_dir / "data").iterdir())[60:120]
    labels = sorted((soc_dir / "labels").iterdir())[60:120]
    read = [np.stack([tifffile.imread(path) for path in paths]) for paths in (images, labels)]
    return read[0], read[1]


def slice_correlation(image: np.ndarray, distance: int) -> float:
    flat = image.reshape(len(image), -1).astype(float)
    flat = (flat - flat.mean(axis=1, keepdims=True)) / flat.std(axis=1, keepdims=True)
    return float((flat[distance:] * flat[:-distance]).mean())


def borders(labels: np.ndarray) -> float:
    """Share of neighbouring pairs along x that differ."""
    return float((labels[:, :, 1:] != labels[:, :, :-1]).mean())


def interior_noise(image: np.ndarray, labels: np.ndarray, value: int) -> tuple[float, ...]:
    """RMS difference of pixels 1, 2 and 4 apart along x, 6 voxels from any other phase.

    Differences leave out what changes slowly, which differs from place to place in a scan.
    """
    inside = ndimage.binary_erosion(labels == value, iterations=6)
    counts = image.astype(float)
    found = []
    for distance in (1, 2, 4):
        both = inside[:, :, distance:] & inside[:, :, :-distance]
        differences = (counts[:, :, distance:] - counts[:, :, :-distance])[both]
        found.append(float(np.sqrt((differences**2).mean())))
    return tuple(found)


def threshold_dice(image: np.ndarray, labels: np.ndarray) -> float:
    """Best foreground Dice that two global thresholds reach."""
    truth = np.searchsorted(VALUES, labels).astype(np.uint8)
    best = 0.0
    for low, high in itertools.product(range(27000, 32000, 500), range(37000, 39500, 500)):
        guess = np.digitize(image, (low, high)).astype(np.uint8)
        counts = confusion(truth, guess, 3)
        dice = 2 * np.diag(counts) / (counts.sum(axis=0) + counts.sum(axis=1))
        best = max(best, float(dice[1:].mean()))
    return best


def test_types_and_values(volumes: Volumes) -> None:
    image, labels = volumes
    assert (image.dtype, labels.dtype) == (np.uint16, np.uint8)
    assert image.shape == labels.shape == (60, 256, 256)
    assert tuple(np.unique(labels)) == VALUES == tuple(phase.value for phase in PHASES)


def test_fractions_greys_and_spreads_are_those_of_the_scan(volumes: Volumes) -> None:
    image, labels = volumes
    for value, (fraction, mean, spread) in zip(VALUES, FACTS, strict=True):
        grey = image[labels == value]
        assert (labels == value).mean() == pytest.approx(fraction, abs=0.004)
        assert grey.mean() == pytest.approx(mean, abs=250)
        assert grey.std() == pytest.approx(spread, rel=0.08)
    assert image.min() > 15000
    assert image.max() < 47500


def test_neighbouring_slices_are_near_copies(volumes: Volumes) -> None:
    image, _ = volumes
    for distance, wanted, within in ((1, 0.99, 0.01), (5, 0.89, 0.04), (10, 0.73, 0.1)):
        assert slice_correlation(image, distance) == pytest.approx(wanted, abs=within)
    assert slice_correlation(image, 50) < 0.3


def test_thresholds_do_well_and_not_too_well(volumes: Volumes) -> None:
    assert threshold_dice(volumes[0][::6], volumes[1][::6]) == pytest.approx(0.961, abs=0.012)


def test_same_seed_same_volume_other_seed_another() -> None:
    first, again, other = (phantom((3, 48, 40), seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[1] != other[1]).mean() > 0.2


@settings(max_examples=12)
@given(st.tuples(st.integers(1, 6), st.integers(1, 40), st.integers(1, 40)), st.integers(0, 2**40))
def test_any_size_and_seed(shape: tuple[int, int, int], seed: int) -> None:
    image, labels = phantom(shape, seed)
    assert image.shape == labels.shape == shape
    assert set(np.unique(labels)) <= set(VALUES)


def test_slices_come_one_by_one() -> None:
    shape = (4, 32, 32)
    image, labels = phantom(shape, 2)
    slices = phantom_slices(shape, 2)
    for z in range(4):
        image_plane, label_plane = next(slices)
        np.testing.assert_array_equal(image_plane, image[z])
        np.testing.assert_array_equal(label_plane, labels[z])
    assert next(slices, None) is None


def test_bad_requests_are_refused() -> None:
    with pytest.raises(XsegError, match=r"phantom: shape \(0, 8, 8\)"):
        phantom((0, 8, 8))
    with pytest.raises(XsegError, match="seed -1"):
        next(phantom_slices((1, 8, 8), -1))


@pytest.mark.realdata
def test_structure_resembles_the_scan(volumes: Volumes, scan: Volumes) -> None:
    assert borders(volumes[1]) == pytest.approx(borders(scan[1]), rel=0.15)
    for distance in (1, 5, 10):
        wanted = slice_correlation(scan[0], distance)
        assert slice_correlation(volumes[0], distance) == pytest.approx(wanted, abs=0.08)


@pytest.mark.realdata
@pytest.mark.parametrize("value", VALUES)
def test_noise_resembles_the_scan(volumes: Volumes, scan: Volumes, value: int) -> None:
    part = slice(0, 20)
    found = interior_noise(volumes[0][part], volumes[1][part], value)
    wanted = interior_noise(scan[0][part], scan[1][part], value)
    assert found == pytest.approx(wanted, rel=0.12)

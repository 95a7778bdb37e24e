"""Noisy copies of training slices, as the poster's second experiment has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_xseg.config import AugmentConfig, TrainConfig
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.intensity import Intensity
from napari_xseg.data.labels import LabelVolume
from napari_xseg.data.sampling import Crop, CropSampler, LabelledSlices
from napari_xseg.data.volume import volume_from_array

if TYPE_CHECKING:
    from napari_xseg.data.planes import PlaneCache

IMAGES = np.full((3, 40, 40), 200, np.uint16)
IMAGES[2] = 65_400
LABELS = np.random.default_rng(0).integers(0, 3, IMAGES.shape).astype(np.uint8)


def intensity(kind: str = "uint16") -> Intensity:
    return Intensity(100.0, 50.0, (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0), kind)


def slices(kind: str = "uint16") -> LabelledSlices:
    classes = ClassTable.from_values([0, 1, 2])
    return LabelledSlices(
        volume_from_array(IMAGES.astype(kind)),
        LabelVolume(volume_from_array(LABELS, meaning="labels"), classes),
        {0: 0, 1: 1, 2: 2},
        None,
        intensity(kind),
        0,
        1 << 24,
    )


def copies(seed: int = 7, kind: str = "uint16") -> PlaneCache:
    return slices(kind).noisy_copies(300.0, seed)


def counts(z: int, kind: str = "uint16") -> np.ndarray:
    return intensity(kind).denormalise(copies(kind=kind)(z))


def test_copies_are_clipped_and_rounded() -> None:
    for z in range(3):
        plane = counts(z)
        assert np.abs(plane - np.rint(plane)).max() < 0.01
        assert plane.min() > -0.01
        assert plane.max() < 65_535.01
    assert (np.rint(counts(0)) == 0).mean() == pytest.approx(0.25, abs=0.05)
    assert (np.rint(counts(2)) == 65_535).mean() == pytest.approx(0.33, abs=0.05)


def test_eight_bits_clip_earlier_and_floats_not_at_all() -> None:
    assert counts(0, "uint8").max() <= 255.01
    assert counts(0, "float32").min() < -300
    assert np.std(counts(0, "float32")) == pytest.approx(300, rel=0.05)


def test_copies_are_fixed_and_each_slice_has_its_own() -> None:
    np.testing.assert_array_equal(copies(7)(1), copies(7)(1))
    assert not np.array_equal(copies(7)(1), copies(7)(0))
    assert not np.array_equal(copies(8)(1), copies(7)(1))


def test_a_copy_has_the_truth_of_its_slice() -> None:
    config = TrainConfig(crop=None, augment=AugmentConfig(turns=False, reverse_context=False))
    sampler = CropSampler(slices(), (0,), (40, 40), 0, config, noisy_copies=copies())
    images, truth = np.empty((2, 1, 40, 40), np.float32), np.empty((2, 40, 40), np.int64)
    for place, noisy in enumerate((False, True)):
        sampler.cut(Crop(0, noisy, 0, 0), images[place], truth[place])
    np.testing.assert_array_equal(truth[0], LABELS[0])
    np.testing.assert_array_equal(truth[1], LABELS[0])
    np.testing.assert_array_equal(images[0, 0], intensity().normalise(IMAGES[0]))
    np.testing.assert_array_equal(images[1, 0], copies()(0))

"""Crops as a training sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.partition import Split
from napari_xseg.training.crops import draw_crops

if TYPE_CHECKING:
    from napari_xseg.config import TrainConfig

MakeJob = Any


def plain(config: TrainConfig, **noise: Any) -> TrainConfig:
    still = {"turns": False, "reverse_context": False}
    return config.replace(augment=still, noise={"enabled": False, **noise})


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_they_are_parts_of_the_images_in_grey_values(
    make_job: MakeJob, quick: TrainConfig, scan: tuple[np.ndarray, np.ndarray], padding: str
) -> None:
    config = plain(quick)
    config = config.replace(model=config.model.replace(padding=padding).model_dump())
    job = make_job(config, split=Split((5,), (), kind="none"))
    images, labels = draw_crops(job, 4)
    assert images.dtype == np.float32
    assert labels.dtype == np.uint8
    size = labels.shape[1]
    assert images.shape == labels.shape == (4, size, size)
    windows = np.lib.stride_tricks.sliding_window_view(scan[0][5], (size, size))
    truths = np.lib.stride_tricks.sliding_window_view(scan[1][5], (size, size))
    for image, truth in zip(images, labels, strict=True):
        found = np.argwhere((np.abs(windows - image) < 1).all((2, 3)))
        assert len(found) == 1
        known = np.array([0, 128, 255])[truth]
        np.testing.assert_array_equal(truths[tuple(found[0])], known)
    assert not job.out.exists()


def test_noise_is_that_of_the_training(make_job: MakeJob, quick: TrainConfig) -> None:
    clean, _ = draw_crops(make_job(plain(quick)), 9)
    noisy, _ = draw_crops(make_job(plain(quick, enabled=True, std=2000, low=1.0, high=1.0)), 9)
    added = noisy - clean
    assert np.std(added) == pytest.approx(2000, rel=0.1)
    assert abs(np.mean(added)) < 300


def test_another_seed_gives_others_and_the_same_the_same(make_job: MakeJob) -> None:
    first, again, other = (draw_crops(make_job(seed=seed), 3)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_whole_slices_come_whole_and_noisy_copies_too(
    make_job: MakeJob, poster: TrainConfig, scan: tuple[np.ndarray, np.ndarray]
) -> None:
    images, labels = draw_crops(make_job(poster), 6)
    assert images.shape == labels.shape == (6, 40, 36)
    slices = {z: [] for z in (1, 5, 8)}
    for image, truth in zip(images, labels, strict=True):
        (z,) = (z for z in slices if np.array_equal(np.array([0, 128, 255])[truth], scan[1][z]))
        slices[z].append(np.std(image - scan[0][z]))
    for clean, noisy in map(sorted, slices.values()):
        assert clean < 1
        assert noisy == pytest.approx(3000, rel=0.1)

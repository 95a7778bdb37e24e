from __future__ import annotations

import numpy as np
import pytest

from napari_xseg.data.smooth_field import SmoothField


def planes(shape: tuple[int, int, int], sigma: float, seed: int = 0) -> np.ndarray:
    field = SmoothField(shape, sigma, np.random.default_rng(seed))
    return np.stack([field.plane(z) for z in range(shape[0])])


@pytest.mark.parametrize("sigma", [3.0, 5.0])
def test_mean_variance_and_correlation_are_those_of_filtered_white_noise(sigma: float) -> None:
    field = planes((96, 96, 96), sigma)
    assert abs(field.mean()) < 0.1
    assert field.var() == pytest.approx(1.0, abs=0.1)
    for axis in range(3):
        along = np.moveaxis(field, axis, 0)
        for distance in (1, round(sigma), round(2 * sigma)):
            found = (along[distance:] * along[:-distance]).mean() / field.var()
            wanted = np.exp(-(distance**2) / (4 * sigma**2))
            assert found == pytest.approx(wanted, abs=0.06)


def test_variance_does_not_depend_on_the_place_between_grid_nodes() -> None:
    fields = np.stack([planes((1, 48, 48), 6.0, seed) for seed in range(200)])
    variance = fields.var(axis=(0, 1))
    rows = variance.mean(axis=1)
    assert rows.max() / rows.min() < 1.35


def test_opposite_ends_are_independent() -> None:
    ends = np.stack([planes((1, 40, 40), 5.0, seed)[0] for seed in range(300)])
    correlation = np.corrcoef(ends[:, 0, 20], ends[:, -1, 20])[0, 1]
    assert abs(correlation) < 0.2


def test_sparse_plane_is_every_nth_pixel() -> None:
    field = SmoothField((8, 30, 41), 4.0, np.random.default_rng(0))
    np.testing.assert_array_equal(field.plane(5, every=3), field.plane(5)[::3, ::3])


def test_planes_before_the_first_and_after_the_last_go_on_smoothly() -> None:
    field = SmoothField((10, 24, 24), 6.0, np.random.default_rng(0))
    steps = [np.abs(field.plane(z + 1) - field.plane(z)).max() for z in range(-6, 15)]
    assert max(steps) < 0.6


def test_the_grid_is_far_smaller_than_the_volume() -> None:
    field = SmoothField((300, 300, 300), 18.0, np.random.default_rng(0))
    assert field._nodes.nbytes < 300**3 * 4 / 25

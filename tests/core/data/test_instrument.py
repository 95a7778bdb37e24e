from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_xseg.data.instrument import blurred, check_request, noise, reach
from napari_xseg.errors import XsegError


def test_blur_by_planes_is_the_blur_of_the_volume() -> None:
    sigma, count = 1.3, 7
    volume = np.random.default_rng(0).normal(size=(count + 2 * reach(sigma), 20, 23))
    found = np.stack(list(blurred(lambda z: volume[z + reach(sigma)], sigma, count)))
    wanted = ndimage.gaussian_filter(volume, sigma, mode="reflect")
    np.testing.assert_allclose(found, wanted[reach(sigma) : -reach(sigma)], atol=1e-12)


def test_blur_asks_for_each_plane_once_and_in_order() -> None:
    asked: list[int] = []

    def plane(z: int) -> np.ndarray:
        asked.append(z)
        return np.zeros((3, 3))

    assert len(list(blurred(plane, 0.5, 4))) == 4
    assert asked == list(range(-reach(0.5), 4 + reach(0.5)))


@pytest.mark.parametrize("sigma", [0.6, 1.4])
def test_noise_has_unit_deviation_and_the_correlation_of_its_blur(sigma: float) -> None:
    volume = np.stack(list(noise((24, 96, 96), sigma, seed=3)))
    assert abs(volume.mean()) < 0.06
    assert volume.std() == pytest.approx(1.0, abs=0.04)
    for axis in range(3):
        along = np.moveaxis(volume, axis, 0)
        wanted = ndimage.gaussian_filter1d([0.0] * 20 + [1.0] + [0.0] * 20, sigma)
        wanted = (wanted[1:] * wanted[:-1]).sum() / (wanted**2).sum()
        found = (along[1:] * along[:-1]).mean() / volume.var()
        assert found == pytest.approx(wanted, abs=0.02)


def test_noise_is_as_strong_at_the_edges_as_inside() -> None:
    volume = np.stack(list(noise((60, 40, 200), 1.2, seed=0)))
    assert volume[:, [0, -1]].std() == pytest.approx(volume[:, 15:25].std(), rel=0.08)


def test_noise_differs_between_planes_and_seeds() -> None:
    first = np.stack(list(noise((2, 64, 64), 0.3, seed=0)))
    other = np.stack(list(noise((2, 64, 64), 0.3, seed=1)))
    plain = np.random.default_rng(0).standard_normal((64, 64))
    for a, b in ((first[0], first[1]), (first[0], other[0]), (first[0], plain)):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.1


@pytest.mark.parametrize(
    ("shape", "seed", "said"),
    [((0, 4, 4), 0, r"\(0, 4, 4\)"), ((4, 4), 0, "three lengths"), ((1, 1, 1), -1, "-1 is neg")],
)
def test_what_cannot_be_made_is_refused(shape: tuple[int, ...], seed: int, said: str) -> None:
    with pytest.raises(XsegError, match=said):
        check_request("phantom", shape, seed)  # type: ignore[arg-type]

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_xseg.data.intensity import PERCENTS, Intensity, measure_intensity
from napari_xseg.data.volume import open_volume, volume_from_array
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path


def measured(array: np.ndarray, **options: Any) -> Intensity:
    volume = volume_from_array(array, name="images")
    return measure_intensity(volume, range(len(array)), **options)


def phases(dtype: str = "uint16", seed: int = 0, offset: float = 0, scale: float = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    means = rng.choice([22676.0, 35048.0, 40885.0], p=[0.3, 0.43, 0.27], size=(4, 64, 64))
    return ((means + rng.normal(0, 1800, means.shape)) * scale + offset).astype(dtype)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "int32", "float32", "float64"]
)
def test_statistics_are_those_of_all_pixels(dtype: str) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(-100 if dtype[0] != "u" else 0, 120, size=(3, 20, 31)).astype(dtype)
    intensity = measured(array)
    assert intensity.mean == pytest.approx(array.mean(dtype=np.float64), rel=1e-12)
    assert intensity.std == pytest.approx(array.std(dtype=np.float64), rel=1e-12)
    assert intensity.percentiles == pytest.approx(np.percentile(array, PERCENTS), abs=1e-9)
    assert intensity.dtype == dtype
    assert intensity.pixels == array.size


@given(
    hnp.arrays(
        st.sampled_from(["uint16", "int16"]), st.tuples(st.integers(1, 4), st.just(3), st.just(5))
    )
)
def test_percentiles_of_16_bit_are_exact(array: np.ndarray) -> None:
    if all(plane.min() < plane.max() for plane in array):
        intensity = measured(array)
        assert intensity.percentiles == pytest.approx(np.percentile(array.astype(float), PERCENTS))
        assert intensity.std == pytest.approx(array.std(dtype=np.float64), rel=1e-9)


def test_a_large_offset_does_not_spoil_the_spread() -> None:
    array = np.random.default_rng(0).normal(1e9, 1.0, size=(5, 50, 50))
    intensity = measured(array)
    assert intensity.std == pytest.approx(array.std(), rel=1e-6)
    assert np.std(intensity.normalise(array[0])) == pytest.approx(1, abs=0.05)


def test_percentiles_of_large_float_volumes_come_from_a_sample() -> None:
    array = np.random.default_rng(0).normal(size=(3, 1200, 1200)).astype(np.float32)
    assert measured(array).percentiles == pytest.approx(np.percentile(array, PERCENTS), abs=0.01)


@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
def test_normalised_pixels_are_the_same_in_a_slice_and_a_tile(dtype: str) -> None:
    array = phases(dtype)
    intensity = measured(array)
    whole = intensity.normalise(array[1])
    assert whole.dtype == np.float32
    assert np.array_equal(whole[10:30, 5:25], intensity.normalise(array[1, 10:30, 5:25]))
    expected = (array[1].astype(np.float64) - array.mean(dtype=np.float64)) / array.std()
    assert np.abs(whole - expected).max() < 1e-4
    assert np.abs(intensity.denormalise(whole) - array[1]).max() < 0.1


def test_pixels_that_are_not_finite_take_no_part_and_become_zero() -> None:
    array = phases("float32")
    clean = array.copy()
    array[:, :5] = np.nan
    array[:, 5, 0] = np.inf
    intensity = measured(array)
    finite = np.isfinite(array)
    assert intensity.mean == pytest.approx(clean[finite].mean(dtype=np.float64))
    normal = intensity.normalise(array[0])
    assert np.isfinite(normal).all()
    assert not normal[~finite[0]].any()
    assert intensity.pixels == finite.sum()


def test_pixels_outside_the_region_take_no_part() -> None:
    class Left:
        def mask(self, z: int, shape: tuple[int, int]) -> np.ndarray:
            usable = np.zeros(shape, dtype=bool)
            usable[:, : 20 + z] = True
            return usable

    array = phases()
    array[:, :, 40:] = 0
    inside = np.concatenate([array[z, :, : 20 + z].ravel() for z in range(4)])
    intensity = measured(array, region=Left())
    assert intensity.mean == pytest.approx(inside.mean())
    assert intensity.pixels == inside.size


def test_a_slice_that_says_nothing_is_named() -> None:
    array = phases("float32")
    array[2] = np.nan
    with pytest.raises(XsegError, match=r"images.* \(slice 2\): found no finite pixel"):
        measured(array)
    array[2] = 7
    with pytest.raises(XsegError, match="all pixels have the same value 7"):
        measured(array)
    assert measured(array, skip_empty=True).pixels == 3 * 64 * 64
    with pytest.raises(XsegError, match="all 4 slices looked at are constant"):
        measured(np.zeros((4, 8, 8), np.uint16), skip_empty=True)


def test_a_slice_outside_the_region_is_named() -> None:
    class Nowhere:
        def mask(self, z: int, shape: tuple[int, int]) -> np.ndarray:
            return np.zeros(shape, dtype=bool)

    with pytest.raises(XsegError, match="no finite pixel inside the region"):
        measured(phases(), region=Nowhere())


def test_noise_is_given_in_counts() -> None:
    intensity = Intensity(33000, 7800, tuple(range(7)), "uint16")
    assert intensity.normalised_noise(5000) == pytest.approx(0.641, abs=1e-3)
    assert intensity.noise_in_counts(intensity.normalised_noise(5000)) == pytest.approx(5000)
    for wrong in (-1, 78001, float("nan")):
        with pytest.raises(XsegError, match="expected 0 to 78000 counts"):
            intensity.normalised_noise(wrong)


def test_noise_and_other_fractions_are_not_far_off_and_other_scales_are() -> None:
    training = measured(phases())
    noisy = phases("float32") + np.random.default_rng(5).normal(0, 6500, (4, 64, 64))
    assert training.far_off(training) is None
    assert training.far_off(measured(noisy.astype(np.float32))) is None
    assert training.far_off(measured(phases(seed=3, offset=2000))) is None
    for other in (phases(offset=10000), phases(scale=0.3), phases("float32", scale=1e-4)):
        sentence = training.far_off(measured(other))
        assert sentence is not None
        assert "--match-intensity" in sentence


@pytest.mark.parametrize(("scale", "offset"), [(1e-4, -2.0), (3.0, 500.0), (0.5, 0.0)])
def test_matching_undoes_a_linear_change(scale: float, offset: float) -> None:
    training = measured(phases("float32"))
    other = phases("float32", scale=scale, offset=offset)
    matched = training.matched(measured(other))
    expected = training.normalise(phases("float32"))
    assert np.abs(matched.normalise(other) - expected).max() < 1e-3
    assert matched.dtype == "float32"


def test_matching_by_mean_where_percentiles_coincide() -> None:
    array = np.zeros((1, 100, 100), dtype=np.uint8)
    array[0, 0] = 200
    other = measured(array)
    assert other.extent == 0
    matched = measured(phases()).matched(other)
    assert (matched.mean, matched.std) == (other.mean, other.std)


def test_json_round_trip() -> None:
    intensity = measured(phases())
    assert Intensity.from_dict(json.loads(json.dumps(intensity.to_dict()))) == intensity


@pytest.mark.parametrize(
    "change",
    [
        {"mean": None},
        {"mean": "x"},
        {"std": 0},
        {"std": float("nan")},
        {"percentiles": [1, 2]},
        {"dtype": "colour"},
    ],
)
def test_broken_statistics_are_refused(change: dict[str, Any]) -> None:
    values = {**measured(phases()).to_dict(), **change}
    with pytest.raises(XsegError, match="intensity:"):
        Intensity.from_dict(values)


def test_normalising_two_hundred_slices_takes_a_fraction_of_a_second() -> None:
    plane = np.random.default_rng(0).integers(16000, 47000, (501, 501)).astype(np.uint16)
    intensity = measured(plane[None])
    start = time.process_time()
    for _ in range(200):
        intensity.normalise(plane)
    assert time.process_time() - start < 0.5


@pytest.mark.realdata
def test_soc_statistics(soc_dir: Path) -> None:
    images = open_volume(soc_dir / "data")
    intensity = measure_intensity(images, (13, 39, 65, 91, 117))
    assert intensity.mean == pytest.approx(33000, abs=700)
    assert intensity.std == pytest.approx(7700, abs=400)
    assert intensity.low > 16000
    assert intensity.high < 47000
    assert intensity.dtype == "uint16"
    assert intensity.normalised_noise(5000) == pytest.approx(5000 / intensity.std)


@pytest.mark.realdata
def test_lis_lies_far_off_soc_and_noisy_soc_does_not(soc_dir: Path, lis_dir: Path) -> None:
    soc = open_volume(soc_dir / "data")
    lis = open_volume(lis_dir)
    training = measure_intensity(soc, (13, 39, 65))
    other = measure_intensity(lis, (0, 3))
    rng = np.random.default_rng(0)
    noisy = soc.read(150) + rng.normal(0, 5000, soc.shape[1:])
    assert training.far_off(measured(noisy[None].astype(np.float32))) is None
    assert training.far_off(measured(np.clip(noisy, 0, 65535)[None].astype(np.uint16))) is None
    assert training.far_off(measure_intensity(soc, (190,))) is None
    assert training.far_off(other) is not None
    matched = training.matched(other)
    normal = matched.normalise(lis.read(0))
    assert np.percentile(normal, [5, 95]) == pytest.approx(
        np.percentile(training.normalise(soc.read(39)), [5, 95]), abs=0.25
    )

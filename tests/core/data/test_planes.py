from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_xseg.data.intensity import Intensity
from napari_xseg.data.planes import ContextReader, PlaneCache, memory_share
from napari_xseg.data.volume import volume_from_array

STACK = np.random.default_rng(0).integers(0, 60_000, (6, 5, 7)).astype(np.uint16)
INTENSITY = Intensity(30_000.0, 8000.0, (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0), "uint16")
PLENTY = 1 << 20


class Counted:
    """An array that remembers which planes were read."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.reads: list[int] = []

    def __getitem__(self, z: int) -> np.ndarray:
        self.reads.append(z)
        return self.array[z]


def reader(
    array: np.ndarray = STACK,
    context: int = 1,
    limit: int = PLENTY,
    neighbours: bool = True,
    **more: object,
) -> ContextReader:
    volume = volume_from_array(array, neighbours=neighbours)
    return ContextReader(volume, INTENSITY, context, limit, **more)  # type: ignore[arg-type]


def test_slices_come_normalised_with_their_neighbours() -> None:
    found = reader().read(3)
    assert len(found) == 3
    for plane, z in zip(found, (2, 3, 4), strict=True):
        assert plane.dtype == np.float32
        np.testing.assert_array_equal(plane, INTENSITY.normalise(STACK[z]))


@pytest.mark.parametrize("context", [0, 1, 3])
def test_at_the_ends_the_outermost_slice_repeats(context: int) -> None:
    source = reader(context=context)
    reach = range(-context, context + 1)
    for z in range(len(STACK)):
        assert source.neighbours(z) == [min(max(z + offset, 0), 5) for offset in reach]


def test_where_no_neighbour_is_known_the_slice_repeats() -> None:
    assert reader(context=2, neighbours=False).neighbours(3) == [3] * 5


def test_what_is_prepared_is_kept() -> None:
    made: list[int] = []

    def prepare(plane: np.ndarray) -> np.ndarray:
        made.append(1)
        return plane[:2] + 1

    source = reader(prepare=prepare)
    for _ in range(3):
        source.read(3)
    assert len(made) == 3
    np.testing.assert_array_equal(source.read(3)[1], INTENSITY.normalise(STACK[3])[:2] + 1)


def test_a_volume_in_turn_is_read_once() -> None:
    source = Counted(STACK)
    volume = volume_from_array(source)
    source.reads.clear()
    # so much that a slice and its neighbours are kept, and not the volume
    limit = 4 * STACK[0].size * 4
    reader_ = ContextReader(volume, INTENSITY, 1, limit)
    for z in range(len(STACK)):
        reader_.read(z)
    assert sorted(source.reads) == list(range(len(STACK)))


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(0, 6))
def test_a_cache_gives_what_was_made_and_keeps_no_more_than_allowed(
    wanted: list[int], planes: int
) -> None:
    cache = PlaneCache(lambda z: np.full(10, z, np.uint8), limit=10 * planes)
    for z in wanted:
        assert (cache(z) == z).all()
        held = cache._held
        assert len(held) <= max(planes, 1)
        assert cache._bytes == sum(plane.nbytes for plane in held.values())
        assert next(reversed(held)) == z


def test_a_cache_drops_the_least_lately_used() -> None:
    made: list[int] = []

    def make(z: int) -> np.ndarray:
        made.append(z)
        return np.zeros(10, np.uint8)

    cache = PlaneCache(make, limit=20)
    for z in (0, 1, 0, 2, 0, 1):
        cache(z)
    assert made == [0, 1, 2, 1]


def test_a_cache_serves_several_threads() -> None:
    cache = PlaneCache(lambda z: np.full(100, z, np.int64), limit=2400)
    wanted = np.random.default_rng(0).integers(0, 12, 2000).tolist()
    with ThreadPoolExecutor(8) as pool:
        for z, plane in zip(wanted, pool.map(cache, wanted), strict=True):
            assert (plane == z).all()
    assert cache._bytes == sum(plane.nbytes for plane in cache._held.values()) <= 2400


def test_pixels_without_a_value_are_known() -> None:
    holes = STACK.astype(np.float32)
    holes[2, 1, 3], holes[2, 4, 4] = np.nan, np.inf
    source = reader(holes)
    assert source.finite(1) is None
    finite = source.finite(2)
    assert finite is not None
    np.testing.assert_array_equal(finite, np.isfinite(holes[2]))
    assert source.read(2)[1][1, 3] == 0
    assert reader().finite(2) is None


def digest_of(array: np.ndarray, slices: list[int]) -> str:
    """As the documentation says it."""
    whole = hashlib.sha256()
    for z in slices:
        whole.update(hashlib.sha256(array[z].tobytes()).hexdigest().encode())
    return whole.hexdigest()


@pytest.mark.parametrize("before", [[], [1], [0, 1, 2, 3, 4, 5]])
def test_the_hash_is_that_of_the_pixels_in_their_order(before: list[int]) -> None:
    source = reader()
    for z in before:
        source.read(z)
    assert source.sha256([2, 4]) == digest_of(STACK, [2, 4])
    assert source.sha256([4, 2]) != digest_of(STACK, [2, 4])
    changed = STACK.copy()
    changed[2, 0, 0] += 1
    assert reader(changed).sha256([2, 4]) != digest_of(STACK, [2, 4])
    assert reader(changed).sha256([3, 4]) == digest_of(STACK, [3, 4])


def test_a_share_of_the_memory() -> None:
    assert 0 < memory_share(0.1) < memory_share(0.5) < 1 << 50

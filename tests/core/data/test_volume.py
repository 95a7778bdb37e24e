"""What every volume does, whatever file it came from."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_xseg.data.volume import (
    VoxelSize,
    hash_source,
    open_label_volume,
    open_volume,
    volume_from_array,
)
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def stack() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 60000, (7, 11, 13)).astype(np.uint16)


def write_slices(folder: Path, stack: np.ndarray, numbers: list[int] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    for index, plane in enumerate(stack):
        number = numbers[index] if numbers else index + 1
        tifffile.imwrite(folder / f"slice_{number:04d}.tif", plane)
    return folder


basic = st.one_of(st.integers(-8, 8), st.slices(9))


@given(array=hnp.arrays(np.uint8, (5, 6, 7)), key=hnp.basic_indices((5, 6, 7)))
def test_indexes_as_numpy_does(array: np.ndarray, key: object) -> None:
    keys = key if isinstance(key, tuple) else (key,)
    volume = volume_from_array(array)
    if any(part is None for part in keys):
        return
    part = volume[key]
    np.testing.assert_array_equal(part, array[key])
    assert part.dtype == array.dtype


def test_refuses_too_many_indices_and_fancy_ones(stack: np.ndarray) -> None:
    volume = volume_from_array(stack)
    with pytest.raises(IndexError):
        volume[0, 0, 0, 0]
    with pytest.raises(TypeError):
        volume[[0, 1]]
    with pytest.raises(IndexError, match="outside"):
        volume.read(7)


def test_reads_only_the_slices_asked_for(stack: np.ndarray) -> None:
    asked: list[object] = []

    class Spy:
        shape, dtype = stack.shape, stack.dtype

        def __getitem__(self, key: object) -> np.ndarray:
            asked.append(key)
            return stack[key]

    volume = volume_from_array(Spy())
    assert asked == []
    volume[2:6:2, 3]
    assert asked == [2, 4]


def test_what_is_read_is_the_callers_own(stack: np.ndarray) -> None:
    volume = volume_from_array(stack)
    plane = volume.read(0)
    plane[:] = 0
    assert volume.read(0).any()
    assert volume.read(0).flags.c_contiguous


def test_every_read_goes_to_the_file(tmp_path: Path, stack: np.ndarray) -> None:
    volume = open_volume(write_slices(tmp_path / "slices", stack))
    volume.read(3)
    tifffile.imwrite(volume.files[3], stack[0])
    np.testing.assert_array_equal(volume.read(3), stack[0])


def test_is_an_array_when_asked(stack: np.ndarray) -> None:
    volume = volume_from_array(stack)
    np.testing.assert_array_equal(np.asarray(volume), stack)
    assert np.asarray(volume, dtype=np.float32).dtype == np.float32
    assert len(volume) == 7
    assert volume.ndim == 3


@pytest.mark.parametrize(
    ("dtype", "given_dtype"),
    [("bool", "uint8"), ("int8", "int8"), (">i2", "int16"), (">f8", "float64"), ("f2", "float16")],
)
def test_gives_native_numbers(dtype: str, given_dtype: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    volume = volume_from_array(array)
    assert volume.dtype == given_dtype
    assert volume.dtype.isnative
    assert volume.read(1).dtype == given_dtype
    np.testing.assert_array_equal(volume[:], array.astype(given_dtype))


@pytest.mark.parametrize("dtype", ["complex64", "U3", "M8[s]", "O"])
def test_refuses_what_is_no_number(dtype: str) -> None:
    with pytest.raises(XsegError, match="integers or floats"):
        volume_from_array(np.zeros((2, 3, 4), dtype), "odd")


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4, 5), (0, 3, 4)])
def test_refuses_shapes_that_are_no_volume(shape: tuple[int, ...]) -> None:
    with pytest.raises(XsegError, match="odd"):
        volume_from_array(np.zeros(shape, np.uint8), "odd")


def test_a_plane_is_a_volume_of_one_slice_without_neighbours() -> None:
    volume = volume_from_array(np.ones((3, 4), np.uint8), voxel_size=VoxelSize(1, 2, 3, "um"))
    assert volume.shape == (1, 3, 4)
    assert not volume.has_neighbours
    assert volume.neighbour(0, 1) == 0
    assert str(volume.voxel_size) == "1 x 2 x 3 um"


def test_pages_of_a_stack_are_neighbours_up_to_its_ends(stack: np.ndarray) -> None:
    volume = volume_from_array(stack, "scan")
    assert volume.has_neighbours
    assert [volume.neighbour(3, offset) for offset in (-9, -1, 0, 2, 9)] == [0, 2, 3, 5, 6]
    assert volume.neighbour(-1, -1) == 5
    assert volume.numbers == tuple(range(7))
    assert volume.slice_names[2] == "scan[2]"


def test_an_unordered_collection_has_no_neighbours(stack: np.ndarray) -> None:
    volume = volume_from_array(stack, neighbours=False)
    assert not volume.has_neighbours
    assert volume.neighbour(3, 1) == 3


@given(numbers=st.sets(st.integers(0, 30), min_size=1, max_size=12), offset=st.integers(-4, 4))
def test_neighbours_never_cross_a_missing_number(
    tmp_path_factory: pytest.TempPathFactory, numbers: set[int], offset: int
) -> None:
    folder = tmp_path_factory.mktemp("slices")
    order = sorted(numbers)
    volume = open_volume(write_slices(folder, np.zeros((len(order), 2, 2), np.uint8), order))
    for z, number in enumerate(order):
        steps = range(1, abs(offset) + 1)
        sign = 1 if offset > 0 else -1
        reachable = 0
        for step in steps:
            if number + sign * step not in numbers:
                break
            reachable = step
        assert order[volume.neighbour(z, offset)] == number + sign * reachable


def test_one_file_hashes_as_sha256sum_does(tmp_path: Path, stack: np.ndarray) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, stack)
    assert hash_source(open_volume(path)) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_folders_hash_tells_content_order_and_names(tmp_path: Path, stack: np.ndarray) -> None:
    first = hash_source(open_volume(write_slices(tmp_path / "a", stack)))
    assert first == hash_source(open_volume(write_slices(tmp_path / "b", stack)))
    assert first != hash_source(open_volume(write_slices(tmp_path / "c", stack[::-1])))
    numbers = list(range(2, 9))
    assert first != hash_source(open_volume(write_slices(tmp_path / "d", stack, numbers)))
    (tmp_path / "a" / "notes.txt").write_text("not part of it")
    assert first == hash_source(open_volume(tmp_path / "a"))


def test_an_array_hashes_by_its_content(stack: np.ndarray) -> None:
    first = hash_source(volume_from_array(stack))
    assert first == hash_source(volume_from_array(stack.astype(">u2")))
    assert first != hash_source(volume_from_array(stack.reshape(7, 13, 11)))
    changed = stack.copy()
    changed[-1, -1, -1] ^= 1
    assert first != hash_source(volume_from_array(changed))


@pytest.mark.parametrize("packed", [None, "zlib"])
def test_reads_from_several_threads(tmp_path: Path, stack: np.ndarray, packed: str | None) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, stack, compression=packed, metadata={"axes": "ZYX"})
    volume = open_volume(path)
    wrong: list[int] = []

    def read_all() -> None:
        for z in np.random.default_rng(threading.get_ident() % 1000).integers(0, 7, 40):
            if not np.array_equal(volume.read(int(z)), stack[z]):
                wrong.append(int(z))

    threads = [threading.Thread(target=read_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_uri_opens_the_same_again(tmp_path: Path, stack: np.ndarray) -> None:
    import h5py

    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["entry/a"] = stack
        file["entry/b"] = stack + 1
    volume = open_volume(f"{path}:/entry/b")
    assert volume.uri == f"{path}:/entry/b"
    np.testing.assert_array_equal(open_volume(volume.uri)[:], stack + 1)


def test_missing_and_unknown_paths_are_named(tmp_path: Path) -> None:
    with pytest.raises(XsegError, match=r"nowhere\.tif: does not exist"):
        open_volume(tmp_path / "nowhere.tif")
    text = tmp_path / "notes.txt"
    text.write_text("no image")
    with pytest.raises(XsegError, match=r"notes\.txt: is of no known kind"):
        open_volume(text)
    (tmp_path / "empty.tif").touch()
    with pytest.raises(XsegError, match=r"empty\.tif: is an empty file"):
        open_volume(tmp_path / "empty.tif")


def test_home_is_understood(
    tmp_path: Path, stack: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    tifffile.imwrite(tmp_path / "stack.tif", stack)
    assert open_volume("~/stack.tif").shape == (7, 11, 13)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_without_permission_is_named(tmp_path: Path, stack: np.ndarray) -> None:
    path = tmp_path / "secret.tif"
    tifffile.imwrite(path, stack)
    path.chmod(0)
    with pytest.raises(XsegError, match=r"secret\.tif: may not be read"):
        open_volume(path)


def test_permission_errors_become_sentences(
    tmp_path: Path, stack: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_slices(tmp_path / "slices", stack)

    def refuse(path: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(XsegError, match="slices: may not be read"):
        open_volume(folder)


def test_float_labels_must_be_whole(tmp_path: Path) -> None:
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, np.array([[0, 128], [255, 1]], np.float32))
    volume = open_label_volume(path)
    assert volume.dtype == np.int32
    assert volume.read(0).tolist() == [[0, 128], [255, 1]]
    for bad in (0.5, np.nan, 1e12):
        tifffile.imwrite(path, np.array([[0, bad]], np.float32))
        with pytest.raises(XsegError, match=r"labels\.tif.* whole numbers"):
            open_label_volume(path)

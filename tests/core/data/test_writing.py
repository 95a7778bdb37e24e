"""Volumes out, whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_xseg.data.formats import atomic
from napari_xseg.data.volume import VoxelSize, open_label_volume, open_volume, volume_from_array
from napari_xseg.data.writing import (
    check_output,
    create_writer,
    save_volume,
    write_atomic,
)
from napari_xseg.errors import XsegError

STACK = np.random.default_rng(4).integers(0, 3, (5, 21, 23)).astype(np.uint8) * 127
COLOURS = {0: (255, 0, 0), 127: (0, 255, 0), 254: (0, 0, 255)}
DTYPES = ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
OUTPUTS = ["mask.tif", "mask.zarr"]


def write_some(
    path: Path,
    shape: tuple[int, int, int],
    started: list[bytes],
    end: type[BaseException] | None = None,
) -> None:
    """Begin an output, look at its beginning, and end it too early."""
    with create_writer(path, shape, np.uint8, overwrite=True) as writer:
        writer.write(0, np.ones(shape[1:], np.uint8))
        temporary = next(path.parent.glob(f".{path.stem}*"))
        started.append(temporary.read_bytes()[:3] if temporary.is_file() else b"")
        if end is not None:
            raise end


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@given(
    array=st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6))
    ),
    name=st.sampled_from(OUTPUTS),
    compression=st.sampled_from(["auto", "none", "packbits", "zlib", "zstd"]),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, name: str, compression: Any
) -> None:
    path = tmp_path_factory.mktemp("out") / name
    save_volume(path, array, compression=compression)
    volume = open_volume(path)
    np.testing.assert_array_equal(volume[:], array)
    assert volume.dtype == (np.uint8 if array.dtype == bool else array.dtype)
    assert volume.shape == array.shape


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("unit", ["um", "nm", "mm", "angstrom"])
def test_voxel_size_and_colours_are_kept(tmp_path: Path, name: str, unit: str) -> None:
    path = tmp_path / name
    size = VoxelSize(0.25, 0.0217, 0.0123, unit)
    save_volume(path, volume_from_array(STACK, voxel_size=size), colours=COLOURS)
    volume = open_label_volume(path)
    found = volume.voxel_size
    assert found is not None
    assert (found.z, found.y, found.x) == pytest.approx((size.z, size.y, size.x), rel=1e-6)
    assert found.unit == unit
    assert volume.palette is not None
    assert {value: volume.palette[value] for value in COLOURS} == COLOURS
    np.testing.assert_array_equal(volume[:], STACK)


def test_a_tiff_reads_as_values_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "mask.tif"
    save_volume(path, STACK, colours=COLOURS, voxel_size=VoxelSize(3, 2, 1, "um"))
    np.testing.assert_array_equal(tifffile.imread(path), STACK)
    with tifffile.TiffFile(path) as file:
        assert file.is_imagej
        assert file.imagej_metadata["slices"] == 5
        assert file.imagej_metadata["unit"] == "um"
        assert file.imagej_metadata["spacing"] == 3.0
        assert file.pages[0].tags["XResolution"].value == (1, 1)
        assert file.pages[0].tags["YResolution"].value == (1, 2)


def test_a_zarr_is_valid_ome(tmp_path: Path) -> None:
    import yaozarrs

    path = tmp_path / "mask.zarr"
    save_volume(path, STACK, colours=COLOURS, voxel_size=VoxelSize(3, 2, 1, "um"))
    yaozarrs.validate_zarr_store(path)
    group = zarr.open_group(path, mode="r")
    assert group.metadata.zarr_format == 3
    assert group["0"].chunks == (1, 21, 23)
    assert group["0"].metadata.dimension_names == ("z", "y", "x")


def test_one_slice_and_planes(tmp_path: Path) -> None:
    save_volume(tmp_path / "plane.tif", STACK[0])
    assert open_volume(tmp_path / "plane.tif").shape == (1, 21, 23)
    assert not open_volume(tmp_path / "plane.tif").has_neighbours


def test_large_outputs_are_bigtiff(tmp_path: Path) -> None:
    for depth, head in ((3_000, b"II*"), (5_000, b"II+")):
        started: list[bytes] = []
        with suppress(ValueError):
            write_some(tmp_path / "mask.tif", (depth, 1000, 1000), started)
        assert started[0].startswith(head)


def test_slices_in_any_order_for_zarr_and_in_order_for_tiff(tmp_path: Path) -> None:
    with create_writer(tmp_path / "mask.zarr", STACK.shape, STACK.dtype) as writer:
        for z in (3, 0, 4, 2, 1):
            writer.write(z, STACK[z])
    np.testing.assert_array_equal(open_volume(tmp_path / "mask.zarr")[:], STACK)
    with (
        pytest.raises(ValueError, match="in order"),
        create_writer(tmp_path / "mask.tif", STACK.shape, STACK.dtype) as writer,
    ):
        writer.write(1, STACK[1])
    assert left_in(tmp_path) == ["mask.zarr"]


@pytest.mark.parametrize("name", OUTPUTS)
def test_nothing_is_left_of_what_was_interrupted(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for end in (KeyboardInterrupt, XsegError, GeneratorExit):
        with pytest.raises(end):
            write_some(path, STACK.shape, [], end)
        assert left_in(tmp_path) == []


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_older_output_stays_until_the_new_one_is_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save_volume(path, STACK)
    with pytest.raises(XsegError, match=r"is there already.*--overwrite"):
        save_volume(path, STACK)
    with pytest.raises(KeyboardInterrupt):
        write_some(path, STACK.shape, [], KeyboardInterrupt)
    np.testing.assert_array_equal(open_volume(path)[:], STACK)
    save_volume(path, STACK + 1, overwrite=True)
    np.testing.assert_array_equal(open_volume(path)[:], STACK + 1)
    assert left_in(tmp_path) == [name]


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_input_is_never_replaced(tmp_path: Path, name: str) -> None:
    save_volume(tmp_path / name, STACK)
    volume = open_volume(tmp_path / name)
    with pytest.raises(XsegError, match=f"{name}: is an input"):
        save_volume(tmp_path / name, volume, overwrite=True)
    np.testing.assert_array_equal(volume[:], STACK)


@pytest.mark.parametrize("name", OUTPUTS)
def test_what_cannot_be_begun_leaves_nothing(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tifffile, "TiffWriter", refuse)
    monkeypatch.setattr(zarr, "create_group", refuse)
    with pytest.raises(XsegError, match=f"{name}: the disk is full"):
        save_volume(tmp_path / name, STACK)
    assert left_in(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows moves no folder with open files")
@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("at", [2, 5])
def test_a_folder_that_moves_away_in_mid_write_is_not_made_anew(
    tmp_path: Path, name: str, at: int
) -> None:
    folder = tmp_path / "project"

    def write() -> None:
        with create_writer(folder / name, STACK.shape, STACK.dtype) as writer:
            for z, plane in enumerate(STACK):
                if z == at:
                    folder.rename(tmp_path / "elsewhere")
                writer.write(z, plane)
            if at == len(STACK):
                folder.rename(tmp_path / "elsewhere")

    with pytest.raises(XsegError, match=f"{name}: its folder is gone; put it back"):
        write()
    assert not folder.exists()


@pytest.mark.parametrize("many", [0, 1000])
def test_folders_are_synced_file_by_file_or_at_once(
    tmp_path: Path, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "_MANY", many)
    save_volume(tmp_path / "mask.zarr", STACK)
    np.testing.assert_array_equal(open_volume(tmp_path / "mask.zarr")[:], STACK)


@pytest.mark.parametrize("name", OUTPUTS)
def test_too_few_slices_and_wrong_planes_leave_nothing(tmp_path: Path, name: str) -> None:
    for plane in (STACK[0, 1:], STACK[0].astype(np.float32)):
        with (
            pytest.raises((ValueError, TypeError)),
            create_writer(tmp_path / name, STACK.shape, STACK.dtype) as writer,
        ):
            writer.write(0, plane)
    with (
        pytest.raises(ValueError, match="4 slices were not written, first 1"),
        create_writer(tmp_path / name, STACK.shape, STACK.dtype) as writer,
    ):
        writer.write(0, STACK[0])
    assert left_in(tmp_path) == []


def test_paths_that_take_no_output_are_refused_first(tmp_path: Path) -> None:
    with pytest.raises(XsegError, match=r"outputs end in \.tif, \.tiff or \.zarr"):
        create_writer(tmp_path / "mask.png", STACK.shape, STACK.dtype)
    (tmp_path / "file").write_text("x")
    with pytest.raises(XsegError, match="no folder"):
        create_writer(tmp_path / "file" / "mask.tif", STACK.shape, STACK.dtype)
    assert "its folder is gone" in str(
        atomic.write_error(tmp_path, FileNotFoundError(errno.ENOENT, ""))
    )
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(XsegError, match="is a folder"):
        create_writer(tmp_path / "folder.tif", STACK.shape, STACK.dtype, overwrite=True)
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "thesis.txt").write_text("precious")
    with pytest.raises(XsegError, match="no such output"):
        create_writer(tmp_path / "mine.zarr", STACK.shape, STACK.dtype, overwrite=True)
    assert (tmp_path / "mine.zarr" / "thesis.txt").read_text() == "precious"


def test_folders_on_the_way_are_made_and_nothing_else(tmp_path: Path) -> None:
    assert check_output(tmp_path / "a" / "b" / "mask.tif") == tmp_path / "a" / "b" / "mask.tif"
    assert left_in(tmp_path / "a" / "b") == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(XsegError, match="may not be written there"):
        check_output(tmp_path / "mask.tif")


def test_refusals_of_the_system_become_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(XsegError, match=r"mask\.tif: may not be written there"):
        check_output(tmp_path / "mask.tif")


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.skipif(sys.platform == "win32", reason="the file size limit is a Unix one")
def test_a_disk_that_fills_up_in_mid_write(tmp_path: Path, name: str) -> None:
    import resource

    save_volume(tmp_path / name, STACK)
    noise = np.random.default_rng(0).integers(0, 255, (30, 400, 400)).astype(np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(XsegError, match=f"{name}: the disk is full"):
            save_volume(tmp_path / name, noise, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    np.testing.assert_array_equal(open_volume(tmp_path / name)[:], STACK)
    assert left_in(tmp_path) == [name]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kill -9")
@pytest.mark.parametrize("name", OUTPUTS)
def test_a_killed_writer_leaves_the_older_output(tmp_path: Path, name: str) -> None:
    save_volume(tmp_path / name, STACK)
    program = f"""
        import numpy as np, time
        from napari_xseg.data.writing import create_writer
        with create_writer({str(tmp_path / name)!r}, (9, 8, 7), "uint8", overwrite=True) as writer:
            for z in range(9):
                writer.write(z, np.ones((8, 7), np.uint8))
                print(z, flush=True)
                time.sleep(600)  # it is killed long before
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    np.testing.assert_array_equal(open_volume(tmp_path / name)[:], STACK)
    assert [left for left in left_in(tmp_path) if not left.startswith(".")] == [name]


def test_a_target_held_for_good_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def held(source: Path, target: Path) -> Path:
        raise PermissionError(13, "in use", str(source))

    monkeypatch.setattr(Path, "replace", held)
    monkeypatch.setattr(atomic, "_RETRY_SECONDS", (0.0,))
    for name in ("a.txt", *OUTPUTS):
        with pytest.raises(XsegError, match=f"{name}: may not be written.*close programs"):
            write_atomic(tmp_path / name, "x") if name == "a.txt" else save_volume(
                tmp_path / name, STACK
            )
    assert left_in(tmp_path) == []


def test_a_folder_that_cannot_take_its_place_brings_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mask.zarr"
    save_volume(path, STACK)
    replace = Path.replace
    moves: list[Path] = []

    def fails_second(source: Path, target: Path) -> Path:
        moves.append(source)
        if len(moves) == 2:
            raise OSError(errno.EIO, "Input/output error")
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", fails_second)
    with pytest.raises(XsegError, match=r"mask\.zarr: cannot be written"):
        save_volume(path, STACK + 1, overwrite=True)
    np.testing.assert_array_equal(open_volume(path)[:], STACK)
    assert left_in(tmp_path) == ["mask.zarr"]


def test_two_hundred_label_slices_cost_little(tmp_path: Path) -> None:
    blobs = (np.add.outer(np.arange(501), np.arange(501)) // 40 % 3 * 127).astype(np.uint8)
    start = time.process_time()
    with create_writer(tmp_path / "mask.tif", (200, 501, 501), np.uint8, colours=COLOURS) as writer:
        for z in range(200):
            writer.write(z, blobs)
    assert time.process_time() - start < 1.0
    assert (tmp_path / "mask.tif").stat().st_size < 200 * 501 * 501 / 8

"""Zarr, OME-Zarr, HDF5 and NeXus."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
import zarr

from napari_xseg.data.formats.opening import split_path
from napari_xseg.data.volume import (
    VoxelSize,
    hash_source,
    list_datasets,
    open_label_volume,
    open_volume,
)
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path

not_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="no colons in file names")

STACK = np.random.default_rng(2).integers(0, 60000, (6, 17, 19)).astype(np.uint16)


def ome(axes: str, scale: list[float], unit: str | None, version: str) -> dict[str, Any]:
    kinds = {"t": "time", "c": "channel"}
    named = [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes]
    for axis in named:
        if unit and axis["type"] == "space":
            axis["unit"] = unit
    transforms = [{"type": "scale", "scale": scale}]
    datasets = [{"path": "0", "coordinateTransformations": transforms}, {"path": "1"}]
    scales = [{"axes": named, "datasets": datasets}]
    if version == "0.4":
        return {"multiscales": [{**scales[0], "version": "0.4"}]}
    return {"ome": {"version": "0.5", "multiscales": scales}}


def write_ome(path: Path, stack: np.ndarray, attributes: dict[str, Any], zarr_format: int) -> None:
    group = zarr.create_group(path, zarr_format=zarr_format, attributes=attributes)
    for name, data in (("0", stack), ("1", stack[..., ::2, ::2])):
        group.create_array(name, data=data, chunks=(*(1,) * (stack.ndim - 2), 8, 8))


@pytest.mark.parametrize(("version", "zarr_format"), [("0.4", 2), ("0.5", 3)])
@pytest.mark.parametrize("axes", ["zyx", "czyx", "tczyx", "yx"])
def test_ome_zarr_at_full_resolution(
    tmp_path: Path, version: str, zarr_format: int, axes: str
) -> None:
    path = tmp_path / "scan.ome.zarr"
    stack = STACK if "z" in axes else STACK[0]
    scale = [3.0, 2.0, 0.5][-min(3, len(axes)) :]
    full = [1.0] * (len(axes) - len(scale)) + scale
    stored = stack.reshape((1,) * (len(axes) - stack.ndim) + stack.shape)
    write_ome(path, stored, ome(axes, full, "micrometer", version), zarr_format)
    volume = open_volume(path)
    np.testing.assert_array_equal(volume[:], stack.reshape(-1, 17, 19))
    assert volume.voxel_size == VoxelSize(3.0 if "z" in axes else 2.0, 2.0, 0.5, "um")
    np.testing.assert_array_equal(open_volume(path / "1")[:].squeeze(), stack[..., ::2, ::2])
    np.testing.assert_array_equal(open_volume(f"{path}:/1")[:].squeeze(), stack[..., ::2, ::2])


def test_channels_of_an_ome_zarr_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.zarr"
    stored = np.stack([STACK, STACK])
    write_ome(path, stored, ome("czyx", [1.0, 1.0, 1.0, 1.0], None, "0.5"), 3)
    with pytest.raises(XsegError, match=r"scan\.zarr: has 2 along the axis c"):
        open_volume(path)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("dtype", ["uint8", ">u2", "<i2", ">f4", "float64", "bool"])
def test_plain_arrays(tmp_path: Path, zarr_format: int, dtype: str) -> None:
    path = tmp_path / "plain.zarr"
    array = (STACK // 300).astype(dtype)
    zarr.create_array(path, data=array, chunks=(4, 8, 8), zarr_format=zarr_format)
    volume = open_volume(path)
    assert volume.dtype.isnative
    assert volume.chunk_depth == 4
    np.testing.assert_array_equal(volume[:], array)
    np.testing.assert_array_equal(volume[1:6:2, 3], array[1:6:2, 3])
    np.testing.assert_array_equal(volume.read(5), array[5])


def test_a_group_with_one_stack_and_one_with_more(tmp_path: Path) -> None:
    path = tmp_path / "group.zarr"
    group = zarr.create_group(path)
    group.create_array("deep/stack", data=STACK)
    group.create_array("line", data=np.arange(3))
    group.create_array("flat", data=STACK[0])
    np.testing.assert_array_equal(open_volume(path)[:], STACK)
    group.create_array("other", data=STACK + 1)
    with pytest.raises(XsegError, match=r"choose one of its arrays.*/other \(6, 17, 19\) uint16"):
        open_volume(path)
    assert set(list_datasets(path)) == {"/deep/stack", "/flat", "/other"}
    for volume in (open_volume(path, dataset="other"), open_volume(f"{path}:/other")):
        np.testing.assert_array_equal(volume[:], STACK + 1)
        np.testing.assert_array_equal(open_volume(volume.uri)[:], STACK + 1)
    with pytest.raises(XsegError, match="holds no /nothing"):
        open_volume(path, dataset="/nothing")


def test_what_lies_about_in_a_zarr_group_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "group.zarr"
    zarr.create_group(path).create_array("stack", data=STACK)
    (path / ".DS_Store").write_text("x")
    (path / "junk").mkdir()
    (path / "notes.txt").write_text("x")
    np.testing.assert_array_equal(open_volume(path)[:], STACK)


def test_a_zarr_hash_tells_its_content(tmp_path: Path) -> None:
    for name, data in (("a", STACK), ("b", STACK), ("c", STACK + 1)):
        zarr.create_array(tmp_path / name, data=data)
    a, b, c = (hash_source(open_volume(tmp_path / name)) for name in "abc")
    assert a == b != c


def test_broken_zarr_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.zarr"
    zarr.create_array(path, data=STACK, chunks=(1, 17, 19))
    volume = open_volume(path)
    chunk = path / "c" / "2" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:20])
    np.testing.assert_array_equal(volume.read(1), STACK[1])
    with pytest.raises(XsegError, match=r"broken\.zarr, slice 2: cannot be read"):
        volume.read(2)
    (path / "zarr.json").write_text("{")
    with pytest.raises(XsegError, match=r"broken\.zarr: cannot be read"):
        open_volume(path)


def test_an_empty_zarr_group_is_refused(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "empty.zarr")
    with pytest.raises(XsegError, match=r"empty\.zarr: .*no array"):
        open_volume(tmp_path / "empty.zarr")


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["entry/data"] = STACK
        file["entry/angles"] = np.linspace(0, 180, 6)
        file["entry/flat"] = STACK[0]
        file["entry/title"] = "a scan"
    return path


def test_hdf5_by_path_and_alone(scan: Path) -> None:
    for volume in (
        open_volume(scan),
        open_volume(f"{scan}:/entry/data"),
        open_volume(f"{scan}:entry/data"),
        open_volume(f"{scan}:/entry"),
        open_volume(scan, dataset="/entry/data"),
    ):
        np.testing.assert_array_equal(volume[:], STACK)
        assert volume.uri == f"{scan}:/entry/data"
        assert volume.has_neighbours
    np.testing.assert_array_equal(open_volume(f"{scan}:/entry/flat")[0], STACK[0])
    with pytest.raises(XsegError, match=r"scan\.h5: holds no /entry/nothing; choose one"):
        open_volume(f"{scan}:/entry/nothing")
    with pytest.raises(XsegError, match="angles"):
        open_volume(f"{scan}:/entry/angles")


def test_several_stacks_are_listed(scan: Path) -> None:
    with h5py.File(scan, "a") as file:
        file["process/result"] = STACK.astype(np.float32)
        file["process/same"] = h5py.SoftLink("/entry/data")
    with pytest.raises(XsegError, match=r"/entry/data \(6, 17, 19\) uint16.*/process/result"):
        open_volume(scan)
    assert list_datasets(scan) == ("/entry/data", "/entry/flat", "/process/result")
    assert list_datasets(scan.parent) == ()


def test_nexus_default_is_followed(scan: Path) -> None:
    with h5py.File(scan, "a") as file:
        plot = file.create_group("entry/plot")
        plot["signal_here"] = STACK + 1
        plot["z"], plot["y"], plot["x"] = np.arange(6) * 3.0, np.arange(17) * 2.0, np.arange(19)
        for axis in "zyx":
            plot[axis].attrs["units"] = "um"
        plot.attrs["axes"] = ["z", "y", "x"]
        plot.attrs["signal"] = "signal_here"
        file["entry"].attrs["default"] = "plot"
        file.attrs["default"] = "entry"
    volume = open_volume(scan)
    np.testing.assert_array_equal(volume[:], STACK + 1)
    assert volume.voxel_size == VoxelSize(3.0, 2.0, 1.0, "um")
    np.testing.assert_array_equal(open_volume(f"{scan}:/entry/data")[:], STACK)


def test_links_in_circles_and_to_nowhere(scan: Path) -> None:
    with h5py.File(scan, "a") as file:
        file["entry/loop"] = h5py.SoftLink("/entry")
        file["entry/hard"] = file["/"]
        file["entry/gone"] = h5py.ExternalLink("missing.h5", "/data")
        file["entry/nowhere"] = h5py.SoftLink("/not/there")
    np.testing.assert_array_equal(open_volume(scan)[:], STACK)


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ({"element_size_um": [3.0, 2.0, 1.0]}, VoxelSize(3.0, 2.0, 1.0, "um")),
        ({"voxel_size": [3.0, 2.0, 1.0], "voxel_size_units": "nm"}, VoxelSize(3, 2, 1, "nm")),
        ({"pixel_size": 0.5, "pixel_size_unit": "µm"}, VoxelSize(0.5, 0.5, 0.5, "um")),
        ({"pixel_size": 0.5}, None),
        ({"pixel_size": 0.5, "units": "counts"}, None),
        ({"element_size_um": [0.0, 0.0, 0.0]}, None),
        ({}, None),
    ],
)
def test_hdf5_voxel_size(scan: Path, attributes: dict[str, Any], size: VoxelSize | None) -> None:
    with h5py.File(scan, "a") as file:
        file["entry/data"].attrs.update(attributes)
    assert open_volume(scan).voxel_size == size


def test_nexus_detector_pixel_size(scan: Path) -> None:
    with h5py.File(scan, "a") as file:
        file["entry/x_pixel_size"], file["entry/y_pixel_size"] = 650e-9, 0.7
        file["entry/x_pixel_size"].attrs["units"] = "m"
        file["entry/y_pixel_size"].attrs["units"] = "um"
    size = open_volume(scan).voxel_size
    assert size is not None
    assert size.unit == "m"
    assert (size.y, size.x) == (7e-7, 6.5e-7)


def test_chunks_compression_and_byte_order(tmp_path: Path) -> None:
    path = tmp_path / "packed.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("d", data=STACK.astype(">i4"), chunks=(4, 8, 8), compression="gzip")
    volume = open_volume(path)
    assert volume.dtype == np.int32
    assert volume.chunk_depth == 4
    np.testing.assert_array_equal(volume[:], STACK)
    np.testing.assert_array_equal(volume[2:5], STACK[2:5])


def test_axes_of_length_one_and_true_colour(tmp_path: Path) -> None:
    path = tmp_path / "axes.h5"
    colour = np.random.default_rng(0).integers(0, 255, (4, 20, 21, 3)).astype(np.uint8)
    with h5py.File(path, "w") as file:
        file["five"] = STACK[None, :, None]
        file["colour"] = colour
        file["four"] = np.zeros((2, 3, 20, 21), np.uint8)
    np.testing.assert_array_equal(open_volume(f"{path}:/five")[:], STACK)
    with pytest.raises(XsegError, match="colour image"):
        open_volume(f"{path}:/colour")
    packed = open_label_volume(f"{path}:/colour")
    assert packed.colours
    assert packed[1, 2, 3] == int.from_bytes(colour[1, 2, 3].tobytes(), "big")
    with pytest.raises(XsegError, match=r"\(2, 3, 20, 21\)"):
        open_volume(f"{path}:/four")


def test_broken_hdf5_is_named(scan: Path) -> None:
    content = scan.read_bytes()
    scan.write_bytes(content[: len(content) // 2])
    with pytest.raises(XsegError, match=r"scan\.h5: cannot be read as HDF5"):
        open_volume(scan)
    scan.write_bytes(b"something else altogether")
    with pytest.raises(XsegError, match=r"scan\.h5: cannot be read as HDF5"):
        open_volume(scan)


def test_a_file_without_stacks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.h5"
    with h5py.File(path, "w") as file:
        file["line"] = np.arange(9)
        file["words"] = ["a", "b"]
    with pytest.raises(XsegError, match=r"empty\.h5: no dataset in it is a stack"):
        open_volume(path)


@not_on_windows
def test_datasets_are_split_off_behind_what_exists(scan: Path, tmp_path: Path) -> None:
    assert split_path(f"{scan}:/entry/data") == (scan, "/entry/data")
    assert split_path(scan) == (scan, None)
    assert split_path(f"{scan}:") == (scan, None)
    odd = tmp_path / "a:b.h5"
    odd.write_bytes(b"x")
    assert split_path(odd) == (odd, None)
    assert split_path(f"{odd}:/c:d") == (odd, "/c:d")
    assert split_path("nowhere.h5:/x")[1] is None


@not_on_windows
def test_drive_letters_are_no_files(
    scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Here a file may be called C, as a drive is on Windows.
    (tmp_path / "C").write_bytes(b"x")
    assert split_path(r"C:\missing.h5")[1] is None
    drive = tmp_path / r"C:\x.h5"
    scan.rename(drive)
    file, dataset = split_path(r"C:\x.h5:/entry/data")
    assert dataset == "/entry/data"
    np.testing.assert_array_equal(open_volume(rf"C:\x.h5:{dataset}")[:], STACK)
    assert file.name == r"C:\x.h5"


def test_other_files_have_no_datasets(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", STACK)
    with pytest.raises(XsegError, match=r"a\.npy: has no datasets"):
        open_volume(f"{tmp_path / 'a.npy'}:/x")

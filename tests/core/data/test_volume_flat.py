"""Plain numbers: .npy, raw binary, NRRD and MetaImage."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_xseg.data.volume import RawSpec, VoxelSize, open_label_volume, open_volume
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path

STACK = np.random.default_rng(3).integers(0, 120, (6, 17, 19))
DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
NRRD_NAMES = ["uchar", "int8", "unsigned short", "short", "uint", "int", "float", "double"]
META_NAMES = ["UCHAR", "CHAR", "USHORT", "SHORT", "UINT", "INT", "FLOAT", "DOUBLE"]


@pytest.mark.parametrize("dtype", ["?", "u1", "<u2", ">u2", ">i4", "<f2", ">f4", "f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path: Path, dtype: str, order: str) -> None:
    path = tmp_path / "stack.npy"
    array = np.asarray(STACK.astype(dtype), order=order)
    np.save(path, array)
    volume = open_volume(path)
    np.testing.assert_array_equal(volume[:], array)
    np.testing.assert_array_equal(volume[1:4, 2], array[1:4, 2])
    assert volume.read(1).dtype.isnative
    assert volume.files == (path,)


def test_npy_of_other_shapes(tmp_path: Path) -> None:
    path = tmp_path / "array.npy"
    np.save(path, STACK[0])
    assert open_volume(path).shape == (1, 17, 19)
    np.save(path, STACK[None])
    np.testing.assert_array_equal(open_volume(path)[:], STACK)
    np.save(path, np.zeros((2, 3, 4, 5)))
    with pytest.raises(XsegError, match=r"array\.npy: has the shape \(2, 3, 4, 5\)"):
        open_volume(path)
    np.save(path, np.zeros((0, 4, 5)))
    with pytest.raises(XsegError, match=r"array\.npy"):
        open_volume(path)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("samples", [3, 4])
def test_npy_in_colour(tmp_path: Path, order: str, samples: int) -> None:
    path = tmp_path / "rgb.npy"
    grey = STACK[:, :16, :16].astype(np.uint8)
    rgb = np.repeat(grey[..., None], samples, -1)
    if samples == 4:
        rgb[..., 3] = 7
    np.save(path, np.asarray(rgb, order=order))
    np.testing.assert_array_equal(open_volume(path)[:], grey)
    assert open_label_volume(path)[2, 3, 4] == int(grey[2, 3, 4]) * 0x010101


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "objects.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(XsegError, match=r"objects\.npy: cannot be read"):
        open_volume(path)


@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
    dtype=st.sampled_from(DTYPES),
    order=st.sampled_from(["little", "big"]),
    offset=st.one_of(st.none(), st.integers(0, 40)),
)
def test_raw(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    dtype: str,
    order: str,
    offset: int | None,
) -> None:
    path = tmp_path_factory.mktemp("raw") / "scan.raw"
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    stored = array.astype(array.dtype.newbyteorder(order))
    path.write_bytes(b"h" * (offset or 0) + stored.tobytes())
    text = f"{'x'.join(map(str, shape))},{dtype},{order}" + (f",{offset}" if offset else "")
    spec = RawSpec.parse(text)
    volume = open_volume(path, raw=spec)
    np.testing.assert_array_equal(volume[:], array)
    assert volume.dtype == np.dtype(dtype)
    assert RawSpec.parse(str(spec)) == spec or spec.dtype.itemsize == 1


@pytest.mark.parametrize(
    "text",
    ["", "2x3x4", "2x3x4,uint8", "2x3x4,uint8,middle", "2x0x4,uint8,little", "2,uint8,little",
     "axb,uint8,big", "2x3x4,word,big", "2x3x4,complex64,big", "2x3x4,uint8,big,-1",
     "2x3x4,uint8,big,1,2", "2x3x4x5,uint8,big", "2x3x4,object,little"],
)  # fmt: skip
def test_raw_descriptions_that_are_none(text: str) -> None:
    with pytest.raises(XsegError, match="raw description"):
        RawSpec.parse(text)


def test_raw_of_another_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.raw"
    path.write_bytes(bytes(2 * 3 * 4 + 5))
    with pytest.raises(XsegError, match=r"scan\.raw: has 29 bytes.*needs 24.*perhaps 5"):
        open_volume(path, raw=RawSpec.parse("2x3x4,uint8,little"))
    assert open_volume(path, raw=RawSpec.parse("2x3x4,uint8,little,5")).shape == (2, 3, 4)
    with pytest.raises(XsegError, match=r"scan\.raw: is broken off"):
        open_volume(path, raw=RawSpec.parse("9x3x4,uint8,little"))
    with pytest.raises(XsegError, match=r"is of no known kind.* raw binary"):
        open_volume(path)


def nrrd_header(kind: str, order: str, encoding: str, *more: str) -> bytes:
    lines = [
        "NRRD0004",
        "# a comment: of no meaning",
        f"type: {kind}",
        "dimension: 3",
        "sizes: 19 17 6",
        f"encoding: {encoding}",
        f"endian: {order}",
        "note:=by the user",
        *more,
    ]
    return "\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(("dtype", "kind"), list(zip(DTYPES, NRRD_NAMES, strict=True)))
@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize("attached", [True, False])
def test_nrrd(
    tmp_path: Path, dtype: str, kind: str, order: str, encoding: str, attached: bool
) -> None:
    array = STACK.astype(dtype)
    data = array.astype(array.dtype.newbyteorder(order)).tobytes()
    data = gzip.compress(data) if encoding == "gzip" else data
    path = tmp_path / ("scan.nrrd" if attached else "scan.nhdr")
    spacing = "spacings: 0.5 1 2.5"
    if attached:
        path.write_bytes(nrrd_header(kind, order, encoding, spacing) + data)
    else:
        (tmp_path / "scan data.bin").write_bytes(data)
        header = nrrd_header(kind, order, encoding, spacing, "data file: scan data.bin")
        path.write_bytes(header)
    volume = open_volume(path)
    assert volume.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(volume[:], array)
    assert volume.voxel_size == VoxelSize(2.5, 1.0, 0.5, "")
    assert len(volume.files) == (1 if attached else 2)


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        (("spacings: 1 2 3", 'space units: "um" "um" "um"'), VoxelSize(3, 2, 1, "um")),
        (("space: left-posterior-superior", "space directions: (2,0,0) (0,3,0) (0,0,4)"),
         VoxelSize(4, 3, 2, "mm")),
        (("space directions: (0,3,4) (0,3,0) (0,0,4)",), VoxelSize(4, 3, 5, "")),
        (("spacings: 1 1 1",), None),
        (("spacings: NaN 1 1",), None),
        ((), None),
    ],
)  # fmt: skip
def test_nrrd_spacings(tmp_path: Path, lines: tuple[str, ...], size: VoxelSize | None) -> None:
    path = tmp_path / "scan.nrrd"
    path.write_bytes(nrrd_header("uchar", "little", "raw", *lines) + bytes(STACK.size))
    assert open_volume(path).voxel_size == size


def test_nrrd_skips(tmp_path: Path) -> None:
    path = tmp_path / "scan.nhdr"
    array = STACK.astype(np.uint8)
    (tmp_path / "scan.dat").write_bytes(b"first line\nsecond\n12345" + array.tobytes())
    header = nrrd_header("uchar", "little", "raw", "data file: scan.dat")
    for skips in (b"line skip: 2\nbyte skip: 5\n\n", b"byte skip: -1\n\n"):
        path.write_bytes(header[:-1] + skips)
        np.testing.assert_array_equal(open_volume(path)[:], array)


def test_nrrd_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "scan.nrrd"
    data = bytes(STACK.size)
    path.write_bytes(nrrd_header("uchar", "little", "raw") + data[:-1])
    with pytest.raises(XsegError, match=r"scan\.nrrd: is broken off"):
        open_volume(path)
    path.write_bytes(nrrd_header("uchar", "little", "gzip") + gzip.compress(data)[:-40])
    with pytest.raises(XsegError, match=r"scan\.nrrd: is broken off"):
        open_volume(path).read(0)
    path.write_bytes(nrrd_header("uchar", "little", "gzip") + data)
    with pytest.raises(XsegError, match=r"scan\.nrrd: cannot be read as gzip"):
        open_volume(path).read(0)
    for header in (
        nrrd_header("block", "little", "raw"),
        nrrd_header("uchar", "little", "bzip2"),
        nrrd_header("uchar", "little", "raw", "data file: x%03d.raw 1 9 1"),
        nrrd_header("uchar", "little", "raw", "data file: missing.raw"),
        b"NRRD0004\ntype: uchar\n\n",
    ):
        path.write_bytes(header + data)
        with pytest.raises(XsegError, match=r"scan\.nrrd: "):
            open_volume(path)


@pytest.mark.parametrize(("dtype", "kind"), list(zip(DTYPES, META_NAMES, strict=True)))
@pytest.mark.parametrize("big", [True, False])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("local", [True, False])
def test_metaimage(
    tmp_path: Path, dtype: str, kind: str, big: bool, packed: bool, local: bool
) -> None:
    array = STACK.astype(dtype)
    data = array.astype(array.dtype.newbyteorder(">" if big else "<")).tobytes()
    data = zlib.compress(data) if packed else data
    header = (
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = {big}\n"
        f"CompressedData = {packed}\nDimSize = 19 17 6\nElementSpacing = 0.5 0.5 2\n"
        f"ElementType = MET_{kind}\nElementDataFile = {'LOCAL' if local else 'scan.raw'}\n"
    ).encode()
    path = tmp_path / ("scan.mha" if local else "scan.mhd")
    path.write_bytes(header + data if local else header)
    if not local:
        (tmp_path / "scan.raw").write_bytes(data)
    volume = open_volume(path)
    assert volume.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(volume[:], array)
    assert volume.voxel_size == VoxelSize(2.0, 0.5, 0.5, "mm")
    assert len(volume.files) == (1 if local else 2)


def test_metaimage_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "scan.mhd"
    good = {
        "ObjectType": "Image", "NDims": "3", "DimSize": "19 17 6",
        "ElementType": "MET_UCHAR", "ElementDataFile": "scan.raw",
    }  # fmt: skip
    (tmp_path / "scan.raw").write_bytes(bytes(STACK.size))

    def write(**changes: str) -> None:
        fields = {**good, **changes}
        path.write_text("".join(f"{key} = {value}\n" for key, value in fields.items() if value))

    write()
    volume = open_volume(path)
    assert volume.voxel_size is None
    assert volume.shape == STACK.shape
    for changes in (
        {"ElementDataFile": "missing.raw"},
        {"ElementDataFile": "LIST"},
        {"ElementDataFile": ""},
        {"ElementType": "MET_OTHER"},
        {"ElementNumberOfChannels": "3"},
        {"DimSize": "19 17 7"},
        {"DimSize": "many"},
    ):
        write(**changes)
        with pytest.raises(XsegError, match=r"scan\.(mhd|raw): "):
            open_volume(path)


def test_unpacked_copies_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(copies))
    path = tmp_path / "scan.nrrd"
    packed = gzip.compress(STACK.astype(np.uint8).tobytes())
    path.write_bytes(nrrd_header("uchar", "little", "gzip") + packed)
    volume = open_volume(path)
    assert list(copies.iterdir()) == []
    volume.read(0)
    assert len(list(copies.iterdir())) == 1
    del volume
    assert list(copies.iterdir()) == []

"""Damaged files: one sentence that names them, or the right pixels, never wrong ones."""

from __future__ import annotations

import gzip
import random
import zlib
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_xseg.data.volume import open_volume
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RNG = np.random.default_rng(0)
STACK = np.cumsum(RNG.integers(0, 9, (4, 9, 11)), -1).astype(np.uint16)
RAW = STACK.astype("<u2").tobytes()


def tiff(**more: Any) -> Callable[[Path], None]:
    return lambda path: tifffile.imwrite(path, STACK, photometric="minisblack", **more)


def pages(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        for plane in STACK:
            writer.write(plane, compression="packbits", metadata=None, rowsperstrip=3)


def picture(kind: str) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(STACK[0].astype(np.uint8)).save(path, kind)


def npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, STACK)


def nrrd(encoding: str) -> Callable[[Path], None]:
    header = f"NRRD0004\ntype: ushort\ndimension: 3\nsizes: 11 9 4\nencoding: {encoding}\n\n"
    data = RAW if encoding == "raw" else gzip.compress(RAW)
    return lambda path: path.write_bytes(header.encode() + data) and None


def metaimage(packed: bool) -> Callable[[Path], None]:
    header = (
        f"NDims = 3\nCompressedData = {packed}\nDimSize = 11 9 4\nElementType = MET_USHORT\n"
        "ElementDataFile = LOCAL\n"
    )
    data = zlib.compress(RAW) if packed else RAW
    return lambda path: path.write_bytes(header.encode() + data) and None


def hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("d", data=STACK, chunks=(1, 9, 11), compression="gzip")


WRITERS: dict[str, Callable[[Path], None]] = {
    "plain.tif": tiff(),
    "zlib.tif": tiff(compression="zlib"),
    "lzw.tif": tiff(compression="lzw", metadata=None),
    "packbits.tif": pages,
    "imagej.tif": tiff(imagej=True, metadata={"axes": "ZYX"}),
    "imagej zlib.tif": tiff(imagej=True, metadata={"axes": "ZYX"}, compression="zlib"),
    "ome.tif": tiff(ome=True, metadata={"axes": "ZYX"}),
    "big.tif": tiff(bigtiff=True, compression="zlib", metadata=None),
    "grey.png": picture("png"),
    "grey.bmp": picture("bmp"),
    "grey.jpg": picture("jpeg"),
    "stack.npy": npy,
    "raw.nrrd": nrrd("raw"),
    "gzip.nrrd": nrrd("gzip"),
    "raw.mha": metaimage(False),
    "zlib.mha": metaimage(True),
    "stack.h5": hdf5,
}


def read_or_complain(path: Path) -> np.ndarray | str:
    """Read everything, or give the sentence that came instead."""
    try:
        return open_volume(path)[:]
    except XsegError as error:
        return str(error)


def assert_names(complaint: np.ndarray | str, path: Path) -> None:
    assert isinstance(complaint, str)
    assert str(path) in complaint
    assert "\n" not in complaint


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_broken_off_anywhere_is_named_or_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    content, whole = path.read_bytes(), open_volume(path)[:]
    complaints = 0
    for length in sorted(random.Random(0).sample(range(1, len(content)), 40)):
        path.write_bytes(content[:length])
        found = read_or_complain(path)
        if isinstance(found, str):
            assert_names(found, path)
            complaints += 1
        else:
            np.testing.assert_array_equal(found, whole)
    assert complaints > 10


@pytest.mark.parametrize("name", WRITERS)
def test_changed_bytes_never_crash(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    content = path.read_bytes()
    dice = random.Random(0)
    for _ in range(60):
        changed = bytearray(content)
        for _ in range(dice.choice([1, 1, 4])):
            changed[dice.randrange(min(len(changed), dice.choice([300, 9999])))] ^= dice.randrange(
                1, 256
            )
        path.write_bytes(changed)
        found = read_or_complain(path)
        if isinstance(found, str):
            assert_names(found, path)


@pytest.mark.parametrize("suffix", [".tif", ".png", ".npy", ".h5", ".nrrd", ".mhd", ".mha"])
def test_garbage_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"garbage{suffix}"
    for content in (b"\0" * 300, b"GIF89a garbage", bytes(range(256)), b"II*\0"):
        path.write_bytes(content)
        assert_names(read_or_complain(path), path)

"""Folders of single-slice files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_xseg.data.formats import opening
from napari_xseg.data.formats.naming import natural_key, trailing_number, understand
from napari_xseg.data.volume import RawSpec, open_label_volume, open_volume
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.data.formats.folder import ImageFile

STACK = np.random.default_rng(1).integers(0, 255, (12, 9, 8)).astype(np.uint8)


def write(path: Path, plane: np.ndarray, **more: object) -> None:
    if path.suffix.casefold() in (".tif", ".tiff"):
        tifffile.imwrite(path, plane, **more)
    else:
        Image.fromarray(plane).save(path)


def fill(folder: Path, names: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, plane in zip(names, STACK, strict=False):
        write(folder / name, plane)
    return folder


NAMES = [
    [f"SOCprist{z:04d}.tiff" for z in range(1, 13)],
    [f"Slice_ {z}.tif" for z in range(1309, 1321)],
    [f"a {z}.TIF" for z in range(1, 13)],
    [f"{z}.png" for z in range(95, 107)],
    [f"rec_2024_{z:05d}_0.7um.tif" for z in range(12)],
    [f"{'Scan' if z % 2 else 'SCAN'}-{z}.{'tif' if z % 3 else 'TIFF'}" for z in range(12)],
    [f"slice_{z:03d}_z{z * 0.75:07.2f}.tif" for z in range(12)],
    [f"s{z:02d}_20240101{1200 + 7 * z}.bmp" for z in range(12)],
]


@pytest.mark.parametrize("names", NAMES, ids=lambda names: names[0])
def test_files_come_in_natural_order_as_neighbours(tmp_path: Path, names: list[str]) -> None:
    volume = open_volume(fill(tmp_path / "scan", names))
    np.testing.assert_array_equal(volume[:], STACK)
    assert volume.slice_names == tuple(names)
    assert volume.neighbour(0, 99) == 11
    assert volume.warnings == ()
    assert volume.name == "scan"


def test_numbers_are_those_in_the_names(tmp_path: Path) -> None:
    volume = open_volume(fill(tmp_path, ["Slice_ 1316.tif", "Slice_ 1317.tif", "Slice_ 1320.tif"]))
    assert volume.numbers == (1316, 1317, 1320)
    assert [volume.neighbour(z, 1) for z in range(3)] == [1, 1, 2]


@pytest.mark.parametrize(
    ("name", "number"),
    [("SOCprist0001.tiff", 1), ("Slice_ 1316.tif", 1316), ("no.tif", None), ("a1_b2.x.png", 2)],
)
def test_the_last_number_of_a_name(name: str, number: int | None) -> None:
    assert trailing_number(name) == number


@given(st.lists(st.tuples(st.sampled_from(["a", "B", "é "]), st.integers(0, 10**6)), unique=True))
def test_natural_order_is_that_of_words_and_numbers(parts: list[tuple[str, int]]) -> None:
    names = [f"{word}{number}.tif" for word, number in parts]
    expected = [
        f"{word}{number}.tif"
        for word, number in sorted(parts, key=lambda part: (part[0].casefold(), part[1]))
    ]
    assert sorted(names, key=natural_key) == expected


@given(
    st.sets(st.text(st.characters(codec="ascii", exclude_characters="/\0"), min_size=1), min_size=1)
)
def test_every_name_is_kept_once(names: set[str]) -> None:
    naming = understand([f"{name}.tif" for name in names])
    kept = [name for series in naming.series for name in series.names] + list(naming.strays)
    assert sorted(kept) == sorted(f"{name}.tif" for name in names)
    assert all(sum(series.runs) == len(series.names) for series in naming.series)


def test_what_is_no_image_is_left_alone(tmp_path: Path) -> None:
    folder = fill(tmp_path / "scan", NAMES[0])
    for name in (".hidden.tif", "._SOCprist0001.tiff", "Thumbs.db", "desktop.ini", ".DS_Store",
                 "scan.json", "notes.txt", "scan.log", "~$x.tif", "a.tif.meta"):  # fmt: skip
        (folder / name).write_text("no image")
    fill(folder / "labels", ["slice_1.tif"])
    volume = open_volume(folder)
    assert volume.slice_names == tuple(NAMES[0])
    assert volume.warnings == ()


def test_a_stray_beside_a_long_series_is_left_out_aloud(tmp_path: Path) -> None:
    folder = fill(tmp_path / "scan", NAMES[0])
    write(folder / "overview.tif", STACK[0, :4])
    volume = open_volume(folder)
    assert len(volume) == 12
    assert "overview.tif" in volume.warnings[0]
    assert "SOCprist#.tiff" in volume.warnings[0]


def test_two_series_with_the_same_numbers_are_refused(tmp_path: Path) -> None:
    names = [f"{kind}_{z:03d}.tif" for kind in "ab" for z in range(1, 7)]
    with pytest.raises(XsegError, match=r"a_#\.tif \(6 files\) and b_#\.tif.*its own folder"):
        open_volume(fill(tmp_path, names))


def test_a_preview_beside_each_image_is_refused(tmp_path: Path) -> None:
    names = [f"a_{z}.{kind}" for kind in ("tif", "png") for z in range(6)]
    with pytest.raises(XsegError, match="same numbers"):
        open_volume(fill(tmp_path, names))


def test_series_with_other_numbers_are_not_neighbours(tmp_path: Path) -> None:
    names = [f"a_{z}.tif" for z in range(1, 7)] + [f"b_{z}.tif" for z in range(7, 13)]
    volume = open_volume(fill(tmp_path, names))
    np.testing.assert_array_equal(volume[:], STACK)
    assert volume.neighbour(5, 1) == 5
    assert volume.neighbour(6, -1) == 6
    assert "2 series" in volume.warnings[0]


def test_a_collection_is_unordered(tmp_path: Path) -> None:
    volume = open_volume(fill(tmp_path, ["pear.tif", "apple.tif", "Fig.png", "plum 7.tif"]))
    assert volume.slice_names == ("apple.tif", "Fig.png", "pear.tif", "plum 7.tif")
    assert volume.numbers == (None, None, None, 7)
    assert not volume.has_neighbours


def test_one_number_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(XsegError, match=r"a1\.tif and a01\.tif|a01\.tif and a1\.tif"):
        open_volume(fill(tmp_path, ["a1.tif", "a01.tif", "a2.tif"]))


def test_sizes_that_differ_are_named(tmp_path: Path) -> None:
    folder = fill(tmp_path, NAMES[0])
    write(folder / NAMES[0][4], STACK[0, :7])
    with pytest.raises(XsegError, match=r"SOCprist0005\.tiff: is 8 x 7 uint8, but SOCprist0001"):
        open_volume(folder)


def test_one_other_type_in_the_middle_is_named_when_checked_or_read(tmp_path: Path) -> None:
    folder = fill(tmp_path, NAMES[0])
    write(folder / NAMES[0][4], STACK[4].astype(np.int8))
    volume = open_volume(folder)
    expected = r"SOCprist0005\.tiff: is 8 x 9 int8, but SOCprist0001\.tiff is 8 x 9 uint8"
    with pytest.raises(XsegError, match=expected):
        volume.check()
    with pytest.raises(XsegError, match=expected):
        volume.read(4)
    np.testing.assert_array_equal(volume.read(3), STACK[3])


def test_empty_and_short_files_are_named_at_once(tmp_path: Path) -> None:
    folder = fill(tmp_path, NAMES[0])
    whole = (folder / NAMES[0][6]).read_bytes()
    (folder / NAMES[0][6]).write_bytes(b"")
    with pytest.raises(XsegError, match=r"SOCprist0007\.tiff: is an empty file"):
        open_volume(folder)
    (folder / NAMES[0][6]).write_bytes(whole[:-9])
    with pytest.raises(XsegError, match=r"SOCprist0007\.tiff: .*broken off"):
        open_volume(folder)


def test_a_file_that_vanishes_is_named(tmp_path: Path) -> None:
    volume = open_volume(fill(tmp_path, NAMES[0]))
    volume.files[5].unlink()
    with pytest.raises(XsegError, match=r"SOCprist0006\.tiff: does not exist"):
        volume.read(5)


def test_stacks_are_refused_and_a_lone_one_is_opened(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK)
    assert open_volume(tmp_path).shape == STACK.shape
    tifffile.imwrite(tmp_path / "b.tif", STACK)
    with pytest.raises(XsegError, match=r"holds stacks \(a\.tif has 12 pages\).* one of"):
        open_volume(tmp_path)


def test_a_stack_among_slices_is_refused(tmp_path: Path) -> None:
    folder = fill(tmp_path, NAMES[0])
    tifffile.imwrite(folder / NAMES[0][3], STACK)
    with pytest.raises(XsegError, match="holds stacks"):
        open_volume(folder)


def test_folders_without_images_say_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(XsegError, match="is an empty folder"):
        open_volume(tmp_path)
    fill(tmp_path / "b", ["1.tif"])
    fill(tmp_path / "a", ["1.tif"])
    with pytest.raises(XsegError, match="holds no images, its subfolders do; give one of a, b"):
        open_volume(tmp_path)
    only = tmp_path / "a" / "deep"
    only.mkdir()
    (only / "readme.txt").write_text("nothing")
    with pytest.raises(XsegError, match=r"holds no images \(but readme\.txt\)"):
        open_volume(only)
    (only / "scan.h5").write_text("a volume")
    with pytest.raises(XsegError, match=r"give scan\.h5"):
        open_volume(only)


def test_renamed_files(tmp_path: Path) -> None:
    folder = fill(tmp_path, NAMES[0])
    Image.fromarray(STACK[2]).save(folder / "x.png")
    (folder / "x.png").rename(folder / NAMES[0][2])
    np.testing.assert_array_equal(open_volume(folder)[:], STACK)
    (folder / NAMES[0][11]).write_text("this was a TIFF once")
    with pytest.raises(XsegError, match=r"SOCprist0012\.tiff: is no TIFF.*renamed"):
        open_volume(folder)


@pytest.mark.parametrize("mode", ["L", "I;16", "1", "RGB", "RGBA", "LA", "P"])
def test_pictures_of_every_kind_of_grey(tmp_path: Path, mode: str) -> None:
    grey = STACK[0]
    path = tmp_path / "picture 3.png"
    if mode == "I;16":
        expected = grey.astype(np.uint16) * 200
        Image.fromarray(expected).save(path)
    elif mode == "1":
        expected = (grey > 99).astype(np.uint8)
        Image.fromarray(expected.astype(bool)).save(path)
    elif mode == "P":
        picture = Image.fromarray(grey % 3).convert("P")
        picture.putpalette([0, 0, 0, 9, 9, 9, 200, 200, 200])
        picture.save(path)
        expected = np.array([0, 9, 200], np.uint8)[grey % 3]
    else:
        expected = grey
        Image.fromarray(grey).convert(mode).save(path)
    volume = open_volume(path)
    assert volume.read(0).dtype == volume.dtype
    np.testing.assert_array_equal(volume.read(0), expected)
    assert volume.numbers == (3,)


def test_colour_of_16_bits_keeps_them(tmp_path: Path) -> None:
    from imagecodecs import png_encode

    grey = STACK[0].astype(np.uint16) * 257 - 5
    path = tmp_path / "deep.png"
    path.write_bytes(png_encode(np.repeat(grey[..., None], 3, -1)))
    np.testing.assert_array_equal(open_volume(path).read(0), grey)


def test_colour_pictures(tmp_path: Path) -> None:
    path = tmp_path / "colour.png"
    rgb = STACK[:3].transpose(1, 2, 0).copy()
    Image.fromarray(rgb).save(path)
    with pytest.raises(XsegError, match=r"colour\.png: is a colour image"):
        open_volume(path)
    red, green, blue = rgb.astype(np.uint32).transpose(2, 0, 1)
    np.testing.assert_array_equal(open_label_volume(path).read(0), red << 16 | green << 8 | blue)
    Image.fromarray(rgb).convert("CMYK").save(tmp_path / "print.jpg")
    with pytest.raises(XsegError, match="CMYK"):
        open_volume(tmp_path / "print.jpg")


def test_palette_labels_keep_indices_and_colours(tmp_path: Path) -> None:
    for z, swap in enumerate((False, False, True)):
        picture = Image.fromarray(STACK[z] % 2).convert("P")
        picture.putpalette([0, 0, 255, 255, 0, 0] if swap else [255, 0, 0, 0, 0, 255])
        picture.save(tmp_path / f"{z}.png")
    volume = open_label_volume(tmp_path)
    assert not volume.colours
    assert volume.palette is not None
    assert [volume.palette[value] for value in (0, 1)] == [(255, 0, 0), (0, 0, 255)]
    np.testing.assert_array_equal(volume.read(1), STACK[1] % 2)
    with pytest.raises(XsegError, match=r"2\.png: its palette gives the index 0 another colour"):
        volume.read(2)


def test_jpeg_is_an_image_but_no_label(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(STACK[0]).save(path)
    assert open_volume(path).shape == (1, 9, 8)
    with pytest.raises(XsegError, match=r"photo\.jpg: is a JPEG, which blurs label values"):
        open_label_volume(path)


def test_raw_slices_in_a_folder(tmp_path: Path) -> None:
    for z, plane in enumerate(STACK):
        (tmp_path / f"s{z:02d}.raw").write_bytes(plane.astype(">u2").tobytes())
    (tmp_path / "s.tif").write_text("not looked at")
    volume = open_volume(tmp_path, raw=RawSpec.parse("9x8,uint16,big"))
    np.testing.assert_array_equal(volume[:], STACK)
    assert volume.has_neighbours


def test_of_two_thousand_files_few_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "slice_0000.tif"
    tifffile.imwrite(first, np.zeros((64, 64), np.uint16), compression="packbits")
    content = first.read_bytes()
    for z in range(1, 2000):
        (tmp_path / f"slice_{z:04d}.tif").write_bytes(content)
    looked_at: list[Path] = []
    open_image = opening.open_image

    def noted(path: Path, **more: bool) -> ImageFile:
        looked_at.append(path)
        return open_image(path, **more)

    monkeypatch.setattr(opening, "open_image", noted)
    volume = open_volume(tmp_path)
    assert 1 <= len(looked_at) < 10
    assert volume.shape == (2000, 64, 64)

"""TIFF in all its kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_xseg.data.volume import VoxelSize, open_label_volume, open_volume
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 60000, (6, 17, 19)).astype(np.uint16)
SMOOTH = np.cumsum(RNG.integers(0, 3, (6, 17, 19)), -1)
DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"]


def read(path: Path) -> np.ndarray:
    return open_volume(path)[:]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "packbits", "lzw", "zlib", "zstd"])
def test_every_dtype_order_and_codec(
    tmp_path: Path, dtype: str, order: str, compression: str | None
) -> None:
    path = tmp_path / "stack.tif"
    array = SMOOTH.astype(dtype)
    tifffile.imwrite(path, array, byteorder=order, compression=compression, metadata=None)
    volume = open_volume(path)
    assert volume.dtype == np.dtype(dtype)
    assert volume.read(0).dtype.isnative
    np.testing.assert_array_equal(volume[:], array)


@pytest.mark.parametrize(
    "kinds",
    [
        {"predictor": True, "compression": "zlib"},
        {"predictor": True, "compression": "lzw", "rowsperstrip": 4},
        {"bigtiff": True},
        {"bigtiff": True, "compression": "zlib"},
        {"tile": (16, 16)},
        {"tile": (16, 16), "compression": "zlib"},
        {"metadata": {"axes": "ZYX"}},
        {"metadata": {"axes": "TYX"}},
        {"ome": True, "metadata": {"axes": "ZYX"}},
        {"ome": True, "metadata": {"axes": "ZYX"}, "compression": "zlib"},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"imagej": True, "metadata": {"axes": "TYX"}},
        {"imagej": True, "metadata": {"axes": "ZYX"}, "compression": "zlib"},
    ],
)
def test_every_kind_of_stack(tmp_path: Path, kinds: dict[str, Any]) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, STACK, **kinds)
    volume = open_volume(path)
    np.testing.assert_array_equal(volume[:], STACK)
    assert volume.has_neighbours
    assert volume.warnings == ()


def test_imagej_hyperstack_with_all_data_behind_one_directory(tmp_path: Path) -> None:
    path = tmp_path / "hyperstack.tif"
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path) as file:
        offset, first = file.pages[0].dataoffsets[0], file.pages[0].offset
        pointer = first + 2 + 12 * len(file.pages[0].tags)
    content = bytearray(path.read_bytes())
    content[pointer : pointer + 4] = bytes(4)
    path.write_bytes(content)
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
    np.testing.assert_array_equal(read(path), STACK)
    path.write_bytes(content[: offset + 3 * STACK[0].nbytes])
    with pytest.raises(XsegError, match=r"hyperstack\.tif: .*broken off"):
        open_volume(path)


def test_pages_written_one_by_one_are_one_stack(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    with tifffile.TiffWriter(path) as writer:
        for plane in STACK:
            writer.write(plane, compression="zlib")
    np.testing.assert_array_equal(read(path), STACK)


@pytest.mark.parametrize("flagged", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_a_thumbnail_page_is_left_out(tmp_path: Path, flagged: bool, first: bool) -> None:
    path = tmp_path / "preview.tif"
    preview = (STACK[0, ::4, ::4], {"subfiletype": 1} if flagged else {})
    pages = [(plane, {}) for plane in STACK]
    with tifffile.TiffWriter(path) as writer:
        for plane, more in [preview, *pages] if first else [*pages, preview]:
            writer.write(plane, metadata=None, **more)
    np.testing.assert_array_equal(read(path), STACK)


def test_a_pyramid_is_read_at_full_resolution(tmp_path: Path) -> None:
    path = tmp_path / "pyramid.ome.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(STACK, subifds=1, metadata={"axes": "ZYX"}, tile=(16, 16))
        writer.write(STACK[:, ::2, ::2], subfiletype=1, tile=(16, 16))
    np.testing.assert_array_equal(read(path), STACK)


def test_a_single_image_has_one_slice_and_its_number(tmp_path: Path) -> None:
    path = tmp_path / "Slice_ 1316.tif"
    tifffile.imwrite(path, STACK[0])
    volume = open_volume(path)
    assert volume.shape == (1, 17, 19)
    assert volume.numbers == (1316,)
    assert volume.slice_names == ("Slice_ 1316.tif",)
    assert not volume.has_neighbours


def test_ome_over_several_files(tmp_path: Path) -> None:
    names = ["a.ome.tif", "b.ome.tif"]
    planes = "".join(
        f'<TiffData FirstZ="{z}" IFD="{z % 3}" PlaneCount="1"><UUID FileName="{names[z // 3]}">'
        f"urn:uuid:0000000{z // 3}-0000-0000-0000-000000000000</UUID></TiffData>"
        for z in range(6)
    )
    for index, name in enumerate(names):
        described = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:0000000{index}-0000-0000-0000-000000000000">'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
            'SizeX="19" SizeY="17" SizeZ="6" SizeC="1" SizeT="1">'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>'
        )
        part = STACK[3 * index : 3 * index + 3]
        with tifffile.TiffWriter(tmp_path / name) as writer:
            for z, plane in enumerate(part):
                first = None if z else described
                writer.write(plane, description=first, metadata=None, compression="zlib")
    volume = open_volume(tmp_path / names[0])
    np.testing.assert_array_equal(volume[:], STACK)
    assert [file.name for file in volume.files] == names
    (tmp_path / names[1]).unlink()
    with pytest.raises(XsegError, match=r"a\.ome\.tif"):
        open_volume(tmp_path / names[0])[:]


def test_many_channels_are_slices_and_a_few_are_channels(tmp_path: Path) -> None:
    path = tmp_path / "channels.tif"
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "CYX"})
    volume = open_volume(path)
    np.testing.assert_array_equal(volume[:], STACK)
    assert "6 channels are taken as slices" in volume.warnings[0]
    tifffile.imwrite(path, STACK[:2], imagej=True, metadata={"axes": "CYX"})
    with pytest.raises(XsegError, match=r"channels\.tif: has 2 channels"):
        open_volume(path)


def test_more_than_one_stack_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "movie.tif"
    array = STACK.reshape(2, 3, 17, 19)
    tifffile.imwrite(path, array, imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(XsegError, match=r"movie\.tif: .* one stack along z"):
        open_volume(path)
    with tifffile.TiffWriter(path) as writer:
        writer.write(STACK[0], metadata=None)
        writer.write(STACK[0, :, :-1], metadata=None)
    with pytest.raises(XsegError, match=r"pages of different kinds \(19 x 17 .* 18 x 17"):
        open_volume(path)


def test_grey_copies_are_grey_and_colour_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rgb.tif"
    copies = np.repeat(STACK[..., None], 3, -1)
    for planar in ("contig", "separate"):
        array = copies if planar == "contig" else np.moveaxis(copies, -1, 1)
        tifffile.imwrite(path, array, photometric="rgb", planarconfig=planar, metadata=None)
        volume = open_volume(path)
        assert volume.dtype == np.uint16
        np.testing.assert_array_equal(volume[:], STACK)
    coloured = copies.copy()
    coloured[-1, 3, 4, 1] += 1
    tifffile.imwrite(path, coloured, photometric="rgb", metadata=None)
    with pytest.raises(XsegError, match=r"rgb\.tif, slice 5: is a colour image \(1 pixels"):
        open_volume(path)


def test_alpha_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "alpha.tif"
    grey = STACK[0].astype(np.uint8)
    rgba = np.dstack([grey, grey, grey, np.arange(grey.size).reshape(grey.shape).astype("u1")])
    tifffile.imwrite(path, rgba, photometric="rgb", extrasamples=["unassalpha"], metadata=None)
    np.testing.assert_array_equal(read(path)[0], grey)
    tifffile.imwrite(
        path, rgba[..., 2:], photometric="minisblack", extrasamples=["unassalpha"], metadata=None
    )
    np.testing.assert_array_equal(read(path)[0], grey)


def test_two_channels_in_a_page_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.tif"
    array = np.dstack([STACK[0], STACK[1]])
    tifffile.imwrite(path, array, photometric="minisblack", planarconfig="contig", metadata=None)
    with pytest.raises(XsegError, match=r"two\.tif: has 2 channels"):
        open_volume(path)


def test_rgb_labels_are_packed(tmp_path: Path) -> None:
    path = tmp_path / "mask.tif"
    rgb = np.array([[[255, 0, 0], [1, 2, 3]], [[0, 0, 0], [0, 255, 7]]], np.uint8)
    tifffile.imwrite(path, rgb, photometric="rgb")
    volume = open_label_volume(path)
    assert volume.colours
    assert volume.dtype == np.uint32
    assert volume.read(0).tolist() == [[0xFF0000, 0x010203], [0, 0x00FF07]]
    tifffile.imwrite(path, rgb.astype(np.uint16), photometric="rgb")
    with pytest.raises(XsegError, match="8 bits a channel"):
        open_label_volume(path)


def write_palette(path: Path, indices: np.ndarray, colours: np.ndarray, **more: Any) -> None:
    table = np.zeros((3, 256), np.uint16)
    table[:, : len(colours)] = colours.T.astype(np.uint16) * 257
    tifffile.imwrite(path, indices, photometric="palette", colormap=table, metadata=None, **more)


def test_palette_images(tmp_path: Path) -> None:
    path = tmp_path / "palette.tif"
    indices = np.array([[0, 1], [2, 1]], np.uint8)
    greys = np.array([[0, 0, 0], [90, 90, 90], [7, 7, 7]])
    write_palette(path, indices, greys)
    assert read(path)[0].tolist() == [[0, 90], [7, 90]]
    labels = open_label_volume(path)
    assert labels.read(0).tolist() == indices.tolist()
    assert labels.palette is not None
    assert labels.palette[1] == (90, 90, 90)
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]])
    write_palette(path, indices, colours)
    with pytest.raises(XsegError, match="colour image"):
        open_volume(path)
    # ImageJ's palettes only say how grey values are shown.
    write_palette(path, indices, colours, description="ImageJ=1.54f\n")
    assert read(path)[0].tolist() == indices.tolist()


def test_one_bit_images_are_zero_and_one(tmp_path: Path) -> None:
    path = tmp_path / "bits.tif"
    bits = STACK[0] > 30000
    tifffile.imwrite(path, bits, photometric="minisblack")
    for volume in (open_volume(path), open_label_volume(path)):
        assert volume.dtype == np.uint8
        np.testing.assert_array_equal(volume.read(0), bits.astype(np.uint8))


VOXELS: list[tuple[dict[str, Any], VoxelSize | None]] = [
    ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
    ({"resolution": (96, 96), "resolutionunit": "INCH"}, None),
    ({"resolution": (28.346, 28.346), "resolutionunit": "CENTIMETER"}, None),
    ({"resolution": (5, 5), "resolutionunit": "NONE"}, None),
    ({"resolution": (1, 1), "resolutionunit": "INCH"}, None),
    ({}, None),
    (
        {"resolution": (20000, 10000), "resolutionunit": "CENTIMETER"},
        VoxelSize(1.0, 1.0, 0.5, "um"),
    ),
    ({"resolution": (1016, 1016), "resolutionunit": "INCH"}, VoxelSize(25.0, 25.0, 25.0, "um")),
    (
        {"imagej": True, "resolution": (4, 2), "metadata": {"unit": "um", "spacing": 3.0}},
        VoxelSize(3.0, 0.5, 0.25, "um"),
    ),
    (
        {"imagej": True, "resolution": (4, 2), "metadata": {"unit": "micron"}},
        VoxelSize(0.5, 0.5, 0.25, "um"),
    ),
    (
        {"imagej": True, "resolution": (8, 8), "metadata": {"unit": "\\u00B5m", "spacing": 1.0}},
        VoxelSize(1.0, 0.125, 0.125, "um"),
    ),
    ({"imagej": True, "resolution": (4, 2), "metadata": {"unit": "pixel"}}, None),
    (
        {"ome": True, "metadata": {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25}},
        VoxelSize(0.25, 0.25, 0.5, "um"),
    ),
    (
        {
            "ome": True,
            "metadata": {
                "PhysicalSizeX": 20.0,
                "PhysicalSizeXUnit": "nm",
                "PhysicalSizeY": 20.0,
                "PhysicalSizeYUnit": "nm",
                "PhysicalSizeZ": 0.1,
                "PhysicalSizeZUnit": "µm",
            },
        },
        VoxelSize(100.0, 20.0, 20.0, "nm"),
    ),
]


@pytest.mark.parametrize(("tags", "size"), VOXELS)
def test_voxel_size(tmp_path: Path, tags: dict[str, Any], size: VoxelSize | None) -> None:
    path = tmp_path / "stack.tif"
    metadata = {"axes": "ZYX", **tags.get("metadata", {})}
    tifffile.imwrite(path, STACK, **{**tags, "metadata": metadata})
    assert open_volume(path).voxel_size == size


def test_a_stack_changed_meanwhile_says_so(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    for compression in (None, "zlib"):
        tifffile.imwrite(path, STACK, compression=compression)
        volume = open_volume(path)
        volume.read(0)
        tifffile.imwrite(path, STACK[:3], photometric="minisblack")
        with pytest.raises(XsegError, match=r"stack\.tif: was changed after"):
            volume.read(5)


def test_an_open_stack_holds_no_file(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, STACK, compression="zlib")
    volume = open_volume(path)
    volume.read(2)
    # Would fail on Windows, and warn of an open file elsewhere, if one were held.
    path.unlink()
    with pytest.raises(XsegError, match="does not exist"):
        volume.read(2)

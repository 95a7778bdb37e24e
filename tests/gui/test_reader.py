"""napari opens files with napari-xseg: lazily, in pairs, in class colours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from npe2 import PluginManager, PluginManifest

import napari_xseg
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.labels import NeedsUnlabelled
from napari_xseg.data.project import Project
from napari_xseg.errors import XsegError
from napari_xseg.gui import lazy, opening
from napari_xseg.gui.lazy import LazyImage, LazyLabels
from napari_xseg.gui.opening import open_path
from napari_xseg.gui.reader import get_reader
from napari_xseg.gui.side_by_side import find_sides, says_labels
from tests.gui.hands import answer_question

if TYPE_CHECKING:
    from collections.abc import Callable

RNG = np.random.default_rng(0)
SHAPE = (6, 40, 50)
GREY = RNG.integers(100, 60000, SHAPE, np.uint16)
TRUTH = RNG.choice(np.array([0, 128, 255], np.uint8), SHAPE)


@pytest.fixture(scope="module", autouse=True)
def plugin() -> None:
    """The manifest of this checkout, whether it is installed or not."""
    manager = PluginManager.instance()
    if "napari-xseg" not in manager:
        path = Path(napari_xseg.__file__).parent / "napari.yaml"
        manager.register(PluginManifest.from_file(path))


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> Any:
    return make_napari_viewer()


def opened(viewer: Any, path: Path) -> list[Any]:
    layers: list[Any] = viewer.open(str(path), plugin="napari-xseg")
    return layers


def write_slices(folder: Path, planes: Any, name: str = "slice") -> Path:
    folder.mkdir(parents=True)
    for z, plane in enumerate(planes):
        tifffile.imwrite(folder / f"{name}_{z:03}.tif", plane)
    return folder


def write_pair(folder: Path, labels: Any = TRUTH) -> Path:
    write_slices(folder / "data", GREY)
    write_slices(folder / "labels", labels, "label")
    return folder


def write(folder: Path, name: str, array: Any) -> Path:
    path = folder / name
    if path.suffix == ".zarr":
        zarr.create_array(path, data=array)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["data"] = array
    elif path.suffix == ".npy":
        np.save(path, array)
    else:
        tifffile.imwrite(path, array, photometric="minisblack")
    return path


@pytest.mark.parametrize("name", ["scan.tif", "scan.zarr", "scan.h5", "scan.npy"])
@pytest.mark.parametrize("dtype", ["uint16", "uint8", "float32"])
def test_any_stack_is_one_lazy_image(viewer: Any, tmp_path: Path, name: str, dtype: str) -> None:
    array = GREY.astype(dtype)
    (layer,) = opened(viewer, write(tmp_path, name, array))
    assert isinstance(layer.data, LazyImage)
    assert (layer.name, layer.data.dtype, layer.data.shape) == ("scan", array.dtype, SHAPE)
    viewer.dims.set_point(0, 4)
    np.testing.assert_array_equal(layer._slice.image.raw, array[4])
    np.testing.assert_array_equal(layer.data.source.open().read(2), array[2])


def test_a_single_image_is_a_volume_of_one_slice(viewer: Any, tmp_path: Path) -> None:
    (layer,) = opened(viewer, write(tmp_path, "one.tif", GREY[0]))
    assert layer.data.shape == (1, 40, 50)
    assert layer.scale.tolist() == [1, 1, 1]


def test_only_slices_looked_at_are_read(
    viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    real = LazyImage._read
    monkeypatch.setattr(LazyImage, "_read", lambda self, z: read.append(z) or real(self, z))
    opened(viewer, write_slices(tmp_path / "scan", GREY))
    viewer.dims.set_point(0, 5)
    viewer.dims.set_point(0, 5)
    # napari looks at the first and the middle ones when it adds a layer
    assert 5 in read
    assert set(read) <= {0, 2, 3, 5}
    assert len(read) == len(set(read))


def test_contrast_is_that_of_a_middle_slice(viewer: Any, tmp_path: Path) -> None:
    array = GREY.astype(np.float32)
    array[3, 0, 0] = np.nan
    array[0] = 1e9
    (layer,) = opened(viewer, write(tmp_path, "scan.npy", array))
    low, high = layer.contrast_limits
    assert array[3, 1:].min() <= low < high <= array[3, 1:].max()
    (flat,) = opened(viewer, write(tmp_path, "flat.tif", np.zeros(SHAPE, np.uint16)))
    assert flat.contrast_limits == [0, 1]


def test_a_voxel_size_is_a_scale_only_where_it_is_physical(viewer: Any, tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    tags = {"spacing": 3, "unit": "um", "axes": "ZYX"}
    tifffile.imwrite(path, GREY, imagej=True, resolution=(2, 2), metadata=tags)
    (layer,) = opened(viewer, path)
    assert layer.scale.tolist() == [3, 0.5, 0.5]
    assert {str(unit) for unit in layer.units} == {"micrometer"}
    tifffile.imwrite(tmp_path / "dpi.tif", GREY[0], resolution=(72, 72), resolutionunit=2)
    (layer,) = opened(viewer, tmp_path / "dpi.tif")
    assert layer.scale.tolist() == [1, 1, 1]


class TestPairs:
    def test_open_together_in_class_colours(self, viewer: Any, tmp_path: Path) -> None:
        image, labels = opened(viewer, write_pair(tmp_path / "soc"))
        assert (image.name, labels.name) == ("data", "data labels")
        viewer.dims.set_point(0, 2)
        shown = np.searchsorted([0, 128, 255], TRUTH[2]) + 1
        np.testing.assert_array_equal(labels._slice.image.raw, shown)
        for label, colour in ((1, [1, 0, 0, 1]), (2, [0, 1, 0, 1]), (3, [0, 0, 1, 1])):
            assert labels.get_color(label).tolist() == colour
        assert labels.get_color(0) is None  # nothing is drawn
        told = labels.metadata["napari_xseg"]
        assert ClassTable.from_dict(told["classes"]).values == (0, 128, 255)
        assert told["kind"] == "labels"

    def test_become_the_labels_of_a_project(self, viewer: Any, tmp_path: Path) -> None:
        _, labels = opened(viewer, write_pair(tmp_path / "soc"))
        told = labels.metadata["napari_xseg"]
        project = Project.create(
            tmp_path / "x-xseg",
            image={"path": tmp_path / "soc/data"},
            shape=SHAPE,
            classes=ClassTable.from_dict(told["classes"]),
        )
        project.set_base(told["source"])
        store = project.labels()
        np.testing.assert_array_equal(np.asarray(store), np.asarray(labels.data))
        assert store.read(3)[0, 0] == labels.data[3, 0, 0]

    def test_label_files_are_never_painted(self, viewer: Any, tmp_path: Path) -> None:
        _, labels = opened(viewer, write_pair(tmp_path / "soc"))
        free = int(labels.data[0, 20, 20]) % 3 + 1
        with pytest.raises(XsegError, match="label files are never written"):
            labels.paint((0, 20, 20), free)

    def test_labels_of_some_slices_lie_on_the_grid_of_the_images(
        self, viewer: Any, tmp_path: Path
    ) -> None:
        write_slices(tmp_path / "soc/images", GREY, "a")
        (tmp_path / "soc/masks").mkdir()
        tifffile.imwrite(tmp_path / "soc/masks/b_004.tif", TRUTH[4])
        _, labels = opened(viewer, tmp_path / "soc")
        assert labels.data.shape == SHAPE
        assert not labels.data[3].any()
        assert labels.data[4].all()

    def test_of_other_sizes_are_refused(self, viewer: Any, tmp_path: Path) -> None:
        with pytest.raises(XsegError, match="do not fit the images"):
            opened(viewer, write_pair(tmp_path / "soc", TRUTH[:, :30]))

    def test_in_one_hdf5_file(self, viewer: Any, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "both.h5", "w") as file:
            file["entry/raw"], file["entry/labels"] = GREY, TRUTH
        image, labels = opened(viewer, tmp_path / "both.h5")
        np.testing.assert_array_equal(image.data[1], GREY[1])
        assert set(np.unique(labels.data[1])) == {1, 2, 3}
        np.testing.assert_array_equal(image.data.source.open().read(1), GREY[1])

    @pytest.mark.parametrize(
        ("names", "found"),
        [
            (("data", "labels"), ("data", "labels")),
            (("scan.tif", "scan_seg.tif"), ("scan.tif", "scan_seg.tif")),
            (("x", "GroundTruth"), ("x", "GroundTruth")),
            (("raw", "gt", "notes"), ("raw", "gt")),
            (("x", "y"), None),
            (("x", "masks", "y"), None),
            (("labels", "masks"), None),
            (("labels",), None),
            (("data", "labels", "data-xseg"), ("data", "labels")),
        ],
    )
    def test_are_told_by_their_names(
        self, tmp_path: Path, names: tuple[str, ...], found: tuple[str, str] | None
    ) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        for name in names:
            path = folder / name
            path.touch() if path.suffix else path.mkdir()
            if name.endswith("-xseg"):
                (path / "project.toml").touch()
        sides = find_sides(folder)
        told = None if sides is None else (Path(sides.images).name, Path(sides.labels).name)
        assert told == found


@pytest.mark.parametrize(
    ("name", "labels"),
    [("my_Labels", True), ("mask01.tif", True), ("slice__001.tif", False), ("maskelyne", False),
     ("segment", False), ("seg-2", True), ("gt", True), ("length", False)],
)  # fmt: skip
def test_names_say_what_holds_labels(name: str, labels: bool) -> None:
    assert says_labels(name) is labels


def test_labels_alone_are_a_labels_layer(viewer: Any, tmp_path: Path) -> None:
    (layer,) = opened(viewer, write_slices(tmp_path / "labels", TRUTH))
    assert isinstance(layer.data, LazyLabels)
    (image,) = opened(viewer, write_slices(tmp_path / "label_like", GREY))
    assert isinstance(image.data, LazyImage)


class TestUnlabelled:
    @pytest.fixture
    def doubtful(self, tmp_path: Path) -> Path:
        labels = TRUTH.copy()
        labels[:4] = 128
        return write_pair(tmp_path / "soc", labels)

    @pytest.mark.parametrize(
        ("button", "shown"), [("Not labelled", 0), ("A class", 2), ("Cancel", None)]
    )
    def test_is_asked_once(
        self, viewer: Any, doubtful: Path, button: str, shown: int | None
    ) -> None:
        asked = answer_question(button)
        if shown is None:
            with pytest.raises(NeedsUnlabelled):
                opened(viewer, doubtful)
        else:
            _, labels = opened(viewer, doubtful)
            assert labels.data[0, 0, 0] == shown
        assert len(asked) == 1
        assert "Does 128 mean not labelled" in asked[0]

    def test_may_be_said_beforehand(self, doubtful: Path) -> None:
        with pytest.raises(NeedsUnlabelled, match="--unlabelled 128") as caught:
            open_path(doubtful)
        assert caught.value.value == 128
        labels = open_path(doubtful, unlabelled=128).labels
        assert labels is not None
        assert labels.classes.values == (0, 255)


class TestFaults:
    @pytest.mark.parametrize("name", ["bad.tif", "bad.h5", "bad.npy", "bad.raw"])
    def test_what_cannot_be_read_is_said_in_a_sentence(
        self, viewer: Any, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / name).write_bytes(b"junk" * 50)
        with pytest.raises(XsegError, match=name):
            opened(viewer, tmp_path / name)

    @pytest.mark.parametrize("name", ["notes.txt", "script.py", "missing", "table.csv"])
    def test_other_files_are_left_to_others(self, tmp_path: Path, name: str) -> None:
        if name != "missing":
            (tmp_path / name).touch()
        assert get_reader(str(tmp_path / name)) is None
        assert get_reader(str(tmp_path)) is None
        assert get_reader([]) is None

    def test_folders_that_may_hold_images_are_taken(self, tmp_path: Path) -> None:
        pair = write_pair(tmp_path / "soc")
        for path in (pair, pair / "data", tmp_path / "x.zarr"):
            assert get_reader(str(path)) is not None
        assert get_reader([str(pair / "data"), str(pair / "labels")]) is not None
        assert get_reader([str(pair), str(tmp_path / "notes.txt")]) is None

    def test_a_project_is_not_an_image(self, viewer: Any, tmp_path: Path) -> None:
        classes = ClassTable.from_values([0, 1])
        folder = tmp_path / "x-xseg"
        Project.create(folder, image={"name": "x"}, shape=SHAPE, classes=classes).close()
        assert open_path(folder).project == folder
        assert open_path(folder / "project.toml").project == folder
        with pytest.raises(XsegError, match="drop it on a dock"):
            opened(viewer, folder)

    def test_a_damaged_slice_is_blank_and_said_once(
        self, viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said: list[str] = []
        monkeypatch.setattr(lazy, "show_fault", lambda error: said.append(str(error)))
        folder = write_slices(tmp_path / "scan", GREY)
        (layer,) = opened(viewer, folder)
        (folder / "slice_005.tif").write_bytes(b"junk")
        for z in (5, 1, 5):
            viewer.dims.set_point(0, z)
        viewer.dims.set_point(0, 5)
        assert not layer._slice.image.raw.any()
        assert len(said) == 1
        assert "slice_005.tif" in said[0]

    def test_more_than_3d_can_show_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lazy, "MOST_BYTES", 20_000)
        data, _, _ = opening.open_path(write(tmp_path, "a.npy", GREY)).layers()[0]
        with pytest.raises(XsegError, match="too large to be shown in 3D"):
            data[:]


def test_samples_come_with_class_names_and_colours(
    viewer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_xseg.gui.sample_data.SHAPE", (2, 64, 64))
    viewer.open_sample("napari-xseg", "phantom")
    labels = viewer.layers["phantom labels"]
    table = ClassTable.from_dict(labels.metadata["napari_xseg"]["classes"])
    assert table.names == ("pore", "electrolyte", "metal")
    assert table.values == (0, 128, 255)
    assert labels.get_color(3).tolist() == [0, 0, 1, 1]


@pytest.mark.realdata
def test_the_real_scan_opens_as_a_pair(viewer: Any, soc_dir: Path) -> None:
    image, labels = opened(viewer, soc_dir)
    assert image.data.shape == labels.data.shape == (200, 501, 501)
    greys = [image.data[100][labels.data[100] == label].mean() for label in (1, 2, 3)]
    assert greys == sorted(greys)

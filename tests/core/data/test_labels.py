from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_xseg.data.classes import IGNORE, ClassSpec, ClassTable
from napari_xseg.data.labels import (
    check_fits,
    check_trainable,
    label_volume,
    open_labels,
    parse_unlabelled,
)
from napari_xseg.data.pairing import pair
from napari_xseg.data.volume import open_label_volume, volume_from_array
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path


def labels_of(*planes: Any, dtype: str = "uint8", **options: Any) -> Any:
    array = np.array(planes, dtype=dtype)
    return label_volume(volume_from_array(array, name="labels"), **options)


FULL = [[0, 128], [255, 0]]
OTHER = [[128, 128], [0, 255]]
EMPTY = [[0, 0], [0, 0]]


def test_values_become_classes_and_back() -> None:
    labels = labels_of(FULL, OTHER)
    assert labels.classes.values == (0, 128, 255)
    assert labels.read(0).tolist() == [[0, 1], [2, 0]]
    assert labels.read(0).dtype == np.uint8
    assert labels.counts(1).tolist() == [1, 2, 1]
    assert labels.total((0, 1)).tolist() == [3, 3, 2]
    assert labels.labelled == (0, 1)
    assert labels.shape == (2, 2, 2)
    assert labels.classes.decode(labels.read(1)).tolist() == OTHER


@given(
    hnp.arrays(
        st.sampled_from(["uint8", "int16", "uint16", "int32"]),
        st.tuples(st.integers(1, 3), st.just(4), st.just(3)),
        elements=st.integers(0, 5),
    )
)
def test_counts_are_those_of_the_index_maps(array: np.ndarray) -> None:
    labels = label_volume(volume_from_array(array, name="labels"), unlabelled=9)
    for z in range(len(array)):
        index_map = labels.read(z)
        expected = [(index_map == k).sum() for k in range(len(labels.classes))]
        assert labels.counts(z).tolist() == expected
        assert labels.row_counts(z).sum(axis=0).tolist() == expected
    assert np.array_equal(labels.classes.decode(labels.read(0), array.dtype), array[0])


def test_one_value_slices_beside_others_are_not_guessed() -> None:
    with pytest.raises(XsegError) as caught:
        labels_of(FULL, EMPTY, EMPTY)
    assert "2 of 3 slices hold nothing but the value 0 (slice 1, 2)" in str(caught.value)
    assert "--unlabelled 0" in str(caught.value)
    assert "--unlabelled none" in str(caught.value)


def test_what_one_value_slices_mean_can_be_said() -> None:
    unlabelled = labels_of(FULL, EMPTY, unlabelled=0)
    assert unlabelled.classes.values == (128, 255)
    assert unlabelled.labelled == (0,)
    assert unlabelled.read(0).tolist() == [[IGNORE, 0], [1, IGNORE]]
    phase = labels_of(FULL, EMPTY, unlabelled="none")
    assert phase.classes.values == (0, 128, 255)
    assert phase.labelled == (0, 1)
    assert phase.counts(1).tolist() == [4, 0, 0]


def test_only_the_slices_in_use_decide() -> None:
    labels = labels_of(FULL, EMPTY, OTHER, slices=(0, 2))
    assert labels.classes.values == (0, 128, 255)
    assert labels.labelled == (0, 2)


def test_slices_of_one_value_each_are_classes() -> None:
    assert labels_of(EMPTY, [[7, 7], [7, 7]]).classes.values == (0, 7)


def test_a_table_that_names_the_value_settles_it() -> None:
    table = ClassTable.from_values([0, 128, 255])
    assert labels_of(FULL, EMPTY, classes=table).labelled == (0, 1)
    table = ClassTable.from_values([128, 255], unlabelled=0)
    assert labels_of(FULL, EMPTY, classes=table).labelled == (0,)


def test_the_flag_goes_before_the_table() -> None:
    table = ClassTable.from_values([128, 255])
    labels = labels_of(FULL, EMPTY, classes=table, unlabelled=0)
    assert labels.classes.unlabelled == 0
    assert labels.read(1).tolist() == [[IGNORE, IGNORE], [IGNORE, IGNORE]]
    with pytest.raises(XsegError, match="both class 'class 0' and unlabelled"):
        labels_of(FULL, classes=table, unlabelled=128)
    declared = ClassTable.from_values([128, 255], unlabelled=0)
    with pytest.raises(XsegError, match="label value 0 "):
        labels_of(FULL, classes=declared, unlabelled="none").read(0)


def test_a_value_outside_the_table_names_file_value_count_and_mend(tmp_path: Path) -> None:
    for z, plane in enumerate((FULL, [[0, 128], [7, 7]])):
        tifffile.imwrite(tmp_path / f"m{z}.tif", np.array(plane, dtype=np.uint8))
    labels = open_labels(tmp_path, slices=(0,))
    for look in (labels.read, labels.counts):
        with pytest.raises(
            XsegError, match=r"m1\.tif \(slice 1\): .*value 7 \(2 pixels\)"
        ) as caught:
            look(1)
        assert "--classes" in str(caught.value)


def test_the_chosen_unlabelled_value_is_a_stranger_in_labels_but_not_in_masks() -> None:
    array = np.array([FULL, [[1, 128], [255, 0]]], dtype=np.uint8)
    volume = volume_from_array(array, name="labels")
    with pytest.raises(XsegError, match="label value 1 "):
        label_volume(volume, slices=(0,)).read(1)
    table = ClassTable.from_values([0, 128, 255])
    masks = label_volume(volume, classes=table, masks=True)
    assert masks.read(1).tolist() == [[IGNORE, 1], [2, 0]]
    assert masks.counts(1).tolist() == [1, 1, 1]


def test_scribbles_leave_the_rest_unlabelled() -> None:
    scribbles = np.zeros((2, 20, 20), dtype=np.uint8)
    scribbles[0, 3, 2:9] = 1
    scribbles[0, 12, 2:5] = 2
    labels = label_volume(volume_from_array(scribbles, name="labels"), unlabelled=0)
    assert labels.labelled == (0,)
    assert labels.counts(0).tolist() == [7, 3]
    assert (labels.read(0) == IGNORE).sum() == 390
    rows = labels.rows((0, 1))
    assert [(row.value, row.pixels) for row in rows] == [(1, 7), (2, 3), (0, 790)]


def test_an_image_is_not_taken_for_labels() -> None:
    image = np.arange(900, dtype=np.uint16).reshape(1, 30, 30)
    volume = volume_from_array(image, name="SOCprist")
    with pytest.raises(XsegError, match=r"found 900 different values.*looks like an image"):
        label_volume(volume)
    spread = np.arange(900, dtype=np.uint16).reshape(9, 10, 10)
    with pytest.raises(XsegError, match=r"found 900 different values.*looks like an image"):
        label_volume(volume_from_array(spread, name="SOCprist"))


def test_254_classes_and_an_unlabelled_value_are_labels() -> None:
    plane = np.arange(255, dtype=np.uint8).reshape(1, 15, 17)
    labels = label_volume(volume_from_array(plane, name="labels"), unlabelled=0)
    assert len(labels.classes) == 254
    assert labels.read(0)[0, 1] == 0


def test_rgb_masks_keep_their_colours(tmp_path: Path) -> None:
    plane = np.zeros((4, 6, 3), dtype=np.uint8)
    plane[:2] = (255, 0, 0)
    plane[2:, :3] = (0, 255, 0)
    tifffile.imwrite(tmp_path / "rgb.tif", plane, photometric="rgb")
    labels = open_labels(tmp_path / "rgb.tif")
    assert labels.classes.colours == ((0, 0, 0), (0, 255, 0), (255, 0, 0))
    assert labels.classes.values == (0, 1, 2)
    assert labels.read(0)[0, 0] == 2
    assert labels.counts(0).tolist() == [6, 6, 12]
    black = open_labels(tmp_path / "rgb.tif", unlabelled=parse_unlabelled("#000000"))
    assert black.classes.colours == ((0, 255, 0), (255, 0, 0))
    assert black.counts(0).tolist() == [6, 12]
    assert black.read(0)[3, 5] == IGNORE
    index_mask = volume_from_array(black.classes.decode(black.read(0))[None], name="mask")
    again = label_volume(index_mask, classes=black.classes, masks=True)
    assert np.array_equal(again.read(0), black.read(0))


def test_rgb_masks_take_names_from_a_table_by_colour(tmp_path: Path) -> None:
    plane = np.zeros((4, 6, 3), dtype=np.uint8)
    plane[:2] = (255, 0, 0)
    tifffile.imwrite(tmp_path / "rgb.tif", plane, photometric="rgb")
    table = ClassTable((ClassSpec("pore", 5, (255, 0, 0)), ClassSpec("solid", 6, (0, 0, 0))), 0)
    labels = open_labels(tmp_path / "rgb.tif", classes=table)
    assert labels.counts(0).tolist() == [12, 12]
    with pytest.raises(XsegError, match="colour #000000"):
        open_labels(
            tmp_path / "rgb.tif",
            classes=ClassTable((ClassSpec("pore", 5, (255, 0, 0)),), 0),
        ).read(0)


def test_palette_images_keep_their_colours(tmp_path: Path) -> None:
    colours = np.zeros((3, 256), dtype=np.uint16)
    colours[:, 3], colours[:, 7] = (65535, 0, 65535), (0, 65535, 65535)
    plane = np.array([[3, 7], [7, 3]], dtype=np.uint8)
    tifffile.imwrite(tmp_path / "p.tif", plane, photometric="palette", colormap=colours)
    labels = open_labels(tmp_path / "p.tif")
    assert labels.classes.values == (3, 7)
    assert labels.classes.colours == ((255, 0, 255), (0, 255, 255))


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), (" 255 ", 255), ("-1", -1), ("None", "none"), ("#ff0000", 0xFF0000)],
)
def test_unlabelled_as_text(text: str, value: Any) -> None:
    assert parse_unlabelled(text) == value


@pytest.mark.parametrize("text", ["", "x", "1.5", "#ff", "black"])
def test_unlabelled_that_cannot_be_read(text: str) -> None:
    with pytest.raises(XsegError):
        parse_unlabelled(text)


def test_sizes_that_differ_are_named() -> None:
    images = volume_from_array(np.zeros((2, 2, 3), np.uint16), name="images")
    labels = labels_of(FULL, OTHER)
    with pytest.raises(XsegError, match=r"labels\[0\]: labels of 2 x 2 pixels .* 2 x 3 pixels"):
        check_fits(images, labels, pair(images, labels, "order"))
    fitting = volume_from_array(np.zeros((2, 2, 2), np.uint16), name="images")
    check_fits(fitting, labels, pair(fitting, labels))


class Right:
    def mask(self, z: int, shape: tuple[int, int]) -> np.ndarray:
        usable = np.zeros(shape, dtype=bool)
        usable[:, 1] = True
        return usable


def test_what_can_train_is_counted() -> None:
    labels = labels_of(FULL, OTHER)
    assert check_trainable(labels, (0, 1)).tolist() == [3, 3, 2]
    assert check_trainable(labels, (0, 1), Right()).tolist() == [1, 2, 1]
    assert check_trainable(labels, (7,), label_of={7: 1}).tolist() == [1, 2, 1]


def test_what_cannot_train_is_refused() -> None:
    labels = labels_of(FULL, EMPTY, [[0, 0], [128, 0]], unlabelled=0)
    with pytest.raises(XsegError, match="in the training slices 1 no pixel is labelled;"):
        check_trainable(labels, (1,))
    with pytest.raises(XsegError, match="only the class 'class 0' is labelled;"):
        check_trainable(labels, (1, 2))
    with pytest.raises(XsegError, match="no pixel is labelled inside the region"):
        check_trainable(labels, (2,), Right())


def test_a_file_without_any_label_is_refused() -> None:
    with pytest.raises(XsegError, match="labels: no labelled pixel found"):
        labels_of(EMPTY, unlabelled=0)


@pytest.mark.realdata
def test_soc_labels(soc_dir: Path) -> None:
    labels = open_labels(soc_dir / "labels")
    assert labels.classes.values == (0, 128, 255)
    assert labels.classes.unlabelled == 1
    assert labels.labelled == tuple(range(200))
    shares = labels.total(range(200)) / labels.total(range(200)).sum()
    assert shares == pytest.approx([0.295, 0.434, 0.272], abs=0.02)
    raw = open_label_volume(soc_dir / "labels").read(42)
    assert np.array_equal(labels.classes.decode(labels.read(42)), raw)

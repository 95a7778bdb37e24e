from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from napari_xseg.data.pairing import pair
from napari_xseg.data.volume import open_label_volume, open_volume
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Slices:
    name: str
    slice_names: tuple[str, ...]
    numbers: tuple[int | None, ...]
    size: tuple[int, int] = (8, 9)

    @property
    def shape(self) -> tuple[int, int, int]:
        return (len(self.slice_names), *self.size)


def files(
    pattern: str, numbers: Any, name: str = "folder", size: tuple[int, int] = (8, 9)
) -> Slices:
    numbers = tuple(numbers)
    return Slices(name, tuple(pattern.format(n) for n in numbers), numbers, size)


def pages(count: int, name: str = "stack.tif") -> Slices:
    return Slices(name, tuple(f"{name}[{z}]" for z in range(count)), tuple(range(count)))


def unnumbered(*names: str) -> Slices:
    return Slices("odd", names, (None,) * len(names))


def test_soc_names_pair_by_number() -> None:
    images = files("SOCprist{:04}.tiff", range(1, 201))
    pairing = pair(images, files("slice__{:03}.tif", range(1, 201)))
    assert pairing.by == "number"
    assert pairing.label_of == {z: z for z in range(200)}
    assert pairing.warnings == ()
    assert pairing.table()[13] == ("13  SOCprist0014.tiff", "13  slice__014.tif", "14", "")


def test_fewer_labels_than_images_pair_by_number() -> None:
    images = files("SOCprist{:04}.tiff", range(1, 201))
    pairing = pair(images, files("slice__{:03}.tif", (14, 40, 66)))
    assert pairing.label_of == {13: 0, 39: 1, 65: 2}
    assert pairing.image_of == {0: 13, 1: 39, 2: 65}
    assert pairing.warnings == ()


def test_equal_names_come_before_numbers() -> None:
    images = unnumbered("anna.tif", "berta.tif", "carl.tif")
    pairing = pair(images, unnumbered("Berta.png"))
    assert pairing.by == "name"
    assert pairing.label_of == {1: 0}


def test_stacks_of_equal_length_pair_by_order() -> None:
    pairing = pair(pages(30), pages(30, "labels.tif"))
    assert pairing.by == "order"
    assert pairing.label_of == {z: z for z in range(30)}
    assert pairing.warnings == ()


def test_numbered_files_and_a_stack_of_equal_length_pair_by_order() -> None:
    assert pair(files("a{}.tif", range(1, 31)), pages(30)).label_of[29] == 29
    assert pair(pages(30), files("a{}.tif", range(1, 31))).label_of[0] == 0


@pytest.mark.parametrize(
    ("images", "labels", "why"),
    [
        (files("a{}.tif", range(1, 31)), pages(5), "pages of a stack do not say"),
        (pages(30), pages(5, "labels.tif"), "pages of a stack do not say"),
        (files("a{}.tif", range(30)), unnumbered("x.tif", "y.tif"), "not every name has a number"),
        (
            files("a{}.tif", range(30)),
            files("b{}.tif", (100, 200)),
            "do not occur among the images",
        ),
        (files("a{}.tif", (1, 1, 2)), files("b{}.tif", (1, 2)), "occur twice"),
        (pages(30), pages(31, "labels.tif"), "pages of a stack do not say"),
    ],
)
def test_what_cannot_be_told_is_not_guessed(images: Slices, labels: Slices, why: str) -> None:
    with pytest.raises(XsegError, match=why) as caught:
        pair(images, labels)
    assert "--pairing FILE.csv" in str(caught.value)


def test_numbers_that_disagree_are_remarked_and_warned_of() -> None:
    pairing = pair(files("a{}.tif", range(1, 11)), files("b{}.tif", range(10)))
    assert pairing.by == "order"
    assert pairing.rows[0].remark == "numbers differ: 1 and 0"
    assert len(pairing.warnings) == 1
    assert "disagree in 10 of 10 pairs (a1.tif with b0.tif)" in pairing.warnings[0]


def test_labels_without_image_are_warned_of() -> None:
    pairing = pair(files("a{}.tif", range(10)), files("b{}.tif", range(5, 12)))
    assert pairing.label_of == {5: 0, 6: 1, 7: 2, 8: 3, 9: 4}
    assert "2 slices of labels without an image, left out: b10.tif, b11.tif" in pairing.warnings[0]


def test_file_numbers_taken_as_pages_are_warned_of() -> None:
    pairing = pair(pages(30), files("b{}.tif", (3, 9)))
    assert pairing.label_of == {3: 0, 9: 1}
    assert (
        "taken as pages of stack.tif, counted from 0 (b3.tif with stack.tif[3])"
        in (pairing.warnings[0])
    )


def test_sizes_that_differ_are_warned_of() -> None:
    pairing = pair(files("a{}.tif", range(3)), files("b{}.tif", range(3), size=(8, 10)))
    assert "slices of 8 x 10 pixels, folder of 8 x 9" in pairing.warnings[0]


def test_by_order_says_that_labels_are_fewer() -> None:
    pairing = pair(pages(30), pages(5, "labels.tif"), "order")
    assert pairing.label_of == {z: z for z in range(5)}
    assert "5 slices of labels are paired with the first of 30 images" in pairing.warnings[0]


@pytest.mark.parametrize(
    "how", ["13,2,7", " 13, 2, 7", [13, 2, 7], (13, 2, 7), {13: 0, 2: 1, 7: 2}]
)
def test_pages_are_paired_explicitly(how: Any) -> None:
    pairing = pair(files("a{}.tif", range(30)), pages(3), how)
    assert pairing.by == "told"
    assert pairing.label_of == {13: 0, 2: 1, 7: 2}
    assert [row.image_z for row in pairing.rows] == [2, 7, 13]


@pytest.mark.parametrize(
    "text",
    [
        "image,label\na13.tif,stack.tif[0]\n2,1\n",
        "13;0\n2;1\n",
        "\ufeffImage, Label\r\n13, 0\r\n\r\n2, 1\r\n",
    ],
)
def test_a_csv_file_pairs_z_and_names(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    images = files("a{}.tif", range(30))
    assert pair(images, pages(3), path).label_of == {13: 0, 2: 1}
    assert pair(images, pages(3), str(path)).label_of == {13: 0, 2: 1}


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ("13,2", "names 2 images, expected one for each of its 3 slices"),
        ("13,2,30", "slice 30 is out of range"),
        ([1, 1, 2], "names an image twice"),
        ({30: 0}, "slice 30 is not in folder; expected z from 0 to 29"),
        ({0: -1}, "slice -1 is not in stack.tif"),
        ({}, "is empty"),
        ("numbers", "expected auto, name, number"),
        ("missing.csv", "missing.csv: the pairing cannot be read"),
    ],
)
def test_explicit_pairs_that_do_not_fit_are_refused(how: Any, complaint: str) -> None:
    with pytest.raises(XsegError, match=complaint):
        pair(files("a{}.tif", range(30)), pages(3), how)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1,2,3\n", "line 1 has 3 columns"),
        ("image,label\nb.tif,0\n", "line 2: 'b.tif' is neither a file of folder nor a z"),
        ("1,0\n1,1\n", "line 2 names the image 1 a second time"),
        ("image,label\n", "is empty"),
    ],
)
def test_a_csv_file_that_does_not_fit_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(XsegError, match=complaint):
        pair(files("a{}.tif", range(30)), pages(3), path)


def test_one_label_of_several_images_is_warned_of() -> None:
    pairing = pair(files("a{}.tif", range(30)), pages(3), {1: 0, 2: 0})
    assert "stack.tif[0] is the label of 2 images" in pairing.warnings[0]


def test_pairing_by_number_names_what_is_in_the_way() -> None:
    numbered = files("a{}.tif", range(3))
    with pytest.raises(XsegError, match=r"x\.tif has no number in its name"):
        pair(numbered, unnumbered("x.tif"), "number")
    twice = Slices("labels", ("b1.tif", "c1.tif"), (1, 1))
    with pytest.raises(XsegError, match=r"number 1 occurs in 2 names \(b1\.tif, c1\.tif\)"):
        pair(numbered, twice, "number")
    with pytest.raises(XsegError, match="no label slice has the number of an image"):
        pair(numbered, files("b{}.tif", (7, 8)), "number")
    with pytest.raises(XsegError, match="each with its own name"):
        pair(numbered, pages(3), "name")


@pytest.mark.realdata
def test_soc_pairs_by_number(soc_dir: Path) -> None:
    images = open_volume(soc_dir / "data")
    labels = open_label_volume(soc_dir / "labels")
    pairing = pair(images, labels)
    assert pairing.by == "number"
    assert pairing.warnings == ()
    assert pairing.label_of == {z: z for z in range(200)}
    assert pairing.rows[13].image_name == "SOCprist0014.tiff"
    assert pairing.rows[13].label_name == "slice__014.tif"

"""Suspects on disk, and pictures of them."""

from __future__ import annotations

import csv
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_xseg.errors import XsegError
from napari_xseg.review.suspects.kept import (
    Origin,
    read_suspects,
    staleness,
    suspects_path,
    write_suspects,
)
from napari_xseg.review.suspects.table import KINDS, ROW, Suspects
from napari_xseg.review.suspects.thumbnails import thumbnail, write_sheet

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def some(table: Any) -> Suspects:
    rows = np.zeros(3, ROW)
    rows["kind"] = [KINDS.index(kind) for kind in ("hole", "confidence", "drift")]
    rows["kinds"] = [1 << 5 | 1, 1, 1 << 6]
    rows["strength"], rows["pixels"], rows["z"] = (0.75, 0.3, 0.1), (7, 40, 5000), (2, 0, 1)
    rows["y"], rows["x"] = (10.5, 30, 25), (4.25, 49, 25)
    rows["y0"], rows["y1"], rows["x0"], rows["x1"] = (
        (9, 25, 0),
        (12, 36, 50),
        (3, 45, 0),
        (6, 50, 50),
    )
    rows["found"], rows["other"] = (0, 1, 255), (2, 255, 255)
    return Suspects(table, rows)


def test_what_is_written_is_read_again(some: Suspects, tmp_path: Path) -> None:
    path = suspects_path(tmp_path / "mask.tif")
    assert path.name == "mask.tif.suspects.json"
    origin = Origin("mask.tif", "abc", "model", kinds=("hole",), slices=(0, 2), settings={"k": 1})
    write_suspects(path, some, origin)
    kept = read_suspects(path)
    assert kept.origin == origin
    assert np.array_equal(kept.suspects.rows, some.rows)
    assert kept.suspects.classes == some.classes


def test_none_at_all_are_a_result_too(some: Suspects, tmp_path: Path) -> None:
    write_suspects(tmp_path / "none.json", some.top(0), Origin())
    assert len(read_suspects(tmp_path / "none.json").suspects) == 0


def test_one_suspect_and_its_words(some: Suspects) -> None:
    first = some[0]
    assert (first.rank, first.kind, first.kinds) == (1, "hole", ("confidence", "hole"))
    assert some.words(first) == "a hole of 7 pixels in nickel, filled with pore"
    assert some.words(some[1]) == "40 pixels of YSZ, the model is not sure"
    assert some[2].found is None


def test_a_part_keeps_its_ranks(some: Suspects) -> None:
    assert [one.rank for one in some.of_kinds(["confidence"])] == [1, 2]
    assert [one.rank for one in some.of_slice(1)] == [3]
    assert [one.rank for one in some.of_kinds(["confidence"]).of_slice(0)] == [2]


def test_the_csv_has_a_line_each(some: Suspects, tmp_path: Path) -> None:
    some.top(2).write_csv(tmp_path / "s.csv")
    with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert rows[0]["kinds"] == "confidence+hole"
    assert (rows[0]["strength"], rows[0]["y"], rows[0]["y_stop"]) == ("0.750", "10.5", "12")
    assert (rows[1]["found"], rows[1]["other"]) == ("YSZ", "")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda found: found.update(version=99), "version 99"),
        (lambda found: found.pop("classes"), "damaged"),
        (lambda found: found["suspects"]["z"].pop(), "damaged"),
        (lambda found: found["suspects"].update(kind=[9, 9, 9]), "damaged"),
        (lambda found: found["suspects"].update(found=[3, 0, 0]), "damaged"),
        (lambda found: found["suspects"].update(pixels=["many", 1, 1]), "damaged"),
        (lambda found: found["origin"].update(settings=[1]), "damaged"),
        (lambda found: found["origin"]["settings"].update(earlier=[{"kinds": []}]), "damaged"),
        (lambda found: found["origin"]["settings"].update(earlier=7), "damaged"),
        (lambda found: found["origin"]["settings"].update(left_out=[3]), "damaged"),
    ],
)
def test_a_damaged_file_says_so(some: Suspects, tmp_path: Path, spoil: Any, said: str) -> None:
    path = tmp_path / "s.json"
    write_suspects(path, some, Origin())
    found = json.loads(path.read_text(encoding="utf-8"))
    spoil(found)
    path.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(XsegError, match=said):
        read_suspects(path)


def test_half_a_file_and_none(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"version": 1, "ori', encoding="utf-8")
    with pytest.raises(XsegError, match=r"s\.json: is damaged"):
        read_suspects(tmp_path / "s.json")
    with pytest.raises(XsegError, match="cannot be read"):
        read_suspects(tmp_path / "other.json")


def test_a_mask_that_has_changed_is_recognised(look: Any, planted: Any, tmp_path: Path) -> None:
    look(*planted)
    mask = tmp_path / "mask.tif"
    origin = read_suspects(suspects_path(mask)).origin
    assert staleness(origin, mask) is None
    planted[1][0, 0, 0] = 255 - planted[1][0, 0, 0]
    tifffile.imwrite(mask, planted[1], photometric="minisblack")
    found = staleness(origin, mask)
    assert found is not None
    assert "has changed since its suspects were found" in found


def test_a_full_disk_leaves_the_older_list(
    some: Suspects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    path = tmp_path / "s.json"
    write_suspects(path, some, Origin())
    before = path.read_bytes()

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(XsegError, match="the disk is full"):
        write_suspects(path, some.top(1), Origin())
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["s.json"]


def test_a_thumbnail_shows_the_place_in_a_frame(some: Suspects) -> None:
    image = np.zeros((50, 50))
    image[9:12, 3:6] = 100
    picture = thumbnail(image, np.zeros((50, 50), np.uint8), some[0], some.classes, size=51)
    assert picture.shape == (51, 51, 3)
    assert picture.dtype == np.uint8
    # 24 pixels of margin around a box of 3: one pixel of the slice is one of the picture.
    assert (picture[24:27, 24:27] == 255).all()
    assert (picture[23, 23:28] == 255).all()
    assert not picture[24:27, :21].any()


def test_borders_of_the_mask_have_the_colours_of_the_classes(some: Suspects) -> None:
    mask = np.zeros((50, 50), np.uint8)
    mask[:, 20:] = 1
    picture = thumbnail(np.zeros((50, 50)), mask, some[0], some.classes, size=51)
    assert picture[40, 24 - 3 + 19].tolist() == list(some.classes.colours[0])


@pytest.mark.parametrize("place", [0, 1, 2])
def test_thumbnails_at_edges_and_of_pixels_that_are_not_finite(some: Suspects, place: int) -> None:
    image = np.full((50, 50), np.nan, np.float32)
    picture = thumbnail(image, np.full((50, 50), 255, np.uint8), some[place], some.classes)
    assert picture.shape == (128, 128, 3)


def test_a_sheet_is_one_page_that_reads_each_slice_once(some: Suspects, tmp_path: Path) -> None:
    read: list[int] = []

    def planes(z: int) -> tuple[np.ndarray, np.ndarray]:
        read.append(z)
        return np.random.default_rng(z).normal(size=(50, 50)), np.zeros((50, 50), np.uint8)

    write_sheet(tmp_path / "sheet.html", some, planes)
    text = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert read == [0, 1, 2]
    assert text.count("data:image/png;base64,") == 3
    assert text.index("1. hole") < text.index("2. low confidence") < text.index("3. grey values")
    assert "no labels to compare with" in text

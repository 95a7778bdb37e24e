from __future__ import annotations

import json

import numpy as np
import pytest

from napari_xseg.errors import XsegError
from napari_xseg.review.mistakes import MistakeFinder, Mistakes
from napari_xseg.review.ticks import Ticks, save_ticks


def find(truth, prediction, table):
    finder = MistakeFinder(table)
    for z in range(len(truth)):
        finder.visit(z, truth[z], prediction[z])
    return finder.mistakes()


@pytest.fixture
def mistakes(blobs, table):
    return find(*blobs, table)


def part(mistakes, *places):
    return Mistakes(mistakes.classes, mistakes.rows[list(places)])


def test_ticks_survive_the_file(mistakes, tmp_path):
    ticks = Ticks("labels", "mask 1")
    ticks.set(part(mistakes, 0, 3), True)
    save_ticks(ticks.to_json(), tmp_path / "reviews" / ticks.file_name)
    again = Ticks.load(tmp_path / "reviews", "labels", "mask 1")
    assert np.flatnonzero(again.of(mistakes)).tolist() == [0, 3]
    assert len(again) == 2


def test_other_masks_have_other_files(mistakes, tmp_path):
    ticks = Ticks("labels", "a/b")
    ticks.set(part(mistakes, 0), True)
    save_ticks(ticks.to_json(), tmp_path / ticks.file_name)
    assert len(Ticks.load(tmp_path, "labels", "a_b")) == 0
    assert ticks.file_name != Ticks("labels", "a_b").file_name


def test_a_correction_elsewhere_keeps_the_tick(blobs, table, mistakes):
    truth, prediction = blobs[0], blobs[1].copy()
    ticks = Ticks("t", "p")
    ticks.set(part(mistakes, 1), True)
    kept, other = mistakes[1], mistakes[0]
    box = tuple(slice(*ends) for ends in (other.z_range, other.y_range, other.x_range))
    prediction[box] = truth[box]
    after = find(truth, prediction, table)
    assert len(after) < len(mistakes)
    assert [after[int(place)] for place in np.flatnonzero(ticks.of(after))] == [kept]


def test_a_tick_can_be_taken_away(mistakes):
    ticks = Ticks("t", "p")
    ticks.set(mistakes, True)
    ticks.set(part(mistakes, 2), False)
    assert np.flatnonzero(~ticks.of(mistakes)).tolist() == [2]


def test_no_ticks_of_no_mistakes(mistakes):
    nothing = part(mistakes)
    assert Ticks("t", "p").of(nothing).shape == (0,)
    assert not Ticks("t", "p").of(mistakes).any()


@pytest.mark.parametrize("text", ["", "{}", '{"ticked": [[1, 2]]}', '{"ticked": [["a"]]}', "[1]"])
def test_a_damaged_file_says_so(tmp_path, text):
    (tmp_path / Ticks("t", "p").file_name).write_text(text, encoding="utf-8")
    with pytest.raises(XsegError, match="cannot be read as ticks"):
        Ticks.load(tmp_path, "t", "p")


def test_the_file_can_be_read_by_others(mistakes, tmp_path):
    ticks = Ticks("t", "p")
    ticks.set(part(mistakes, 0), True)
    read = json.loads(ticks.to_json())
    first = mistakes[0]
    assert read["truth"] == "t"
    assert dict(zip(read["fields"], read["ticked"][0], strict=True))["z"] == first.z


def test_a_folder_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(XsegError, match="the ticks are not kept"):
        save_ticks("{}", tmp_path / "file" / "reviews" / "t.json")

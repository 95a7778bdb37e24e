from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_xseg.metrics import IGNORE
from napari_xseg.review.border import border_band
from napari_xseg.review.mistakes import MistakeFinder, mistakes_map

values = st.sampled_from([0, 1, 2, IGNORE])


@st.composite
def stacks(draw):
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 7)))
    return tuple(draw(hnp.arrays(np.uint8, shape, elements=values)) for _ in range(2))


def find(truth, prediction, table, *, first=0, across=False, border=1):
    finder = MistakeFinder(table, border, across_slices=across)
    for z in range(len(truth)):
        finder.visit(first + z, truth[z], prediction[z])
    return finder.mistakes()


def flood(truth, prediction, across):
    """Find the connected mistakes by walking from pixel to pixel: sets of (z, y, x)."""
    wrong = {
        place
        for place in np.ndindex(*truth.shape)
        if IGNORE not in (truth[place], prediction[place]) and truth[place] != prediction[place]
    }
    found = []
    while wrong:
        todo, grown = [wrong.pop()], set()
        while todo:
            here = todo.pop()
            grown.add(here)
            near = {
                there
                for there in wrong
                if max(abs(a - b) for a, b in zip(here, there, strict=True)) <= 1
                and (across or here[0] == there[0])
                and (truth[here], prediction[here]) == (truth[there], prediction[there])
            }
            wrong -= near
            todo += near
        found.append(grown)
    return found


def outline(places):
    z, y, x = (sorted(axis) for axis in zip(*places, strict=True))
    return len(places), *((axis[0], axis[-1] + 1) for axis in (z, y, x))


@given(stacks())
def test_map_marks_what_is_wrong_by_its_true_class(stack):
    truth, prediction = stack
    found = mistakes_map(truth, prediction)
    assert found.dtype == np.uint8
    for place in np.ndindex(*truth.shape):
        t, p = int(truth[place]), int(prediction[place])
        assert found[place] == (t + 1 if t != p and IGNORE not in (t, p) else 0)


@pytest.mark.parametrize("across", [False, True])
@given(stacks())
def test_mistakes_are_the_connected_ones(make_classes, across, stack):
    truth, prediction = stack
    found = find(*stack, make_classes((0, 1, 2)), across=across)
    slow = flood(truth, prediction, across)
    outlines = [(m.pixels, m.z_range, m.y_range, m.x_range) for m in found]
    assert sorted(outlines) == sorted(map(outline, slow))
    assert found.pixels == np.count_nonzero(mistakes_map(truth, prediction))
    assert [m.pixels for m in found] == sorted((m.pixels for m in found), reverse=True)


@given(stacks())
def test_place_class_and_border_are_those_of_the_pixels(make_classes, stack):
    truth, prediction = stack
    band = np.stack([border_band(plane, 1) for plane in truth])
    expected = []
    for places in flood(truth, prediction, across=False):
        some = next(iter(places))
        y, x = np.mean([place[1:] for place in places], axis=0).round(6)
        in_band = sum(bool(band[place]) for place in places)
        expected.append((some[0], y, x, int(truth[some]), int(prediction[some]), in_band))
    found = find(truth, prediction, make_classes((0, 1, 2)))
    assert sorted(expected) == sorted(
        (m.z, round(m.y, 6), round(m.x, 6), m.true, m.predicted, m.border_pixels) for m in found
    )
    assert all(m.touches_border == (m.border_pixels > 0) for m in found)


def test_a_mistake_across_slices_lies_where_it_is_largest(table):
    truth, prediction = np.zeros((2, 4, 8, 8), np.uint8)
    prediction[1, 2, 2] = prediction[2, 2:5, 3:6] = prediction[3, 5, 6] = 1
    (found,) = find(truth, prediction, table, first=10, across=True)
    assert (found.pixels, found.z, found.y, found.x) == (11, 12, 3, 4)
    assert (found.z_range, found.y_range, found.x_range) == ((11, 14), (2, 6), (2, 7))
    assert not found.touches_border


def test_slices_that_are_no_neighbours_are_not_joined(table):
    truth, prediction = np.zeros((2, 3, 3), np.uint8), np.ones((2, 3, 3), np.uint8)
    finder = MistakeFinder(table, across_slices=True)
    finder.visit(4, truth[0], prediction[0])
    finder.visit(6, truth[1], prediction[1])
    assert [m.z_range for m in finder.mistakes()] == [(4, 5), (6, 7)]


def test_without_mistakes_there_is_nothing_to_list(table):
    plane = np.zeros((1, 5, 5), np.uint8)
    for across in (False, True):
        found = find(plane, plane, table, across=across)
        assert len(found) == found.pixels == 0
        assert list(found) == []
    assert len(MistakeFinder(table).mistakes()) == 0


def test_of_slice_keeps_what_reaches_into_it(table):
    truth, prediction = np.zeros((2, 3, 6, 6), np.uint8)
    prediction[0:2, 0, 0] = 1
    prediction[2, 5, 5] = 2
    found = find(truth, prediction, table, across=True)
    assert [m.predicted for m in found.of_slice(1)] == [1]
    assert [m.predicted for m in found.of_slice(2)] == [2]


def test_csv_lists_the_largest_first(tmp_path, table):
    truth, prediction = np.zeros((2, 2, 6, 6), np.uint8)
    prediction[0, 1, 1] = 2
    prediction[1, 2:4, 2:5] = 1
    path = tmp_path / "mistakes.csv"
    find(truth, prediction, table, first=7).write_csv(path)
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [(row["rank"], row["pixels"], row["z"]) for row in rows] == [
        ("1", "6", "8"),
        ("2", "1", "7"),
    ]
    assert (rows[0]["y"], rows[0]["x"]) == ("2.50", "3.00")
    assert (rows[1]["true"], rows[1]["predicted"], rows[1]["predicted_value"]) == (
        *("pore", "nickel", "255"),
    )
    assert [rows[0][key] for key in ("y_start", "y_stop", "x_start", "x_stop")] == list("2425")


def test_csv_of_no_mistakes_has_its_header(tmp_path, table):
    path = tmp_path / "mistakes.csv"
    MistakeFinder(table).mistakes().write_csv(path)
    assert path.read_text(encoding="utf-8").startswith("rank,pixels,z,y,x,true,predicted")

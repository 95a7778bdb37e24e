from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_xseg.data.slices import format_slices, parse_slices
from napari_xseg.errors import XsegError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13,39,65", (13, 39, 65)),
        ("65, 13", (65, 13)),
        ("160:164", (160, 161, 162, 163)),
        ("1:10:2", (1, 3, 5, 7, 9)),
        (":3", (0, 1, 2)),
        ("197:", (197, 198, 199)),
        ("::50", (0, 50, 100, 150)),
        (":", tuple(range(200))),
        ("0,5:7,199", (0, 5, 6, 199)),
    ],
)
def test_slices_are_lists_and_python_ranges(text: str, expected: tuple[int, ...]) -> None:
    assert parse_slices(text, 200) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("200", "slice 200 is out of range; there are 200 slices, z from 0 to 199"),
        ("190:201", "slice 200 is out of range"),
        ("300:310", "slice 309 is out of range"),
        ("-1", "-1 is negative"),
        ("5:-1", "5:-1 is negative"),
        ("3,5,3", "names slice 3 twice"),
        ("0:10,5", "names slice 5 twice"),
        ("", "'' is no slice"),
        ("1,,2", "'' is no slice"),
        ("5:5", "the range 5:5 is empty"),
        ("10:5", "the range 10:5 is empty"),
        ("0:10:0", "the step of 0:10:0 is 0"),
        ("a", "'a' is no slice"),
        ("1-3", "ranges are written 1:4, up to slice 3"),
        ("1.5", "'1.5' is no slice"),
        ("1:2:3:4", "is no slice"),
        ("²", "is no slice"),
    ],
)
def test_what_is_no_list_of_slices_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(XsegError, match=complaint) as caught:
        parse_slices(text, 200, "--train-slices")
    assert str(caught.value).startswith("--train-slices")


@given(st.lists(st.integers(0, 60), min_size=1, max_size=40, unique=True))
def test_format_is_read_back(slices: list[int]) -> None:
    assert parse_slices(format_slices(slices), 61) == tuple(slices)


def test_runs_are_written_short() -> None:
    assert format_slices([1, 5, 6, 7, 9, 10]) == "1,5:8,9,10"
    assert format_slices([]) == ""

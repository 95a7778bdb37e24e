from __future__ import annotations

import time
import tomllib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_xseg.data.classes import (
    COLOUR_BLIND,
    IGNORE,
    ClassSpec,
    ClassTable,
    table_with_counts,
)
from napari_xseg.errors import XsegError

DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]


def soc_table() -> ClassTable:
    return ClassTable.from_values([255, 0, 128])


Case = tuple[ClassTable, np.ndarray, np.dtype[Any]]


@st.composite
def tables_and_maps(draw: st.DrawFn) -> Case:
    dtype: np.dtype[Any] = np.dtype(draw(st.sampled_from(DTYPES)))
    limits = np.iinfo(dtype)
    values = draw(
        st.lists(
            st.integers(int(limits.min), int(limits.max)), min_size=2, max_size=40, unique=True
        )
    )
    unlabelled, *classes = values
    table = ClassTable.from_values(classes, unlabelled=unlabelled)
    indices = st.sampled_from([*range(len(classes)), IGNORE])
    index_map = draw(
        hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2), elements=indices)
    )
    return table, index_map, dtype


@given(tables_and_maps())
def test_encode_is_the_inverse_of_decode(
    case: Case,
) -> None:
    table, index_map, dtype = case
    values = table.decode(index_map, dtype)
    assert values.dtype == dtype
    assert np.array_equal(table.encode(values), index_map)
    plain = [table.unlabelled if k == IGNORE else table.values[k] for k in index_map.ravel()]
    assert values.ravel().tolist() == plain


@given(tables_and_maps(), st.data())
def test_a_value_outside_the_table_is_named_with_its_count(case: Case, data: st.DataObject) -> None:
    table, index_map, dtype = case
    limits = np.iinfo(dtype)
    known = {*table.values, table.unlabelled}
    stranger = data.draw(
        st.integers(int(limits.min), int(limits.max)).filter(lambda value: value not in known)
    )
    plane = table.decode(index_map, dtype)
    plane[0] = stranger
    with pytest.raises(XsegError, match="--unlabelled") as caught:
        table.encode(plane, source="mask_7.tif")
    assert str(caught.value).startswith("mask_7.tif: ")
    assert f"{stranger} ({plane.shape[1]:,} pixels)" in str(caught.value)


@given(tables_and_maps())
def test_layers_hold_class_k_as_k_plus_1(
    case: Case,
) -> None:
    table, index_map, _ = case
    layer = table.to_layer(index_map)
    expected = np.where(index_map == IGNORE, 0, index_map.astype(int) + 1)
    assert np.array_equal(layer, expected)
    assert np.array_equal(table.from_layer(layer), index_map)
    assert np.array_equal(table.from_layer(layer.astype(np.int32)), index_map)


@pytest.mark.parametrize("label", [-1, 4, 255, 300])
def test_a_layer_label_without_class_is_refused(label: int) -> None:
    with pytest.raises(XsegError, match=f"label {label} has no class"):
        soc_table().from_layer(np.array([[0, label]], dtype=np.int32))


def test_default_table_of_three_phases() -> None:
    table = soc_table()
    assert table.values == (0, 128, 255)
    assert table.names == ("class 0", "class 1", "class 2")
    assert table.colours == ((255, 0, 0), (0, 255, 0), (0, 0, 255))
    assert table.unlabelled == 1
    assert not table.unlabelled_in_files
    assert table.file_dtype == np.uint8


@pytest.mark.parametrize(
    ("values", "unlabelled", "dtype"),
    [
        ([0, 1, 2], 3, "uint8"),
        ([1, 2], 0, "uint8"),
        ([0, 300], 1, "uint16"),
        ([-1, 5], 0, "int16"),
        ([0, 70000], 1, "uint32"),
        ([-40000, 0], 1, "int32"),
        (range(254), 254, "uint8"),
    ],
)
def test_unlabelled_is_the_smallest_unused_value(
    values: list[int], unlabelled: int, dtype: str
) -> None:
    table = ClassTable.from_values(values)
    assert table.unlabelled == unlabelled
    assert table.file_dtype == dtype


def test_strict_encoding_refuses_an_unlabelled_value_that_was_only_chosen() -> None:
    table = soc_table()
    plane = np.array([[0, 1]], dtype=np.uint8)
    assert table.encode(plane).tolist() == [[0, IGNORE]]
    with pytest.raises(XsegError, match="label value 1 "):
        table.encode(plane, strict=True)
    told = ClassTable.from_values([0, 128], unlabelled=1)
    assert told.encode(plane, strict=True).tolist() == [[0, IGNORE]]


def test_an_image_is_not_taken_for_labels() -> None:
    with pytest.raises(XsegError, match=r"photo\.tif: found 300 .* looks like an image"):
        ClassTable.from_values(range(300), source="photo.tif")


def test_colours_become_classes_and_index_masks() -> None:
    table = ClassTable.from_colours([0xFF0000, 0x00FF00, 0x0000FF])
    assert table.values == (0, 1, 2)
    assert table.colours == ((0, 0, 255), (0, 255, 0), (255, 0, 0))
    assert table.unlabelled == 3
    plane = np.array([[0xFF0000, 0x0000FF]], dtype=np.uint32)
    assert table.encode(plane, colours=True).tolist() == [[2, 0]]
    with pytest.raises(XsegError, match="colour #010203"):
        table.encode(np.array([[0x010203]], dtype=np.uint32), colours=True)


def test_a_colour_may_mean_unlabelled() -> None:
    table = ClassTable.from_colours([0, 0xFF0000, 0x00FF00], unlabelled=0)
    assert table.colours == ((0, 255, 0), (255, 0, 0))
    plane = np.array([[0, 0xFF0000]], dtype=np.uint32)
    assert table.encode(plane, colours=True, strict=True).tolist() == [[IGNORE, 1]]
    assert ClassTable.from_dict(table.to_dict()) == table


@given(tables_and_maps())
def test_toml_round_trip(case: Case) -> None:
    table = case[0]
    if max(map(abs, (*table.values, table.unlabelled))) < 2**63:
        assert ClassTable.from_dict(tomllib.loads(table.to_toml())) == table


def test_toml_keeps_the_order_and_fills_in_the_rest(tmp_path: Any) -> None:
    path = tmp_path / "classes.toml"
    path.write_text(
        '[[classes]]\nname = "nickel"\nvalue = 255\ncolour = [0, 0, 255]\n'
        '[[classes]]\nname = "pore"\nvalue = 0\n'
        "[[classes]]\nvalue = 128\n",
        encoding="utf-8",
    )
    table = ClassTable.from_toml(path)
    assert table.values == (255, 0, 128)
    assert table.names == ("nickel", "pore", "class 2")
    assert table.colours == ((0, 0, 255), (255, 0, 0), (0, 255, 0))
    assert table.unlabelled == 1
    assert not table.unlabelled_in_files


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[classes]]\nvalue = 1\n[[classes]]\nvalue = 1\n", "the value 1 occurs 2 times"),
        ('[[classes]]\nname = "a"\n[[classes]]\nname = "a"\n', "the name 'a' occurs 2 times"),
        (
            "[[classes]]\ncolour = [1, 2, 3]\n[[classes]]\ncolour = '#010203'\n",
            "the colour '#010203' occurs 2 times",
        ),
        ("unlabelled = 5\n[[classes]]\nvalue = 5\n", "both class 'class 0' and unlabelled"),
        ("[[classes]]\nvalue = 1.5\n", "expected an integer"),
        ("[[classes]]\nvalue = true\n", "expected an integer"),
        ("[[classes]]\nvalue = 1\n[[classes]]\nname = 'b'\n", "has no `value`"),
        ("[[classes]]\ncolour = 'red'\n", "colour 'red' cannot be read"),
        ("[[classes]]\ncolour = [0, 0, 256]\n", "cannot be read"),
        ("[[classes]]\nname = ''\n", "is no text"),
        ("[[classes]]\ncolor = '#ffffff'\n", "unknown key 'color'"),
        ("class = 3\n", "unknown key 'class'"),
        ("", "one \\[\\[classes\\]\\] block"),
        ("classes = []\n", "0 classes"),
        ("[[classes", "is not a TOML file"),
    ],
)
def test_a_wrong_class_file_is_named_with_the_mend(
    tmp_path: Any, text: str, complaint: str
) -> None:
    path = tmp_path / "classes.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(XsegError, match=complaint) as caught:
        ClassTable.from_toml(path)
    assert str(path) in str(caught.value)


def test_a_missing_class_file_is_named(tmp_path: Any) -> None:
    with pytest.raises(XsegError, match=r"none\.toml: cannot be read"):
        ClassTable.from_toml(tmp_path / "none.toml")


def test_decode_refuses_what_does_not_fit() -> None:
    table = ClassTable.from_values([0, 300])
    index_map = np.array([[0, 1, IGNORE]], dtype=np.uint8)
    assert table.decode(index_map).tolist() == [[0, 300, 1]]
    with pytest.raises(XsegError, match="do not fit uint8; expected uint16"):
        table.decode(index_map, np.uint8)
    with pytest.raises(ValueError, match="beyond the 2 classes"):
        table.decode(np.array([[2]], dtype=np.uint8))


def test_254_classes_have_different_colours_in_both_sets() -> None:
    table = ClassTable.from_values(range(254))
    assert len(set(table.colours)) == 254
    safe = table.with_colours(COLOUR_BLIND)
    assert len(set(safe.colours)) == 254
    assert safe.colours[:3] == COLOUR_BLIND[:3]
    everything = np.arange(254, dtype=np.uint8).reshape(2, 127)
    assert np.array_equal(table.encode(everything), everything)


def test_bool_and_whole_floats_are_labels_and_fractions_are_not() -> None:
    table = ClassTable.from_values([0, 1])
    assert table.encode(np.array([[True, False]])).tolist() == [[1, 0]]
    assert table.encode(np.array([[1.0, 0.0]])).tolist() == [[1, 0]]
    for wrong in ([0.5], [np.nan], [1j]):
        with pytest.raises(XsegError, match="no integers"):
            table.encode(np.array([wrong]), source="a.tif")


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4", "i4", "i8"])
def test_byte_order_and_views_do_not_matter(dtype: str) -> None:
    table = ClassTable.from_values([0, 3, 9])
    plane = np.array([[0, 3, 9], [9, 3, 0]])
    expected = [[0, 1, 2], [2, 1, 0]]
    for order in "<>":
        turned = plane.astype(f"{order}{dtype}")
        assert table.encode(turned).tolist() == expected
        assert table.encode(turned.T).tolist() == np.transpose(expected).tolist()
        assert table.encode(turned[:, ::2]).tolist() == [[0, 2], [2, 0]]


def test_rows_for_printing_count_and_share() -> None:
    table = ClassTable((ClassSpec("pore", 0, (1, 2, 3)), ClassSpec("rest", 9, (4, 5, 6))), 7)
    pore, rest, unlabelled = table_with_counts(table, [30, 10], unlabelled=60)
    assert (pore.name, pore.value, pore.colour, pore.pixels) == ("pore", 0, "#010203", 30)
    assert (pore.fraction, rest.fraction) == (0.75, 0.25)
    assert (unlabelled.value, unlabelled.pixels, unlabelled.fraction) == (7, 60, None)


def test_encoding_two_hundred_slices_takes_well_under_half_a_second() -> None:
    table = soc_table()
    plane = np.random.default_rng(0).choice(np.array([0, 128, 255], np.uint8), (501, 501))
    table.encode(plane)
    start = time.process_time()
    for _ in range(200):
        table.encode(plane)
    assert time.process_time() - start < 0.5

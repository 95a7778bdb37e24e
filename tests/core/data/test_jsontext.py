from __future__ import annotations

import json

import pytest

from napari_xseg.data.jsontext import json_text


def test_what_json_lacks_becomes_null() -> None:
    value = {"b": [1.5, float("nan"), (float("inf"), "é")], "a": {"deep": -float("inf")}}
    text = json_text(value)
    assert text == '{"a": {"deep": null}, "b": [1.5, null, [null, "é"]]}'
    assert json.loads(text)["b"][0] == 1.5


def test_equal_values_give_equal_text() -> None:
    assert json_text({"x": 1, "y": (2, 3)}) == json_text({"y": [2, 3], "x": 1})


def test_what_is_no_json_is_a_bug() -> None:
    with pytest.raises(TypeError):
        json_text({"x": object()})

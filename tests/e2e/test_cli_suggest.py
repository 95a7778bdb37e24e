"""`suggest`: which slices to label next."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.data.sample import SamplePaths

Xseg = Callable[..., Any]


@pytest.fixture(scope="module")
def model(tiny: SamplePaths, recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from napari_xseg.cli import main

    out = tmp_path_factory.mktemp("model") / "run"
    source = ("--images", tiny.images, "--labels", tiny.labels, "--out", out)
    words = ("train", *source, "--recipe", recipe, "--steps", 3, "--train-slices", "4")
    assert main([*map(str, words), "--no-validation", "--quiet"]) == 0
    return out


def test_slices_with_their_reasons(
    xseg: Xseg, tiny: SamplePaths, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "next.json"
    words = ("--model", model, "--images", tiny.images, "--labelled", "4", "-n", 2, "--json", out)
    said = xseg("suggest", *words)
    assert (said.code, said.err) == (0, "")
    told = json.loads(out.read_text(encoding="utf-8"))
    first, second = told["suggestions"]
    assert told["labelled"] == [4]
    assert len({first["z"], second["z"], 4}) == 3
    assert first["nearest"] == 4
    assert first["why"] in said.out
    assert second["why"] in said.out
    assert set(told["measured"]) == {str(z) for z in range(12)}
    assert told["command"].startswith("napari-xseg suggest --model")


def test_labels_say_what_is_labelled(xseg: Xseg, tiny: SamplePaths, tmp_path: Path) -> None:
    labels = np.ones((12, 48, 48), np.uint8)
    labels[3, :20], labels[3, 20:] = 0, 128
    labels[9, :20], labels[9, 20:] = 0, 128
    tifffile.imwrite(tmp_path / "l.tif", labels, photometric="minisblack")
    out = tmp_path / "next.json"
    words = ("--images", tiny.images, "--labels", tmp_path / "l.tif", "--unlabelled", 1)
    said = xseg("suggest", *words, "--labelled", "11", "--json", out, "--quiet")
    assert said.code == 0, said.err
    assert json.loads(out.read_text(encoding="utf-8"))["labelled"] == [3, 9, 11]


def test_nothing_is_left_to_suggest(xseg: Xseg, tiny: SamplePaths) -> None:
    said = xseg("suggest", "--images", tiny.images, "--labels", tiny.labels)
    assert said.code == 0
    assert "All slices are labelled" in said.out


def test_what_does_not_fit_is_refused(
    refused: Callable[..., str], tiny: SamplePaths, tmp_path: Path
) -> None:
    words = ("suggest", "--images", tiny.images)
    assert "99" in refused(*words, "--labelled", "99")
    assert "99" in refused(*words, "--slices", "3:99")
    assert "no-model" in refused(*words, "--model", tmp_path / "no-model")
    assert "no-images" in refused("suggest", "--images", tmp_path / "no-images")
    there = tmp_path / "there.json"
    there.write_text("mine", encoding="utf-8")
    assert "--overwrite" in refused(*words, "--json", there)
    assert there.read_text(encoding="utf-8") == "mine"

"""`suspects`: places that are probably wrong, as a list."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_xseg.review.suspects.kept import read_suspects, staleness, suspects_path

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.data.sample import SamplePaths

Xseg = Callable[..., Any]


@pytest.fixture
def search(xseg: Xseg, tiny: SamplePaths, tmp_path: Path) -> Callable[..., Any]:
    """Look for suspects; what was said."""

    def run(*words: object) -> Any:
        common = ("--images", tiny.images, "--out", tmp_path / "s.csv", "--threads", 1)
        return xseg("suspects", *common, "--precision", "float32", *words)

    return run


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_mask_with_its_model(search: Any, trained: Path, mask: Path, tmp_path: Path) -> None:
    said = search(
        *("--model", trained, "--mask", mask, "--top", 5, "--thumbnails", tmp_path / "s.html")
    )
    kept = read_suspects(suspects_path(mask))
    stale = staleness(kept.origin, mask)
    suspects_path(mask).unlink()
    assert (said.code, said.err) == (0, "")
    assert "There are no labels to compare with: these are guesses." in said.out
    rows = rows_of(tmp_path / "s.csv")
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [int(row["z"]) for row in rows] == kept.suspects.top(5).rows["z"].tolist()
    assert len(kept.suspects) > 5
    assert kept.origin.model == json.loads(mask.with_name("mask.tif.json").read_text())["model"]
    assert stale is None
    assert (tmp_path / "s.html").read_text(encoding="utf-8").count("<figure>") == 5


def test_a_model_alone_and_some_slices(search: Any, trained: Path, tmp_path: Path) -> None:
    said = search("--model", trained, "--slices", "3:6", "--kinds", "confidence,drift", "-q")
    assert said.code == 0, said.err
    assert {int(row["z"]) for row in rows_of(tmp_path / "s.csv")} <= {3, 4, 5}
    assert [path.name for path in tmp_path.iterdir()] == ["s.csv"]


def test_other_grey_values_are_matched_or_warned_of(
    search: Any, tiny: SamplePaths, trained: Path, tmp_path: Path
) -> None:
    options = ("--model", trained, "--images", tiny.lis_like, "-q")
    plain = search(*options)
    assert plain.code == 0
    assert "--match-intensity maps them" in " ".join(plain.out.split())
    matched = search(*options, "--match-intensity", "--overwrite")
    assert matched.code == 0
    assert "warning" not in matched.out


def test_a_mask_of_other_grey_values_is_warned_of(
    search: Any, trained: Path, mask: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.tif"
    shutil.copy(mask, own)
    facts = json.loads(mask.with_name("mask.tif.json").read_text(encoding="utf-8"))
    beside = own.with_name("own.tif.json")
    assert facts["settings"]["match_intensity"] is False
    facts["settings"]["match_intensity"] = True
    beside.write_text(json.dumps(facts), encoding="utf-8")
    words = ("--model", trained, "--mask", own, "--slices", "3", "--kinds", "confidence", "-q")
    plain = " ".join(search(*words).out.split())
    assert "own.tif: was predicted with --match-intensity" in plain
    matched = search(*words, "--match-intensity", "--overwrite")
    assert "was predicted with" not in matched.out


def test_an_empty_list_is_no_praise(search: Any, mask: Path, tmp_path: Path) -> None:
    planes = np.zeros_like(tifffile.imread(mask))
    tifffile.imwrite(tmp_path / "empty.tif", planes, photometric="minisblack")
    said = search("--mask", tmp_path / "empty.tif", "--kinds", "fragment,hole")
    assert "0 suspects in" in said.out
    assert "Looked for: fragment, hole." in said.out
    assert "That does not say that the mask is right" in said.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "neither a mask nor a model"),
        (("--kinds", "holes"), "kinds"),
        (("--too-small", "0:5"), "expected the value of a class and pixels"),
        (("--slices", "40"), "40"),
        (("--flips", "9"), "--flips"),
    ],
)
def test_what_the_user_can_mend(
    refused: Any, tiny: SamplePaths, trained: Path, tmp_path: Path, words: Any, said: str
) -> None:
    model = ("--model", trained) if words else ()
    out = tmp_path / "deep" / "s.csv"
    line = refused("suspects", "--images", tiny.images, "--out", out, *model, *words)
    assert said in line
    assert not out.parent.exists()


def test_nothing_is_replaced_unasked(
    refused: Any, tiny: SamplePaths, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "s.csv").write_text("older", encoding="utf-8")
    words = ("--images", tiny.images, "--model", trained, "--out", tmp_path / "s.csv")
    assert "is there already" in refused("suspects", *words)
    assert (tmp_path / "s.csv").read_text(encoding="utf-8") == "older"

"""Which mask is scored against which label."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.data.sample import SamplePaths

Xseg = Callable[..., Any]
Score = Callable[..., dict[str, Any]]


@pytest.fixture
def score(xseg: Xseg, tmp_path: Path) -> Score:
    """Evaluate and give the figures."""

    def run(*words: object) -> dict[str, Any]:
        out = tmp_path / "figures.json"
        said = xseg("evaluate", *words, "--json", out, "--overwrite")
        assert (said.code, said.err) == (0, ""), said
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return found

    return run


@pytest.fixture
def truth(tiny: SamplePaths) -> Any:
    return np.stack([tifffile.imread(path) for path in sorted(tiny.labels.iterdir())])


def scored(figures: dict[str, Any]) -> list[int]:
    return [row["z"] for row in figures["slices"]]


def perfect(figures: dict[str, Any]) -> bool:
    return bool(figures["pooled"]["accuracy"] == 1.0)


def write_mask(path: Path, planes: Any) -> Path:
    tifffile.imwrite(path, planes, photometric="minisblack")
    return path


def write_sidecar(mask: Path, slices: list[int], images: str = "elsewhere") -> None:
    table = [{"name": f"phase {value}", "value": value} for value in (0, 128, 255)]
    found = {"classes": {"classes": table}, "slices": slices, "model": "m", "images": images}
    mask.with_name(mask.name + ".json").write_text(json.dumps(found), encoding="utf-8")


def test_masks_of_as_many_slices_match_in_order(
    score: Score, tiny: SamplePaths, truth: Any, tmp_path: Path
) -> None:
    mask = write_mask(tmp_path / "mask.tif", truth[[3, 7, 8, 9]])
    found = score("--masks", mask, "--labels", tiny.labels, "--slices", "3,7:10")
    assert scored(found) == [3, 7, 8, 9]
    assert perfect(found)


def test_masks_of_the_whole_volume_match_by_place(
    score: Score, tiny: SamplePaths, truth: Any, tmp_path: Path
) -> None:
    mask = write_mask(tmp_path / "mask.tif", truth)
    found = score("--masks", mask, "--labels", tiny.labels, "--slices", "5,2")
    assert scored(found) == [5, 2]
    assert perfect(found)
    assert scored(score("--masks", mask, "--labels", tiny.labels)) == list(range(12))


@pytest.mark.parametrize("words", [(), ("--slices", "6"), ("--slices", "4:7")])
def test_masks_match_by_the_z_in_the_sidecar(
    words: tuple[str, ...], score: Score, tiny: SamplePaths, truth: Any, tmp_path: Path
) -> None:
    mask = write_mask(tmp_path / "mask.tif", truth[[4, 6, 5, 9]])
    write_sidecar(mask, [4, 6, 5, 9])
    found = score("--masks", mask, "--labels", tiny.labels, *words)
    assert perfect(found)
    assert [row["name"] for row in found["pooled"]["classes"]] == [
        "phase 0",
        "phase 128",
        "phase 255",
    ]
    if not words:
        assert scored(found) == [4, 5, 6, 9]


def test_the_order_holds_where_the_sidecar_counts_other_slices(
    score: Score, tiny: SamplePaths, truth: Any, tmp_path: Path
) -> None:
    mask = write_mask(tmp_path / "mask.tif", truth[2:6])
    write_sidecar(mask, [100, 101, 102, 103])
    assert perfect(score("--masks", mask, "--labels", tiny.labels, "--slices", "2:6"))


def test_a_few_labels_find_their_masks_by_the_names_of_the_images(
    score: Score, tiny: SamplePaths, truth: Any, tmp_path: Path
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for z in (3, 8):
        shutil.copy(tiny.labels / f"label_{z:03d}.tif", few)
    mask = write_mask(tmp_path / "mask.tif", truth)
    write_sidecar(mask, list(range(12)), str(tiny.images))
    found = score("--masks", mask, "--labels", few)
    assert scored(found) == [0, 1]
    assert perfect(found)


def test_a_few_labels_without_their_images_are_not_guessed_at(
    refused: Callable[..., str], score: Score, tiny: SamplePaths, truth: Any, tmp_path: Path
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for z in (3, 5, 8):
        shutil.copy(tiny.labels / f"label_{z:03d}.tif", few)
    mask = write_mask(tmp_path / "mask.tif", truth)
    write_sidecar(mask, list(range(12)))
    words = ("--masks", mask, "--labels", few)
    assert "--pairing" in refused("evaluate", *words)
    told = tmp_path / "pairs.csv"
    told.write_text("image,label\n3,0\n5,1\n8,2\n", encoding="utf-8")
    assert perfect(score(*words, "--pairs", told))


def test_folders_of_masks_match_by_number(
    score: Score, tiny: SamplePaths, truth: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "masks"
    folder.mkdir()
    for z in (9, 2, 6):
        tifffile.imwrite(folder / f"predicted {z}.tif", truth[z])
    found = score("--masks", folder, "--labels", tiny.labels)
    assert scored(found) == [2, 6, 9]
    assert perfect(found)


def test_unlabelled_pixels_and_slices_are_left_out(
    score: Score, tiny: SamplePaths, truth: Any, tmp_path: Path
) -> None:
    partly = truth.copy()
    partly[:, :24] = 9
    partly[5:] = 9
    wrong = truth.copy()
    wrong[:, :24] = 128
    labels = write_mask(tmp_path / "labels.tif", partly)
    mask = write_mask(tmp_path / "mask.tif", wrong)
    found = score("--masks", mask, "--labels", labels, "--unlabelled", "9")
    assert perfect(found)
    assert scored(found) == [0, 1, 2, 3, 4]
    assert found["pooled"]["pixels"] == 5 * 24 * 48


def test_a_constant_slice_among_others_is_not_guessed_at(
    refused: Callable[..., str], tiny: SamplePaths, truth: Any, tmp_path: Path
) -> None:
    partly = truth.copy()
    partly[5] = 0
    labels = write_mask(tmp_path / "labels.tif", partly)
    mask = write_mask(tmp_path / "mask.tif", truth)
    write_sidecar(mask, list(range(12)))
    assert "--unlabelled 0" in refused("evaluate", "--masks", mask, "--labels", labels)


def test_a_region_limits_what_is_scored(
    score: Score, tiny: SamplePaths, truth: Any, tmp_path: Path
) -> None:
    wrong = truth.copy()
    wrong[:, :, 30:] = 0
    mask = write_mask(tmp_path / "mask.tif", wrong)
    words = ("--masks", mask, "--labels", tiny.labels)
    assert not perfect(score(*words))
    assert perfect(score(*words, "--roi", "0:30,:"))


def test_a_csv_has_a_row_a_slice(
    score: Score, tiny: SamplePaths, truth: Any, tmp_path: Path
) -> None:
    mask = write_mask(tmp_path / "mask.tif", truth)
    score("--masks", mask, "--labels", tiny.labels, "--csv", tmp_path / "figures.csv")
    lines = (tmp_path / "figures.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 13
    assert lines[0].startswith("z,pixels,dice_all,dice_foreground,accuracy")


def test_rgb_labels_train_and_score(
    xseg: Xseg, score: Score, tiny: SamplePaths, truth: Any, recipe: Path, tmp_path: Path
) -> None:
    colours = np.zeros((256, 3), np.uint8)
    colours[[0, 128, 255]] = (255, 0, 0), (0, 255, 0), (40, 40, 40)
    painted = tmp_path / "painted"
    painted.mkdir()
    for z, plane in enumerate(truth):
        tifffile.imwrite(painted / f"label_{z:03d}.tif", colours[plane])
    run, mask = tmp_path / "run", tmp_path / "mask.tif"
    source = ("--images", tiny.images, "--labels", painted, "--recipe", recipe)
    assert xseg("train", *source, "--train-slices", "1,4,8", "--out", run).code == 0
    assert xseg("predict", "--model", run, "--images", tiny.images, "--out", mask).code == 0
    found = score("--masks", mask, "--labels", painted)
    assert found["pooled"]["accuracy"] > 0.6
    assert set(np.unique(tifffile.imread(mask))) <= {0, 1, 2}

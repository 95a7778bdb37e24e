"""Train, predict and evaluate, one after the other, as a user would."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import zarr

from napari_xseg import metrics
from napari_xseg.data.labels import open_labels
from napari_xseg.model.checkpoint import load_model
from napari_xseg.training.recipes import load_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.data.sample import SamplePaths

Xseg = Callable[..., Any]
OTHERS = (("nickel", 255), ("pore", 0), ("YSZ", 128))


@pytest.fixture
def train(xseg: Xseg, tiny: SamplePaths, recipe: Path, tmp_path: Path) -> Callable[..., Any]:
    """Train for a few steps into `tmp_path / "run"`."""

    def run(*words: object, steps: int = 3) -> Any:
        source = ("--images", tiny.images, "--labels", tiny.labels, "--out", tmp_path / "run")
        return xseg("train", *source, "--recipe", recipe, "--steps", steps, *words)

    return run


def provenance(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "provenance.json").read_text(encoding="utf-8"))
    return found


def test_training_shows_classes_pairs_split_and_figures(
    train: Callable[..., Any], tmp_path: Path
) -> None:
    said = train("--train-slices", "1,4", "--val-slices", "8:11")
    assert (said.code, said.err) == (0, "")
    assert "Classes, pixels in 5 slices of labels" in said.out
    assert "unlabelled" in said.out
    assert "4  image_004.tif" in said.out
    assert "4  label_004.tif" in said.out
    assert "2 slices (1,4) train; 3 slices (8:11) validate" in said.out
    assert "step 3" in said.out
    assert "Dice foreground" in said.out
    split = provenance(tmp_path / "run")["split"]
    assert (split["train"], split["val"]) == ([1, 4], [8, 9, 10])
    assert provenance(tmp_path / "run")["command"].startswith("napari-xseg train --images")
    assert load_model(tmp_path / "run").classes.values == (0, 128, 255)


def test_without_training_slices_all_labelled_ones_train(
    train: Callable[..., Any], tmp_path: Path
) -> None:
    said = train("--no-validation")
    assert said.code == 0
    assert "no validation, so there is no figure" in said.out
    assert provenance(tmp_path / "run")["split"]["train"] == list(range(12))


def test_few_labelled_slices_give_a_rough_figure(
    train: Callable[..., Any], tiny: SamplePaths, tmp_path: Path
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for name in ("label_003.tif", "label_008.tif"):
        (few / name).write_bytes((tiny.labels / name).read_bytes())
    said = train("--labels", few)
    assert said.code == 0
    assert "a rough figure" in said.out
    assert "(rough: a band of the training slices)" in said.out
    assert provenance(tmp_path / "run")["split"]["train"] == [3, 8]


def test_a_random_split_of_neighbours_warns_with_the_correlation(
    train: Callable[..., Any], tmp_path: Path
) -> None:
    said = train("--split", "random", "--val-fraction", "0.25", "--seed", "5")
    assert said.code == 0
    assert "warning: random split" in said.out
    assert "correlate with the nearest training slice by 0." in said.out
    split = provenance(tmp_path / "run")["split"]
    assert (split["kind"], split["seed"], len(split["val"])) == ("random", 5, 3)


def test_a_blocked_split_keeps_its_gap(train: Callable[..., Any], tmp_path: Path) -> None:
    assert train("--split", "blocked", "--gap", "2").code == 0
    split = provenance(tmp_path / "run")["split"]
    gaps = [abs(a - b) for a in split["train"] for b in split["val"]]
    assert (split["kind"], split["guard_distance"]) == ("blocked", 2)
    assert min(gaps) > 2


def test_a_class_table_names_and_orders_the_classes(
    train: Callable[..., Any], xseg: Xseg, tiny: SamplePaths, tmp_path: Path
) -> None:
    table = tmp_path / "classes.toml"
    lines = [f'[[classes]]\nname = "{name}"\nvalue = {value}\n' for name, value in OTHERS]
    table.write_text("unlabelled = 7\n" + "".join(lines), encoding="utf-8")
    said = train("--classes", table, "--train-slices", "1,4", "--no-validation")
    assert said.code == 0
    assert said.out.index("nickel") < said.out.index("pore") < said.out.index("YSZ")
    model = load_model(tmp_path / "run")
    assert model.classes.names == ("nickel", "pore", "YSZ")
    out = tmp_path / "mask.tif"
    said = xseg("predict", "--model", tmp_path / "run", "--images", tiny.images, "--out", out)
    assert "nickel" in said.out
    assert set(np.unique(tifffile.imread(out))) <= {0, 128, 255}
    said = xseg("evaluate", "--masks", out, "--labels", tiny.labels)
    assert "nickel" in said.out


def test_a_training_goes_on_from_a_parent_as_a_new_run(
    train: Callable[..., Any], trained: Path, tmp_path: Path
) -> None:
    said = train("--parent", trained, "--train-slices", "1,4,8", "--no-validation", "--seed", "1")
    assert (said.code, said.err) == (0, "")
    first, second = load_model(trained), load_model(tmp_path / "run")
    told = provenance(tmp_path / "run")["parent"]
    assert told["identity"] == first.identity != second.identity
    assert second.intensity == first.intensity  # not measured anew, though other slices train
    assert second.config == first.config


def test_a_parent_of_other_classes_is_refused_before_anything_is_written(
    train: Callable[..., Any], trained: Path, tmp_path: Path
) -> None:
    table = tmp_path / "classes.toml"
    blocks = [f'[[classes]]\nname = "{name}"\nvalue = {value}\n' for name, value in OTHERS]
    table.write_text("unlabelled = 7\n" + "".join(blocks), encoding="utf-8")
    said = train("--parent", trained, "--classes", table)
    assert said.code == 2
    assert "knows the classes" in said.err
    assert not (tmp_path / "run").exists()


def test_partly_labelled_slices_train(
    train: Callable[..., Any], tiny: SamplePaths, tmp_path: Path
) -> None:
    scribbles = tmp_path / "scribbles"
    scribbles.mkdir()
    for z in range(12):
        plane = np.full((48, 48), 9, np.uint8)
        if z in (2, 6, 9):
            plane[10:30, 10:30] = tifffile.imread(tiny.labels / f"label_{z:03d}.tif")[10:30, 10:30]
        tifffile.imwrite(scribbles / f"label_{z:03d}.tif", plane)
    said = train("--labels", scribbles, "--unlabelled", "9")
    assert said.code == 0
    split = provenance(tmp_path / "run")["split"]
    assert sorted(split["train"] + split["val"]) == [2, 6, 9]
    assert load_model(tmp_path / "run").classes.unlabelled == 9


def test_a_region_is_all_that_counts(
    train: Callable[..., Any], xseg: Xseg, tiny: SamplePaths, tmp_path: Path
) -> None:
    assert train("--roi", "circle", "--train-slices", "1,5").code == 0
    assert provenance(tmp_path / "run")["region"] == "circle"
    out = tmp_path / "mask.tif"
    box = ("--roi", "10:30,5:40")
    words = ("--model", tmp_path / "run", "--images", tiny.images, "--slices", "0:2")
    assert xseg("predict", *words, "--out", out, *box).code == 0
    mask = tifffile.imread(out)
    assert (mask[:, 5:40, 10:30] != 1).all()
    assert np.count_nonzero(mask != 1) == 2 * 20 * 35
    said = xseg("evaluate", "--masks", out, "--labels", tiny.labels, "--json", tmp_path / "e.json")
    assert "labelled pixels are not predicted" in said.out
    pooled = json.loads((tmp_path / "e.json").read_text())["pooled"]
    assert pooled["pixels"] == 2 * 20 * 35


def test_raw_images_need_their_description(
    train: Callable[..., Any], tiny: SamplePaths, tmp_path: Path
) -> None:
    planes = [tifffile.imread(path) for path in sorted(tiny.images.iterdir())]
    raw = tmp_path / "volume.raw"
    raw.write_bytes(np.stack(planes).astype(">u2").tobytes())
    said = train("--images", raw, "--raw", "12x48x48,uint16,big", "--train-slices", "1,4")
    assert (said.code, said.err) == (0, "")


def test_noise_and_a_seed_change_the_weights(train: Callable[..., Any], tmp_path: Path) -> None:
    identities = set()
    for words in ([], ["--noise-std", "5000"], ["--noise-std", "auto"], ["--seed", "1"]):
        assert train("--train-slices", "1,4", "--overwrite", *words).code == 0
        identities.add(load_model(tmp_path / "run").identity)
    assert len(identities) == 4


def test_labels_outside_the_training_slices_change_nothing(
    train: Callable[..., Any], tiny: SamplePaths, tmp_path: Path
) -> None:
    scrambled = tmp_path / "scrambled"
    scrambled.mkdir()
    generator = np.random.default_rng(0)
    for z, path in enumerate(sorted(tiny.labels.iterdir())):
        plane = tifffile.imread(path)
        plane = plane if z in (1, 4) else generator.permutation(plane.ravel()).reshape(plane.shape)
        tifffile.imwrite(scrambled / path.name, plane)
    assert train("--train-slices", "1,4", steps=8).code == 0
    first = load_model(tmp_path / "run").tensors
    assert train("--train-slices", "1,4", "--labels", scrambled, "--overwrite", steps=8).code == 0
    second = load_model(tmp_path / "run").tensors
    assert all(first[name].equal(second[name]) for name in first)


def test_a_time_limit_ends_a_training(
    xseg: Xseg, tiny: SamplePaths, recipe: Path, tmp_path: Path
) -> None:
    source = ("--images", tiny.images, "--labels", tiny.labels, "--out", tmp_path / "run")
    said = xseg("train", *source, "--recipe", recipe, "--train-slices", 1, "--time-limit", 0.4)
    assert said.code == 0
    told = provenance(tmp_path / "run")
    # How near it ends is a matter of the machine: tests of the loop have a clock of their own.
    config = load_recipe(tmp_path / "run" / "config.toml")
    assert (config.time_limit, config.steps) == (0.4, None)
    assert told["steps"] > 0


@pytest.mark.parametrize("name", ["mask.tif", "mask.zarr"])
def test_a_mask_holds_the_slices_asked_for(
    name: str, xseg: Xseg, trained: Path, tiny: SamplePaths, mask: Path, tmp_path: Path
) -> None:
    out = tmp_path / name
    words = ("--model", trained / "model.safetensors", "--images", tiny.images, "--out", out)
    said = xseg("predict", *words, "--slices", "2,5:8", "--precision", "float32")
    assert (said.code, said.err) == (0, "")
    assert "Phase fractions over 4 slices" in said.out
    facts = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
    assert facts["slices"] == [2, 5, 6, 7]
    assert facts["model"] == load_model(trained).identity
    whole = tifffile.imread(mask)
    found = tifffile.imread(out) if name.endswith("tif") else zarr.open_group(out, mode="r")["0"][:]
    assert np.array_equal(found, whole[[2, 5, 6, 7]])


def test_confidence_is_written_beside_the_mask(
    xseg: Xseg, trained: Path, tiny: SamplePaths, tmp_path: Path
) -> None:
    sure = tmp_path / "sure.tif"
    words = ("--model", trained, "--images", tiny.images, "--slices", "0:3")
    assert xseg("predict", *words, "--out", tmp_path / "m.tif", "--confidence", sure).code == 0
    values = tifffile.imread(sure)
    assert (values.shape, values.dtype) == ((3, 48, 48), np.uint8)
    assert values.min() >= 255 // 3


def test_other_grey_values_are_warned_of_and_matched(
    xseg: Xseg, trained: Path, tiny: SamplePaths, tmp_path: Path
) -> None:
    words = ("predict", "--model", trained, "--images", tiny.lis_like, "--overwrite")
    said = xseg(*words, "--out", tmp_path / "m.tif")
    assert said.code == 0
    assert "warning: lis_like" in said.out
    said = xseg(*words, "--out", tmp_path / "m.tif", "--match-intensity")
    assert said.code == 0
    assert "warning" not in said.out


def test_evaluation_has_the_promised_json(
    xseg: Xseg, mask: Path, tiny: SamplePaths, tmp_path: Path
) -> None:
    out = tmp_path / "figures.json"
    said = xseg("evaluate", "--masks", mask, "--labels", tiny.labels, "--json", out, "--border", 1)
    assert (said.code, said.err) == (0, "")
    found = json.loads(out.read_text(encoding="utf-8"))
    assert {"pooled", "slices", "outside_border"} <= found.keys()
    classes = found["pooled"]["classes"]
    assert {"name", "value", "dice", "iou", "precision", "recall"} <= classes[0].keys()
    assert [row["value"] for row in classes] == [0, 128, 255]
    assert [row["z"] for row in found["slices"]] == list(range(12))
    labels = open_labels(tiny.labels)
    predicted = open_labels(mask, classes=labels.classes, masks=True)
    counts = sum(metrics.confusion(labels.read(z), predicted.read(z), 3) for z in range(12))
    assert found["pooled"]["confusion"] == np.asarray(counts).tolist()
    assert found["pooled"]["dice_foreground"] == pytest.approx(metrics.dice_foreground(counts))
    assert found["outside_border"]["border"] == 1
    assert f"{100 * found['pooled']['dice_all']:.2f}" in said.out


def test_mistakes_are_mapped_listed_and_pictured(
    xseg: Xseg, mask: Path, tiny: SamplePaths, tmp_path: Path
) -> None:
    folder = tmp_path / "mistakes"
    words = ("--masks", mask, "--labels", tiny.labels, "--slices", "2:6", "--mistakes", folder)
    assert xseg("evaluate", *words).code == 0
    truth = np.stack([tifffile.imread(tiny.labels / f"label_{z:03d}.tif") for z in range(2, 6)])
    wrong = tifffile.imread(mask)[2:6] != truth
    index = np.searchsorted([0, 128, 255], truth)
    assert np.array_equal(tifffile.imread(folder / "mistakes.tif"), np.where(wrong, index + 1, 0))
    with (folder / "mistakes.csv").open(encoding="utf-8", newline="") as file:
        sizes = [int(row["pixels"]) for row in csv.DictReader(file)]
    assert sum(sizes) == np.count_nonzero(wrong)
    assert sizes == sorted(sizes, reverse=True)
    for name in ("best", "median", "worst"):
        assert (folder / f"figure6_{name}.png").stat().st_size > 1000


def test_the_run_of_a_pipeline_can_be_read_back(xseg: Xseg, trained: Path, mask: Path) -> None:
    said = xseg("info", trained)
    assert said.code == 0
    assert load_model(trained).identity in said.out
    said = xseg("info", mask)
    assert "a predicted mask" in said.out
    assert load_model(trained).identity in said.out

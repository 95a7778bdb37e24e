"""What bad input gets: one sentence that names the file and the mend, exit 2, nothing written."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_xseg.model.checkpoint import load_model

if TYPE_CHECKING:
    from napari_xseg.data.sample import SamplePaths

Refused = Callable[..., str]


def write_slices(folder: Path, planes: Any, name: str = "image") -> Path:
    folder.mkdir()
    for z, plane in enumerate(planes):
        tifffile.imwrite(folder / f"{name}_{z:03d}.tif", plane)
    return folder


def contents(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.fixture
def train(refused: Refused, tiny: SamplePaths, recipe: Path, tmp_path: Path) -> Refused:
    """Train with one thing wrong; nothing may be written. Gives the complaint."""

    def run(*words: object, slices: str | None = "1,4") -> str:
        source = ("--images", tiny.images, "--labels", tiny.labels, "--recipe", recipe)
        chosen = () if slices is None else ("--train-slices", slices)
        before = contents(tmp_path)
        line = refused("train", *source, *chosen, "--out", tmp_path / "run", *words)
        assert contents(tmp_path) == before
        return line

    return run


@pytest.fixture
def predict(refused: Refused, tiny: SamplePaths, trained: Path, tmp_path: Path) -> Refused:
    """Predict with one thing wrong; nothing may be written. Gives the complaint."""

    def run(*words: object) -> str:
        source = ("--model", trained, "--images", tiny.images, "--out", tmp_path / "mask.tif")
        before = contents(tmp_path)
        line = refused("predict", *source, *words)
        assert contents(tmp_path) == before
        return line

    return run


@pytest.fixture
def evaluate(refused: Refused, tiny: SamplePaths, mask: Path, tmp_path: Path) -> Refused:
    """Evaluate with one thing wrong; nothing may be written. Gives the complaint."""

    def run(*words: object) -> str:
        source = ("--masks", mask, "--labels", tiny.labels, "--json", tmp_path / "figures.json")
        before = contents(tmp_path)
        line = refused("evaluate", *source, *words)
        assert contents(tmp_path) == before
        return line

    return run


class TestSizes:
    def test_labels_of_another_size(self, train: Refused, tmp_path: Path) -> None:
        labels = write_slices(tmp_path / "labels", np.zeros((12, 40, 48), np.uint8), "label")
        line = train("--labels", labels)
        assert "40 x 48" in line
        assert "48 x 48" in line

    def test_masks_of_another_size(self, evaluate: Refused, tmp_path: Path) -> None:
        tifffile.imwrite(tmp_path / "small.tif", np.zeros((12, 40, 48), np.uint8))
        line = evaluate("--masks", tmp_path / "small.tif")
        assert "small" in line
        assert "40 x 48" in line

    def test_a_slice_of_another_size_within_a_folder(
        self, train: Refused, tiny: SamplePaths, tmp_path: Path
    ) -> None:
        images = tmp_path / "images"
        shutil.copytree(tiny.images, images)
        tifffile.imwrite(images / "image_004.tif", np.ones((48, 40), np.uint16))
        assert "image_004.tif" in train("--images", images)

    def test_fewer_masks_than_slices(self, evaluate: Refused, tmp_path: Path) -> None:
        few = np.zeros((3, 48, 48), np.uint8)
        tifffile.imwrite(tmp_path / "few.tif", few, photometric="minisblack")
        line = evaluate("--masks", tmp_path / "few.tif", "--slices", "2:8")
        assert "few" in line
        assert "--pairing" in line

    def test_a_region_of_another_size(self, train: Refused, tmp_path: Path) -> None:
        tifffile.imwrite(tmp_path / "roi.tif", np.ones((40, 40), np.uint8))
        assert "roi.tif" in train("--roi", tmp_path / "roi.tif")
        assert "0:90" in train("--roi", "0:90,0:20")


class TestLabels:
    def test_no_labelled_pixel(self, train: Refused, tmp_path: Path) -> None:
        labels = write_slices(tmp_path / "labels", np.zeros((12, 48, 48), np.uint8), "label")
        line = train("--labels", labels, "--unlabelled", "0")
        assert "labels" in line
        assert "label" in line.lower()

    def test_one_class_alone(self, train: Refused, tiny: SamplePaths, tmp_path: Path) -> None:
        planes = np.full((12, 48, 48), 9, np.uint8)
        planes[:, 5:20, 5:20] = 3
        labels = write_slices(tmp_path / "labels", planes, "label")
        line = train("--labels", labels, "--unlabelled", "9")
        assert "two or more classes" in line

    def test_a_value_outside_the_class_table(self, train: Refused, tmp_path: Path) -> None:
        table = tmp_path / "two.toml"
        table.write_text("[[classes]]\nvalue = 0\n[[classes]]\nvalue = 128\n", encoding="utf-8")
        line = train("--classes", table)
        assert "255" in line
        assert "label_001.tif" in line
        assert "--classes" in line

    def test_a_slice_of_one_value_among_others(
        self, train: Refused, tiny: SamplePaths, tmp_path: Path
    ) -> None:
        labels = tmp_path / "labels"
        shutil.copytree(tiny.labels, labels)
        tifffile.imwrite(labels / "label_006.tif", np.zeros((48, 48), np.uint8))
        line = train("--labels", labels, slices=None)
        assert "--unlabelled 0" in line
        assert "--unlabelled none" in line

    def test_images_in_place_of_labels(self, train: Refused, tiny: SamplePaths) -> None:
        line = train("--labels", tiny.images)
        assert "looks like an image" in line

    def test_labels_that_belong_to_no_image(self, train: Refused, tmp_path: Path) -> None:
        planes = np.zeros((3, 48, 48), np.uint8)
        labels = write_slices(tmp_path / "labels", planes, "other")
        for z in range(3):
            (labels / f"other_{z:03d}.tif").rename(labels / f"other_{z + 500}.tif")
        assert "--pairing" in train("--labels", labels, slices=None)

    def test_a_class_table_that_is_none(self, train: Refused, tmp_path: Path) -> None:
        table = tmp_path / "classes.toml"
        for text, complaint in (
            ("classes = [", "is not a TOML file"),
            ("[[classes]]\nvalu = 3\n", "valu"),
            ("[[classes]]\nvalue = 3\n[[classes]]\nvalue = 3\n", "3"),
        ):
            table.write_text(text, encoding="utf-8")
            line = train("--classes", table)
            assert "classes.toml" in line
            assert complaint in line
        assert "absent.toml" in train("--classes", tmp_path / "absent.toml")

    def test_an_unlabelled_value_that_is_none(self, train: Refused) -> None:
        assert "--unlabelled white" in train("--unlabelled", "white")

    def test_nothing_to_score(self, evaluate: Refused, tmp_path: Path) -> None:
        blank = write_slices(tmp_path / "blank", np.full((12, 48, 48), 7, np.uint8), "label")
        assert "blank" in evaluate("--labels", blank, "--unlabelled", "7")


class TestImages:
    def test_constant_images(self, train: Refused, tmp_path: Path) -> None:
        images = write_slices(tmp_path / "flat", np.full((12, 48, 48), 500, np.uint16))
        line = train("--images", images)
        assert "image_001.tif" in line
        assert "500" in line

    def test_a_slice_without_a_finite_pixel(self, train: Refused, tmp_path: Path) -> None:
        planes = np.random.default_rng(0).normal(size=(12, 48, 48)).astype(np.float32)
        planes[4] = np.nan
        line = train("--images", write_slices(tmp_path / "nan", planes))
        assert "image_004.tif" in line
        assert "finite" in line

    def test_real_colour(self, train: Refused, tmp_path: Path) -> None:
        planes = np.random.default_rng(0).integers(0, 255, (12, 48, 48, 3), np.uint8)
        line = train("--images", write_slices(tmp_path / "colour", planes))
        assert "image_0" in line
        assert "colour" in line

    def test_a_truncated_file(self, train: Refused, tiny: SamplePaths, tmp_path: Path) -> None:
        images = tmp_path / "images"
        shutil.copytree(tiny.images, images)
        broken = images / "image_004.tif"
        broken.write_bytes(broken.read_bytes()[:1500])
        assert "image_004.tif" in train("--images", images)

    def test_a_renamed_file(self, train: Refused, predict: Refused, tmp_path: Path) -> None:
        renamed = tmp_path / "notes.tif"
        renamed.write_text("no image at all, but a text of some length", encoding="utf-8")
        assert "notes.tif" in train("--images", renamed)
        assert "notes.tif" in predict("--images", renamed)

    def test_nothing_there(self, train: Refused, predict: Refused, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert "empty" in train("--images", tmp_path / "empty")
        assert "absent" in predict("--images", tmp_path / "absent")
        assert "absent" in train("--labels", tmp_path / "absent")

    def test_a_wrong_raw_description(self, predict: Refused, tmp_path: Path) -> None:
        raw = tmp_path / "volume.raw"
        raw.write_bytes(bytes(1000))
        assert "raw description 'many'" in predict("--images", raw, "--raw", "many")
        assert "volume.raw" in predict("--images", raw, "--raw", "12x48x48,uint16,little")

    def test_a_truncated_file_in_a_prediction(
        self, predict: Refused, tiny: SamplePaths, tmp_path: Path
    ) -> None:
        images = tmp_path / "images"
        shutil.copytree(tiny.images, images)
        broken = images / "image_007.tif"
        broken.write_bytes(broken.read_bytes()[:1500])
        assert "image_007.tif" in predict("--images", images)


class TestSlices:
    @pytest.mark.parametrize("text", ["12", "3:13", "-1", "a", "", "5:2", "1,1", "1.5", "::0"])
    def test_slices_that_are_not_there(
        self, text: str, train: Refused, predict: Refused, evaluate: Refused
    ) -> None:
        assert "--slices" in predict("--slices", text)
        assert "--slices" in evaluate("--slices", text)
        assert "--train-slices" in train(slices=text)
        assert "--val-slices" in train("--val-slices", text)

    def test_training_and_validation_overlap(self, train: Refused) -> None:
        line = train("--val-slices", "4:6")
        assert "share slice 4" in line

    def test_a_slice_without_labels(
        self, train: Refused, tiny: SamplePaths, tmp_path: Path
    ) -> None:
        labels = tmp_path / "labels"
        labels.mkdir()
        shutil.copy(tiny.labels / "label_001.tif", labels)
        assert "slice 4 has no labels" in train("--labels", labels)

    def test_options_that_contradict_each_other(self, train: Refused) -> None:
        assert "--no-validation" in train("--no-validation", "--val-slices", "5")
        assert "--split random" in train("--split", "random")
        assert "--time-limit" in train("--steps", 3, "--time-limit", 3)


class TestOutput:
    def test_a_run_that_is_there(
        self, refused: Refused, tiny: SamplePaths, trained: Path, recipe: Path
    ) -> None:
        before = load_model(trained).identity
        source = ("--images", tiny.images, "--labels", tiny.labels, "--recipe", recipe)
        line = refused("train", *source, "--train-slices", "2", "--out", trained)
        assert "--overwrite" in line
        assert load_model(trained).identity == before

    def test_a_folder_with_other_files(self, train: Refused, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "letter.txt").write_text("mine", encoding="utf-8")
        assert "letter.txt" in train()
        assert "letter.txt" in train("--overwrite")

    def test_a_mask_that_is_there(self, predict: Refused, tmp_path: Path) -> None:
        (tmp_path / "mask.tif").write_text("mine", encoding="utf-8")
        assert "--overwrite" in predict()
        line = predict("--out", tmp_path / "new.tif", "--confidence", tmp_path / "mask.tif")
        assert "--overwrite" in line
        assert (tmp_path / "mask.tif").read_text(encoding="utf-8") == "mine"

    def test_the_same_file_twice(self, predict: Refused, tmp_path: Path) -> None:
        assert "mask.tif" in predict("--confidence", tmp_path / "mask.tif")

    def test_figures_that_are_there(self, evaluate: Refused, tmp_path: Path) -> None:
        (tmp_path / "figures.json").write_text("mine", encoding="utf-8")
        assert "--overwrite" in evaluate()
        (tmp_path / "review").mkdir()
        (tmp_path / "review" / "mistakes.csv").write_text("mine", encoding="utf-8")
        line = evaluate("--json", tmp_path / "n.json", "--mistakes", tmp_path / "review")
        assert "mistakes.csv" in line

    def test_a_sample_that_is_there(self, refused: Refused, tmp_path: Path) -> None:
        (tmp_path / "images").mkdir()
        assert "--overwrite" in refused("sample", tmp_path)

    def test_a_demo_folder_that_is_not_ours(self, refused: Refused, tmp_path: Path) -> None:
        assert "is there already" in refused("demo", tmp_path, "--overwrite")

    @pytest.mark.parametrize("name", ["mask.png", "mask"])
    def test_a_mask_of_an_unknown_kind(self, name: str, predict: Refused, tmp_path: Path) -> None:
        assert ".tif" in predict("--out", tmp_path / name)

    def test_a_folder_that_cannot_be_made(
        self, train: Refused, predict: Refused, evaluate: Refused, tmp_path: Path
    ) -> None:
        file = tmp_path / "file"
        file.write_text("mine", encoding="utf-8")
        assert "file" in train("--out", file / "run")
        assert "file" in predict("--out", file / "mask.tif")
        assert "file" in evaluate("--json", file / "figures.json")
        assert "file" in evaluate("--mistakes", file / "review")

    @pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
    )
    def test_a_folder_that_takes_no_files(
        self, train: Refused, predict: Refused, tmp_path: Path
    ) -> None:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        assert "locked" in train("--out", locked / "run")
        assert "locked" in predict("--out", locked / "mask.tif")

    def test_a_folder_that_refuses(
        self, train: Refused, predict: Refused, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def denied(path: Path, *_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

        monkeypatch.setattr(Path, "touch", denied)
        assert "mask.tif" in predict()
        monkeypatch.setattr(Path, "mkdir", denied)
        assert "run" in train()

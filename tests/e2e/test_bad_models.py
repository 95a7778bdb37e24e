"""Models that are none, or do not fit; disks that fill up; recipes that are wrong."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import torch

from napari_xseg.config import ModelConfig
from napari_xseg.model.checkpoint import KEY, load_model, save_model
from napari_xseg.model.unet import UNet

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.data.sample import SamplePaths

Refused = Callable[..., str]


class Trap:
    """A pickle that makes a file where it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def contents(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def describe_anew(source: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Copy a model with something else in what it says of itself."""
    data = source.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    described = json.loads(header["__metadata__"][KEY])
    change(described)
    header["__metadata__"][KEY] = json.dumps(described)
    text = json.dumps(header).encode()
    target.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    return target


@pytest.fixture
def predict(refused: Refused, tiny: SamplePaths, tmp_path: Path) -> Refused:
    """Predict with a model that is none; nothing may be written. Gives the complaint."""

    def run(model: Path, *words: object) -> str:
        before = contents(tmp_path)
        source = ("--model", model, "--images", tiny.images, "--out", tmp_path / "mask.tif")
        line = refused("predict", *source, *words)
        assert contents(tmp_path) == before
        return line

    return run


class TestModels:
    def test_nothing_there(self, predict: Refused, tmp_path: Path) -> None:
        assert "absent" in predict(tmp_path / "absent")
        (tmp_path / "empty").mkdir()
        assert "model.safetensors" in predict(tmp_path / "empty")

    @pytest.mark.parametrize("content", [b"", b"a", b"no model" * 100, bytes(1000)])
    def test_another_kind_of_file(self, content: bytes, predict: Refused, tmp_path: Path) -> None:
        model = tmp_path / "other.safetensors"
        model.write_bytes(content)
        line = predict(model)
        assert "other.safetensors" in line
        assert "not a model" in line

    def test_a_model_of_another_program(self, predict: Refused, tmp_path: Path) -> None:
        from safetensors.torch import save_file

        save_file({"weight": torch.zeros(3)}, tmp_path / "foreign.safetensors")
        assert "foreign.safetensors" in predict(tmp_path / "foreign.safetensors")

    @pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
    def test_truncated(self, share: float, predict: Refused, trained: Path, tmp_path: Path) -> None:
        data = (trained / "model.safetensors").read_bytes()
        model = tmp_path / "short.safetensors"
        model.write_bytes(data[: int(share * len(data))])
        assert "short.safetensors" in predict(model)

    def test_another_version(self, predict: Refused, trained: Path, tmp_path: Path) -> None:
        model = describe_anew(
            trained / "model.safetensors",
            tmp_path / "future.safetensors",
            lambda described: described.update(version=99),
        )
        line = predict(model)
        assert "future.safetensors" in line
        assert "99" in line

    @pytest.mark.parametrize("name", ["model.safetensors", "model.pt", "model.pkl"])
    def test_a_pickle_is_never_opened(self, name: str, predict: Refused, tmp_path: Path) -> None:
        sprung = tmp_path / "sprung"
        (tmp_path / name).write_bytes(pickle.dumps(Trap(sprung)))
        assert name in predict(tmp_path / name)
        torch.save(Trap(sprung), tmp_path / name)
        assert name in predict(tmp_path / name)
        assert not sprung.exists()

    def test_channels_that_do_not_fit(
        self, predict: Refused, trained: Path, tmp_path: Path
    ) -> None:
        known = load_model(trained)
        config = ModelConfig(width=4, depth=2, channels=2)
        model = tmp_path / "two.safetensors"
        save_model(model, UNet(config).state_dict(), config, known.classes, known.intensity)
        line = predict(model)
        assert "two.safetensors" in line
        assert "2" in line

    def test_class_counts_that_do_not_fit(
        self, predict: Refused, trained: Path, tmp_path: Path
    ) -> None:
        model = describe_anew(
            trained / "model.safetensors",
            tmp_path / "classes.safetensors",
            lambda described: described["classes"]["classes"].pop(),
        )
        line = predict(model)
        assert "classes.safetensors" in line
        assert "2 classes" in line

    def test_tensors_that_do_not_fit(self, predict: Refused, trained: Path, tmp_path: Path) -> None:
        model = describe_anew(
            trained / "model.safetensors",
            tmp_path / "wide.safetensors",
            lambda described: described["model"].update(width=5),
        )
        assert "wide.safetensors" in predict(model)

    def test_masks_of_other_classes(
        self, refused: Refused, tiny: SamplePaths, mask: Path, tmp_path: Path
    ) -> None:
        foreign = tmp_path / "foreign.tif"
        tifffile.imwrite(foreign, np.where(tifffile.imread(mask) == 0, 77, 128).astype(np.uint8))
        assert "77" in refused("evaluate", "--masks", foreign, "--labels", tiny.labels)

    def test_a_device_that_is_not_here(self, predict: Refused, trained: Path) -> None:
        assert "--device abacus" in predict(trained, "--device", "abacus")
        assert "--device cuda:77" in predict(trained, "--device", "cuda:77")


@pytest.fixture
def train(refused: Refused, tiny: SamplePaths, tmp_path: Path) -> Refused:
    """Train with something wrong. Gives the complaint."""

    def run(*words: object) -> str:
        source = ("--images", tiny.images, "--labels", tiny.labels, "--train-slices", "1,4")
        return refused("train", *source, "--out", tmp_path / "run", *words)

    return run


class TestRecipes:
    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("crop = 'wide'", "crop"),
            ("speed = 3", "speed"),
            ("steps = [", "TOML"),
            ("steps = 3\nepochs = 3", "epochs and steps"),
            ("[model]\nwidth = 0", "width"),
            ("batch = 2", "--steps or --time-limit"),
        ],
    )
    def test_a_wrong_recipe(
        self, text: str, complaint: str, train: Refused, tmp_path: Path
    ) -> None:
        recipe = tmp_path / "own.toml"
        recipe.write_text(text, encoding="utf-8")
        line = train("--recipe", recipe)
        assert complaint in line
        assert not (tmp_path / "run").exists()

    def test_an_unknown_recipe(self, train: Refused) -> None:
        assert "quick or poster" in train("--recipe", "slow")

    @pytest.mark.parametrize("noise", ["loud", "0", "-5", "9:3", "1e9"])
    def test_noise_that_is_none_or_too_much(
        self, noise: str, train: Refused, recipe: Path, tmp_path: Path
    ) -> None:
        train("--recipe", recipe, "--noise-std", noise)
        assert not (tmp_path / "run").exists()


class TestResuming:
    @pytest.fixture
    def copied(self, trained: Path, tmp_path: Path) -> Path:
        shutil.copytree(trained, tmp_path / "run")
        return tmp_path / "run"

    def test_other_settings(self, train: Refused, copied: Path, recipe: Path) -> None:
        identity = load_model(copied).identity
        words = ("--recipe", recipe, "--resume")
        assert "recipe" in train(*words, "--steps", "50")
        assert "seed" in train(*words, "--seed", "3")
        assert "split" in train(*words, "--no-validation")
        assert load_model(copied).identity == identity

    def test_a_state_with_code_in_it(
        self, train: Refused, copied: Path, recipe: Path, tmp_path: Path
    ) -> None:
        torch.save({"version": 1, "learner": Trap(tmp_path / "sprung")}, copied / "resume.pt")
        assert "resume.pt" in train("--recipe", recipe, "--resume")
        assert not (tmp_path / "sprung").exists()

    @pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
    def test_a_truncated_state(
        self, share: float, train: Refused, copied: Path, recipe: Path
    ) -> None:
        data = (copied / "resume.pt").read_bytes()
        (copied / "resume.pt").write_bytes(data[: int(share * len(data))])
        assert "resume.pt" in train("--recipe", recipe, "--resume")


class TestFullDisk:
    @pytest.fixture
    def small_disk(self) -> Iterator[None]:
        """No file may grow over 6 kB, which the system says much as it says a full disk."""
        resource = pytest.importorskip("resource")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6144, before[1]))
        yield
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    @pytest.mark.parametrize("name", ["mask.tif", "mask.zarr"])
    def test_in_a_mask(
        self,
        name: str,
        refused: Refused,
        trained: Path,
        tiny: SamplePaths,
        tmp_path: Path,
        small_disk: None,
    ) -> None:
        words = ("--model", trained, "--images", tiny.images, "--out", tmp_path / name)
        if name.endswith("zarr"):  # its files are small ones: the confidence is not
            words = (*words, "--confidence", tmp_path / "sure.tif")
        line = refused("predict", *words)
        assert "the disk is full" in line
        assert contents(tmp_path) == set()

    def test_in_a_training(
        self, train: Refused, recipe: Path, tmp_path: Path, small_disk: None
    ) -> None:
        assert "the disk is full" in train("--recipe", recipe)
        assert {path.name for path in contents(tmp_path / "run")} <= {
            "config.toml",
            "provenance.json",
        }

    def test_in_a_review(
        self, refused: Refused, mask: Path, tiny: SamplePaths, tmp_path: Path, small_disk: None
    ) -> None:
        words = ("--masks", mask, "--labels", tiny.labels, "--json", tmp_path / "figures.json")
        assert "the disk is full" in refused("evaluate", *words)
        assert contents(tmp_path) == set()

    def test_in_a_sample(self, refused: Refused, tmp_path: Path, small_disk: None) -> None:
        assert "the sample cannot be written" in refused("sample", tmp_path / "data")
        assert contents(tmp_path) == set()

"""What a chooser shows of a model, without torch and without its tensors."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch

from napari_xseg.config import ModelConfig
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.intensity import Intensity
from napari_xseg.errors import XsegError
from napari_xseg.model import geometry
from napari_xseg.model.checkpoint import save_model
from napari_xseg.model.metadata import MODEL_FILE, read_metadata, read_model_info
from napari_xseg.model.unet import UNet

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = ModelConfig(width=3, depth=2, context=1)
CLASSES = ClassTable.from_values([0, 128, 255])
INTENSITY = Intensity(30_000.1, 7000.7, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), "uint16", 99)
NAN = float("nan")


def saved(path: Path, **metadata: Any) -> Path:
    torch.manual_seed(0)
    save_model(path, UNet(CONFIG).state_dict(), CONFIG, CLASSES, INTENSITY, **metadata)
    return path


def test_a_model_is_described(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "first-run" / MODEL_FILE,
        figures={"dice_all": 0.5, "dice_foreground": 0.75, "dice": [0.25, NAN, 1.0]},
        split="1 trains; 2 validates.",
        rough=True,
        training={"recipe": "quick", "steps": 12, "seconds": 3.5},
    )
    info = read_model_info(path.parent)
    assert info == read_model_info(path)
    assert (info.path, info.name, info.context) == (path, "first-run", 1)
    assert (info.config, info.classes, info.intensity) == (CONFIG, CLASSES, INTENSITY)
    assert info.radius == geometry.radius(CONFIG)
    assert info.figures == {
        "dice_all": 0.5,
        "dice_foreground": 0.75,
        "dice.class 0": 0.25,
        "dice.class 2": 1.0,
    }
    assert (info.split, info.rough, info.recipe) == ("1 trains; 2 validates.", True, "quick")
    assert (info.steps, info.seconds, info.parent) == (12, 3.5, None)
    assert info.identity == read_metadata(path)["identity"]
    assert info.parameters == sum(value.numel() for value in UNet(CONFIG).parameters())


def test_a_model_may_say_little(tmp_path: Path) -> None:
    info = read_model_info(saved(tmp_path / "mine.safetensors", training=3, figures=[], split=1))
    assert info.name == "mine"
    assert (info.figures, info.split, info.rough, info.recipe) == ({}, "", False, "")
    assert (info.steps, info.seconds, info.parent) == (None, None, None)


def test_the_parent_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.safetensors", parent="abc")
    assert read_model_info(path).parent == "abc"


def test_the_tensors_are_not_read(tmp_path: Path) -> None:
    path = saved(tmp_path / MODEL_FILE)
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    path.write_bytes(whole[:start] + b"\xff" * (len(whole) - start))
    assert read_model_info(path).classes == CLASSES


def test_a_file_that_was_cut_short_is_told_by_its_length(tmp_path: Path) -> None:
    path = saved(tmp_path / MODEL_FILE)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(XsegError, match="is cut short"):
        read_model_info(path)


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"\x02" + bytes(7) + b"[]", b"x" * 100])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(XsegError, match="is not a model"):
        read_model_info(tmp_path / "m.safetensors")
    with pytest.raises(XsegError, match="holds no"):
        read_model_info(tmp_path)
    with pytest.raises(XsegError, match="is not there"):
        read_model_info(tmp_path / "other")


def test_describing_needs_no_torch() -> None:
    code = (
        "import sys, napari_xseg.model.metadata, napari_xseg.prediction.sidecar, "
        "napari_xseg.prediction.copying; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""The real scan without labels: float32, other grey values, rings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from napari_xseg.config import ModelConfig
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.intensity import measure_intensity
from napari_xseg.data.volume import open_volume
from napari_xseg.events import Message
from napari_xseg.model.checkpoint import save_model
from napari_xseg.model.unet import UNet
from napari_xseg.review.suspects.job import SuspectsJob, Targets
from napari_xseg.review.suspects.run import find_suspects

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.model.checkpoint import SavedModel

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def model(soc_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> SavedModel:
    """A model of the labelled scan's grey values that nobody trained."""
    from napari_xseg.model.checkpoint import load_model

    config = ModelConfig(width=2, depth=2, context=2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = UNet(config)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    intensity = measure_intensity(open_volume(soc_dir / "data"), [13])
    table = ClassTable.from_values([0, 128, 255])
    save_model(path, network.state_dict(), config, table, intensity)
    return load_model(path)


@pytest.mark.parametrize("match", [True, False])
def test_the_whole_path_runs_and_says_what_is_odd(
    lis_dir: Path, model: SavedModel, tmp_path: Path, finish: Any, match: bool
) -> None:
    images = open_volume(lis_dir)
    slices = tuple(range(3))
    targets = Targets(tmp_path / "s.json", tmp_path / "s.csv", tmp_path / "s.html", top=3)
    job = SuspectsJob(
        images, slices, targets, model, match_intensity=match, flips=2, keep=50, device="cpu"
    )
    suspects, events = finish(find_suspects(job))
    messages = [event for event in events if isinstance(event, Message)]
    assert any(event.level == ("info" if match else "warning") for event in messages)
    assert 0 < len(suspects) <= 50
    assert set(suspects.rows["z"]) <= set(slices)
    assert targets.sheet is not None
    assert targets.sheet.read_text(encoding="utf-8").count("<figure>") == 3

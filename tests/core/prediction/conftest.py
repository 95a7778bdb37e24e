"""Models that nobody trained: what matters is that all ways of computing them agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from napari_xseg.config import ModelConfig
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.intensity import measure_intensity
from napari_xseg.data.phantom import phantom
from napari_xseg.data.volume import volume_from_array
from napari_xseg.model.checkpoint import SavedModel, load_model, save_model
from napari_xseg.model.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def wild_network(config: ModelConfig, seed: int = 0) -> UNet:
    """A network whose logits differ from place to place, its batch norms away from their start."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = UNet(config).eval()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.normal_(module.running_mean, 0, 0.5)  # type: ignore[arg-type]
                torch.nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
                torch.nn.init.uniform_(module.weight, 0.5, 2)
                torch.nn.init.normal_(module.bias, 0, 0.5)
        torch.nn.init.normal_(network.head.bias)
    return network


@pytest.fixture(scope="session")
def make_network() -> Callable[..., UNet]:
    return wild_network


@pytest.fixture(scope="session")
def scan() -> tuple[np.ndarray, np.ndarray]:
    """Images and label values (9, 40, 36) of a phantom."""
    return phantom((9, 40, 36), seed=2)


@pytest.fixture(scope="session")
def make_model(
    scan: tuple[np.ndarray, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., SavedModel]:
    """Save and load a model of the phantom."""

    def make(classes: ClassTable | None = None, **shape: Any) -> SavedModel:
        config = ModelConfig(**{"width": 3, "depth": 2, "context": 1, "patch": 2, **shape})
        path = tmp_path_factory.mktemp("model") / "model.safetensors"
        table = classes or ClassTable.from_values([0, 128, 255])
        intensity = measure_intensity(volume_from_array(scan[0]), range(9))
        save_model(path, wild_network(config).state_dict(), config, table, intensity)
        return load_model(path)

    return make


@pytest.fixture(scope="session")
def model(make_model: Callable[..., SavedModel]) -> SavedModel:
    return make_model()

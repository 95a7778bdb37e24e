from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_xseg.config import ModelConfig
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.intensity import measure_intensity
from napari_xseg.data.labels import LabelVolume
from napari_xseg.data.mirror import mirror_indices
from napari_xseg.data.region import Box
from napari_xseg.data.sampling import LabelledSlices
from napari_xseg.data.volume import volume_from_array
from napari_xseg.metrics import confusion
from napari_xseg.model import geometry
from napari_xseg.model.unet import UNet
from napari_xseg.prediction.predictor import blocks_of
from napari_xseg.training.validation import Validator

CPU = torch.device("cpu")


def network(**shape: Any) -> UNet:
    torch.manual_seed(0)
    made = UNet(ModelConfig(width=3, depth=2, context=1, **shape))
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()  # type: ignore[union-attr, operator]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr, operator]
    return made


def slices(
    scan: tuple[np.ndarray, np.ndarray], config: ModelConfig, region: Any = None
) -> LabelledSlices:
    images = volume_from_array(scan[0])
    classes = ClassTable.from_values([0, 128, 255], unlabelled=7)
    return LabelledSlices(
        images,
        LabelVolume(volume_from_array(scan[1], meaning="labels"), classes),
        {z: z for z in range(10)},
        region,
        measure_intensity(images, [1, 5]),
        config.context,
        1 << 24,
        lambda plane: blocks_of(plane, config),
    )


def by_hand(made: UNet, scan: tuple[np.ndarray, np.ndarray], z: int) -> np.ndarray:
    """The mask as one reads it in a book: mirror, network, largest logit."""
    intensity = measure_intensity(volume_from_array(scan[0]), [1, 5])
    near = [min(max(z + offset, 0), 9) for offset in (-1, 0, 1)]
    x = torch.from_numpy(np.stack([intensity.normalise(scan[0][index]) for index in near])[None])
    trim = geometry.margin(made.config)
    for axis, length in ((2, x.shape[2]), (3, x.shape[3])):
        stop = geometry.output_size(made.config, length) + trim
        x = x.index_select(axis, torch.from_numpy(mirror_indices(-trim, stop, length)))
    with torch.no_grad():
        logits = made.eval()(x)[0, :, : scan[0].shape[1], : scan[0].shape[2]]
    return logits.argmax(0).numpy().astype(np.uint8)


@pytest.mark.parametrize("shape", [{}, {"patch": 2}, {"padding": "valid"}])
def test_counts_are_those_of_the_masks(
    scan: tuple[np.ndarray, np.ndarray], shape: dict[str, Any]
) -> None:
    made = network(**shape)
    labels = scan[1].copy()
    labels[:, 5:9] = 7
    validator = Validator(slices((scan[0], labels), made.config), (0, 3, 6), CPU, "float32")
    index = np.select([labels == 0, labels == 128, labels == 255], [0, 1, 2], 255).astype(np.uint8)
    parts = [confusion(index[z], by_hand(made, scan, z), 3) for z in (0, 3, 6)]
    found = validator.counts(made, all_slices=True)
    assert found.sum() == 3 * 36 * 36
    # a pixel or two of equal logits may fall the other way by the folding
    assert np.abs(found - sum(parts)).sum() <= 4
    assert len(list(validator.parts(made, all_slices=True))) == 3


def test_the_network_is_left_as_it_was(scan: tuple[np.ndarray, np.ndarray]) -> None:
    made = network().train()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    Validator(slices(scan, made.config), (3,), CPU, "float32").counts(made, all_slices=True)
    assert made.training
    for name, value in made.state_dict().items():
        assert torch.equal(value, before[name])


def test_only_the_region_validates(scan: tuple[np.ndarray, np.ndarray]) -> None:
    made = network()
    data = slices(scan, made.config, Box(4, 20, 10, 30))
    validator = Validator(data, (3, 6), CPU, "float32")
    assert validator.counts(made, all_slices=True).sum() == 2 * 16 * 20


def test_a_glance_takes_slices_evenly(
    scan: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_xseg.training.validation.GLANCE", 3 * 40 * 36)
    made = network()
    data = slices(scan, made.config)
    validator = Validator(data, tuple(range(9)), CPU, "float32")
    assert validator.some == (1, 4, 7)
    assert validator.counts(made, all_slices=False).sum() == 3 * 40 * 36
    assert validator.counts(made, all_slices=True).sum() == 9 * 40 * 36
    assert Validator(data, (2, 5, 8), CPU, "float32").some == (2, 5, 8)
    assert Validator(data, (2, 5), CPU, "float32").some == (2, 5)
    assert Validator(data, (), CPU, "float32").some == ()

"""How sure a model is: the same numbers as from its logits, turned slices included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_xseg.data.region import parse_region
from napari_xseg.data.volume import volume_from_array
from napari_xseg.events import Control
from napari_xseg.prediction.predictor import Predictor, Stopped, blocks_of, stack_blocks
from napari_xseg.prediction.slices import SlicePredictor, open_reader
from napari_xseg.prediction.uncertainty import (
    FLIPS,
    UncertaintyPredictor,
    entropy,
    margin_doubt,
    plane_reader,
    turn,
    turn_back,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.model.checkpoint import SavedModel

CPU = torch.device("cpu")


@pytest.fixture
def looking(model: SavedModel) -> Callable[..., UncertaintyPredictor]:
    def make(array: np.ndarray, region: str = "", workspace: int | None = None) -> Any:
        images = volume_from_array(array)
        predictor = Predictor(model.network(), CPU, "float32", workspace)
        reader = plane_reader(images, model.intensity, model.config.context)
        return UncertaintyPredictor(predictor, reader, parse_region(region) if region else None)

    return make


def predicted(model: SavedModel, array: np.ndarray, z: int) -> np.ndarray:
    predictor = Predictor(model.network(), CPU, "float32")
    reader = open_reader(model, volume_from_array(array), model.intensity, 1 << 20)
    return SlicePredictor(predictor, reader).predict(z)[0]


@pytest.mark.parametrize("flip", FLIPS)
def test_turning_back_undoes_turning(flip: tuple[int, bool]) -> None:
    plane = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert np.array_equal(turn_back(turn(plane, flip), flip), plane)


def test_the_eight_ways_of_turning_all_differ() -> None:
    plane = np.arange(9, dtype=np.float32).reshape(3, 3)
    assert len({turn(plane, flip).tobytes() for flip in FLIPS}) == 8


def test_the_mask_is_that_of_a_prediction(
    model: SavedModel, scan: tuple[np.ndarray, np.ndarray], looking: Any
) -> None:
    found = looking(scan[0]).look(4)
    assert np.array_equal(found.mask, predicted(model, scan[0], 4))
    assert found.disagreement is None


@pytest.mark.parametrize("room", [None, 1 << 17])
def test_doubt_is_the_margin_of_the_probabilities(
    model: SavedModel, scan: tuple[np.ndarray, np.ndarray], looking: Any, room: int | None
) -> None:
    ready = looking(scan[0], workspace=room)
    blocks = [[blocks_of(plane, model.config) for plane in ready.reader.read(4)]]
    logits = ready.predictor.logits(stack_blocks(blocks), (40, 36))
    ordered = logits[0].double().softmax(0).sort(0).values.numpy()
    assert np.allclose(ready.look(4).doubt, (1 - ordered[-1] + ordered[-2]) / 2, atol=1e-5)


def test_doubt_of_a_given_mask_is_high_where_the_model_is_sure_of_another_class() -> None:
    logits = torch.tensor([[9.0, 0.0, 0.0], [0.0, 0.0, 0.0]])[:, :, None, None]
    sure, tie = margin_doubt(logits, torch.zeros((2, 1, 1), dtype=torch.uint8)).ravel().tolist()
    assert sure < 0.001
    assert tie == pytest.approx(0.5)
    other = margin_doubt(logits[:1], torch.full((1, 1, 1), 2, dtype=torch.uint8))
    assert other.item() > 0.99


def test_entropy_goes_from_0_to_1() -> None:
    logits = torch.tensor([[50.0, 0.0, 0.0], [1.0, 1.0, 1.0]])[:, :, None, None]
    assert entropy(logits).ravel().tolist() == pytest.approx([0, 1], abs=1e-5)


def test_disagreement_is_that_of_predictions_of_turned_volumes(
    model: SavedModel, scan: tuple[np.ndarray, np.ndarray], looking: Any
) -> None:
    own = predicted(model, scan[0], 4)
    expected = np.zeros(own.shape)
    for flip in FLIPS[1:]:
        volume = np.stack([turn(plane, flip) for plane in scan[0]])
        expected += turn_back(predicted(model, volume, 4), flip) != own
    found = looking(scan[0]).look(4, flips=FLIPS).disagreement
    assert found.shape == (40, 36)
    assert found.max() > 0
    assert np.allclose(found, expected / 7)


def test_nothing_is_doubted_where_nothing_is_predicted(
    scan: tuple[np.ndarray, np.ndarray], looking: Any
) -> None:
    images = scan[0].astype(np.float32)
    images[4, :5] = np.nan
    found = looking(images, "5:30,0:40").look(4, flips=FLIPS[:3])
    outside = np.ones((40, 36), bool)
    outside[5:, 5:30] = False
    assert np.array_equal(found.mask == 255, outside)
    for unsure in (found.doubt, found.disagreement):
        assert not unsure[outside].any()
        assert unsure[~outside].any()


def test_a_stop_is_answered_between_two_tiles(
    scan: tuple[np.ndarray, np.ndarray], looking: Any
) -> None:
    control = Control()
    control.stop()
    with pytest.raises(Stopped):
        looking(scan[0]).look(4, flips=FLIPS, control=control)


def test_memory_holds_the_planes_of_one_slice(
    model: SavedModel, scan: tuple[np.ndarray, np.ndarray], looking: Any
) -> None:
    ready = looking(scan[0])
    for z in range(9):
        ready.look(z)
    assert ready.reader.plane._bytes <= (2 * model.config.context + 2) * 4 * 40 * 36

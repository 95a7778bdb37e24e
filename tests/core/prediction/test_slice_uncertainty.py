from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_xseg.data.region import parse_region
from napari_xseg.data.volume import volume_from_array
from napari_xseg.events import Control
from napari_xseg.model.device import find_device
from napari_xseg.prediction.predictor import Predictor
from napari_xseg.prediction.slice_uncertainty import slice_uncertainties
from napari_xseg.prediction.slices import SlicePredictor, open_reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.model.checkpoint import SavedModel


@pytest.fixture
def ready(
    make_model: Callable[..., SavedModel], scan: tuple[np.ndarray, np.ndarray]
) -> SlicePredictor:
    model = make_model()
    images = scan[0].astype(np.float32)
    images[4] = np.nan
    images[5, :20] = np.nan
    reader = open_reader(model, volume_from_array(images, "v"), model.intensity, 1 << 24)
    return SlicePredictor(
        Predictor(model.network(), find_device("cpu"), "float32"), reader, parse_region("")
    )


def test_it_is_the_mean_doubt_of_what_is_predicted(ready: SlicePredictor) -> None:
    found = dict(slice_uncertainties(ready, [2, 5]))
    for z in (2, 5):
        mask, sure = ready.predict(z, confidence=True)
        assert sure is not None
        known = sure[mask != 255]
        assert known.size == (mask.size if z == 2 else mask.size - 20 * mask.shape[1])
        assert found[z] == pytest.approx(1 - known.mean() / 255)
        assert 0 < found[z] < 1


def test_where_nothing_is_predicted_there_is_no_figure(ready: SlicePredictor) -> None:
    ((z, value),) = slice_uncertainties(ready, [4])
    assert z == 4
    assert math.isnan(value)


def test_a_stop_ends_it_between_slices_and_within_one(ready: SlicePredictor) -> None:
    control = Control()
    control.stop()
    assert list(slice_uncertainties(ready, [1, 2], control)) == []
    control = Control()
    found = []
    for z, _ in slice_uncertainties(ready, [1, 2, 3], control):
        found.append(z)
        control.stop()
    assert found == [1]

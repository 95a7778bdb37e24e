"""Two thresholds on the real scan, scored from files: the figures that are known of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_xseg.data.labels import open_labels
from napari_xseg.data.region import parse_region
from napari_xseg.data.volume import open_volume
from napari_xseg.data.writing import create_writer
from napari_xseg.review.run import Targets, review_volumes

pytestmark = pytest.mark.realdata

SLICES = (60, 61, 130)
THRESHOLDS = (22676 + 35048) / 2, (35048 + 40885) / 2


@pytest.fixture(scope="module")
def volumes(soc_dir, tmp_path_factory):
    images = open_volume(soc_dir / "data")
    labels = open_labels(soc_dir / "labels", unlabelled="none", slices=SLICES)
    path = tmp_path_factory.mktemp("masks") / "mask.tif"
    with create_writer(path, (len(SLICES), *images.shape[1:]), np.uint8) as writer:
        for place, z in enumerate(SLICES):
            smooth = gaussian_filter(images.read(z).astype(np.float32), 1.0)
            classes = np.digitize(smooth, THRESHOLDS).astype(np.uint8)
            writer.write(place, labels.classes.decode(classes))
    return open_labels(path, classes=labels.classes, masks=True), labels


@pytest.fixture(scope="module")
def review(volumes, finish, tmp_path_factory):
    targets = Targets(folder=tmp_path_factory.mktemp("review"))
    return finish(review_volumes(*volumes, list(enumerate(SLICES)), targets))[0]


def test_thresholds_reach_what_is_known_of_them(review):
    found = json.loads(review.evaluation.to_json())
    assert 0.94 < found["pooled"]["dice_foreground"] < 0.97
    assert found["pooled"]["dice_foreground"] + 0.02 < found["outside_border"]["dice_foreground"]
    assert [row["z"] for row in found["slices"]] == list(SLICES)
    true = [row["true_fraction"] for row in found["pooled"]["classes"]]
    assert true == pytest.approx([0.295, 0.434, 0.272], abs=0.06)


def test_most_mistakes_lie_at_borders(review):
    pixels = sum(mistake.pixels for mistake in review.mistakes)
    at_border = sum(mistake.border_pixels for mistake in review.mistakes)
    assert at_border > 0.8 * pixels
    assert pixels == review.evaluation.pooled.sum() - np.trace(review.evaluation.pooled)


def test_a_region_scores_less(volumes, finish):
    region = parse_region("circle")
    review, _ = finish(review_volumes(*volumes, [(0, SLICES[0])], Targets(), region=region))
    counted = review.evaluation.pooled.sum()
    assert counted == pytest.approx(np.pi / 4 * 501**2, rel=0.01)

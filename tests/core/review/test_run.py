from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from napari_xseg.errors import XsegError
from napari_xseg.metrics import IGNORE
from napari_xseg.review.mistakes import mistakes_map
from napari_xseg.review.run import Targets, review_volumes

PAIRS = [(z, z) for z in range(5)]


@pytest.fixture
def volumes(blobs, table, make_slices):
    truth, prediction = blobs
    return make_slices(prediction, table, "masks"), make_slices(truth, table, "labels")


def test_a_review_writes_everything_it_names(volumes, blobs, tmp_path, finish):
    targets = Targets(tmp_path / "e.json", tmp_path / "e.csv", tmp_path / "review")
    review, _ = finish(review_volumes(*volumes, PAIRS, targets))
    on_disk = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert sorted(review.files) == on_disk
    assert {path.name for path in on_disk} >= {
        *("figure6_best.png", "figure6_worst.png", "confusion.png", "mistakes.csv"),
    }
    stack = tifffile.imread(tmp_path / "review" / "mistakes.tif")
    np.testing.assert_array_equal(stack, mistakes_map(*blobs))
    found = json.loads((tmp_path / "e.json").read_text(encoding="utf-8"))
    assert [row["z"] for row in found["slices"]] == [0, 1, 2, 3, 4]
    lines = (tmp_path / "review" / "mistakes.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(review.mistakes)
    assert review.mistakes.pixels == np.count_nonzero(stack)


def test_without_targets_nothing_is_written(volumes, tmp_path, finish):
    review, _ = finish(review_volumes(*volumes, PAIRS, Targets()))
    assert review.files == ()
    assert review.mistakes is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["e.json", "review/mistakes.tif"])
def test_what_exists_is_kept_unless_overwriting(volumes, tmp_path, name, finish):
    standing = tmp_path / name
    standing.parent.mkdir(exist_ok=True)
    standing.write_text("mine")
    targets = Targets(json=tmp_path / "e.json", folder=tmp_path / "review")
    with pytest.raises(XsegError, match="is there already"):
        finish(review_volumes(*volumes, PAIRS, targets))
    assert standing.read_text() == "mine"
    assert volumes[0].reads == []
    again = Targets(targets.json, None, targets.folder, overwrite=True)
    finish(review_volumes(*volumes, PAIRS, again))
    assert standing.read_bytes() != b"mine"


@pytest.mark.parametrize("pairs", [[], [(0, 9)]])
def test_a_refused_review_leaves_nothing(volumes, tmp_path, pairs, finish):
    with pytest.raises(XsegError):
        finish(review_volumes(*volumes, pairs, Targets(folder=tmp_path / "review")))
    assert list(tmp_path.iterdir()) == []


def test_a_review_with_nothing_to_score_leaves_nothing(make_slices, table, tmp_path, finish):
    masks = make_slices(np.zeros((1, 4, 4), np.uint8), table, "masks")
    labels = make_slices(np.full((1, 4, 4), IGNORE, np.uint8), table)
    with pytest.raises(XsegError):
        finish(review_volumes(masks, labels, [(0, 0)], Targets(folder=tmp_path / "review")))
    assert list(tmp_path.iterdir()) == []


def test_a_review_given_up_halfway_leaves_nothing(volumes, tmp_path):
    job = review_volumes(*volumes, PAIRS, Targets(folder=tmp_path / "review"))
    next(job)
    next(job)
    job.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(volumes, tmp_path, finish):
    (tmp_path / "file").write_text("")
    with pytest.raises(XsegError, match=r"file.*cannot be made"):
        finish(review_volumes(*volumes, PAIRS, Targets(folder=tmp_path / "file" / "review")))


def test_one_slice_alone_is_reviewed(volumes, tmp_path, finish):
    review, _ = finish(review_volumes(*volumes, [(2, 2)], Targets(folder=tmp_path / "review")))
    assert {path.name for path in review.files} == {
        *("evaluation.json", "evaluation.csv", "mistakes.tif", "mistakes.csv"),
        *("confusion.png", "figure6_best.png"),
    }

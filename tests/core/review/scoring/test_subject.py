from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_xseg.data.volume import open_volume
from napari_xseg.errors import XsegError
from napari_xseg.events import Control
from napari_xseg.review.scoring.confidence import slice_confidence
from napari_xseg.review.scoring.plan import Plan
from napari_xseg.review.scoring.reading import read_scores
from napari_xseg.review.scoring.store import ScoreFile
from napari_xseg.review.scoring.subject import check_same_mask, mask_ref, shared_slices, volume_ref
from napari_xseg.review.scoring.values import MaskRef, Score, VolumeRef

SHAPE = (20, 24, 30)


def write(path: Path, planes: Any) -> Path:
    tifffile.imwrite(path, planes, photometric="minisblack")
    return path


@pytest.fixture
def scan(tmp_path: Path) -> VolumeRef:
    grey = np.random.default_rng(0).random(SHAPE, np.float32)
    return volume_ref(open_volume(write(tmp_path / "scan.tif", grey)))


@pytest.fixture
def planes() -> Any:
    return np.random.default_rng(1).choice(np.array([0, 128, 255], np.uint8), SHAPE)


def sidecar(mask: Path, **facts: Any) -> None:
    table = [{"name": f"phase {value}", "value": value} for value in (0, 128, 255)]
    content = {"classes": {"classes": table}, **facts}
    mask.with_name(mask.name + ".json").write_text(json.dumps(content), encoding="utf-8")


def test_a_volume_is_known_by_what_it_holds(scan: VolumeRef, tmp_path: Path) -> None:
    grey = tifffile.imread(tmp_path / "scan.tif")
    again = volume_ref(open_volume(write(tmp_path / "copy.tif", grey)))
    other = volume_ref(open_volume(write(tmp_path / "other.tif", grey + 1)))
    assert again.fingerprint == scan.fingerprint != other.fingerprint
    assert (scan.shape, scan.name) == (SHAPE, "scan")


def test_a_mask_is_known_by_its_classes_and_not_by_its_file(
    scan: VolumeRef, planes: Any, tmp_path: Path
) -> None:
    first = mask_ref(write(tmp_path / "a.tif", planes), scan)
    folder = tmp_path / "folder"
    folder.mkdir()
    for z, plane in enumerate(planes):
        tifffile.imwrite(folder / f"{z:03}.tif", plane, compression="zlib")
    assert mask_ref(folder, scan).sha256 == first.sha256
    assert first.slices == tuple(range(20))
    changed = planes.copy()
    changed[13, 5, 5] = 255 - changed[13, 5, 5]
    assert mask_ref(write(tmp_path / "b.tif", changed), scan).sha256 != first.sha256


def test_the_file_beside_a_mask_says_which_slices_it_holds(
    scan: VolumeRef, planes: Any, tmp_path: Path
) -> None:
    path = write(tmp_path / "few.tif", planes[:3])
    with pytest.raises(XsegError, match=r"holds 3 slices and no file beside it.*expected 20"):
        mask_ref(path, scan)
    sidecar(path, slices=[4, 9, 11], model="abc", confidence=None)
    found = mask_ref(path, scan, name="mine")
    assert (found.slices, found.model, found.name) == ((4, 9, 11), "abc", "mine")
    sidecar(path, slices=[4, 9, 12])
    assert mask_ref(path, scan).sha256 != found.sha256
    whole = mask_ref(write(tmp_path / "all.tif", planes), scan)
    assert shared_slices([whole, found]) == (4, 9, 11)


@pytest.mark.parametrize("slices", [[4, 9, 20], [4, 4, 9], [1, 2, 3, 4], []])
def test_a_file_beside_a_mask_that_does_not_fit_is_refused(
    slices: list[int], scan: VolumeRef, planes: Any, tmp_path: Path
) -> None:
    path = write(tmp_path / "few.tif", planes[:3])
    sidecar(path, slices=slices)
    with pytest.raises(XsegError, match="does not fit scan"):
        mask_ref(path, scan)


def test_a_mask_of_other_size_is_refused(scan: VolumeRef, planes: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "small.tif", planes[:, :, :20])
    with pytest.raises(XsegError, match="24 x 20 pixels, those of scan 24 x 30"):
        mask_ref(path, scan)


def test_a_mask_that_was_written_anew_is_noticed(
    scan: VolumeRef, planes: Any, tmp_path: Path
) -> None:
    path = write(tmp_path / "mask.tif", planes)
    found = mask_ref(path, scan)
    check_same_mask(found, scan)
    write(path, planes[::-1])
    with pytest.raises(XsegError, match="has changed since the session began"):
        check_same_mask(found, scan)
    path.unlink()
    with pytest.raises(XsegError, match="does not exist"):
        check_same_mask(found, scan)


def test_hashing_can_be_stopped(scan: VolumeRef, planes: Any, tmp_path: Path) -> None:
    control = Control()
    control.stop()
    with pytest.raises(InterruptedError):
        mask_ref(write(tmp_path / "mask.tif", planes), scan, control=control)


@pytest.fixture
def sure(scan: VolumeRef, planes: Any, tmp_path: Path) -> MaskRef:
    """A mask of three slices with a confidence file; half of its middle slice is not predicted."""
    certain = np.full((3, *SHAPE[1:]), 255, np.uint8)
    certain[1, :12], certain[1, 12:] = 0, 51
    path = write(tmp_path / "mask.tif", planes[:3])
    confidence = write(tmp_path / "sure.tif", certain)
    sidecar(path, slices=[4, 9, 11], confidence=str(confidence))
    return mask_ref(path, scan)


def test_confidence_is_the_mean_over_what_was_predicted(
    sure: MaskRef, scan: VolumeRef, folder: Path
) -> None:
    with ScoreFile.open(folder, "anna") as file:
        made = file.new_session(scan, [sure], Plan())
        file.keep(made.uid, 1, Score(4))
        file.keep(made.uid, 2, Score(2))
    found, faults = slice_confidence(read_scores(folder).rows())
    assert found == {(sure.sha256, 4): 1.0, (sure.sha256, 9): pytest.approx(0.2)}
    assert faults == ()
    Path(sure.confidence).unlink()
    found, faults = slice_confidence(read_scores(folder).rows())
    assert found == {}
    assert "sure.tif" in faults[0]

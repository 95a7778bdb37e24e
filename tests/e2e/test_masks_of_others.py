"""Masks that another program wrote are scored honestly or refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import tifffile

from napari_xseg.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_mask_value_outside_the_labels_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = np.random.default_rng(0).choice(np.array([0, 128, 255], np.uint8), (5, 32, 32))
    tifffile.imwrite(tmp_path / "labels.tif", truth)
    tifffile.imwrite(tmp_path / "mask.tif", np.where(truth == 0, 0, 1).astype(np.uint8))
    code = main(
        ["evaluate", "--masks", f"{tmp_path}/mask.tif", "--labels", f"{tmp_path}/labels.tif"]
    )
    assert code == 2
    assert "outside the class table" in capsys.readouterr().err


def test_scores_are_never_written_over_the_labels(tmp_path: Path) -> None:
    truth = np.random.default_rng(0).choice(np.array([0, 128], np.uint8), (2, 32, 32))
    labels, mask = tmp_path / "labels.tif", tmp_path / "mask.tif"
    tifffile.imwrite(labels, truth)
    tifffile.imwrite(mask, truth)
    before = labels.read_bytes()
    words = ["evaluate", "--masks", str(mask), "--labels", str(labels), "--overwrite"]
    assert main([*words, "--json", str(labels)]) == 2
    assert labels.read_bytes() == before
    assert main([*words, "--mistakes", str(tmp_path)]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.tif", "mask.tif"]
    assert main([*words, "--json", str(tmp_path / "figures.json")]) == 0
    assert json.loads((tmp_path / "figures.json").read_text())["pooled"]["not_predicted"] == 0

"""`napari-xseg experiment`: plans from the command line."""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_xseg.data.phantom import phantom
from napari_xseg.data.volume import open_label_volume, volume_from_array
from napari_xseg.data.writing import save_volume
from napari_xseg.model.metadata import read_model_info
from napari_xseg.prediction.sidecar import read_sidecar

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Xseg


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options that name 16 labelled slices."""
    folder: Path = tmp_path_factory.mktemp("scan")
    images, labels = phantom((16, 80, 80), seed=2)
    save_volume(folder / "images.tif", volume_from_array(images))
    save_volume(folder / "labels.tif", volume_from_array(labels, meaning="labels"))
    return [
        *("--images", str(folder / "images.tif"), "--labels", str(folder / "labels.tif")),
        *("--unlabelled", "none"),
    ]


SMALL = ("--steps", "3", "--repeats", "1", "--threads", "1")


def test_a_plan_is_run_reported_and_not_done_twice(
    xseg: Xseg, scan: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    said = xseg("experiment", "training-size", *scan, "--out", str(out), *SMALL)
    assert said.code == 0, said.err
    assert "published with 400 + 100 slices, here 3% of that" in said.out
    assert "105 slices, blocked split, left out" in said.out
    assert "4 done, 0 kept, 0 failed" in said.out
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "98.667" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert (out / "report.md").exists()
    again = xseg("experiment", "training-size", *scan, "--out", str(out), *SMALL)
    assert "0 done, 4 kept, 0 failed" in again.out
    (out / "report.html").unlink()
    assert xseg("experiment", "report", str(out)).code == 0
    assert (out / "report.html").exists()


def test_a_plan_is_shown_edited_and_run(xseg: Xseg, scan: list[str], tmp_path: Path) -> None:
    listed = xseg("experiment", "list").out
    assert all(name in listed for name in ("baseline", "noise-curve", "lis"))
    text = xseg("experiment", "list", "noise-curve").out
    plan = tomllib.loads(text)
    assert plan["score_noise"][-1] == 10000
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'name = "mine"\ntitle = "Mine"\nsplits = ["blocked"]\nscore_noise = [0, 2000]\n'
        "[vary]\nslices = [2, 4]\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    said = xseg("experiment", str(mine), *scan, "--out", str(out), *SMALL)
    assert said.code == 0, said.err
    runs = [path for path in (out / "runs").iterdir() if path.is_dir()]
    assert len(runs) == 2
    assert all(set(read_model_info(run).noise) == {0.0, 2000.0} for run in runs)


def test_a_volume_without_labels_is_predicted_by_the_best_under_noise(
    xseg: Xseg, scan: list[str], tmp_path: Path
) -> None:
    lis = tmp_path / "lis.tif"
    rng = np.random.default_rng(0)
    save_volume(lis, volume_from_array(rng.normal(0.5, 0.1, (3, 64, 72)).astype(np.float32)))
    out = tmp_path / "out"
    said = xseg(
        *("experiment", "lis", *scan, "--out", str(out), *SMALL),
        *("--unlabelled-images", str(lis)),
    )
    assert said.code == 0, said.err
    assert "Best under noise (sd 5000)" in said.out
    mask = out / "unlabelled" / "mask.tif"
    assert open_label_volume(mask).shape == (3, 64, 72)
    told = read_sidecar(mask)
    assert told is not None
    assert told["images"] == str(lis)
    without = xseg("experiment", "lis", *scan, "--out", str(tmp_path / "b"), *SMALL)
    assert "no volume without labels was given" in without.out


def test_an_array_job_is_written_and_its_elements_run(
    xseg: Xseg, scan: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    begun = xseg("experiment", "baseline", *scan, "--out", str(out), *SMALL, "--only-write")
    assert begun.code == 0, begun.err
    assert not (out / "runs").exists()
    said = xseg("experiment", "submit", str(out), "--cluster", "slurm", "--only-write")
    assert said.code == 0, said.err
    keys = (out / "tasks.txt").read_text(encoding="utf-8").split()
    assert len(keys) == 2
    assert xseg("experiment", "run", str(out), "--only", keys[0], "--threads", "1").code == 0
    assert len(list((out / "runs").iterdir())) == 1
    xseg("experiment", "submit", str(out), "--cluster", "lsf", "--only-write")
    assert (out / "tasks.txt").read_text(encoding="utf-8").split() == keys[1:]
    wrong = xseg("experiment", "run", str(out), "--only", "0123")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "has no training 0123" in wrong.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("experiment", "nonsense"), "is none of baseline"),
        (("experiment", "run", "nowhere"), "holds no experiment"),
        (("experiment", "report", os.curdir), "holds no experiment"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    words: tuple[str, ...], complaint: str, xseg: Xseg, scan: list[str], tmp_path: Path
) -> None:
    more = [*scan, "--out", str(tmp_path / "out")] if len(words) == 2 else []
    said = xseg(*words, *more)
    assert said.code == 2
    assert complaint in said.err
    assert not (tmp_path / "out").exists()

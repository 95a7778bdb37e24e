"""`info`, `doctor`, `sample` and `demo`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import tifffile

from napari_xseg.cli import doctor, machine
from napari_xseg.data.classes import ClassTable
from napari_xseg.training.recipes import RECIPES, load_recipe

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from napari_xseg.data.sample import SamplePaths

Xseg = Callable[..., Any]


def test_images(xseg: Xseg, tiny: SamplePaths) -> None:
    out = xseg("info", tiny.images).out
    assert "images: images" in out
    assert "12 of 48 x 48 pixels (y, x)" in out
    assert "uint16" in out
    assert "not given" in out
    assert "all slices lie beside each other" in out
    assert "mean, sd" in out


def test_missing_numbers_break_the_row(xseg: Xseg, tmp_path: Path) -> None:
    for number in (3, 4, 7, 8):
        tifffile.imwrite(tmp_path / f"slice {number}.tif", np.arange(12.0).reshape(3, 4))
    assert "broken before slice 2" in xseg("info", tmp_path).out


def test_voxel_sizes_are_shown(xseg: Xseg, tmp_path: Path) -> None:
    metadata = {"axes": "ZYX", "spacing": 0.5, "unit": "um"}
    planes = np.arange(60, dtype=np.uint16).reshape(5, 3, 4)
    tifffile.imwrite(
        tmp_path / "v.tif", planes, imagej=True, resolution=(4.0, 4.0), metadata=metadata
    )
    assert "0.5 x 0.25 x 0.25 um (z, y, x)" in xseg("info", tmp_path / "v.tif").out


def test_labels(xseg: Xseg, tiny: SamplePaths) -> None:
    out = xseg("info", tiny.labels).out
    assert "labels: labels" in out
    assert "Classes, pixels in 12 slices of labels" in out
    assert "labelled slices: 0:12" in out


def test_labels_that_leave_a_question_are_shown_with_it(xseg: Xseg, tmp_path: Path) -> None:
    planes = np.random.default_rng(0).integers(0, 3, (4, 8, 9)).astype(np.uint8)
    planes[2] = 0
    tifffile.imwrite(tmp_path / "l.tif", planes, photometric="minisblack")
    said = xseg("info", tmp_path / "l.tif")
    assert said.code == 0
    assert "warning: " in said.out
    assert "--unlabelled 0" in said.out
    out = xseg("info", tmp_path / "l.tif", "--unlabelled", "0").out
    assert "labelled slices: 0,1,3" in out


def test_the_meaning_can_be_told(xseg: Xseg, tiny: SamplePaths, refused: Any) -> None:
    assert "labels: images" in xseg("info", tiny.labels, "--as", "images").out
    assert "looks like an image" in refused("info", tiny.images, "--as", "labels")


def test_rgb_labels(xseg: Xseg, tmp_path: Path) -> None:
    plane = np.zeros((8, 9, 3), np.uint8)
    plane[:4] = 255, 0, 10
    tifffile.imwrite(tmp_path / "rgb.tif", plane)
    assert "#ff000a" in xseg("info", tmp_path / "rgb.tif").out


def test_a_photograph_is_refused(tmp_path: Path, refused: Any) -> None:
    plane = np.random.default_rng(0).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "photo.tif", plane)
    assert "photo.tif" in refused("info", tmp_path / "photo.tif")


def test_several_datasets_are_listed(xseg: Xseg, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        for name in ("entry/data", "entry/dark"):
            file[name] = np.random.default_rng(0).normal(size=(3, 4, 5))
    out = xseg("info", path).out
    assert f"{path}:" in out
    assert "entry/dark" in out
    assert "3 of 4 x 5" in xseg("info", f"{path}:/entry/data").out


def test_doctor_says_what_there_is_and_what_is_missing(
    xseg: Xseg, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = xseg("doctor")
    assert said.code == 0
    for word in ("torch", "cpu", "bfloat16", "memory free", "disk free", "threads", "Missing"):
        assert word in said.out
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "edt" else real(name))
    said = xseg("doctor")
    assert said.code == 2
    assert "needed" in said.out


def test_memory_is_measured_and_a_container_limits_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    free, total = machine.measure_memory()
    assert total is None or total > 1e8
    assert free is None or total is None or 0 < free <= total
    text = "MemTotal: 4000 kB\nMemAvailable: 3000 kB\nHugePages_Total: 0\n"
    monkeypatch.setattr(machine, "_GROUP_LIMIT", tmp_path / "limit")
    monkeypatch.setattr(machine, "_GROUP_USED", tmp_path / "used")
    assert machine._linux_memory(text) == (3_072_000, 4_096_000)
    (tmp_path / "limit").write_text("2000000\n")
    (tmp_path / "used").write_text("500000\n")
    assert machine._linux_memory(text) == (1_500_000, 2_000_000)
    (tmp_path / "limit").write_text("max\n")
    assert machine._linux_memory(text) == (3_072_000, 4_096_000)


def test_a_recipe_is_printed_whole(xseg: Xseg, refused: Any, tmp_path: Path) -> None:
    for name in RECIPES:
        path = tmp_path / "own.toml"
        path.write_text(xseg("recipe", name).out, encoding="utf-8")
        assert load_recipe(path) == load_recipe(name)
    assert "quick, poster" in refused("recipe", "slow")


def test_a_sample_has_its_class_table(xseg: Xseg, tmp_path: Path) -> None:
    assert xseg("sample", tmp_path / "s").code == 0
    table = ClassTable.from_toml(tmp_path / "s" / "classes.toml")
    assert table.names == ("pore", "electrolyte", "metal")
    assert (table.values, table.unlabelled) == ((0, 128, 255), 1)


def test_the_demo_does_everything_twice(
    xseg: Xseg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = xseg("demo", "--steps", "20", "--threads", "1", "--quiet")
    assert (said.code, said.err) == (0, "")
    report = tmp_path / "demo" / "report.html"
    assert str(report) in said.out
    assert "pooled over 35 slices" in said.out
    text = report.read_text(encoding="utf-8")
    assert "electrolyte" in text
    assert "dice_foreground" in text
    for name in ("mask.tif", "mask.tif.json", "overview.png", "review/mistakes.csv", "run"):
        assert (tmp_path / "demo" / name).exists()
    monkeypatch.setattr("napari_xseg.data.sample.write_sample", _stop)
    assert xseg("demo").code == 130  # its own folder it may use again


def _stop(*_: object, **__: object) -> None:
    raise KeyboardInterrupt

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtWidgets import QFileDialog, QMessageBox

from tests.gui.predict.hands import click, names
from tests.gui.prediction_fakes import CLASSES, PretendedMask

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_xseg.gui.predict.predict_dock import PredictDock
    from tests.gui.fake import FakeEngine


@pytest.fixture
def made(
    dock: PredictDock, fake_engine: FakeEngine, pretended: PretendedMask, qtbot: Any, wait_idle: Any
) -> Path:
    """A mask that was predicted, its layer gone."""
    fake_engine.scripts.append(pretended.script())
    click(qtbot, dock.volume)
    wait_idle(dock.session)
    dock.session.viewer.layers.remove(dock.session.viewer.layers["mask fine of phantom"])
    path = dock.masks.value()
    assert path is not None
    return path


def test_a_mask_is_shown_again_once(
    dock: PredictDock, made: Path, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    click(qtbot, dock.masks.show_button)
    wait_idle(dock.session)
    layer = dock.session.viewer.layers["mask fine of phantom"]
    assert [int(layer.data[z].max()) for z in range(8)] == [1, 2, 3, 1, 2, 3, 1, 2]
    layer.visible = False
    click(qtbot, dock.masks.show_button)
    wait_idle(dock.session)
    assert names(dock.session) == ["mask fine of phantom"]
    assert layer.visible


@pytest.mark.parametrize("name", ["mask.tif", "mask.zarr", "mask"])
def test_a_mask_is_saved_with_its_sidecar(
    dock: PredictDock,
    made: Path,
    tmp_path: Path,
    qtbot: Any,
    wait_idle: Any,
    monkeypatch: pytest.MonkeyPatch,
    said: list[str],
    name: str,
) -> None:
    from napari_xseg.data.volume import open_label_volume

    target = tmp_path / "out" / name
    target.parent.mkdir()
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_, **__: (str(target), "OME-Zarr (*.zarr)")
    )
    click(qtbot, dock.masks.save_button)
    wait_idle(dock.session)
    written = target if target.suffix else target.with_name("mask.zarr")
    volume = open_label_volume(written)
    assert [int(volume.read(z).max()) for z in range(3)] == list(CLASSES.values)
    assert written.with_name(f"{written.name}.json").exists()
    assert said == [f"Saved: {written}"]
    assert not dock.masks.saving.isVisible()


def test_saving_asks_before_it_replaces(
    dock: PredictDock,
    made: Path,
    tmp_path: Path,
    qtbot: Any,
    wait_idle: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = tmp_path / "mask.tif"
    target.write_bytes(b"older")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(target), ""))
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    click(qtbot, dock.masks.save_button)
    wait_idle(dock.session)
    assert target.read_bytes() == b"older"
    click(qtbot, dock.masks.save_button)
    wait_idle(dock.session)
    assert target.read_bytes() != b"older"


def test_deleting_asks_and_takes_layer_and_files(
    dock: PredictDock, made: Path, qtbot: Any, wait_idle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    click(qtbot, dock.masks.show_button)
    wait_idle(dock.session)
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    click(qtbot, dock.masks.delete_button)
    assert made.exists()
    click(qtbot, dock.masks.delete_button)
    assert list(made.parent.iterdir()) == []
    assert names(dock.session) == []
    assert dock.masks.list.topLevelItemCount() == 0

"""*Other* in the Predict dock: its menu opened by a click, and each of its entries clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from qtpy.QtWidgets import QFileDialog

from tests.gui.gestures import click_entry, until
from tests.gui.predict.hands import names

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from napari_xseg.gui.predict.predict_dock import PredictDock
    from tests.gui.fake import FakeEngine
    from tests.gui.prediction_fakes import PretendedMask


def test_another_layer_by_a_click(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    wait_idle: Any,
) -> None:
    session = dock.session
    session.viewer.add_image(np.ones((4, 20, 30), np.uint16), name="second scan")
    fake_engine.scripts.append([pretended.begin, *pretended.write(0, 4), pretended.end()])
    click_entry(qtbot, dock.other, "Layer second scan")
    until(qtbot, lambda: names(session))
    wait_idle(session)
    (name,) = names(session)
    mask = session.viewer.layers[name].data
    assert mask.shape == (4, 20, 30)
    assert [int(mask[z].max()) for z in range(4)] == [1, 2, 3, 1]
    assert fake_engine.submitted[-1].images.name == "second scan"
    assert session.image is session.viewer.layers["phantom"]
    # What is gone is offered no more; what works on the chosen image neither.
    session.viewer.layers.remove("second scan")
    until(qtbot, dock.other.isEnabled)
    dock.other_menu.aboutToShow.emit()
    texts = [action.text() for action in dock.other_menu.actions()]
    assert not [text for text in texts if text.startswith("Layer")]


def test_a_folder_by_a_click(
    dock: PredictDock,
    fake_engine: FakeEngine,
    tmp_path: Path,
    qtbot: Any,
    wait_idle: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "more slices"
    folder.mkdir()
    for z in range(3):
        tifffile.imwrite(folder / f"s{z:03}.tif", np.full((12, 14), z, np.uint16))
    out = tmp_path / "masks" / "more.zarr"
    out.parent.mkdir()
    asked: list[str] = []

    def ask(_: Any, title: str, default: str, *more: Any, **options: Any) -> tuple[str, str]:
        asked.append(default)
        return str(out), "OME-Zarr (*.zarr)"

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    before = len(fake_engine.submitted)
    click_entry(qtbot, dock.other, "A folder")
    until(qtbot, lambda: len(fake_engine.submitted) > before)
    wait_idle(dock.session)
    request = fake_engine.submitted[-1]
    assert request.images.path == str(folder)
    assert (request.slices, request.out, request.overwrite) == ((0, 1, 2), out, False)
    assert asked == [str(tmp_path / "more slices-mask.zarr")]
    volume = request.images.open()
    assert [int(volume.read(z).max()) for z in range(3)] == [0, 1, 2]
    assert names(dock.session) == []


def test_a_dialog_that_is_closed_predicts_nothing(
    dock: PredictDock,
    fake_engine: FakeEngine,
    tmp_path: Path,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = ["", str(tmp_path)]
    saves: list[int] = []
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: answers.pop(0))
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_, **__: (saves.append(1), ("", ""))[1]
    )
    before = len(fake_engine.submitted)
    for _ in range(2):
        click_entry(qtbot, dock.other, "A folder")
    assert (answers, saves) == ([], [1])
    assert len(fake_engine.submitted) == before

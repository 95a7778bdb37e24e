from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QFileDialog, QMessageBox

from tests.gui.predict.hands import names

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from napari_xseg.gui.predict.predict_dock import PredictDock
    from tests.gui.fake import FakeEngine
    from tests.gui.prediction_fakes import PretendedMask


def test_another_layer_is_predicted_and_the_chosen_image_stays(
    dock: PredictDock, fake_engine: FakeEngine, pretended: PretendedMask, wait_idle: Any
) -> None:
    session = dock.session
    other = session.viewer.add_image(
        np.ones((4, 20, 30), np.uint16), name="o&ther", scale=(2, 2, 2)
    )
    dock.other_menu.fill()
    action = dock.other_menu.actions()[0]
    assert action.text() == "Layer o&&ther"
    fake_engine.scripts.append([pretended.begin, *pretended.write(0, 4), pretended.end()])
    action.trigger()
    wait_idle(session)
    layer = session.viewer.layers["mask fine of o&ther"]
    assert layer.data.shape == (4, 20, 30)
    assert tuple(layer.scale) == tuple(other.scale)
    assert session.images is not None
    assert session.images.name == "phantom"
    assert fake_engine.submitted[-1].images.name == "o&ther"


def test_a_file_is_predicted_without_being_opened(
    dock: PredictDock,
    fake_engine: FakeEngine,
    tmp_path: Path,
    wait_idle: Any,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> None:
    np.save(tmp_path / "more.npy", np.ones((3, 10, 10), np.uint16))
    (tmp_path / "m.tif").write_bytes(b"older")
    choose = QFileDialog
    monkeypatch.setattr(choose, "getOpenFileName", lambda *_: (str(tmp_path / "more.npy"), ""))
    monkeypatch.setattr(
        choose, "getSaveFileName", lambda *_, **__: (str(tmp_path / "m"), "TIFF (*.tif *.tiff)")
    )
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    dock.other_menu.fill()
    file = dock.other_menu.actions()[-2]
    before = len(fake_engine.submitted)
    file.trigger()
    wait_idle(dock.session)
    assert len(fake_engine.submitted) == before, "the older file stays"
    file.trigger()
    qtbot.waitUntil(lambda: len(fake_engine.submitted) > before)
    wait_idle(dock.session)
    request = fake_engine.submitted[-1]
    assert request.images.path == str(tmp_path / "more.npy")
    assert (request.out, request.overwrite) == (tmp_path / "m.tif", True)
    assert request.slices == (0, 1, 2)
    assert names(dock.session) == []

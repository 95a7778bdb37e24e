from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt

from napari_xseg.data.label_origins import Origins
from napari_xseg.events import NextSlices, Progress
from tests.gui.fake import WAIT
from tests.gui.label_hands import LEFT, click, opened
from tests.gui.prediction_fakes import write_model

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.gui.label.label_dock import LabelDock
    from napari_xseg.gui.session import Session
    from tests.gui.fake import FakeEngine

FOUND = NextSlices((5, 1), (0.4, 0.2), (2, 5), (nan, 1.5), (0, 4), (0.1, 0.2), 2.0)


def ask(qtbot: Any, dock: LabelDock, wait_idle: Any) -> Any:
    click(qtbot, dock.next_slice.ask)
    wait_idle(dock.session)
    return dock.next_slice.list


def test_before_any_model_it_names_slices_and_a_click_goes_there(
    session: Session, fake_engine: FakeEngine, tmp_path: Path, qtbot: Any, wait_idle: Any
) -> None:
    session.move_project(tmp_path / "scan-xseg")
    dock = opened(session.viewer)
    session.new_labels()
    assert session.store is not None
    session.store.write(2, np.ones((96, 128), np.uint8))
    fake_engine.scripts.append([Progress("uncertainty", 1, 8, 0.1), FOUND])
    found = ask(qtbot, dock, wait_idle)
    request = fake_engine.submitted[-1]
    assert request.model is None
    assert request.labelled == (2,)
    assert found.count() == 2
    assert found.item(0).text().startswith("z = 5: 3 slices from slice 2")
    assert "by the grey values" in dock.next_slice.words.text()
    qtbot.waitUntil(found.isVisible)
    at = found.visualItemRect(found.item(0)).center()
    qtbot.mouseClick(found.viewport(), LEFT, pos=at)
    assert session.z == 5
    found.setCurrentRow(1)
    qtbot.keyClick(found, Qt.Key.Key_Return)
    assert session.z == 1


def test_the_chosen_model_is_asked(
    session: Session, fake_engine: FakeEngine, tmp_path: Path, qtbot: Any, wait_idle: Any
) -> None:
    model = write_model(tmp_path / "fine.safetensors")
    session.set_model(model)
    dock = opened(session.viewer)
    fake_engine.scripts.append([WAIT, FOUND])
    click(qtbot, dock.next_slice.ask)
    qtbot.waitUntil(lambda: len(fake_engine.submitted) == 1)
    qtbot.waitUntil(dock.next_slice.bar.stop.isVisible)
    fake_engine.running[-1].gate.set()
    wait_idle(session)
    assert fake_engine.submitted[-1].model == model
    assert "by the chosen model" in dock.next_slice.words.text()


def test_a_stopped_question_leaves_no_list(
    session: Session, fake_engine: FakeEngine, qtbot: Any, wait_idle: Any
) -> None:
    dock = opened(session.viewer)
    fake_engine.scripts.append([WAIT])
    click(qtbot, dock.next_slice.ask)
    qtbot.waitUntil(lambda: len(fake_engine.submitted) == 1)
    click(qtbot, dock.next_slice.bar.stop)
    wait_idle(session)
    assert dock.next_slice.list.count() == 0
    assert dock.next_slice.ask.isVisible()


def test_of_an_image_that_has_gone_nothing_is_listed(
    session: Session, fake_engine: FakeEngine, qtbot: Any, wait_idle: Any
) -> None:
    dock = opened(session.viewer)
    fake_engine.scripts.append([FOUND])
    assert ask(qtbot, dock, wait_idle).count() == 2
    session.set_image(None)
    assert dock.next_slice.list.count() == 0
    assert not dock.next_slice.ask.isEnabled()


def test_copied_and_cleared_slices_have_their_origins(
    session: Session, tmp_path: Path, qtbot: Any, wait_idle: Any
) -> None:
    session.move_project(tmp_path / "scan-xseg")
    dock = opened(session.viewer)
    layer = session.new_labels()
    session.go_to(3)
    layer.paint((3, 50, 60), 1)
    click(qtbot, dock.next)
    wait_idle(session)
    assert session.z == 4
    found = Origins.open(tmp_path / "scan-xseg", read_only=True)
    assert [one.kind for one in found.of(3)] == ["painted"]
    assert [one.text.split(", ")[:2] for one in found.of(4)] == [["copied", "slice 3"]]
    click(qtbot, dock.clear)
    wait_idle(session)
    assert Origins.open(tmp_path / "scan-xseg", read_only=True).slices == (3,)

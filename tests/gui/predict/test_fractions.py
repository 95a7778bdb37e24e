"""Whose fractions the table shows, and what a slice waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_xseg.errors import XsegError
from napari_xseg.gui.predict.kept_masks import kept_masks
from tests.gui.fake import UNTIL_STOPPED, WAIT, FakeEngine
from tests.gui.predict.hands import at_gate, click, names
from tests.gui.prediction_fakes import PretendedMask, pretend_slice, write_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from napari_xseg.gui.predict.predict_dock import PredictDock

PATIENCE = 60_000


def shares(dock: PredictDock) -> list[str]:
    table = dock.fractions.table
    return [table.item(row, 1).text() for row in range(table.rowCount())]


def test_the_table_says_whose_fractions_it_shows(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    wait_idle: Callable[..., None],
) -> None:
    session = dock.session
    fake_engine.scripts.append(pretended.script(WAIT))
    click(qtbot, dock.volume)
    running = at_gate(qtbot, fake_engine, dock, 3)
    assert not dock.fractions.isVisible()
    running.gate.set()
    wait_idle(session)
    assert dock.fractions.of.text() == "Fractions in fine of phantom, slices 0:8"
    assert shares(dock) == ["50.00 %", "30.00 %", "20.00 %"]
    session.go_to(5)
    fake_engine.scripts.append([WAIT, pretend_slice(fake_engine, 2)])
    click(qtbot, dock.this_slice)
    assert not dock.fractions.isVisible()
    qtbot.waitUntil(lambda: dock.bar.job is not None, timeout=PATIENCE)  # it takes long
    qtbot.waitUntil(lambda: not fake_engine.scripts, timeout=PATIENCE)
    fake_engine.running[-1].gate.set()
    wait_idle(session)
    assert dock.fractions.of.text() == "Fractions in fine of phantom, slice 5"
    assert dock.bar.phase.text() == ""
    assert shares(dock) == ["0.00 %", "0.00 %", "100.00 %"]
    row = dock.masks.list.visualItemRect(dock.masks.list.topLevelItem(0))
    at = row.center()
    qtbot.mouseClick(dock.masks.list.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert dock.fractions.of.text() == "Fractions in fine of phantom, slices 0:8"
    session.set_image(session.viewer.add_image(np.zeros((4, 20, 20), np.uint8), name="other"))
    assert not dock.fractions.isVisible()
    assert dock.fractions.of.text() == ""


def test_a_mask_elsewhere_shows_its_own_fractions(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    tmp_path: Path,
    qtbot: Any,
    wait_idle: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    said: list[str],
) -> None:
    fake_engine.scripts.append(pretended.script())
    click(qtbot, dock.volume)
    wait_idle(dock.session)
    np.save(tmp_path / "more.npy", np.ones((3, 10, 10), np.uint16))
    targets = [tmp_path / "missing" / "m.zarr", tmp_path / "m.zarr"]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "more.npy"), ""))
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_, **__: (str(targets.pop(0)), "OME-Zarr (*.zarr)")
    )
    dock.other_menu.fill()
    dock.other_menu.actions()[-2].trigger()
    assert said == [
        f"missing: there is no such folder; make it first, or choose another one.\n{tmp_path}"
    ]
    assert not (tmp_path / "missing").exists()
    fake_engine.scripts.append([pretended.begin, *pretended.write(0, 3), pretended.end()])
    dock.other_menu.actions()[-2].trigger()
    qtbot.waitUntil(lambda: not fake_engine.scripts, timeout=PATIENCE)
    wait_idle(dock.session)
    assert dock.masks.value() is None
    assert dock.fractions.of.text() == "Fractions in fine of more"


def test_a_slice_says_that_it_waits_for_a_volume(
    dock: PredictDock, fake_engine: FakeEngine, pretended: PretendedMask, qtbot: Any, wait_idle: Any
) -> None:
    session = dock.session
    fake_engine.scripts.append(pretended.script(WAIT))
    click(qtbot, dock.volume)
    volume = at_gate(qtbot, fake_engine, dock, 3)
    session.go_to(5)
    fake_engine.scripts.append([UNTIL_STOPPED])
    click(qtbot, dock.this_slice)
    qtbot.waitUntil(lambda: len(fake_engine.running) > 1 and not fake_engine.scripts)
    behind = fake_engine.running[-1]
    behind.state = "waiting"
    words = "Slice 5 waits for the end of the prediction"
    qtbot.waitUntil(lambda: dock.note.text() == f"{words}.", timeout=PATIENCE)
    click(qtbot, dock.bar.pause)
    qtbot.waitUntil(lambda: dock.note.text() == f"{words}, which is paused.", timeout=PATIENCE)
    volume.go_on()
    volume.gate.set()
    qtbot.waitUntil(lambda: dock.predictions.current is None, timeout=PATIENCE)
    behind.stop()
    wait_idle(session)
    assert dock.note.text() == ""


def test_a_slice_that_fails_leaves_no_done(
    dock: PredictDock, fake_engine: FakeEngine, pretended: PretendedMask, qtbot: Any, wait_idle: Any
) -> None:
    fake_engine.scripts.append(pretended.script())
    click(qtbot, dock.volume)
    wait_idle(dock.session)
    assert dock.bar.phase.text() == "Done"
    fake_engine.scripts.append([XsegError("model: is damaged.")])
    dock.session.go_to(2)
    click(qtbot, dock.this_slice)
    wait_idle(dock.session)
    assert dock.bar.phase.text() == ""
    assert dock.note.text() == "Slice 2 is not predicted."


def test_a_stop_says_how_many_slices_are_kept(
    dock: PredictDock, fake_engine: FakeEngine, pretended: PretendedMask, qtbot: Any, wait_idle: Any
) -> None:
    script = [pretended.begin, *pretended.write(0, 3), UNTIL_STOPPED, pretended.end("stopped", 3)]
    fake_engine.scripts.append(script)
    click(qtbot, dock.volume)
    at_gate(qtbot, fake_engine, dock, 3)
    click(qtbot, dock.bar.stop)
    wait_idle(dock.session)
    assert dock.bar.phase.text() == "Stopped: 3 of 8 slices are kept"
    item = dock.masks.list.topLevelItem(0)
    assert [item.text(column) for column in (0, 1)] == ["fine of phantom", "3 of 8"]
    assert dock.masks.rest_button.isEnabled()


def test_masks_of_runs_with_one_name_are_told_apart(
    dock: PredictDock,
    model: Path,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    wait_idle: Any,
) -> None:
    second = model.with_name("20260102-130000-fine")
    write_model(second / "model.safetensors", identity="another")
    for run in (model, second):
        dock.session.set_model(run)
        fake_engine.scripts.append(pretended.script())
        click(qtbot, dock.volume)
        wait_idle(dock.session)
    expected = ["fine 01 Jan 12:00 of phantom", "fine 02 Jan 13:00 of phantom"]
    assert names(dock.session) == [f"mask {title}" for title in expected]
    found = kept_masks(dock.session.require_project())
    assert sorted(mask.title for mask in found) == expected


def test_a_model_file_that_was_cut_short_is_told_when_it_is_chosen(
    dock: PredictDock, model: Path, qtbot: Any
) -> None:
    path = model / "model.safetensors"
    header = path.read_bytes()[8:].replace(
        b'{"__metadata__"',
        b'{"a": {"dtype": "U8", "shape": [9], "data_offsets": [0, 9]}, "__metadata__"',
    )
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(9))
    dock.session.set_model(model)
    assert dock.volume.isEnabled()
    path.write_bytes(path.read_bytes()[:-1])
    dock.session.set_model(model)
    assert "is cut short" in dock.chooser.text.text()
    assert not dock.volume.isEnabled()
    assert not dock.this_slice.isEnabled()

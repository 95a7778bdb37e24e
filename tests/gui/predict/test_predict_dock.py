from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractButton, QComboBox

from napari_xseg.events import Message
from napari_xseg.gui.predict.predict_dock import WAITS, PredictDock
from napari_xseg.jobs import PredictRequest, WarmUp
from napari_xseg.jobs.slice_request import SliceRequest
from tests.gui.fake import UNTIL_STOPPED, WAIT, FakeEngine
from tests.gui.predict.hands import FAR_OFF, LEFT, at_gate, click, names, type_range
from tests.gui.prediction_fakes import PretendedMask, pretend_slice

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


# -- one slice ---------------------------------------------------------------


def test_this_slice_is_predicted_into_a_layer_in_memory(
    dock: PredictDock, fake_engine: FakeEngine, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    session = dock.session
    for z, value in ((3, 1), (5, 2)):
        session.go_to(z)
        fake_engine.scripts.append([pretend_slice(fake_engine, value)])
        click(qtbot, dock.this_slice)
        wait_idle(session)
    request = fake_engine.submitted[-1]
    assert isinstance(request, SliceRequest)
    assert (request.z, request.model) == (5, session.model)
    assert names(session) == ["mask fine of phantom (slices)"]
    data = session.viewer.layers["mask fine of phantom (slices)"].data
    assert [int(data[z].max()) for z in range(8)] == [0, 0, 0, 2, 0, 3, 0, 0]
    assert dock.note.text() == "Slice 5 is predicted: 40 ms"
    assert session.viewer.layers.selection.active is session.image
    assert not list(fake_engine.folder.glob("slice-*"))


def test_the_note_of_a_slice_goes_with_what_it_was_of(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    wait_idle: Callable[..., None],
) -> None:
    session = dock.session

    def look() -> None:
        fake_engine.scripts.append([pretend_slice(fake_engine, 1)])
        click(qtbot, dock.this_slice)
        wait_idle(session)
        assert dock.note.text().startswith("Slice ")
        assert dock.note.isVisible()

    look()
    fake_engine.scripts.append(pretended.script())
    click(qtbot, dock.volume)
    assert dock.note.text() == ""
    wait_idle(session)
    assert not dock.note.isVisible()
    for change in (lambda: session.set_model(session.model), lambda: session.set_image(None)):
        look()
        change()
        assert dock.note.text() == ""


def test_the_shortcut_predicts_with_the_options(
    dock: PredictDock, fake_engine: FakeEngine, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    dock.options.confidence.click()
    dock.options.match.click()
    dock.options.region.setCurrentText("circle")
    fake_engine.scripts.append([pretend_slice(fake_engine, 0, confidence=True)])
    window = dock.session.viewer.window._qt_window
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    dock.range.setFocus()
    qtbot.keyClick(dock.range, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    wait_idle(dock.session)
    request = fake_engine.submitted[-1]
    assert isinstance(request, SliceRequest)
    assert (request.confidence, request.match_intensity, request.region) == (True, True, "circle")
    sure = dock.session.viewer.layers["confidence fine of phantom (slices)"]
    assert int(sure.data[request.z].max()) == 200
    assert not sure.visible


def test_no_slice_in_3d_and_no_job_twice(
    dock: PredictDock, fake_engine: FakeEngine, qtbot: Any, said: list[str]
) -> None:
    dock.session.viewer.dims.ndisplay = 3
    before = len(fake_engine.submitted)
    click(qtbot, dock.this_slice)
    assert "No slice is in view" in said[-1]
    assert len(fake_engine.submitted) == before
    dock.session.viewer.dims.ndisplay = 2
    fake_engine.scripts.append([UNTIL_STOPPED])
    click(qtbot, dock.this_slice)
    assert not dock.this_slice.isEnabled()
    qtbot.waitUntil(dock.bar.stop.isVisible)  # it takes long: the bar shows it
    click(qtbot, dock.bar.stop)
    qtbot.waitUntil(dock.this_slice.isEnabled)


# -- volumes -----------------------------------------------------------------


def test_a_volume_appears_slice_by_slice_and_stays_on_disk(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    wait_idle: Callable[..., None],
) -> None:
    session = dock.session
    session.go_to(1)
    fake_engine.scripts.append(pretended.script(WAIT))
    click(qtbot, dock.volume)
    running = at_gate(qtbot, fake_engine, dock, 3)
    qtbot.waitUntil(lambda: names(session) == ["mask fine of phantom"])
    layer = session.viewer.layers["mask fine of phantom"]
    qtbot.waitUntil(lambda: int(layer._slice.image.raw.max()) == 2)  # drawn, unfinished
    assert not layer.data[4].any()
    assert not dock.volume.isEnabled()
    assert dock.this_slice.isEnabled()
    assert dock.speed.text().endswith("Mpx/s")
    qtbot.waitUntil(lambda: dock.bar.bar.text().startswith("37 %"))
    running.gate.set()
    wait_idle(session)
    assert [int(layer.data[z].max()) for z in range(8)] == [1, 2, 3, 1, 2, 3, 1, 2]
    assert not layer.editable
    request = fake_engine.submitted[-1]
    assert isinstance(request, PredictRequest)
    assert request.slices == tuple(range(8))
    assert request.out.parent == session.require_project().folder / "masks"
    assert dock.masks.value() == request.out
    assert dock.fractions.table.item(0, 1).text() == "50.00 %"
    assert dock.fractions.isVisible()
    assert dock.volume.isEnabled()


def test_only_a_slice_in_view_is_drawn_anew(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(dock.session.layers, "refresh", lambda layer: drawn.append(layer.name))
    dock.session.go_to(7)
    script = [pretended.begin]
    for page in range(8):
        script += [*pretended.write(page, 1), WAIT]
    fake_engine.scripts.append([*script, UNTIL_STOPPED, pretended.end("stopped")])
    click(qtbot, dock.volume)
    for page in range(8):
        running = at_gate(qtbot, fake_engine, dock, page + 1)
        qtbot.waitUntil(lambda: "mask fine of phantom" in names(dock.session))
        if page < 7:
            assert drawn == []
            running.gate.set()
    qtbot.waitUntil(lambda: drawn == ["mask fine of phantom"])
    running.stop()


def test_a_range_is_counted_checked_and_predicted(
    dock: PredictDock, fake_engine: FakeEngine, pretended: PretendedMask, qtbot: Any, wait_idle: Any
) -> None:
    assert not dock.predict_range.isEnabled()
    type_range(qtbot, dock, "9:12")
    assert not dock.predict_range.isEnabled()
    assert dock.range_row.fault.isVisible()
    assert dock.range_row.fault.text().startswith("Slice 11 is out of range")
    type_range(qtbot, dock, "2-4")
    assert dock.range_row.fault.text() == "Ranges are written 2:5, up to slice 4."
    type_range(qtbot, dock, "2:4,7")
    assert dock.range_row.count.text() == "3 slices"
    assert not dock.range_row.fault.isVisible()
    fake_engine.scripts.append([pretended.begin, *pretended.write(0, 3), pretended.end()])
    qtbot.keyClick(dock.range, Qt.Key.Key_Return)
    wait_idle(dock.session)
    assert fake_engine.submitted[-1].slices == (2, 3, 7)
    data = dock.session.viewer.layers["mask fine of phantom z 2,3,7"].data
    assert [int(data[z].max()) for z in range(8)] == [0, 0, 1, 2, 0, 0, 0, 3]


def test_cancel_keeps_what_is_done(
    dock: PredictDock, fake_engine: FakeEngine, pretended: PretendedMask, qtbot: Any, wait_idle: Any
) -> None:
    script = [pretended.begin, *pretended.write(0, 3), UNTIL_STOPPED, pretended.end("stopped", 3)]
    fake_engine.scripts.append(script)
    click(qtbot, dock.volume)
    at_gate(qtbot, fake_engine, dock, 3)
    click(qtbot, dock.bar.stop)
    wait_idle(dock.session)
    data = dock.session.viewer.layers["mask fine of phantom"].data
    assert [int(data[z].max()) for z in range(8)] == [1, 2, 3, 0, 0, 0, 0, 0]
    assert dock.masks.value() is not None
    assert dock.volume.isEnabled()


def test_a_prediction_waits_for_the_training_and_can_be_taken_away(
    dock: PredictDock, fake_engine: FakeEngine, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    session = dock.session
    fake_engine.scripts.append([UNTIL_STOPPED])
    session.set_training(session.jobs.run("Training", WarmUp))
    qtbot.waitUntil(lambda: len(fake_engine.running) > 0 and not fake_engine.scripts)
    fake_engine.scripts.append([UNTIL_STOPPED])
    click(qtbot, dock.volume)
    qtbot.waitUntil(lambda: isinstance(fake_engine.submitted[-1], PredictRequest))
    waiting = fake_engine.running[-1]
    waiting.state = "waiting"
    qtbot.waitUntil(lambda: dock.bar.phase.text() == WAITS)
    click(qtbot, dock.bar.stop)
    qtbot.waitUntil(lambda: dock.predictions.current is None)
    assert names(session) == []
    assert session.training is not None
    assert not session.training.over
    session.training.stop()
    wait_idle(session)


# -- grey values -------------------------------------------------------------


def test_far_off_grey_values_offer_to_match_and_predict_again(
    dock: PredictDock, fake_engine: FakeEngine, pretended: PretendedMask, qtbot: Any, wait_idle: Any
) -> None:
    warning = Message(FAR_OFF, "warning")
    fake_engine.scripts.append(
        [
            warning,
            pretended.begin,
            *pretended.write(0, 3),
            UNTIL_STOPPED,
            pretended.end("stopped", 3),
        ]
    )
    click(qtbot, dock.volume)
    at_gate(qtbot, fake_engine, dock, 3)
    assert dock.warning_panel.isVisible()
    assert "--" not in dock.warning.text() + dock.bar.log.toolTip()
    fake_engine.scripts.append(pretended.script())
    click(qtbot, dock.match)
    qtbot.waitUntil(lambda: fake_engine.submitted[-1].match_intensity)
    wait_idle(dock.session)
    assert names(dock.session) == ["mask fine of phantom"]
    assert not dock.warning_panel.isVisible()
    assert dock.options.match.isChecked()


def test_far_off_grey_values_of_a_slice_predict_that_slice_again(
    dock: PredictDock, fake_engine: FakeEngine, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    fake_engine.scripts.append([pretend_slice(fake_engine, 0), Message(FAR_OFF, "warning")])
    click(qtbot, dock.this_slice)
    wait_idle(dock.session)
    fake_engine.scripts.append([pretend_slice(fake_engine, 1)])
    click(qtbot, dock.match)
    wait_idle(dock.session)
    assert isinstance(fake_engine.submitted[-1], SliceRequest)
    assert fake_engine.submitted[-1].match_intensity
    assert not dock.warning_panel.isVisible()


# -- the dock ------------------------------------------------------------------


def test_follow_is_the_sessions(dock: PredictDock, fake_engine: FakeEngine, qtbot: Any) -> None:
    session = dock.session
    fake_engine.scripts.append([pretend_slice(fake_engine, 2)])
    qtbot.mouseClick(dock.follow, LEFT, pos=QPoint(8, dock.follow.height() // 2))
    assert session.live.follow
    qtbot.waitUntil(lambda: bool(names(session, "preview")))
    session.live.follow = False
    assert not dock.follow.isChecked()


def test_it_fits_a_narrow_dock_and_everything_has_a_tooltip(dock: PredictDock) -> None:
    content = dock.chooser.parentWidget()
    assert content.minimumSizeHint().width() <= 345
    for kind in (QAbstractButton, QComboBox):
        for widget in content.findChildren(kind):
            if not widget.objectName().startswith("qt_"):
                assert widget.toolTip() or widget.parentWidget().toolTip(), widget


def test_closing_the_window_ends_a_prediction(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    said: list[str],
) -> None:
    script = [pretended.begin, *pretended.write(0, 3), UNTIL_STOPPED, pretended.end("stopped", 3)]
    fake_engine.scripts.append(script)
    click(qtbot, dock.volume)
    at_gate(qtbot, fake_engine, dock, 3)
    jobs = dock.session.jobs
    dock.session.close()
    qtbot.waitUntil(lambda: not jobs.busy)
    assert fake_engine.submitted[-1].out.exists()
    assert said == []

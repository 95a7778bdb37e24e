from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QPushButton

from napari_xseg.events import (
    Devices,
)
from napari_xseg.gui.train.train_dock import TrainDock
from napari_xseg.jobs import WarmUp
from tests.gui.hands import answer_question
from tests.gui.train.hands import VALUES, idle, press, ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.gui.session import Session
    from tests.gui.fake import FakeEngine


def test_train_says_what_is_missing(
    dock: TrainDock, session: Session, label: Callable[..., None], qtbot: Any
) -> None:
    assert not dock.train.isEnabled()
    assert "no labels" in dock.reason.text()
    assert dock.reason.isVisible()
    session.new_labels()
    qtbot.waitUntil(lambda: "Nothing is labelled yet" in dock.reason.text())
    assert session.store is not None
    session.store[2, :10, :10] = 1
    qtbot.waitUntil(lambda: "Only 'class 0'" in dock.reason.text())
    assert dock.train.toolTip() == dock.reason.text()
    label(2)
    qtbot.waitUntil(dock.train.isEnabled)
    assert not dock.reason.isVisible()
    session.set_image(None)
    qtbot.waitUntil(lambda: "There is no image" in dock.reason.text())


def test_counts_and_split_follow_strokes(
    dock: TrainDock, session: Session, label: Callable[..., None], truth: Any, qtbot: Any
) -> None:
    label(1, 4, 6)
    ready(dock, session, qtbot)
    strip = dock.slices.strip
    assert strip.strip.pixels == dict.fromkeys((1, 4, 6), truth[0].size)
    assert sorted(strip.strip.roles.values()) == ["training", "training", "validation"]
    assert "held out" in dock.slices.words.text()
    shown = [dock.classes.table.item(row, 3).text() for row in range(3)]  # type: ignore[union-attr]
    counts = [int(np.isin(truth[[1, 4, 6]], value).sum()) for value in VALUES]
    assert shown == [f"{count:,}" for count in counts]
    session.store[5, :3, :4] = 2  # type: ignore[index]
    qtbot.waitUntil(lambda: strip.strip.pixels.get(5) == 12)


def test_one_slice_gives_a_rough_figure_and_says_so(
    dock: TrainDock, session: Session, label: Callable[..., None], qtbot: Any
) -> None:
    label(3)
    ready(dock, session, qtbot)
    qtbot.waitUntil(lambda: "rough figure" in dock.slices.words.text())


def test_the_strip_jumps_to_a_slice(dock: TrainDock, session: Session, qtbot: Any) -> None:
    strip = dock.slices.strip.strip
    left, right = strip.span(6)
    at = QPoint(int((left + right) / 2), strip.height() // 2)
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=at)
    assert session.z == 6
    assert dock.slices.strip.value() == 6
    qtbot.keyClick(strip, Qt.Key.Key_Left)
    assert session.z == 5


def test_classes_are_changed_in_the_session(
    dock: TrainDock, session: Session, label: Callable[..., None], qtbot: Any
) -> None:
    label(1)
    ready(dock, session, qtbot)
    assert session.store is not None
    before = session.store.totals()[1:4].tolist()
    dock.classes.table.selectRow(0)
    answer_question("Remove")
    press(dock.classes.remove, qtbot)
    assert session.classes.names == ("class 1", "class 2")
    assert session.store.totals()[1:3].tolist() == before[1:]
    press(dock.classes.add, qtbot)
    assert len(session.classes) == 3


def test_validation_slices_without_labels_are_refused(
    dock: TrainDock, session: Session, label: Callable[..., None], qtbot: Any
) -> None:
    label(1, 4, 6)
    ready(dock, session, qtbot)
    dock.slices.validation.set_value("chosen slices", "2")
    qtbot.waitUntil(lambda: "slice 2 has no labels" in dock.reason.text())
    assert not dock.train.isEnabled()
    dock.slices.validation.set_value("none")
    qtbot.waitUntil(dock.train.isEnabled)
    assert "no validation" in dock.slices.words.text()


def test_devices_of_the_engine_are_offered(dock: TrainDock, session: Session) -> None:
    session._on_devices([Devices(("cpu",), ("a processor, 16 GB",))])
    assert dock.form.device.itemText(1) == "cpu: a processor, 16 GB"


@pytest.mark.usefixtures("warming")
def test_a_dock_that_is_shown_warms_the_engine_up_once(
    session: Session, fake_engine: FakeEngine, show_dock: Callable[[Any], Any], qtbot: Any
) -> None:
    fake_engine.scripts.append([Devices(("cpu",), ("a processor, 16 GB",))])
    shown = show_dock(TrainDock)
    qtbot.waitUntil(lambda: session.devices is not None)
    assert shown.form.device.itemText(1) == "cpu: a processor, 16 GB"
    idle(session, qtbot)
    session.warm_up()
    assert not session.jobs.busy
    assert fake_engine.submitted == [WarmUp()]


def test_choices_are_kept_in_the_project(
    dock: TrainDock, session: Session, viewer: Any, label: Callable[..., None], qtbot: Any
) -> None:
    label(1, 4, 6)
    dock.form.length.setValue(33)
    dock.slices.validation.set_value("chosen slices", "4")
    project = session.require_project()
    qtbot.waitUntil(lambda: project.settings.get("train", {}).get("slices") == "4")
    second = TrainDock(viewer)
    qtbot.addWidget(second)
    assert second.form.value().config.time_limit == 33
    assert second.slices.validation.value().val == (4,)
    idle(session, qtbot)
    second.leave()


def test_live_preview_is_switched_for_the_session(
    dock: TrainDock, session: Session, qtbot: Any
) -> None:
    assert dock.live.isChecked()
    dock.live.setFocus()
    qtbot.keyClick(dock.live, Qt.Key.Key_Space)
    assert not session.live.on
    session.live.on = True
    assert dock.live.isChecked()


def test_the_dock_fits_a_small_screen(dock: TrainDock, viewer: Any) -> None:
    assert dock.minimumSizeHint().width() <= 360
    assert viewer.window._qt_window.minimumSizeHint().height() <= 768


def test_everything_has_a_tooltip(dock: TrainDock) -> None:
    for button in dock.findChildren(QPushButton):
        assert button.toolTip(), button.text()


def test_a_region_outside_the_image_is_said_in_the_form(
    dock: TrainDock, session: Session, label: Callable[..., None], qtbot: Any
) -> None:
    label(1, 4)
    ready(dock, session, qtbot)
    dock.form.region.setEditText("0:500,0:40")
    dock.form.region.lineEdit().editingFinished.emit()  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: "is not inside" in dock.reason.text())
    assert not dock.train.isEnabled()
    dock.form.region.setEditText("0:50,0:40")
    dock.form.region.lineEdit().editingFinished.emit()  # type: ignore[union-attr]
    qtbot.waitUntil(dock.train.isEnabled)


def test_another_image_is_not_said_to_be_trained(
    dock: TrainDock, session: Session, qtbot: Any
) -> None:
    dock.bar.say("Done: Dice 99.1 %")
    other = session.viewer.add_image(np.zeros((4, 32, 32), np.uint16), name="other")
    session.set_image(other)
    assert dock.bar.phase.text() == ""

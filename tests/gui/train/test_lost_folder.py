"""The project's folder goes away while it is worked on, and comes back."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QEnterEvent
from qtpy.QtWidgets import QApplication

from napari_xseg.data.label_origins import Origins
from napari_xseg.gui.label.label_dock import LabelDock
from tests.gui.label_hands import drag, press
from tests.gui.train.hands import PATIENCE, idle, ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.train.train_dock import TrainDock


@pytest.fixture
def painting(session: Session, viewer: Any, dock: TrainDock, qtbot: Any) -> Iterator[LabelDock]:
    """A Label dock in the window of the Train dock."""
    made = LabelDock(viewer)
    viewer.window.add_dock_widget(made, name="Label", area="left")
    qtbot.waitUntil(lambda: not session.jobs.busy, timeout=PATIENCE)
    yield made
    made.leave()


@pytest.fixture
def folder(
    session: Session, dock: TrainDock, tmp_path: Path, label: Callable[..., None], qtbot: Any
) -> Path:
    """Of the project, in which training can begin."""
    session.move_project(tmp_path / "scan-xseg")
    label(1, 4, 6)
    ready(dock, session, qtbot)
    return tmp_path / "scan-xseg"


def test_what_is_saved_in_a_folder_put_back_can_be_trained_on(
    painting: LabelDock, dock: TrainDock, session: Session, folder: Path, said: Any, qtbot: Any
) -> None:
    away = folder.with_name("elsewhere")
    session.go_to(2)
    shutil.move(folder, away)
    press(qtbot, painting, "p")
    drag(qtbot, painting, (30, 20), (30, 60))
    qtbot.waitUntil(painting.save.isVisible, timeout=PATIENCE)
    qtbot.waitUntil(lambda: "labels are gone" in dock.reason.text(), timeout=PATIENCE)
    idle(session, qtbot)
    assert not folder.exists()
    shutil.move(away, folder)
    qtbot.mouseClick(painting.save, Qt.MouseButton.LeftButton)
    assert "What you painted is on disk." in said
    qtbot.waitUntil(dock.train.isEnabled, timeout=PATIENCE)
    qtbot.waitUntil(lambda: not painting.save.isVisible(), timeout=PATIENCE)
    idle(session, qtbot)
    assert [one.kind for one in Origins.open(folder, read_only=True).of(2)] == ["painted"]


def test_a_folder_put_back_is_seen_when_the_mouse_comes_to_the_dock(
    dock: TrainDock, session: Session, folder: Path, qtbot: Any
) -> None:
    away = folder.with_name("elsewhere")
    shutil.move(folder, away)
    session.model_changed.emit()
    assert not dock.train.isEnabled()
    shutil.move(away, folder)
    at = QPointF(5, 5)
    QApplication.sendEvent(dock, QEnterEvent(at, at, at))
    assert dock.train.isEnabled()
    idle(session, qtbot)


def test_choices_do_not_make_a_lost_folder_anew(
    dock: TrainDock, session: Session, folder: Path, said: list[str], qtbot: Any
) -> None:
    shutil.move(folder, folder.with_name("elsewhere"))
    dock.form.length.setValue(33)
    qtbot.waitUntil(lambda: any("put its folder back" in one for one in said), timeout=PATIENCE)
    assert not folder.exists()

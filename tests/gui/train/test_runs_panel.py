from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import Qt

from napari_xseg.gui.train import runs_panel
from tests.gui.hands import answer_question
from tests.gui.train.hands import ends, idle, press, ready, steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.train.train_dock import TrainDock
    from tests.gui.fake import FakeEngine


@pytest.fixture
def trained(
    dock: TrainDock,
    session: Session,
    fake_engine: FakeEngine,
    label: Callable[..., None],
    qtbot: Any,
) -> Path:
    """The folder of a run that has ended."""
    label(1, 4, 6)
    ready(dock, session, qtbot)
    fake_engine.scripts.append([*steps(3, 3), ends(fake_engine)])
    press(dock.train, qtbot)
    idle(session, qtbot)
    run = fake_engine.submitted[-1].out
    qtbot.waitUntil(lambda: dock.panel.info(run) is not None)
    return Path(run)


def test_a_run_is_used_and_revealed(
    dock: TrainDock, session: Session, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.set_model(None)
    dock.panel.list.select(trained)
    dock.panel.list.buttons["use"].click()
    assert session.model == trained
    opened: list[str] = []
    monkeypatch.setattr(
        runs_panel.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile())
    )
    dock.panel.list.buttons["reveal"].click()
    assert opened == [str(trained)]


def test_a_run_is_renamed(dock: TrainDock, session: Session, trained: Path, qtbot: Any) -> None:
    info = dock.panel.info(trained)
    dock.panel.list.renamed.emit(info, "three slices")
    idle(session, qtbot)
    assert session.model is not None
    assert session.model.name.endswith("three slices")
    assert not trained.exists()
    shown = dock.panel.list.value()
    assert shown is not None
    assert shown.name == "three slices"


def test_a_name_that_cannot_be_is_refused(
    dock: TrainDock, session: Session, trained: Path, told: list[str], qtbot: Any
) -> None:
    dock.panel.list.renamed.emit(dock.panel.info(trained), "a/b")
    idle(session, qtbot)
    assert len(told) == 1
    assert trained.exists()


def test_a_run_is_deleted_when_the_user_says_so(
    dock: TrainDock, session: Session, trained: Path, qtbot: Any
) -> None:
    dock.panel.list.select(trained)
    answer_question("Cancel")
    dock.panel.list.buttons["delete"].click()
    assert trained.exists()
    answer_question("Delete")
    dock.panel.list.buttons["delete"].click()
    idle(session, qtbot)
    assert not trained.exists()
    assert session.model is None
    qtbot.waitUntil(lambda: dock.panel.list.value() is None)


def test_ticked_runs_are_drawn(
    dock: TrainDock, session: Session, trained: Path, fake_engine: FakeEngine, qtbot: Any
) -> None:
    fake_engine.scripts.append([*steps(3, 3), ends(fake_engine)])
    press(dock.train, qtbot)
    idle(session, qtbot)
    dock.panel.list.select(trained)
    qtbot.keyClick(dock.panel.list.tree, Qt.Key.Key_Down)
    other = dock.panel.list.tree.topLevelItem(0)
    assert other is not None
    other.setCheckState(0, Qt.CheckState.Checked)
    qtbot.waitUntil(lambda: len(dock.panel.curves._others) == 1)

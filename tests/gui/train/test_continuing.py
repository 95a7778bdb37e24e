"""Which run a Continue goes on from, and what of it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit

from napari_xseg.gui.train.class_editor import NAME
from tests.gui.train.hands import PATIENCE, click_run, ends, press, ready, steps, train_to_end

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.train.train_dock import TrainDock
    from tests.gui.fake import FakeEngine

RUNS = 9  # more than the list shows without scrolling


@pytest.fixture
def first(
    dock: TrainDock,
    session: Session,
    fake_engine: FakeEngine,
    label: Callable[..., None],
    qtbot: Any,
) -> Path:
    """A run that has ended; many more may follow."""
    label(1, 4, 6)
    ready(dock, session, qtbot)
    fake_engine.scripts.extend([*steps(n, n), ends(fake_engine)] for n in range(3, 3 + RUNS))
    return train_to_end(dock, dock.train, qtbot)


def points(dock: TrainDock) -> int:
    """Of the curve of the loss that is shown."""
    shown = dock.panel.curves._training
    return 0 if shown is None else len(shown.loss)


def selected(dock: TrainDock) -> Path | None:
    info = dock.panel.list.value()
    return None if info is None else info.path


def test_each_continue_goes_on_from_the_newest_run(
    dock: TrainDock, fake_engine: FakeEngine, first: Path, qtbot: Any
) -> None:
    before = first
    for number in range(1, RUNS):
        run = train_to_end(dock, dock.go_on, qtbot)
        assert fake_engine.submitted[-1].parent == before
        qtbot.waitUntil(lambda run=run: selected(dock) == run, timeout=PATIENCE)
        qtbot.waitUntil(lambda n=number: points(dock) == 3 + n, timeout=PATIENCE)
        assert run.name in dock.go_on.toolTip()
        before = run
    tree = dock.panel.list.tree
    item = tree.selectedItems()[0]
    assert tree.viewport().rect().intersects(tree.visualItemRect(item))  # type: ignore[union-attr]


def test_a_run_that_the_user_has_selected_is_gone_on_with(
    dock: TrainDock, session: Session, fake_engine: FakeEngine, first: Path, qtbot: Any
) -> None:
    second = train_to_end(dock, dock.go_on, qtbot)
    click_run(dock, first, qtbot)
    session.runs_changed.emit()  # read anew: the choice stands
    qtbot.waitUntil(lambda: not session.jobs.busy, timeout=PATIENCE)
    assert selected(dock) == first
    third = train_to_end(dock, dock.go_on, qtbot)
    assert fake_engine.submitted[-1].parent == first
    assert second != third
    qtbot.waitUntil(lambda: selected(dock) == third, timeout=PATIENCE)


def test_a_training_anew_is_what_the_next_continue_goes_on_from(
    dock: TrainDock, fake_engine: FakeEngine, first: Path, qtbot: Any
) -> None:
    again = train_to_end(dock, dock.train, qtbot)
    assert fake_engine.submitted[-1].parent is None
    qtbot.waitUntil(lambda: selected(dock) == again, timeout=PATIENCE)
    train_to_end(dock, dock.go_on, qtbot)
    assert fake_engine.submitted[-1].parent == again


def test_a_renamed_run_stays_the_chosen_one(
    dock: TrainDock, session: Session, first: Path, qtbot: Any
) -> None:
    train_to_end(dock, dock.go_on, qtbot)
    click_run(dock, first, qtbot)
    dock.panel.list.renamed.emit(dock.panel.info(first), "the first")
    qtbot.waitUntil(lambda: not session.jobs.busy, timeout=PATIENCE)
    chosen = selected(dock)
    assert chosen is not None
    assert chosen.name.endswith("the first")


def test_without_a_selected_run_it_says_to_select_one(
    dock: TrainDock, session: Session, first: Path, qtbot: Any
) -> None:
    session.set_model(None)
    qtbot.waitUntil(lambda: not dock.go_on.isEnabled(), timeout=PATIENCE)
    assert "Select a run" in dock.go_on.toolTip()
    qtbot.keyClick(dock.panel.list.tree, Qt.Key.Key_Down)
    qtbot.waitUntil(dock.go_on.isEnabled, timeout=PATIENCE)
    press(dock.go_on, qtbot)
    qtbot.waitUntil(lambda: not session.jobs.busy, timeout=PATIENCE)


def rename_class(dock: TrainDock, row: int, name: str, qtbot: Any) -> None:
    """Click the name of a class, F2, type, Enter."""
    table = dock.classes.table
    at = table.visualRect(table.model().index(row, NAME)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.keyClick(table, Qt.Key.Key_F2)
    field = table.findChild(QLineEdit)
    assert field is not None
    field.selectAll()
    qtbot.keyClicks(field, name)
    with qtbot.waitSignal(field.destroyed, timeout=PATIENCE):
        qtbot.keyClick(field, Qt.Key.Key_Return)


def test_classes_that_were_renamed_are_gone_on_with(
    dock: TrainDock, session: Session, fake_engine: FakeEngine, first: Path, qtbot: Any
) -> None:
    rename_class(dock, 1, "nickel", qtbot)
    qtbot.waitUntil(lambda: "nickel" in session.classes.names, timeout=PATIENCE)
    there = dock.panel.list.buttons["go_on"]
    assert (dock.go_on.isEnabled(), there.isEnabled()) == (True, True)
    dock.area.ensureWidgetVisible(there)
    train_to_end(dock, there, qtbot)
    request = fake_engine.submitted[-1]
    assert request.parent == first
    assert [spec["name"] for spec in request.classes["classes"]] == list(session.classes.names)

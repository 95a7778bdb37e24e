"""The runs in the Train dock, with keys and clicks on the list itself."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QLineEdit, QStyle, QStyleOptionViewItem

from tests.gui.gestures import LEFT, PATIENCE, until
from tests.gui.hands import answer_question
from tests.gui.train.hands import ends, idle, press, ready, steps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.train.train_dock import TrainDock
    from tests.gui.fake import FakeEngine


@pytest.fixture
def runs(
    dock: TrainDock,
    session: Session,
    fake_engine: FakeEngine,
    label: Callable[..., None],
    qtbot: Any,
) -> list[Path]:
    """Folders of two runs, the newer one first, as in the list."""
    label(1, 4, 6)
    ready(dock, session, qtbot)
    found: list[Path] = []
    for _ in range(2):
        fake_engine.scripts.append([*steps(3, 3), ends(fake_engine)])
        press(dock.train, qtbot)
        until(qtbot, lambda: not dock.trainings.running)
        idle(session, qtbot)
        found.insert(0, fake_engine.submitted[-1].out)
    until(qtbot, lambda: [info.path for info in dock.panel.runs] == found)
    dock.area.ensureWidgetVisible(dock.panel.list)
    return found


def click_run(dock: TrainDock, row: int, qtbot: Any, at: QPoint | None = None) -> None:
    tree = dock.panel.list.tree
    item = tree.topLevelItem(row)
    assert item is not None
    place = tree.visualItemRect(item).center() if at is None else at
    qtbot.mouseClick(tree.viewport(), LEFT, pos=place)


def box_of(dock: TrainDock, row: int) -> QPoint:
    """Where the tick of a run is."""
    tree = dock.panel.list.tree
    index = tree.model().index(row, 0)
    option = QStyleOptionViewItem()
    tree.initViewItemOption(option)
    option.rect = tree.visualRect(index)
    option.features |= QStyleOptionViewItem.ViewItemFeature.HasCheckIndicator
    part = QStyle.SubElement.SE_ItemViewItemCheckIndicator
    return tree.style().subElementRect(part, option, tree).center()


def edit_name(dock: TrainDock, text: str, end: Qt.Key, qtbot: Any) -> None:
    """F2, another name, and the key that ends it."""
    tree = dock.panel.list.tree
    qtbot.keyClick(tree, Qt.Key.Key_F2)
    field = tree.findChild(QLineEdit)
    assert field is not None
    field.selectAll()
    qtbot.keyClicks(field, text)
    with qtbot.waitSignal(field.destroyed, timeout=PATIENCE):
        qtbot.keyClick(field, end)


def test_f2_renames_the_chosen_run_and_escape_leaves_its_name(
    dock: TrainDock, session: Session, runs: list[Path], qtbot: Any
) -> None:
    tree = dock.panel.list.tree
    click_run(dock, 1, qtbot)
    edit_name(dock, "another", Qt.Key.Key_Escape, qtbot)
    idle(session, qtbot)
    assert runs[1].exists()
    edit_name(dock, "three slices", Qt.Key.Key_Return, qtbot)
    until(qtbot, lambda: not runs[1].exists())
    idle(session, qtbot)
    assert session.project is not None
    names = [info.name for info in session.project.runs()]
    assert len(names) == 2
    assert "three slices" in names
    assert runs[0].exists()
    until(qtbot, lambda: [tree.topLevelItem(row).text(0) for row in (0, 1)] == names)


def test_a_click_on_the_tick_compares_the_curves(
    dock: TrainDock, runs: list[Path], qtbot: Any
) -> None:
    click_run(dock, 0, qtbot)
    name = dock.panel.info(runs[1]).name  # type: ignore[union-attr]
    click_run(dock, 1, qtbot, box_of(dock, 1))
    assert dock.panel.list.compared_paths() == [runs[1]]
    click_run(dock, 0, qtbot)
    until(qtbot, lambda: list(dock.panel.curves._others) == [name])
    click_run(dock, 1, qtbot, box_of(dock, 1))
    assert dock.panel.list.compared_paths() == []
    until(qtbot, lambda: not dock.panel.curves._others)


def test_ticked_runs_of_one_name_are_all_drawn(
    dock: TrainDock, runs: list[Path], qtbot: Any
) -> None:
    for day in (1, 2):
        shutil.copytree(runs[0], runs[0].with_name(f"2025010{day}-120000-quick"))
    dock.panel.read_runs()
    until(qtbot, lambda: dock.panel.list.tree.topLevelItemCount() == 4)
    for row in (2, 3):
        click_run(dock, row, qtbot, box_of(dock, row))
    click_run(dock, 0, qtbot)
    drawn = ["quick, 02 Jan 12:00:00", "quick, 01 Jan 12:00:00"]
    until(qtbot, lambda: list(dock.panel.curves._others) == drawn)


def test_the_delete_key_asks(
    dock: TrainDock, session: Session, runs: list[Path], qtbot: Any
) -> None:
    tree = dock.panel.list.tree
    click_run(dock, 1, qtbot)
    asked = answer_question("Cancel")
    qtbot.keyClick(tree, Qt.Key.Key_Delete)
    assert len(asked) == 1
    assert "Delete the run" in asked[0]
    assert runs[1].exists()
    asked = answer_question("Delete")
    qtbot.keyClick(tree, Qt.Key.Key_Delete)
    assert len(asked) == 1
    until(qtbot, lambda: not runs[1].exists())
    until(qtbot, lambda: tree.topLevelItemCount() == 1)
    assert runs[0].exists()
    assert session.model == runs[0]


def test_enter_uses_the_chosen_run(
    dock: TrainDock, session: Session, runs: list[Path], qtbot: Any
) -> None:
    assert session.model == runs[0]
    tree = dock.panel.list.tree
    click_run(dock, 0, qtbot)
    qtbot.keyClick(tree, Qt.Key.Key_Down)
    assert session.model == runs[0]
    qtbot.keyClick(tree, Qt.Key.Key_Return)
    assert session.model == runs[1]
    item = tree.topLevelItem(1)
    assert item is not None
    assert item.font(0).bold()

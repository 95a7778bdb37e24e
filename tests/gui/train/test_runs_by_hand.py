"""The runs in the Train dock, with keys and clicks on the list itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QLineEdit, QStyle, QStyleOptionViewItem

from tests.gui.gestures import LEFT, until
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
    until(qtbot, lambda: [info.path for info in dock.panel._runs] == found)
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


def test_f2_renames_the_chosen_run(
    dock: TrainDock, session: Session, runs: list[Path], qtbot: Any
) -> None:
    tree = dock.panel.list.tree
    click_run(dock, 1, qtbot)
    qtbot.keyClick(tree, Qt.Key.Key_F2)
    field = tree.findChild(QLineEdit)
    assert field is not None
    field.selectAll()
    qtbot.keyClicks(field, "three slices")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    until(qtbot, lambda: not runs[1].exists())
    idle(session, qtbot)
    assert session.project is not None
    assert [info.name for info in session.project.runs()][1] == "three slices"
    until(qtbot, lambda: tree.topLevelItem(1).text(0) == "three slices")
    assert runs[0].exists()


def test_escape_leaves_the_name(dock: TrainDock, runs: list[Path], qtbot: Any) -> None:
    tree = dock.panel.list.tree
    click_run(dock, 1, qtbot)
    qtbot.keyClick(tree, Qt.Key.Key_F2)
    field = tree.findChild(QLineEdit)
    assert field is not None
    field.selectAll()
    qtbot.keyClicks(field, "another")
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert runs[1].exists()
    item = tree.topLevelItem(1)
    assert item is not None
    assert item.text(0) != "another"


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

"""The list of runs: what it shows, and what it asks for."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QLineEdit, QMenu

from napari_xseg.data.runs_list import RunInfo
from napari_xseg.gui.train.runs_list import DATE, DICE, NAME, SLICES, RunsList

if TYPE_CHECKING:
    from pathlib import Path

WHEN = datetime(2026, 3, 4, 15, 6)


@pytest.fixture
def runs(tmp_path: Path) -> list[RunInfo]:
    good = tmp_path / "20260304-150600-quick"
    good.mkdir()
    (good / "model.safetensors").touch()
    return [
        RunInfo(
            good,
            "quick",
            WHEN,
            dice_foreground=0.99214,
            dice={"pore": 0.98, "nickel": 0.99},
            slices=(5, 20, 50, 57),
            val_slices=(33,),
            steps=3100,
            seconds=60.2,
            recipe="quick",
            finished=True,
        ),
        RunInfo(tmp_path / "cut", "cut", WHEN, slices=(5,), recipe="quick"),
        RunInfo(tmp_path / "broken", "broken", WHEN, fault="config.toml is missing; delete it."),
        RunInfo(tmp_path / "going", "going", WHEN, recipe="quick", running=True),
    ]


@pytest.fixture
def shown(qtbot: Any, runs: list[RunInfo]) -> RunsList:
    made = RunsList()
    qtbot.addWidget(made)
    made.resize(340, 260)
    made.set_value(runs, unfinished=[runs[1].path], model=runs[0].path)
    made.show()
    return made


def click_row(shown: RunsList, row: int, qtbot: Any, x: int = 60) -> None:
    item = shown.tree.topLevelItem(row)
    assert item is not None
    viewport = shown.tree.viewport()
    at = QPoint(x, shown.tree.visualItemRect(item).center().y())
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=at)


def texts(shown: RunsList, row: int) -> list[str]:
    item = shown.tree.topLevelItem(row)
    assert item is not None
    return [item.text(column) for column in (NAME, DATE, DICE, SLICES)]


def enabled(shown: RunsList) -> set[str]:
    return {key for key, button in shown.buttons.items() if button.isEnabled()}


def test_shows_name_date_dice_and_slices(shown: RunsList, runs: list[RunInfo]) -> None:
    assert texts(shown, 0) == ["quick", "04 Mar 15:06", "99.21", "4"]
    assert texts(shown, 1)[2:] == ["-", "1"]
    assert texts(shown, 2)[2] == "broken"
    assert texts(shown, 3)[2] == "running"
    assert shown.value() == runs[0]  # the one in use
    item = shown.tree.topLevelItem(0)
    assert item is not None
    assert item.font(NAME).bold()


def test_says_all_of_the_selected_run(shown: RunsList, qtbot: Any) -> None:
    for words in ("slices 5,20,50,57", "slice 33", "3,100 steps in 60 s", "nickel 99.00 %"):
        assert words in shown.note.text()
    click_row(shown, 1, qtbot)
    assert "cut short" in shown.note.text()
    click_row(shown, 2, qtbot)
    assert shown.note.text() == "config.toml is missing; delete it."


def test_a_figure_from_training_slices_is_called_rough(runs: list[RunInfo], qtbot: Any) -> None:
    rough = RunInfo(runs[0].path, "r", WHEN, dice_foreground=0.9, slices=(3,), val_slices=(3,))
    shown = RunsList()
    qtbot.addWidget(shown)
    shown.set_value([rough], model=rough.path)
    assert "rough" in shown.note.text()


def test_a_class_without_pixels_has_no_figure(runs: list[RunInfo], qtbot: Any) -> None:
    dice = {"pore": 0.98, "class 3": math.nan}
    partly = RunInfo(runs[0].path, "p", WHEN, dice_foreground=0.98, dice=dice)
    never = RunInfo(runs[0].path, "n", WHEN, dice_foreground=math.nan, dice=dice)
    shown = RunsList()
    qtbot.addWidget(shown)
    shown.set_value([partly, never], model=partly.path)
    assert "pore 98.00 %, class 3 -)" in shown.note.text()
    assert texts(shown, 1)[2] == "-"
    assert "nan" not in shown.tree.topLevelItem(1).toolTip(0)  # type: ignore[union-attr]


def test_a_run_that_was_stopped_is_not_said_to_be_cut_short(
    runs: list[RunInfo], qtbot: Any
) -> None:
    shown = RunsList()
    qtbot.addWidget(shown)
    stopped, cut = runs[0], runs[1]
    shown.set_value([stopped, cut], unfinished=[stopped.path, cut.path], model=stopped.path)
    assert "stopped: Resume goes on with it" in shown.note.text()
    shown.show()
    click_row(shown, 1, qtbot)
    assert "cut short: Resume goes on with it" in shown.note.text()


def test_offers_what_can_be_done(shown: RunsList, qtbot: Any) -> None:
    assert enabled(shown) == {"use", "go_on", "rename", "reveal", "delete"}
    click_row(shown, 1, qtbot)
    assert enabled(shown) == {"resume", "rename", "reveal", "delete"}
    click_row(shown, 3, qtbot)
    assert enabled(shown) == {"reveal"}
    shown.set_busy(True)
    click_row(shown, 1, qtbot)
    assert enabled(shown) == {"rename", "reveal", "delete"}


@pytest.mark.parametrize("key", ["use", "go_on", "reveal", "delete"])
def test_buttons_ask(key: str, shown: RunsList, runs: list[RunInfo], qtbot: Any) -> None:
    with qtbot.waitSignal(shown.asked) as heard:
        qtbot.mouseClick(shown.buttons[key], Qt.MouseButton.LeftButton)
    assert heard.args == [key, runs[0]]


def test_keys_ask(shown: RunsList, runs: list[RunInfo], qtbot: Any) -> None:
    with qtbot.waitSignal(shown.asked) as heard:
        qtbot.keyClick(shown.tree, Qt.Key.Key_Delete)
    assert heard.args == ["delete", runs[0]]
    with qtbot.waitSignal(shown.asked) as heard:
        qtbot.keyClick(shown.tree, Qt.Key.Key_Return)
    assert heard.args == ["use", runs[0]]
    qtbot.keyClick(shown.tree, Qt.Key.Key_Down)
    assert shown.value() == runs[1]


def test_rename_in_place(shown: RunsList, runs: list[RunInfo], qtbot: Any) -> None:
    qtbot.keyClick(shown.tree, Qt.Key.Key_F2)
    field = shown.tree.findChild(QLineEdit)
    assert field is not None
    field.selectAll()
    qtbot.keyClicks(field, "five slices")
    with qtbot.waitSignal(shown.renamed) as heard:
        qtbot.keyClick(field, Qt.Key.Key_Return)
    assert heard.args == [runs[0], "five slices"]
    assert texts(shown, 0)[0] == "quick"  # until it is so


def test_ticked_runs_are_compared(shown: RunsList, runs: list[RunInfo], qtbot: Any) -> None:
    click_row(shown, 1, qtbot)
    with qtbot.waitSignal(shown.ticked):
        qtbot.keyClick(shown.tree, Qt.Key.Key_Space)
    assert shown.compared() == [runs[1]]
    shown.set_value(runs[:2])
    assert shown.compared() == [runs[1]]
    assert shown.value() == runs[1]  # the selection stays


def test_context_menu(shown: RunsList, runs: list[RunInfo], qtbot: Any) -> None:
    shown.tree.customContextMenuRequested.emit(QPoint(60, 10))
    menu = next(menu for menu in shown.findChildren(QMenu) if menu.isVisible())
    actions = {action.text().replace("&", ""): action for action in menu.actions()}
    assert not actions["Resume"].isEnabled()
    with qtbot.waitSignal(shown.asked) as heard:
        actions["Continue"].trigger()
    assert heard.args == ["go_on", runs[0]]
    menu.close()


def test_without_runs(shown: RunsList) -> None:
    shown.set_value([])
    assert shown.value() is None
    assert shown.note.text() == "Nothing was trained yet."
    assert enabled(shown) == set()

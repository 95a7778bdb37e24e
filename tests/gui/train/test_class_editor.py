"""The class table: renamed, recoloured, added to, taken from, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QColorDialog, QLineEdit

from napari_xseg.data.classes import COLOUR_BLIND, ClassTable
from napari_xseg.gui.train.class_editor import COLOUR, NAME, PIXELS, VALUE, ClassEditor
from tests.gui.hands import answer_question, when_up

TABLE = ClassTable.from_values([0, 128, 255])


class Heard:
    """What an editor emitted."""

    def __init__(self, editor: ClassEditor) -> None:
        self.tables: list[ClassTable] = []
        self.recodes: list[dict[int, int] | None] = []
        editor.edited.connect(self._take)

    def _take(self, table: ClassTable, recode: dict[int, int] | None) -> None:
        self.tables.append(table)
        self.recodes.append(recode)


@pytest.fixture
def editor(qtbot: Any) -> ClassEditor:
    made = ClassEditor()
    qtbot.addWidget(made)
    made.resize(340, 240)
    made.set_value(TABLE)
    made.set_pixels([0, 251_001, 7])
    made.show()
    return made


@pytest.fixture
def heard(editor: ClassEditor) -> Heard:
    return Heard(editor)


def text(editor: ClassEditor, row: int, column: int) -> str:
    item = editor.table.item(row, column)
    assert item is not None
    return item.text()


def type_into(editor: ClassEditor, row: int, column: int, words: str, qtbot: Any) -> None:
    """As a user does: select the cell, F2, type, Enter."""
    editor.table.setFocus()
    editor.table.setCurrentCell(row, column)
    qtbot.keyClick(editor.table, Qt.Key.Key_F2)
    finish_editing(editor, words, qtbot)


def finish_editing(editor: ClassEditor, words: str, qtbot: Any) -> None:
    field = editor.table.findChild(QLineEdit)
    assert isinstance(field, QLineEdit)
    field.selectAll()
    qtbot.keyClicks(field, words)
    with qtbot.waitSignal(field.destroyed):
        qtbot.keyClick(field, Qt.Key.Key_Return)


def test_shows_the_table(editor: ClassEditor) -> None:
    assert editor.value() == TABLE
    assert [text(editor, row, NAME) for row in range(3)] == ["class 0", "class 1", "class 2"]
    assert [text(editor, row, VALUE) for row in range(3)] == ["0", "128", "255"]
    assert [text(editor, row, PIXELS) for row in range(3)] == ["0", "251,001", "7"]
    assert not editor.fault.isVisible()


def test_counts_follow_without_a_word(editor: ClassEditor, heard: Heard) -> None:
    editor.set_pixels([5, 6, 7])
    assert text(editor, 0, PIXELS) == "5"
    assert heard.tables == []


def test_rename_and_revalue(editor: ClassEditor, heard: Heard, qtbot: Any) -> None:
    type_into(editor, 1, NAME, "nickel", qtbot)
    assert heard.tables[-1].names == ("class 0", "nickel", "class 2")
    type_into(editor, 2, VALUE, "200", qtbot)
    assert heard.tables[-1].values == (0, 128, 200)
    assert heard.recodes == [None, None]
    assert editor.value() == heard.tables[-1]


def test_a_class_may_have_the_value_of_what_is_not_labelled(
    editor: ClassEditor, heard: Heard, qtbot: Any
) -> None:
    type_into(editor, 1, VALUE, "1", qtbot)  # the unlabelled value of 0, 128, 255
    assert heard.tables[-1].values == (0, 1, 255)
    assert heard.tables[-1].unlabelled == 2
    assert heard.recodes == [None]
    assert editor.fault.text() == "In files 2 means 'not labelled' from here on."


@pytest.mark.parametrize(
    ("column", "words", "fault"),
    [
        (NAME, "class 0", "occurs 2 times"),
        (NAME, " ", "needs a name"),
        (VALUE, "0", "occurs 2 times"),
        (VALUE, "many", "whole number"),
    ],
)
def test_what_cannot_be_is_said_and_undone(
    column: int, words: str, fault: str, editor: ClassEditor, heard: Heard, qtbot: Any
) -> None:
    before = text(editor, 1, column)
    type_into(editor, 1, column, words, qtbot)
    assert fault in editor.fault.text()
    assert editor.fault.isVisible()
    assert text(editor, 1, column) == before
    assert text(editor, 1, PIXELS) == "251,001"
    assert heard.tables == []
    type_into(editor, 1, NAME, "pore", qtbot)
    assert not editor.fault.isVisible()


def test_add_gives_a_class_of_its_own_and_asks_for_its_name(
    editor: ClassEditor, heard: Heard, qtbot: Any
) -> None:
    qtbot.mouseClick(editor.add, Qt.MouseButton.LeftButton)
    table = heard.tables[-1]
    assert table.values == (0, 128, 255, 2)
    assert len(set(table.colours)) == 4
    finish_editing(editor, "crack", qtbot)
    assert heard.tables[-1].names[-1] == "crack"
    assert text(editor, 3, PIXELS) == "0"


def test_remove_an_empty_class(editor: ClassEditor, heard: Heard, qtbot: Any) -> None:
    editor.table.selectRow(0)
    qtbot.mouseClick(editor.remove, Qt.MouseButton.LeftButton)
    assert heard.tables[-1].names == ("class 1", "class 2")
    assert heard.recodes[-1] == {1: 0, 2: 1}
    assert [text(editor, row, PIXELS) for row in range(2)] == ["251,001", "7"]
    assert not editor.remove.isEnabled()  # two must stay


def test_remove_asks_where_pixels_are_labelled(
    editor: ClassEditor, heard: Heard, qtbot: Any
) -> None:
    editor.table.selectRow(1)
    answer_question("Cancel")
    qtbot.mouseClick(editor.remove, Qt.MouseButton.LeftButton)
    assert heard.tables == []
    answer_question("Remove")
    qtbot.mouseClick(editor.remove, Qt.MouseButton.LeftButton)
    assert heard.recodes == [{0: 0, 2: 1}]
    assert [text(editor, row, PIXELS) for row in range(2)] == ["0", "7"]


def test_colour_blind_set_with_one_click(editor: ClassEditor, heard: Heard, qtbot: Any) -> None:
    qtbot.mouseClick(editor.safe, Qt.MouseButton.LeftButton)
    assert heard.tables[-1].colours == COLOUR_BLIND[:3]


def test_colour_dialog(editor: ClassEditor, heard: Heard, qtbot: Any) -> None:
    def choose(dialog: QColorDialog) -> None:
        dialog.setCurrentColor(dialog.currentColor().fromRgb(1, 2, 3))
        dialog.accept()

    editor.table.setFocus()
    editor.table.setCurrentCell(2, COLOUR)
    when_up(QColorDialog, choose)
    qtbot.keyClick(editor.table, Qt.Key.Key_Return)
    assert heard.tables[-1].colours[2] == (1, 2, 3)


def test_a_colour_of_another_class_is_refused(
    editor: ClassEditor, heard: Heard, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qtpy.QtGui import QColor

    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor(255, 0, 0))
    editor.table.selectRow(1)
    editor._choose_colour()
    assert "#ff0000" in editor.fault.text()
    assert heard.tables == []


def test_twenty_classes_scroll(editor: ClassEditor) -> None:
    editor.set_value(ClassTable.from_values(range(20)))
    assert editor.table.rowCount() == 20
    assert editor.table.height() < 300
    assert text(editor, 19, PIXELS) == "0"


def test_the_table_is_full_at_254(editor: ClassEditor) -> None:
    editor.set_value(ClassTable.from_values(range(254)))
    assert not editor.add.isEnabled()

"""The table of classes: names, colours, values in files, and how much of each is labelled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QMessageBox,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.data.classes import COLOUR_BLIND, DEFAULT_COLOURS, MAX_CLASSES, ClassSpec
from napari_xseg.data.coding import smallest_unused
from napari_xseg.data.colours import hex_colour, pick_colours
from napari_xseg.errors import XsegError
from napari_xseg.gui.forms import swatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.colours import Colour

COLOUR, NAME, VALUE, PIXELS = range(4)
HEADS = ("", "Class", "Value", "Pixels")
TIPS = (
    "The colour in napari. Press Enter or double-click to choose another.",
    "The name. Press F2 or double-click to change it.",
    "The value in label files and masks. Press F2 or double-click to change it.",
    "How many pixels are labelled.",
)
SIDES = (
    Qt.AlignmentFlag.AlignHCenter,
    Qt.AlignmentFlag.AlignLeft,
    Qt.AlignmentFlag.AlignRight,
    Qt.AlignmentFlag.AlignRight,
)
# A network tells at least two classes apart.
FEWEST = 2
# Rows that are seen without scrolling, at least and at most.
ROWS = (3, 8)
# Pixels of a row.
ROW = 26


def ask(parent: QWidget, question: str, details: str, yes: str) -> bool:
    """Ask before something is lost; True where the button `yes` was pressed."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("napari-xseg")
    box.setText(question)
    box.setInformativeText(details)
    agreed = box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
    refused = box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(refused)
    box.exec()
    box.deleteLater()
    return box.clickedButton() is agreed


class ClassEditor(QWidget):
    """Shows a class table and lets it be changed; it holds nothing but what it was given.

    Each change is emitted by `edited(table, recode)`: `recode` says the new index of
    each old one where classes were removed, else it is None. What a table may not
    be is said in a line below, and the cell goes back to what it was.

    Parameters
    ----------
    count : callable, optional
        Gives the labelled pixels of each class as they are, asked before a class is
        removed; what `set_pixels` showed may be older.
    """

    edited = Signal(object, object)

    def __init__(
        self, count: Callable[[], Sequence[int]] | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._count = count
        self._classes: ClassTable | None = None
        self._pixels: list[int] = []
        self.table = self._make_table()
        self.fault = QLabel()
        self.fault.setWordWrap(True)
        self.fault.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.table)
        layout.addLayout(self._make_buttons())
        layout.addWidget(self.fault)

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, len(HEADS))
        table.setHorizontalHeaderLabels(HEADS)
        table.setToolTip("The classes; F2 or a double click changes a cell.")
        for column, tip in enumerate(TIPS):
            head = table.horizontalHeaderItem(column)
            assert head is not None
            head.setToolTip(tip)
        header, rows = table.horizontalHeader(), table.verticalHeader()
        assert header is not None
        assert rows is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(28)
        rows.setVisible(False)
        rows.setDefaultSectionSize(ROW)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        # Tab leaves the table, as in a form; the arrow keys move in it.
        table.setTabKeyNavigation(False)
        table.setAccessibleName("Classes")
        table.itemChanged.connect(self._on_item)
        table.cellActivated.connect(self._on_activated)
        table.itemSelectionChanged.connect(self._show_buttons)
        return table

    def _make_buttons(self) -> QHBoxLayout:
        self.add = QPushButton("A&dd")
        self.add.setToolTip("Add a class with a name, a colour and a value of its own.")
        self.add.clicked.connect(self._add)
        self.remove = QPushButton("Remove")
        self.remove.setToolTip(
            "Remove the selected class; asks where pixels are labelled with it. Two must stay."
        )
        self.remove.clicked.connect(self._remove)
        self.colours = QPushButton("Colours")
        self.colours.setToolTip("Give all classes the colours of a set.")
        self.safe = QPushButton("Colour-&blind set")
        self.safe.setToolTip("Colours that most colour-blind people tell apart (Okabe and Ito).")
        self.safe.clicked.connect(lambda: self._recolour(COLOUR_BLIND))
        menu = QMenu(self.colours)
        menu.addAction("Red, green, blue, ...", lambda: self._recolour(DEFAULT_COLOURS))
        menu.addAction("Choose for the selected class...", self._choose_colour)
        self.colours.setMenu(menu)
        row = QHBoxLayout()
        row.setSpacing(4)
        for widget in (self.add, self.remove, self.safe, self.colours):
            row.addWidget(widget)
        row.addStretch()
        return row

    # -- value --------------------------------------------------------------

    def value(self) -> ClassTable | None:
        """The table that is shown."""
        return self._classes

    def set_value(self, classes: ClassTable) -> None:
        """Show another table."""
        if classes == self._classes:
            return
        selected = self.selected
        self._classes = classes
        self._pixels = (self._pixels + [0] * len(classes))[: len(classes)]
        with QSignalBlocker(self.table):
            self.table.setRowCount(len(classes))
            for row, spec in enumerate(classes.classes):
                self._fill_row(row, spec)
        self._show_pixels()
        self._fit_height()
        if selected is not None:
            self.table.selectRow(min(selected, len(classes) - 1))
        self._say("")
        self._show_buttons()

    def set_pixels(self, pixels: Sequence[int]) -> None:
        """Show how many pixels of each class are labelled, by index."""
        self._pixels = [int(count) for count in pixels]
        self._show_pixels()

    @property
    def selected(self) -> int | None:
        """Index of the selected class."""
        rows = {item.row() for item in self.table.selectedItems()}
        return min(rows, default=None)

    # -- what is shown ------------------------------------------------------

    def _fill_row(self, row: int, spec: ClassSpec) -> None:
        """Show a class; items are kept, since one of them may be in the middle of an edit."""
        shown = self._item(row, COLOUR)
        shown.setIcon(swatch(spec.colour))
        shown.setToolTip(f"{hex_colour(spec.colour)}. {TIPS[COLOUR]}")
        self._item(row, NAME).setText(spec.name)
        self._item(row, VALUE).setText(str(spec.value))
        self._item(row, PIXELS)

    def _item(self, row: int, column: int) -> QTableWidgetItem:
        item = self.table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            item.setToolTip(TIPS[column])
            if column in (COLOUR, PIXELS):
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            item.setTextAlignment(SIDES[column] | Qt.AlignmentFlag.AlignVCenter)
            self.table.setItem(row, column, item)
        return item

    def _show_pixels(self) -> None:
        with QSignalBlocker(self.table):
            for row, count in enumerate(self._pixels[: self.table.rowCount()]):
                item = self.table.item(row, PIXELS)
                if item is not None:
                    item.setText(f"{count:,}")

    def _fit_height(self) -> None:
        header = self.table.horizontalHeader()
        assert header is not None
        rows = min(max(self.table.rowCount(), ROWS[0]), ROWS[1])
        frame = 2 * self.table.frameWidth()
        self.table.setFixedHeight(header.sizeHint().height() + rows * ROW + frame + 2)
        self.updateGeometry()

    def showEvent(self, event: Any) -> None:
        """Fit the rows, whose look is known when they are seen."""
        super().showEvent(event)
        self._fit_height()

    def _show_buttons(self) -> None:
        count = 0 if self._classes is None else len(self._classes)
        self.add.setEnabled(0 < count < MAX_CLASSES)
        self.remove.setEnabled(count > FEWEST and self.selected is not None)

    def _say(self, fault: str) -> None:
        self.fault.setText(fault)
        self.fault.setVisible(bool(fault))

    # -- changes ------------------------------------------------------------

    def _change(
        self, classes: Sequence[ClassSpec], recode: dict[int, int] | None = None, **more: Any
    ) -> bool:
        """Make and emit another table; where it may not be, say why and show the old one."""
        assert self._classes is not None
        try:
            table = replace(self._classes, classes=tuple(classes), **more)
        except XsegError as error:
            self._show_again()
            self._say(str(error))
            return False
        self._emit(table, recode)
        return True

    def _emit(self, table: ClassTable, recode: dict[int, int] | None = None) -> None:
        self.set_value(table)
        self.edited.emit(table, recode)

    def _show_again(self) -> None:
        assert self._classes is not None
        with QSignalBlocker(self.table):
            for row, spec in enumerate(self._classes.classes):
                self._fill_row(row, spec)
        self._show_pixels()

    def _replace(self, index: int, spec: ClassSpec) -> None:
        assert self._classes is not None
        specs = list(self._classes.classes)
        specs[index] = spec
        self._change(specs)

    def _on_item(self, item: QTableWidgetItem) -> None:
        if self._classes is None:
            return
        spec, text = self._classes.classes[item.row()], item.text().strip()
        if item.column() == NAME and text != spec.name:
            self._rename(item.row(), spec, text)
        elif item.column() == VALUE and text != str(spec.value):
            self._revalue(item.row(), spec, text)

    def _rename(self, index: int, spec: ClassSpec, name: str) -> None:
        if not name:
            self._show_again()
            self._say(f"Class {spec.name!r}: a class needs a name.")
            return
        self._replace(index, replace(spec, name=name))

    def _revalue(self, index: int, spec: ClassSpec, text: str) -> None:
        try:
            value = int(text)
        except ValueError:
            self._show_again()
            self._say(f"Class {spec.name!r}: {text!r} is no value; give a whole number.")
            return
        assert self._classes is not None
        specs = list(self._classes.classes)
        specs[index] = replace(spec, value=value)
        if value != self._classes.unlabelled:
            self._change(specs)
            return
        # 0 may be a phase: "not labelled" needs a value only because files have no other way.
        free = smallest_unused(one.value for one in specs)
        if self._change(specs, unlabelled=free):
            self._say(f"In files {free} means 'not labelled' from here on.")

    def _on_activated(self, row: int, column: int) -> None:
        if column == COLOUR:
            self.table.selectRow(row)
            self._choose_colour()

    def _choose_colour(self) -> None:
        index = self.selected
        if index is None or self._classes is None:
            self._say("Select a class first.")
            return
        spec = self._classes.classes[index]
        chosen = QColorDialog.getColor(
            QColor(*spec.colour),
            self,
            f"Colour of {spec.name}",
            QColorDialog.ColorDialogOption.DontUseNativeDialog,
        )
        if chosen.isValid():
            colour = (chosen.red(), chosen.green(), chosen.blue())
            self._replace(index, replace(spec, colour=colour))

    def _recolour(self, colours: Sequence[Colour]) -> None:
        if self._classes is not None:
            self._emit(self._classes.with_colours(colours))

    def _add(self) -> None:
        assert self._classes is not None
        specs = self._classes.classes
        names, values = {spec.name for spec in specs}, {spec.value for spec in specs}
        colours = {spec.colour for spec in specs} | {self._classes.unlabelled_colour}
        numbers = range(2 * MAX_CLASSES)
        name = next(f"class {n}" for n in numbers[len(specs) :] if f"class {n}" not in names)
        value = next(n for n in numbers if n not in values and n != self._classes.unlabelled)
        colour = next(c for c in pick_colours(len(specs) + 2) if c not in colours)
        if self._change((*specs, ClassSpec(name, value, colour))):
            self.table.selectRow(len(specs))
            item = self.table.item(len(specs), NAME)
            self.table.setFocus()
            self.table.setCurrentItem(item)
            self.table.editItem(item)

    def _remove(self) -> None:
        index = self.selected
        if index is None or self._classes is None or len(self._classes) <= FEWEST:
            return
        if self._count is not None:
            self.set_pixels(self._count())
        spec = self._classes.classes[index]
        pixels = self._pixels[index]
        details = f"Its {pixels:,} labelled pixels become unlabelled. This cannot be undone."
        if pixels and not ask(self, f"Remove the class {spec.name!r}?", details, "Remove"):
            return
        kept = [old for old in range(len(self._classes)) if old != index]
        del self._pixels[index]
        recode = {old: new for new, old in enumerate(kept)}
        self._change([self._classes.classes[old] for old in kept], recode)

"""The kinds of fault that can be named while scoring, each with its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.errors import XsegError
from napari_xseg.review.scoring.faults import DEFAULT_FAULTS, FaultKind, check_faults

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME, KEY = range(2)
_TIPS = (
    "What it is called. F2 or a double click changes it.",
    "The letter that names it while scoring. F2 or a double click changes it.",
)
_ROW = 24
_ROWS = (3, 7)


class FaultTable(QWidget):
    """Edits kinds of fault; emits `value_changed` when they can be used as they are.

    What they may not be is said below, and the cell goes back to what it was.
    """

    value_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._faults: tuple[FaultKind, ...] = DEFAULT_FAULTS
        self.table = QTableWidget(0, 2)
        self.table.setAccessibleName("Kinds of fault")
        self.table.setToolTip("Kinds of fault and their keys; F2 or a double click changes one.")
        self.table.setHorizontalHeaderLabels(["Kind of fault", "Key"])
        self.table.setTabKeyNavigation(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header, rows = self.table.horizontalHeader(), self.table.verticalHeader()
        assert header is not None
        assert rows is not None
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(KEY, QHeaderView.ResizeMode.ResizeToContents)
        rows.setVisible(False)
        rows.setDefaultSectionSize(_ROW)
        self.table.itemChanged.connect(self._on_item)
        self.fault = QLabel()
        self.fault.setWordWrap(True)
        self.fault.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.table)
        layout.addLayout(self._make_buttons())
        layout.addWidget(self.fault)
        self._show()

    def _make_buttons(self) -> QHBoxLayout:
        self.add = QPushButton("Add")
        self.add.setToolTip("Add a kind of fault.")
        self.add.clicked.connect(self._add)
        self.remove = QPushButton("Remove")
        self.remove.setToolTip("Offer the selected kind no more; scores that name it keep it.")
        self.remove.clicked.connect(self._remove)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.add)
        row.addWidget(self.remove)
        row.addStretch()
        return row

    def value(self) -> tuple[FaultKind, ...]:
        """The kinds as they are shown."""
        return self._faults

    def set_value(self, faults: Sequence[FaultKind]) -> None:
        """Show other kinds."""
        if tuple(faults) != self._faults:
            self._faults = tuple(faults)
            self._show()

    # -- inside -------------------------------------------------------------

    def _show(self) -> None:
        with QSignalBlocker(self.table):
            self.table.setRowCount(len(self._faults))
            for row, kind in enumerate(self._faults):
                for column, text in ((NAME, kind.name), (KEY, kind.key)):
                    self._item(row, column).setText(text)
        header = self.table.horizontalHeader()
        assert header is not None
        rows = min(max(len(self._faults), _ROWS[0]), _ROWS[1])
        self.table.setFixedHeight(header.sizeHint().height() + rows * _ROW + 4)

    def _item(self, row: int, column: int) -> QTableWidgetItem:
        item = self.table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            item.setToolTip(_TIPS[column])
            if column == KEY:
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            self.table.setItem(row, column, item)
        return item

    def _on_item(self, item: QTableWidgetItem) -> None:
        kind, text = self._faults[item.row()], item.text().strip()
        changed = FaultKind(text, kind.key) if item.column() == NAME else FaultKind(kind.name, text)
        if changed != kind:
            kinds = list(self._faults)
            kinds[item.row()] = changed
            self._change(kinds)

    def _change(self, kinds: Sequence[FaultKind]) -> bool:
        fault = ""
        try:
            check_faults(kinds)
        except XsegError as error:
            fault = str(error)
        else:
            self._faults = tuple(kinds)
        self._show()
        self.fault.setText(fault)
        self.fault.setVisible(bool(fault))
        if not fault:
            self.value_changed.emit()
        return not fault

    def _add(self) -> None:
        names = {kind.name.casefold() for kind in self._faults}
        keys = {kind.key.casefold() for kind in self._faults} | {"u"}
        letters = [letter for letter in "abcdefghijklmnopqrstvwxyz" if letter not in keys]
        name = next(f"fault {n}" for n in range(1, 99) if f"fault {n}" not in names)
        if letters and self._change((*self._faults, FaultKind(name, letters[0]))):
            item = self.table.item(len(self._faults) - 1, NAME)
            self.table.setFocus()
            self.table.setCurrentItem(item)
            self.table.editItem(item)

    def _remove(self) -> None:
        row = self.table.currentRow()
        if 0 <= row < len(self._faults):
            self._change([kind for at, kind in enumerate(self._faults) if at != row])

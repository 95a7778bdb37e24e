"""The experiments that the project holds already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_xseg.gui.experiments.found import Found

HEADS, TIPS = (
    ("experiment", "budget", "done"),
    ("Its folder.", "How much time it was given.", "Trainings that are over, of all."),
)
HEIGHT = 110


class FoundList(QWidget):
    """Lists experiments on disk; `asked` tells "show" or "go_on", and the `Found`."""

    asked = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._found: list[Found] = []
        self._busy = False
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels(HEADS)
        self.tree.setRootIsDecorated(False)
        self.tree.setUniformRowHeights(True)
        self.tree.setFixedHeight(HEIGHT)
        self.tree.setAccessibleName("Experiments")
        self.tree.setToolTip("Experiments of this project.")
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header, head = self.tree.header(), self.tree.headerItem()
        assert header is not None
        assert head is not None
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, tip in enumerate(TIPS):
            head.setToolTip(column, tip)
        self.show_one = QPushButton("Show")
        self.show_one.setToolTip("Look at what this experiment has found.")
        self.go_on = QPushButton("Go on")
        self.go_on.setToolTip("Do what is left of this experiment, from where it was.")
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.show_one)
        row.addWidget(self.go_on)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.tree)
        layout.addLayout(row)
        self.tree.itemSelectionChanged.connect(self._show_buttons)
        self.tree.itemActivated.connect(lambda *_: self.show_one.click())
        self.show_one.clicked.connect(lambda: self._ask("show"))
        self.go_on.clicked.connect(lambda: self._ask("go_on"))
        self._show_buttons()

    def set_value(self, found: Sequence[Found]) -> None:
        """List experiments; the selected one stays so."""
        selected = self.value()
        self._found = list(found)
        with QSignalBlocker(self.tree):
            self.tree.clear()
            for one in found:
                texts = [one.folder.name, one.budget, f"{one.done}/{one.total}"]
                item = QTreeWidgetItem(texts if not one.fault else [one.folder.name, "", "broken"])
                item.setTextAlignment(2, Qt.AlignmentFlag.AlignRight)
                for column in range(len(HEADS)):
                    item.setToolTip(column, one.fault or ", ".join(one.plans))
                self.tree.addTopLevelItem(item)
        if selected is not None:
            self.select(selected.folder)
        self._show_buttons()

    def value(self) -> Found | None:
        """The selected one."""
        items = self.tree.selectedItems()
        row = self.tree.indexOfTopLevelItem(items[0]) if items else -1
        return self._found[row] if 0 <= row < len(self._found) else None

    def select(self, folder: Path) -> None:
        """Select the one in that folder."""
        for row, one in enumerate(self._found):
            if one.folder == folder:
                self.tree.setCurrentItem(self.tree.topLevelItem(row))

    def set_busy(self, busy: bool) -> None:
        """Say whether one runs: no other can be looked at or gone on with then."""
        self._busy = busy
        self._show_buttons()

    def _show_buttons(self) -> None:
        one = self.value()
        free = one is not None and not one.fault and not self._busy
        self.show_one.setEnabled(free)
        self.go_on.setEnabled(free and one is not None and not one.complete)

    def _ask(self, what: str) -> None:
        one = self.value()
        if one is not None:
            self.asked.emit(what, one)

"""What the values of a Labels layer mean that another program, or napari itself, has made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.data.classes import ClassTable
from napari_xseg.errors import XsegError
from napari_xseg.gui.forms import Choice, swatch

if TYPE_CHECKING:
    from collections.abc import Sequence

ALL_CLASSES = "none: every value is a class"


def label_values(data: Any) -> tuple[int, ...]:
    """The values in an array (z, y, x) or (y, x) of labels, rising; read slice by slice."""
    found: set[int] = set()
    for plane in data if data.ndim == 3 else [data]:
        found.update(np.unique(np.asarray(plane)).tolist())
    return tuple(sorted(int(value) for value in found))


class ConvertDialog(QDialog):
    """Asks which values are classes, what they are called, and which means not labelled.

    Parameters
    ----------
    name : str
        The layer's.
    values : sequence of int
        Found in it, rising.

    Raises
    ------
    XsegError
        More values than there can be classes.
    """

    def __init__(self, name: str, values: Sequence[int], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values = tuple(values)
        if not set(self._values) - {0}:
            raise XsegError(f"layer {name!r}: nothing is labelled in it; press New instead.")
        ClassTable.from_values(self._values, source=f"layer {name!r}")
        self.setWindowTitle("Labels of another program")
        self.unlabelled = Choice()
        self.unlabelled.addItem(ALL_CLASSES, None)
        for value in self._values:
            self.unlabelled.addItem(str(value), value)
        # In napari's own Labels layers 0 is where nobody has painted.
        self.unlabelled.setCurrentIndex(max(self.unlabelled.findData(0), 0))
        self.unlabelled.setToolTip(
            "Pixels of this value take no part in training. 0 may be a phase in label files."
        )
        self.table = QTableWidget(0, 2)
        self.table.setToolTip("Double click a name to change it.")
        self.unlabelled.currentIndexChanged.connect(self._fill)
        self._lay_out(name)
        self._fill()

    def value(self) -> ClassTable:
        """The class table as it was said."""
        unlabelled = self.unlabelled.currentData()
        table = ClassTable.from_values(self._values, unlabelled=unlabelled)
        names = [self._text(row) or spec.name for row, spec in enumerate(table.classes)]
        specs = zip(table.classes, names, strict=True)
        return replace(table, classes=tuple(replace(spec, name=name) for spec, name in specs))

    def accept(self) -> None:
        """Close, where the table is one."""
        try:
            self.value()
        except XsegError as error:
            self.fault.setText(str(error))
            self.fault.show()
        else:
            super().accept()

    def _text(self, row: int) -> str:
        item = self.table.item(row, 1)
        return "" if item is None else item.text().strip()

    def _fill(self, _: int = 0) -> None:
        table = ClassTable.from_values(self._values, unlabelled=self.unlabelled.currentData())
        self.table.setRowCount(len(table))
        for row, spec in enumerate(table.classes):
            value = QTableWidgetItem(swatch(spec.colour), str(spec.value))
            value.setFlags(value.flags() & ~Qt.ItemFlag.ItemIsEditable)
            self.table.setItem(row, 0, value)
            self.table.setItem(row, 1, QTableWidgetItem(spec.name))

    def _lay_out(self, name: str) -> None:
        self.table.setHorizontalHeaderLabels(["value", "class"])
        header, rows = self.table.horizontalHeader(), self.table.verticalHeader()
        assert header is not None
        assert rows is not None
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        rows.setVisible(False)
        intro = QLabel(
            f"The layer {name!r} does not say what its values mean. Its labels are copied into "
            "the project; the layer itself stays as it is."
        )
        intro.setWordWrap(True)
        self.fault = QLabel()
        self.fault.setWordWrap(True)
        self.fault.hide()
        form = QFormLayout()
        form.addRow("&Not labelled", self.unlabelled)
        ok, cancel = QDialogButtonBox.StandardButton.Ok, QDialogButtonBox.StandardButton.Cancel
        buttons = QDialogButtonBox(ok | cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(intro)
        layout.addLayout(form)
        layout.addWidget(self.table)
        layout.addWidget(self.fault)
        layout.addWidget(buttons)

"""How much of a mask each class takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_xseg.data.classes import ClassTable
from napari_xseg.errors import XsegError
from napari_xseg.gui.forms import swatch
from napari_xseg.prediction.sidecar import read_sidecar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Rows that are seen without scrolling.
SHOWN = 7
ROW = 22


class FractionsTable(QTableWidget):
    """One row a class: its colour and name, and its share of the predicted pixels."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 2, parent)
        self.setHorizontalHeaderLabels(["class", "fraction"])
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ContiguousSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setToolTip("Phase fractions: shares of the predicted pixels, all slices pooled.")
        rows, header = self.verticalHeader(), self.horizontalHeader()
        assert rows is not None
        assert header is not None
        rows.setVisible(False)
        rows.setDefaultSectionSize(ROW)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.setVisible(False)

    def set_value(self, classes: ClassTable, fractions: Mapping[str, float]) -> None:
        """Show the shares by class name; classes without one are left out."""
        rows = [spec for spec in classes.classes if spec.name in fractions]
        self.setRowCount(len(rows))
        for row, spec in enumerate(rows):
            share = QTableWidgetItem(f"{100 * fractions[spec.name]:.2f} %")
            share.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.setItem(row, 0, QTableWidgetItem(swatch(spec.colour), spec.name))
            self.setItem(row, 1, share)
        self._fit()
        self.setVisible(bool(rows))

    def show_mask(self, path: Path) -> None:
        """Show what the file beside a mask says; nothing where it says nothing."""
        told = read_sidecar(path) or {}
        try:
            classes = ClassTable.from_dict(told.get("classes") or {}, str(path))
            pooled = (told.get("fractions") or {}).get("pooled") or {}
            shares = {name: float(share) for name, share in pooled.items() if share is not None}
        except (XsegError, AttributeError, TypeError, ValueError):
            self.setVisible(False)
            return
        self.set_value(classes, shares)

    def _fit(self) -> None:
        rows, header = self.verticalHeader(), self.horizontalHeader()
        assert rows is not None
        assert header is not None
        seen = min(self.rowCount(), SHOWN) * rows.defaultSectionSize()
        self.setFixedHeight(header.sizeHint().height() + seen + 2 * self.frameWidth() + 2)

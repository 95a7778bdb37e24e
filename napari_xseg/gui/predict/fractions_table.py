"""How much of a mask or a slice each class takes, and of which one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.slices import format_slices
from napari_xseg.errors import XsegError
from napari_xseg.gui.forms import swatch
from napari_xseg.gui.predict.kept_masks import KeptMask, kept_mask
from napari_xseg.prediction.sidecar import read_sidecar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Rows that are seen without scrolling.
SHOWN = 7
ROW = 22


class Fractions(QWidget):
    """A table of fractions, and above it whose they are; not seen while there are none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.of = QLabel()
        self.of.setWordWrap(True)
        self.of.setToolTip("Whose fractions these are: the mask or the slice.")
        self.table = FractionsTable()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.of)
        layout.addWidget(self.table)
        self.clear()

    def set_value(self, of: str, classes: ClassTable, fractions: Mapping[str, float]) -> None:
        """Show the shares by class name; classes without one are left out."""
        self.of.setText(of)
        self.table.set_value(classes, fractions)
        self.setVisible(self.table.rowCount() > 0)

    def show_mask(self, path: Path) -> None:
        """Show what the file beside a mask says; nothing where it says nothing."""
        told = read_sidecar(path) or {}
        try:
            classes = ClassTable.from_dict(told.get("classes") or {}, str(path))
            pooled = (told.get("fractions") or {}).get("pooled") or {}
            shares = {name: float(share) for name, share in pooled.items() if share is not None}
        except (XsegError, AttributeError, TypeError, ValueError):
            self.clear()
            return
        self.set_value(mask_words(kept_mask(path)), classes, shares)

    def clear(self) -> None:
        """Show nothing: there is another image, or other figures are being made."""
        self.of.setText("")
        self.table.setRowCount(0)
        self.setVisible(False)


def mask_words(mask: KeptMask) -> str:
    """Whose fractions those of a mask are."""
    slices = format_slices(mask.done)
    return f"Fractions in {mask.title}" + (f", slices {slices}" if slices else "")


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

    def set_value(self, classes: ClassTable, fractions: Mapping[str, float]) -> None:
        """Show the shares by class name; classes without one are left out."""
        shown = {name: share for name, share in fractions.items() if not math.isnan(share)}
        rows = [spec for spec in classes.classes if spec.name in shown]
        self.setRowCount(len(rows))
        for row, spec in enumerate(rows):
            share = QTableWidgetItem(f"{100 * shown[spec.name]:.2f} %")
            share.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.setItem(row, 0, QTableWidgetItem(swatch(spec.colour), spec.name))
            self.setItem(row, 1, share)
        self._fit()

    def _fit(self) -> None:
        rows, header = self.verticalHeader(), self.horizontalHeader()
        assert rows is not None
        assert header is not None
        seen = min(self.rowCount(), SHOWN) * rows.defaultSectionSize()
        self.setFixedHeight(header.sizeHint().height() + seen + 2 * self.frameWidth() + 2)

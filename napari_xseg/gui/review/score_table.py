"""Dice, IoU, precision and recall of each class, and their means, as a small table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QTableWidget, QTableWidgetItem, QWidget

from napari_xseg import metrics
from napari_xseg.gui.review.heat_map import short_count
from napari_xseg.review.evaluation import percent

if TYPE_CHECKING:
    from napari_xseg.data.classes import ClassTable
    from napari_xseg.metrics import Counts

HEADERS = ("in %", "Dice", "IoU", "prec.", "recall", "pixels")
_TIPS = (
    "Figures of each class in percent, then means over classes",
    "2 TP / (2 TP + FP + FN)",
    "TP / (TP + FP + FN)",
    "Precision: share of the pixels predicted as the class that are of it",
    "Recall: share of the pixels of the class that are predicted as it",
    "Scored pixels of the class in the truth",
)
_WIDTHS = (0, 42, 42, 42, 44, 56)
_MEANS = (
    ("foreground", metrics.dice_foreground, "mean Dice but class 0"),
    ("all", metrics.dice_all, "mean Dice of all classes"),
    ("accuracy", metrics.accuracy, "share of pixels that are right"),
)
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_ROW_HEIGHT = 20
_MOST_ROWS = 12


class ScoreTable(QTableWidget):
    """The figures of pooled counts; shown, never edited."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(HEADERS), parent)
        self.setHorizontalHeaderLabels(HEADERS)
        for column, tip in enumerate(_TIPS):
            header = self.horizontalHeaderItem(column)
            assert header is not None
            header.setToolTip(tip)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setIconSize(QSize(10, 10))
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setToolTip("Scores of each class.")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("scores of each class")
        upright, across = self.verticalHeader(), self.horizontalHeader()
        assert upright is not None
        assert across is not None
        upright.hide()
        upright.setMinimumSectionSize(_ROW_HEIGHT)
        upright.setDefaultSectionSize(_ROW_HEIGHT)
        across.setMinimumSectionSize(20)
        for column, width in enumerate(_WIDTHS[1:], 1):
            self.setColumnWidth(column, width)
        across.setSectionResizeMode(0, across.ResizeMode.Stretch)

    def set_counts(self, counts: Counts | None, classes: ClassTable | None) -> None:
        """Show the figures of counts, int64 (C, C), rows the truth; none with None."""
        if counts is None or classes is None:
            self.setRowCount(0)
            return
        self.clearSpans()
        self.setRowCount(len(classes) + len(_MEANS))
        columns = [function(counts) for function in _COLUMNS]
        pixels = counts.sum(axis=1)
        for index, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True)):
            figures = [_short(percent(float(column[index]))) for column in columns]
            self._fill(index, [name, *figures, short_count(int(pixels[index]))], name)
            swatch = QPixmap(10, 10)
            swatch.fill(QColor(*colour))
            self._item(index, 0).setIcon(QIcon(swatch))
        for row, (name, function, tip) in enumerate(_MEANS, len(classes)):
            self._fill(row, [name, percent(function(counts)), tip, "", "", ""], tip)
            self.setSpan(row, 2, 1, len(HEADERS) - 2)
            self._item(row, 2).setTextAlignment(_LEFT)
        self._fit()

    def _fill(self, row: int, texts: list[str], tip: str) -> None:
        for column, text in enumerate(texts):
            item = self._item(row, column)
            item.setText(text)
            item.setIcon(QIcon())
            if column:
                item.setTextAlignment(_RIGHT)
            else:
                item.setToolTip(tip)

    def _item(self, row: int, column: int) -> QTableWidgetItem:
        item = self.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            self.setItem(row, column, item)
        return item

    def _fit(self) -> None:
        header = self.horizontalHeader()
        assert header is not None
        rows = min(self.rowCount(), _MOST_ROWS)
        self.setFixedHeight(rows * _ROW_HEIGHT + max(header.sizeHint().height(), 22) + 6)


def _short(figure: str) -> str:
    """A figure that fits its narrow column."""
    return "100" if figure == "100.00" else figure


_COLUMNS = (metrics.dice, metrics.iou, metrics.precision, metrics.recall)

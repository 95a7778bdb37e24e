"""What the scores say, table by table, with a plot where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.gui.forms import Choice, allow
from napari_xseg.review.scoring.reading import distinct_titles

if TYPE_CHECKING:
    from napari_xseg.gui.scoring.summing import Summed
    from napari_xseg.review.scoring.tables import Table

_ROW = 24
_ROWS = (2, 8)
_HIDDEN = "A blind session is under way: masks have neutral names until it is over."
_BUTTONS = (
    ("report", "&Report...", "Write a page with all tables and plots, and each table as CSV."),
    ("open", "&Open it", "Open the report that was written last."),
    ("export", "Export &CSV...", "Write every score as a line of a CSV file."),
    (
        "import",
        "I&mport...",
        "Take over another reviewer's file of scores, from the reviews folder of their project.",
    ),
)


class SummaryPanel(QWidget):
    """Shows a `Summed`; what is wanted comes by signals."""

    asked = Signal(str)  # one of the buttons' names
    session_chosen = Signal(str)  # its uid; empty for all

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._summed: Summed | None = None
        self.session = Choice()
        self.session.setToolTip("Which scores take part.")
        self.session.currentIndexChanged.connect(
            lambda _: self.session_chosen.emit(self.session.currentData() or "")
        )
        self.chosen = Choice()
        self.chosen.setToolTip("Which table is shown.")
        self.chosen.currentIndexChanged.connect(self._show_table)
        self.told = _words()
        self.note = _words()
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.table = self._make_table()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.which = _row("&Table", self.chosen)
        for widget in (
            *(_row("Score&s of", self.session), self.told, self.which),
            *(self.note, self.table, self.picture),
        ):
            layout.addWidget(widget)
        layout.addLayout(self._make_buttons())

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, 0)
        table.setAccessibleName("Summary")
        table.setToolTip("What the scores of all reviewers say.")
        table.setTabKeyNavigation(False)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        header, rows = table.horizontalHeader(), table.verticalHeader()
        assert header is not None
        assert rows is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        rows.setVisible(False)
        rows.setDefaultSectionSize(_ROW)
        return table

    def _make_buttons(self) -> QGridLayout:
        self.buttons: dict[str, QPushButton] = {}
        grid = QGridLayout()
        grid.setSpacing(4)
        for place, (name, text, tip) in enumerate(_BUTTONS):
            button = self.buttons[name] = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(lambda _, name=name: self.asked.emit(name))
            grid.addWidget(button, place // 2, place % 2)
        self._allow_files(False)
        self.set_report(False)
        return grid

    # -- showing ------------------------------------------------------------

    def set_summed(self, summed: Summed) -> None:
        """Show what scores say."""
        self._summed = summed
        self._show_sessions(summed)
        said = list(summed.headlines) or ["Nothing is scored yet."]
        said += [_HIDDEN] if summed.summary.hidden else []
        self.told.setText("\n".join([*said, *summed.faults]))
        before = self.chosen.currentData()
        with QSignalBlocker(self.chosen):
            self.chosen.clear()
            for name, table in summed.tables.items():
                self.chosen.addItem(table.title, name)
            self.chosen.setCurrentIndex(max(self.chosen.findData(before), 0))
        self._show_table()
        self._allow_files(bool(summed.rows))

    def set_report(self, written: bool) -> None:
        """Say that there is a report to be opened."""
        allow(self.buttons["open"], "" if written else "No report was written yet.")

    # -- inside -------------------------------------------------------------

    def _allow_files(self, scored: bool) -> None:
        for name in ("report", "export"):
            allow(self.buttons[name], "" if scored else "Nothing is scored yet.")

    def _show_sessions(self, summed: Summed) -> None:
        before = self.session.currentData() or ""
        with QSignalBlocker(self.session):
            self.session.clear()
            self.session.addItem("all sessions", "")
            sessions = sorted(summed.scores.sessions(), key=lambda one: one.created, reverse=True)
            titles = distinct_titles(sessions)
            for one in sessions:
                self.session.addItem(f"{one.reviewer}: {titles[one.uid]}", one.uid)
            self.session.setCurrentIndex(max(self.session.findData(before), 0))

    def _show_table(self, _: int = 0) -> None:
        name = self.chosen.currentData()
        table = None if self._summed is None else self._summed.tables.get(name)
        for widget in (self.note, self.table, self.picture, self.which):
            widget.setVisible(table is not None)
        if table is None or self._summed is None:
            return
        self.note.setText(table.note)
        self._fill(table)
        png = self._summed.pictures.get(name)
        self.picture.setVisible(png is not None)
        if png is not None:
            drawn = QPixmap()
            drawn.loadFromData(png)
            drawn.setDevicePixelRatio(self._summed.sharpness)
            self.picture.setPixmap(drawn)
            self.picture.setAccessibleName(table.title)

    def _fill(self, table: Table) -> None:
        self.table.setColumnCount(len(table.header))
        self.table.setHorizontalHeaderLabels(list(table.header))
        self.table.setRowCount(len(table.rows))
        for row, cells in enumerate(table.rows):
            for column, text in enumerate(cells):
                item = QTableWidgetItem(text)
                item.setToolTip(f"{table.header[column]}: {text}")
                self.table.setItem(row, column, item)
        header = self.table.horizontalHeader()
        assert header is not None
        rows = min(max(len(table.rows), _ROWS[0]), _ROWS[1])
        bar = self.table.horizontalScrollBar()
        assert bar is not None
        height = header.sizeHint().height() + rows * _ROW + bar.sizeHint().height() + 4
        self.table.setFixedHeight(height)


def _words() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _row(text: str, field: QWidget) -> QWidget:
    label = QLabel(text)
    label.setBuddy(field)
    row = QWidget()
    inner = QHBoxLayout(row)
    inner.setContentsMargins(0, 0, 0, 0)
    inner.setSpacing(4)
    inner.addWidget(label)
    inner.addWidget(field, 1)
    return row

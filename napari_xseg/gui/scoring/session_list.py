"""The sessions of a project: whose, how far, and to be gone on with."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
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

from napari_xseg.errors import XsegError
from napari_xseg.review.scoring.names import tidy_name
from napari_xseg.review.scoring.reading import distinct_titles

if TYPE_CHECKING:
    from napari_xseg.review.scoring.reading import AllScores
    from napari_xseg.review.scoring.values import Session

_UID = Qt.ItemDataRole.UserRole
_HEADS = ("Session", "Reviewer", "Scored")
_HEIGHT = 96


class SessionList(QWidget):
    """Shows sessions, latest first; what is wanted with one comes by signals, with its uid."""

    go_on_asked = Signal(str)
    end_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sessions: dict[str, Session] = {}
        self._reviewer = ""
        self.list = QTreeWidget()
        self.list.setHeaderLabels(list(_HEADS))
        self.list.setRootIsDecorated(False)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setToolTip("Sessions of this project. A double click or Enter goes on with one.")
        self.list.setAccessibleName("Sessions")
        self.list.setFixedHeight(_HEIGHT)
        header = self.list.header()
        assert header is not None
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.list.itemSelectionChanged.connect(self._show_buttons)
        self.list.itemActivated.connect(lambda *_: self._go_on())
        self.go_on = QPushButton("&Go on")
        self.go_on.setToolTip("Go on with the selected session of yours, where it was left.")
        self.go_on.clicked.connect(self._go_on)
        self.end = QPushButton("En&d")
        self.end.setToolTip(
            "End the selected session of yours for good: its scores stand as they are, and the "
            "masks of a blind session get their names back."
        )
        self.end.clicked.connect(lambda: self.end_asked.emit(self.value()))
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        buttons.addWidget(self.go_on)
        buttons.addWidget(self.end)
        buttons.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.list)
        layout.addLayout(buttons)
        self._show_buttons()

    def value(self) -> str:
        """The uid of the selected session; empty without one."""
        item = self.list.currentItem()
        return str(item.data(0, _UID)) if item is not None and item.isSelected() else ""

    def select(self, uid: str) -> None:
        """Select a session; nothing where it is not there."""
        for row in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(row)
            if item is not None and item.data(0, _UID) == uid:
                self.list.setCurrentItem(item)

    def own(self) -> list[Session]:
        """The sessions of the reviewer who looks, oldest first."""
        mine = [one for one in self._sessions.values() if one.reviewer == self._name]
        return sorted(mine, key=lambda one: one.created)

    def set_reviewer(self, reviewer: str) -> None:
        """Say who looks: sessions of others cannot be gone on with."""
        self._reviewer = reviewer
        self._show_buttons()

    def set_sessions(self, scores: AllScores) -> None:
        """Show other sessions; the first unfinished one of the reviewer is selected at first."""
        chosen = self.value()
        self.list.clear()
        self._sessions = {one.uid: one for one in scores.sessions()}
        rows = [(one, file) for file in scores.files for one in file.sessions]
        titles = distinct_titles(self._sessions.values())
        for session, file in sorted(rows, key=lambda row: row[0].created, reverse=True):
            done = len(file.kept[session.uid])
            ended = " ended" if session.closed else ""
            item = QTreeWidgetItem(
                [titles[session.uid], session.reviewer, f"{done} of {len(session.items)}{ended}"]
            )
            item.setData(0, _UID, session.uid)
            item.setToolTip(0, f"{titles[session.uid]}: {session.plan.words()}")
            self.list.addTopLevelItem(item)
            if not chosen and session.reviewer == self._name and not file.is_finished(session):
                chosen = session.uid
        self.select(chosen)
        self.setVisible(bool(rows))
        self._show_buttons()

    # -- inside -------------------------------------------------------------

    @property
    def _name(self) -> str:
        with suppress(XsegError):
            return tidy_name(self._reviewer)
        return ""

    def _go_on(self) -> None:
        if self.go_on.isEnabled():
            self.go_on_asked.emit(self.value())

    def _show_buttons(self) -> None:
        session = self._sessions.get(self.value())
        mine = session is not None and session.reviewer == self._name and session.closed is None
        self.go_on.setEnabled(mine)
        self.end.setEnabled(mine)

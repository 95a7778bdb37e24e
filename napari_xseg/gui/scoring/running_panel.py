"""The item that is scored: how far, how long, what was said, and a button for each key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.review.scoring.values import SCORES
from napari_xseg.review.suspects.table import KIND_WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtpy.QtGui import QKeyEvent

    from napari_xseg.gui.scoring.draft import Draft
    from napari_xseg.gui.scoring.preparing import Opened
    from napari_xseg.review.scoring.values import Item, Kept, Mark

_WORDS = (
    "useless",
    "much to mend",
    "usable with some mending",
    "good enough for the purpose",
    "nothing to mend",
)
_LARGE = 1.6
_KEYS = (
    "Keys: 1 to 5 and the letters above, Space next, Backspace back, U undo, Enter note, full stop "
    "mark, V hides and shows the mask, Esc leaves."
)
_STEPS = (
    ("back", "Back", "Go to the item before (Backspace)."),
    ("undo", "Undo", "Take back the last change (U)."),
    ("leave", "Leave", "Leave the session, to be gone on with later (Esc)."),
    ("next", "Next", "Go to the next item; what was said is on disk by then (Space)."),
)


class NoteField(QLineEdit):
    """A line of text that Enter and Esc leave; keys written here are no scores."""

    left = Signal()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Leave at Enter or Esc."""
        keys = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape)
        if event is not None and event.key() in keys:
            event.accept()
            self.left.emit()
            return
        super().keyPressEvent(event)


class RunningPanel(QWidget):
    """Shows an item and what is said of it; what the user does comes by signals."""

    scored = Signal(int)
    fault_toggled = Signal(str)  # its key
    noted = Signal(str)
    note_left = Signal()
    mark_asked = Signal(bool)
    unmark_asked = Signal()
    asked = Signal(str)  # "back", "undo", "leave" or "next"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.faults: dict[str, QPushButton] = {}
        self.where = QLabel()
        self.what = QLabel()
        keys = QLabel(_KEYS)
        for label in (self.where, self.what, keys):
            label.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setToolTip("Items that have a score, of all of the session.")
        self.time = QLabel()
        self.time.setToolTip("How long this item was looked at, and the mean of those scored.")
        self.trouble = QLabel()
        self.trouble.setWordWrap(True)
        self.trouble.setVisible(False)
        self._fault_rows = QGridLayout()
        self._fault_rows.setSpacing(4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for widget in (self.where, self.what, self.bar, self.time):
            layout.addWidget(widget)
        layout.addLayout(self._make_scores())
        layout.addLayout(self._fault_rows)
        layout.addLayout(self._make_note())
        layout.addWidget(self.trouble)
        layout.addLayout(self._make_steps())
        layout.addWidget(keys)

    # -- making -------------------------------------------------------------

    def _make_scores(self) -> QVBoxLayout:
        self.scores: dict[int, QPushButton] = {}
        row = QHBoxLayout()
        row.setSpacing(4)
        for score, words in zip(SCORES, _WORDS, strict=True):
            button = _checkable(str(score), f"{score}: {words}. The key {score} does the same.")
            _enlarge(button, _LARGE)
            button.clicked.connect(lambda _, score=score: self.scored.emit(score))
            self.scores[score] = button
            row.addWidget(button)
        ends = QHBoxLayout()
        ends.addWidget(QLabel(_WORDS[0]))
        ends.addStretch()
        ends.addWidget(QLabel(_WORDS[-1]))
        column = QVBoxLayout()
        column.setSpacing(1)
        column.addLayout(row)
        column.addLayout(ends)
        return column

    def _make_note(self) -> QGridLayout:
        label = QLabel("N&ote")
        self.note = NoteField()
        self.note.setToolTip("Anything else. Enter goes here from the picture, and back again.")
        self.note.setMaxLength(10_000)
        label.setBuddy(self.note)
        self.note.textEdited.connect(self.noted.emit)
        self.note.left.connect(self.note_left.emit)
        self.mark = _checkable(
            "Mar&k .",
            "Mark a place: press this or the full stop, then click on the image for a point, or "
            "drag for a box.",
        )
        self.mark.clicked.connect(lambda on: self.mark_asked.emit(on))
        self.marked = QLabel()
        self.marked.setWordWrap(True)
        self.unmark = QPushButton("Clear")
        self.unmark.setToolTip("Take the mark away.")
        self.unmark.clicked.connect(self.unmark_asked.emit)
        grid = QGridLayout()
        grid.setSpacing(4)
        grid.addWidget(label, 0, 0)
        grid.addWidget(self.note, 0, 1, 1, 2)
        grid.addWidget(self.mark, 1, 0)
        grid.addWidget(self.marked, 1, 1)
        grid.addWidget(self.unmark, 1, 2)
        grid.setColumnStretch(1, 1)
        return grid

    def _make_steps(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        self.steps: dict[str, QPushButton] = {}
        for name, text, tip in _STEPS:
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(lambda _, name=name: self.asked.emit(name))
            self.steps[name] = button
            row.addWidget(button)
        return row

    # -- showing ------------------------------------------------------------

    def set_session(self, opened: Opened) -> None:
        """Show the kinds of fault of a session."""
        for button in self.faults.values():
            self._fault_rows.removeWidget(button)
            button.deleteLater()
        self.faults = {}
        for place, kind in enumerate(opened.session.faults):
            button = _checkable(
                f"{kind.key.upper()}  {kind.name}", f"{kind.name} (key {kind.key.upper()})."
            )
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _, key=kind.key: self.fault_toggled.emit(key))
            self.faults[kind.name] = button
            self._fault_rows.addWidget(button, place // 2, place % 2)

    def set_item(self, opened: Opened, item: Item) -> None:
        """Show which item it is."""
        session = opened.session
        self.where.setText(f"{item.number} of {len(session.items)}")
        _enlarge(self.where, 2.0)
        place = "" if item.place is None else KIND_WORDS.get(item.place.kind, item.place.kind)  # type: ignore[call-overload]
        name = session.mask_name(item.mask)
        several = len(session.masks) > 1
        parts = [f"z = {item.z}", place, f"mask {name}" if several else ""]
        self.what.setText(", ".join(part for part in parts if part))
        _enlarge(self.what, 1.3)

    def set_draft(self, draft: Draft, *, kept: bool) -> None:
        """Show what is said of the item."""
        for score, button in self.scores.items():
            button.setChecked(score == draft.score)
        for name, button in self.faults.items():
            button.setChecked(name in draft.faults)
        if self.note.text() != draft.note:
            with QSignalBlocker(self.note):
                self.note.setText(draft.note)
        self.marked.setText(_mark_words(draft.mark))
        self.unmark.setVisible(draft.mark is not None)
        done = draft.score is not None and kept
        self.steps["next"].setText("Next" if done or draft.is_empty else "Keep, next")

    def set_progress(self, kept: Mapping[int, Kept], total: int) -> None:
        """Show how far the session is."""
        self.bar.setRange(0, total)
        self.bar.setValue(len(kept))
        self.bar.setFormat("%v of %m scored")

    def set_time(self, seconds: float, kept: Mapping[int, Kept]) -> None:
        """Show how long the item was looked at, and how long one takes."""
        times = [one.score.seconds for one in kept.values() if one.score.seconds is not None]
        mean = f", mean {sum(times) / len(times):.1f} s for an item" if times else ""
        self.time.setText(f"{seconds:.0f} s{mean}")

    def set_trouble(self, text: str) -> None:
        """Say what is the matter; empty for nothing."""
        self.trouble.setText(text)
        self.trouble.setVisible(bool(text))

    def set_marking(self, waiting: bool) -> None:
        """Say whether the next click marks."""
        self.mark.setChecked(waiting)
        if waiting:
            self.marked.setText("click, or drag a box")


def _checkable(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setCheckable(True)
    button.setToolTip(tip)
    return button


def _enlarge(widget: QWidget, factor: float) -> None:
    """Larger letters; by a style sheet, since napari's own sets the size of the window's."""
    size = round(factor * widget.window().fontInfo().pixelSize())
    widget.setStyleSheet(f"font-size: {max(size, 12)}px;")


def _mark_words(mark: Mark | None) -> str:
    if mark is None:
        return ""
    where = f"y {mark.y:.0f}, x {mark.x:.0f}"
    return where if mark.is_point else f"{where}, {mark.height:.0f} x {mark.width:.0f} pixels"

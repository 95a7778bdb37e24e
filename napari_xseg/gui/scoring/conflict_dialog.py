"""Scores that differ between two files: which count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.review.scoring.importing import conflict_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_xseg.review.scoring.importing import Conflict, Resolve

_ANSWERS: tuple[tuple[Resolve, str, str], ...] = (
    ("keep", "&Keep what is here", "The other file's score of these items is left out."),
    (
        "take",
        "&Take the other file's",
        "What is here stays in the history; the other file's counts.",
    ),
    ("both", "Keep &both", "The other file's scores become those of a second reviewer."),
)


class ConflictDialog(QDialog):
    """Lists conflicts and asks which score counts; `answer` is None where nobody said.

    Parameters
    ----------
    conflicts : sequence of Conflict
        At least one.
    parent : QWidget
    """

    def __init__(self, conflicts: Sequence[Conflict], parent: QWidget) -> None:
        super().__init__(parent)
        self.answer: Resolve | None = None
        self.setWindowTitle("Import scores")
        count = len(conflicts)
        told = QLabel(
            f"{count} item{'s'[: count != 1]} of {conflicts[0].reviewer} "
            f"{'has' if count == 1 else 'have'} another score in the other file. Which count?"
        )
        told.setWordWrap(True)
        self.list = QListWidget()
        self.list.setAccessibleName("Conflicts")
        self.list.setToolTip("Items that were scored in two ways.")
        self.list.setWordWrap(True)
        self.list.addItems(conflict_words(conflicts))
        layout = QVBoxLayout(self)
        layout.addWidget(told)
        layout.addWidget(self.list)
        self.buttons: dict[str, QPushButton] = {}
        for answer, text, tip in _ANSWERS:
            button = self.buttons[answer] = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(lambda _, answer=answer: self._say(answer))
            layout.addWidget(button)
        cancel = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        cancel.rejected.connect(self.reject)
        layout.addWidget(cancel)
        self.resize(460, 360)

    def _say(self, answer: Resolve) -> None:
        self.answer = answer
        self.accept()


def ask_conflicts(conflicts: Sequence[Conflict], parent: QWidget) -> Resolve | None:
    """Ask which scores count; None where the user thinks better of it."""
    dialog = ConflictDialog(conflicts, parent)
    dialog.exec()
    dialog.deleteLater()
    return dialog.answer

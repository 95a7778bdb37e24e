"""What a session of scores is to be: who, which masks, which items."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.gui.forms import Choice, Fold, NumberField
from napari_xseg.gui.scoring.fault_table import FaultTable
from napari_xseg.review.scoring.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_xseg.gui.scoring.offered import Offered

_PATH = Qt.ItemDataRole.UserRole
# By kind of the plan: what it is called, and which of the fields it has.
_KINDS = {
    "every": ("every slice", ()),
    "nth": ("every n-th slice", ("step",)),
    "random": ("a random sample of slices", ("count", "seed")),
    "suspects": ("the top suspects of the first mask", ("count",)),
}


class BeginForm(QWidget):
    """Edits what a session is begun with.

    Attributes
    ----------
    ticked : Signal(object)
        The path of a mask that was ticked.
    begin_asked, cancel_asked, file_asked, reviewer_changed : Signal()
        What the user wants.
    """

    ticked = Signal(object)

    begin_asked = Signal()
    cancel_asked = Signal()
    file_asked = Signal()
    reviewer_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._offered: tuple[Offered, ...] = ()
        self._preparing = False
        self.form = QFormLayout()
        self.form.setVerticalSpacing(4)
        self._make_who()
        self._make_plan()
        self.faults = FaultTable()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self.form)
        layout.addWidget(
            Fold(
                "Kinds of fault",
                self.faults,
                tip="What a reviewer can say is wrong with a mask, each with its key.",
            )
        )
        layout.addLayout(self._make_buttons())
        self._show()

    def _make_who(self) -> None:
        self.reviewer = QLineEdit()
        self.reviewer.setToolTip(
            "Your name: each reviewer has a file of scores of their own in the project."
        )
        self.reviewer.setPlaceholderText("your name")
        self.reviewer.textChanged.connect(self._show)
        self.reviewer.editingFinished.connect(self.reviewer_changed.emit)
        self._row("Re&viewer", self.reviewer)
        self.masks = QListWidget()
        self.masks.setToolTip(
            "Masks with a file: those shown as layers, and the others of the project. Tick one or "
            "more; a space ticks, too."
        )
        self.masks.setAccessibleName("Masks to score")
        self.masks.setFixedHeight(68)
        self.masks.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.masks.itemChanged.connect(self._on_tick)
        self._row("&Masks", self.masks)

    def _make_plan(self) -> None:
        self.kind = Choice()
        self.kind.setToolTip("Which slices or places are asked.")
        for kind, (words, _) in _KINDS.items():
            self.kind.addItem(words, kind)
        self.kind.currentIndexChanged.connect(self._show)
        self._row("&Items", self.kind)
        self.step = NumberField(1, 10_000, 10, tip="Every so many slices one is scored.")
        self.count = NumberField(1, 100_000, 20, tip="How many are scored, at most.")
        self.seed = NumberField(
            0, 1_000_000, 0, tip="The same seed gives the same sample, for every reviewer."
        )
        for text, field in (("&Each", self.step), ("How m&any", self.count), ("Se&ed", self.seed)):
            self._row(text, field)
        self.repeats = NumberField(
            *(0, 100, 0),
            step=5,
            suffix=" %",
            tip="So many of the items are asked a second time, later: how far do you agree with "
            "yourself?",
        )
        self._row("As&ked twice", self.repeats)
        self.blind = QCheckBox("&Blind")
        self.blind.setToolTip(
            "Two or more masks go by the names A, B, ... in random order; which is which is told "
            "when the session is over."
        )
        self.shuffled = QCheckBox("Ra&ndom order")
        self.shuffled.setToolTip("Ask in random order in place of that of the slices or ranks.")
        row = QHBoxLayout()
        row.addWidget(self.blind)
        row.addWidget(self.shuffled)
        row.addStretch()
        self.form.addRow("", row)

    def _make_buttons(self) -> QHBoxLayout:
        self.begin = QPushButton("&Begin")
        self.begin.setToolTip("Begin a session of scores; the keys of the window are yours then.")
        self.begin.clicked.connect(self._on_begin)
        self.file = QPushButton("Add &file...")
        self.file.setToolTip("Score a mask that lies elsewhere.")
        self.file.clicked.connect(self.file_asked.emit)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.begin)
        row.addWidget(self.file)
        row.addStretch()
        return row

    def _row(self, text: str, field: QWidget) -> None:
        label = QLabel(text)
        label.setBuddy(field)
        self.form.addRow(label, field)

    # -- value --------------------------------------------------------------

    def plan(self) -> Plan:
        """The plan as it is set; XsegError where it makes no sense."""
        return Plan(
            kind=self.kind.currentData(),
            step=int(self.step.value()),
            count=int(self.count.value()),
            seed=int(self.seed.value()),
            blind=self.blind.isChecked() and self.blind.isEnabled(),
            repeats=self.repeats.value() / 100,
            shuffled=self.shuffled.isChecked(),
        )

    def chosen(self) -> tuple[Offered, ...]:
        """The masks that are ticked."""
        ticked = set(self._ticked())
        return tuple(mask for mask in self._offered if mask.path in ticked)

    def set_masks(self, offered: Sequence[Offered]) -> None:
        """Offer other masks; ticks stay where they can, and the first is ticked at first."""
        if tuple(offered) == self._offered:
            return
        ticked = set(self._ticked())
        first = not ticked & {mask.path for mask in offered}
        current = self.masks.currentItem()
        before = None if current is None else current.data(_PATH)
        self._offered = tuple(offered)
        with QSignalBlocker(self.masks):
            self.masks.clear()
            for place, mask in enumerate(offered):
                item = QListWidgetItem(mask.name)
                item.setData(_PATH, str(mask.path))
                item.setToolTip(str(mask.path))
                on = mask.path in ticked or (first and place == 0)
                item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
                self.masks.addItem(item)
                if item.data(_PATH) == before:
                    self.masks.setCurrentItem(item)
        self._show()

    def set_preparing(self, preparing: bool) -> None:
        """Say that masks are being looked at; the button then ends that."""
        self._preparing = preparing
        self._show()

    # -- inside -------------------------------------------------------------

    def _ticked(self) -> list[Path]:
        items = [self.masks.item(row) for row in range(self.masks.count())]
        return [
            Path(item.data(_PATH))
            for item in items
            if item is not None and item.checkState() == Qt.CheckState.Checked
        ]

    def _on_tick(self, item: QListWidgetItem) -> None:
        self._show()
        if item.checkState() == Qt.CheckState.Checked:
            self.ticked.emit(Path(item.data(_PATH)))

    def _show(self, *_: object) -> None:
        """Show the fields of the plan, and what can be done."""
        fields = _KINDS[self.kind.currentData()][1]
        for name in ("step", "count", "seed"):
            self.form.setRowVisible(getattr(self, name), name in fields)
        count = len(self._ticked())
        self.blind.setEnabled(count > 1)
        named = bool(self.reviewer.text().strip())
        self.begin.setText("&Cancel" if self._preparing else "&Begin")
        self.begin.setEnabled(self._preparing or (named and count > 0))

    def _on_begin(self) -> None:
        if self._preparing:
            self.cancel_asked.emit()
        else:
            self.begin_asked.emit()

"""The trainings of a project: which there are, how good each is, and what to do with one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.data.slices import format_slices

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from qtpy.QtCore import QPoint

    from napari_xseg.data.runs_list import RunInfo

NAME, DATE, DICE, SLICES = range(4)
HEADS = ("Run", "Date", "Dice", "Slices")
TIPS = (
    "Tick runs to compare their curves; F2 changes the name.",
    "When it was begun.",
    "Foreground Dice of its validation slices, in per cent.",
    "How many slices trained.",
)
HEIGHT = 130
# Buttons in a row of the dock.
COLUMNS = 4
GO_ON = "A new run that begins from this one's model, with today's labels."
ACTIONS = (
    ("use", "&Use", "Predict with the model of this run."),
    ("go_on", "Continue", GO_ON),
    (
        "resume",
        "Resume",
        "Go on with this run, which has not come to its end, exactly as it was begun.",
    ),
    ("rename", "Rename", "Give the run another name (F2)."),
    ("reveal", "Folder", "Show the run's folder in the file manager."),
    ("delete", "Delete", "Delete the run with its model (Del); asks first."),
)


class RunsList(QWidget):
    """Shows runs; what the user wants done with one is asked for by signals.

    The run whose model is in use is selected, until the user selects another one; when
    another model comes into use, that one is.

    Attributes
    ----------
    asked : Signal(str, object)
        One of "use", "go_on", "resume", "reveal" or "delete", and the RunInfo.
    renamed : Signal(object, str)
        The RunInfo and its new name.
    ticked : Signal()
        Other runs are to be compared, see `compared`.
    value_changed : Signal()
        Another run is selected.
    """

    value_changed = Signal()

    asked = Signal(str, object)
    renamed = Signal(object, str)
    ticked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs: list[RunInfo] = []
        self._unfinished: set[Path] = set()
        self._busy = False
        self._refusal = ""
        self._model: Path | None = None
        self._chosen: Path | None = None  # by the user, since that model is in use
        self.tree = self._make_tree()
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.buttons: dict[str, QPushButton] = {}
        grid = QGridLayout()
        grid.setSpacing(4)
        for place, (key, text, tip) in enumerate(ACTIONS):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(lambda _=False, key=key: self._ask(key))
            grid.addWidget(button, place // COLUMNS, place % COLUMNS)
            self.buttons[key] = button
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.tree)
        layout.addWidget(self.note)
        layout.addLayout(grid)
        self._show_selected()

    def _make_tree(self) -> QTreeWidget:
        tree = QTreeWidget()
        tree.setHeaderLabels(HEADS)
        tree.setRootIsDecorated(False)
        tree.setUniformRowHeights(True)
        tree.setFixedHeight(HEIGHT)
        tree.setAccessibleName("Runs")
        tree.setToolTip("The trainings of this project.")
        tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header, head = tree.header(), tree.headerItem()
        assert header is not None
        assert head is not None
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column, tip in enumerate(TIPS):
            head.setToolTip(column, tip)
        tree.itemSelectionChanged.connect(self._on_selection)
        tree.itemChanged.connect(self._on_item)
        tree.itemActivated.connect(lambda *_: self._ask("use"))
        tree.customContextMenuRequested.connect(self._show_menu)
        return tree

    # -- value --------------------------------------------------------------

    def set_value(
        self,
        runs: Sequence[RunInfo],
        *,
        unfinished: Iterable[Path] = (),
        model: Path | None = None,
    ) -> None:
        """Show runs.

        Parameters
        ----------
        runs : sequence of RunInfo
            In their order.
        unfinished : iterable of Path
            Those that can be resumed.
        model : Path, optional
            The one whose model is in use; it is marked.
        """
        before, ticked = self.value(), set(self.compared_paths())
        if model is not None and model != self._model:
            self._chosen = None
        self._model = model
        scrolled = self._scrolled()
        self._runs, self._unfinished = list(runs), set(unfinished)
        with QSignalBlocker(self.tree):
            self.tree.clear()
            for run in runs:
                self.tree.addTopLevelItem(self._item(run, run.path in ticked, run.path == model))
            if not self._select(self._chosen):
                self._select(model)
        after = self.value()
        if before is not None and after is not None and before.path == after.path:
            self._scroll_to(scrolled)
        self._show_selected()
        if (before and before.path) != (after and after.path):
            self.value_changed.emit()

    def value(self) -> RunInfo | None:
        """The selected run."""
        items = self.tree.selectedItems()
        row = self.tree.indexOfTopLevelItem(items[0]) if items else -1
        return self._runs[row] if 0 <= row < len(self._runs) else None

    def select(self, run: Path) -> None:
        """Select the run in that folder as the user does, also one that is not listed yet."""
        self._select(run)
        self._chosen = run

    def _select(self, run: Path | None) -> bool:
        for row, info in enumerate(self._runs):
            if info.path == run:
                self.tree.setCurrentItem(self.tree.topLevelItem(row))
                self.tree.scrollToItem(self.tree.topLevelItem(row))
                return True
        return False

    def _scrolled(self) -> int:
        bar = self.tree.verticalScrollBar()
        return 0 if bar is None else bar.value()

    def _scroll_to(self, value: int) -> None:
        bar = self.tree.verticalScrollBar()
        if bar is not None:
            bar.setValue(value)

    def compared(self) -> list[RunInfo]:
        """The ticked runs."""
        return [
            run for row, run in enumerate(self._runs) if self._tick(row) == Qt.CheckState.Checked
        ]

    def compared_paths(self) -> list[Path]:
        """The folders of the ticked runs."""
        return [run.path for run in self.compared()]

    def set_busy(self, busy: bool) -> None:
        """Say whether a training is under way: no other can be begun then."""
        self._busy = busy
        self._show_selected()

    def set_refusal(self, why: str) -> None:
        """Say why no training can go on from the selected run; empty where one can."""
        self._refusal = why
        self._show_selected()

    # -- what is shown ------------------------------------------------------

    def _tick(self, row: int) -> Qt.CheckState:
        item = self.tree.topLevelItem(row)
        return Qt.CheckState.Unchecked if item is None else item.checkState(NAME)

    def _item(self, run: RunInfo, ticked: bool, in_use: bool) -> QTreeWidgetItem:
        dice = _percent(run.dice_foreground).removesuffix(" %")
        texts = [run.name, f"{run.date:%d %b %H:%M}", dice, str(len(run.slices))]
        if run.fault:
            texts[DICE:] = ["broken", ""]
        elif run.running:
            texts[DICE] = "running"
        item = QTreeWidgetItem(texts)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(NAME, Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
        item.setTextAlignment(DICE, Qt.AlignmentFlag.AlignRight)
        item.setTextAlignment(SLICES, Qt.AlignmentFlag.AlignRight)
        font = item.font(NAME)
        font.setBold(in_use)
        item.setFont(NAME, font)
        for column in range(len(HEADS)):
            item.setToolTip(column, _words(run, run.path in self._unfinished))
        return item

    def _on_selection(self) -> None:
        """What is selected by the program comes with the tree's signals blocked."""
        run = self.value()
        self._chosen = None if run is None else run.path
        self._show_selected()
        self.value_changed.emit()

    def _show_selected(self) -> None:
        run = self.value()
        usable = run is not None and run.usable
        can = {
            "use": usable,
            "go_on": usable and not self._busy and not self._refusal,
            "resume": run is not None and run.path in self._unfinished and not self._busy,
            "rename": run is not None and not run.running,
            "reveal": run is not None,
            "delete": run is not None and not run.running,
        }
        for key, button in self.buttons.items():
            button.setEnabled(can[key])
        self.buttons["go_on"].setToolTip((usable and self._refusal) or GO_ON)
        if run is not None:
            note = _words(run, run.path in self._unfinished)
        else:
            note = "" if self._runs else "Nothing was trained yet."
        self.note.setText(note)
        self.note.setVisible(bool(note))

    def _show_menu(self, at: QPoint) -> None:
        if self.value() is None:
            return
        menu = QMenu(self)
        for key, text, tip in ACTIONS:
            action = menu.addAction(text, lambda key=key: self._ask(key))
            action.setToolTip(tip)
            action.setEnabled(self.buttons[key].isEnabled())
        menu.aboutToHide.connect(menu.deleteLater)
        viewport = self.tree.viewport()
        assert viewport is not None
        menu.popup(viewport.mapToGlobal(at))

    # -- what is asked for --------------------------------------------------

    def keyPressEvent(self, event: object) -> None:
        """Delete the selected run with the Del key, rename it with F2."""
        keys = {Qt.Key.Key_Delete: "delete", Qt.Key.Key_F2: "rename"}
        action = keys.get(event.key())  # type: ignore[attr-defined]
        if action is not None:
            self._ask(action)
        else:
            super().keyPressEvent(event)  # type: ignore[arg-type]

    def _ask(self, key: str) -> None:
        run = self.value()
        if run is None or not self.buttons[key].isEnabled():
            return
        if key == "rename":
            items = self.tree.selectedItems()
            self.tree.editItem(items[0], NAME)
        else:
            self.asked.emit(key, run)

    def _on_item(self, item: QTreeWidgetItem, column: int) -> None:
        if column != NAME:
            return
        run = self._runs[self.tree.indexOfTopLevelItem(item)]
        name = item.text(NAME)
        if name == run.name:
            self.ticked.emit()
            return
        with QSignalBlocker(self.tree):  # until it is so
            item.setText(NAME, run.name)
        self.renamed.emit(run, name)


def _words(run: RunInfo, unfinished: bool) -> str:
    """All that is to be said of a run."""
    if run.fault:
        return run.fault
    parts = [f"{run.name}, {run.date:%Y-%m-%d %H:%M}: recipe {run.recipe}"]
    if run.slices:
        parts.append(f"trained on {_slices(run.slices)}")
    if run.val_slices:
        parts.append(f"validated on {_slices(run.val_slices)}")
    parts.append(f"{run.steps:,} steps in {run.seconds:.0f} s")
    if run.dice_foreground is not None:
        dice = ", ".join(f"{name} {_percent(value)}" for name, value in run.dice.items())
        rough = run.slices == run.val_slices
        source = ", a rough figure from its training slices" if rough else ""
        parts.append(f"Dice {_percent(run.dice_foreground)} ({dice}){source}")
    if run.parent:
        parts.append("goes on from another run")
    if run.running:
        parts.append("under way")
    elif unfinished:
        parts.append(f"{run.how_it_ended}: Resume goes on with it")
    elif not run.usable:
        parts.append("has no model")
    return "; ".join(parts) + "."


def _percent(share: float | None) -> str:
    """A Dice; "-" where there is none, as of a class without a pixel."""
    return "-" if share is None or math.isnan(share) else f"{100 * share:.2f} %"


def _slices(slices: tuple[int, ...]) -> str:
    text = format_slices(slices)
    return f"slice{'' if len(slices) == 1 else 's'} {text if len(text) < 40 else text[:37] + '...'}"

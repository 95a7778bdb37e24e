"""What an experiment has found so far: its points, and under each the trainings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_xseg.experiments.results import Outcome, Point, Result
    from napari_xseg.experiments.statistics import Estimate
    from napari_xseg.experiments.trial import Left

HEADS = ("conditions", "split", "done", "Dice %")
TIPS = (
    "What is varied; below it the trainings, one for each repeat.",
    "How slices that are scored were chosen: a stretch of their own, or among the others.",
    "Trainings that are trained and scored, of all repeats.",
    "Foreground Dice of the scored slices: the mean over repeats, and half of its 95 % interval "
    "where there are three or more.",
)
WHAT, SPLIT, DONE, DICE = range(len(HEADS))
HEIGHT = 230
ROLE = Qt.ItemDataRole.UserRole


class ResultsTree(QTreeWidget):
    """Shows outcomes; `chosen` tells the training that is selected."""

    chosen = Signal(object)  # Result or None

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shape: tuple[Any, ...] = ()
        self._points: list[QTreeWidgetItem] = []
        self._results: dict[Path, Result] = {}
        self.setHeaderLabels(HEADS)
        self.setUniformRowHeights(True)
        self.setFixedHeight(HEIGHT)
        self.setIndentation(12)
        self.setAccessibleName("Results")
        self.setToolTip("Points of the experiment, and their trainings.")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header, head = self.header(), self.headerItem()
        assert header is not None
        assert head is not None
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(WHAT, QHeaderView.ResizeMode.Stretch)
        for column, tip in enumerate(TIPS):
            head.setToolTip(column, tip)
        self.itemSelectionChanged.connect(lambda: self.chosen.emit(self.value()))

    def set_value(self, outcomes: Sequence[Outcome], std: float) -> None:
        """Show outcomes, models scored at noise of sd `std`; the selection stays."""
        shape = tuple(
            (one.plan.name, tuple(result.run for result in one.results), one.left)
            for one in outcomes
        )
        if shape != self._shape:
            self._shape = shape
            self._build(outcomes)
        self._results = {result.run: result for one in outcomes for result in one.results}
        points = iter(self._points)
        for outcome in outcomes:
            for point in outcome.points:
                self._fill(next(points), point, std)

    def value(self) -> Result | None:
        """The selected training; of a point, its first."""
        items = self.selectedItems()
        if not items:
            return None
        item = items[0]
        run = item.data(WHAT, ROLE)
        child = item.child(0)
        while run is None and child is not None:
            run, child = child.data(WHAT, ROLE), child.child(0)
        return self._results.get(run)

    # -- inside -------------------------------------------------------------

    def _build(self, outcomes: Sequence[Outcome]) -> None:
        self._points = []
        with QSignalBlocker(self):
            self.clear()
            for outcome in outcomes:
                root: Any = self
                if len(outcomes) > 1:
                    root = QTreeWidgetItem(self, [outcome.plan.title])
                    root.setToolTip(WHAT, outcome.plan.question)
                    root.setFirstColumnSpanned(True)
                    root.setExpanded(True)
                for point in outcome.points:
                    self._points.append(self._add_point(root, point))
                for left in outcome.left:
                    self._add_left(root, left)
        self.chosen.emit(None)

    def _add_point(self, root: Any, point: Point) -> QTreeWidgetItem:
        item = QTreeWidgetItem(root, [point.conditions.words(), point.split])
        item.setToolTip(WHAT, point.conditions.words())
        for column in (DONE, DICE):
            item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight)
        for result in point.results:
            child = QTreeWidgetItem(item, [f"repeat {result.trial.repeat + 1}"])
            child.setData(WHAT, ROLE, result.run)
            child.setTextAlignment(DICE, Qt.AlignmentFlag.AlignRight)
        return item

    def _add_left(self, root: Any, left: Left) -> None:
        item = QTreeWidgetItem(root, [left.conditions.words(), left.split, "left out"])
        item.setDisabled(True)
        for column in range(len(HEADS)):
            item.setToolTip(column, left.why)

    def _fill(self, item: QTreeWidgetItem, point: Point, std: float) -> None:
        results = point.results
        over = sum(1 for result in results if std in result.scores)
        faults = sum(1 for result in results if result.fault)
        item.setText(DONE, f"{over}/{len(results)}" + (f", {faults} failed" if faults else ""))
        item.setText(DICE, dice_words(point.dice(std)))
        for row, result in enumerate(results):
            child = item.child(row)
            if child is None:
                continue
            dice = result.dice(std)
            child.setText(DICE, "" if math.isnan(dice) else f"{dice:.2f}")
            child.setText(DONE, state_of(result, std))
            tip = result.fault or f"Select to see its curves; its folder is {result.run.name}."
            for column in range(len(HEADS)):
                child.setToolTip(column, tip)


def dice_words(dice: Estimate) -> str:
    """A mean with half of its interval, in percent."""
    if math.isnan(dice.mean):
        return ""
    half = f" \N{PLUS-MINUS SIGN} {dice.high - dice.mean:.2f}" if dice.known else ""
    return f"{dice.mean:.2f}{half}"


def state_of(result: Result, std: float) -> str:
    """How far a training is, in a word."""
    if result.fault:
        return "failed"
    if std in result.scores:
        return "done"
    return "waits" if math.isnan(result.seconds) else "trained"

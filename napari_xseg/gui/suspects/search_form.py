"""What suspects are looked for: their kinds, who gives a second opinion, and how many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_xseg.gui.forms import Choice, NumberField
from napari_xseg.gui.suspects.search import KEEP, SearchOptions, mask_path
from napari_xseg.review.suspects.table import KIND_WORDS, KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari.layers import Labels

    from napari_xseg.data.runs_list import RunInfo
    from napari_xseg.review.suspects.table import Kind

_TIPS: dict[Kind, str] = {
    "confidence": "The model is not sure of its class. Takes the model, or a confidence layer.",
    "flips": "The model says something else when the slice is mirrored or turned. Takes the model.",
    "models": "A second model or mask says something else.",
    "neighbours": "A class that is there in one slice alone, and not above or below.",
    "fragment": "A piece that is too small for its class.",
    "hole": "A hole that is too small for what is around it.",
    "drift": "A slice whose grey values lie off those of the volume.",
}
_MOST = 100_000


class SearchForm(QWidget):
    """An editor of `SearchOptions`."""

    value_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs: Sequence[RunInfo] = ()
        self._masks: Sequence[Labels] = ()
        self.kinds: dict[Kind, QCheckBox] = {}
        for kind in KINDS:
            box = QCheckBox(KIND_WORDS[kind].capitalize())
            box.setToolTip(_TIPS[kind])
            box.setChecked(True)
            self.kinds[kind] = box
        self.ask_model = QCheckBox("Ask the m&odel")
        self.ask_model.setToolTip(
            "Have the model that made the mask, or else the chosen one, say how sure it is: a pass "
            "over the slices, eight times as long as a prediction."
        )
        self.ask_model.setChecked(True)
        self.match = QCheckBox("Match i&ntensity")
        self.match.setToolTip(
            "Map the grey values onto those of the training images, as in the Predict dock."
        )
        self.second = Choice()
        self.second.setToolTip("Another model, or another mask of this volume, to compare with.")
        self.keep = NumberField(
            1, _MOST, KEEP, step=100, tip="List so many at most: those with most to mend."
        )
        self._lay_out()
        self._connect()
        self._fill_second()

    def value(self) -> SearchOptions:
        """The options as they are set."""
        chosen = [kind for kind, box in self.kinds.items() if box.isChecked() and box.isEnabled()]
        able = [kind for kind, box in self.kinds.items() if box.isEnabled()]
        return SearchOptions(
            kinds=None if chosen == able else tuple(chosen),
            ask_model=self.ask_model.isChecked(),
            second=self.second.currentData(),
            keep=int(self.keep.value()),
            match_intensity=self.match.isChecked(),
        )

    def set_match(self, on: bool) -> None:
        """Show whether grey values are matched, as the session has it."""
        blocked = self.match.blockSignals(True)
        self.match.setChecked(on)
        self.match.blockSignals(blocked)

    def set_runs(self, runs: Sequence[RunInfo]) -> None:
        """Offer the models of these runs as a second opinion."""
        self._runs = [run for run in runs if run.usable]
        self._fill_second()

    def set_masks(self, masks: Sequence[Labels]) -> None:
        """Offer these masks as a second opinion."""
        self._masks = list(masks)
        self._fill_second()

    # -- inside -------------------------------------------------------------

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setSpacing(4)
        for place, box in enumerate(self.kinds.values()):
            grid.addWidget(box, place // 2, place % 2)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(self.ask_model, self.match)
        for text, field in (("Second o&pinion", self.second), ("At &most", self.keep)):
            label = QLabel(text)
            label.setBuddy(field)
            form.addRow(label, field)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(grid)
        layout.addLayout(form)

    def _connect(self) -> None:
        for box in (*self.kinds.values(), self.ask_model, self.match):
            box.toggled.connect(self._on_change)
        self.second.currentIndexChanged.connect(self._on_change)
        self.keep.valueChanged.connect(self._on_change)

    def _on_change(self, _: object = None) -> None:
        # What lacks what it takes is not asked for.
        self.kinds["models"].setEnabled(self.second.currentData() is not None)
        self.kinds["flips"].setEnabled(self.ask_model.isChecked())
        self.value_changed.emit()

    def _fill_second(self) -> None:
        chosen = self.second.currentData()
        blocked = self.second.blockSignals(True)
        self.second.clear()
        self.second.addItem("none", None)
        for run in self._runs:
            self.second.addItem(f"model {run.name}", run.path)
        for mask in self._masks:
            path = mask_path(mask)
            if path is not None:
                self.second.addItem(mask.name, path)
        known: list[Path | None] = [self.second.itemData(row) for row in range(self.second.count())]
        self.second.setCurrentIndex(known.index(chosen) if chosen in known else 0)
        self.second.blockSignals(blocked)
        self._on_change()

"""The list of suspects with its filter, and the one that is looked at: its picture, in words."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_xseg.gui.forms import Choice
from napari_xseg.gui.suspects.suspect_list import SuspectTable, pixmap
from napari_xseg.review.suspects.table import KIND_WORDS, KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_xseg.review.suspects.table import Suspect, Suspects

# Pixels of the picture of the one that is looked at.
LARGE = 112


class SuspectsForm(QWidget):
    """Filters and lists suspects, and shows one of them."""

    chosen = Signal(object)  # Suspect

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._left_out: Mapping[str, int] = {}
        self.kind = Choice()
        self.kind.setToolTip("List suspects of this kind alone.")
        self.kind.addItem("all kinds", None)
        for kind in KINDS:
            self.kind.addItem(KIND_WORDS[kind], kind)
        self.hide_ticked = QCheckBox("&Hide ticked")
        self.hide_ticked.setToolTip("List only what is not ticked yet.")
        self.table = SuspectTable()
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.picture = QLabel()
        self.picture.setFixedSize(LARGE, LARGE)
        self.picture.setToolTip("The suspect, with the borders of the mask.")
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._lay_out()
        self.kind.currentIndexChanged.connect(self._filter)
        self.hide_ticked.toggled.connect(self._filter)
        self.table.chosen.connect(self._show)
        self.table.suspects.ticked.connect(lambda *_: self._say())
        self._show(None)

    def set_suspects(
        self,
        suspects: Suspects | None,
        ticks: NDArray[np.bool_],
        left_out: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """List other suspects, or the same with other ticks; `left_out` are not in it, by kind."""
        self._left_out = left_out
        same = suspects is self.table.suspects.suspects
        row = self.table.currentIndex().row()
        self.table.suspects.set_suspects(suspects, ticks)
        if same and 0 <= row < self.table.suspects.rowCount():
            self.table.blockSignals(True)
            self.table.selectRow(row)
            self.table.blockSignals(False)
        elif not same:
            self._show(None)
        self._say()

    def show_picture(self, picture: NDArray[np.uint8]) -> None:
        """Show the picture (y, x, 3) uint8 of the one that is looked at."""
        self.picture.setPixmap(pixmap(picture))

    # -- inside -------------------------------------------------------------

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.kind, 1)
        row.addWidget(self.hide_ticked)
        self.one = QWidget()
        one = QHBoxLayout(self.one)
        one.setContentsMargins(0, 0, 0, 0)
        one.addWidget(self.picture)
        one.addWidget(self.words, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.status)
        layout.addWidget(self.one)

    def _filter(self, _: Any = None) -> None:
        kind = self.kind.currentData()
        hide = self.hide_ticked.isChecked()
        self.table.suspects.set_filter(None if kind is None else (kind,), hide)
        self._say()

    def _show(self, suspect: Suspect | None) -> None:
        suspects = self.table.suspects.suspects
        self.one.setVisible(suspect is not None)
        if suspect is None or suspects is None:
            return
        kinds = ", ".join(KIND_WORDS[kind] for kind in suspect.kinds)
        place = f"z = {suspect.z}, y = {suspect.y:.0f}, x = {suspect.x:.0f}"
        self.words.setText(
            f"{suspect.rank}. {suspects.words(suspect)}.\n{place}\n"
            f"Found by: {kinds}. Of its pixels about {100 * suspect.strength:.0f} % are probably "
            "wrong."
        )
        self.picture.clear()
        self.chosen.emit(suspect)

    def _say(self) -> None:
        model, kind = self.table.suspects, self.kind.currentData()
        told = "" if model.suspects is None else model.told("suspects")
        if told and self._left_out.get(kind):
            told = (
                f"{told}; {self._left_out[kind]:,} more with less to mend were left out: look for "
                "this kind alone, or list more."
            )
        self.status.setText(told)

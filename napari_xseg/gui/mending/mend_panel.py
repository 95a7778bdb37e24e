"""The fold *Mend*: what is done to the labels at a suspect or at a mistake."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.gui.dock import guarded
from napari_xseg.gui.forms import Choice, NumberField, allow, make_button, swatch
from napari_xseg.gui.mending.mender import MARGIN, TOOLS, Mender, Tool
from napari_xseg.gui.mending.picture_tool import PictureTool

if TYPE_CHECKING:
    from qtpy.QtGui import QHideEvent

    from napari_xseg.gui.session import Session

MEND_TIP = "Give pieces and places of a mask the class that they are, in labels or in the mask."
_WORDS: dict[Tool, tuple[str, str]] = {
    "piece": (
        "Piece",
        "Click a connected piece: it gets the class above. The keys 1 to 9 give the piece under "
        "the mouse their class.",
    ),
    "place": (
        "Fill place",
        "Click a class in the picture: in the outlined box, what is of the doubtful class becomes "
        "that class.",
    ),
    "grow": ("Grow", "Click a piece: it grows by so many pixels."),
    "shrink": ("Shrink", "Click a piece: its edge goes to what lies beside it."),
    "holes": ("Fill holes", "Click a piece: what it encloses becomes part of it."),
}
_MOST_REACH = 50


class MendPanel(QWidget):
    """Shows a `Mender` and asks it for edits; each goes into the labels and can be undone.

    Parameters
    ----------
    session : Session
    mender : Mender
        Whose place the page sets.
    """

    def __init__(self, session: Session, mender: Mender) -> None:
        super().__init__()
        self.session = session
        self.mender = mender
        self.picture = PictureTool(mender)
        self._guarded = partial(guarded, session)
        self._make_widgets()
        self._lay_out()
        self._connect()
        self._on_classes()

    def leave(self) -> None:
        """Give mouse and keys back, and follow the session no more."""
        self.mender.close()
        self.picture.close()
        self.session.classes_changed.disconnect(self._on_classes, missing_ok=True)

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Give mouse and keys back with the page."""
        super().hideEvent(event)
        if event is not None and not event.spontaneous():
            self.mender.set_tool("")

    # -- making -------------------------------------------------------------

    def _make_widgets(self) -> None:
        self.value = Choice()
        self.value.setToolTip("The class that a piece is given.")
        self.paint = make_button(
            "Paint here", "Take up the brush in the labels, with the class that is right (P)."
        )
        self.tools: dict[Tool, QPushButton] = {}
        for tool in TOOLS:
            button = make_button(*_WORDS[tool])
            button.setCheckable(True)
            self.tools[tool] = button
        self.reach = NumberField(
            1, _MOST_REACH, 1, suffix=" px", tip="How far pieces grow and shrink."
        )
        self.take_over = make_button(
            "Take o&ver",
            f"The mask is right here: take it into the labels, from the place and {MARGIN} pixels "
            "around it.",
        )
        self.accept = make_button(
            "Acc&ept slice",
            "Take the mask's slice into all pixels that are not labelled; what you mended stays.",
        )
        self.undo = make_button("Undo", "Take back the last edit or stroke of the labels (Ctrl+Z).")
        self.status = QLabel("A click in the picture does nothing: choose what it does.")
        self.status.setWordWrap(True)

    def _lay_out(self) -> None:
        name = QLabel("C&lass")
        name.setBuddy(self.value)
        first = QHBoxLayout()
        first.addWidget(name)
        first.addWidget(self.value, 1)
        first.addWidget(self.paint)
        grid = QGridLayout()
        grid.setSpacing(4)
        for place, button in enumerate(self.tools.values()):
            grid.addWidget(button, *divmod(place, 3))
        grid.addWidget(self.reach, 1, 2)
        last = QHBoxLayout()
        for button in (self.take_over, self.accept, self.undo):
            last.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for part in (first, grid, last):
            layout.addLayout(part)
        layout.addWidget(self.status)

    def _connect(self) -> None:
        mender = self.mender
        for tool, button in self.tools.items():
            button.toggled.connect(partial(self._on_tool, tool))
        self.value.currentIndexChanged.connect(lambda row: mender.set_value(row + 1))
        self.reach.valueChanged.connect(self._on_reach)
        for button, action in (
            (self.paint, mender.paint),
            (self.take_over, mender.take_over),
            (self.accept, mender.accept),
            (self.undo, mender.undo),
        ):
            button.clicked.connect(partial(self._guarded, action))
        mender.aimed.connect(self._show)
        mender.tool_changed.connect(self._show)
        mender.done.connect(self._say)
        self.session.classes_changed.connect(self._on_classes)

    # -- what the user does -------------------------------------------------

    def paint_here(self) -> None:
        """Take up the brush."""
        self._guarded(self.mender.paint)

    def _on_tool(self, tool: Tool, on: bool) -> None:
        if on:
            self.mender.set_tool(tool)
        elif self.mender.tool == tool:
            self.mender.set_tool("")

    def _on_reach(self, pixels: float) -> None:
        self.mender.reach = int(pixels)

    # -- what is shown ------------------------------------------------------

    def _on_classes(self) -> None:
        classes = self.session.classes
        self.value.blockSignals(True)
        self.value.clear()
        for spec in classes.classes:
            self.value.addItem(swatch(spec.colour), spec.name)
        self.value.blockSignals(False)
        self.mender.value = min(self.mender.value, len(classes))
        self._show()

    def _say(self, words: str) -> None:
        self.status.setText(words)

    def _show(self) -> None:
        mender = self.mender
        self.value.blockSignals(True)
        self.value.setCurrentIndex(mender.value - 1)
        self.value.blockSignals(False)
        for tool, button in self.tools.items():
            button.blockSignals(True)
            button.setChecked(tool == mender.tool)
            button.blockSignals(False)
        aimed = mender.target is not None
        nowhere = "" if aimed else "Choose a place in the list first."
        no_mask = "" if mender.mask is not None else "There is no mask to take anything from."
        allow(self.tools["place"], nowhere)
        allow(self.take_over, no_mask or nowhere)
        allow(self.accept, no_mask)
        if mender.tool:
            self._say(f"{_WORDS[mender.tool][1]} Escape ends it.")

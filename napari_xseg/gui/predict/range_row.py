"""Which slices are predicted together: a field, how many it names, and its button."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QLineEdit, QPushButton, QWidget

from napari_xseg.data.slices import parse_slices
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from napari_xseg.gui.session import Session

WHAT = "range"


class RangeRow(QWidget):
    """Names slices; says why where it cannot be read, and emits `changed`.

    Parameters
    ----------
    session : Session
        Whose image has the slices.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.good = False
        self.field = QLineEdit()
        self.field.setPlaceholderText("160:200")
        self.field.setToolTip("Slices by z from 0, as a list, Python ranges or both: 13,39,160:200")
        self.count = QLabel()
        self.count.setToolTip("How many slices the range names.")
        self.button = QPushButton("Predict r&ange")
        self.button.setToolTip("Predict the slices named, into one mask.")
        self.fault = QLabel()
        self.fault.setWordWrap(True)
        self.fault.setToolTip("Why the range cannot be predicted.")
        label = QLabel("Ran&ge")
        label.setBuddy(self.field)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for column, widget in enumerate((label, self.field, self.count, self.button)):
            grid.addWidget(widget, 0, column)
        grid.addWidget(self.fault, 1, 0, 1, 4)
        grid.setColumnStretch(1, 1)
        self.field.textChanged.connect(self.read)
        self.field.returnPressed.connect(self.button.click)

    def value(self) -> tuple[int, ...]:
        """The slices that are named; XsegError where the text cannot be read."""
        images = self._session.require_images()
        return parse_slices(self.field.text().strip() or "nothing", images.shape[0], WHAT)

    def read(self) -> None:
        """Read the field anew: its text or the image is another one."""
        text = self.field.text().strip()
        try:
            count, fault = len(self.value()) if text else 0, ""
        except XsegError as error:
            count, fault = 0, str(error).removeprefix(f"{WHAT} {text}: ")
        self.good = count > 0
        self.count.setText(f"{count:,} slice{'s' * (count != 1)}" if count else "")
        self.fault.setText(fault[:1].upper() + fault[1:])
        self.fault.setVisible(bool(fault))
        self.changed.emit()

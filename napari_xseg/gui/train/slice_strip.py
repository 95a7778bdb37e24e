"""Which slices are labelled, and what each is for: a strip along z."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from qtpy.QtCore import QEvent, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPalette
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.data.colours import hex_colour
from napari_xseg.errors import XsegError
from napari_xseg.gui.forms import Choice
from napari_xseg.gui.train.kept_choices import CHOICES, CHOSEN, split_wish

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_xseg.data.partition import Split
    from napari_xseg.jobs import SplitWish

Role = Literal["training", "validation", "guard", "labelled"]
# Colours that colour-blind people tell apart, readable on dark and light themes.
ROLE_COLOURS: dict[Role, tuple[int, int, int]] = {
    "training": (86, 180, 233),
    "validation": (230, 159, 0),
    "guard": (150, 150, 150),
    "labelled": (0, 158, 115),
}
MEANINGS: dict[Role, str] = {
    "training": "the network learns from these slices",
    "validation": "the Dice is measured on these slices",
    "guard": "too near to a validation slice: takes no part",
    "labelled": "labelled, and not in use",
}
# Pixels: the strip's height, the margin at its ends, the least width of a slice's mark.
HEIGHT, MARGIN, LEAST = 34, 5, 3.0
TRACK, MARKER = 20.0, 5.0


def roles_of(slices: Iterable[int], split: Split | None) -> dict[int, Role]:
    """What each labelled slice is for; one that trains and validates in parts trains."""
    roles: dict[int, Role] = dict.fromkeys(slices, "labelled")
    if split is not None:
        named: tuple[tuple[tuple[int, ...], Role], ...] = (
            (split.guard, "guard"),
            (split.val, "validation"),
            (split.train, "training"),
        )
        for members, role in named:
            roles.update((z, role) for z in members if z in roles)
    return roles


class _Strip(QWidget):
    """The painted part: a mark for each labelled slice, a frame around the one in view."""

    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Labelled slices along z")
        self.depth = 0
        self.current: int | None = None
        self.pixels: dict[int, int] = {}
        self.roles: dict[int, Role] = {}
        self.split: Split | None = None

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(200, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """High enough for the marks and the frame."""
        return QSize(60, HEIGHT)

    # -- where slices lie ---------------------------------------------------

    def _room(self) -> float:
        return max(1.0, float(self.width() - 2 * MARGIN))

    def span(self, z: int) -> tuple[float, float]:
        """Left and right of slice z in pixels; narrow slices are widened to be seen."""
        width = self._room() / max(1, self.depth)
        middle = MARGIN + (z + 0.5) * width
        half = max(width, LEAST) / 2
        return middle - half, middle + half

    def slice_at(self, x: float) -> int | None:
        """The slice at x; a labelled one that is drawn there comes first."""
        if not self.depth:
            return None
        at = int((x - MARGIN) / self._room() * self.depth)
        at = min(max(at, 0), self.depth - 1)
        near = [z for z in self.pixels if self.span(z)[0] <= x <= self.span(z)[1]]
        return min(near, key=lambda z: abs(z - at), default=at)

    # -- painting -----------------------------------------------------------

    def paintEvent(self, event: Any) -> None:
        """Paint the track, the labelled slices, the one in view, and the focus."""
        painter = QPainter(self)
        ink = self.palette().color(QPalette.ColorRole.WindowText)
        top = (self.height() - TRACK) / 2
        track = QRectF(MARGIN, top, self._room(), TRACK)
        painter.fillRect(track, _faded(ink, 40))
        for z in sorted(self.pixels):
            left, right = self.span(z)
            colour = QColor(*ROLE_COLOURS[self.roles[z]])
            painter.fillRect(QRectF(left, top, right - left, TRACK), colour)
            self._paint_band(painter, z, left, right, top)
        if self.current is not None and self.depth:
            left, right = self.span(self.current)
            painter.setPen(ink)
            painter.drawRect(QRectF(left - 1, top - 2, right - left + 1, TRACK + 3))
            middle = (left + right) / 2
            painter.fillRect(QRectF(middle - 1.5, 0, 3, top - 2), ink)
            painter.fillRect(QRectF(middle - 1.5, top + TRACK + 2, 3, top - 2), ink)
        if self.hasFocus():
            painter.setPen(_faded(ink, 140))
            painter.drawRect(QRectF(0.5, 0.5, self.width() - 1, self.height() - 1))
        painter.end()

    def _paint_band(self, painter: QPainter, z: int, left: float, right: float, top: float) -> None:
        """Where a band of rows validates, that part of the mark has its colour."""
        if self.split is None or self.split.band is None or z not in self.split.val:
            return
        painter.fillRect(
            QRectF(left, top + 0.6 * TRACK, right - left, 0.4 * TRACK),
            QColor(*ROLE_COLOURS["validation"]),
        )

    # -- mouse and keys -----------------------------------------------------

    def mousePressEvent(self, event: Any) -> None:
        """Jump to the slice that is clicked."""
        z = self.slice_at(event.position().x())
        if z is not None and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(z)

    def keyPressEvent(self, event: Any) -> None:
        """Move with the arrow keys; Page Up and Down go from one labelled slice to the next."""
        at = 0 if self.current is None else self.current
        before = [z for z in self.pixels if z < at]
        behind = [z for z in self.pixels if z > at]
        targets = {
            Qt.Key.Key_Left: at - 1,
            Qt.Key.Key_Right: at + 1,
            Qt.Key.Key_PageUp: max(before, default=at),
            Qt.Key.Key_PageDown: min(behind, default=at),
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: self.depth - 1,
        }
        target = targets.get(event.key())
        if target is None or not self.depth:
            super().keyPressEvent(event)
        elif 0 <= target < self.depth:
            self.picked.emit(target)

    def event(self, event: QEvent | None) -> bool:
        """Say in the tooltip what the slice under the mouse is for."""
        if event is not None and event.type() == QEvent.Type.ToolTip:
            z = self.slice_at(event.pos().x())  # type: ignore[attr-defined]
            if z is not None:
                QToolTip.showText(event.globalPos(), self.words(z), self)  # type: ignore[attr-defined]
                return True
        return super().event(event)

    def words(self, z: int) -> str:
        """What slice z is for: "slice 39: training, 251,001 pixels labelled"."""
        if z not in self.pixels:
            return f"slice {z}: not labelled"
        role = self.roles[z]
        return f"slice {z}: {role}, {self.pixels[z]:,} pixels labelled ({MEANINGS[role]})"


class SliceStrip(QWidget):
    """The labelled slices along z, in the colours of what they are for, with a legend.

    A click or the arrow keys ask for a slice by `picked`.
    """

    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.strip = _Strip()
        self.strip.picked.connect(self.picked)
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setWordWrap(True)
        self.legend.setToolTip("\n".join(f"{role}: {text}" for role, text in MEANINGS.items()))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addWidget(self.strip)
        layout.addWidget(self.legend)
        self.set_slices(0, {}, None)

    def set_slices(self, depth: int, pixels: Mapping[int, int], split: Split | None) -> None:
        """Show the slices of a volume.

        Parameters
        ----------
        depth : int
            Number of slices there are.
        pixels : mapping of int to int
            Labelled pixels by z; slices without any are left out.
        split : Split, optional
            What the slices are for; None where that is not settled.
        """
        self.strip.depth = depth
        self.strip.pixels = dict(pixels)
        self.strip.roles = roles_of(pixels, split)
        self.strip.split = split
        self.legend.setText(self._legend())
        self.strip.update()

    def set_current(self, z: int | None) -> None:
        """Mark the slice in view; None for none."""
        if z != self.strip.current:
            self.strip.current = z
            self.strip.update()

    def value(self) -> int | None:
        """The marked slice."""
        return self.strip.current

    def _legend(self) -> str:
        if not self.strip.pixels:
            return "no slice is labelled yet"
        roles = list(self.strip.roles.values())
        parts = [
            f'<span style="color:{hex_colour(colour)}">\N{BLACK SQUARE}</span> '
            f"{roles.count(role)} {role}"
            for role, colour in ROLE_COLOURS.items()
            if role in roles
        ]
        if self.strip.split is not None and self.strip.split.band is not None:
            colour = hex_colour(ROLE_COLOURS["validation"])
            parts.append(f'<span style="color:{colour}">\N{BLACK SQUARE}</span> rows that validate')
        return " &nbsp; ".join(parts)


class ValidationField(QWidget):
    """Which labelled slices validate: chosen automatically, none, or those that are named."""

    value_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._count = 1
        self.choice = Choice()
        self.choice.addItems(CHOICES)
        self.choice.setToolTip(
            "Which labelled slices the Dice is measured on. Automatic: a slice far from the "
            "others, or a block with a gap around it; with one or two labelled slices a band of "
            "their rows. None: all labelled slices train, and there is no figure."
        )
        self.slices = QLineEdit()
        self.slices.setPlaceholderText("13, 39, 160:200")
        self.slices.setToolTip(
            "z of the slices that validate; they count from 0, and 160:200 is 160 to 199."
        )
        self.slices.setAccessibleName("Validation slices")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.choice)
        layout.addWidget(self.slices, 1)
        self.setFocusProxy(self.choice)
        self.choice.currentIndexChanged.connect(self._on_change)
        self.slices.editingFinished.connect(self.value_changed)
        self._on_change()

    def set_count(self, count: int) -> None:
        """Say how many slices there are."""
        self._count = count

    def value(self) -> SplitWish:
        """How to split; XsegError where the text names no slices."""
        return split_wish(self.choice.currentText(), self.slices.text(), self._count)

    def set_value(self, choice: str, slices: str = "") -> None:
        """Show a choice of `CHOICES` and the text of the chosen slices."""
        self.slices.setText(slices)
        self.choice.setCurrentText(choice)

    def _on_change(self) -> None:
        self.slices.setVisible(self.choice.currentText() == CHOSEN)
        self.value_changed.emit()


def _faded(colour: QColor, alpha: int) -> QColor:
    return QColor(colour.red(), colour.green(), colour.blue(), alpha)


def wish_of(field: ValidationField) -> tuple[SplitWish | None, str]:
    """The field's wish, or None and the sentence that says what is wrong with it."""
    try:
        return field.value(), ""
    except XsegError as error:
        return None, str(error)

"""Small pieces that every dock is made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import QLocale, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.gui.in_front import Retreat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtpy.QtGui import QDoubleValidator, QKeyEvent

# Pixels of the side of a class's colour.
SWATCH = 14
# The property of a button that keeps what its tip says where it can be pressed.
_OWN_TIP = "own tip"
_C = QLocale(QLocale.Language.C)
_C.setNumberOptions(
    QLocale.NumberOption.RejectGroupSeparator | QLocale.NumberOption.OmitGroupSeparator
)


class NumberField(QDoubleSpinBox):
    """A number with a decimal point, whatever the system's language; a typed comma is one too.

    Parameters
    ----------
    low, high, value : float
        Range and first value.
    decimals : int
        Digits behind the point; 0 for whole numbers.
    suffix : str
        The unit, shown behind the number.
    """

    def __init__(
        self,
        low: float,
        high: float,
        value: float,
        *,
        decimals: int = 0,
        step: float = 1.0,
        suffix: str = "",
        tip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setLocale(_C)
        self.setDecimals(decimals)
        self.setRange(low, high)
        self.setSingleStep(step)
        self.setSuffix(suffix)
        self.setKeyboardTracking(False)
        self.setToolTip(tip)
        self.setValue(value)
        self.setMinimumWidth(70)

    def validate(self, text: str | None, position: int) -> tuple[QDoubleValidator.State, str, int]:
        """Accept a comma as the decimal point; of whole numbers, what rounding makes one."""
        pointed = (text or "").replace(",", ".")
        whole, point, fraction = pointed.removesuffix(self.suffix()).partition(".")
        if point and not self.decimals() and (fraction.isdigit() or not fraction):
            return super().validate(whole + self.suffix(), len(whole))[0], pointed, position
        state, mended, place = super().validate(pointed, position)
        return state, mended, place

    def valueFromText(self, text: str | None) -> float:
        """The number that the text says, rounded where it is a whole one."""
        pointed = (text or "").replace(",", ".")
        number = pointed.removesuffix(self.suffix())
        if "." in number and not self.decimals():
            return float(math.floor(float(number) + 0.5))
        return super().valueFromText(pointed)

    def wheelEvent(self, event: object) -> None:
        """Scroll the dock, not the number, unless it has the focus."""
        if self.hasFocus():
            super().wheelEvent(event)  # type: ignore[arg-type]
        else:
            event.ignore()  # type: ignore[attr-defined]


def make_button(text: str, tip: str) -> QPushButton:
    """A button that says what it does."""
    button = QPushButton(text)
    button.setToolTip(tip)
    return button


def allow(button: QAbstractButton, why_not: str) -> None:
    """Let a button be pressed where nothing speaks against it; else its tip says what does."""
    tip = button.property(_OWN_TIP)
    if tip is None:
        tip = button.toolTip()
        button.setProperty(_OWN_TIP, tip)
    button.setEnabled(not why_not)
    button.setToolTip(why_not or tip)


class Fold(QWidget):
    """A part of a form that opens when its title is clicked, or by the keyboard.

    Parameters
    ----------
    title : str
    content : QWidget
    tip : str
        What is inside, said over the title alone: fields have tips of their own.
    open_ : bool
        Whether it is open at first.
    """

    def __init__(self, title: str, content: QWidget, *, tip: str, open_: bool = False) -> None:
        super().__init__()
        self._content = content
        self._button = QToolButton(text=title, checkable=True, checked=open_)  # type: ignore[call-overload]
        self._button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._button.setAutoRaise(True)
        self._button.setToolTip(tip)
        self._button.toggled.connect(self._show)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        layout.addWidget(content)
        self._show(open_)

    def set_open(self, open_: bool) -> None:
        """Open or close it."""
        self._button.setChecked(open_)

    def _show(self, open_: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if open_ else Qt.ArrowType.RightArrow
        self._button.setArrowType(arrow)
        self._content.setVisible(open_)


def fill(page: QWidget, parts: Iterable[QWidget], foot: Iterable[QWidget] = ()) -> QScrollArea:
    """Stack `parts` in a page; they scroll where the screen is small, and the foot stays.

    Returns
    -------
    QScrollArea
        It has the parts.
    """
    body = QWidget(page)
    # napari leaves the lower half of a dock empty where nothing says that it wants the room.
    body.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
    area = QScrollArea(body)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    content = QWidget()
    _stack(content, parts, top=6, spacing=4).addStretch(1)
    area.setWidget(content)
    inside, layout = QVBoxLayout(page), QVBoxLayout(body)
    for one in (inside, layout):
        one.setContentsMargins(0, 0, 0, 0)
        one.setSpacing(0)
    inside.addWidget(body)
    layout.addWidget(area, 1)
    below = list(foot)
    if below:
        frame = QFrame()
        _stack(frame, below, top=4, spacing=3)
        layout.addWidget(frame)
    # One for all of it: with more of them PyQt crashes when a script ends with its window open.
    Retreat(body)
    return area


def _stack(within: QWidget, parts: Iterable[QWidget], *, top: int, spacing: int) -> QVBoxLayout:
    layout = QVBoxLayout(within)
    layout.setContentsMargins(6, top, 6, 6)
    layout.setSpacing(spacing)
    for part in parts:
        layout.addWidget(part)
    return layout


class Choice(QComboBox):
    """A list to choose one of; it takes little room, and leaves the wheel to the dock.

    Attributes
    ----------
    asking : set of str
        Entries that open a dialog: keys that step through the list pass them by.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.asking: set[str] = set()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Step past entries that ask; Space, F4 or Alt+Down open the list, where they are."""
        opens = (Qt.Key.Key_Space, Qt.Key.Key_F4, Qt.Key.Key_Return, Qt.Key.Key_Enter)
        alt = event is not None and event.modifiers() & Qt.KeyboardModifier.AltModifier
        if event is None or not self.asking or alt or event.key() in opens:
            super().keyPressEvent(event)
            return
        before = self.currentIndex()
        blocked = self.blockSignals(True)
        super().keyPressEvent(event)
        if self.currentText() in self.asking:
            self.setCurrentIndex(before)
        self.blockSignals(blocked)
        if self.currentIndex() != before:
            self.currentIndexChanged.emit(self.currentIndex())
            self.activated.emit(self.currentIndex())

    def wheelEvent(self, event: object) -> None:
        """Scroll the dock, not the choice, unless it has the focus."""
        if self.hasFocus():
            super().wheelEvent(event)  # type: ignore[arg-type]
        else:
            event.ignore()  # type: ignore[attr-defined]


def swatch(colour: tuple[int, int, int]) -> QIcon:
    """A square in the colour of a class."""
    picture = QPixmap(SWATCH, SWATCH)
    picture.fill(QColor(*colour))
    icon = QIcon(picture)
    # Chosen or disabled rows keep the colour of their class.
    for mode in (QIcon.Mode.Selected, QIcon.Mode.Disabled):
        icon.addPixmap(picture, mode)
    return icon

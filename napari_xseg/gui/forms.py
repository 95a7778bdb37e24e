"""Small pieces that every dock is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QLocale, QObject, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QComboBox,
    QDockWidget,
    QDoubleSpinBox,
    QFrame,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from qtpy.QtGui import QDoubleValidator, QKeyEvent

# Pixels of the side of a class's colour.
SWATCH = 14
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
        """Accept a comma as the decimal point."""
        state, mended, place = super().validate((text or "").replace(",", "."), position)
        return state, mended, place

    def valueFromText(self, text: str | None) -> float:
        """The number that the text says."""
        return super().valueFromText((text or "").replace(",", "."))

    def wheelEvent(self, event: object) -> None:
        """Scroll the dock, not the number, unless it has the focus."""
        if self.hasFocus():
            super().wheelEvent(event)  # type: ignore[arg-type]
        else:
            event.ignore()  # type: ignore[attr-defined]


class Fold(QWidget):
    """A part of a form that opens when its title is clicked, or by the keyboard."""

    def __init__(self, title: str, content: QWidget, *, open_: bool = False) -> None:
        super().__init__()
        self._content = content
        self._button = QToolButton(text=title, checkable=True, checked=open_)  # type: ignore[call-overload]
        self._button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._button.setAutoRaise(True)
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


def scrolled(content: QWidget, parent: QWidget) -> QScrollArea:
    """Fill `parent` with `content`, which scrolls up and down where the screen is small."""
    area = QScrollArea(parent)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(content)
    layout = QVBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(area)
    Retreat(area)
    return area


class Retreat(QObject):
    """Hides a dock's content while another tab covers it, from the Tab key and from Alt keys.

    To Qt a covered tab is visible: its fields would take the focus unseen, and its
    underlined letters would compete with those in front.

    Parameters
    ----------
    content : QWidget
        Has its parent already, which lies in a dock, or will.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__(content)
        self._content = content
        self._dock: QDockWidget | None = None
        parent = content.parentWidget()
        assert parent is not None
        parent.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Find the dock when it is first shown."""
        if event is not None and event.type() == QEvent.Type.Show:
            dock = _dock_of(self._content)
            if dock is not None and dock is not self._dock:
                self._dock = dock
                dock.visibilityChanged.connect(self._content.setVisible)
        return False


def _dock_of(widget: QWidget) -> QDockWidget | None:
    within: QWidget | None = widget
    while within is not None and not isinstance(within, QDockWidget):
        within = within.parentWidget()
    return within


def in_front(widget: QWidget) -> bool:
    """Whether a widget's dock, and its page there, can be seen: their tabs are in front.

    In a window that is not shown, everything counts as in front.
    """
    if not widget.window().isVisible():
        return True
    within = _dock_of(widget) or widget
    return widget.isVisibleTo(within) and not within.visibleRegion().isEmpty()


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

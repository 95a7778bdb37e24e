"""What a person does in napari's own window: menus, the slider, the brush, files dropped on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QCursor, QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QMenu, QStyle, QStyleOptionSlider

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari import Viewer
    from numpy.typing import NDArray
    from qtpy.QtWidgets import QWidget

LEFT = Qt.MouseButton.LeftButton
COPY, PLAIN = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
# Milliseconds in which the slowest machine has done whatever a test waits for.
PATIENCE = 60_000


def until(qtbot: Any, true: Callable[[], Any]) -> None:
    """Wait until something is so."""
    qtbot.waitUntil(lambda: bool(true()), timeout=PATIENCE)


def plain(text: str) -> str:
    """A text as it is read, without the mark of its underlined letter."""
    return text.replace("&&", "\0").replace("&", "").replace("\0", "&")


# -- menus ------------------------------------------------------------------


def click_in_menu(qtbot: Any, window: Any, *path: str) -> None:
    """Click through the menu bar of a window, from menu to menu."""
    bar: Any = window.menuBar()
    for number, text in enumerate(path):
        until(qtbot, lambda bar=bar, text=text: _entry(bar, text) is not None)
        entry = _entry(bar, text)
        qtbot.mouseMove(bar, bar.actionGeometry(entry).center())
        qtbot.mouseClick(bar, LEFT, pos=bar.actionGeometry(entry).center())
        if number + 1 < len(path):
            menu = entry.menu()
            until(qtbot, menu.isVisible)
            bar = menu


def _entry(menu: Any, text: str) -> Any:
    return next((one for one in menu.actions() if plain(one.text()).startswith(text)), None)


def click_entry(qtbot: Any, button: Any, text: str) -> None:
    """Click a button with a menu, and the entry of the menu that is called so."""
    menu: QMenu = button.menu()
    done: list[bool] = []

    def choose() -> None:
        if not menu.isVisible():
            QTimer.singleShot(20, choose)
            return
        entry = _entry(menu, text)
        assert entry is not None, [one.text() for one in menu.actions()]
        done.append(True)
        qtbot.mouseClick(menu, LEFT, pos=menu.actionGeometry(entry).center())

    QTimer.singleShot(0, choose)
    until(qtbot, lambda: button.isVisible() and button.isEnabled())
    qtbot.mouseClick(button, LEFT)
    until(qtbot, lambda: done)


# -- numbers and lists by keys ----------------------------------------------


def type_number(qtbot: Any, field: Any, text: str) -> None:
    """Replace what a number field says, and press Enter."""
    line = field.lineEdit() if hasattr(field, "lineEdit") else field
    line.selectAll()
    qtbot.keyClicks(line, text)
    qtbot.keyClick(line, Qt.Key.Key_Return)


def choose_by_keys(qtbot: Any, box: Any, text: str) -> None:
    """Step through a list with the arrow keys until an entry is chosen."""
    until(qtbot, lambda: box.isEnabled() and box.findText(text) >= 0)
    key = Qt.Key.Key_Down if box.findText(text) > box.currentIndex() else Qt.Key.Key_Up
    while box.currentText() != text:
        before = box.currentIndex()
        qtbot.keyClick(box, key)
        assert box.currentIndex() != before, (box.currentText(), text)


# -- slices -----------------------------------------------------------------


def slide_to(qtbot: Any, viewer: Viewer, z: int) -> None:
    """Click the slider under the picture where slice z lies."""
    slider = viewer.window._qt_viewer.dims.slider_widgets[viewer.dims.ndim - 3].slider
    until(qtbot, slider.isVisible)
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    control = QStyle.ComplexControl.CC_ScrollBar
    groove, knob = (
        slider.style().subControlRect(control, option, part, slider)
        for part in (QStyle.SubControl.SC_ScrollBarGroove, QStyle.SubControl.SC_ScrollBarSlider)
    )
    free = groove.width() - knob.width()
    steps = slider.maximum() - slider.minimum()
    at = groove.x() + knob.width() // 2 + QStyle.sliderPositionFromValue(0, steps, z, free)
    qtbot.mouseClick(slider, LEFT, pos=QPoint(at, groove.center().y()))


def click_strip(qtbot: Any, strip: Any, z: int) -> None:
    """Click slice z in the strip of the Train dock."""
    left, right = strip.span(z)
    at = QPoint(int((left + right) / 2), strip.height() // 2)
    qtbot.mouseClick(strip, LEFT, pos=at)


# -- the picture ------------------------------------------------------------


def draw(qtbot: Any, viewer: Viewer, start: tuple[float, float], stop: tuple[float, float]) -> None:
    """Draw with the mouse from pixel to pixel (y, x) of the slice in view."""
    canvas = viewer.window._qt_viewer.canvas
    native = canvas.native
    places = [
        _place(qtbot, viewer, np.add(start, np.subtract(stop, start) * part))
        for part in (0, 0.25, 0.5, 0.75, 1)
    ]
    if not _uncovered(native, places):
        qtbot.mouseMove(native, QPoint(2, 2))  # a notification stays while the mouse is over it
        until(qtbot, lambda: _uncovered(native, places))
    # napari may still have a move of the stroke before to come: it must not be one of this.
    until(qtbot, lambda: _moved(qtbot, viewer, places[0]))
    qtbot.mousePress(native, LEFT, pos=places[0])
    for place in places[1:]:
        until(qtbot, lambda place=place: _moved(qtbot, viewer, place))
    qtbot.mouseRelease(native, LEFT, pos=places[-1])


def _moved(qtbot: Any, viewer: Viewer, place: QPoint) -> bool:
    """Move the mouse to a place of the canvas; whether napari has taken notice.

    A move too soon after another one is dropped, so it is made again: from beside, where the
    mouse is there already, since to stay is no move.
    """
    canvas = viewer.window._qt_viewer.canvas
    if canvas.native.mapFromGlobal(QCursor.pos()) == place:
        qtbot.mouseMove(canvas.native, place + QPoint(1, 0))
    qtbot.mouseMove(canvas.native, place)
    world = canvas._map_canvas2world((place.x(), place.y()), canvas.view)[-2:]
    return bool(np.allclose(viewer.cursor.position[-2:], world))


def _uncovered(native: QWidget, places: list[QPoint]) -> bool:
    """Whether nothing lies over the picture at these places, such as a notification."""
    return all(QApplication.widgetAt(native.mapToGlobal(place)) is native for place in places)


def _place(qtbot: Any, viewer: Viewer, point: NDArray[np.float64]) -> QPoint:
    """Where (y, x) is in the canvas, once that is drawn: until then a click lands elsewhere."""
    canvas, camera = viewer.window._qt_viewer.canvas, getattr(viewer, "scene", viewer).camera

    def found() -> QPoint:
        size = canvas.native.size()
        across = size.width() / 2 + (point[1] - camera.center[2]) * camera.zoom
        down = size.height() / 2 + (point[0] - camera.center[1]) * camera.zoom
        return QPoint(round(across), round(down))

    def drawn() -> bool:
        at = found()
        world = canvas._map_canvas2world((at.x(), at.y()), canvas.view)[-2:]
        return bool(np.allclose(world, point, atol=1 / camera.zoom))

    until(qtbot, drawn)
    return found()


def press(qtbot: Any, viewer: Viewer, key: Any) -> None:
    """Press a key with the mouse over the picture."""
    qtbot.keyClick(viewer.window._qt_viewer.canvas.native, key)


def runs_of_class(
    plane: NDArray[np.uint8], value: int, radius: int, length: int, count: int
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Strokes (from, to), in (y, x), that a brush can draw without leaving a class.

    Parameters
    ----------
    plane : uint8 (y, x)
        The true classes.
    value : int
        The class.
    radius, length : int
        Of the brush, and of a stroke, in pixels.
    count : int
        Strokes that are wanted, far from one another.
    """
    inside = plane == value
    for axis, reach in ((0, radius), (1, radius + length // 2)):
        whole = inside.copy()
        for shift in range(-reach, reach + 1):
            whole &= np.roll(inside, shift, axis)
        inside = whole
    margin = radius + length // 2 + 1
    inside[:margin] = inside[-margin:] = False
    inside[:, :margin] = inside[:, -margin:] = False
    chosen: list[NDArray[np.intp]] = []
    places = np.argwhere(inside)
    while len(chosen) < count and len(places):
        far = np.full(len(places), np.inf)
        for one in chosen:
            far = np.minimum(far, np.abs(places - one).sum(axis=1))
        chosen.append(places[int(far.argmax()) if chosen else len(places) // 2])
    half = length // 2
    return [((int(y), int(x - half)), (int(y), int(x + half))) for y, x in chosen]


# -- the desktop ------------------------------------------------------------


def drop(over: QWidget, at: QPoint, *paths: Path) -> bool:
    """Drop files at a place of a widget: the window is told, and finds who takes them.

    Gives whether somebody took them.
    """
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    window = over.window()
    handle = window.windowHandle()
    place = QPointF(over.mapTo(window, at))
    enter = QDragEnterEvent(place.toPoint(), COPY, mime, LEFT, PLAIN)
    QApplication.sendEvent(handle, enter)
    if not enter.isAccepted():
        return False
    fall = QDropEvent(place, COPY, mime, LEFT, PLAIN)
    QApplication.sendEvent(handle, fall)
    return fall.isAccepted()

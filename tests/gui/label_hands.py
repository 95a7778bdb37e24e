"""Working the Label dock as a user does: clicks, keys, strokes in the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPoint, Qt

from napari_xseg.gui.label.label_dock import LabelDock

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels

LEFT = Qt.MouseButton.LeftButton


def opened(viewer: Viewer) -> LabelDock:
    made = LabelDock(viewer)
    viewer.window.add_dock_widget(made, name="Label")
    viewer.window._qt_window.resize(1366, 740)
    viewer.window._qt_window.show()
    return made


def click(qtbot: Any, button: Any) -> None:
    assert button.isEnabled()
    assert button.isVisible()
    qtbot.mouseClick(button, LEFT)


def click_row(qtbot: Any, dock: LabelDock, row: int) -> None:
    table = dock.classes
    table.scrollToItem(table.item(row, 0))
    at = table.visualItemRect(table.item(row, 0)).center()
    qtbot.mouseClick(table.viewport(), LEFT, pos=at)


def canvas(dock: LabelDock) -> Any:
    return dock.session.viewer.window._qt_viewer.canvas


def press(qtbot: Any, dock: LabelDock, key: str) -> None:
    """Press a key with the focus in the picture."""
    qtbot.keyClick(canvas(dock).native, key)


def drag(qtbot: Any, dock: LabelDock, start: tuple[int, int], stop: tuple[int, int]) -> None:
    """Draw with the mouse in the picture, from pixel to pixel (y, x) of the slice."""
    native = canvas(dock).native
    points = [place(qtbot, dock.session.viewer, point) for point in (start, stop)]
    qtbot.mousePress(native, LEFT, pos=points[0])
    qtbot.mouseMove(native, points[1])
    qtbot.mouseRelease(native, LEFT, pos=points[1])


def place(qtbot: Any, viewer: Viewer, point: tuple[float, float]) -> QPoint:
    """Where (y, x) of the slice is in the canvas, once it is drawn at its size.

    Until then, napari takes a click for one elsewhere.
    """
    canvas = viewer.window._qt_viewer.canvas
    native, camera = canvas.native, getattr(viewer, "scene", viewer).camera

    def found() -> QPoint:
        size, zoom = native.size(), camera.zoom
        x = size.width() / 2 + (point[1] - camera.center[2]) * zoom
        y = size.height() / 2 + (point[0] - camera.center[1]) * zoom
        return QPoint(round(x), round(y))

    def drawn() -> None:
        at = found()
        world = canvas._map_canvas2world((at.x(), at.y()), canvas.view)[-2:]
        np.testing.assert_allclose(world, point, atol=1 / camera.zoom)

    qtbot.waitUntil(drawn)
    return found()


def layer_of(dock: LabelDock) -> Labels:
    assert dock.session.labels is not None
    return dock.session.labels


def paint_half(dock: LabelDock, z: int = 3) -> np.ndarray:
    dock.session.new_labels()
    assert dock.session.store is not None
    plane = np.zeros((96, 128), np.uint8)
    plane[:48] = 2
    dock.session.store.write(z, plane)
    return plane

"""A user at a real window: what is clicked is there, seen and enabled, as for a person."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QApplication,
    QDockWidget,
    QFileDialog,
    QLineEdit,
    QMessageBox,
    QScrollArea,
)

from napari_xseg.gui.session import Session, session_of
from napari_xseg.gui.window import DOCKS, PLUGIN
from tests.gui.label_hands import place
from tests.limits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari import Viewer
    from qtpy.QtWidgets import QDialog, QTableWidget, QWidget

    from napari_xseg.gui.experiments.experiments_dock import ExperimentsDock
    from napari_xseg.gui.label.label_dock import LabelDock
    from napari_xseg.gui.predict.predict_dock import PredictDock
    from napari_xseg.gui.review.review_dock import ReviewDock
    from napari_xseg.gui.train.train_dock import TrainDock

LEFT = Qt.MouseButton.LeftButton


class Hands:
    """The docks as tabs of one viewer's window, and what a person does with them.

    Parameters
    ----------
    viewer : napari.Viewer
    qtbot : QtBot
    """

    label: LabelDock
    train: TrainDock
    predict: PredictDock
    review: ReviewDock
    experiments: ExperimentsDock

    def __init__(self, viewer: Viewer, qtbot: Any) -> None:
        self.viewer = viewer
        self.qtbot = qtbot
        self.session = session_of(viewer)
        self.window = viewer.window._qt_window
        self.window.resize(1366, 768)
        self.window.show()
        # Where no window manager gives the focus, it follows the mouse, and lists close.
        self.window.activateWindow()
        self.until(self.window.isActiveWindow)
        for name in DOCKS:
            _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
            setattr(self, name.lower(), widget)
        self.idle()

    def wait_closed(self) -> None:
        """Wait until the window has gone as its user wanted, and let go of it."""
        self.until(lambda: not self.session._open and not self.session.jobs.busy)
        self.until(lambda: not ours())
        del self.window, self.label, self.train, self.predict, self.review, self.experiments
        # Gone already: the test fixture of napari would close it once more.
        del self.viewer.window._qt_window

    # -- waiting ------------------------------------------------------------

    def until(self, true: Callable[[], Any]) -> None:
        self.qtbot.waitUntil(lambda: bool(true()))

    def idle(self) -> None:
        """Wait until nothing computes."""
        self.until(lambda: not self.session.jobs.busy)

    # -- mouse and keys in the docks ----------------------------------------

    def show(self, dock: QWidget) -> None:
        """Bring a dock to the front of its tabs."""
        parent = dock.parent()
        while not isinstance(parent, QDockWidget):
            parent = parent.parent()
        parent.raise_()
        self.until(dock.isVisible)

    def see(self, widget: QWidget) -> None:
        """Scroll the dock until a widget is seen."""
        parent = widget.parent()
        while parent is not None:
            if isinstance(parent, QScrollArea):
                parent.ensureWidgetVisible(widget)
            parent = parent.parent()
        self.until(widget.isVisible)

    def click(self, button: QWidget) -> None:
        self.see(button)
        self.until(button.isEnabled)
        self.qtbot.mouseClick(button, LEFT)

    def fold(self, fold: Any) -> None:
        """Open a fold by its title."""
        if not fold._button.isChecked():
            self.click(fold._button)

    def pick(self, button: Any, number: int) -> None:
        """Click a button with a menu, and an entry of the menu."""
        menu = button.menu()
        chosen: list[bool] = []
        end = time.monotonic() + PATIENCE

        def choose() -> None:
            if not menu.isVisible():
                if time.monotonic() < end:
                    QTimer.singleShot(20, choose)
                return
            at = menu.actionGeometry(menu.actions()[number]).center()
            self.qtbot.mouseClick(menu, LEFT, pos=at)
            chosen.append(True)

        QTimer.singleShot(0, choose)
        self.click(button)
        self.until(lambda: chosen)

    def row(self, table: Any, row: int, column: int = 0) -> None:
        """Click a row of a table."""
        self.see(table)
        at = table.visualRect(table.model().index(row, column)).center()
        self.qtbot.mouseClick(table.viewport(), LEFT, pos=at)

    def type_cell(self, table: QTableWidget, row: int, column: int, text: str) -> None:
        """Change a cell as a person does: click it, F2, type, Enter."""
        self.row(table, row, column)
        self.qtbot.keyClick(table, Qt.Key.Key_F2)
        field = table.findChild(QLineEdit)
        assert field is not None
        field.selectAll()
        self.qtbot.keyClicks(field, text)
        with self.qtbot.waitSignal(field.destroyed):
            self.qtbot.keyClick(field, Qt.Key.Key_Return)

    def type_number(self, field: Any, text: str) -> None:
        self.see(field)
        field.lineEdit().selectAll()
        self.qtbot.keyClicks(field.lineEdit(), text)
        self.qtbot.keyClick(field.lineEdit(), Qt.Key.Key_Return)

    def choose(self, box: Any, text: str) -> None:
        """Open a list, and click an entry."""
        self.see(box)
        self.until(lambda: box.findText(text) >= 0)
        row = box.findText(text)
        box.showPopup()
        view = box.view()
        self.until(view.isVisible)
        at = view.visualRect(view.model().index(row, 0)).center()

        def hovered() -> bool:
            self.qtbot.mouseMove(view.viewport(), at + QPoint(1, 0))
            self.qtbot.mouseMove(view.viewport(), at)
            return bool(view.currentIndex().row() == row)

        self.until(hovered)  # a list that was not told of the mouse takes no click
        self.qtbot.mouseClick(view.viewport(), LEFT, pos=at)
        self.until(lambda: not view.isVisible())

    # -- the picture --------------------------------------------------------

    @property
    def picture(self) -> Any:
        return self.viewer.window._qt_viewer.canvas.native

    def place(self, y: float, x: float) -> QPoint:
        """Where pixel (y, x) of the slice in view is on the canvas, once it is drawn."""
        return place(self.qtbot, self.viewer, (y, x))

    def stroke(self, start: tuple[float, float], stop: tuple[float, float]) -> None:
        """Draw with the mouse from pixel to pixel (y, x)."""
        places = [
            self.place(*np.add(start, np.subtract(stop, start) * t)) for t in (0, 0.25, 0.5, 1)
        ]
        self.qtbot.mousePress(self.picture, LEFT, pos=places[0])
        for at in places[1:]:
            self.qtbot.mouseMove(self.picture, at)
            self.qtbot.wait(20)  # the screen says where the mouse is
        self.qtbot.mouseRelease(self.picture, LEFT, pos=places[-1])

    def press(self, key: Any) -> None:
        """Press a key with the focus in the picture."""
        self.qtbot.keyClick(self.picture, key)

    # -- whole steps --------------------------------------------------------

    def open_file(self, path: Path, monkeypatch: Any) -> None:
        """Press Open, File; name the file."""
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
        self.show(self.label)
        self.pick(self.label.data.open, 0)
        self.until(self.label.data.open.isEnabled)
        self.idle()

    def open_project(self, folder: Path, monkeypatch: Any) -> None:
        """Press Open, Project; name its folder."""
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
        self.show(self.label)
        self.pick(self.label.data.open, 2)
        self.until(self.label.data.open.isEnabled)
        self.idle()

    def prefill(self, *slices: int) -> None:
        """Take the mask of the grey values' cut points into slices."""
        self.show(self.label)
        self.fold(self.label.fold)
        for z in slices:
            self.session.go_to(z)
            self.until(lambda z=z: self.label.prefill.prefill.mask_at(z) is not None)
            self.click(self.label.accept)
        self.idle()

    def set_steps(self, steps: int) -> None:
        """Have the next training take so many steps."""
        self.show(self.train)
        self.choose(self.train.form.unit, "steps")
        self.type_number(self.train.form.length, str(steps))

    def train_to_end(self, button: Any) -> Path:
        """Press Train or Continue, and wait for the end; gives the run folder."""
        self.show(self.train)
        self.click(button)
        self.until(lambda: not self.train.trainings.running)
        self.idle()
        current = self.train.trainings.current
        assert current is not None
        assert current.job.error is None, current.job.error
        return current.run


def ours() -> list[Any]:
    """The widgets of napari-xseg that there are."""
    return [
        widget
        for widget in QApplication.allWidgets()
        if type(widget).__module__.startswith("napari_xseg.")
    ]


def label_all(session: Session, *slices: int) -> None:
    """Label slices with bands of all classes."""
    session.new_labels()
    assert session.store is not None
    height, width = session.store.shape[1:]
    count = len(session.classes)
    plane = np.repeat((np.arange(width) * count // width + 1)[None], height, axis=0)
    for z in slices:
        session.store.write(z, plane.astype(np.uint8))


def dice(mask: Any, truth: Any, classes: int) -> float:
    """Mean Dice over classes 1..n of two (z, y, x) arrays of labels."""
    scores = []
    for value in range(1, classes + 1):
        a, b = mask == value, truth == value
        scores.append(2 * np.count_nonzero(a & b) / max(1, a.sum() + b.sum()))
    return float(np.mean(scores))


def answer_question(button: str) -> list[str]:
    """Click a button of the question that comes up next; what it asks, once it was answered."""
    asked: list[str] = []

    def click(box: QMessageBox) -> None:
        asked.append(box.text())
        texts = [one.text().replace("&", "") for one in box.buttons()]
        QTest.mouseClick(box.buttons()[texts.index(button)], LEFT)

    when_up(QMessageBox, click)
    return asked


def when_up(kind: type[QDialog], act: Callable[[Any], object]) -> None:
    """Act on the dialog that comes up next; where that fails, it does not stay."""
    end = time.monotonic() + PATIENCE

    def look() -> None:
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, kind) or not dialog.isVisible():
            if time.monotonic() < end:  # else the test has ended without it
                QTimer.singleShot(20, look)
            return
        try:
            act(dialog)
        except BaseException:
            dialog.reject()
            raise

    QTimer.singleShot(0, look)

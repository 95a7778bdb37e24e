"""What every dock keeps to, whatever it is for."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QGroupBox,
    QLabel,
    QLineEdit,
    QScrollArea,
    QScrollBar,
    QSlider,
    QTabBar,
    QWidget,
)
from superqt import QLabeledSlider

from napari_xseg.gui.experiments.experiments_dock import ExperimentsDock
from napari_xseg.gui.forms import Fold
from napari_xseg.gui.label.label_dock import LabelDock
from napari_xseg.gui.predict.predict_dock import PredictDock
from napari_xseg.gui.review.review_dock import ReviewDock
from napari_xseg.gui.train.train_dock import TrainDock
from napari_xseg.gui.window import open_docks
from tests.gui.hands import label_all
from tests.gui.prediction_fakes import write_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari_xseg.gui.session import Session

DOCKS = (LabelDock, TrainDock, PredictDock, ReviewDock, ExperimentsDock)
INTERACTIVE = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QSlider,
    QLabeledSlider,
)
PATIENCE = 60_000
MENUS = set("fvlpwh")
# No other letter is left in these; Plugins has nothing to open while a job runs.
BEYOND = {"Copy to pre&vious", "&Pause", "Take o&ver", "C&lass"}


@pytest.fixture
def at_work(session: Session, tmp_path: Path) -> Session:
    """A session with labels and a model: most of each dock is shown."""
    session.move_project(tmp_path / "scan-xseg")
    label_all(session, 1, 3)
    write_model(tmp_path / "run" / "model.safetensors")
    session.set_model(tmp_path / "run")
    return session


def open_folds(dock: QWidget) -> None:
    """Open the folds that are there, and those inside them."""
    for fold in dock.findChildren(Fold):
        fold.set_open(True)


def texts(dock: QWidget) -> Iterator[str]:
    """What can be read in a dock, tabs included."""
    for widget in dock.findChildren(QWidget):
        if not widget.isVisibleTo(dock):
            continue
        if isinstance(widget, QAbstractButton | QLabel):
            yield widget.text()
        elif isinstance(widget, QGroupBox):
            yield widget.title()
        elif isinstance(widget, QTabBar):
            yield from (widget.tabText(index) for index in range(widget.count()))


def underlined(dock: QWidget) -> dict[str, list[str]]:
    """Each letter that Alt takes, with what it is for."""
    found = defaultdict(list)
    for text in texts(dock):
        letter = None if "<" in text else re.search("&([^&])", text)
        if letter is not None:
            found[letter[1].casefold()].append(text)
    return found


@pytest.mark.parametrize("kind", DOCKS)
def test_a_letter_with_alt_does_one_thing(
    at_work: Session, show_dock: Callable[[type[Any]], Any], kind: type[Any]
) -> None:
    dock = show_dock(kind)
    open_folds(dock)
    found = underlined(dock)
    assert len(found) > 4
    assert {letter: uses for letter, uses in found.items() if len(uses) > 1} == {}
    with_menus = {text for letter in MENUS & set(found) for text in found[letter]}
    assert with_menus - BEYOND == set()


@pytest.mark.parametrize("kind", DOCKS)
def test_a_dock_uses_all_its_height(
    at_work: Session, show_dock: Callable[[type[Any]], Any], qtbot: Any, kind: type[Any]
) -> None:
    dock = show_dock(kind)
    window = at_work.viewer.window._qt_window
    window.resize(1366, 768)
    areas = [area for area in dock.findChildren(QScrollArea) if area.isVisibleTo(dock)]

    def filled() -> None:
        foot = areas[0].parentWidget()
        assert foot is not None
        bottom = foot.mapTo(dock, foot.rect().bottomLeft()).y()
        assert dock.height() > 500
        assert dock.height() - bottom < 20

    qtbot.waitUntil(filled)


def parts_of_another(widget: QWidget) -> bool:
    """Whether Qt made it, as a part of a field, a list or a row of tabs."""
    within = widget.parentWidget()
    made = (
        QComboBox,
        QAbstractSpinBox,
        QAbstractItemView,
        QTabBar,
        QLineEdit,
        QLabeledSlider,
    )
    while within is not None:
        if isinstance(within, made):
            return True
        within = within.parentWidget()
    return isinstance(widget, QScrollBar)


def tip_of(widget: QWidget, dock: QWidget) -> str:
    """What is said over a widget: its own words, or those of what it lies in."""
    within: QWidget | None = widget
    while within is not None and within is not dock:
        if within.toolTip():
            return within.toolTip()
        within = within.parentWidget()
    return ""


@pytest.mark.parametrize("waited", [False, True])
@pytest.mark.parametrize("kind", DOCKS)
def test_everything_that_can_be_worked_says_what_it_does(
    at_work: Session, wait_idle: Callable[[Session], None], kind: type[Any], waited: bool
) -> None:
    dock = kind(at_work.viewer)
    at_work.viewer.window.add_dock_widget(dock, name=kind.__name__)
    if waited:
        at_work.viewer.window._qt_window.show()
        wait_idle(at_work)
    widgets = [
        one
        for one in dock.findChildren(QWidget)
        if isinstance(one, INTERACTIVE) and not parts_of_another(one)
    ]
    assert len(widgets) > 8
    silent = [
        f"{type(one).__name__} {getattr(one, 'text', str)()!r} in {type(one.parent()).__name__}"
        for one in widgets
        if not tip_of(one, dock)
    ]
    assert silent == []
    wait_idle(at_work)


def can_have_focus(dock: QWidget) -> list[QWidget]:
    """What the Tab key has to reach."""
    return [
        one
        for one in dock.findChildren(QWidget)
        if isinstance(one, INTERACTIVE)
        and one.isVisible()
        and one.isEnabled()
        and not parts_of_another(one)
    ]


@pytest.mark.parametrize("kind", DOCKS)
def test_the_tab_key_reaches_everything(
    at_work: Session, show_dock: Callable[[type[Any]], Any], qtbot: Any, kind: type[Any]
) -> None:
    dock = show_dock(kind)
    window = at_work.viewer.window._qt_window
    window.resize(1366, 768)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=PATIENCE)
    open_folds(dock)
    wanted = can_have_focus(dock)
    assert len(wanted) > 5
    reached: list[QWidget] = []
    wanted[0].setFocus(Qt.FocusReason.TabFocusReason)
    for _ in range(400):
        focus = QApplication.focusWidget()
        assert focus is not None
        if focus in reached[:1]:
            break
        reached.append(focus)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    missed = [one for one in can_have_focus(dock) if not stands_for(one, reached)]
    named = [f"{type(one).__name__} {getattr(one, 'text', str)()!r}" for one in missed]
    assert named == []


def stands_for(widget: QWidget, reached: list[QWidget]) -> bool:
    """Whether Tab came to it, to a part of it, or to one of its group."""
    if any(one is widget or widget.isAncestorOf(one) for one in reached):
        return True
    if not isinstance(widget, QAbstractButton):
        return False
    group, beside = widget.group(), widget.parentWidget()
    for one in reached:
        if not isinstance(one, QAbstractButton):
            continue
        if group is not None and group.exclusive() and one.group() is group:
            return True
        if widget.autoExclusive() and one.autoExclusive() and one.parentWidget() is beside:
            return True
    return False


def test_all_docks_fit_a_small_screen_together(
    at_work: Session, wait_idle: Callable[[Session], None], qtbot: Any
) -> None:
    window = at_work.viewer.window._qt_window
    open_docks(at_work.viewer)
    window.resize(1366, 768)
    window.show()
    wait_idle(at_work)
    for kind in DOCKS:
        (dock,) = window.findChildren(kind)
        holder = dock.parent()
        while not isinstance(holder, QDockWidget):
            holder = holder.parent()
        holder.raise_()
        qtbot.waitUntil(lambda dock=dock: not dock.visibleRegion().isEmpty(), timeout=PATIENCE)
        open_folds(dock)
        wait_idle(at_work)
        qtbot.waitUntil(lambda dock=dock: fits(dock), timeout=PATIENCE)
        assert (window.width(), window.height()) == (1366, 768), kind
        assert window.minimumSizeHint().width() <= 1366, kind
        assert window.minimumSizeHint().height() <= 768, kind
        assert dock.minimumSizeHint().width() <= 450, kind
        assert dock.minimumSizeHint().height() <= 600, kind
        # The picture keeps more than half of the screen.
        assert dock.width() <= 683, kind


def fits(dock: QWidget) -> bool:
    """Whether what does not fit can be scrolled to, and nothing is cut off at the sides."""
    areas = [area for area in dock.findChildren(QScrollArea) if area.isVisible()]
    for area in areas:
        content, port = area.widget(), area.viewport()
        assert content is not None
        assert port is not None
        if content.width() > port.width():
            return False
        bar = area.verticalScrollBar()
        assert bar is not None
        if content.height() > port.height() and not bar.isVisible():
            return False
    return bool(areas)

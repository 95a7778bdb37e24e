"""What every dock keeps to, whatever it is for."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtWidgets import (
    QAbstractButton,
    QGroupBox,
    QLabel,
    QScrollArea,
    QTabBar,
    QWidget,
)

from napari_xseg.gui.forms import Fold
from napari_xseg.gui.label.label_dock import LabelDock
from napari_xseg.gui.predict.predict_dock import PredictDock
from napari_xseg.gui.review.review_dock import ReviewDock
from napari_xseg.gui.train.train_dock import TrainDock
from tests.gui.hands import label_all
from tests.gui.prediction_fakes import write_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari_xseg.gui.session import Session

DOCKS = (LabelDock, TrainDock, PredictDock, ReviewDock)
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
    for fold in dock.findChildren(Fold):
        if fold.isVisibleTo(dock):
            fold._button.setChecked(True)
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

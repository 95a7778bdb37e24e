"""What the docks draw themselves follows napari's theme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from napari.utils.theme import get_theme
from qtpy.QtGui import QColor, QPalette

from napari_xseg.gui.experiments.experiments_dock import ExperimentsDock
from napari_xseg.gui.label.label_dock import LabelDock
from napari_xseg.gui.review.review_dock import ReviewDock
from napari_xseg.gui.train.train_dock import TrainDock
from tests.gui.hands import label_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qtpy.QtWidgets import QWidget

    from napari_xseg.gui.session import Session

PATIENCE = 60_000


@pytest.fixture
def labelled(session: Session, tmp_path: Path) -> Session:
    session.move_project(tmp_path / "scan-xseg")
    label_all(session, 1, 3)
    return session


def colours(theme: str) -> tuple[QColor, QColor]:
    """Of text and ground."""
    found = get_theme(theme)
    return QColor(found.text.as_hex()), QColor(found.background.as_hex())


def ink_of(widget: QWidget) -> QColor:
    return widget.palette().color(QPalette.ColorRole.WindowText)


def has(widget: QWidget, colour: QColor) -> bool:
    """Whether a picture of a widget has pixels of a colour."""
    picture = widget.grab().toImage()
    return any(
        picture.pixelColor(x, y) == colour
        for y in range(picture.height())
        for x in range(picture.width())
    )


def axes_are(plots: Any, ink: QColor) -> bool:
    pens = [plot.getAxis(side) for plot in plots for side in ("left", "bottom")]
    return all(axis.pen().color() == ink and axis.textPen().color() == ink for axis in pens)


def test_curves(labelled: Session, show_dock: Callable[[type[Any]], Any], qtbot: Any) -> None:
    dock = show_dock(TrainDock)
    dock.curves_fold.set_open(True)
    curves = dock.panel.curves
    qtbot.waitUntil(lambda: curves._view is not None, timeout=PATIENCE)
    for theme in ("dark", "light", "dark"):
        labelled.viewer.theme = theme
        ink, ground = colours(theme)
        assert axes_are(curves._plots.values(), ink)
        assert curves._view.backgroundBrush().color() == ground
        picture = curves._view.grab().toImage()
        assert picture.pixelColor(2, 2) == ground


def test_chart_and_curves_of_experiments(
    labelled: Session, show_dock: Callable[[type[Any]], Any], qtbot: Any
) -> None:
    dock = show_dock(ExperimentsDock)
    dock.results_fold.set_open(True)
    chart, curves = dock.results.chart, dock.results.curves
    for drawn in (chart, curves):
        qtbot.waitUntil(lambda drawn=drawn: drawn._view is not None, timeout=PATIENCE)
    for theme in ("dark", "light", "dark"):
        labelled.viewer.theme = theme
        ink, ground = colours(theme)
        assert axes_are([chart._plot, *curves._plots.values()], ink)
        for view in (chart._view, curves._view):
            assert view.grab().toImage().pixelColor(2, 2) == ground


def test_histogram(labelled: Session, show_dock: Callable[[type[Any]], Any], qtbot: Any) -> None:
    dock = show_dock(LabelDock)
    dock.fold.set_open(True)
    histogram = dock.prefill.cuts.histogram
    qtbot.waitUntil(lambda: histogram._histogram is not None, timeout=PATIENCE)
    histogram.clearFocus()
    for theme in ("dark", "light", "dark"):
        labelled.viewer.theme = theme
        ink, ground = colours(theme)
        qtbot.waitUntil(lambda ink=ink: ink_of(histogram) == ink, timeout=PATIENCE)
        assert has(histogram, ink), theme
        assert has(histogram, ground), theme


def test_strip_of_slices(
    labelled: Session, show_dock: Callable[[type[Any]], Any], qtbot: Any
) -> None:
    dock = show_dock(TrainDock)
    strip = dock.slices.strip.strip
    for theme in ("dark", "light", "dark"):
        labelled.viewer.theme = theme
        ink, ground = colours(theme)
        qtbot.waitUntil(lambda ink=ink: ink_of(strip) == ink, timeout=PATIENCE)
        assert has(strip, ink), theme
        assert has(strip, ground), theme


def test_heat_map(labelled: Session, show_dock: Callable[[type[Any]], Any], wait_idle: Any) -> None:
    assert labelled.store is not None
    labelled.layers.add_classes(
        labelled.store[:].copy(),
        labelled.classes,
        kind="mask",
        name="mask",
        image=labelled.image,
    )
    heat_map = show_dock(ReviewDock).compare.heat_map
    wait_idle(labelled)
    for theme in ("dark", "light", "dark"):
        labelled.viewer.theme = theme
        ink, ground = colours(theme)
        assert (heat_map._text, heat_map._ground) == (ink, ground)
        assert has(heat_map, ink), theme
        assert has(heat_map, ground), theme

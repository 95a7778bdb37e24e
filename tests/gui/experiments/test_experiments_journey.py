"""A miniature of an experiment with the real engine, worked as a person does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt

from napari_xseg.data.phantom import phantom
from napari_xseg.gui.experiments import experiments_dock
from napari_xseg.gui.experiments.experiments_dock import ExperimentsDock
from napari_xseg.gui.experiments.results_tree import DICE, DONE
from napari_xseg.gui.session import session_of
from tests.gui.train.hands import VALUES

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LEFT = Qt.MouseButton.LeftButton
PATIENCE = 120_000
PLAN = """
name = "tiny"
title = "Tiny"
splits = ["blocked"]
training = 4
validation = 2
[vary]
slices = [1, 4]
[budgets.cpu]
recipe = "quick"
steps = 3
repeats = 1
"""


def test_an_experiment_from_plan_to_report(
    viewer: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(experiments_dock.QDesktopServices, "openUrl", opened.append)
    file = tmp_path / "tiny.toml"
    file.write_text(PLAN, encoding="utf-8")
    images, truth = phantom((8, 96, 96), seed=1)
    session = session_of(viewer)
    session.set_image(viewer.add_image(images, name="scan"))
    session.new_labels()
    assert session.store is not None
    for z in range(8):
        session.store.write(z, (np.searchsorted(VALUES, truth[z]) + 1).astype(np.uint8))
    dock = ExperimentsDock(viewer)
    viewer.window.add_dock_widget(dock, name="Experiments", area="right")
    viewer.window._qt_window.show()
    dock.form.set_value(dock.form.value().replace(plan=str(file)))

    def until(true: Any) -> None:
        qtbot.waitUntil(lambda: bool(true()), timeout=PATIENCE)

    # How long will it take?
    until(lambda: dock.overview.text().startswith("2 trainings on 8 labelled slices"))
    qtbot.mouseClick(dock.estimate, LEFT)
    until(lambda: "It will take about" in dock.bar.log.text())
    until(lambda: not session.jobs.busy)

    # It is run, and its table fills.
    until(dock.start.isVisible)
    qtbot.mouseClick(dock.start, LEFT)
    until(lambda: dock.experiments.current is not None)
    until(lambda: not session.jobs.busy)
    current = dock.experiments.current
    assert current.job.error is None
    assert current.faults == []
    tree = dock.results.tree
    assert [tree.topLevelItem(row).text(DONE) for row in range(2)] == ["1/1", "1/1"]
    assert all(0 < float(tree.topLevelItem(row).text(DICE)) < 100 for row in range(2))
    (line,) = dock.results.chart._chart.lines
    assert line.x == (1, 4)

    # A model is used on its worst slice.
    tree.setCurrentItem(tree.topLevelItem(1))
    result = tree.value()
    assert result is not None
    qtbot.mouseClick(dock.results.chosen.mistakes, LEFT)
    until(lambda: not session.jobs.busy)
    assert session.model == result.run
    assert session.z in result.trial.validation
    (mask,) = session.layers.of_kind("mask")
    assert np.asarray(mask.data[session.z]).any()

    # The report is there.
    qtbot.mouseClick(dock.report, LEFT)
    until(lambda: bool(opened))
    assert (current.folder / "report.html").read_text(encoding="utf-8").count("Tiny") > 0
    dock.leave()
    session.close()
    until(lambda: not session.jobs.busy)

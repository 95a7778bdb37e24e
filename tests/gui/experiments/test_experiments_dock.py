from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QTreeWidget

from napari_xseg.data.writing import save_volume
from napari_xseg.events import Finished, Message
from napari_xseg.gui.experiments import experiments_dock
from napari_xseg.gui.experiments.results_tree import DICE, DONE, WHAT
from napari_xseg.gui.forms import NumberField
from napari_xseg.jobs.experiment_request import (
    REPORT_WANTED,
    ExperimentEstimate,
    ExperimentReport,
    ExperimentRequest,
)
from tests.core.experiments.fabricated import dice_of
from tests.gui.experiments.pretended import WRONG
from tests.gui.fake import UNTIL_STOPPED, WAIT
from tests.gui.train.hands import idle

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.gui.experiments.experiments_dock import ExperimentsDock
    from napari_xseg.gui.session import Session
    from tests.gui.experiments.pretended import Pretended
    from tests.gui.fake import FakeEngine

LEFT = Qt.MouseButton.LeftButton


def settled(dock: ExperimentsDock, qtbot: Any) -> None:
    """Wait until the dock says what it will run."""
    qtbot.waitUntil(lambda: not dock._settling.waiting, timeout=20_000)
    idle(dock.session, qtbot)


def press(dock: ExperimentsDock, button: Any, qtbot: Any) -> None:
    dock.area.ensureWidgetVisible(button)
    assert button.isVisible()
    assert button.isEnabled()
    qtbot.mouseClick(button, LEFT)


def start(dock: ExperimentsDock, qtbot: Any) -> None:
    settled(dock, qtbot)
    press(dock, dock.start, qtbot)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was opened in the browser."""
    pages: list[str] = []
    monkeypatch.setattr(
        experiments_dock.QDesktopServices, "openUrl", lambda url: pages.append(url.toLocalFile())
    )
    return pages


@pytest.fixture
def labelled(dock: ExperimentsDock, label: Callable[..., None], qtbot: Any) -> ExperimentsDock:
    """The dock, with all slices labelled."""
    label(*range(12))
    settled(dock, qtbot)
    return dock


@pytest.fixture
def finished(
    labelled: ExperimentsDock, pretended: Pretended, session: Session, qtbot: Any
) -> ExperimentsDock:
    """The dock, an experiment of six trainings done."""
    pretended.engine.scripts.append([*pretended.trained(0, 6), pretended.end()])
    start(labelled, qtbot)
    idle(session, qtbot)
    return labelled


def test_it_says_what_is_missing(
    dock: ExperimentsDock, label: Callable[..., None], qtbot: Any
) -> None:
    settled(dock, qtbot)
    assert "There are no labels" in dock.reason.text()
    assert not dock.start.isEnabled()
    assert not dock.report.isEnabled()
    label(3)
    settled(dock, qtbot)
    assert "two or more" in dock.reason.text()
    assert not dock.start.isEnabled()
    label(5, 6)
    settled(dock, qtbot)
    assert not dock.reason.isVisible()
    assert dock.start.isEnabled()


def test_it_says_what_it_will_run(labelled: ExperimentsDock, qtbot: Any) -> None:
    dock = labelled
    assert dock.overview.text().startswith("6 trainings on 12 labelled slices")
    assert "Published with 400 + 100 slices" in dock.overview.text()
    dock.form.repeats.setFocus()
    dock.form.repeats.selectAll()
    qtbot.keyClicks(dock.form.repeats, "1")
    qtbot.keyClick(dock.form.repeats, Qt.Key.Key_Return)
    settled(dock, qtbot)
    assert dock.overview.text().startswith("2 trainings")
    for _ in range(3):  # to training-size
        qtbot.keyClick(dock.form.plan, Qt.Key.Key_Down)
    settled(dock, qtbot)
    assert dock.form.value().plan == "training-size"
    assert "left out" in dock.overview.text()
    assert "training slices" in dock.overview.toolTip()


def test_the_table_fills_while_it_runs(
    labelled: ExperimentsDock, pretended: Pretended, session: Session, qtbot: Any
) -> None:
    dock, engine = labelled, pretended.engine
    script = [*pretended.trained(0, 1), *pretended.begin(), WAIT]
    engine.scripts.append([*script, pretended.over(1), *pretended.trained(2, 4), pretended.end()])
    start(dock, qtbot)
    tree = dock.results.tree
    qtbot.waitUntil(lambda: dock.experiments.current.done == 1, timeout=20_000)
    qtbot.waitUntil(lambda: tree.topLevelItemCount() == 2, timeout=20_000)
    first = tree.topLevelItem(0)
    qtbot.waitUntil(lambda: first.text(DONE) == "1/3", timeout=20_000)
    assert first.text(DICE) == f"{dice_of(WRONG):.2f}"
    qtbot.waitUntil(lambda: len(dock.experiments.current.curves.looks) == 2, timeout=20_000)
    assert "Under way: all slices, random split" in dock.results.training.text()
    qtbot.waitUntil(lambda: dock.bar.bar.maximum() == 6, timeout=20_000)
    assert "1 of 6" in dock.bar.bar.format()
    assert "2 min left" in dock.bar.bar.format()
    assert not dock.start.isVisible()
    engine.running[-1].gate.set()
    idle(session, qtbot)
    assert first.text(DONE) == "3/3"
    assert "\N{PLUS-MINUS SIGN}" in first.text(DICE)
    assert dock.results.chart.caption.text().count("span") == 4
    request = pretended.request
    assert session.project is not None
    assert request.folder.parent == session.project.folder / "experiments"
    assert (request.folder / "data" / "labels.tif").is_file()
    assert dock.start.isVisible()


def test_it_pauses_and_stops(
    labelled: ExperimentsDock, pretended: Pretended, session: Session, qtbot: Any
) -> None:
    dock, engine = labelled, pretended.engine
    engine.scripts.append([*pretended.trained(0, 1), UNTIL_STOPPED, pretended.end("stopped")])
    start(dock, qtbot)
    qtbot.waitUntil(dock.bar.pause.isEnabled, timeout=20_000)
    press(dock, dock.bar.pause, qtbot)
    assert engine.running[-1].orders[-1] == ("pause", None)
    press(dock, dock.bar.pause, qtbot)
    assert engine.running[-1].orders[-1] == ("go_on", None)
    press(dock, dock.bar.stop, qtbot)
    idle(session, qtbot)
    assert dock.bar.phase.text() == "Stopped"
    assert dock.cut_short.isVisible()
    assert "1 of 6" in dock.cut_words.text()


def test_a_reopened_dock_offers_to_go_on(
    labelled: ExperimentsDock,
    make_dock: Callable[[], ExperimentsDock],
    pretended: Pretended,
    session: Session,
    qtbot: Any,
) -> None:
    engine = pretended.engine
    engine.scripts.append([*pretended.trained(0, 2), UNTIL_STOPPED, pretended.end("stopped")])
    start(labelled, qtbot)
    qtbot.waitUntil(lambda: labelled.bar.stop.isVisible() and labelled.experiments.running)
    qtbot.waitUntil(lambda: labelled.experiments.current.done == 2, timeout=20_000)

    # A dock that is opened meanwhile finds the experiment.
    other = make_dock()
    assert other.bar.job is labelled.bar.job
    qtbot.waitUntil(lambda: other.results.tree.topLevelItemCount() == 2)
    other.bar.stop.click()
    idle(session, qtbot)

    # The next day: nothing is in memory.
    folder = pretended.request.folder
    other.experiments.show(None)
    idle(session, qtbot)
    other._find()
    idle(session, qtbot)
    assert other.found.tree.topLevelItem(0).text(2) == "2/6"
    engine.scripts.append([*pretended.trained(2, 4), pretended.end()])
    other.found.select(folder)
    press(other, other.found.go_on, qtbot)
    idle(session, qtbot)
    assert pretended.request.folder == folder
    assert other.found.tree.topLevelItem(0).text(2) == "6/6"
    assert not other.cut_short.isVisible()
    assert not other.found.go_on.isEnabled()


def test_what_fails_is_told_and_the_rest_goes_on(
    labelled: ExperimentsDock, pretended: Pretended, session: Session, told: list[str], qtbot: Any
) -> None:
    fault = "Out of memory: take smaller crops."
    script = [pretended.over(0, fault), *pretended.trained(1, 5), pretended.end()]
    pretended.engine.scripts.append(script)
    start(labelled, qtbot)
    idle(session, qtbot)
    assert [words for words in told if fault in words]
    first = labelled.results.tree.topLevelItem(0)
    assert first.text(DONE) == "2/3, 1 failed"
    assert first.child(0).text(DONE) == "failed"
    assert first.child(0).toolTip(WHAT) == fault


def test_a_training_is_looked_at_and_its_model_used(
    finished: ExperimentsDock, session: Session, qtbot: Any
) -> None:
    dock = finished
    tree = dock.results.tree
    assert not dock.results.chosen.use.isEnabled()
    tree.setFocus()
    tree.setCurrentItem(tree.topLevelItem(0))
    qtbot.keyClick(tree, Qt.Key.Key_Right)
    qtbot.keyClick(tree, Qt.Key.Key_Down)
    qtbot.keyClick(tree, Qt.Key.Key_Down)
    result = tree.value()
    assert result is not None
    assert result.trial.repeat == 1
    idle(session, qtbot)
    assert f"Dice {dice_of(2 * WRONG):.2f} %" in dock.results.chosen.words.text()
    shown = dock.results.curves._training
    assert [look.step for look in shown.looks] == [10, 20, 30]
    press(dock, dock.results.chosen.use, qtbot)
    assert session.model == result.run


def test_the_worst_slice_is_shown(
    finished: ExperimentsDock, session: Session, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    dock = finished
    tree = dock.results.tree
    tree.setCurrentItem(tree.topLevelItem(1))
    result = tree.value()
    assert result is not None
    looked: list[int | None] = []
    from napari_xseg.gui.predict.predicting import Predictions

    monkeypatch.setattr(Predictions, "look", lambda *_: looked.append(session.z))
    press(dock, dock.results.chosen.mistakes, qtbot)
    assert looked == [min(result.trial.validation)]  # all are equally bad
    assert session.model == result.run


def test_the_report_is_opened(
    finished: ExperimentsDock, pretended: Pretended, session: Session, opened: list[str], qtbot: Any
) -> None:
    page = pretended.request.folder / "report.html"

    def write(_: Any) -> Finished:
        page.write_text("<html>", encoding="utf-8")
        return Finished(page, "done", 1.0)

    pretended.engine.scripts.append([write])
    press(finished, finished.report, qtbot)
    idle(session, qtbot)
    assert isinstance(pretended.engine.submitted[-1], ExperimentReport)
    assert opened == [str(page)]
    # Nothing has changed since: it is not written again.
    count = len(pretended.engine.submitted)
    press(finished, finished.report, qtbot)
    idle(session, qtbot)
    assert opened == [str(page)] * 2
    assert len(pretended.engine.submitted) == count


def test_a_report_is_had_while_trainings_run(
    labelled: ExperimentsDock,
    pretended: Pretended,
    session: Session,
    told: list[str],
    opened: list[str],
    qtbot: Any,
) -> None:
    from napari_xseg.events import Progress

    reported = [Progress("report", 1, 2, 0.1), Progress("report", 2, 2, 0.2)]
    rest = [*pretended.trained(1, 5), pretended.end()]
    pretended.engine.scripts.append([*pretended.trained(0, 1), WAIT, *reported, WAIT, *rest])
    start(labelled, qtbot)
    qtbot.waitUntil(lambda: bool(pretended.engine.running), timeout=20_000)
    press(labelled, labelled.report, qtbot)
    wanted = pretended.request.folder / REPORT_WANTED
    qtbot.waitUntil(wanted.exists, timeout=20_000)
    assert "after the training under way" in told[-1]
    pretended.engine.running[-1].gate.set()
    qtbot.waitUntil(lambda: bool(opened), timeout=20_000)
    assert opened == [str(pretended.request.folder / "report.html")]
    assert labelled.experiments.running
    pretended.engine.running[-1].gate.set()
    idle(session, qtbot)


def test_the_time_is_estimated(
    labelled: ExperimentsDock, fake_engine: FakeEngine, session: Session, qtbot: Any
) -> None:
    fake_engine.scripts.append(
        [lambda _: Finished(fake_engine.folder, "done", 1.0, {"seconds": 240.0})]
    )
    press(labelled, labelled.estimate, qtbot)
    idle(session, qtbot)
    request = fake_engine.submitted[-1]
    assert isinstance(request, ExperimentEstimate)
    assert "4 min" in labelled.bar.log.text()
    assert not request.folder.exists()
    assert not any(isinstance(one, ExperimentRequest) for one in fake_engine.submitted)


def test_a_plan_of_ones_own_is_taken_and_kept(
    labelled: ExperimentsDock,
    make_dock: Callable[[], ExperimentsDock],
    session: Session,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    pretended: Pretended,
    qtbot: Any,
) -> None:
    from napari_xseg.gui.experiments import plan_form

    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\ntitle = "Mine"\nquestion = "Why?"\n', encoding="utf-8")
    monkeypatch.setattr(plan_form.QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    form = labelled.form
    place = form.plan.findText(plan_form.FROM_FILE)
    form.plan.setCurrentIndex(place)
    form.plan.activated.emit(place)
    assert form.value().plan == str(file)
    assert form.question.text() == "Why?"
    pretended.engine.scripts.append([*pretended.trained(0, 6), pretended.end()])
    start(labelled, qtbot)
    idle(session, qtbot)
    assert pretended.request.folder.name.startswith("mine-")
    assert make_dock().form.value() == form.value()


def test_a_plan_that_cannot_be_read_is_told(
    labelled: ExperimentsDock, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    from napari_xseg.gui.experiments import plan_form

    file = tmp_path / "bad.toml"
    file.write_text('name = "bad"\n', encoding="utf-8")
    monkeypatch.setattr(plan_form.QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    form = labelled.form
    place = form.plan.findText(plan_form.FROM_FILE)
    form.plan.setCurrentIndex(place)
    form.plan.activated.emit(place)
    settled(labelled, qtbot)
    assert "bad.toml" in labelled.reason.text()
    assert not labelled.start.isEnabled()


def test_it_fits_and_explains_itself(finished: ExperimentsDock, viewer: Any) -> None:
    dock = finished
    assert dock.minimumSizeHint().width() <= 360
    inner = dock.area.widget()
    assert inner is not None
    assert inner.minimumSizeHint().width() <= 340
    assert viewer.window._qt_window.minimumSizeHint().height() <= 768
    kinds = (QAbstractButton, QComboBox, QLineEdit, NumberField, QTreeWidget)
    parts = [
        part
        for kind in kinds
        for part in dock.findChildren(kind)
        if part.isVisible() and not part.objectName().startswith("qt_")
    ]
    assert len(parts) > 12
    silent = [part for part in parts if not part.toolTip() and not _is_title(part)]
    assert silent == []
    assert all(part.focusPolicy() & Qt.FocusPolicy.TabFocus for part in parts if part.isEnabled())


def _is_title(part: Any) -> bool:
    from napari_xseg.gui.forms import Fold

    return isinstance(part.parent(), Fold)


def test_another_image_has_other_experiments(
    finished: ExperimentsDock, session: Session, viewer: Any, qtbot: Any
) -> None:
    from napari_xseg.data.phantom import phantom

    assert finished.results.tree.topLevelItemCount() == 2
    layer = viewer.add_image(phantom((4, 64, 64), seed=2)[0], name="other")
    session.set_image(layer)
    idle(session, qtbot)
    assert finished.experiments.current is None
    assert finished.results.tree.topLevelItemCount() == 0
    assert not finished.found_fold.isVisible()
    assert not finished.report.isEnabled()


def test_the_predicted_volume_is_opened_for_review(
    labelled: ExperimentsDock, pretended: Pretended, session: Session, tmp_path: Any, qtbot: Any
) -> None:
    scan = tmp_path / "lis.tif"
    save_volume(scan, np.full((3, 40, 50), 7, np.uint16))

    def predict(_: Any) -> Message:
        mask = pretended.request.folder / "unlabelled" / "mask.tif"
        mask.parent.mkdir()
        save_volume(mask, np.full((3, 40, 50), 128, np.uint8))
        told = {"classes": session.classes.to_dict(), "slices": [0, 1, 2], "images": str(scan)}
        mask.with_name("mask.tif.json").write_text(json.dumps(told), encoding="utf-8")
        return Message("Predicted.")

    form = labelled.form
    form.set_value(form.value().replace(plan="lis", repeats=1, unlabelled=str(scan)))
    script = [*pretended.trained(0, 8), predict, pretended.end()]
    pretended.engine.scripts.append(script)
    start(labelled, qtbot)
    idle(session, qtbot)
    assert pretended.glance.unlabelled == str(scan)
    press(labelled, labelled.results.volume, qtbot)
    idle(session, qtbot)
    assert session.images is not None
    assert session.images.shape == (3, 40, 50)
    (mask,) = session.layers.of_kind("mask")
    assert mask.data.shape == (3, 40, 50)

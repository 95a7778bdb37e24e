"""Whole journeys with the real engine: what a scientist does, with mouse and keys, in a window."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_xseg.data.phantom import phantom
from napari_xseg.data.volume import open_label_volume, volume_from_array
from napari_xseg.data.writing import save_volume
from napari_xseg.events import StepDone
from napari_xseg.gui.layers import kind_of
from napari_xseg.gui.train.class_editor import NAME, VALUE
from tests.gui.hands import Hands, answer_question, dice

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_xseg.jobs import Engine

SHAPE = (40, 160, 160)
VALUES = [0, 128, 255]  # of the phantom's truth
LABELLED = (3, 12, 20, 28, 36)
LONG = 20_000  # steps that no training comes to before it is stopped


@pytest.fixture
def scan(tmp_path: Path) -> tuple[Path, NDArray[np.uint8]]:
    """A raw stack on disk, and its truth in layer values."""
    image, truth = phantom(SHAPE, seed=3)
    path = tmp_path / "data" / "scan.tif"
    path.parent.mkdir()
    save_volume(path, volume_from_array(image, "scan"))
    return path, (np.searchsorted(VALUES, truth) + 1).astype(np.uint8)


def truth_in(hands: Hands, truth: NDArray[np.uint8], *slices: int) -> None:
    """Have slices labelled as the truth is."""
    hands.session.new_labels()
    assert hands.session.store is not None
    for z in slices:
        hands.session.store.write(z, truth[z])
    hands.idle()


def steps_done(hands: Hands) -> int:
    """The step that the training under way has come to."""
    current = hands.train.trainings.current
    done = [] if current is None else [e.step for e in current.heard if isinstance(e, StepDone)]
    return max(done, default=0)


def stop_training(hands: Hands) -> None:
    """Press Stop; the training under way ends by that, and not by itself."""
    current = hands.train.trainings.current
    hands.click(hands.train.bar.stop)
    hands.until(lambda: not hands.train.trainings.running)
    hands.idle()
    assert current is not None
    assert current.job.finished is not None
    assert current.job.finished.reason == "stopped"


def test_from_a_raw_stack_to_a_corrected_mask(
    open_window: Callable[[], Hands],
    scan: tuple[Path, NDArray[np.uint8]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, truth = scan
    hands = open_window()
    session, viewer = hands.session, hands.viewer
    hands.open_file(path, monkeypatch)
    assert session.images is not None
    assert session.images.shape == SHAPE

    # Labels: classes by name and value, strokes, five slices pre-filled and accepted.
    hands.click(hands.label.data.new)
    hands.show(hands.train)
    editor = hands.train.classes.table
    hands.type_cell(editor, 0, NAME, "pore")
    hands.type_cell(editor, 1, VALUE, "128")
    hands.type_cell(editor, 2, VALUE, "255")
    assert session.classes.names[0] == "pore"
    assert session.classes.values == (1, 128, 255)
    hands.show(hands.label)
    session.go_to(LABELLED[0])
    hands.row(hands.label.classes, 2)
    hands.stroke((40, 40), (40, 100))
    assert session.store is not None
    assert session.store.counts(LABELLED[0])[2] > 300
    hands.click(hands.label.brush.undo)
    assert session.store.counts(LABELLED[0])[1:].sum() == 0
    hands.prefill(*LABELLED)
    assert session.store.labelled == LABELLED
    assert dice(session.store[20], truth[20], 3) > 0.85

    # Training, with its mask shown and following, until it is good enough.
    hands.set_steps(2000)
    session.go_to(8)
    hands.click(hands.train.train)
    hands.until(lambda: _preview_agrees(session, truth, 8))
    session.go_to(30)
    hands.until(lambda: _preview_agrees(session, truth, 30))
    hands.until(lambda: steps_done(hands) >= 200)
    stop_training(hands)
    run = hands.train.trainings.current.run
    assert session.model == run

    # Prediction.
    hands.show(hands.predict)
    session.go_to(8)
    hands.click(hands.predict.this_slice)
    hands.idle()
    (one,) = session.layers.of_kind("mask")
    assert dice(one.data[8], truth[8], 3) > 0.9
    hands.click(hands.predict.volume)
    hands.until(lambda: hands.predict.predictions.current is None)
    hands.idle()
    mask = next(session.layers.of_kind("mask"))
    assert dice(mask.data[:], truth, 3) > 0.9

    # Review: overlay, list, a click flies there.
    hands.show(hands.review)
    hands.choose(hands.review.compare.form.truth, "scan labels")
    hands.choose(hands.review.compare.form.prediction, mask.name)
    hands.choose(hands.review.compare.form.scope, "Labelled slices")
    hands.idle()
    table = hands.review.compare.mistakes.table
    assert any(kind_of(layer) == "mistakes" for layer in viewer.layers)
    assert table.mistakes.rowCount() > 3
    hands.row(table, 1, 3)
    mistake = table.value()
    assert mistake is not None
    assert session.z == mistake.z
    y, x = (sum(ends) / 2 for ends in (mistake.y_range, mistake.x_range))
    np.testing.assert_allclose(session.camera.center[1:], (y, x), atol=2)

    # Correct, go on, save, close.
    hands.show(hands.label)
    session.go_to(8)
    viewer.reset_view()
    hands.row(hands.label.classes, 1)
    hands.stroke((80, 60), (80, 100))
    hands.press("2")
    hands.stroke((100, 60), (100, 100))
    assert session.store.labelled == tuple(sorted((*LABELLED, 8)))
    hands.set_steps(10)
    second = hands.train_to_end(hands.train.go_on)
    told = json.loads((second / "provenance.json").read_text(encoding="utf-8"))
    assert run.name in json.dumps(told["parent"])
    target = tmp_path / "out" / "mask.tif"
    target.parent.mkdir()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(target), ""))
    hands.show(hands.predict)
    hands.click(hands.predict.masks.save_button)
    hands.idle()
    saved = open_label_volume(target)
    values = np.unique(np.stack([saved.read(z) for z in range(len(saved))]))
    assert set(values.tolist()) == {1, 128, 255}
    beside = json.loads(target.with_name("mask.tif.json").read_text(encoding="utf-8"))
    assert [item["value"] for item in beside["classes"]["classes"]] == [1, 128, 255]
    folder, painted = session.project.folder, session.store[8]
    hands.window.close()
    hands.wait_closed()

    # Open the project again: everything is back.
    hands = open_window()
    hands.open_project(folder, monkeypatch)
    session = hands.session
    assert session.store is not None
    np.testing.assert_array_equal(session.store[8], painted)
    assert session.classes.names[0] == "pore"
    assert [info.path for info in session.project.runs()] == [second, run]
    assert session.model == second
    assert hands.predict.masks.list.topLevelItemCount() == 1


def _preview_agrees(session: Any, truth: Any, z: int) -> bool:
    shown = next(session.layers.of_kind("preview"), None)
    return shown is not None and dice(shown.data[z], truth[z], 3) > 0.6


def test_from_the_labelled_sample_to_a_mask(open_window: Callable[[], Hands]) -> None:
    hands = open_window()
    session, viewer = hands.session, hands.viewer
    viewer.open_sample("napari-xseg", "phantom")
    hands.idle()
    image, theirs = viewer.layers["phantom"], viewer.layers["phantom labels"]
    truth = np.asarray(theirs.data).copy()
    assert session.image is image
    hands.show(hands.label)
    hands.choose(hands.label.data.labels, "phantom labels")
    hands.idle()
    assert session.store is not None
    assert len(session.store.labelled) == truth.shape[0]
    np.testing.assert_array_equal(session.store[7], truth[7])
    assert session.classes.names == ("pore", "electrolyte", "metal")
    hands.set_steps(80)
    hands.train_to_end(hands.train.train)
    hands.show(hands.predict)
    hands.predict.range.clear()
    hands.qtbot.keyClicks(hands.predict.range, "5:9")
    hands.click(hands.predict.predict_range)
    hands.until(lambda: hands.predict.predictions.current is None)
    hands.idle()
    mask = next(session.layers.of_kind("mask"))
    assert dice(mask.data[5:9], truth[5:9], 3) > 0.9
    assert not mask.data[4].any()


def test_a_killed_engine_costs_nothing_but_the_step(
    open_window: Callable[[], Hands],
    shared_engine: Engine,
    scan: tuple[Path, NDArray[np.uint8]],
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, truth = scan
    hands = open_window()
    hands.open_file(path, monkeypatch)
    truth_in(hands, truth, *LABELLED)
    hands.set_steps(LONG)
    hands.click(hands.train.train)
    hands.until(lambda: steps_done(hands) > 3)
    said.clear()
    killed = shared_engine.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    hands.until(lambda: not hands.train.trainings.running)
    hands.idle()
    assert [words for words in said if "ended unexpectedly" in words]
    assert hands.session.store is not None
    assert hands.session.store.labelled == LABELLED
    np.testing.assert_array_equal(hands.session.store[20], truth[20])
    current = hands.train.trainings.current
    assert current is not None
    assert hands.session.project is not None
    assert [info.path for info in hands.session.project.runs()] == [current.run]
    hands.until(hands.train.cut_short.isVisible)
    hands.click(hands.train.resume)
    hands.until(lambda: hands.train.trainings.current is not current and steps_done(hands) > 3)
    assert hands.train.trainings.current is not None
    assert hands.train.trainings.current.run == current.run
    assert shared_engine.pid != killed
    assert not hands.train.cut_short.isVisible()
    stop_training(hands)
    hands.set_steps(2)
    assert hands.train_to_end(hands.train.train) != current.run


def test_closing_in_a_training_asks_and_the_run_can_be_gone_on_with(
    open_window: Callable[[], Hands],
    scan: tuple[Path, NDArray[np.uint8]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, truth = scan
    hands = open_window()
    hands.open_file(path, monkeypatch)
    truth_in(hands, truth, *LABELLED)
    hands.set_steps(LONG)
    hands.click(hands.train.train)
    hands.until(lambda: steps_done(hands) > 3)
    current = hands.train.trainings.current
    assert current is not None
    asked = answer_question("Keep running")
    hands.window.close()
    assert asked == [f"Running: Training {current.run.name}."]
    assert hands.window.isVisible()
    assert not current.job.over
    answer_question("Stop and close")
    hands.window.close()
    hands.wait_closed()
    assert current.job.finished is not None
    assert current.job.finished.reason == "stopped"
    assert (current.run / "model.safetensors").is_file()

    hands = open_window()
    hands.open_file(path, monkeypatch)
    hands.show(hands.train)
    hands.until(hands.train.cut_short.isVisible)
    assert "was stopped" in hands.train.cut_words.text()
    assert hands.train.resume.isEnabled()
    assert hands.session.model == current.run


def test_two_windows_share_the_engine_one_after_the_other(
    open_window: Callable[[], Hands],
    scan: tuple[Path, NDArray[np.uint8]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, truth = scan
    other = tmp_path / "other" / "scan.tif"
    other.parent.mkdir()
    shutil.copy(path, other)
    first, second = open_window(), open_window()
    for hands, file in ((first, path), (second, other)):
        hands.open_file(file, monkeypatch)
        truth_in(hands, truth, *LABELLED)
        hands.set_steps(LONG if hands is first else 2)
    first.click(first.train.train)
    first.until(lambda: steps_done(first) > 3)
    second.click(second.train.train)
    second.until(lambda: second.train.trainings.current is not None)
    waiting = second.train.trainings.current
    assert waiting is not None
    second.until(lambda: "Waiting" in second.train.bar.phase.text())
    first.click(first.train.bar.stop)
    second.until(lambda: waiting.job.over)
    assert waiting.job.finished is not None
    assert waiting.run.parent == other.parent / "scan-xseg" / "runs"
    assert steps_done(first) > 3
    stopped = first.train.trainings.current
    assert stopped is not None
    assert stopped.job.finished is not None
    assert stopped.job.finished.reason == "stopped"


SCRIPT = """
import sys
import napari
from qtpy.QtTest import QTest
from napari_xseg.gui.predict.prediction import PredictOptions
from napari_xseg.gui.session import session_of
from napari_xseg.gui.window import open_docks
from napari_xseg.jobs import SplitWish
from napari_xseg.training.recipes import load_recipe

viewer = napari.Viewer()
open_docks(viewer)
viewer.open_sample("napari-xseg", "phantom")
session = session_of(viewer)

def idle():
    QTest.qWait(50)
    while session.jobs.busy:
        QTest.qWait(20)

def dock(name):
    docks = viewer.window.dock_widgets
    return docks[next(key for key in docks if key.startswith(name))]

idle()
session.use_labels(viewer.layers["phantom labels"])
idle()
train, predict = dock("Train"), dock("Predict")
config = load_recipe("quick").replace(steps=3, time_limit=None)
train.trainings.start(config, wish=SplitWish())
idle()
assert train.trainings.current.job.finished, train.trainings.current.job.error
predict.predictions.start((1, 2), PredictOptions())
idle()
review = dock("Review")
review.parent().raise_()
while review.compare.reviewer.outcome is None:
    QTest.qWait(20)
assert review.compare.reviewer.outcome.reviews
print("torch" in sys.modules, session.jobs.engine.pid)
"""


def test_a_journey_imports_no_torch_and_may_end_without_a_word(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    torch, pid = done.stdout.split()[-2:]
    assert torch == "False"
    assert not psutil.pid_exists(int(pid))

"""Whole journeys with the real engine: what a scientist does, with mouse and keys, in a window."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QFileDialog

from napari_xseg.data.phantom import phantom
from napari_xseg.data.volume import open_label_volume, volume_from_array
from napari_xseg.data.writing import save_volume
from napari_xseg.gui.layers import kind_of
from napari_xseg.gui.session import session_of
from napari_xseg.gui.train.class_editor import NAME, VALUE
from napari_xseg.jobs import Engine
from tests.gui.hands import Hands, dice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari import Viewer

SHAPE = (40, 160, 160)
VALUES = [0, 128, 255]  # of the phantom's truth
LABELLED = (3, 12, 20, 28, 36)


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One engine process for all journeys."""
    with Engine() as made:
        yield made


@pytest.fixture
def scan(tmp_path: Path) -> tuple[Path, np.ndarray[Any, Any]]:
    """A raw stack on disk, and its truth in layer values."""
    image, truth = phantom(SHAPE, seed=3)
    path = tmp_path / "data" / "scan.tif"
    path.parent.mkdir()
    save_volume(path, volume_from_array(image, "scan"))
    return path, (np.searchsorted(VALUES, truth) + 1).astype(np.uint8)


@pytest.fixture
def open_window(
    make_napari_viewer: Callable[..., Viewer], engine: Engine, qtbot: Any
) -> Iterator[Callable[[], Hands]]:
    """Open a viewer with the docks; all are closed at the end, and nothing is left."""
    opened: list[Hands] = []

    def make() -> Hands:
        viewer = make_napari_viewer()
        session_of(viewer, engine)
        opened.append(Hands(viewer, qtbot))
        return opened[-1]

    yield make
    for hands in opened:
        jobs = hands.session.jobs
        hands.session.close()
        qtbot.waitUntil(lambda jobs=jobs: not jobs.busy, timeout=20_000)
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=20_000)


def test_from_a_raw_stack_to_a_corrected_mask(
    open_window: Callable[[], Hands],
    scan: tuple[Path, np.ndarray[Any, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
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
    print(np.argwhere(session.store[3]).min(0), np.argwhere(session.store[3]).max(0), session.camera.zoom, hands.picture.size())
    assert session.store.counts(LABELLED[0])[2] > 300
    hands.click(hands.label.brush.undo)
    assert session.store.counts(LABELLED[0])[1:].sum() == 0
    hands.prefill(*LABELLED)
    assert session.store.labelled == LABELLED
    assert dice(session.store[20], truth[20], 3) > 0.85

    # Training, with its mask shown and following.
    hands.set_steps(150)
    session.go_to(8)
    hands.click(hands.train.train)
    hands.until(lambda: _preview_agrees(session, truth, 8))
    session.go_to(30)
    hands.until(lambda: _preview_agrees(session, truth, 30))
    hands.until(lambda: not hands.train.trainings.running)
    hands.idle()
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
    hands.choose(hands.review.form.truth, "scan labels")
    hands.choose(hands.review.form.prediction, mask.name)
    hands.choose(hands.review.form.scope, "Labelled slices")
    hands.idle()
    table = hands.review.mistakes.table
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
    hands.set_steps(30)
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
    qtbot.waitUntil(lambda: not session._open, timeout=20_000)

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

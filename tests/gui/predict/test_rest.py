"""Predictions that were cut short, with the real engine: seen, marked, gone on with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

from napari_xseg.data.phantom import phantom
from napari_xseg.data.volume import open_volume
from napari_xseg.gui.predict.kept_masks import kept_masks
from napari_xseg.gui.predict.predict_dock import PredictDock
from napari_xseg.gui.session import session_of
from napari_xseg.jobs import Engine
from tests.gui.hands import answer_question
from tests.gui.predict.hands import TINY, names, train_tiny

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari import Viewer

LEFT = Qt.MouseButton.LeftButton
SHAPE = (48, 500, 600)
PATIENCE = 60_000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run; its folder."""
    folder = tmp_path_factory.mktemp("trained")
    model = TINY.model.replace(width=12, depth=3)  # slow enough to be stopped
    with Engine() as engine:
        return train_tiny(engine, folder / "20260101-120000-tiny", TINY.replace(model=model))


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, volume())
    return path


def volume() -> np.ndarray:
    """A volume that takes the engine seconds."""
    tile = phantom((8, 125, 120), seed=2)[0]
    return np.tile(tile, (SHAPE[0] // 8, SHAPE[1] // 125, SHAPE[2] // 120))


@pytest.fixture
def open_dock(
    make_napari_viewer: Callable[..., Viewer], engine: Engine, scan: Path, run: Path, qtbot: Any
) -> Iterator[Callable[[], PredictDock]]:
    """Open a window with the scan, its project and a Predict dock."""
    opened = []

    def make() -> PredictDock:
        viewer = make_napari_viewer()
        session = session_of(viewer, engine)
        opened.append(session)
        (layer,) = viewer.open(scan, plugin="napari-xseg")
        session.set_image(layer)
        session.require_project()
        session.set_model(run)
        dock = PredictDock(viewer)
        viewer.window.add_dock_widget(dock, name="Predict")
        viewer.window._qt_window.show()
        wait(qtbot, lambda: not session.jobs.busy)
        return dock

    yield make
    for session in opened:
        session.close()


def wait(qtbot: Any, true: Callable[[], Any]) -> None:
    qtbot.waitUntil(lambda: bool(true()), timeout=PATIENCE)


def click(qtbot: Any, button: Any) -> None:
    wait(qtbot, lambda: button.isVisible() and button.isEnabled())
    qtbot.mouseClick(button, LEFT)


def row(dock: PredictDock, number: int = 0) -> list[str]:
    item = dock.masks.list.topLevelItem(number)
    assert item is not None
    return [item.text(column) for column in (0, 1)]


def pick(qtbot: Any, dock: PredictDock, number: int = 0) -> None:
    """Click a row of the list of masks."""
    item = dock.masks.list.topLevelItem(number)
    at = dock.masks.list.visualItemRect(item).center()
    qtbot.mouseClick(dock.masks.list.viewport(), LEFT, pos=at)


def half_way(qtbot: Any, dock: PredictDock) -> Any:
    """Begin the whole volume, and have it wait after some slices."""
    click(qtbot, dock.volume)
    current = dock.predictions.current
    assert current is not None
    wait(qtbot, lambda: current.kept > 0 or current.job.over)
    click(qtbot, dock.bar.pause)
    wait(qtbot, lambda: current.job.state == "paused")
    return current


def whole(dock: PredictDock, qtbot: Any) -> np.ndarray:
    """The mask of a prediction that nothing disturbed."""
    click(qtbot, dock.volume)
    wait(qtbot, lambda: not dock.session.jobs.busy)
    path = dock.masks.value()
    assert path is not None
    return open_volume(path)[:]


def test_a_window_closed_in_a_prediction_offers_the_rest_when_it_is_opened_again(
    open_dock: Callable[[], PredictDock], qtbot: Any, said: list[str]
) -> None:
    dock = open_dock()
    window = dock.session.viewer.window._qt_window
    current = half_way(qtbot, dock)
    asked = answer_question("Stop and close")
    said.clear()
    jobs, viewer = dock.session.jobs, dock.session.viewer
    window.close()
    assert asked == ["Running: Predicting scan."]
    assert said == ["Stopping: the window closes when what is done is saved."]
    wait(qtbot, lambda: not jobs.busy and not current._session._open)
    del viewer.window._qt_window
    assert current.job.finished.reason == "stopped"

    said.clear()
    dock = open_dock()
    (mask,) = kept_masks(dock.session.require_project())
    done = len(mask.done)
    assert 0 < done < SHAPE[0]
    assert said == [
        f"Not predicted to the end: tiny of scan ({done} of 48 slices). Select it under Masks in "
        "the Predict dock and press Predict the rest."
    ]
    assert row(dock) == ["tiny of scan", f"{done} of 48"]
    before = open_volume(mask.path)[:]
    assert not dock.masks.rest_button.isVisible()
    pick(qtbot, dock)
    assert dock.fractions.of.text() == f"Fractions in tiny of scan, slices 0:{done}"
    click(qtbot, dock.masks.rest_button)
    wait(qtbot, lambda: not dock.session.jobs.busy)
    assert row(dock) == ["tiny of scan", "48"]
    assert names(dock.session) == ["mask tiny of scan"]
    after = open_volume(mask.path)[:]
    np.testing.assert_array_equal(after[:done], before[:done])
    assert dock.fractions.of.text() == "Fractions in tiny of scan, slices 0:48"
    assert not dock.masks.rest_button.isVisible()
    np.testing.assert_array_equal(after, whole(dock, qtbot))


def test_a_prediction_whose_engine_was_killed_is_shown_saved_and_gone_on_with(
    open_dock: Callable[[], PredictDock],
    engine: Engine,
    qtbot: Any,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dock = open_dock()
    current = half_way(qtbot, dock)
    engine.kill()
    wait(qtbot, lambda: not dock.session.jobs.busy)
    name, words = row(dock)
    assert dock.bar.phase.text() == f"Not finished: {words} slices are kept"
    assert name == "tiny of scan"
    done = int(words.split()[0])
    assert done >= current.kept
    assert dock.masks.value() == current.path
    assert dock.masks.save_button.isEnabled()
    dock.session.layers.remove(current.layer)
    click(qtbot, dock.masks.show_button)
    wait(qtbot, lambda: names(dock.session) == ["mask tiny of scan"])
    layer = dock.session.viewer.layers["mask tiny of scan"]
    wait(qtbot, lambda: not dock.session.jobs.busy)
    assert layer.data[0].any()
    assert not layer.data[SHAPE[0] - 1].any()
    click(qtbot, dock.masks.rest_button)
    wait(qtbot, lambda: not dock.session.jobs.busy)
    assert row(dock) == ["tiny of scan", "48"]
    assert dock.masks.list.topLevelItemCount() == 1
    assert names(dock.session) == ["mask tiny of scan"]
    (mask,) = kept_masks(dock.session.require_project())
    assert mask.whole
    assert [one.name for one in mask.path.parent.iterdir() if one.name.startswith(".")] == []


def test_deleting_what_a_dead_engine_left_takes_its_layer(
    open_dock: Callable[[], PredictDock],
    engine: Engine,
    qtbot: Any,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dock = open_dock()
    dock.options.confidence.click()
    current = half_way(qtbot, dock)
    engine.kill()
    wait(qtbot, lambda: not dock.session.jobs.busy)
    assert dock.masks.list.topLevelItemCount() == 1
    assert current.layer in dock.session.viewer.layers
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    click(qtbot, dock.masks.delete_button)
    assert names(dock.session) == names(dock.session, "confidence") == []
    assert dock.masks.list.topLevelItemCount() == 0
    assert list(current.path.parent.iterdir()) == []


def test_the_rest_wants_the_model_and_the_images_that_the_mask_was_begun_with(
    open_dock: Callable[[], PredictDock],
    scan: Path,
    run: Path,
    tmp_path: Path,
    qtbot: Any,
    said: list[str],
) -> None:
    dock = open_dock()
    half_way(qtbot, dock)
    click(qtbot, dock.bar.stop)
    wait(qtbot, lambda: not dock.session.jobs.busy)
    _, words = row(dock)
    assert dock.bar.phase.text() == f"Stopped: {words} slices are kept"
    hidden = run / "model.safetensors"
    moved = hidden.rename(run / "away")
    dock.session.set_model(None)
    assert dock.masks.rest_button.isVisible()
    assert not dock.masks.rest_button.isEnabled()
    assert "choose it under Model" in dock.masks.rest_button.toolTip()
    moved.rename(hidden)
    dock.session.set_model(run)
    assert dock.masks.rest_button.isEnabled()
    data = volume()
    data[0, 0, 0] += 1
    tifffile.imwrite(scan, data)
    click(qtbot, dock.masks.rest_button)
    wait(qtbot, lambda: not dock.session.jobs.busy)
    assert "are not those that it was predicted from" in said[-1]
    assert row(dock)[1] == words

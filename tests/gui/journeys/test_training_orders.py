"""A training that is painted beside, paused and ended, with the real engine."""

from __future__ import annotations

import json
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.label_store import LabelStore
from napari_xseg.data.phantom import phantom
from napari_xseg.data.volume import volume_from_array
from napari_xseg.data.writing import save_volume
from napari_xseg.events import StepDone
from napari_xseg.jobs import TrainRequest
from tests.gui.gestures import choose_by_keys, click_strip, draw, press

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_xseg.jobs import Engine
    from tests.gui.hands import Hands

SHAPE = (16, 160, 160)
VALUES = [0, 128, 255]  # of the phantom's truth
LABELLED = (2, 6, 13)
PAINTED = 9
# Steps that no test waits for.
MANY = 100_000


@pytest.fixture
def open_scan(
    open_window: Callable[[], Hands], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[tuple[int, int, int]], Hands]:
    """Open a window with a raw stack of a shape, of which some slices are labelled."""

    def make(shape: tuple[int, int, int]) -> Hands:
        made = open_window()
        image, truth = phantom(shape, seed=3)
        path = tmp_path / "data" / "scan.tif"
        path.parent.mkdir()
        save_volume(path, volume_from_array(image, "scan"))
        made.open_file(path, monkeypatch)
        made.click(made.label.data.new)
        assert made.session.store is not None
        for z in LABELLED:
            made.session.store.write(z, (np.searchsorted(VALUES, truth[z]) + 1).astype(np.uint8))
        made.idle()
        return made

    return make


def processor(box: Any) -> str:
    """The entry of a list of devices that is the processor; empty before it is known."""
    texts = [box.itemText(row) for row in range(box.count())]
    return next((text for text in texts if text.startswith("cpu")), "")


def train(hands: Hands, steps: int) -> Any:
    """Press Train; gives the training once it has done some steps."""
    hands.set_steps(steps)
    hands.click(hands.train.train)
    hands.until(lambda: steps_done(hands) > 3)
    return hands.train.trainings.current


def steps_done(hands: Hands) -> int:
    """The step that the training under way has come to."""
    current = hands.train.trainings.current
    done = [] if current is None else [e.step for e in current.heard if isinstance(e, StepDone)]
    return max(done, default=0)


def on_disk(hands: Hands, z: int) -> NDArray[np.uint8]:
    """Slice z of the labels, read from the project's folder as another program would."""
    assert hands.session.project is not None
    store = LabelStore.open(hands.session.project.folder / "labels.zarr", read_only=True)
    try:
        return store[z].copy()
    finally:
        store.close()


def trained_slices(run: Path) -> set[int]:
    """Slices that a run trained or validated on."""
    split = json.loads((run / "provenance.json").read_text(encoding="utf-8"))["split"]
    return {*split["train"], *split["val"]}


def test_painting_goes_on_while_a_training_runs_and_continue_takes_it_in(
    open_scan: Callable[[tuple[int, int, int]], Hands],
) -> None:
    hands = open_scan(SHAPE)
    session, viewer, qtbot = hands.session, hands.viewer, hands.qtbot
    training = train(hands, MANY)
    click_strip(qtbot, hands.train.slices.strip.strip, PAINTED)
    assert session.z == PAINTED
    hands.show(hands.label)
    hands.click(hands.label.brush.tools["paint"])
    rows = {1: 40, 2: 80, 3: 120}
    for value, y in rows.items():
        press(qtbot, viewer, str(value))
        draw(qtbot, viewer, (y, 40), (y, 120))
        plane = on_disk(hands, PAINTED)
        assert np.count_nonzero(plane == value) > 300
        assert (plane[y, 45:115] == value).all()
        assert training.job.state == "running"
    before = steps_done(hands)
    hands.until(lambda: steps_done(hands) > before + 2)
    hands.show(hands.train)
    hands.click(hands.train.bar.stop)
    hands.until(lambda: training.job.over)
    hands.idle()
    assert training.job.error is None
    assert PAINTED not in trained_slices(training.run)

    hands.set_steps(MANY)
    hands.click(hands.train.go_on)
    hands.until(lambda: steps_done(hands) > 1 and hands.train.trainings.current is not training)
    second = hands.train.trainings.current
    assert second is not None
    assert session.project is not None
    request = session.project.pending_folder(second.run) / "request.json"
    labels = TrainRequest.from_dict(json.loads(request.read_text(encoding="utf-8"))).labels
    classes = session.classes
    taken = classes.to_layer(classes.encode(labels.open().read(PAINTED)))
    np.testing.assert_array_equal(taken, on_disk(hands, PAINTED))
    hands.click(hands.train.bar.stop)
    hands.until(lambda: second.job.over)
    hands.idle()
    assert PAINTED in trained_slices(second.run)
    told = json.loads((second.run / "provenance.json").read_text(encoding="utf-8"))
    assert training.run.name in json.dumps(told["parent"])


def test_a_paused_training_takes_no_step_until_it_goes_on(
    open_scan: Callable[[tuple[int, int, int]], Hands],
) -> None:
    hands = open_scan(SHAPE)
    bar = hands.train.bar
    training = train(hands, MANY)
    began, first = monotonic(), steps_done(hands)
    hands.until(lambda: steps_done(hands) > first + 5)
    time = monotonic() - began
    hands.click(bar.pause)
    hands.until(lambda: training.job.state == "paused")
    hands.until(lambda: bar.pause.text() == "Go on")
    assert bar.phase.text() == "Paused"
    stopped = steps_done(hands)
    # As long as several steps took.
    hands.qtbot.wait(round(1000 * time))
    # The step under way when it was asked may have been told since.
    assert steps_done(hands) <= stopped + 1
    assert training.job.state == "paused"
    hands.show(hands.train)
    hands.click(bar.pause)
    hands.until(lambda: steps_done(hands) > stopped + 3)
    hands.until(lambda: bar.pause.text().replace("&", "") == "Pause")
    hands.click(bar.stop)
    hands.until(lambda: training.job.over)
    assert training.job.finished is not None
    assert training.job.finished.reason == "stopped"


def test_stop_now_ends_a_long_step_and_train_works_again(
    open_scan: Callable[[tuple[int, int, int]], Hands], shared_engine: Engine, said: list[str]
) -> None:
    hands = open_scan((16, 400, 400))
    form, bar = hands.train.form, hands.train.bar
    hands.show(hands.train)
    choose_by_keys(hands.qtbot, form.recipe, "poster")
    hands.until(lambda: processor(form.device))
    choose_by_keys(hands.qtbot, form.device, processor(form.device))
    hands.click(hands.train.train)
    training = hands.train.trainings.current
    assert training is not None
    hands.until(lambda: training.job.state == "running" and training.heard)
    killed = shared_engine.pid
    hands.click(bar.stop)
    hands.until(bar.stop_now.isVisible)
    assert "Stopping after this step" in bar.phase.text()
    assert steps_done(hands) == 0
    hands.click(bar.stop_now)
    hands.until(lambda: training.job.over)
    hands.idle()
    (words,) = [words for words in said if training.run.name in words]
    assert "was stopped at once; it had saved no model yet" in words
    assert not (training.run / "model.safetensors").exists()
    assert hands.session.store is not None
    assert hands.session.store.labelled == LABELLED

    choose_by_keys(hands.qtbot, form.recipe, "quick")
    hands.set_steps(2)
    run = hands.train_to_end(hands.train.train)
    assert run != training.run
    assert shared_engine.pid != killed
    assert hands.session.model == run

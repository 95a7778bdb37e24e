from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.errors import XsegError
from napari_xseg.events import Progress
from napari_xseg.gui.predict.predict_dock import PredictDock
from napari_xseg.gui.session import session_of
from napari_xseg.jobs import EngineDied
from tests.gui.fake import WAIT, FakeEngine
from tests.gui.predict.hands import at_gate, click, names
from tests.gui.prediction_fakes import PretendedMask, pretend_slice

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari import Viewer


# -- what goes wrong -----------------------------------------------------------


def test_a_fault_takes_the_layer_away_and_the_button_works_again(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    wait_idle: Any,
    said: list[str],
) -> None:
    def fail(_: Any) -> Any:
        pretended.writer.__exit__(OSError, OSError(), None)
        return Progress("predict", 3, 8, 1.0)

    full = XsegError("mask: the disk is full; make room.")
    fake_engine.scripts.append([pretended.begin, *pretended.write(0, 3), fail, full])
    click(qtbot, dock.volume)
    wait_idle(dock.session)
    assert said == [str(full)]
    assert names(dock.session) == []
    fake_engine.scripts.append(pretended.script())
    click(qtbot, dock.volume)
    wait_idle(dock.session)
    assert names(dock.session) == ["mask fine of phantom"]


def test_a_dead_engine_leaves_what_was_written_in_view(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    wait_idle: Any,
    said: list[str],
) -> None:
    died = EngineDied("The engine process ended (signal 9).")
    fake_engine.scripts.append([pretended.begin, *pretended.write(0, 3), died])
    click(qtbot, dock.volume)
    wait_idle(dock.session)
    assert said == [str(died)]
    data = dock.session.viewer.layers["mask fine of phantom"].data
    assert [int(data[z].max()) for z in range(4)] == [1, 2, 3, 0]
    fake_engine.scripts.append(pretended.script())
    click(qtbot, dock.volume)
    wait_idle(dock.session)
    _, second = names(dock.session)
    assert re.fullmatch(r"mask fine of phantom \d\d \w+ \d\d:\d\d:\d\d", second)


def test_no_image_no_model_nothing_to_press(
    viewer: Viewer, fake_engine: FakeEngine, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    session = session_of(viewer, fake_engine)
    dock = PredictDock(viewer)
    qtbot.addWidget(dock)
    wait_idle(session)
    for button in (dock.this_slice, dock.volume, dock.predict_range, dock.other):
        assert not button.isEnabled()


def test_a_model_that_goes_away_is_a_sentence(
    dock: PredictDock, model: Path, qtbot: Any, said: list[str]
) -> None:
    shutil.rmtree(model)
    click(qtbot, dock.volume)
    assert "is not there" in said[-1]
    assert dock.predictions.current is None


# -- layers in mid-job ---------------------------------------------------------


@pytest.mark.parametrize("what", ["delete", "rename", "other image", "3D", "close dock"])
def test_what_happens_to_layers_in_mid_job(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    wait_idle: Any,
    what: str,
    said: list[str],
) -> None:
    session, viewer = dock.session, dock.session.viewer
    fake_engine.scripts.append(pretended.script(WAIT))
    click(qtbot, dock.volume)
    running = at_gate(qtbot, fake_engine, dock, 3)
    qtbot.waitUntil(lambda: names(session) == ["mask fine of phantom"])
    if what == "delete":
        viewer.layers.remove(viewer.layers["mask fine of phantom"])
    elif what == "rename":
        viewer.layers["mask fine of phantom"].name = "mine"
    elif what == "other image":
        session.set_image(viewer.add_image(np.zeros((4, 20, 20), np.uint8), name="other"))
    elif what == "3D":
        viewer.dims.ndisplay = 3
    else:
        viewer.window.remove_dock_widget(dock)
    running.gate.set()
    wait_idle(session)
    if what == "close dock":
        with pytest.raises(RuntimeError, match="deleted"):
            dock.isVisible()
    assert said == []
    expected = {"delete": [], "rename": ["mine"]}.get(what, ["mask fine of phantom"])
    assert names(session) == expected
    for layer in map(viewer.layers.__getitem__, expected):
        assert int(layer.data[7].max()) == 2


def test_the_image_is_deleted_before_the_first_slice(
    dock: PredictDock, fake_engine: FakeEngine, pretended: PretendedMask, qtbot: Any, wait_idle: Any
) -> None:
    fake_engine.scripts.append([WAIT, *pretended.script()])
    click(qtbot, dock.volume)
    qtbot.waitUntil(lambda: bool(fake_engine.running) and not fake_engine.scripts)
    dock.session.viewer.layers.remove(dock.session.image)
    fake_engine.running[-1].gate.set()
    wait_idle(dock.session)
    assert names(dock.session) == []
    assert fake_engine.submitted[-1].out.exists()


def test_two_viewers_have_their_own_predictions(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    make_napari_viewer: Any,
    tmp_path: Path,
    qtbot: Any,
    wait_idle: Any,
) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    second = session_of(make_napari_viewer(), FakeEngine(folder))
    second.set_image(second.viewer.add_image(np.zeros((3, 9, 9), np.uint8), name="small"))
    other = PredictDock(second.viewer)
    qtbot.addWidget(other)
    fake_engine.scripts.append(pretended.script(WAIT))
    click(qtbot, dock.volume)
    running = at_gate(qtbot, fake_engine, dock, 3)
    assert other.predictions.current is None
    assert names(second) == []
    running.gate.set()
    wait_idle(dock.session)
    wait_idle(second)
    assert names(dock.session) == ["mask fine of phantom"]


@pytest.mark.parametrize("shape", [(30, 40), (1, 30, 40)])
def test_flat_images(
    dock: PredictDock,
    fake_engine: FakeEngine,
    pretended: PretendedMask,
    qtbot: Any,
    wait_idle: Any,
    shape: tuple[int, ...],
) -> None:
    session = dock.session
    session.set_image(session.viewer.add_image(np.ones(shape, np.float32), name="flat"))
    fake_engine.scripts.append([pretend_slice(fake_engine, 1)])
    click(qtbot, dock.this_slice)
    wait_idle(session)
    assert (session.viewer.layers["mask fine of flat (slices)"].data[0] == 2).all()
    fake_engine.scripts.append([pretended.begin, *pretended.write(0, 1), pretended.end()])
    click(qtbot, dock.volume)
    wait_idle(session)
    layer = session.viewer.layers["mask fine of flat"]
    assert layer.data.shape == (1, 30, 40)
    assert (layer.data[0] == 1).all()


def test_a_huge_volume_is_never_held(
    dock: PredictDock, fake_engine: FakeEngine, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    from napari_xseg.gui.planes import LazyPlanes

    session = dock.session
    shape = (500, 4000, 4000)
    huge = LazyPlanes(shape, lambda z: np.full(shape[1:], z % 200, np.uint8), 2)
    layer = session.viewer.add_image(huge, name="huge", contrast_limits=(0, 255))
    session.set_image(layer)
    session.go_to(250)
    fake_engine.scripts.append([pretend_slice(fake_engine, 1)])
    click(qtbot, dock.this_slice)
    wait_idle(session)
    request = fake_engine.submitted[-1]
    assert request.images.planes == (249, 250, 251)
    assert (session.viewer.layers["mask fine of huge (slices)"].data[250][::500, ::500] == 2).all()

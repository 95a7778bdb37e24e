"""From a raw stack to five labelled slices with mouse and keys alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_xseg.data.prefill import guess_cuts
from napari_xseg.gui.forms import NumberField
from napari_xseg.gui.label.prefill_panel import GREY, MODEL, WHOLE
from napari_xseg.gui.train.train_dock import TrainDock
from tests.gui.gestures import (
    LEFT,
    choose_by_keys,
    click_strip,
    draw,
    press,
    slide_to,
    type_number,
    until,
)
from tests.gui.label_hands import opened
from tests.gui.prediction_fakes import pretend_slice, write_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari import Viewer

    from napari_xseg.gui.label.label_dock import LabelDock
    from napari_xseg.gui.session import Session
    from tests.gui.fake import FakeEngine


@pytest.fixture
def dock(session: Session, viewer: Viewer, wait_idle: Callable[[Session], None]) -> LabelDock:
    made = opened(viewer)
    wait_idle(session)
    return made


def click(qtbot: Any, button: Any) -> None:
    until(qtbot, lambda: button.isVisible() and button.isEnabled())
    qtbot.mouseClick(button, LEFT)


def prefilled(dock: LabelDock, qtbot: Any) -> np.ndarray[Any, Any]:
    """The mask that is shown for the slice in view, once it is there."""
    session = dock.session
    until(qtbot, lambda: dock.prefill.prefill.mask_at(session.z) is not None)
    mask = dock.prefill.prefill.mask_at(session.z)
    assert mask is not None
    return np.asarray(mask)


def open_prefill(dock: LabelDock, qtbot: Any) -> np.ndarray[Any, Any]:
    click(qtbot, dock.fold._button)
    return prefilled(dock, qtbot)


def test_five_slices_by_the_slider_and_the_strip(
    dock: LabelDock,
    session: Session,
    viewer: Viewer,
    show_dock: Callable[[type[Any]], Any],
    qtbot: Any,
) -> None:
    open_prefill(dock, qtbot)
    for z in (0, 2, 7):
        slide_to(qtbot, viewer, z)
        assert session.z == z
        prefilled(dock, qtbot)
        click(qtbot, dock.accept)
    train = show_dock(TrainDock)
    strip = train.slices.strip.strip
    until(qtbot, lambda: sorted(strip.pixels) == [0, 2, 7])
    for z in (4, 5):
        click_strip(qtbot, strip, z)
        assert session.z == z
        prefilled(dock, qtbot)
        click(qtbot, dock.accept)
    assert session.store is not None
    assert session.store.labelled == (0, 2, 4, 5, 7)
    until(qtbot, lambda: sorted(strip.pixels) == [0, 2, 4, 5, 7])
    assert "5 of 8 slices labelled" in dock.status.text()
    until(qtbot, train.train.isEnabled)


def test_guess_puts_the_handles_back_where_they_part_the_grey_values(
    dock: LabelDock, session: Session, qtbot: Any
) -> None:
    best = open_prefill(dock, qtbot).copy()
    look = dock.prefill.prefill.look
    assert look is not None
    cuts, order = dock.prefill.cuts.value()
    assert list(cuts) == list(guess_cuts(look.histogram, len(order)))
    for field in dock.prefill.cuts.findChildren(NumberField)[:1]:
        type_number(qtbot, field, str(int(field.maximum())))
    until(qtbot, lambda: not np.array_equal(prefilled(dock, qtbot), best))
    assert dock.prefill.cuts.value()[0] != cuts
    click(qtbot, dock.prefill.guess)
    until(qtbot, lambda: np.array_equal(prefilled(dock, qtbot), best))
    assert dock.prefill.cuts.value()[0] == cuts


def test_the_source_is_chosen_with_keys(
    dock: LabelDock, session: Session, fake_engine: FakeEngine, tmp_path: Path, qtbot: Any
) -> None:
    session.set_model(write_model(tmp_path / "run" / "model.safetensors").parent)
    grey = open_prefill(dock, qtbot).copy()
    assert len(np.unique(grey)) == 3
    fake_engine.scripts.append([pretend_slice(fake_engine, 1)])
    choose_by_keys(qtbot, dock.prefill.source, MODEL)
    until(qtbot, lambda: (prefilled(dock, qtbot) == 2).all())
    assert not dock.prefill.cuts.isVisible()
    assert not dock.prefill.guess.isVisible()
    click(qtbot, dock.prefill.apply)
    assert session.store is not None
    assert (session.store[session.z] == 2).all()
    click(qtbot, dock.brush.undo)
    choose_by_keys(qtbot, dock.prefill.source, GREY)
    until(qtbot, lambda: np.array_equal(prefilled(dock, qtbot), grey))
    assert dock.prefill.guess.isVisible()


def test_the_region_is_chosen_with_keys_and_what_is_painted_stays(
    dock: LabelDock, session: Session, viewer: Viewer, qtbot: Any
) -> None:
    z = session.z
    box = [(z, 20, 30), (z, 20, 89), (z, 69, 89), (z, 69, 30)]
    viewer.add_shapes([box], shape_type="polygon", name="ROI")
    click(qtbot, dock.brush.tools["paint"])
    press(qtbot, viewer, "3")
    draw(qtbot, viewer, (40, 40), (40, 70))
    assert session.store is not None
    painted = session.store[z] == 3
    assert painted[40, 45:65].all()
    open_prefill(dock, qtbot)
    choose_by_keys(qtbot, dock.prefill.region, "ROI")
    until(qtbot, lambda: not prefilled(dock, qtbot)[:15].any())
    click(qtbot, dock.prefill.apply)
    labelled = session.store[z] > 0
    assert labelled[25:65, 35:85].all()
    assert not labelled[:19].any()
    assert not labelled[:, 91:].any()
    assert (session.store[z][painted] == 3).all()
    choose_by_keys(qtbot, dock.prefill.region, WHOLE)
    until(qtbot, lambda: prefilled(dock, qtbot)[:15].any())
    qtbot.keyClick(dock.prefill.apply, Qt.Key.Key_Space)
    until(qtbot, lambda: (session.store is not None) and (session.store[z] > 0).all())
    assert (session.store[z][painted] == 3).all()

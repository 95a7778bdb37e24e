"""Two viewers, each with a Review dock on an image of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt

from napari_xseg.data.phantom import phantom
from napari_xseg.gui.session import session_of
from tests.gui.fake import FakeEngine
from tests.gui.gestures import LEFT, choose_by_keys, until
from tests.gui.review.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari import Viewer

    from napari_xseg.gui.session import Session


def state(desk: Desk) -> tuple[Any, ...]:
    """What a review shows and says."""
    outcome = desk.reviewer.outcome
    assert outcome is not None
    chosen = desk.dock.mistakes.table.value()
    return (
        desk.reviewer.z,
        desk.reviewer.pair,
        desk.dock.form.status.text(),
        desk.dock.form.prediction.currentText(),
        outcome.mistakes.pixels,
        desk.dock.mistakes.table.mistakes.ticks,
        None if chosen is None else chosen.pixels,
        sorted(layer.name for layer in desk.viewer.layers),
        desk.shown().tobytes(),
    )


def test_reviews_in_two_viewers_do_not_disturb_each_other(
    session: Session,
    truth: Any,
    make_napari_viewer: Callable[..., Viewer],
    tmp_path: Path,
    qtbot: Any,
) -> None:
    (tmp_path / "other engine").mkdir()
    second = session_of(make_napari_viewer(), FakeEngine(tmp_path / "other engine"))
    image, other_truth = phantom((5, 64, 80), seed=7)
    second.set_image(second.viewer.add_image(image, name="other"))
    session.move_project(tmp_path / "one-xseg")
    second.move_project(tmp_path / "two-xseg")
    desks = [Desk(session, truth, qtbot), Desk(second, other_truth, qtbot)]
    for desk in desks:
        desk.viewer.window._qt_window.show()
        until(qtbot, desk.dock.isVisible)
        desk.wait()
    for mine, theirs in (desks, desks[::-1]):
        before = state(theirs)
        mine.all_slices()
        mine.click_row(1)
        mine.wait()
        table = mine.dock.mistakes.table
        qtbot.keyClick(table, Qt.Key.Key_Space)
        choose_by_keys(qtbot, mine.dock.mistakes.true, "nickel")
        qtbot.mouseClick(mine.dock.form.by_prediction, LEFT)
        mine.wait()
        theirs.wait()
        assert state(theirs) == before
        z = mine.reviewer.z
        assert z is not None
        shown = mine.wrong(z) & (mine.truth_data[z] == 3)
        np.testing.assert_array_equal(mine.shown(), np.where(shown, mine.mask_data[z], 0))
    until(qtbot, lambda: all(not desk.session.jobs.busy for desk in desks))
    ticks = [list((tmp_path / name).rglob("ticks-*.json")) for name in ("one-xseg", "two-xseg")]
    assert [len(files) for files in ticks] == [1, 1]
    first, other = desks
    before = state(other)
    first.viewer.layers.remove(first.mask)
    first.wait()
    other.wait()
    assert state(other) == before
    first.review.close()
    assert state(other) == before
    other.viewer.dims.set_point(0, 2)
    other.wait()
    assert other.reviewer.z == 2
    second.close()
    until(qtbot, lambda: not second.jobs.busy)

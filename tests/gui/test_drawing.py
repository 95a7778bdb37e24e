"""A window that draws slowly, and the training that makes room for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from napari_xseg.gui import drawing
from napari_xseg.gui.drawing import Drawing
from napari_xseg.jobs import WarmUp
from tests.gui.fake import UNTIL_STOPPED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_xseg.gui.session import Session
    from tests.gui.fake import FakeEngine


@pytest.fixture
def watched(session: Session) -> Iterator[Drawing]:
    made = Drawing(session.viewer)
    yield made
    made.close()


@pytest.fixture
def slow_draws(session: Session) -> Iterator[None]:
    """Every other slice takes 0.05 s to be drawn."""

    def draw(_: object) -> None:
        time.sleep(0.05)

    session.viewer.dims.events.point.connect(draw)
    yield
    session.viewer.dims.events.point.disconnect(draw)


def look_through(session: Session, drawn: Drawing, qtbot: Any, slices: tuple[int, ...]) -> None:
    for z in slices:
        before = list(drawn._took)
        session.go_to(z)
        qtbot.waitUntil(lambda before=before: list(drawn._took) != before)


def test_a_slow_window_says_how_long_it_draws_before_it_does(
    session: Session, watched: Drawing, slow_draws: None, qtbot: Any
) -> None:
    order: list[Any] = []
    watched.slow.connect(lambda seconds: order.append(seconds))
    session.viewer.dims.events.current_step.connect(lambda _: order.append("sliced"))
    look_through(session, watched, qtbot, (1,))
    assert order == ["sliced"]  # nothing is known at first
    look_through(session, watched, qtbot, (2, 3))
    assert order[2::2] == ["sliced", "sliced"]
    assert all(0.05 <= seconds < 60 for seconds in order[1::2])


def test_a_fast_window_asks_for_no_room(
    session: Session, watched: Drawing, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    monkeypatch.setattr(drawing, "SLOW", 60.0)
    told: list[float] = []
    watched.slow.connect(lambda seconds: told.append(seconds))
    look_through(session, watched, qtbot, (1, 2, 3))
    assert not told


def test_a_closed_one_says_nothing(session: Session, slow_draws: None, qtbot: Any) -> None:
    made = Drawing(session.viewer)
    told: list[float] = []
    made.slow.connect(lambda seconds: told.append(seconds))
    look_through(session, made, qtbot, (1,))
    made.close()
    session.go_to(2)
    assert not told


def test_a_training_rests_while_a_slow_window_draws(
    session: Session, fake_engine: FakeEngine, slow_draws: None, qtbot: Any
) -> None:
    fake_engine.scripts.append([UNTIL_STOPPED])
    job = session.jobs.run("Training", WarmUp)
    qtbot.waitUntil(lambda: job.state == "running")
    session.live.watch(job, session.require_images(), session.classes, 0)
    look_through(session, session.live._drawing, qtbot, (1, 2))
    orders = fake_engine.running[0].orders
    rests = [seconds for order, seconds in orders if order == "rest"]
    assert rests
    assert rests[-1] >= 0.05
    job.stop()
    qtbot.waitUntil(lambda: job.over)
    session.go_to(3)
    assert len([order for order, _ in orders if order == "rest"]) == len(rests)

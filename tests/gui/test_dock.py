"""What all docks share: they go without a trace, and work only where they are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from psygnal import Signal
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication, QPushButton, QWidget

from napari_xseg.gui.dock import Dock, Links, Page
from napari_xseg.gui.experiments import experiments_dock
from napari_xseg.gui.experiments.experiments_dock import ExperimentsDock
from napari_xseg.gui.in_front import WhenSeen, in_front
from napari_xseg.gui.label.label_dock import LabelDock
from napari_xseg.gui.predict.predict_dock import PredictDock
from napari_xseg.gui.review.review_dock import ReviewDock
from napari_xseg.gui.train.train_dock import TrainDock

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.gui.session import Session

DOCKS = [LabelDock, TrainDock, PredictDock, ReviewDock, ExperimentsDock]


class Teller:
    said = Signal(int)


def gone(widget: QWidget) -> bool:
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    try:
        widget.isVisible()
    except RuntimeError:
        return True
    return False


def touch_everything(session: Session) -> None:
    """Emit whatever a dock may listen to."""
    for signal in (
        session.image_changed,
        session.labels_changed,
        session.classes_changed,
        session.project_changed,
        session.runs_changed,
        session.model_changed,
        session.devices_changed,
        session.layers_changed,
        session.live.changed,
    ):
        signal.emit()
    session.slices_changed.emit(frozenset({1}))
    session.viewer.theme = "light"
    session.viewer.dims.set_point(0, 5)
    session.viewer.dims.ndisplay = 3


def test_links_are_made_and_undone_together(session: Session) -> None:
    teller, heard = Teller(), []
    event = session.viewer.dims.events.current_step
    links = Links((teller.said, heard.append), (event, lambda _: heard.append("step")))
    teller.said.emit(1)
    session.viewer.dims.set_point(0, 5)
    assert heard == [1, "step"]
    assert links
    links.leave()
    teller.said.emit(2)
    session.viewer.dims.set_point(0, 6)
    assert heard == [1, "step"]
    assert not links
    links.leave()


def test_a_page_ends_once(session: Session, qtbot: Any) -> None:
    class Own(Page):
        def let_go(self) -> None:
            told.append("let go")

        def take_away(self) -> None:
            told.append("took away")

    told: list[str] = []
    page = Own(session)
    qtbot.addWidget(page)
    page.listen((session.model_changed, lambda: told.append("model")))
    session.model_changed.emit()
    session.closed.emit()
    assert told == ["model", "let go"]
    session.model_changed.emit()
    page.close()
    page.end()
    assert told == ["model", "let go", "took away"]


@pytest.mark.parametrize("kind", DOCKS)
def test_a_dock_taken_out_of_its_window_is_gone(
    kind: type[Dock],
    session: Session,
    show_dock: Callable[[type[Any]], Any],
    wait_idle: Callable[[Session], None],
    qtbot: Any,
) -> None:
    session.new_labels()
    dock = show_dock(kind)
    session.viewer.window.remove_dock_widget(dock.parentWidget())
    assert gone(dock)
    touch_everything(session)  # a slot of a widget that is no more would raise
    wait_idle(session)
    qtbot.wait(50)


def covered(dock: QWidget, session: Session, qtbot: Any) -> None:
    """Lay another tab over a dock."""
    session.viewer.window.add_dock_widget(QPushButton("Other"), name="other", tabify=True)
    other = session.viewer.window._wrapped_dock_widgets["other"]
    other.raise_()
    qtbot.waitUntil(lambda: not in_front(dock))


def test_work_waits_until_it_is_seen(
    session: Session, show_dock: Callable[[type[Any]], Any], qtbot: Any
) -> None:
    dock, done = show_dock(LabelDock), []
    work = WhenSeen(dock, lambda: done.append("done"), 5)
    work.now()
    assert done == ["done"]
    for _ in range(3):
        work.soon()
    assert work.waiting
    qtbot.waitUntil(lambda: done == ["done", "done"])
    covered(dock, session, qtbot)
    work.now()
    work.soon()
    assert not work.waiting
    dock.parentWidget().raise_()
    qtbot.waitUntil(lambda: len(done) == 3)
    assert not work.waiting


def test_work_that_was_given_up_is_not_done(
    session: Session, show_dock: Callable[[type[Any]], Any], qtbot: Any
) -> None:
    dock, done = show_dock(LabelDock), []
    works = [WhenSeen(dock, lambda word=word: done.append(word)) for word in ("kept", "given up")]
    covered(dock, session, qtbot)
    for work in works:
        work.now()
    works[1].stop()
    dock.parentWidget().raise_()
    qtbot.waitUntil(lambda: bool(done))
    assert done == ["kept"]


def test_a_covered_experiments_dock_does_nothing_for_a_stroke(
    session: Session,
    show_dock: Callable[[type[Any]], Any],
    wait_idle: Callable[[Session], None],
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> None:
    session.new_labels()
    assert session.store is not None
    dock = show_dock(ExperimentsDock)
    qtbot.waitUntil(lambda: not dock._settling.waiting)
    wait_idle(session)
    asked: list[str] = []
    for name in ("plan_experiment", "find_experiments"):
        real = getattr(experiments_dock, name)

        def noted(*values: Any, name: str = name, real: Any = real) -> Any:
            asked.append(name)
            return real(*values)

        monkeypatch.setattr(experiments_dock, name, noted)
    covered(dock, session, qtbot)
    for z in (1, 2, 3):
        session.store.write(z, np.full((96, 128), 1, np.uint8))
        dock.experiments.changed.emit()  # as after each training
        assert not dock._settling.waiting
        assert asked == []
    dock.parentWidget().raise_()
    qtbot.waitUntil(lambda: sorted(asked) == ["find_experiments", "plan_experiment"])
    wait_idle(session)


def test_a_covered_label_dock_counts_once_it_is_seen(
    session: Session, show_dock: Callable[[type[Any]], Any], qtbot: Any
) -> None:
    session.new_labels()
    assert session.store is not None
    dock = show_dock(LabelDock)
    covered(dock, session, qtbot)
    before = dock.status.text()
    assert before.startswith("0 of 8")
    session.store.write(5, np.full((96, 128), 1, np.uint8))
    session.go_to(5)
    assert dock.status.text() == before
    dock.parentWidget().raise_()
    qtbot.waitUntil(lambda: dock.status.text().startswith("1 of 8 slices labelled. Slice 5: 100 %"))

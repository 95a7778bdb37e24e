"""With the real engine: suspects of a predicted mask, one mended, the training continued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.phantom import phantom
from napari_xseg.gui.session import session_of
from napari_xseg.jobs import Engine
from napari_xseg.review.suspects.kept import suspects_path
from tests.gui.hands import LEFT, Hands
from tests.gui.label_hands import place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari import Viewer

    from napari_xseg.gui.session import Session

SHAPE = (16, 96, 112)
LABELLED = (3, 12)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as made:
        yield made


@pytest.fixture
def open_window(
    make_napari_viewer: Callable[..., Viewer], engine: Engine, tmp_path: Path, qtbot: Any
) -> Iterator[Callable[[], Hands]]:
    """Open all docks on an image in memory, two slices labelled as the truth is."""
    opened: list[Session] = []

    def make() -> Hands:
        viewer = make_napari_viewer()
        session = session_of(viewer, engine)
        opened.append(session)
        image, truth = phantom(SHAPE, seed=3)
        session.set_image(viewer.add_image(image, name="scan"))
        session.move_project(tmp_path / "scan-xseg")
        made = Hands(viewer, qtbot)
        session.new_labels()
        assert session.store is not None
        for z in LABELLED:
            session.store.write(z, (np.searchsorted([0, 128, 255], truth[z]) + 1).astype(np.uint8))
        made.idle()
        return made

    yield make
    session = opened.pop()
    session.close()
    qtbot.waitUntil(lambda: not session.jobs.busy, timeout=20_000)


def test_from_suspects_to_a_better_model(
    open_window: Callable[[], Hands],
    qtbot: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hands = open_window()
    session = hands.session
    hands.set_steps(30)
    run = hands.train_to_end(hands.train.train)
    hands.show(hands.predict)
    hands.click(hands.predict.volume)
    hands.until(lambda: hands.predict.predictions.current is None)
    hands.idle()

    # Suspects are found, and kept beside the mask.
    hands.show(hands.review)
    bar = hands.review.tabs.tabBar()
    qtbot.mouseClick(bar, LEFT, pos=bar.tabRect(1).center())
    page = hands.review.suspects
    hands.until(lambda: page.search.mask is not None)
    hands.click(page.find)
    hands.until(lambda: page.search.suspects is not None)
    hands.idle()
    path = page.search.path
    assert path is not None
    assert suspects_path(path).is_file()
    assert page.list.table.suspects.rowCount() > 5

    # One is mended with a click, and its slice accepted.
    hands.row(page.list.table, 0, 2)
    suspect = page.list.table.value()
    assert suspect is not None
    assert session.z == suspect.z
    hands.click(page.mend.tools["piece"])
    at = round(suspect.y), round(suspect.x)
    qtbot.mouseClick(hands.picture, LEFT, pos=place(qtbot, hands.viewer, at))
    hands.idle()
    assert session.store is not None
    assert session.store.read(suspect.z)[at] == page.mender.value
    hands.click(page.mend.accept)
    hands.idle()
    assert session.store.read(suspect.z).all()
    assert [one.kind for one in session.origins.of(suspect.z)] == ["corrected", "accepted"]

    # The training goes on, and what has changed is said.
    hands.set_steps(20)
    hands.until(lambda: not hands.train._keeping.isActive())  # its choices are on disk
    hands.show(hands.review)
    hands.click(page.go_on)
    hands.until(lambda: page.continuing.words)
    hands.idle()
    words = page.progress.text()
    assert "suspects went away" in words
    assert "labelled slice" in words
    assert session.model is not None
    assert session.model != run
    assert page.search.path != path
    assert not hands.review.suspects.phase.isVisible()

"""What another image changes: what covers it, and what was chosen for the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QPoint, Qt

from napari_xseg.gui.forms import Fold
from napari_xseg.gui.predict.predict_dock import PredictDock
from tests.gui.prediction_fakes import CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.gui.session import Session


@pytest.fixture
def dock(session: Session, show_dock: Callable[[type[Any]], Any]) -> PredictDock:
    """The Predict dock with a second image, of another shape, above the session's."""
    session.viewer.add_image(np.zeros((3, 40, 50), np.float32), name="other")
    made: PredictDock = show_dock(PredictDock)
    return made


def mask(session: Session, image: Image, name: str) -> Labels:
    return session.layers.add_classes(
        np.ones(image.data.shape, np.uint8), CLASSES, kind="mask", name=name, image=image
    )


def seen(*layers: Layer) -> list[bool]:
    return [layer.visible for layer in layers]


def test_an_image_that_is_chosen_is_seen_with_what_was_made_of_it(
    session: Session, dock: PredictDock, qtbot: Any
) -> None:
    first, other = session.viewer.layers["phantom"], session.viewer.layers["other"]
    assert isinstance(first, Image)
    assert isinstance(other, Image)
    own, foreign = mask(session, first, "own"), mask(session, other, "foreign")
    own.visible = True  # adding the other one has hidden it
    theirs = session.viewer.add_labels(np.zeros((3, 40, 50), np.uint8), name="theirs")
    dock.data.image.setFocus()
    assert session.image is first
    qtbot.keyClick(dock.data.image, Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: session.image is other)
    assert seen(other, foreign, own) == [True, True, False]
    qtbot.keyClick(dock.data.image, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: session.image is first)
    assert seen(first, own, other, foreign, theirs) == [True, False, False, False, True]


def test_matching_is_chosen_for_one_image_alone(
    session: Session, dock: PredictDock, qtbot: Any
) -> None:
    fold = next(fold for fold in dock.findChildren(Fold) if fold.isAncestorOf(dock.options))
    fold.set_open(True)
    box = dock.options.match
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    assert session.match_intensity
    other = session.viewer.layers["other"]
    assert isinstance(other, Image)
    session.set_image(other)
    assert not session.match_intensity
    assert not dock.options.match.isChecked()
    assert not dock.options.value().match_intensity


def test_the_preview_lies_over_an_image_that_is_opened_anew(session: Session) -> None:
    def preview(z: int) -> Labels:
        assert session.image is not None
        return session.layers.show_preview(
            z,
            (0, 96, 0, 128),
            np.ones((96, 128), np.uint8),
            classes=CLASSES,
            shape=(8, 96, 128),
            image=session.image,
        )

    layers = session.viewer.layers
    shown = preview(0)
    data = layers["phantom"].data
    layers.remove("phantom")
    session.set_image(session.viewer.add_image(data, name="again"))
    assert layers.index(shown) < layers.index("again")
    assert preview(1) is shown
    assert layers.index(shown) > layers.index("again")

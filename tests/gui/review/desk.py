"""A Review dock and two layers that it compares."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt

from napari_xseg.data.classes import ClassSpec, ClassTable
from napari_xseg.gui.review.comparison import Comparison
from napari_xseg.gui.review.mistake_list import PIXELS
from napari_xseg.gui.review.review_dock import ReviewDock
from tests.limits import PATIENCE

if TYPE_CHECKING:
    import pytest
    from napari.layers import Labels

    from napari_xseg.gui.session import Session

TABLE = ClassTable(
    (
        ClassSpec("pore", 0, (255, 0, 0)),
        ClassSpec("YSZ", 128, (0, 255, 0)),
        ClassSpec("nickel", 255, (0, 0, 255)),
    ),
    unlabelled=1,
)
LEFT = Qt.MouseButton.LeftButton


class HeldCount:
    """Counts of slices that wait until they are let go.

    Attributes
    ----------
    began : list of int
        The slices whose count has begun.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began: list[int] = []
        self._gate = threading.Event()
        self.go = self._gate.set
        review = Comparison.review

        def held(comparison: Comparison, z: int) -> Any:
            self.began.append(z)
            self._gate.wait(PATIENCE)
            return review(comparison, z)

        monkeypatch.setattr(Comparison, "review", held)


class Desk:
    """A dock in a window, with a truth and a mask that has known mistakes."""

    def __init__(self, session: Session, truth: Any, qtbot: Any) -> None:
        self.session, self.viewer, self.qtbot = session, session.viewer, qtbot
        self.truth_data = TABLE.to_layer(TABLE.encode(truth))
        self.mask_data = self.truth_data.copy()
        for z in range(len(truth)):
            self.mask_data[z, 20:40, 30 : 50 + z] = 1 + (z % 3)
        self.mask_data[:, 80:83, 100:110] = 1
        self.truth = self.add("labels", "truth", self.truth_data)
        self.mask = self.add("mask", "mask", self.mask_data)
        self.review = ReviewDock(self.viewer)
        self.dock = self.review.compare
        self.viewer.window.add_dock_widget(self.review, name="Review", area="right")
        self.reviewer = self.dock.reviewer
        self.wait()

    def add(self, kind: Any, name: str, data: Any) -> Labels:
        return self.session.layers.add_classes(
            data, TABLE, kind=kind, name=name, image=self.session.image
        )

    def wait(self) -> None:
        """Wait until nothing is gathered or counted any more."""
        jobs, gathers = self.session.jobs, self.reviewer._gather
        self.qtbot.waitUntil(lambda: not (jobs.busy or gathers.isActive()), timeout=20_000)

    def wrong(self, z: int) -> Any:
        return (self.truth_data[z] != self.mask_data[z]) & (self.truth_data[z] > 0)

    def shown(self) -> Any:
        """What the overlay shows of the slice in view."""
        overlay = self.reviewer.view.overlay
        assert overlay is not None
        return np.asarray(overlay._slice.image.raw)

    def all_slices(self) -> None:
        self.qtbot.keyClick(self.dock.form.scope, Qt.Key.Key_End)
        self.wait()

    def click_row(self, row: int) -> None:
        table = self.dock.mistakes.table
        self.dock.show()
        place = table.visualRect(table.mistakes.index(row, PIXELS)).center()
        self.qtbot.mouseClick(table.viewport(), LEFT, pos=place)

"""A Review dock on the Suspects page, a mask on disk, and suspects that only pretend."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPoint, Qt

from napari_xseg.data.volume import hash_source, open_label_volume, volume_from_array
from napari_xseg.data.writing import save_volume
from napari_xseg.events import Finished, Progress, Started
from napari_xseg.gui.predict.mask_layers import open_mask
from napari_xseg.gui.predict.mask_list import show_mask
from napari_xseg.gui.review.review_dock import ReviewDock
from napari_xseg.gui.suspects.suspect_list import TICK, WHAT
from napari_xseg.review.suspects.kept import Origin, suspects_path, write_suspects
from napari_xseg.review.suspects.table import KINDS, ROW, Suspects
from tests.gui.label_hands import place
from tests.gui.prediction_fakes import CLASSES

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Labels

    from napari_xseg.gui.session import Session
    from napari_xseg.review.suspects.table import Kind

LEFT = Qt.MouseButton.LeftButton
# Of the mask on disk: class 1 everywhere, a square of class 2 in each slice.
SQUARE = (slice(20, 30), slice(40, 50))
SHAPE = (8, 96, 128)


def mask_data() -> Any:
    """Values of class 1, with the square of class 2."""
    data = np.full(SHAPE, CLASSES.values[1], np.uint8)
    data[:, *SQUARE] = CLASSES.values[2]
    return data


def write_mask(folder: Path, name: str = "mask", data: Any = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"20260101-120000-{name}.tif"
    save_volume(path, volume_from_array(mask_data() if data is None else data, name))
    told = {"classes": CLASSES.to_dict(), "slices": list(range(8)), "model": "abc123"}
    path.with_name(f"{path.name}.json").write_text(json.dumps(told), encoding="utf-8")
    return path


def suspects_at(*places: tuple[int, Kind]) -> Suspects:
    """One on the square of each of these slices."""
    rows = np.zeros(len(places), ROW)
    for row, (z, kind) in zip(rows, places, strict=True):
        row["kind"], row["kinds"] = KINDS.index(kind), 1 << KINDS.index(kind)
        row["strength"], row["pixels"] = 0.8, 100
        row["z"], row["y"], row["x"] = z, 24.5, 44.5
        row["y0"], row["y1"], row["x0"], row["x1"] = 20, 30, 40, 50
        row["found"], row["other"] = 2, 1
    return Suspects(CLASSES, rows)


def keep(mask: Path, suspects: Suspects, *, fresh: bool = True, **settings: Any) -> None:
    """Put suspects beside their mask."""
    found = hash_source(open_label_volume(mask)) if fresh else "of another mask"
    origin = Origin(mask=str(mask), mask_sha256=found, settings=settings)
    write_suspects(suspects_path(mask), suspects, origin)


def pretend_search(mask: Path, suspects: Suspects, *middle: Any) -> list[Any]:
    """Events of a search that finds these."""

    def end(_: Any) -> Finished:
        keep(mask, suspects)
        return Finished(suspects_path(mask), "done", 1.0, {"suspects": float(len(suspects))})

    begun = Started("suspects", 8, "cpu", "float32"), Progress("suspects", 4, 8, 2.0)
    return [*begun, *middle, end]


class Bench:
    """The dock in a window, with a mask on disk that is shown."""

    def __init__(self, session: Session, folder: Path, qtbot: Any) -> None:
        self.session, self.viewer, self.qtbot = session, session.viewer, qtbot
        session.move_project(folder / "scan-xseg")
        session.set_classes(CLASSES)
        self.path = write_mask(folder / "scan-xseg" / "masks")
        self.layer = self.show(self.path)

    def open(self) -> None:
        """Open the dock on its page."""
        self.review = ReviewDock(self.viewer)
        self.viewer.window.add_dock_widget(self.review, name="Review", area="right")
        self.viewer.window._qt_window.resize(1366, 740)
        self.viewer.window._qt_window.show()
        self.page = self.review.suspects
        bar = self.review.tabs.tabBar()
        self.qtbot.mouseClick(bar, LEFT, pos=bar.tabRect(1).center())
        self.qtbot.waitUntil(self.page.isVisible)
        self.qtbot.waitUntil(lambda: self.page.search.mask is not None)
        self.wait()

    def show(self, path: Path) -> Labels:
        return show_mask(self.session, open_mask(path))

    def wait(self) -> None:
        self.qtbot.waitUntil(self._is_idle, timeout=20_000)

    def _is_idle(self) -> bool:
        page = self.page
        return not (
            self.session.jobs.busy or page.pictures.calm.isActive() or page._buttons.waiting
        )

    def click(self, button: Any) -> None:
        self.page.ensurePolished()
        assert button.isEnabled()
        self.qtbot.mouseClick(button, LEFT)

    def row(self, row: int, column: int = WHAT) -> None:
        table = self.page.list.table
        at = table.visualRect(table.suspects.index(row, column))
        self.qtbot.mouseClick(table.viewport(), LEFT, pos=at.center())

    def tick(self, row: int) -> None:
        self.row(row, TICK)

    def click_at(self, y: float, x: float) -> None:
        """Click a pixel of the slice in view."""
        native = self.viewer.window._qt_viewer.canvas.native
        at = place(self.qtbot, self.viewer, (y, x))
        self.qtbot.mouseMove(native, at)
        self.qtbot.mouseClick(native, LEFT, pos=at)
        self.wait()

    def press_at(self, y: float, x: float, key: Any) -> None:
        """Press a key with the mouse over a pixel."""
        native = self.viewer.window._qt_viewer.canvas.native
        at = place(self.qtbot, self.viewer, (y, x))
        for offset in (9, 4, 0):
            self.qtbot.mouseMove(native, at + QPoint(offset, 0))
            self.qtbot.wait(20)  # the screen says where the mouse is
        self.qtbot.keyClick(native, key)
        self.wait()

"""A Score page in a window, two masks with files, and a person's hands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from qtpy.QtCore import Qt

from napari_xseg.data.classes import ClassSpec, ClassTable
from napari_xseg.gui.predict.mask_layers import open_mask
from napari_xseg.gui.predict.mask_list import show_mask
from napari_xseg.gui.scoring.score_page import ScorePage
from napari_xseg.review.scoring.reading import read_scores

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Labels

    from napari_xseg.gui.session import Session
    from napari_xseg.review.scoring.values import Score

LEFT = Qt.MouseButton.LeftButton
TABLE = ClassTable(
    (
        ClassSpec("pore", 0, (255, 0, 0)),
        ClassSpec("YSZ", 128, (0, 255, 0)),
        ClassSpec("nickel", 255, (0, 0, 255)),
    ),
    unlabelled=1,
)


def write_mask(path: Path, values: Any) -> Path:
    """Write a mask with the file beside it; `values` (z, y, x) uint8 of `TABLE`."""
    tifffile.imwrite(path, values, photometric="minisblack")
    told = {
        "classes": TABLE.to_dict(),
        "slices": list(range(len(values))),
        "model": f"id {path.stem}",
        "model_file": f"{path.stem}.safetensors",
    }
    path.with_name(path.name + ".json").write_text(json.dumps(told))
    return path


class Bench:
    """The page, its window, and what a person does with both."""

    def __init__(self, session: Session, truth: Any, folder: Path, qtbot: Any) -> None:
        self.session, self.viewer, self.qtbot = session, session.viewer, qtbot
        session.move_project(folder / "scan-xseg")
        assert session.project is not None
        self.folder = session.project.folder / "reviews"
        masks = session.project.folder / "masks"
        other = truth.copy()
        other[:, 20:40, 30:60] = 0
        self.paths = [
            write_mask(masks / f"20260101-12000{place}-{name}.tif", values)
            for place, (name, values) in enumerate((("noisy", other), ("fine", truth)))
        ]
        self.masks: list[Labels] = [show_mask(session, open_mask(path)) for path in self.paths]
        self.labels = session.new_labels()
        self.page = ScorePage(session)
        self.scorer = self.page.scorer
        session.viewer.window.add_dock_widget(self.page, name="Score", area="right")
        self.window.resize(1366, 768)
        self.window.show()
        self.page.begin.reviewer.setText("Ada")
        self.idle()

    @property
    def window(self) -> Any:
        # Not kept: it must not outlive its closing.
        return self.viewer.window._qt_window

    # -- waiting ------------------------------------------------------------

    def until(self, true: Any) -> None:
        self.qtbot.waitUntil(lambda: bool(true()), timeout=20_000)

    def idle(self) -> None:
        self.qtbot.wait(1)
        self.until(lambda: not self.session.jobs.busy)

    # -- hands --------------------------------------------------------------

    @property
    def canvas(self) -> Any:
        return self.viewer.window._qt_viewer.canvas.native

    def press(self, *keys: Any, at: Any = None) -> None:
        """Press keys, at the canvas or another widget, and wait until all is kept."""
        for key in keys:
            self.qtbot.keyClick(at or self.canvas, key)
            self.idle()

    def click(self, button: Any) -> None:
        assert button.isEnabled()
        self.qtbot.mouseClick(button, LEFT)
        self.idle()

    def tick_all(self) -> None:
        for row in range(self.page.begin.masks.count()):
            self.page.begin.masks.item(row).setCheckState(Qt.CheckState.Checked)

    def begin(self) -> None:
        self.click(self.page.begin.begin)
        assert self.scorer.opened is not None, self.scorer.trouble

    # -- what is there ------------------------------------------------------

    @property
    def item(self) -> Any:
        assert self.scorer.item is not None
        return self.scorer.item

    def on_disk(self) -> dict[int, Score]:
        """The scores of the latest session, by item, as another program reads them."""
        (file,) = read_scores(self.folder).files
        kept = file.kept[file.sessions[-1].uid]
        return {number: one.score for number, one in kept.items()}

    def scored_layers(self) -> list[Any]:
        return list(self.session.layers.of_kind("scored"))

    def shown(self) -> Any:
        """What is seen of the mask that is scored."""
        (layer,) = [layer for layer in self.scored_layers() if layer.visible]
        return np.asarray(layer.data[self.item.z])

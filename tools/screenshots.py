"""Make the pictures of docs/images: a day's work in a real napari window.

    python tools/screenshots.py [--out FOLDER] [--theme light]

Labels five slices of the sample, trains, predicts the volume and reviews it, with the
engine process that users get. The sample is copied first: a project is made beside the
data. Lengths are given in steps and choices by seed. Needs napari, Qt and a screen.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer
    from numpy.typing import NDArray

    from napari_xseg.gui.session import Session

ROOT = Path(__file__).resolve().parent.parent
SIZE = (1366, 768)
LABELLED = (3, 11, 19, 27, 35)
PREFILLED, LOOKED_AT = 23, 15
STEPS, PICTURED_AT = 300, 200
# Colours that a picture's palette must hold, however few of its pixels have them.
SWATCHES = ("#ff0000", "#00ff00", "#0000ff", "#ffd500")
PATIENCE = 120.0  # seconds for each thing that is waited for


@dataclass
class Desk:
    """The window, what it works on, and where its pictures go."""

    viewer: Viewer
    session: Session
    docks: dict[str, Any]
    data: Path
    out: Path

    def show(self, name: str) -> Any:
        """Bring a dock to the front."""
        dock = self.docks[name]
        next(one for one in _parents(dock) if _is_dock(one)).raise_()
        settle()
        return dock

    def picture(self, name: str, dock: Any = None) -> None:
        """Save the whole window, or one dock, as a PNG with a palette."""
        settle(0.3)
        whole = self.viewer.screenshot(canvas_only=False, flash=False)
        shown = Image.fromarray(whole).convert("RGB")
        if dock is not None:
            corner = dock.mapTo(dock.window(), dock.rect().topLeft())
            box = (corner.x(), corner.y(), corner.x() + dock.width(), corner.y() + dock.height())
            shown = shown.crop(box)
        save(shown, self.out / f"{name}.png")


def main() -> None:
    """Work through a day, and save a picture of each dock."""
    options = read_options()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="xseg-pictures-") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        # Nobody's settings or recent models are read or written.
        os.environ |= {"HOME": str(home), "USERPROFILE": str(home)}
        os.environ["NAPARI_CONFIG"] = str(home / "napari.yaml")
        data = Path(folder) / "scan"
        shutil.copytree(ROOT / "sample_data", data)
        desk = open_desk(data, options.out, options.theme)
        try:
            for part in (label, train, predict, review):
                part(desk)
        finally:
            desk.viewer.close()
            settle(0.2)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--theme", choices=["dark", "light"], default="dark")
    return parser.parse_args()


def open_desk(data: Path, out: Path, theme: str) -> Desk:
    """Open napari with the four docks, as the command does."""
    import napari
    from napari.settings import get_settings

    from napari_xseg.gui.session import session_of
    from napari_xseg.gui.window import DOCKS, open_docks

    # Words that come and go are in no picture.
    get_settings().application.gui_notification_level = "error"
    viewer = napari.Viewer(title="napari-xseg")
    viewer.theme = theme
    open_docks(viewer)
    viewer.window.resize(*SIZE)
    settle(0.5)
    found = viewer.window.dock_widgets
    docks = {name: next(one for key, one in found.items() if name in key) for name in DOCKS}
    return Desk(viewer, session_of(viewer), docks, data, out)


# -- the day ----------------------------------------------------------------


def label(desk: Desk) -> None:
    """Open a raw stack, paint five slices, and have another one pre-filled."""
    from napari_xseg.gui.sample_data import phantom_classes

    session, dock = desk.session, desk.show("Label")
    dock.data.open_paths([desk.data / "images"])
    wait_until(lambda: session.images is not None)
    session.set_classes(phantom_classes())
    layer = session.new_labels()
    truth = read_truth(desk.data)
    for z in LABELLED:
        session.layers.edit_slice(layer, z, truth[z])
    desk.viewer.reset_view()
    session.go_to(PREFILLED)
    dock.fold.set_open(True)
    dock.prefill.guess.click()
    wait_until(lambda: dock.prefill.prefill.mask_at(PREFILLED) is not None)
    dock.classes.chosen.emit(1)
    desk.picture("label")
    dock.fold.set_open(False)


def train(desk: Desk) -> None:
    """Train with the mask of the model in training on the slice that is looked at."""
    from napari_xseg.gui.train.training import trainings_of

    session, dock = desk.session, desk.show("Train")
    wait_until(lambda: session.devices is not None)
    session.go_to(LOOKED_AT)
    choices = dock.form.value()
    config = choices.config.replace(steps=STEPS, time_limit=None)
    dock.form.set_value(choices.replace(config=config.model_dump()))
    session.new_labels().mode = "pan_zoom"
    wait_until(dock.train.isEnabled)
    dock.area.verticalScrollBar().setValue(0)
    desk.picture("train-settings", dock)
    dock.train.click()
    trainings = trainings_of(session)
    assert trainings.current is not None
    job = trainings.current.job
    steps: list[int] = []
    job.events.connect(lambda events: steps.extend(getattr(one, "step", 0) for one in events))
    wait_until(lambda: max(steps, default=0) >= PICTURED_AT or job.over)
    dock.area.ensureWidgetVisible(dock.curves_fold)
    desk.picture("train")
    wait_until(lambda: job.over)
    wait_until(lambda: session.model is not None)


def predict(desk: Desk) -> None:
    """Predict the whole volume into a mask of the project."""
    session, dock = desk.session, desk.show("Predict")
    wait_until(dock.volume.isEnabled)
    dock.volume.click()
    wait_until(lambda: dock.predictions.current is None)
    session.go_to(LOOKED_AT)
    desk.picture("predict")


def review(desk: Desk) -> None:
    """Compare the mask with the truth of all slices, and look at the largest mistake."""
    viewer, dock = desk.viewer, desk.show("Review").compare
    (truth,) = viewer.open(desk.data / "labels", plugin="napari-xseg")
    dock.form.truth.setCurrentText(truth.name)
    scope = dock.form.scope
    scope.setCurrentIndex(scope.findData("volume"))
    table = dock.mistakes.table
    wait_until(lambda: dock.reviewer.outcome is not None and table.mistakes.rowCount() > 0)
    wait_until(lambda: dock.reviewer.sweep is None)
    table.selectRow(0)
    settle(0.3)
    desk.session.camera.zoom /= 2
    _scroll_area(dock).ensureWidgetVisible(table)
    desk.picture("review")


# -- helpers ----------------------------------------------------------------


def read_truth(data: Path) -> NDArray[np.uint8]:
    """The labels of the sample, class k as k + 1."""
    from napari_xseg.gui.opening import open_path

    labels = open_path(data / "labels").labels
    assert labels is not None
    planes = [labels.classes.to_layer(labels.read(z)) for z in range(len(labels))]
    return np.stack(planes)


def settle(seconds: float = 0.05) -> None:
    """Let the window draw."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while True:
        QApplication.processEvents()
        if time.monotonic() >= end:
            return
        time.sleep(0.005)


def wait_until(condition: Callable[[], Any]) -> None:
    """Let the window work until something holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {PATIENCE:.0f} s in vain")
        settle(0.02)


def save(picture: Image.Image, path: Path) -> None:
    """Write a PNG with a palette, once it is whole."""
    buffer = BytesIO()
    width, height = picture.size
    taller = Image.new("RGB", (width, height + 8 * len(SWATCHES)))
    taller.paste(picture)
    for row, colour in enumerate(SWATCHES):
        taller.paste(colour, (0, height + 8 * row, width, height + 8 * row + 8))
    few = taller.quantize(256, dither=Image.Dither.NONE).crop((0, 0, width, height))
    few.save(buffer, "PNG", optimize=True)
    path.write_bytes(buffer.getvalue())
    print(f"{path}: {len(buffer.getvalue()) / 1000:.0f} kB")


def _parents(widget: Any) -> list[Any]:
    found = []
    while widget is not None:
        found.append(widget)
        widget = widget.parent()
    return found


def _is_dock(widget: Any) -> bool:
    from qtpy.QtWidgets import QDockWidget

    return isinstance(widget, QDockWidget)


def _scroll_area(dock: Any) -> Any:
    from qtpy.QtWidgets import QScrollArea

    return dock.findChild(QScrollArea)


if __name__ == "__main__":
    main()

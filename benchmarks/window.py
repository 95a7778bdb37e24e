"""How late the window is while a training runs: the last line printed is one JSON value.

    python -m benchmarks.window SCAN LABELLED_SLICES

Opens napari with all docks on a screen of 1366 x 768, the scan with labelled slices,
trains with the preview and the curves on, and scrolls ten slices a second. Needs a
display.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QDockWidget

from napari_xseg.gui.window import DOCKS, PLUGIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from qtpy.QtWidgets import QWidget

    from napari_xseg.gui.images import Images
    from napari_xseg.gui.session import Session

TICK = 20  # ms
SCROLL = 100  # ms between two slices
WARM_UP = 5.0  # s of training before the lateness counts
SECONDS = 60.0
PATIENCE = 120.0
LOOK = 2  # ms between two looks at what is waited for
SCREEN = "1366x768x24"


class Window:
    """The window under test."""

    def __init__(self, scan: Path, labelled: list[int], folder: Path) -> None:
        import napari
        from qtpy.QtWidgets import QApplication

        self.figures: dict[str, float] = {}
        self.viewer = napari.Viewer(show=True)
        self.app = QApplication.instance()
        self.viewer.window._qt_window.setGeometry(0, 0, 1366, 768)
        self.docks = {name: self._open(name) for name in DOCKS}
        self.session = self._session(scan, labelled, folder)

    def wait(self, true: Callable[[], bool], seconds: float = PATIENCE) -> float:
        """Let the window work until something is true; the seconds that took."""
        from qtpy.QtCore import QEventLoop, QTimer

        start = time.perf_counter()
        loop, timer = QEventLoop(), QTimer()

        def look() -> None:
            if true() or time.perf_counter() - start > seconds:
                loop.quit()

        timer.timeout.connect(look)
        timer.start(LOOK)
        loop.exec()
        timer.stop()
        if not true():
            sys.exit("benchmarks.window: waited in vain")
        return time.perf_counter() - start

    def press(self, button: QWidget) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def show(self, dock: QWidget) -> None:
        """Bring a dock to the front of its tabs."""
        parent = dock
        while not isinstance(parent, QDockWidget):
            parent = parent.parentWidget()
        parent.raise_()
        self.wait(dock.isVisible)

    def _open(self, name: str) -> QWidget:
        start = time.perf_counter()
        _, dock = self.viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
        self.app.processEvents()
        self.figures[f"open_{name.lower()}"] = time.perf_counter() - start
        return dock

    def _session(self, scan: Path, labelled: list[int], folder: Path) -> Session:
        from napari_xseg.data.labels import open_labels
        from napari_xseg.gui.session import session_of

        session = session_of(self.viewer)
        self.viewer.open(str(scan / "data"), plugin=PLUGIN)
        self.wait(lambda: session.image is not None)
        session.move_project(folder / "bench-xseg")
        files = open_labels(scan / "labels", slices=labelled)
        session.set_classes(files.classes)
        session.new_labels()
        assert session.store is not None
        for z in labelled:
            session.store.write(z, files.classes.to_layer(files.read(z)))
        self.wait(lambda: session.devices is not None)
        return session

    def lateness(self, seconds: float, going: Callable[[], bool]) -> NDArray[np.float64]:
        """Milliseconds by which each tick of a timer is late while the view scrolls."""
        from qtpy.QtCore import QEventLoop, Qt, QTimer

        late: list[float] = []
        due = [time.perf_counter()]
        depth = self.session.require_images().shape[0]

        def tick() -> None:
            at = time.perf_counter()
            late.append(1e3 * max(0.0, at - due[0]) - TICK)
            due[0] = at

        def scroll() -> None:
            self.session.go_to(((self.session.z or 0) + 1) % depth)

        loop = QEventLoop()
        timers = []
        for interval, slot in (
            (TICK, tick),
            (SCROLL, scroll),
            (200, lambda: None if going() else loop.quit()),
            (int(1e3 * seconds), loop.quit),
        ):
            timer = QTimer()
            timer.setTimerType(Qt.TimerType.PreciseTimer)
            timer.timeout.connect(slot)
            timer.start(interval)
            timers.append(timer)
        due[0] = time.perf_counter()
        loop.exec()
        for timer in timers:
            timer.stop()
        return np.maximum(late[1:], 0.0)


def measure(window: Window, folder: Path) -> dict[str, float]:
    from napari_xseg.events import Preview, StepDone

    figures, session = window.figures, window.session
    train = window.docks["Train"]
    window.show(train)
    train.curves_fold.set_open(True)
    figures |= summary("still", window.lateness(5, lambda: True))
    train.form.length.setValue(2 * SECONDS)  # so that Stop finds it running
    heard: list[Any] = []
    start = time.perf_counter()
    window.press(train.train)
    window.wait(lambda: session.training is not None and not session.training.over)
    job = session.training
    assert job is not None
    job.events.connect(lambda events: heard.extend(events))
    window.wait(lambda: any(isinstance(event, Preview) for event in heard))
    figures["first_preview"] = time.perf_counter() - start
    window.lateness(WARM_UP, lambda: not job.over)
    stolen = core_seconds_stolen()
    figures |= summary("train", window.lateness(SECONDS - WARM_UP - 15, lambda: not job.over))
    figures["train_stolen"] = core_seconds_stolen() - stolen
    steps = [event for event in heard if isinstance(event, StepDone)]
    shown = [event for event in heard if isinstance(event, Preview)]
    figures["pace"] = steps[-1].step / steps[-1].seconds
    figures["previews"] = len(shown) / steps[-1].seconds
    figures["preview_share"] = 100 * sum(event.seconds for event in shown) / steps[-1].seconds
    start = time.perf_counter()
    window.press(train.bar.stop)
    figures["stop_seen"] = time.perf_counter() - start
    figures["stopped"] = window.wait(lambda: job.over) + figures["stop_seen"]
    figures |= slices(window, session.require_images(), "slice_501")
    figures |= slices(window, enlarged(session.require_images(), folder), "slice_2048")
    return figures


def enlarged(images: Images, folder: Path) -> Images:
    """A stack of eight slices of 2048 x 2048 pixels, of the scan's slices side by side."""
    from napari_xseg.data.volume import open_volume, volume_from_array
    from napari_xseg.data.writing import save_volume
    from napari_xseg.gui.images import Images
    from napari_xseg.jobs import FileSource

    planes = [np.tile(images.volume.read(z), (5, 5))[:2048, :2048] for z in range(8)]
    path = folder / "large.tif"
    save_volume(path, volume_from_array(np.stack(planes), "large"))
    return Images("large", open_volume(path), FileSource(path=str(path)))


def slices(window: Window, images: Images, name: str) -> dict[str, float]:
    """Median seconds from asking for one slice to its mask, once warm."""

    taken = [one_slice(window, images, z) for z in (1, 6, 3, 5, 2, 4, 1, 6)][2:]
    return {name: float(np.median(taken)), f"{name}_most": max(taken)}


def one_slice(window: Window, images: Images, z: int) -> float:
    from napari_xseg.events import Preview
    from napari_xseg.jobs import SliceRequest

    session = window.session
    model, source, folder = session.model, images.source, session.jobs.engine.folder
    assert model is not None
    assert source is not None
    request = SliceRequest(model=model, images=source, z=z, folder=folder)
    heard: list[Any] = []
    start = time.perf_counter()
    job = session.jobs.run("one slice", lambda: request)
    job.events.connect(lambda events: heard.extend(events))
    window.wait(lambda: any(isinstance(event, Preview) for event in heard))
    seconds = time.perf_counter() - start
    window.wait(lambda: job.over)
    return seconds


def core_seconds_stolen() -> float:
    """Seconds since the start that a virtual machine's host gave to others; 0 where unknown."""
    import psutil

    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def summary(name: str, late: NDArray[np.float64]) -> dict[str, float]:
    """The 95th percentile and the largest lateness in ms, and how many ticks there were."""
    return {
        f"{name}_p95": float(np.percentile(late, 95)),
        f"{name}_max": float(late.max()),
        f"{name}_ticks": len(late),
    }


def main() -> None:
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        words = [sys.executable, "-m", "benchmarks.window", *sys.argv[1:]]
        os.execvp("xvfb-run", ["xvfb-run", "-a", "-s", f"-screen 0 {SCREEN}", *words])
    scan, labelled = Path(sys.argv[1]), [int(word) for word in sys.argv[2].split(",")]
    folder = Path(tempfile.mkdtemp(prefix="napari-xseg-bench-"))
    window = Window(scan, labelled, folder)
    try:
        figures = measure(window, folder)
    finally:
        window.session.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(figures), flush=True)
    os._exit(0)  # the viewer is left as it is: its closing is not measured


if __name__ == "__main__":
    main()

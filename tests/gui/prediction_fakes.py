"""Models that say of themselves what a test wants, and predictions that only pretend."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.config import ModelConfig
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.intensity import Intensity
from napari_xseg.data.slices import format_slices
from napari_xseg.data.writing import SliceWriter, create_writer
from napari_xseg.events import Event, Finished, Preview, Progress, SlicesDone, Started
from napari_xseg.model.metadata import KEY, VERSION, read_model_info

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.gui.fake import FakeEngine, FakeRunning

CLASSES = ClassTable.from_values([0, 128, 255])
INTENSITY = Intensity(100.0, 10.0, (70.0, 80.0, 90.0, 100.0, 110.0, 120.0, 130.0), "uint16")


def write_model(path: Path, classes: ClassTable = CLASSES, **more: Any) -> Path:
    """A model file without tensors; `more` goes into what it says of itself."""
    told = {
        "version": VERSION,
        "identity": f"{path.parent.name}{path.name}",
        "model": ModelConfig(context=1, classes=len(classes)).model_dump(mode="json"),
        "classes": classes.to_dict(),
        "intensity": INTENSITY.to_dict(),
        **more,
    }
    header = json.dumps({"__metadata__": {KEY: json.dumps(told)}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


class PretendedMask:
    """Events of a prediction whose page i is all class i % 3."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._writer: SliceWriter | None = None
        self.request: Any = None
        self.depth = 0

    def begin(self, _: FakeRunning) -> Event:
        self.request = self._engine.submitted[-1]
        images = self.request.images
        opened = images if hasattr(images, "shape") else images.open()
        self.depth, height, width = opened.shape
        depth = len(self.request.slices)
        self.shape = (depth, height, width)
        self._writer = create_writer(
            self.request.out, self.shape, np.dtype(np.uint8), overwrite=self.request.overwrite
        )
        self._writer.fill_value = CLASSES.unlabelled
        self._writer.__enter__()
        return Started("predict", depth, "cpu", "float32")

    def write(self, first: int, count: int) -> list[Callable[[FakeRunning], Event]]:
        """Write pages, and say so."""

        def progress(_: FakeRunning) -> Event:
            for page in range(first, first + count):
                value = CLASSES.values[page % 3]
                self.writer.write(page, np.full(self.shape[1:], value, np.uint8))
            return Progress("predict", first + count, self.shape[0], 0.5)

        def done(_: FakeRunning) -> Event:
            pages = self.request.slices[first : first + count]
            assert self.writer.readable is not None
            return SlicesDone(tuple(pages), self.writer.readable, first)

        return [progress, done]

    @property
    def writer(self) -> SliceWriter:
        assert self._writer is not None
        return self._writer

    def end(self, reason: Any = "done", done: int | None = None) -> Callable[[FakeRunning], Event]:
        def finish(_: FakeRunning) -> Event:
            for page in range(self.shape[0] if done is None else done, self.shape[0]):
                self.writer.write(page, np.full(self.shape[1:], 1, np.uint8))
            self.writer.__exit__(None, None, None)
            shares = {"class 0": 0.5, "class 1": 0.3, "class 2": 0.2}
            told = {
                "classes": CLASSES.to_dict(),
                "slices": list(self.request.slices[:done]),
                "wanted": format_slices(self.request.slices),
                "depth": self.depth,
                "model": read_model_info(self.request.model).identity,
                "model_file": str(self.request.model / "model.safetensors"),
                "images": getattr(self.request.images, "name", "file"),
                "fractions": {"pooled": shares},
            }
            out: Path = self.request.out
            out.with_name(f"{out.name}.json").write_text(json.dumps(told), encoding="utf-8")
            figures = {f"fraction.{name}": share for name, share in shares.items()}
            return Finished(out, reason, 1.0, {"mpx_per_s": 8.0, **figures})

        return finish

    def script(self, *middle: Any) -> list[Any]:
        """A whole prediction of 8 slices, `middle` after its first three."""
        return [self.begin, *self.write(0, 3), *middle, *self.write(3, 5), self.end()]


def pretend_slice(
    engine: FakeEngine, value: int, *, confidence: bool = False
) -> Callable[[FakeRunning], Event]:
    """A slice all of class `value`."""

    def say(_: FakeRunning) -> Event:
        request = engine.submitted[-1]
        _, height, width = request.images.shape
        path = engine.folder / f"slice-{request.z}"
        np.full((height, width), value, np.uint8).tofile(path)
        if confidence:
            np.full((height, width), 200, np.uint8).tofile(f"{path}.confidence")
        return Preview(request.z, (0, height, 0, width), path, 0, 0.04)

    return say

"""The mask of what is looked at, made between two steps of a training."""

from __future__ import annotations

import math
import os
import statistics
import tempfile
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.data.coding import IGNORE
from napari_xseg.errors import XsegError
from napari_xseg.events import Box, Event, Message, Preview, View
from napari_xseg.model import geometry
from napari_xseg.prediction.predictor import Predictor
from napari_xseg.training.scene import (
    SceneReader,
    pixels_of,
    seen_box,
    smaller_box,
    window_input,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_xseg.config import ModelConfig, Precision
    from napari_xseg.model.unet import UNet

# Of the seconds of training, what previews may cost by estimate: 0.2 with all that is misjudged.
SHARE = 0.18
# Seconds that may be saved up for a burst of them, as when slices are scrolled through.
SAVED_UP = 1.0
# The first one comes after so many seconds, and steps unless they are slow.
FIRST = 0.5
FIRST_STEPS = 20
SLOW = 3.0
# Seconds from which on the first one comes though less than it costs was saved up: it is paid back
# before the next. What it costs is a guess then, and a high one where the processor is busy.
OWED = 1.0
# Seconds between two previews of the same view.
INTERVAL = 0.25
# Seconds that a whole slice may take; where it takes more, what is seen of it is predicted.
WHOLE = 0.5
# Seconds that a part of a slice may take, since a stop has to wait for it.
PART = 1.0
# A whole slice may take so many times what the small crop says: it needs kernels of its own.
DOUBT = 1.5
# Side of the crop that is timed before there was a preview, in pixels, and how often: the least
# counts, since a busy window delays one by several times what it takes.
PROBE, PROBES = 96, 4


class Budget:
    """Seconds that previews may cost: a share of the training's, little of it saved up."""

    def __init__(self) -> None:
        self.spent = 0.0
        self._lost = 0.0

    def left(self, seconds: float, wanted: float = 0.0) -> float:
        """What may be spent after `seconds` of training, where `wanted` is being saved up for."""
        most = max(SAVED_UP, wanted)
        credit = SHARE * seconds - self.spent - self._lost
        self._lost += max(0.0, credit - most)
        return min(credit, most)


class Previewer:
    """Makes previews when they are due, and counts what they cost.

    Parameters
    ----------
    scenes : SceneReader
        What views show.
    config : ModelConfig
        Shape of the network.
    device, precision
        Where and how to compute.
    """

    def __init__(
        self,
        scenes: SceneReader,
        config: ModelConfig,
        device: torch.device,
        precision: Precision,
    ) -> None:
        self._scenes = scenes
        self._config = config
        self._device = device
        self._precision: Precision = precision
        self.budget = Budget()
        # Seconds: a pixel, and what a preview costs besides; both as last measured.
        self._paces: deque[float] = deque(maxlen=5)
        self._guess: float | None = None
        self._extra = 0.0
        self._last: tuple[View, bool] | None = None
        self._last_at = 0.0
        self._failed: View | None = None
        self._warned = ""
        self._untold = 0.0

    def after_step(
        self, view: View | None, network: UNet, steps: int, seconds: float
    ) -> Iterator[Event]:
        """Say a preview of `view` where one is due after `seconds` of training.

        What goes wrong is said in a warning; then there is none until the view changes.
        """
        if view is None or view == self._failed or not self._due(view, steps, seconds):
            return
        start = time.perf_counter()
        made, warning = None, None
        try:
            made = self._make(view, network, seconds)
        except (XsegError, OSError, MemoryError, RuntimeError) as error:
            self._failed = view
            self._scenes.forget()
            warning = self._warning(view, error)
        cost = time.perf_counter() - start
        self.budget.spent += cost
        self._untold += cost
        if made is not None:
            self._last_at, self._warned = time.perf_counter(), ""
            spent, self._untold = self._untold, 0.0
            yield Preview(view.z, *made, steps, spent)
        elif warning is not None:
            yield warning

    def _due(self, view: View, steps: int, seconds: float) -> bool:
        if seconds < FIRST or (steps < FIRST_STEPS and seconds < SLOW):
            return False
        if self.budget.left(seconds, math.inf) <= 0:  # of what is saved up nothing is lost yet
            return False
        return not self._is_last(view) or time.perf_counter() - self._last_at >= INTERVAL

    def _is_last(self, view: View) -> bool:
        if self._last is None:
            return False
        last, whole = self._last
        same = (view.z, view.images) == (last.z, last.images)
        return same and (whole or view.box == last.box)

    def _make(self, view: View, network: UNet, seconds: float) -> tuple[Box, Path] | None:
        """The box predicted and the file of its mask; None where it has to wait."""
        begun = time.perf_counter()
        shape = self._scenes.shape(view)
        box = self._box(view, shape, self._pace(network))
        if box is None:
            return None
        scene = self._scenes.read(view, box)
        pixels = pixels_of(scene.size, self._config)
        expected = self._extra + pixels * self._pace(network)
        expected += time.perf_counter() - begun
        owed = not self._paces and seconds >= OWED and expected <= PART
        if not owed and self.budget.left(seconds, expected) < expected:
            return None
        start = time.perf_counter()
        mask, took = self._predict(network, scene.x, scene.size)
        path = _write(scene.cut(mask, IGNORE), view.folder)
        self._paces.append(took / pixels)
        self._extra = time.perf_counter() - start - took
        self._last = view, box == (0, shape[0], 0, shape[1])
        return box, path

    def _box(self, view: View, shape: tuple[int, int], pace: float) -> Box | None:
        """The whole slice where that is fast, else the part that is seen of it, or its middle."""
        if pace * pixels_of(shape, self._config) <= WHOLE:
            return 0, shape[0], 0, shape[1]
        seen = seen_box(view.box, shape)
        return None if seen is None else smaller_box(seen, shape, self._config, PART / pace)

    def _predict(
        self, network: UNet, x: Tensor, size: tuple[int, int]
    ) -> tuple[NDArray[np.uint8], float]:
        """Class indices (y, x), and the seconds that they took, folding apart."""
        predictor = Predictor(network, self._device, self._precision)
        start = time.perf_counter()
        mask: NDArray[np.uint8] = predictor.predict(x, size)[0][0].numpy()
        return mask, time.perf_counter() - start

    def _pace(self, network: UNet) -> float:
        """Seconds a pixel takes: as of late, or guessed by a small crop."""
        if self._paces:
            return statistics.median(self._paces)
        if self._guess is None:
            length = geometry.output_size(self._config, PROBE)
            channels = [np.zeros((length, length), np.float32)] * (2 * self._config.context + 1)
            x = window_input(channels, (0, length, 0, length), self._config)
            took = self._predict(network, x, (length, length))[1]
            for _ in range(PROBES if took < PART / 10 else 0):  # the first one builds kernels
                took = min(took, self._predict(network, x, (length, length))[1])
            self._guess = DOUBT * took / pixels_of((length, length), self._config)
        return self._guess

    def _warning(self, view: View, error: Exception) -> Message | None:
        """What went wrong, unless that has just been said."""
        reason = str(error)
        if isinstance(error, OSError) and not isinstance(error, XsegError):
            reason = f"{view.folder}: cannot be written ({error.strerror})."
        elif not isinstance(error, XsegError):
            reason = (reason or type(error).__name__).splitlines()[0]
        if reason == self._warned:
            return None
        self._warned = reason
        return Message(
            f"No preview of the mask: {reason} Look at another slice to try again.", "warning"
        )


def _write(mask: NDArray[np.uint8], folder: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix="preview-", suffix=".raw", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(np.ascontiguousarray(mask).data)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise
    return Path(name)

"""Trainings, predictions and scores by the command line; each is done once and remembered."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.commands import XSEG, Ended, run_module
from benchmarks.scan import TRAIN, VALIDATE, Scan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BAND = f"{VALIDATE.start}:{VALIDATE.stop}"


@dataclass(frozen=True)
class Trained:
    """A run folder, with the seconds of the whole command and of training alone."""

    folder: Path
    wall: float
    seconds: float
    steps: int


@dataclass(frozen=True)
class Predicted:
    """A mask, with the seconds and peak bytes of the whole command and its own Mpx/s."""

    mask: Path
    wall: float
    peak: float
    speed: float


@dataclass
class Bench:
    """What the topics share: data, a folder for what they write, one seed, one environment."""

    scan: Scan
    folder: Path
    seed: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    start: float = field(default_factory=time.perf_counter)
    _trained: dict[int, Trained] = field(default_factory=dict)
    _predicted: dict[Path, Predicted] = field(default_factory=dict)

    def say(self, text: str) -> None:
        print(f"[{time.perf_counter() - self.start:5.0f} s] {text}", flush=True)

    def run(self, module: str, *words: object) -> Ended:
        return run_module(module, *words, variables=self.variables)

    def model(self, seconds: int) -> Trained:
        """The model after `seconds` of training with default options."""
        if seconds not in self._trained:
            self._trained[seconds] = self.train(f"quick-{seconds}", seconds)
        return self._trained[seconds]

    def mask(self, model: Trained) -> Predicted:
        """The mask of all slices by `model`, with default options."""
        if model.folder not in self._predicted:
            self._predicted[model.folder] = self.predict(f"{model.folder.name}.tif", model.folder)
        return self._predicted[model.folder]

    def train(
        self, name: str, seconds: int, *options: object, labels: Path | None = None
    ) -> Trained:
        """Train on the five slices; validates where `labels` is not given."""
        self.say(f"trains {name}")
        out = self.folder / name
        judged = ("--val-slices", BAND) if labels is None else ("--no-validation",)
        ended = self.run(
            XSEG,
            *("train", "--images", self.scan.images, "--labels", labels or self.scan.labels),
            *("--train-slices", ",".join(map(str, TRAIN)), *judged, *options),
            *("--time-limit", seconds, "--seed", self.seed, "--out", out),
        )
        told = _read(out / "provenance.json")
        self._note("training", told["precision"])
        return Trained(out, ended.wall, told["seconds"], told["steps"])

    def predict(
        self, name: str, model: Path, *options: object, images: Path | None = None
    ) -> Predicted:
        self.say(f"predicts {name}")
        out = self.folder / name
        source = images or self.scan.images
        words = ("--model", model, "--images", source, "--out", out, *options)
        ended = self.run(XSEG, "predict", *words)
        told = _read(out.with_name(f"{name}.json"))
        if not options:
            self._note("prediction", told["settings"]["precision"])
        return Predicted(out, ended.wall, ended.peak, told["figures"]["mpx_per_s"])

    def dice(self, mask: Path) -> float:
        """Foreground Dice of the validation slices, in per cent."""
        out = mask.with_suffix(".scores.json")
        words = ("--masks", mask, "--labels", self.scan.labels, "--slices", BAND, "--json", out)
        self.run(XSEG, "evaluate", *words)
        return 100 * float(_read(out)["pooled"]["dice_foreground"])

    def _note(self, what: str, precision: str) -> None:
        known = set(filter(None, self.notes.get(what, "").split(" or ")))
        self.notes[what] = " or ".join(sorted({*known, precision}))


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))

"""Dice against the number of labelled slices, chosen in one of three ways.

python -m benchmarks.next_slice FOLDER plain|uneven suggested|even|random SEED. Each count is a
training of its own from SEED, of the same number of steps. Prints the figures.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.promises import NEXT_COUNTS
from benchmarks.scan import Scan
from napari_xseg import metrics
from napari_xseg.data.labels import open_labels
from napari_xseg.events import NextSlices
from napari_xseg.jobs import FileSource, NextSliceRequest, SplitWish, TrainRequest
from napari_xseg.training.recipes import load_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_xseg.data.labels import LabelVolume

    Rows = Iterator[tuple[tuple[int, ...], float]]

# Slices that may be labelled, and those scored; between them 20 are nobody's.
POOL = range(140)
SCORED = tuple(range(160, 200, 4))
# In the uneven scan a fifth of either is darker, as where a beam has faded.
DARKER = (*range(112, 140), *range(190, 200))
FACTOR = 0.93
STEPS = 500


def main() -> None:
    folder, scene, choice, seed = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    with tempfile.TemporaryDirectory(prefix="xseg-next-") as place:
        scan = Scan(folder)
        images = scan.images
        if scene == "uneven":
            images = Path(place) / "images"
            scan.write_darker(images, FACTOR, DARKER)
        curve = Curve(images, scan.labels, Path(place), seed)
        rows = list(CHOICES[choice](curve))
    for labelled, dice in rows:
        told = ", ".join(map(str, labelled))
        print(f"{scene}, {choice}, seed {seed}: {dice:.3f} % with {told}", flush=True)
    print(json.dumps({f"{scene}_{choice}_{len(labelled)}": dice for labelled, dice in rows}))


class Curve:
    """Trainings on more and more slices, each from its seed."""

    def __init__(self, images: Path, labels: Path, place: Path, seed: int) -> None:
        self.place, self.seed = place, seed
        self.images, self.labels = (FileSource(path=str(path)) for path in (images, labels))
        self.truth: LabelVolume = open_labels(labels, slices=POOL[::20])

    def score(self, labelled: tuple[int, ...]) -> float:
        """Foreground Dice in per cent, after a training on `labelled`."""
        request = TrainRequest(
            images=self.images,
            labels=self.labels,
            config=load_recipe("quick"),
            wish=SplitWish(train=labelled, validation=False),
            seed=self.seed,
            out=self.model(labelled),
            steps=STEPS,
        )
        for _ in request.run():
            pass
        return self._dice(request.out)

    def model(self, labelled: tuple[int, ...]) -> Path:
        return self.place / "-".join(map(str, labelled))

    def next(self, labelled: tuple[int, ...], model: Path | None, count: int) -> tuple[int, ...]:
        """The slices that the product suggests."""
        asked = NextSliceRequest(
            model=model,
            images=self.images,
            labelled=labelled,
            count=count,
            slices=tuple(POOL),
        )
        (found,) = [event for event in asked.run() if isinstance(event, NextSlices)]
        return found.slices

    def _dice(self, model: Path) -> float:
        from napari_xseg.data.region import parse_region
        from napari_xseg.data.volume import open_volume
        from napari_xseg.model.checkpoint import load_model
        from napari_xseg.model.device import find_device
        from napari_xseg.prediction.predictor import Predictor
        from napari_xseg.prediction.slices import SlicePredictor, open_reader

        saved = load_model(model)
        reader = open_reader(saved, open_volume(self.images.path), saved.intensity, 1 << 28)
        fast = Predictor(saved.network(), find_device("auto"))
        ready = SlicePredictor(fast, reader, parse_region(""))
        size = len(self.truth.classes)
        counts = np.zeros((size, size), np.int64)
        for z in SCORED:
            counts += metrics.confusion(self.truth.read(z), ready.predict(z)[0], size)
        return 100 * metrics.dice_foreground(counts)


def suggested(curve: Curve) -> Rows:
    """Begins with what is suggested before there is a model."""
    labelled: tuple[int, ...] = ()
    for count in NEXT_COUNTS:
        model = curve.model(labelled) if labelled else None
        labelled += curve.next(labelled, model, count - len(labelled))
        yield labelled, curve.score(labelled)


def even(curve: Curve) -> Rows:
    """In the middles of equal parts: all places are other ones for another count."""
    for count in NEXT_COUNTS:
        places = (np.arange(count) + 0.5) * len(POOL) / count
        labelled = tuple(POOL[int(place)] for place in places)
        yield labelled, curve.score(labelled)


def random(curve: Curve) -> Rows:
    """Drawn one after the other."""
    order = np.random.default_rng(curve.seed).permutation(len(POOL))
    for count in NEXT_COUNTS:
        labelled = tuple(POOL[int(place)] for place in order[:count])
        yield labelled, curve.score(labelled)


CHOICES: dict[str, Callable[[Curve], Rows]] = {
    "suggested": suggested,
    "even": even,
    "random": random,
}

if __name__ == "__main__":
    main()

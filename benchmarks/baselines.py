"""What most users pick today, on the same slices: python -m benchmarks.baselines FOLDER SEED.

Two grey thresholds, and a random forest on multi-scale filters as in ilastik and Weka.
Prints their figures.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from skimage.feature import multiscale_basic_features
from sklearn.ensemble import RandomForestClassifier

from benchmarks.scan import TRAIN, VALIDATE, Scan
from napari_xseg.data.labels import open_labels
from napari_xseg.data.volume import Volume, open_volume
from napari_xseg.metrics import confusion, dice_foreground

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_xseg.data.labels import LabelVolume

CLASSES = 3
PIXELS = 50_000  # that the forest learns from
TREES = 100
LEAST_LEAF = 5
SIGMA = (0.5, 8.0)


def thresholds(images: Volume, labels: LabelVolume) -> NDArray[np.int64]:
    """The grey values between neighbouring classes that get the fewest pixels wrong."""
    top = np.iinfo(images.dtype).max + 1
    counts = np.zeros((CLASSES, top), np.int64)
    for z in TRAIN:
        grey, truth = images.read(z), labels.read(z)
        for index in range(CLASSES):
            counts[index] += np.bincount(grey[truth == index], minlength=top)
    below = counts.cumsum(axis=1)
    above = below[:, -1:] - below
    wrong = [above[: k + 1].sum(axis=0) + below[k + 1 :].sum(axis=0) for k in range(CLASSES - 1)]
    return np.array([int(errors.argmin()) for errors in wrong])


def features(plane: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Grey value, edges and texture at five scales, (pixels, features)."""
    found = multiscale_basic_features(
        plane.astype(np.float32), sigma_min=SIGMA[0], sigma_max=SIGMA[1]
    )
    return np.asarray(found, np.float32).reshape(plane.size, -1)


def train_forest(images: Volume, labels: LabelVolume, seed: int) -> RandomForestClassifier:
    random = np.random.default_rng(seed)
    values, truths = [], []
    for z in TRAIN:
        chosen = random.choice(images.read(z).size, PIXELS // len(TRAIN), replace=False)
        values.append(features(images.read(z))[chosen])
        truths.append(labels.read(z).ravel()[chosen])
    forest = RandomForestClassifier(
        TREES, min_samples_leaf=LEAST_LEAF, n_jobs=-1, random_state=seed
    )
    return forest.fit(np.concatenate(values), np.concatenate(truths))


def score(
    predict: Callable[[NDArray[np.uint16]], NDArray[np.integer]],
    images: Volume,
    labels: LabelVolume,
) -> tuple[float, float]:
    """Foreground Dice in per cent over the validation slices, and Mpx/s."""
    total = np.zeros((CLASSES, CLASSES), np.int64)
    seconds = 0.0
    for z in VALIDATE:
        start = time.perf_counter()
        mask = predict(images.read(z)).astype(np.uint8)
        seconds += time.perf_counter() - start
        total += confusion(labels.read(z), mask, CLASSES)
    pixels = len(VALIDATE) * images.shape[1] * images.shape[2]
    return 100 * dice_foreground(total), pixels / seconds / 1e6


def main(folder: Path, seed: int) -> None:
    scan = Scan(folder)
    images, labels = open_volume(scan.images), open_labels(scan.labels)
    edges = thresholds(images, labels)
    simple, _ = score(lambda plane: np.digitize(plane, edges, right=True), images, labels)
    start = time.perf_counter()
    forest = train_forest(images, labels, seed)
    seconds = time.perf_counter() - start

    def classify(plane: NDArray[np.uint16]) -> NDArray[np.integer]:
        found: NDArray[np.integer] = forest.predict(features(plane)).reshape(plane.shape)
        return found

    dice, speed = score(classify, images, labels)
    figures = {"thresholds": simple, "forest": dice}
    print(json.dumps({**figures, "forest_trained": seconds, "forest_speed": speed}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

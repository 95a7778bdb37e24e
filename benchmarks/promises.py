"""What is measured, topic by topic, and what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass

# Seconds of training whose Dice is asked for, with the Dice in per cent.
DICE_AFTER = {10: 99.0, 30: 99.2, 60: 99.3}
# What reading, validating and saving may add to the time limit of a `train` command.
OVERHEAD = 20.0
# Slices labelled when the Dice is taken, how they were chosen, and on which images.
NEXT_COUNTS = (1, 2, 4, 6)
NEXT_CHOICES = {"suggested": "suggested", "even": "evenly spaced", "random": "drawn at random"}
NEXT_SCENES = {"plain": "", "uneven": ", a fifth of the scan 7 % darker"}
# Of the list of suspects, and pixels of the mistakes that are counted.
FIRST = (50, 200, 1000)
CAUGHT_SIZE = 20
# Training slices, noise in training, and the noise of the scored slices.
CURVE_SIZES = (1, 5, 20, 65)
CURVE_NOISE = {"off": "no noise", "toggle": "random noise", "only": "noisy slices only"}
CURVE_STD = (0.0, 2500.0, 5000.0, 10000.0)
DOCKS = ("label", "train", "predict", "review", "experiments")


@dataclass(frozen=True)
class Promise:
    """One row of the table; without `least` and `most` nothing is asked."""

    key: str
    what: str
    unit: str = ""
    digits: int = 2
    least: float | None = None
    most: float | None = None

    @property
    def asked(self) -> str:
        if self.least is not None:
            return f"≥ {self.least:g} {self.unit}".strip()
        return "" if self.most is None else f"≤ {self.most:g} {self.unit}".strip()

    def show(self, value: float) -> str:
        return f"{value:,.{self.digits}f} {self.unit}".strip()

    def kept(self, value: float) -> bool | None:
        """Whether `value` is what was asked; None where nothing was."""
        if self.least is not None:
            return value >= self.least
        return None if self.most is None else value <= self.most


def _after(seconds: int, dice: float) -> tuple[Promise, ...]:
    whole = f"whole `train` command of {seconds} s"
    return (
        Promise(f"dice_{seconds}", f"foreground Dice after {seconds} s", "%", least=dice),
        Promise(f"steps_{seconds}", f"optimiser steps in {seconds} s", digits=0),
        Promise(f"trained_{seconds}", f"training itself, of {seconds} s", "s", 1),
        Promise(f"wall_{seconds}", whole, "s", 1, most=seconds + OVERHEAD),
    )


def _step(key: str, what: str, *, asked: bool) -> Promise:
    text = f"BasicUNet's step over ours: {what}"
    return Promise(key, text, "x", least=1.0 if asked else None)


def _chosen(scene: str, choice: str, count: int) -> Promise:
    what = f"{count} slice{'s'[: count != 1]} {NEXT_CHOICES[choice]}{NEXT_SCENES[scene]}: Dice"
    return Promise(f"{scene}_{choice}_{count}", what, "%")


def _caught(first: int) -> tuple[Promise, ...]:
    large = f"mistakes of {CAUGHT_SIZE} pixels and more"
    places = {"chance": "random places", "border": "random places at class borders"}
    rows = [Promise(f"caught_pixels_{first}", f"first {first} suspects: wrong pixels", "%", 1)]
    for key, what in places.items():
        asked = {"chance": 5, "border": 2}[key]
        rows.append(Promise(f"{key}_pixels_{first}", f"{what} of the same sizes", "%"))
        ratio = f"suspects over {what}: wrong pixels"
        rows.append(Promise(f"{key}_ratio_{first}", ratio, "x", 1, least=asked))
    rows.append(Promise(f"caught_mistakes_{first}", f"first {first} suspects: {large}", "%", 1))
    for key, what in places.items():
        rows.append(Promise(f"{key}_mistakes_{first}", f"{what} of the same sizes", "%"))
    return tuple(rows)


TOPICS: dict[str, tuple[Promise, ...]] = {
    "help": (Promise("help", "`napari-xseg --help`, median of 5", "s", most=0.5),),
    "train": tuple(row for seconds, dice in DICE_AFTER.items() for row in _after(seconds, dice)),
    "predict": (
        Promise("speed", "200 slices predicted, first read to last written", "Mpx/s", 1, least=8),
        Promise("predict_wall", "whole `predict` command, 200 slices", "s", 1, most=9),
        Promise("predict_memory", "its peak memory", "GB", most=1.5),
    ),
    "poster": (
        Promise("poster_speed", "the poster's network in float32, 4 slices", "Mpx/s", 3),
        Promise("poster_ratio", "quick model over the poster's network", "x", 0, least=50),
    ),
    "noise": (
        Promise("noise_noisy", "noise sd 5000, trained 120 s with it: Dice", "%", least=98.2),
        Promise("noise_clean", "the same model on clean slices", "%", least=98.9),
        Promise("noise_wall", "whole `train` command of 120 s", "s", 1, most=120 + OVERHEAD),
    ),
    "scribbles": (
        Promise("scribbles", "2 % of the pixels labelled, in strokes, 60 s", "%", least=99.0),
        Promise("scribbles_wall", "its whole `train` command", "s", 1, most=60 + OVERHEAD),
    ),
    "next-slice": tuple(
        _chosen(scene, choice, count)
        for scene in NEXT_SCENES
        for count in NEXT_COUNTS
        for choice in NEXT_CHOICES
    ),
    "suspects": (
        Promise("suspects", "suspects in 40 slices with noise sd 5000", digits=0),
        *(row for first in FIRST for row in _caught(first)),
        Promise("suspects_wall", "whole `suspects` command, 40 slices", "s", 1),
    ),
    "curves": (
        *(
            Promise(f"size_{count}", f"{count} slice{'s'[: count != 1]}, 20 s: Dice", "%")
            for count in CURVE_SIZES
        ),
        *(
            Promise(f"noise_{key}_{std:g}", f"{words} in training, scored at sd {std:g}: Dice", "%")
            for key, words in CURVE_NOISE.items()
            for std in CURVE_STD
        ),
    ),
    "monai": (
        _step("monai_float32_64", "float32, crops of 64", asked=True),
        _step("monai_float32_128", "float32, crops of 128", asked=True),
        _step("monai_bfloat16_64", "bfloat16, crops of 64", asked=True),
        _step("monai_bfloat16_128", "bfloat16, crops of 128", asked=True),
        _step("monai_batch_norm", "float32, 128, with batch norm and ReLU", asked=False),
        _step("monai_doubling", "float32, 128, features that double", asked=False),
    ),
    "window": (
        *(Promise(f"open_{name}", f"opening the {name} dock", "s", most=1) for name in DOCKS),
        Promise("still_p95", "timer of 20 ms late while scrolling, 95th percentile", "ms", 0),
        Promise("still_max", "at most", "ms", 0),
        Promise("train_p95", "the same while training, 95th percentile", "ms", 0, most=60),
        Promise("train_max", "at most", "ms", 0, most=100),
        Promise("train_stolen", "core time that the host gave to others meanwhile", "s", 2),
        Promise("first_preview", "from *Train* to the first mask in view", "s", 1),
        Promise("preview_share", "previews, of the training time", "%", 0, most=20),
        Promise("previews", "previews a second", digits=1),
        Promise("pace", "optimiser steps a second meanwhile", digits=0),
        Promise("stop_seen", "*Stop* answers", "s", most=0.1),
        Promise("stopped", "and the training has ended", "s", most=0.5),
        Promise("slice_501", "*This slice*, 501 x 501, median of six", "s", 3, most=0.1),
        Promise("slice_2048", "*This slice*, 2048 x 2048, median of six", "s", 2, most=0.6),
    ),
    "forest": (
        Promise("thresholds", "for comparison, two grey thresholds: Dice", "%"),
        Promise("forest", "random forest on multi-scale filters: Dice", "%"),
        Promise("forest_trained", "its training", "s", 1),
        Promise("forest_speed", "its prediction", "Mpx/s", 2),
    ),
}  # fmt: skip

NEEDS_SCAN = (
    *(
        "train",
        "predict",
        "poster",
        "noise",
        "scribbles",
        "next-slice",
        "suspects",
        "curves",
        "window",
        "forest",
    ),
)
# What runs no convolution of oneDNN, counts steps and no seconds, or tells of data alone.
NOT_FOR_LAPTOP = ("help", "next-slice", "curves", "forest")

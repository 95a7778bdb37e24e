"""How each topic is measured: figures by the keys of `promises`."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING

from benchmarks.bench import BAND
from benchmarks.commands import XSEG
from benchmarks.promises import DICE_AFTER, NEXT_CHOICES, NEXT_SCENES
from benchmarks.scan import TRAIN, UNLABELLED, VALIDATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.bench import Bench

Figures = dict[str, float]
NOISE = 5000
LABELLED_SHARE = 0.02


def help_time(bench: Bench) -> Figures:
    bench.say("asks for help")
    return {"help": statistics.median(bench.run(XSEG, "--help").wall for _ in range(5))}


def training(bench: Bench) -> Figures:
    figures = {}
    for seconds in DICE_AFTER:
        model = bench.model(seconds)
        figures[f"dice_{seconds}"] = bench.dice(bench.mask(model).mask)
        figures[f"steps_{seconds}"] = model.steps
        figures[f"trained_{seconds}"] = model.seconds
        figures[f"wall_{seconds}"] = model.wall
    return figures


def prediction(bench: Bench) -> Figures:
    """The very command that made the mask whose Dice is told."""
    done = bench.mask(bench.model(max(DICE_AFTER)))
    return {"speed": done.speed, "predict_wall": done.wall, "predict_memory": done.peak / 1e9}


def poster(bench: Bench) -> Figures:
    model = bench.model(max(DICE_AFTER)).folder
    quick = bench.mask(bench.model(max(DICE_AFTER))).speed
    file = bench.folder / "poster.safetensors"
    bench.run("benchmarks.poster", model, file)
    four = f"{VALIDATE.start}:{VALIDATE.start + 4}"
    slow = bench.predict("poster.tif", file, "--slices", four, "--precision", "float32").speed
    return {"poster_speed": slow, "poster_ratio": quick / slow}


def noise(bench: Bench) -> Figures:
    noisy = bench.folder / "noisy-images"
    bench.scan.write_noisy(noisy, NOISE, bench.seed)
    model = bench.train("noise", 120, "--noise-std", NOISE)
    clean = bench.mask(model)
    options = ("--slices", BAND)
    grainy = bench.predict("noise-noisy.tif", model.folder, *options, images=noisy)
    return {
        "noise_noisy": bench.dice(grainy.mask),
        "noise_clean": bench.dice(clean.mask),
        "noise_wall": model.wall,
    }


def scribbles(bench: Bench) -> Figures:
    labels = bench.folder / "strokes"
    bench.scan.write_strokes(labels, LABELLED_SHARE, bench.seed)
    model = bench.train("scribbles", 60, "--unlabelled", UNLABELLED, labels=labels)
    return {"scribbles": bench.dice(bench.mask(model).mask), "scribbles_wall": model.wall}


def next_slice(bench: Bench) -> Figures:
    figures: Figures = {}
    for scene in NEXT_SCENES:
        for choice in NEXT_CHOICES:
            bench.say(f"labels more and more slices: {scene} scan, {choice}")
            words = (bench.scan.folder, scene, choice, bench.seed)
            figures |= _said(bench, "benchmarks.next_slice", *words)
    return figures


def suspects(bench: Bench) -> Figures:
    """A model trained with noise, its mask of noisy slices far from those that trained it."""
    noisy = bench.folder / "suspects-images"
    bench.scan.write_noisy(noisy, NOISE, bench.seed)
    options = ("--noise-std", NOISE)
    model = bench.train("suspects", 60, *options, labels=bench.scan.labels).folder
    mask = bench.predict("suspects.tif", model, "--slices", BAND, images=noisy).mask
    listed = bench.folder / "suspects.csv"
    bench.say("looks for suspects")
    words = ("--model", model, "--images", noisy, "--mask", mask, "--out", listed)
    wall = bench.run(XSEG, "suspects", *words).wall
    more = (listed, mask, bench.scan.labels, bench.seed)
    return {**_said(bench, "benchmarks.suspects", *more), "suspects_wall": wall}


def curves(bench: Bench) -> Figures:
    bench.say("trains with more slices and with noise, 20 s each")
    return _said(bench, "benchmarks.curves", bench.scan.folder, bench.seed)


def monai(bench: Bench) -> Figures:
    bench.say("times training steps against BasicUNet")
    return _said(bench, "benchmarks.unet_step")


def window(bench: Bench) -> Figures:
    bench.say("opens a window, trains in it and scrolls")
    return _said(bench, "benchmarks.window", bench.scan.folder, ",".join(map(str, TRAIN)))


def forest(bench: Bench) -> Figures:
    bench.say("trains a random forest")
    return _said(bench, "benchmarks.baselines", bench.scan.folder, bench.seed)


def _said(bench: Bench, module: str, *words: object) -> Figures:
    """The figures on the last line that a module prints."""
    found: Figures = json.loads(bench.run(module, *words).output.strip().splitlines()[-1])
    return found


MEASURE: dict[str, Callable[[Bench], Figures]] = {
    "help": help_time,
    "train": training,
    "predict": prediction,
    "poster": poster,
    "noise": noise,
    "scribbles": scribbles,
    "next-slice": next_slice,
    "suspects": suspects,
    "curves": curves,
    "monai": monai,
    "window": window,
    "forest": forest,
}

"""The options that commands share: their names, what they take, their help."""

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class SplitKind(StrEnum):
    """Ways to choose the validation slices."""

    AUTO = "auto"
    HELD_OUT = "held-out"
    RANDOM = "random"
    BLOCKED = "blocked"
    BAND = "band"


class Precision(StrEnum):
    """Number formats that a network can compute in."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


def _positive(value: float | None) -> float | None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise typer.BadParameter(f"{value} is not a number above 0.")
    return value


def _share(value: float) -> float:
    if not 0 < value < 1:
        raise typer.BadParameter(f"{value} is not between 0 and 1.")
    return value


Images = Annotated[
    str,
    typer.Option(
        help="Grey slices: a folder of files, a TIFF, Zarr, file.h5:/dataset, .npy, NRRD, "
        "MetaImage, or raw binary with --raw.",
        metavar="PATH",
        show_default=False,
    ),
]
Labels = Annotated[
    str,
    typer.Option(
        help="Label slices, in any of these formats; RGB masks too.",
        metavar="PATH",
        show_default=False,
    ),
]
Raw = Annotated[
    str | None,
    typer.Option(
        help="What raw binary images hold, such as 200x501x501,uint16,little.",
        metavar="SHAPE,DTYPE,ORDER",
    ),
]
LabelsRaw = Annotated[
    str | None,
    typer.Option(
        help="What raw binary labels hold, such as 200x501x501,uint8,little.",
        metavar="SHAPE,DTYPE,ORDER",
    ),
]
Classes = Annotated[
    Path | None,
    typer.Option(
        help="Class table: names, values, colours and order of the classes.", metavar="FILE.toml"
    ),
]
Unlabelled = Annotated[
    str | None,
    typer.Option(
        help="Label value that means not labelled, a colour #rrggbb in RGB labels, or none.",
        metavar="VALUE",
    ),
]
Pairing = Annotated[
    str,
    typer.Option(
        "--pairing",
        "--pairs",
        help="Which label belongs to which image: auto, name, number, order, a CSV file with the "
        "columns image,label, or the z of the image of each label slice in order.",
        metavar="RULE|FILE.csv|Z,Z,..",
    ),
]
Roi = Annotated[
    str | None,
    typer.Option(
        help="The part of each slice that counts: circle, x0:x1,y0:y1 in pixels, or a mask.",
        metavar="circle|BOX|MASK",
    ),
]
Slices = Annotated[
    str | None,
    typer.Option(
        help="z from 0, as a list, Python ranges or both: 13,39,160:200.", metavar="SLICES"
    ),
]
TrainSlices = Annotated[
    str | None,
    typer.Option(
        help="z of the images that train, such as 13,39,160:200 (default: all labelled ones).",
        metavar="SLICES",
    ),
]
ValSlices = Annotated[
    str | None,
    typer.Option(help="z of the images that validate.", metavar="SLICES"),
]
NoValidation = Annotated[
    bool, typer.Option("--no-validation", help="Train on all slices; the last model stands.")
]
Split = Annotated[
    SplitKind,
    typer.Option(
        help="How the validation slices are chosen where none are named: auto is one slice held "
        "out, or a block with a guard gap of a densely labelled stack."
    ),
]
ValFraction = Annotated[
    float,
    typer.Option(
        help="Share of the labelled slices that validates in a random or blocked split.",
        metavar="SHARE",
        callback=_share,
    ),
]
Gap = Annotated[
    int | None,
    typer.Option(
        help="Labelled slices this near to a validation slice do not train.", min=0, metavar="N"
    ),
]
Recipe = Annotated[
    str, typer.Option(help="quick, poster, or a recipe of your own.", metavar="NAME|FILE.toml")
]
NoiseStd = Annotated[
    str | None,
    typer.Option(
        help="Train against Gaussian noise of this sd in counts of the images, a range low:high, "
        "or auto for 0.64 of their spread.",
        metavar="SD",
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        help="Seconds of training, loading and validation apart.",
        metavar="SECONDS",
        callback=_positive,
    ),
]
Steps = Annotated[
    int | None, typer.Option(help="Optimiser steps, in place of a time limit.", min=1, metavar="N")
]
Seed = Annotated[
    int, typer.Option(help="Seed of all random choices.", min=0, max=2**32 - 1, metavar="N")
]
Parent = Annotated[
    Path | None,
    typer.Option(
        help="Begin from this model, a run folder or a model file: its weights, network and "
        "grey-value statistics, as a new run.",
        metavar="RUN_DIR|FILE",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Go on with the training in --out; one not begun starts from its seed."
    ),
]
MatchIntensity = Annotated[
    bool,
    typer.Option(
        "--match-intensity",
        help="Bring the grey values to those of the training images, by robust percentiles.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace output that is there.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", metavar="DEVICE")]
PrecisionOption = Annotated[
    Precision,
    typer.Option("--precision", help="auto times float32 and bfloat16 and takes the faster."),
]
Threads = Annotated[
    int | None,
    typer.Option(help="Processor threads (default: one a core).", min=1, max=4096, metavar="N"),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say only results, warnings and errors.")
]

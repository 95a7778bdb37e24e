"""`napari-xseg train`: a model from labelled slices."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_xseg.cli import options
from napari_xseg.cli.console import Console, current_command
from napari_xseg.cli.outputs import no_new_folders
from napari_xseg.cli.stopping import STOPPED

if TYPE_CHECKING:
    from napari_xseg.cli.prepare import Compute, LabelledData
    from napari_xseg.config import TrainConfig

OutFolder = Annotated[
    Path,
    typer.Option("--out", help="Run folder to write.", metavar="RUN_DIR", show_default=False),
]


@dataclass(frozen=True)
class Basis:
    """What a training goes on from."""

    parent: Path | None
    match_intensity: bool
    resume: bool


def train(
    images: options.Images,
    labels: options.Labels,
    out: OutFolder,
    train_slices: options.TrainSlices = None,
    val_slices: options.ValSlices = None,
    no_validation: options.NoValidation = False,
    split: options.Split = options.SplitKind.AUTO,
    val_fraction: options.ValFraction = 0.2,
    gap: options.Gap = None,
    recipe: options.Recipe = "quick",
    noise_std: options.NoiseStd = None,
    parent: options.Parent = None,
    match_intensity: options.MatchIntensity = False,
    time_limit: options.TimeLimit = None,
    steps: options.Steps = None,
    seed: options.Seed = 0,
    classes: options.Classes = None,
    unlabelled: options.Unlabelled = None,
    pairing: options.Pairing = "auto",
    roi: options.Roi = None,
    raw: options.Raw = None,
    labels_raw: options.LabelsRaw = None,
    device: options.Device = "auto",
    precision: options.PrecisionOption = options.Precision.AUTO,
    threads: options.Threads = None,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> int:
    """Train a model on labelled slices.

    The run folder holds the model, its settings, its history and how it came to be.
    """
    from napari_xseg.cli import prepare

    config = prepare.read_recipe(recipe, noise_std, steps, time_limit)
    source = prepare.LabelledSource(
        images=images,
        labels=labels,
        pairing=pairing,
        classes=classes,
        unlabelled=unlabelled,
        roi=roi,
        raw=raw,
        labels_raw=labels_raw,
    )
    chosen = prepare.SplitOptions(
        train=train_slices,
        val=val_slices,
        validate=not no_validation,
        kind=split.value,
        fraction=val_fraction,
        gap=gap,
        seed=seed,
    )
    data = prepare.open_labelled(source, chosen)
    compute = prepare.Compute(device=device, precision=precision.value, threads=threads)
    console = Console(quiet=quiet)
    basis = Basis(parent, match_intensity, resume)
    return _train(data, config, out, compute, console, seed, overwrite, basis)


def _train(
    data: "LabelledData",
    config: "TrainConfig",
    out: Path,
    compute: "Compute",
    console: Console,
    seed: int,
    overwrite: bool,
    basis: Basis,
) -> int:
    from napari_xseg.cli import prepare

    begun = basis.resume and prepare.has_begun(out, console)
    with no_new_folders(out):
        job = prepare.make_job(
            data,
            config,
            out,
            compute,
            seed=seed,
            overwrite=overwrite,
            parent=basis.parent,
            match_intensity=basis.match_intensity,
            resume=begun,
            command=current_command(),
        )
        data.show(console)
        finished = prepare.run_training(job, console)
    return STOPPED if finished.reason == "stopped" else 0

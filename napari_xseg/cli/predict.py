"""`napari-xseg predict`: masks of a volume."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_xseg.cli import options
from napari_xseg.cli.console import Console, current_command
from napari_xseg.cli.outputs import no_new_folders
from napari_xseg.cli.stopping import STOPPED
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from napari_xseg.events import Finished

ModelPath = Annotated[
    Path,
    typer.Option(help="A run folder, or a model file.", metavar="RUN_DIR|FILE", show_default=False),
]
Confidence = Annotated[
    Path | None,
    typer.Option(
        help="Write the probability of each pixel's class too, 255 for certain.",
        metavar="FILE.tif|FILE.zarr",
    ),
]
OutMask = Annotated[
    Path,
    typer.Option("--out", help="Mask to write.", metavar="MASK.tif|MASK.zarr", show_default=False),
]


def predict(
    model: ModelPath,
    images: options.Images,
    out: OutMask,
    slices: options.Slices = None,
    confidence: Confidence = None,
    match_intensity: options.MatchIntensity = False,
    roi: options.Roi = None,
    raw: options.Raw = None,
    device: options.Device = "auto",
    precision: options.PrecisionOption = options.Precision.AUTO,
    threads: options.Threads = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> int:
    """Predict the masks of a volume.

    A mask holds the label values of its classes; the file MASK.json beside it says
    which model and images it came from.
    """
    from napari_xseg.cli import sources
    from napari_xseg.cli.progress import run_job
    from napari_xseg.data.region import parse_region
    from napari_xseg.data.volume import open_volume
    from napari_xseg.events import Control
    from napari_xseg.model.checkpoint import load_model
    from napari_xseg.prediction.volume import PredictJob
    from napari_xseg.prediction.volume import predict as run_prediction

    console = Console(quiet=quiet)
    if confidence is not None and confidence.absolute() == out.absolute():
        raise XsegError(f"{out}: is named by --out and by --confidence; give two files.")
    region = parse_region(roi)
    volume = open_volume(images, raw=sources.parse_raw(raw))
    region.check(volume.shape)
    chosen = sources.parse_choice(slices, len(volume), "--slices")
    job = PredictJob(
        model=load_model(model),
        images=volume,
        slices=tuple(range(len(volume))) if chosen is None else chosen,
        out=out,
        confidence=confidence,
        match_intensity=match_intensity,
        region=region,
        device=device,
        precision=precision.value,
        threads=threads,
        overwrite=overwrite,
        command=current_command(),
    )
    control = Control()
    with no_new_folders(out, confidence):
        job.check()
        for text in volume.warnings:
            console.warn(text)
        finished = run_job(run_prediction(job, control), console, control)
    show_prediction(finished, console)
    return STOPPED if finished.reason == "stopped" else 0


def show_prediction(finished: "Finished", console: Console) -> None:
    """Show the classes with their phase fractions, and what was written."""
    from napari_xseg.cli.sources import read_mask_facts, show_fractions

    facts = read_mask_facts(finished.path)
    if facts is not None:
        show_fractions(console, facts)
    speed = finished.figures.get("mpx_per_s")
    rate = "" if speed is None else f", {speed:.1f} megapixels a second"
    told = (
        "Predicted in"
        if finished.reason == "done"
        else "Stopped, the rest of the mask is unlabelled, after"
    )
    console.result(f"\n{told} {finished.seconds:.1f} s{rate}. Mask: {finished.path}")

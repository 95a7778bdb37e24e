"""`napari-xseg suspects`: places of a mask that are probably wrong, found without labels."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_xseg.cli import options
from napari_xseg.cli.console import Console, current_command
from napari_xseg.cli.outputs import no_new_folders
from napari_xseg.cli.stopping import STOPPED
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from napari_xseg.events import Control, Event, Finished
    from napari_xseg.review.suspects.job import SuspectsJob
    from napari_xseg.review.suspects.table import Suspects

SHOWN = 10
KEPT = 2000

Model = Annotated[
    Path | None,
    typer.Option(
        help="A run folder, or a model file, that says how sure it is; without --mask its own "
        "mask is looked at.",
        metavar="RUN_DIR|FILE",
    ),
]
Out = Annotated[
    Path,
    typer.Option("--out", help="List to write.", metavar="FILE.csv", show_default=False),
]
Mask = Annotated[
    Path | None,
    typer.Option(
        help="The mask to look at. All that is found is kept in MASK.suspects.json too.",
        metavar="MASK",
    ),
]
Confidence = Annotated[
    Path | None,
    typer.Option(
        help="The confidence predicted with the mask, for where no model is given.",
        metavar="FILE.tif|FILE.zarr",
    ),
]
Second = Annotated[
    Path | None,
    typer.Option(help="A second model, or a second mask, to compare with.", metavar="RUN_DIR|FILE"),
]
Kinds = Annotated[
    str | None,
    typer.Option(
        help="What to look for: confidence, flips, models, neighbours, fragment, hole, drift "
        "(default: all that can be found with what is given).",
        metavar="KIND,..",
    ),
]
Top = Annotated[
    int | None,
    typer.Option(help="Write the first N alone (default: all kept).", min=1, metavar="N"),
]
Thumbnails = Annotated[
    Path | None,
    typer.Option(
        help="Write a page with a picture of each, the first 100 without --top.",
        metavar="FILE.html",
    ),
]
TooSmall = Annotated[
    str | None,
    typer.Option(
        help="Pieces of fewer pixels are too small for their class, by its value, such as "
        "0=40,255=60 (default: learnt from the mask).",
        metavar="VALUE=PIXELS,..",
    ),
]
Flips = Annotated[
    int,
    typer.Option(
        help="Ways of turning a slice that are compared; time grows with them.", min=2, max=8,
        metavar="N",
    ),
]  # fmt: skip


def suspects(
    images: options.Images,
    out: Out,
    model: Model = None,
    mask: Mask = None,
    confidence: Confidence = None,
    second: Second = None,
    kinds: Kinds = None,
    slices: options.Slices = None,
    top: Top = None,
    thumbnails: Thumbnails = None,
    too_small: TooSmall = None,
    flips: Flips = 8,
    match_intensity: options.MatchIntensity = False,
    roi: options.Roi = None,
    raw: options.Raw = None,
    device: options.Device = "auto",
    precision: options.PrecisionOption = options.Precision.AUTO,
    threads: options.Threads = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> int:
    """List places of a mask that are probably wrong, without labels.

    Low confidence, disagreement between turned slices or two models, classes in one
    slice alone, pieces too small for their class, slices whose grey values drift;
    those with most to mend first. Nothing in the list is known to be wrong.
    """
    console = Console(quiet=quiet)
    wanted: dict[str, Any] = {
        "images": {"path": images, "raw": raw},
        "csv": out,
        "sheet": thumbnails,
        "model": model,
        "mask": mask,
        "confidence": confidence,
        "second": second,
        "kinds": None if kinds is None else tuple(word.strip() for word in kinds.split(",")),
        "slices": slices,
        "limits": _limits(too_small),
        **{"top": top, "keep": max(KEPT, top or 0), "flips": flips},
        **{"match_intensity": match_intensity, "region": roi or ""},
        **{"device": device, "precision": precision.value, "threads": threads},
        **{"overwrite": overwrite, "command": current_command()},
    }
    with no_new_folders(out, thumbnails):
        return _search(wanted, console)


def _search(wanted: dict[str, Any], console: Console) -> int:
    from napari_xseg.cli.progress import run_job
    from napari_xseg.events import Control
    from napari_xseg.jobs.suspects_request import SuspectsRequest

    job = SuspectsRequest.from_dict(wanted, "napari-xseg suspects").job()
    job.check()
    for text in job.warnings:
        console.warn(text)
    if unlike := _other_intensity(job):
        console.warn(unlike)
    control = Control()
    found: list[Suspects] = []
    finished = run_job(_keeping(job, control, found), console, control)
    if finished.reason == "stopped":
        console.result(f"\nStopped after {finished.seconds:.1f} s. Nothing was written.")
        return STOPPED
    _show(found[0], finished, job, console)
    return 0


def _other_intensity(job: "SuspectsJob") -> str:
    """Say that the mask was made from grey values that were treated in another way."""
    from napari_xseg.prediction.sidecar import read_sidecar

    if job.mask is None or job.model is None:
        return ""
    settings = (read_sidecar(job.mask.path) or {}).get("settings")
    told = settings.get("match_intensity") if isinstance(settings, dict) else None
    if not isinstance(told, bool) or told == job.match_intensity:
        return ""
    how, do = ("with", "give it here too") if told else ("without", "leave it out here")
    return (
        f"{job.mask.path.name}: was predicted {how} --match-intensity, so that the model sees "
        f"other grey values than those it was made from; {do}."
    )


def _keeping(
    job: "SuspectsJob", control: "Control", found: list["Suspects"]
) -> "Generator[Event, None, None]":
    from napari_xseg.review.suspects.run import find_suspects

    found.append((yield from find_suspects(job, control)))


def _show(found: "Suspects", finished: "Finished", job: "SuspectsJob", console: Console) -> None:
    from napari_xseg.review.suspects.table import KIND_WORDS

    rows = [
        (
            *(str(one.rank), str(one.z), f"{one.y:.0f}", f"{one.x:.0f}", str(one.pixels)),
            *(f"{100 * one.strength:.0f}", KIND_WORDS[one.kind], found.words(one)),
        )
        for one in found.top(SHOWN)
    ]
    header = ("rank", "z", "y", "x", "pixels", "wrong %", "kind", "what")
    console.table(header, rows, title=f"Suspects: {len(rows)} of {len(found)}")
    slices = len(job.slices)
    told = f"{len(found)} suspects in {slices} slice{'s'[: slices != 1]}, {finished.seconds:.1f} s."
    looked = ", ".join(KIND_WORDS[kind] for kind in job.wanted)
    console.result(f"\n{told} Looked for: {looked}.")
    # An empty list is read as praise.
    console.result(
        "There are no labels to compare with: these are guesses."
        if len(found)
        else "That does not say that the mask is right: look at some slices, or score them."
    )
    for path in job.targets.paths:
        console.say(f"written: {path}")


def _limits(text: str | None) -> dict[int, int]:
    """Read `--too-small`."""
    try:
        pairs = [part.split("=") for part in (text or "").split(",") if part.strip()]
        return {int(value): int(pixels) for value, pixels in pairs}
    except ValueError as error:
        raise XsegError(
            f"--too-small {text}: expected the value of a class and pixels, such as 0=40,255=60."
        ) from error

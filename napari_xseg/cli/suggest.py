"""`napari-xseg suggest`: which slices to label next."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_xseg.cli import options
from napari_xseg.cli.console import Console, current_command
from napari_xseg.cli.outputs import no_new_folders
from napari_xseg.cli.stopping import STOPPED, stop_on_signals

if TYPE_CHECKING:
    from napari_xseg.events import Control, Event, NextSlices
    from napari_xseg.jobs import FileSource, NextSliceRequest

Model = Annotated[
    Path | None,
    typer.Option(
        help="A run folder, or a model file, that says how uncertain slices are; without it their "
        "grey values are compared.",
        metavar="RUN_DIR|FILE",
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(help="Label slices there are already, in any format.", metavar="PATH"),
]
Labelled = Annotated[
    str | None,
    typer.Option(
        help="z of the images that are labelled, besides those of --labels.", metavar="SLICES"
    ),
]
Count = Annotated[int, typer.Option("--count", "-n", help="Slices wanted.", min=1, metavar="N")]
Among = Annotated[
    str | None,
    typer.Option("--slices", help="Only these are suggested: 13,39,160:200.", metavar="SLICES"),
]
Every = Annotated[
    int | None,
    typer.Option(help="Measure each N-th slice (default: about 40 are).", min=1, metavar="N"),
]
Json = Annotated[
    Path | None, typer.Option("--json", help="Write them with all figures as JSON.", metavar="FILE")
]


def suggest(
    images: options.Images,
    model: Model = None,
    labels: Labels = None,
    labelled: Labelled = None,
    count: Count = 3,
    slices: Among = None,
    every: Every = None,
    json: Json = None,
    match_intensity: options.MatchIntensity = False,
    pairing: options.Pairing = "auto",
    unlabelled: options.Unlabelled = None,
    roi: options.Roi = None,
    raw: options.Raw = None,
    labels_raw: options.LabelsRaw = None,
    device: options.Device = "auto",
    precision: options.PrecisionOption = options.Precision.AUTO,
    threads: options.Threads = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> int:
    """Suggest the slices to label next.

    Those come first that bring most of what is uncertain near a labelled slice.
    """
    from napari_xseg.cli.progress import watch
    from napari_xseg.data.writing import check_output
    from napari_xseg.events import Control
    from napari_xseg.jobs import FileSource, NextSliceRequest

    console, control = Console(quiet=quiet), Control()
    with no_new_folders(json), stop_on_signals(control):
        if json is not None:
            check_output(json, overwrite=overwrite)
        source = FileSource(path=images, raw=raw)
        request = NextSliceRequest(
            model=model,
            images=source,
            labelled=_labelled(source, labels, labelled, pairing, unlabelled, labels_raw),
            count=count,
            every=every,
            slices=slices,
            match_intensity=match_intensity,
            region=roi or "",
            device=device,
            precision=precision.value,
            threads=threads,
        )
        found = watch(_answer(request, control), console)
        if found is None:
            return STOPPED
        _show(found, console)
        if json is not None:
            _write(found, request, json)
            console.say(f"written: {json}")
    return 0


def _labelled(
    source: "FileSource",
    labels: str | None,
    more: str | None,
    pairing: str,
    unlabelled: str | None,
    raw: str | None,
) -> tuple[int, ...]:
    """Each z of the images that is labelled."""
    from napari_xseg.cli import sources
    from napari_xseg.data.labels import check_fits, label_volume
    from napari_xseg.data.pairing import pair

    images = source.open()
    known = set(sources.parse_choice(more, len(images), "--labelled") or ())
    if labels is not None:
        values = sources.open_label_values(labels, raw)
        pairs = pair(images, values, pairing)
        check_fits(images, values, pairs)
        opened = label_volume(values, unlabelled=sources.parse_meaning(unlabelled))
        there = set(opened.labelled_among(sorted(set(pairs.label_of.values()))))
        known |= {z for z, label in pairs.label_of.items() if label in there}
    return tuple(sorted(known))


def _answer(
    request: "NextSliceRequest", control: "Control"
) -> "Generator[Event, None, NextSlices | None]":
    from napari_xseg.events import NextSlices

    found = None
    for event in request.run(control):
        if isinstance(event, NextSlices):
            found = event
        else:
            yield event
    return found


def _show(found: "NextSlices", console: Console) -> None:
    from napari_xseg.review.suggest import suggestions_of

    rows = [(str(one.z), one.why) for one in suggestions_of(found)]
    if rows:
        console.table(("slice", "why"), rows, title="To label next")
    else:
        console.result("All slices are labelled; there is none to suggest.")


def _write(found: "NextSlices", request: "NextSliceRequest", path: Path) -> None:
    from napari_xseg.data.jsontext import json_text
    from napari_xseg.data.writing import write_atomic
    from napari_xseg.review.suggest import suggestions_of

    told = {
        "command": current_command(),
        "model": None if request.model is None else str(request.model),
        "labelled": request.labelled,
        "suggestions": [
            {
                "z": one.z,
                "gain": one.gain,
                "nearest": one.nearest,
                "uncertainty": one.uncertainty,
                "why": one.why,
            }
            for one in suggestions_of(found)
        ],
        "correlation_length": found.length,
        "measured_by": found.by,
        "measured": {str(z): v for z, v in zip(found.measured, found.values, strict=True)},
    }
    write_atomic(path, json_text(told, indent=1) + "\n")

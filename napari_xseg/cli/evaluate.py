"""`napari-xseg evaluate`: masks against labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_xseg.cli import options
from napari_xseg.cli.console import Console
from napari_xseg.cli.outputs import no_new_folders

if TYPE_CHECKING:
    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.labels import LabelVolume, Unlabelled
    from napari_xseg.data.volume import Volume
    from napari_xseg.review.run import Review

Masks = Annotated[
    str, typer.Option(help="Predicted masks, in any format.", metavar="PATH", show_default=False)
]
LabelSlices = Annotated[
    str | None,
    typer.Option(
        help="z of the labels to score: 13,39,160:200 (default: all labelled ones with a mask). "
        "Masks of as many slices match in order, or by the z in the file beside the mask.",
        metavar="SLICES",
    ),
]
Border = Annotated[
    int,
    typer.Option(
        help="Score also without the pixels this near to class borders.", min=0, max=64,
        metavar="PIXELS",
    ),
]  # fmt: skip
Json = Annotated[
    Path | None, typer.Option("--json", help="Write all figures as JSON.", metavar="FILE")
]
Csv = Annotated[
    Path | None, typer.Option("--csv", help="Write one row a slice as CSV.", metavar="FILE")
]
MistakesFolder = Annotated[
    Path | None,
    typer.Option(
        "--mistakes",
        help="Write the map of misclassified pixels, the list of connected mistakes, and pictures.",
        metavar="DIR",
    ),
]
Joined = Annotated[
    bool, typer.Option("--across-slices", help="Join mistakes of neighbouring slices.")
]


def evaluate(
    masks: Masks,
    labels: options.Labels,
    slices: LabelSlices = None,
    border: Border = 2,
    json: Json = None,
    csv: Csv = None,
    mistakes: MistakesFolder = None,
    across_slices: Joined = False,
    classes: options.Classes = None,
    unlabelled: options.Unlabelled = None,
    pairing: options.Pairing = "auto",
    roi: options.Roi = None,
    labels_raw: options.LabelsRaw = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Score masks against labels.

    Dice, IoU, precision, recall and accuracy, the confusion matrix and the phase
    fractions; pooled and for each slice, and without the pixels near class borders.
    """
    from napari_xseg.cli import sources
    from napari_xseg.cli.progress import watch
    from napari_xseg.data.region import parse_region
    from napari_xseg.review.run import Targets, review_volumes

    console = Console(quiet=quiet)
    targets = Targets(json=json, csv=csv, folder=mistakes, overwrite=overwrite)
    with no_new_folders(json, csv, mistakes):
        targets.check()
        table, meaning = sources.open_classes(classes), sources.parse_meaning(unlabelled)
        region = parse_region(roi)
        values = sources.open_label_values(labels, labels_raw)
        region.check(values.shape)
        ours, theirs, pairs = _match(masks, values, slices, pairing, table, meaning)
        targets.check([*ours.volume.files, *values.files])
        work = review_volumes(
            ours,
            theirs,
            pairs,
            targets,
            border=border,
            region=region,
            voxel_size=ours.volume.voxel_size,
            across_slices=across_slices,
        )
        review = watch(work, console)
    sources.show_classes(console, theirs, [z for _, z in pairs])
    _show_pairs(console, pairs, ours.slice_names, theirs.slice_names)
    show_review(review, console)


def _match(
    path: str,
    values: "Volume",
    slices: str | None,
    pairing: str,
    table: "ClassTable | None",
    unlabelled: "Unlabelled",
) -> tuple["LabelVolume", "LabelVolume", list[tuple[int, int]]]:
    """Open the masks beside the labels: both as class indices, and the (mask z, label z)."""
    from napari_xseg.cli import sources
    from napari_xseg.cli.matching import match_classes, pair_masks

    masks = sources.open_label_values(path, None)
    chosen = sources.parse_choice(slices, len(values), "--slices")
    facts = sources.read_mask_facts(path)
    pairs = pair_masks(masks, values, chosen, facts, pairing)
    ours, theirs = match_classes(masks, values, [z for _, z in pairs], facts, table, unlabelled)
    if chosen is None:
        labelled = set(theirs.labelled_among([z for _, z in pairs]))
        pairs = [(page, z) for page, z in pairs if z in labelled]
    return ours, theirs, pairs


def show_review(review: "Review", console: Console) -> None:
    """Show the scores, the confusion matrix and what was written."""
    evaluation = review.evaluation
    header, *rows = evaluation.table()
    count = len(evaluation.slices)
    console.table(header, rows, title=f"Scores, pooled over {count} slice{'s'[: count != 1]}")
    names = evaluation.classes.names
    cells = [
        (name, *(f"{pixels:,}" for pixels in row))
        for name, row in zip(names, evaluation.pooled.tolist(), strict=True)
    ]
    console.table(("true \\ predicted", *names), cells, title="Confusion, pixels")
    if review.mistakes is not None:
        console.result(f"\n{len(review.mistakes):,} connected mistakes")
    for path in review.files:
        console.say(f"written: {path}")


def _show_pairs(
    console: Console, pairs: list[tuple[int, int]], masks: tuple[str, ...], labels: tuple[str, ...]
) -> None:
    from napari_xseg.cli.sources import shorten

    rows: list[tuple[str, ...]] = [
        (f"{page}  {masks[page]}", f"{z}  {labels[z]}") for page, z in pairs
    ]
    console.table(("mask", "label"), shorten(rows), title=f"Pairs: {len(rows)}", remark=True)

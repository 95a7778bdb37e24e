"""`napari-xseg sample`: small data to try everything on."""

from pathlib import Path
from typing import Annotated

import typer

from napari_xseg.cli import options
from napari_xseg.cli.console import Console
from napari_xseg.cli.outputs import no_new_folders


def sample(
    directory: Annotated[
        Path, typer.Argument(help="Folder to write to; made where it is missing.", metavar="DIR")
    ],
    seed: options.Seed = 0,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a small volume with labels.

    40 synthetic slices of three phases with their labels, and six slices of
    another kind without labels.
    """
    from napari_xseg.data.sample import write_sample

    console = Console(quiet=quiet)
    with no_new_folders(directory):
        paths = write_sample(directory, seed=seed, overwrite=overwrite)
        classes = write_classes(directory)
    console.result(f"images      {paths.images}")
    console.result(f"labels      {paths.labels}")
    console.result(f"classes     {classes}")
    console.result(f"unlabelled  {paths.lis_like}")
    console.say(
        f"\nNext: napari-xseg train --images {paths.images} --labels {paths.labels} "
        "--train-slices 3,11,19,27,35 --time-limit 10 --out run"
    )


def write_classes(directory: Path) -> Path:
    """Write the class table of the sample's labels to `directory`."""
    from napari_xseg.data.classes import DEFAULT_COLOURS, ClassSpec, ClassTable
    from napari_xseg.data.coding import smallest_unused
    from napari_xseg.data.phantom import PHASES
    from napari_xseg.data.writing import write_atomic

    specs = [
        ClassSpec(phase.name, phase.value, colour)
        for phase, colour in zip(PHASES, DEFAULT_COLOURS, strict=False)
    ]
    unused = smallest_unused(spec.value for spec in specs)
    table = ClassTable(tuple(specs), unused, unlabelled_in_files=False)
    write_atomic(directory / "classes.toml", table.to_toml())
    return directory / "classes.toml"

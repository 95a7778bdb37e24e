"""`napari-xseg sample`: small data to try everything on."""

from pathlib import Path
from typing import Annotated

import typer

from napari_xseg.cli import options
from napari_xseg.cli.console import Console


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
    paths = write_sample(directory, seed=seed, overwrite=overwrite)
    console.result(f"images    {paths.images}")
    console.result(f"labels    {paths.labels}")
    console.result(f"unlabelled {paths.lis_like}")
    console.say(
        f"\nNext: napari-xseg train --images {paths.images} --labels {paths.labels} "
        "--train-slices 3,11,19,27,35 --time-limit 10 --out run"
    )

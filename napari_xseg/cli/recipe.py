"""`napari-xseg recipe`: a recipe to copy and edit."""

from typing import Annotated

import typer

from napari_xseg.cli.console import Console


def recipe(
    name: Annotated[str, typer.Argument(help="quick or poster.", metavar="NAME")] = "quick",
) -> None:
    """Print a recipe to copy and edit.

    Save it as a .toml file, change it, and give it to `train --recipe`.
    """
    from napari_xseg.training.recipes import recipe_text

    Console().result(recipe_text(name).rstrip("\n"))

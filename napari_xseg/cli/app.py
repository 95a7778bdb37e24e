"""The table of commands."""

from typing import Annotated

import typer

import napari_xseg
from napari_xseg.cli.demo import demo
from napari_xseg.cli.doctor import doctor
from napari_xseg.cli.evaluate import evaluate
from napari_xseg.cli.experiment import app as experiment_app
from napari_xseg.cli.info import info
from napari_xseg.cli.predict import predict
from napari_xseg.cli.recipe import recipe
from napari_xseg.cli.review import app as review_app
from napari_xseg.cli.sample import sample
from napari_xseg.cli.suggest import suggest
from napari_xseg.cli.suspects import suspects
from napari_xseg.cli.train import train
from napari_xseg.cli.window import open_window

app = typer.Typer(
    name="napari-xseg",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"napari-xseg {napari_xseg.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def napari_xseg_command(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Segment X-ray slices and volumes: label a few slices, train, predict the volume.

    Without a command it opens napari with the docks.
    """
    if context.invoked_subcommand is None:
        open_window()


for command in (train, predict, evaluate, suggest, suspects, info, doctor, recipe, sample, demo):
    app.command()(command)
app.add_typer(review_app, name="review")
app.add_typer(experiment_app, name="experiment")

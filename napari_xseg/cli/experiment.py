"""`napari-xseg experiment`: many trainings from one plan, and what they show."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperGroup

from napari_xseg.cli import options
from napari_xseg.cli.console import Console, current_command
from napari_xseg.cli.stopping import STOPPED
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from napari_xseg.events import Control
    from napari_xseg.experiments.suite import Suite


class BudgetName(StrEnum):
    """How much time there is."""

    CPU = "cpu"
    GPU = "gpu"
    FULL = "full"


class ClusterName(StrEnum):
    """Batch systems that job scripts are written for."""

    LSF = "lsf"
    SLURM = "slurm"


class PlanGroup(TyperGroup):
    """Takes the name of a plan, or its file, where a command would stand."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Run a plan where no command has that name."""
        if args and args[0] not in self.commands:
            args = ["plan", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=PlanGroup,
    help="Run experiments: experiment NAME --images ... --labels ... --out DIR, with a plan's "
    "name (see experiment list) or its .toml file; poster runs all plans.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Folder = Annotated[
    Path, typer.Argument(help="Folder of an experiment that was begun.", metavar="DIR")
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        help="Several trainings at once: local, or the address of a dask scheduler.",
        metavar="local|tcp://HOST:PORT",
    ),
]
Workers = Annotated[int, typer.Option(help="Processes with --scheduler local.", min=1, metavar="N")]
Unlabelled = Annotated[
    str | None,
    typer.Option(
        "--unlabelled-images",
        help="A volume without labels, which the plan lis predicts.",
        metavar="PATH",
    ),
]

Out = Annotated[
    Path, typer.Option("--out", help="Folder for all of it.", metavar="DIR", show_default=False)
]
Budget = Annotated[BudgetName, typer.Option(help="Sizes and times; full is as published.")]
Repeats = Annotated[
    int | None, typer.Option(help="Repeats of each point (default: as the plan says).", min=1)
]
Recipe = Annotated[str | None, typer.Option(help="A recipe or its file, instead of the plan's.")]


@app.command("list")
def list_plans(
    name: Annotated[
        str | None, typer.Argument(help="Show this plan as TOML, to be edited.", metavar="NAME")
    ] = None,
) -> None:
    """Say which plans there are, or show one."""
    from napari_xseg.experiments.plan import load_plan, load_plans

    console = Console()
    if name is not None:
        console.result(load_plan(name).to_toml())
        return
    rows = [(plan.name, str(len(plan.points())), plan.question) for plan in load_plans("poster")]
    console.table(("plan", "points", "what it asks"), rows, title="Plans (poster runs all)")


@app.command("plan", hidden=True)
def run_plan(
    name: Annotated[str, typer.Argument(help="A plan, or its .toml file.", metavar="NAME")],
    images: options.Images,
    labels: options.Labels,
    out: Out,
    budget: Budget = BudgetName.CPU,
    unlabelled_images: Unlabelled = None,
    repeats: Repeats = None,
    recipe: Recipe = None,
    time_limit: options.TimeLimit = None,
    steps: options.Steps = None,
    classes: options.Classes = None,
    unlabelled: options.Unlabelled = None,
    pairing: options.Pairing = "auto",
    roi: options.Roi = None,
    raw: options.Raw = None,
    labels_raw: options.LabelsRaw = None,
    scheduler: Scheduler = None,
    workers: Workers = 2,
    device: options.Device = "auto",
    precision: options.PrecisionOption = options.Precision.AUTO,
    threads: options.Threads = None,
    only_write: Annotated[
        bool, typer.Option("--only-write", help="Write the plan and train nothing.")
    ] = False,
    quiet: options.Quiet = False,
) -> int:
    """Run a plan; what is there already is not done again."""
    from napari_xseg.experiments.material import Source
    from napari_xseg.experiments.plan import load_plans, with_changes
    from napari_xseg.experiments.suite import Suite

    console = Console(quiet=quiet)
    if time_limit is not None and steps is not None:
        raise XsegError("--steps and --time-limit exclude each other; give one.")
    changes = {"repeats": repeats, "recipe": recipe, "seconds": time_limit, "steps": steps}
    plans = tuple(with_changes(plan, budget.value, **changes) for plan in load_plans(name))
    source = Source(
        images=_whole(images),
        labels=_whole(labels),
        pairing=pairing,
        classes=None if classes is None else str(classes.absolute()),
        unlabelled=unlabelled,
        roi=roi,
        raw=raw,
        labels_raw=labels_raw,
    )
    suite = Suite.make(
        out, plans, source, budget.value,
        unlabelled=None if unlabelled_images is None else _whole(unlabelled_images),
    )  # fmt: skip
    _announce(suite, console)
    if only_write:
        suite.write()
        console.result(f"Written: {out}. Nothing was trained.")
        return 0
    return _run(suite, console, scheduler, workers, _compute(device, precision, threads))


@app.command("run")
def go_on(
    folder: Folder,
    only: Annotated[
        str | None, typer.Option(help="Do this training alone, by its key.", metavar="KEY")
    ] = None,
    scheduler: Scheduler = None,
    workers: Workers = 2,
    device: options.Device = "auto",
    precision: options.PrecisionOption = options.Precision.AUTO,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
) -> int:
    """Go on with an experiment that was stopped or killed."""
    from napari_xseg.experiments.suite import Suite

    console = Console(quiet=quiet)
    suite, compute = Suite.open(folder), _compute(device, precision, threads)
    if only is None:
        _announce(suite, console)
    return _run(suite, console, scheduler, workers, compute, only)


@app.command("report")
def report(folder: Folder, quiet: options.Quiet = False) -> int:
    """Write the report of what is there so far."""
    from napari_xseg.experiments.suite import Suite

    console = Console(quiet=quiet)
    _report(Suite.open(folder), console)
    return 0


@app.command("submit")
def submit(
    folder: Folder,
    cluster: Annotated[ClusterName, typer.Option(help="The batch system.", show_default=False)],
    queue: Annotated[str, typer.Option(help="Queue or partition.", metavar="NAME")] = "",
    cores: Annotated[int, typer.Option(help="Of each training.", min=1)] = 4,
    gpus: Annotated[int, typer.Option(help="Of each training.", min=0)] = 1,
    memory: Annotated[float, typer.Option(help="GB of each training.", min=1)] = 16,
    minutes: Annotated[int, typer.Option(help="Longest time of one; 0: the queue's.", min=0)] = 0,
    at_once: Annotated[int, typer.Option(help="Most at the same time; 0: no limit.", min=0)] = 0,
    option: Annotated[
        list[str] | None,
        typer.Option(help="A further option line for the cluster, such as '-P project'."),
    ] = None,
    only_write: Annotated[
        bool, typer.Option("--only-write", help="Write the script and submit nothing.")
    ] = False,
) -> None:
    """Write an array job, an element for each training that is not done, and submit it.

    Begin the experiment with `experiment NAME ... --only-write`, in a folder that the
    cluster's machines see by the same path. When all are done, `experiment run DIR`
    trains nothing any more: it keeps each model's curve over noise, predicts the volume
    without labels, and writes the report.
    """
    from napari_xseg.experiments import cluster as jobs
    from napari_xseg.experiments.suite import Suite

    console = Console()
    wanted = jobs.Wanted(queue, cores, gpus, memory, minutes, at_once, tuple(option or ()))
    script, count = jobs.write_script(Suite.open(folder), cluster.value, wanted)
    console.say(f"written: {script}, {count} trainings")
    if not only_write:
        console.result(f"Submitted: {jobs.submit(script, cluster.value)}")
        console.say(f"When all are done: napari-xseg experiment run {shlex.quote(str(folder))}")


def _whole(path: str) -> str:
    """A path that means the same in another folder; a dataset's part stays."""
    return str(Path(path).expanduser().absolute())


def _compute(device: str, precision: options.Precision, threads: int | None) -> Any:
    from napari_xseg.experiments.running import Compute

    return Compute(device, cast("Any", precision.value), threads)


def _announce(suite: "Suite", console: Console) -> None:
    tasks = suite.tasks
    done = sum(map(suite.is_done, tasks))
    seconds = sum(task.trial.config.time_limit or 0 for task in tasks if not suite.is_done(task))
    rows = [
        (plan.name, str(len(suite.trials[plan.name])), str(len(suite.left[plan.name])))
        for plan in suite.plans
    ]
    console.table(("plan", "trainings", "points left out"), rows, title="Plans")
    usable = len(suite.material.usable)
    console.say(f"\n{usable} labelled slices. {len(tasks)} trainings, {done} of them done.")
    if seconds:
        console.say(f"The others train for {seconds / 60:.0f} minutes, scoring apart.")
    for plan in suite.plans:
        if usable < plan.training + plan.validation:
            share = usable / (plan.training + plan.validation)
            console.say(
                f"{plan.name}: published with {plan.training} + {plan.validation} slices, here "
                f"{share:.0%} of that."
            )
        for left in suite.left[plan.name]:
            words = f"{left.conditions.words()}, {left.split} split,"
            console.warn(f"{plan.name}: {words} left out: {left.why}")


def _run(
    suite: "Suite",
    console: Console,
    scheduler: str | None,
    workers: int,
    compute: Any,
    only: str | None = None,
) -> int:
    from napari_xseg.cli.progress import run_job
    from napari_xseg.events import Control

    control = Control()
    done = _done(suite, scheduler, workers, compute, control, only)
    finished = run_job(done, console, control)
    figures = finished.figures
    told = ", ".join(f"{figures[key]:.0f} {key}" for key in ("done", "kept", "failed"))
    if finished.reason == "stopped":
        console.result(f"Stopped: {told}. napari-xseg experiment run {suite.folder} goes on.")
        return STOPPED
    if only is None:
        _after(suite, compute, console)
        _report(suite, console)
    console.result(f"Experiment: {told}. {suite.folder}")
    return 1 if figures["failed"] else 0


def _done(
    suite: "Suite",
    scheduler: str | None,
    workers: int,
    compute: Any,
    control: "Control",
    only: str | None,
) -> Any:
    from napari_xseg.experiments.parallel import run_parallel
    from napari_xseg.experiments.suite import run_suite

    if only is not None and scheduler is not None:
        raise XsegError("--only and --scheduler exclude each other: one training runs by itself.")
    tasks = None if only is None else (suite.task(only),)
    if scheduler is None:
        return run_suite(
            suite, compute=compute, command=current_command(), control=control, tasks=tasks
        )
    return run_parallel(
        suite,
        scheduler=scheduler,
        workers=workers,
        compute=compute,
        command=current_command(),
        control=control,
    )


def _after(suite: "Suite", compute: Any, console: Console) -> None:
    from napari_xseg.cli.progress import watch
    from napari_xseg.experiments.after import follow_up

    watch(follow_up(suite, compute), console)


def _report(suite: "Suite", console: Console) -> None:
    from napari_xseg.cli.progress import watch
    from napari_xseg.experiments.report import report_events

    path = watch(report_events(suite), console)
    console.result(f"Report: {path}")

"""`napari-xseg demo`: everything once, on the sample."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_xseg.cli import options
from napari_xseg.cli.console import Console, current_command
from napari_xseg.cli.stopping import STOPPED
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from napari_xseg.cli.prepare import LabelledData
    from napari_xseg.events import Finished
    from napari_xseg.review.report import Report
    from napari_xseg.review.run import Review
    from napari_xseg.training.job import TrainJob

TRAINED = (3, 11, 19, 27, 35)
SECONDS = 30.0
DEFAULT_FOLDER = Path("demo")
# A folder with this file in it was made here, and may be made anew.
MARK = ".napari-xseg-demo"


@dataclass(frozen=True)
class Paths:
    """Where the demo writes."""

    root: Path

    @property
    def sample(self) -> Path:
        """Images and labels."""
        return self.root / "sample"

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.root / "run"

    @property
    def mask(self) -> Path:
        """The predicted mask."""
        return self.root / "mask.tif"

    @property
    def review(self) -> Path:
        """Scores, mistakes and pictures."""
        return self.root / "review"

    @property
    def picture(self) -> Path:
        """One slice: image, truth, mask, mistakes."""
        return self.root / "overview.png"

    @property
    def report(self) -> Path:
        """The page that shows everything."""
        return self.root / "report.html"


def demo(
    directory: Annotated[
        Path | None,
        typer.Argument(
            help=f"Folder to write to (default: {DEFAULT_FOLDER}, made anew each time).",
            metavar="[DIR]",
            show_default=False,
        ),
    ] = None,
    time_limit: options.TimeLimit = SECONDS,
    steps: options.Steps = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    threads: options.Threads = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> int:
    """Train, predict and score the sample.

    Trains on five slices of a synthetic volume, predicts the others, scores them
    and writes masks, figures and a report.
    """
    from napari_xseg.cli import prepare
    from napari_xseg.cli.sample import write_classes
    from napari_xseg.data.sample import write_sample

    console = Console(quiet=quiet)
    limit = None if steps else time_limit
    config = prepare.read_recipe("quick", None, steps, limit)
    paths = Paths(_claim(directory, overwrite=overwrite))
    console.say(f"Making a sample volume in {paths.sample} ...")
    sample = write_sample(paths.sample, seed=seed, overwrite=True)
    source = prepare.LabelledSource(
        images=str(sample.images), labels=str(sample.labels), classes=write_classes(paths.sample)
    )
    chosen = prepare.SplitOptions(train=",".join(map(str, TRAINED)))
    data = prepare.open_labelled(source, chosen)
    compute = prepare.Compute(device=device, threads=threads)
    job = prepare.make_job(
        data, config, paths.run, compute, seed=seed, overwrite=True, command=current_command()
    )
    data.show(console)
    trained = prepare.run_training(job, console)
    if trained.reason == "stopped" or not _predict_rest(job, paths, console):
        return STOPPED
    review = _score(data, paths, console)
    _write_report(data, job, trained, review, paths)
    console.result(f"\nAll of it is shown in {paths.report.resolve()}")
    return 0


def _claim(directory: Path | None, *, overwrite: bool) -> Path:
    """Make the folder, where it is new or an older demo's; nothing else is touched."""
    from napari_xseg.data.writing import write_atomic

    root = directory or DEFAULT_FOLDER
    mark = root / MARK
    if root.exists() and not (mark.exists() and (overwrite or directory is None)):
        mend = "choose another folder" + (", or --overwrite" if mark.exists() else "")
        raise XsegError(f"{root}: is there already; {mend}.")
    write_atomic(mark, "Written by `napari-xseg demo`, which may replace what it wrote here.\n")
    return root


def _predict_rest(job: "TrainJob", paths: Paths, console: Console) -> bool:
    from napari_xseg.cli.predict import show_prediction
    from napari_xseg.cli.progress import run_job
    from napari_xseg.events import Control
    from napari_xseg.model.checkpoint import load_model
    from napari_xseg.prediction.volume import PredictJob, predict

    rest = tuple(z for z in range(len(job.images)) if z not in TRAINED)
    todo = PredictJob(
        model=load_model(paths.run),
        images=job.images,
        slices=rest,
        out=paths.mask,
        device=job.device,
        threads=job.threads,
        overwrite=True,
        command=job.command,
    )
    control = Control()
    finished = run_job(predict(todo, control), console, control)
    show_prediction(finished, console)
    return finished.reason == "done"


def _score(data: "LabelledData", paths: Paths, console: Console) -> "Review":
    from napari_xseg.cli.evaluate import show_review
    from napari_xseg.cli.progress import watch
    from napari_xseg.data.labels import open_labels
    from napari_xseg.review.run import Targets, review_volumes

    masks = open_labels(paths.mask, classes=data.labels.classes, masks=True)
    rest = [z for z in range(len(data.images)) if z not in TRAINED]
    targets = Targets(folder=paths.review, overwrite=True)
    work = review_volumes(masks, data.labels, list(enumerate(rest)), targets)
    review = watch(work, console)
    show_review(review, console)
    return review


def _write_report(
    data: "LabelledData", job: "TrainJob", trained: "Finished", review: "Review", paths: Paths
) -> None:
    from napari_xseg.review.canvas import save_figure
    from napari_xseg.review.figures import overview
    from napari_xseg.review.report import write_report

    report = _report(data, job, trained, review, paths)
    shown = report.slices[len(report.slices) // 2]
    save_figure(overview(shown, report.classes), paths.picture)
    write_report(report, paths.report)


def _report(
    data: "LabelledData", job: "TrainJob", trained: "Finished", review: "Review", paths: Paths
) -> "Report":
    from napari_xseg.data.labels import open_labels
    from napari_xseg.review.figures import read_history
    from napari_xseg.review.report import Report
    from napari_xseg.review.run import read_views

    masks = open_labels(paths.mask, classes=data.labels.classes, masks=True)
    pairs = list(enumerate(score.z for score in review.evaluation.slices))
    views = read_views(masks, data.labels, pairs, review.evaluation)
    provenance = json.loads((paths.run / "provenance.json").read_text(encoding="utf-8"))
    return Report(
        title="napari-xseg demo",
        classes=data.labels.classes,
        statements=[
            f"A synthetic volume of {len(data.images)} slices; {data.split.describe()}",
            f"The figures are of the {len(pairs)} slices that did not train.",
        ],
        headline={"training": f"{trained.seconds:.1f} s"},
        data={"images": str(data.images.path), "training slices": list(data.split.train)},
        evaluation=review.evaluation,
        history=read_history(paths.run / "history.csv"),
        slices=[replace(view, image=data.images.read(view.z)) for view in views.values()],
        mistakes=review.mistakes,
        settings=job.config.model_dump(mode="json"),
        provenance=provenance,
        files={path.name: path for path in (paths.mask, paths.run, *review.files)},
    )

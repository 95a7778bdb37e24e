"""From the options of `train` to a checked job, with nothing written yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_xseg.cli import sources
from napari_xseg.data.labels import check_fits, label_volume
from napari_xseg.data.leakage import leakage
from napari_xseg.data.pairing import pair
from napari_xseg.data.region import parse_region
from napari_xseg.data.split import split_labels
from napari_xseg.data.volume import open_label_volume, open_volume
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.cli.console import Console
    from napari_xseg.config import Precision, TrainConfig
    from napari_xseg.data.labels import LabelVolume
    from napari_xseg.data.pairing import Pairing
    from napari_xseg.data.region import Region
    from napari_xseg.data.split import Split, SplitChoices
    from napari_xseg.data.volume import Volume
    from napari_xseg.events import Finished
    from napari_xseg.training.job import TrainJob


@dataclass(frozen=True, kw_only=True)
class LabelledSource:
    """Images and labels as the options name them."""

    images: str
    labels: str
    pairing: str = "auto"
    classes: Path | None = None
    unlabelled: str | None = None
    roi: str | None = None
    raw: str | None = None
    labels_raw: str | None = None


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """What the options say about training and validation slices."""

    train: str | None = None
    val: str | None = None
    validate: bool = True
    kind: str = "auto"
    fraction: float = 0.2
    gap: int | None = None
    seed: int = 0

    def check(self) -> None:
        """Raise XsegError where options contradict each other."""
        if self.val is not None and not self.validate:
            raise XsegError("--val-slices and --no-validation exclude each other; give one.")
        if self.kind != "auto" and (self.train is not None or self.val is not None):
            raise XsegError(
                f"--split {self.kind} chooses the slices itself; leave it out, or --train-slices "
                "and --val-slices."
            )

    def choices(self, images: Volume) -> SplitChoices:
        """Give what `split_labels` takes."""
        count = len(images)
        choices: Any = {
            "kind": self.kind,
            "train": sources.parse_choice(self.train, count, "--train-slices"),
            "val": sources.parse_choice(self.val, count, "--val-slices"),
            "validate": self.validate,
            "fraction": self.fraction,
            "seed": self.seed,
            "guard": self.gap,
        }
        found: SplitChoices = choices
        return found


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Where and how the network computes."""

    device: str = "auto"
    precision: Precision = "auto"
    threads: int | None = None


@dataclass(frozen=True)
class LabelledData:
    """Images and labels, opened, paired and split."""

    images: Volume
    labels: LabelVolume
    pairing: Pairing
    region: Region
    split: Split

    @property
    def used(self) -> tuple[int, ...]:
        """The z of the images that train or validate, rising."""
        return tuple(sorted({*self.split.train, *self.split.val}))

    def show(self, console: Console) -> None:
        """Show the classes, the pairs, the split and what is doubtful about them."""
        for text in (*self.images.warnings, *self.labels.volume.warnings):
            console.warn(text)
        label_of = self.pairing.label_of
        sources.show_classes(console, self.labels, [label_of[z] for z in self.used])
        sources.show_pairs(console, self.pairing, self.used)
        console.say(f"\nSplit: {self.split.describe()}")
        found = leakage(self.images, self.split)
        if found is not None and found.warning:
            console.warn(found.warning)


def open_labelled(source: LabelledSource, wanted: SplitOptions) -> LabelledData:
    """Open, pair and split; XsegError for all that does not fit."""
    wanted.check()
    table = sources.open_classes(source.classes)
    meaning = sources.parse_meaning(source.unlabelled)
    region = parse_region(source.roi)
    images = open_volume(source.images, raw=sources.parse_raw(source.raw))
    values = open_label_volume(source.labels, raw=sources.parse_raw(source.labels_raw))
    pairing = pair(images, values, source.pairing)
    check_fits(images, values, pairing)
    region.check(images.shape)
    choices = wanted.choices(images)
    labels = label_volume(
        values, classes=table, unlabelled=meaning, slices=_in_use(pairing, choices)
    )
    split = split_labels(labels, pairing, region=region, ordered=images.has_neighbours, **choices)
    return LabelledData(images, labels, pairing, region, split)


def make_job(
    data: LabelledData, config: TrainConfig, out: Path, compute: Compute, **settings: Any
) -> TrainJob:
    """Make the job and check it; `settings` are fields of TrainJob."""
    from napari_xseg.training.job import TrainJob

    job = TrainJob(
        images=data.images,
        labels=data.labels,
        label_of=data.pairing.label_of,
        split=data.split,
        region=data.region,
        config=config,
        out=out,
        device=compute.device,
        precision=compute.precision,
        threads=compute.threads,
        **settings,
    )
    job.check()
    return job


def has_begun(out: Path, console: Console) -> bool:
    """Whether there is a training to resume: one killed before its first save starts again."""
    from napari_xseg.training.run_folder import CONFIG

    begun = (out / CONFIG).exists()
    if not begun:
        console.say(f"{out}: no training to resume, so it starts from its seed.")
    return begun


def read_recipe(
    name: str, noise: str | None, steps: int | None, time_limit: float | None
) -> TrainConfig:
    """Read the recipe and change what options say."""
    from napari_xseg.training.recipes import load_recipe

    if steps is not None and time_limit is not None:
        raise XsegError("--steps and --time-limit exclude each other; give one.")
    config = load_recipe(name).with_budget(steps=steps, time_limit=time_limit)
    if noise is None:
        return config
    return config.replace(noise=config.noise.switched_on(noise))


def run_training(job: TrainJob, console: Console) -> Finished:
    """Train, show how it goes and say what came out."""
    from napari_xseg.cli.progress import run_job
    from napari_xseg.events import Control
    from napari_xseg.training.loop import train

    control = Control()
    finished = run_job(train(job, control), console, control)
    console.result(_outcome(finished, job.split))
    return finished


def _in_use(pairing: Pairing, choices: SplitChoices) -> list[int] | None:
    """Label z that options name, None where all may be used: no other slice is looked at."""
    train, val = choices.get("train"), choices.get("val")
    if train is None:
        return None
    named = {*train, *(val or ())}
    return [pairing.label_of[z] for z in sorted(named) if z in pairing.label_of] or None


def _outcome(finished: Finished, split: Split) -> str:
    told = {"done": "Trained", "early": "Stopped early", "stopped": "Stopped"}[finished.reason]
    dice = finished.figures.get("dice_foreground")
    figure = "" if dice is None else f", foreground Dice {100 * dice:.2f} %"
    rough = " (rough: a band of the training slices)" if figure and split.rough else ""
    text = f"{told}: {finished.seconds:.1f} s of training{figure}{rough}. Model: {finished.path}"
    if finished.reason == "stopped":
        return f"{text}. The same command with --resume goes on."
    return text

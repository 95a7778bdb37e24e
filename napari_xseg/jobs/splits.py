"""Images and labels of a request, opened, paired and split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_xseg.config import Settings
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.labels import check_fits, label_volume
from napari_xseg.data.leakage import leakage
from napari_xseg.data.pairing import pair
from napari_xseg.data.partition import Split
from napari_xseg.data.region import parse_region
from napari_xseg.data.slices import parse_slices
from napari_xseg.data.split import split_labels
from napari_xseg.errors import XsegError
from napari_xseg.events import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_xseg.data.labels import LabelVolume
    from napari_xseg.data.pairing import Pairing
    from napari_xseg.data.region import Region
    from napari_xseg.data.split import SplitChoices
    from napari_xseg.data.volume import Volume
    from napari_xseg.jobs.requests import LabelledRequest

# z one by one, or as text: "13,39,160:200".
Slices = tuple[int, ...] | str


class SplitWish(Settings):
    """How to split, where the split is not settled yet: what `split_labels` takes.

    `train` and `val` name slices; `kind` and `fraction` choose them instead.
    """

    train: Slices | None = None
    val: Slices | None = None
    validation: bool = True
    kind: Literal["auto", "held-out", "random", "blocked", "band"] = "auto"
    fraction: float = 0.2
    gap: int | None = None
    seed: int = 0

    def choices(self, count: int) -> SplitChoices:
        """What `split_labels` takes, for a volume of `count` slices."""
        if self.val is not None and not self.validation:
            raise XsegError(
                "split: validation slices are named, and no validation is asked for; choose one."
            )
        if self.kind != "auto" and (self.train is not None or self.val is not None):
            raise XsegError(
                f"split: {self.kind} chooses the slices itself; name none, or leave the choice out."
            )
        choices: SplitChoices = {
            "kind": self.kind,
            "train": named_slices(self.train, count, "training slices"),
            "val": named_slices(self.val, count, "validation slices"),
            "validate": self.validation,
            "fraction": self.fraction,
            "seed": self.seed,
            "guard": self.gap,
        }
        return choices


@dataclass(frozen=True)
class Labelled:
    """What a training learns from."""

    images: Volume
    labels: LabelVolume
    pairing: Pairing
    region: Region
    split: Split

    def messages(self) -> Iterator[Message]:
        """What is doubtful about the data, and how they are split."""
        doubts = (*self.images.warnings, *self.labels.volume.warnings, *self.pairing.warnings)
        yield from (Message(text, "warning") for text in doubts)
        yield Message(f"Split: {self.split.describe()}")
        found = leakage(self.images, self.split)
        if found is not None and found.warning:
            yield Message(found.warning, "warning")


def open_labelled(request: LabelledRequest) -> Labelled:
    """Open, pair and split what the request names; XsegError for all that does not fit."""
    region = parse_region(request.region)
    images = request.images.open()
    values = request.labels.open("labels")
    pairing = pair(images, values, request.label_of or request.pairing)
    check_fits(images, values, pairing)
    region.check(images.shape)
    settled = None if request.split is None else Split.from_dict(request.split)
    choices = request.wish.choices(len(images))
    if settled is not None:
        choices["train"], choices["val"] = settled.train, settled.val
    classes: Any = request.classes
    labels = label_volume(
        values,
        classes=None if classes is None else ClassTable.from_dict(classes, values.name),
        unlabelled=request.unlabelled,
        slices=_in_use(pairing, choices),
    )
    split = settled or split_labels(
        labels, pairing, region=region, ordered=images.has_neighbours, **choices
    )
    return Labelled(images, labels, pairing, region, split)


def named_slices(slices: Slices | None, count: int, what: str) -> tuple[int, ...] | None:
    """The z that text or numbers name among `count`; None where they name none."""
    return parse_slices(slices, count, what) if isinstance(slices, str) else slices


def _in_use(pairing: Pairing, choices: SplitChoices) -> list[int] | None:
    """Label z that the split names, None where all may be used: no other slice is looked at."""
    train, val = choices.get("train"), choices.get("val")
    if train is None:
        return None
    used = sorted({*train, *(val or ())})
    return [pairing.label_of[z] for z in used if z in pairing.label_of] or None

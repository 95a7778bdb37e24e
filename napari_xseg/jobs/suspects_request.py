"""A search for suspects as a frozen value, without torch: what travels to the engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from napari_xseg.config import Precision
from napari_xseg.data.region import parse_region
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Message
from napari_xseg.jobs import requests
from napari_xseg.jobs.requests import Request, Threads
from napari_xseg.jobs.sources import Source
from napari_xseg.jobs.splits import Slices, named_slices
from napari_xseg.model.metadata import MODEL_FILE
from napari_xseg.review.suspects.kept import suspects_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.volume import Volume
    from napari_xseg.model.checkpoint import SavedModel
    from napari_xseg.review.suspects.job import SuspectsJob, Targets
    from napari_xseg.review.suspects.masks import OpenMask

KindName = Literal["confidence", "flips", "models", "neighbours", "fragment", "hole", "drift"]


class SuspectsRequest(Request):
    """A search for places of a mask that are probably wrong.

    Attributes
    ----------
    images : FileSource or ArrayFile
        The slices.
    model : Path, optional
        A run folder, or a model file, that says how sure it is.
    mask : Path, optional
        What is looked at; without it, what the model makes of the images.
    confidence : Path, optional
        The confidence written with the mask, for where no model is given.
    second : Path, optional
        A second model, or a second mask.
    kinds : tuple of str, optional
        What to look for; without it, all that can be found with what is given.
    slices : tuple of int or str, optional
        z, or text such as "160:200"; without it, all, or all that the mask has.
    limits : dict of int to int
        Pixels by file value of a class below which a piece is too small for it.
    kept : Path, optional
        The list with its origin, JSON; without it `suspects_path(mask)`, where a
        mask is given.
    csv, sheet : Path, optional
        One row each; one HTML page with pictures.
    top : int, optional
        So many at most in the CSV and on the page.
    flips, keep, match_intensity, region, device, precision, threads, overwrite, command
        As SuspectsJob has them; `region` as `parse_region` takes it.
    """

    images: Source
    model: Path | None = None
    mask: Path | None = None
    confidence: Path | None = None
    second: Path | None = None
    kinds: tuple[KindName, ...] | None = None
    slices: Slices | None = None
    limits: dict[int, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    kept: Path | None = None
    csv: Path | None = None
    sheet: Path | None = None
    top: Annotated[int, Field(ge=1)] | None = None
    flips: Annotated[int, Field(ge=2, le=8)] = 8
    keep: Annotated[int, Field(ge=1)] = 2000
    match_intensity: bool = False
    region: str = ""
    device: str = "auto"
    precision: Precision = "auto"
    threads: Threads | None = None
    overwrite: bool = False
    command: str = ""

    def job(self) -> SuspectsJob:
        """Open what is named; XsegError for all that cannot be read or does not fit."""
        from napari_xseg.review.suspects.job import SuspectsJob
        from napari_xseg.review.suspects.masks import open_confidence, open_mask

        images = self.images.open()
        model = _model(self.model)
        classes = None if model is None else model.classes
        mask = None if self.mask is None else open_mask(self.mask, images, classes)
        if mask is None and model is None:
            raise XsegError("suspects: neither a mask nor a model was given; give one of them.")
        if self.confidence is not None and mask is None:
            raise XsegError(f"{self.confidence}: is of no use without its mask; give that too.")
        classes = classes if mask is None else mask.classes
        second_model, second_mask = _second(self.second, images, classes)
        confidence = None
        if self.confidence is not None and mask is not None:
            confidence = open_confidence(self.confidence, mask)
        return SuspectsJob(
            images=images,
            slices=self._slices(images, mask),
            targets=self._targets(),
            model=model,
            mask=mask,
            confidence=confidence,
            second_model=second_model,
            second_mask=second_mask,
            limits=_by_index(self.limits, classes),
            region=parse_region(self.region),
            **{name: getattr(self, name) for name in _AS_THEY_ARE},
        )

    def run(self, control: Control | None = None) -> Iterator[Event]:
        """Search in this process; events and errors as `review.suspects.run.find_suspects`."""
        from napari_xseg.review.suspects.run import find_suspects

        job = self.job()
        yield from (Message(text, "warning") for text in job.warnings)
        if self.model is None and job.second_model is None:
            yield from find_suspects(job, control)
            return
        with requests._threads_kept():
            yield from find_suspects(job, control)

    def _targets(self) -> Targets:
        from napari_xseg.review.suspects.job import Targets

        kept = self.kept
        if kept is None and self.mask is not None:
            kept = suspects_path(self.mask)
        return Targets(kept, self.csv, self.sheet, self.top, self.overwrite)

    def _slices(self, images: Volume, mask: OpenMask | None) -> tuple[int, ...]:
        chosen = named_slices(self.slices, len(images), "slices")
        if chosen is not None:
            return tuple(sorted(set(chosen)))
        return tuple(range(len(images))) if mask is None else tuple(sorted(mask.page_of))


_AS_THEY_ARE = (
    *("kinds", "flips", "keep", "match_intensity", "device", "precision", "threads", "command"),
)


def _model(path: Path | None) -> SavedModel | None:
    from napari_xseg.model.checkpoint import load_model

    return None if path is None else load_model(path)


def _second(
    path: Path | None, images: Volume, classes: ClassTable | None
) -> tuple[SavedModel | None, OpenMask | None]:
    """The second opinion: a model by its suffix or its run folder, else a mask."""
    from napari_xseg.review.suspects.masks import open_mask

    if path is None:
        return None, None
    if path.suffix == Path(MODEL_FILE).suffix or (path / MODEL_FILE).is_file():
        return _model(path), None
    return None, open_mask(path, images, classes)


def _by_index(limits: dict[int, int], classes: ClassTable | None) -> dict[int, Any]:
    values = () if classes is None else classes.values
    for value in limits:
        if value not in values:
            raise XsegError(
                f"suspects: {value} is no value of a class; expected one of {sorted(values)}."
            )
    return {values.index(value): pixels for value, pixels in limits.items()}

"""Which slices to label next: a quick pass over some slices, and what follows from it."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from napari_xseg.config import Precision
from napari_xseg.data.slices import format_slices, parse_slices
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Message, NextSlices, Progress
from napari_xseg.jobs import requests, slice_request
from napari_xseg.jobs.requests import Request, Threads
from napari_xseg.jobs.slice_request import SliceRequest
from napari_xseg.jobs.sources import ArrayFile, Source
from napari_xseg.jobs.splits import Slices
from napari_xseg.review.slice_statistics import (
    BlankSlices,
    correlation_length,
    slice_statistics,
    unlikeness,
)
from napari_xseg.review.suggest import By, Suggestion, suggest_slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_xseg.data.volume import Volume
    from napari_xseg.review.slice_statistics import Statistics

WHAT = "uncertainty"
SAMPLED = 40


class NextSliceRequest(Request):
    """Suggestions of slices to label.

    Attributes
    ----------
    model : Path, optional
        A run folder or model file that says how uncertain slices are. Without it,
        slices count more whose grey values look unlike those of the labelled ones.
    images : FileSource or ArrayFile
        The volume; of an array, the planes that are there are considered.
    labelled : tuple of int
        Each z that is labelled.
    count : int
        How many are wanted.
    every : int, optional
        Each so many-th slice is measured; by default about 40 are.
    slices : tuple of int or str, optional
        Only these are considered; z, or text such as "0:160".
    match_intensity, region, device, precision, threads
        As PredictRequest has them.
    """

    model: Path | None = None
    images: Source
    labelled: tuple[Annotated[int, Field(ge=0)], ...] = ()
    count: Annotated[int, Field(ge=1)] = 3
    every: Annotated[int, Field(ge=1)] | None = None
    slices: Slices | None = None
    match_intensity: bool = False
    region: str = ""
    device: str = "auto"
    precision: Precision = "auto"
    threads: Threads | None = None

    def run(self, control: Control | None = None) -> Iterator[Event]:
        """Measure in this process.

        Yields
        ------
        Event
            Messages about the images, Progress of "uncertainty", and one NextSlices;
            without that, a stop came first.

        Raises
        ------
        XsegError
            A model or image that cannot be read, images that do not fit the model,
            slices that are not there, or that all show nothing.
        """
        control = control or Control()
        images = self.images.open()
        wanted = self._wanted(images)
        length = correlation_length(images, wanted)
        values: dict[int, float] = {}
        yield from self._measure(images, wanted, values, control)
        if control.stopped:
            return
        blank = BlankSlices(images, wanted)
        blank.look(values)
        found = self._chosen(images, values, length, blank)
        while blank.look(one.z for one in found) and not control.stopped:
            found = self._chosen(images, values, length, blank)
        if blank.found:
            yield Message(_last(images, blank.found, len(wanted)), "warning")
        yield _told(found, values, length, "grey" if self.model is None else "model")

    def _chosen(
        self, images: Volume, values: dict[int, float], length: float, blank: BlankSlices
    ) -> tuple[Suggestion, ...]:
        return suggest_slices(
            len(images),
            self.labelled,
            self.count,
            uncertainty={z: value for z, value in values.items() if z not in blank.found},
            length=length,
            slices=self._wanted(images),
            last=blank.found,
        )

    def _wanted(self, images: Volume) -> tuple[int, ...]:
        there: Sequence[int] = range(len(images))
        if isinstance(self.images, ArrayFile) and self.images.planes is not None:
            there = self.images.planes
        if self.slices is None:
            return tuple(sorted(there))
        asked = self.slices
        chosen = parse_slices(asked, len(images), "slices") if isinstance(asked, str) else asked
        missing = sorted(set(chosen) - set(there))
        if missing:
            raise XsegError(
                f"{images.name}: slice {missing[0]} is not among the {len(there)} slices that are "
                "there; choose others."
            )
        return tuple(sorted(set(chosen)))

    def _measure(
        self, images: Volume, wanted: tuple[int, ...], values: dict[int, float], control: Control
    ) -> Iterator[Event]:
        measured = _sampled(wanted, self.every)
        if self.model is None:
            yield from self._measure_greys(images, measured, values, control)
            return
        from napari_xseg.prediction.slice_uncertainty import slice_uncertainties

        start = time.perf_counter()
        with requests._threads_kept():
            ready = slice_request._Ready.of(self._of_slice(self.model, measured))
            ready.inside(measured[0], None)
            yield from ready.messages()
            pass_over = slice_uncertainties(ready.predictor(), measured, control)
            for done, (z, value) in enumerate(pass_over, 1):
                values[z] = value
                yield Progress(WHAT, done, len(measured), time.perf_counter() - start)

    def _measure_greys(
        self, images: Volume, measured: tuple[int, ...], values: dict[int, float], control: Control
    ) -> Iterator[Event]:
        start = time.perf_counter()
        # Labelled ones are what the others are compared with.
        there = set(self._wanted(images))
        among = sorted({*measured, *(z for z in self.labelled if z in there)})
        statistics: dict[int, Statistics] = {}
        for done, z in enumerate(among, 1):
            control.wait_if_paused()
            if control.stopped:
                return
            statistics |= slice_statistics(images, [z])
            yield Progress(WHAT, done, len(among), time.perf_counter() - start)
        values |= unlikeness(statistics, self.labelled)

    def _of_slice(self, model: Path, measured: tuple[int, ...]) -> SliceRequest:
        return SliceRequest(
            model=model,
            images=self.images,
            z=measured[0],
            folder=Path(),
            match_intensity=self.match_intensity,
            region=self.region,
            device=self.device,
            precision=self.precision,
            threads=self.threads,
        )


def _sampled(wanted: tuple[int, ...], every: int | None) -> tuple[int, ...]:
    step = every or max(1, round(len(wanted) / SAMPLED))
    return tuple(dict.fromkeys((*wanted[::step], *wanted[-1:])))


def _last(images: Volume, blank: set[int], wanted: int) -> str:
    if len(blank) == wanted:
        raise XsegError(
            f"{images.name}: all {wanted} slices are without a finite pixel or of one value alone, "
            "so none is worth labelling; check the files."
        )
    several = len(blank) > 1
    return (
        f"{images.name}: slice{'s'[:several]} {format_slices(sorted(blank))} "
        f"{'have' if several else 'has'} no finite pixel, or one value alone, and "
        f"come{'s'[several:]} last."
    )


def _told(
    found: Sequence[Suggestion], values: dict[int, float], length: float, by: By
) -> NextSlices:
    return NextSlices(
        slices=tuple(one.z for one in found),
        gains=tuple(one.gain for one in found),
        nearest=tuple(-1 if one.nearest is None else one.nearest for one in found),
        uncertainties=tuple(
            math.nan if one.uncertainty is None else one.uncertainty for one in found
        ),
        measured=tuple(values),
        values=tuple(values.values()),
        length=length,
        by=by,
    )

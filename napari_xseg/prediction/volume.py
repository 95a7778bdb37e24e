"""Predict the slices of a volume into a mask file: read, compute and write at the same time."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_xseg.data.coding import IGNORE
from napari_xseg.data.formats.atomic import DiskFull
from napari_xseg.data.writing import SliceWriter, atomic_path, create_writer
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Finished, Message, Progress, SlicesDone, Started
from napari_xseg.metrics import class_counts
from napari_xseg.model.device import describe_device, find_device
from napari_xseg.prediction import account
from napari_xseg.prediction.predictor import Channels, Predictor, stack_blocks
from napari_xseg.prediction.rest import Left, open_rest
from napari_xseg.prediction.sidecar import is_unfinished, remove_unfinished, sidecar_path
from napari_xseg.prediction.slices import (
    check_fits,
    open_reader,
    outside_of,
    settle_intensity,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_xseg.config import Precision
    from napari_xseg.data.intensity import Intensity
    from napari_xseg.data.region import Region
    from napari_xseg.data.volume import Volume
    from napari_xseg.model.checkpoint import SavedModel
    from napari_xseg.prediction.rest import Rest

AHEAD = 2


@dataclass(frozen=True, eq=False)
class PredictJob:
    """All that a prediction needs, settled before it starts.

    Attributes
    ----------
    model : SavedModel
        What predicts.
    images : Volume
        What is predicted.
    slices : tuple of int
        z to predict; page i of the mask is slice `slices[i]`.
    out : Path
        The mask, .tif or .zarr. A sidecar `<out>.json` says how it came to be.
    confidence : Path, optional
        Gets the probability of the class, uint8, 255 for certain.
    match_intensity : bool
        Map the grey values onto those of the training data by robust percentiles.
    region : Region, optional
        Pixels outside come out unlabelled.
    rest_of : Path, optional
        A .zarr that was cut short: its done slices are taken over as they are. `out` may
        be it, and one whose writer was killed goes when `out` is there.
    """

    model: SavedModel
    images: Volume
    slices: tuple[int, ...]
    out: Path
    confidence: Path | None = None
    match_intensity: bool = False
    region: Region | None = None
    device: str = "auto"
    precision: Precision = "auto"
    threads: int | None = None
    overwrite: bool = False
    command: str = ""
    rest_of: Path | None = None

    def check(self) -> None:
        """Raise XsegError where the job cannot be done, before anything is written."""
        if not self.slices:
            raise XsegError(f"{self.images.name}: no slice to predict; give --slices within it.")
        outside = [z for z in self.slices if not 0 <= z < len(self.images)]
        if outside:
            raise XsegError(
                f"{self.images.name}: has the slices 0 to {len(self.images) - 1}, "
                f"slice {outside[0]} is not among them; give other --slices."
            )
        check_fits(self.model, self.images, self.region)
        if self.confidence == self.out:
            raise XsegError(f"{self.out}: is named for mask and confidence; give two files.")
        find_device(self.device)
        source = self.images.path.resolve()
        for path in (self.out, self.confidence):
            if path is not None:
                if source.is_dir() and path.expanduser().resolve().parent == source:
                    raise XsegError(
                        f"{path}: would lie among the images, which could then not be opened as "
                        "one volume; give another folder."
                    )
                self.writer(path, np.dtype(np.uint8))

    def writer(self, path: Path, dtype: np.dtype[Any], **more: Any) -> SliceWriter:
        """What writes planes of the predicted slices to `path`; XsegError where that cannot be."""
        return create_writer(
            path,
            (len(self.slices), *self.images.shape[1:]),
            dtype,
            voxel_size=self.images.voxel_size,
            overwrite=self.overwrite,
            inputs=self.inputs(),
            **more,
        )

    def inputs(self) -> Iterator[Path]:
        """Files that the mask is made from, which it may not replace; looked up when used."""
        yield self.model.path
        yield from () if self.region is None else self.region.files
        yield from self.images.files


def predict(job: PredictJob, control: Control | None = None) -> Iterator[Event]:
    """Predict `job.slices` and write the mask, the confidence and the sidecar.

    Stopped early, the slices not reached hold the unlabelled value, and the
    sidecar names those that were. A full disk stops it too where all outputs are
    Zarr, with a warning. Memory does not grow with the number of slices. A mask that is
    gone on with stays as it was until the new one is there.

    Yields
    ------
    Event
        Message, Started, Progress after each batch, SlicesDone once its slices can
        be read (of a .zarr alone), Finished with `mpx_per_s` (from the first slice
        read to the last written) and the phase fractions.

    Raises
    ------
    XsegError
        As `PredictJob.check` says; a damaged image; a full disk that left room for no
        slice, or met a TIFF. No mask is left then.
    """
    control = control or Control()
    job.check()
    rest = open_rest(job)
    if job.threads:
        torch.set_num_threads(job.threads)
    intensity, messages = settle_intensity(
        job.model, job.images, job.slices, job.region, match=job.match_intensity
    )
    yield from messages
    device = find_device(job.device)
    predictor = Predictor(job.model.network(), device, job.precision)
    yield Started("predict", len(job.slices), describe_device(device), predictor.precision)
    work = _Work(job, predictor, intensity)
    with suppress(Left):
        yield from _written_out(work, rest, control)
        if rest is not None and is_unfinished(rest.path):
            remove_unfinished(rest.path)
        cut = work.done < len(job.slices)
        figures = work.figures(work.seconds)
        yield Finished(job.out, "stopped" if cut else "done", work.seconds, figures)


def _written_out(work: _Work, rest: Rest | None, control: Control) -> Iterator[Event]:
    """Predict, and put mask, confidence and sidecar in their places."""
    job = work.job
    if rest is not None:
        yield from rest.check_images(work.reader, control)
    # Its room is taken first, should the disk be full; it says what the mask is before that is
    # there under its name, and how it went right after.
    with atomic_path(sidecar_path(job.out)) as sidecar:
        sidecar.write_bytes(bytes(account.room(job)))
        with ExitStack() as outputs:
            work.open(outputs)
            with ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as writing:
                reading.submit(work.begin, sidecar).result()
                if rest is not None:
                    yield from work.take_over(rest, control)
                yield from work.run(reading, writing, control)
            work.fill_rest()
            yield from work.blank()
            yield from work.cut_short()
            told = work.end()
        sidecar.write_bytes(told)


@dataclass
class _Work:
    """The moving parts of one prediction."""

    job: PredictJob
    predictor: Predictor
    intensity: Intensity
    done: int = 0
    kept: int = 0
    taken: int = 0  # slices that were done before
    full: DiskFull | None = None
    counts: list[NDArray[np.int64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start, self.stop = time.perf_counter(), 0.0
        job, config = self.job, self.predictor.config
        self.shape = (job.images.shape[1], job.images.shape[2])
        self.batch = self.predictor.batch_size(self.shape)
        held = 2 * (config.context + 1) + self.batch * (AHEAD + 1)
        limit = held * 4 * 2 * self.shape[0] * self.shape[1]
        self.reader = open_reader(job.model, job.images, self.intensity, limit)

    def open(self, outputs: ExitStack) -> None:
        job, classes = self.job, self.job.model.classes
        colours = dict(zip(classes.values, classes.colours, strict=True))
        mask = job.writer(job.out, classes.file_dtype, colours=colours)
        mask.fill_value = classes.unlabelled
        self.mask = outputs.enter_context(mask)
        self.confidence: SliceWriter | None = None
        if job.confidence is not None:
            sure = job.writer(job.confidence, np.dtype(np.uint8))
            self.confidence = outputs.enter_context(sure)

    @property
    def seconds(self) -> float:
        """From the first slice read, to the last one written."""
        return (self.stop or time.perf_counter()) - self.start

    def begin(self, sidecar: Path) -> None:
        """Say what is settled: whoever finds the mask half done can go on with it."""
        self.reader.plane(self.job.slices[0])  # read and hashed once
        sure = None if self.confidence is None else self.confidence.readable
        places = (self.mask.readable, sure)
        text = account.begun(self.job, self.reader, self.intensity, self.predictor, places)
        with sidecar.open("rb+") as file:
            file.write(text)

    def end(self) -> bytes:
        """How it went, for the file beside the mask."""
        self.stop = time.perf_counter()
        figures = self.figures(self.seconds)
        told = (self.job, self.reader, self.intensity, self.predictor, self.counts, figures)
        return account.whole(*told)

    def take_over(self, rest: Rest, control: Control) -> Iterator[Event]:
        """Copy the slices that are done."""
        classes, start = self.job.model.classes, time.perf_counter()
        for plane, sure in rest.pages(self.confidence is not None):
            if control.stopped:
                raise Left
            index = classes.encode(plane, source=str(rest.path))
            self.counts.append(class_counts(index, len(classes)))
            self.mask.write(self.taken, plane.astype(classes.file_dtype))
            if self.confidence is not None and sure is not None:
                self.confidence.write(self.taken, sure)
            self.done = self.kept = self.taken = self.taken + 1
            yield Progress("read", self.taken, len(rest.done), time.perf_counter() - start)
        if self.taken and self.mask.readable is not None:
            sure_path = None if self.confidence is None else self.confidence.readable
            yield SlicesDone(self.job.slices[: self.taken], self.mask.readable, 0, sure_path)
        self.start = time.perf_counter()

    def run(
        self, reading: ThreadPoolExecutor, writing: ThreadPoolExecutor, control: Control
    ) -> Iterator[Event]:
        """Predict batch after batch; says how many are done, and which can be read."""
        slices, size = self.job.slices, self.batch
        batches: deque[Sequence[int]] = deque(
            slices[start : start + size] for start in range(self.done, len(slices), size)
        )
        ahead: deque[tuple[Sequence[int], Future[Tensor | Sequence[Channels]]]] = deque()
        behind: deque[Future[Event | None]] = deque()
        while batches or ahead:
            while batches and len(ahead) < AHEAD:
                batch = batches.popleft()
                ahead.append((batch, reading.submit(self._read, batch)))
            control.wait_if_paused()
            if control.stopped or self.full is not None:
                break
            batch, future = ahead.popleft()
            mask, certain = self.predictor.predict(
                future.result(), self.shape, confidence=self.confidence is not None
            )
            behind.append(writing.submit(self._write, batch, self.done, mask, certain))
            self.done += len(batch)
            yield from _written(behind, AHEAD)
            done, count = self.done - self.taken, len(slices) - self.taken
            yield Progress("predict", done, count, self.seconds)
        yield from _written(behind, 0)
        self.done = self.kept

    def _read(self, batch: Sequence[int]) -> Tensor | Sequence[Channels]:
        slices = [self.reader.read(z) for z in batch]
        # The processor puts the channels side by side tile by tile, in its caches.
        return slices if self.predictor.device.type == "cpu" else stack_blocks(slices)

    def _write(
        self, batch: Sequence[int], first: int, mask: Tensor, certain: Tensor | None
    ) -> Event | None:
        if self.full is not None:
            return None
        try:
            self.counts += self._put(batch, first, mask, certain)
        except DiskFull as full:
            if first == 0 or not self._go_on_when_full:
                raise
            self.full = full
            return None
        self.kept += len(batch)
        sure_path = None if self.confidence is None else self.confidence.readable
        path = self.mask.readable
        return None if path is None else SlicesDone(tuple(batch), path, first, sure_path)

    def _put(
        self, batch: Sequence[int], first: int, mask: Tensor, certain: Tensor | None
    ) -> list[NDArray[np.int64]]:
        """Write a batch, and count its pixels by class."""
        classes, counts = self.job.model.classes, []
        for place, z in enumerate(batch):
            plane: NDArray[np.uint8] = mask[place].numpy()
            outside = outside_of(self.reader, self.job.region, z)
            if outside is not None:
                plane = np.where(outside, np.uint8(IGNORE), plane)
            counts.append(class_counts(plane, len(classes)))
            self.mask.write(first + place, classes.decode(plane))
            if self.confidence is not None and certain is not None:
                sure: NDArray[np.uint8] = certain[place].numpy()
                sure = sure if outside is None else np.where(outside, np.uint8(0), sure)
                self.confidence.write(first + place, sure)
        return counts

    @property
    def _go_on_when_full(self) -> bool:
        """Whether the slices that are written can be kept: a TIFF has to be written to its end."""
        outputs = (self.mask, self.confidence)
        return all(output is None or output.readable is not None for output in outputs)

    def cut_short(self) -> Iterator[Message]:
        """What a full disk has left."""
        if self.full is not None:
            count = len(self.job.slices)
            yield Message(
                f"{self.job.out}: the disk is full; {self.done} of {count} slices are predicted "
                "and kept, the rest is unlabelled: make room, and predict the rest.",
                "warning",
            )

    def blank(self) -> Iterator[Message]:
        """How many slices hold nothing that could be predicted."""
        count = sum(not counts.any() for counts in self.counts)
        if count:
            inside = "" if self.job.region is None else " inside the region"
            yield Message(
                f"{self.job.images.name}: {count} of {self.done} slices "
                f"{'have' if count > 1 else 'has'} no finite pixel{inside}; nothing is predicted "
                "there.",
                "warning",
            )

    def fill_rest(self) -> None:
        """After a stop: the slices not reached are not labelled."""
        classes = self.job.model.classes
        blank = classes.decode(np.full(self.shape, IGNORE, np.uint8))
        for place in range(self.done, len(self.job.slices)):
            self.mask.write(place, blank)
            if self.confidence is not None:
                self.confidence.write(place, np.zeros(self.shape, np.uint8))

    @property
    def total(self) -> NDArray[np.int64]:
        """Predicted pixels (C,) by class."""
        return sum(self.counts, np.zeros(len(self.job.model.classes), np.int64))

    def figures(self, seconds: float) -> dict[str, float]:
        """Speed and phase fractions."""
        pixels = (self.done - self.taken) * self.shape[0] * self.shape[1]
        shares = account.shares(self.job.model.classes.names, self.total)
        return {
            "mpx_per_s": pixels / max(seconds, 1e-9) / 1e6,
            **{f"fraction.{name}": share for name, share in shares.items()},
        }


def _written(behind: deque[Future[Event | None]], most: int) -> Iterator[Event]:
    """What has been written, waiting where more than `most` writes are under way."""
    while behind and (len(behind) > most or behind[0].done()):
        event = behind.popleft().result()
        if event is not None:
            yield event

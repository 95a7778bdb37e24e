"""Predict the slices of a volume into a mask file: read, compute and write at the same time."""

from __future__ import annotations

import json
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_xseg.data.coding import IGNORE
from napari_xseg.data.intensity import Intensity, measure_intensity
from napari_xseg.data.jsontext import json_text
from napari_xseg.data.planes import ContextReader
from napari_xseg.data.writing import SliceWriter, atomic_path, create_writer
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Finished, Message, Progress, Started
from napari_xseg.metrics import class_counts, fractions
from napari_xseg.model.device import describe_device, find_device
from napari_xseg.prediction.predictor import Predictor, blocks_of, stack_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_xseg.config import Precision
    from napari_xseg.data.region import Region
    from napari_xseg.data.volume import Volume
    from napari_xseg.model.checkpoint import SavedModel

# Slices looked at to see whether their grey values are those the model knows.
SAMPLED = 8
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
        if self.model.config.channels != 1:
            raise XsegError(
                f"{self.model.path}: wants {self.model.config.channels} values a pixel, "
                f"{self.images.name} has one; use a model trained on such images."
            )
        if self.region is not None:
            self.region.check(self.images.shape)
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


def sidecar_path(mask: str | Path) -> Path:
    """The file beside a mask that says how it came to be."""
    mask = Path(mask)
    return mask.with_name(mask.name + ".json")


def read_sidecar(mask: str | Path) -> dict[str, Any] | None:
    """What the sidecar of `mask` says; None where there is none that can be read."""
    try:
        found = json.loads(sidecar_path(mask).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def predict(job: PredictJob, control: Control | None = None) -> Iterator[Event]:
    """Predict `job.slices` and write the mask, the confidence and the sidecar.

    Stopped early, the slices not reached hold the unlabelled value, and the
    sidecar names those that were. Memory does not grow with their number.

    Yields
    ------
    Event
        Message, Started, Progress after each batch, Finished with `mpx_per_s`
        (from the first slice read to the last written) and the phase fractions.

    Raises
    ------
    XsegError
        As `PredictJob.check` says; a damaged image; a full disk. No mask is left then.
    """
    control = control or Control()
    job.check()
    if job.threads:
        torch.set_num_threads(job.threads)
    intensity, messages = _settle_intensity(job)
    yield from messages
    device = find_device(job.device)
    predictor = Predictor(job.model.network(), device, job.precision)
    yield Started("predict", len(job.slices), describe_device(device), predictor.precision)
    start = time.perf_counter()
    work = _Work(job, predictor, intensity)
    with ExitStack() as outputs:
        # Written before the mask takes its place, so that none stands without it.
        sidecar = outputs.enter_context(atomic_path(sidecar_path(job.out)))
        work.open(outputs)
        with ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as writing:
            for done in work.run(reading, writing, control):
                yield Progress("predict", done, len(job.slices), time.perf_counter() - start)
        work.fill_rest()
        seconds = time.perf_counter() - start
        figures = work.figures(seconds)
        sidecar.write_bytes(_sidecar_text(job, work, predictor, figures).encode())
    yield Finished(job.out, "stopped" if work.done < len(job.slices) else "done", seconds, figures)


@dataclass
class _Work:
    """The moving parts of one prediction."""

    job: PredictJob
    predictor: Predictor
    intensity: Intensity
    done: int = 0
    counts: list[NDArray[np.int64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        job, config = self.job, self.predictor.config
        self.shape = (job.images.shape[1], job.images.shape[2])
        self.batch = self.predictor.batch_size(self.shape)
        held = 2 * (config.context + 1) + self.batch * (AHEAD + 1)
        limit = held * 4 * 2 * self.shape[0] * self.shape[1]
        self.reader = ContextReader(
            job.images,
            self.intensity,
            config.context,
            limit,
            lambda plane: blocks_of(plane, config),
        )

    def open(self, outputs: ExitStack) -> None:
        job, classes = self.job, self.job.model.classes
        colours = dict(zip(classes.values, classes.colours, strict=True))
        self.mask = outputs.enter_context(job.writer(job.out, classes.file_dtype, colours=colours))
        self.confidence: SliceWriter | None = None
        if job.confidence is not None:
            sure = job.writer(job.confidence, np.dtype(np.uint8))
            self.confidence = outputs.enter_context(sure)

    def run(
        self, reading: ThreadPoolExecutor, writing: ThreadPoolExecutor, control: Control
    ) -> Iterator[int]:
        """Predict batch after batch; gives the number of slices written or being written."""
        slices, size = self.job.slices, self.batch
        batches: deque[Sequence[int]] = deque(
            slices[start : start + size] for start in range(0, len(slices), size)
        )
        ahead: deque[tuple[Sequence[int], Future[Tensor]]] = deque()
        behind: deque[Future[None]] = deque()
        while batches or ahead:
            while batches and len(ahead) < AHEAD:
                batch = batches.popleft()
                ahead.append((batch, reading.submit(self._read, batch)))
            control.wait_if_paused()
            if control.stopped:
                break
            batch, future = ahead.popleft()
            mask, certain = self.predictor.predict(
                future.result(), self.shape, confidence=self.confidence is not None
            )
            behind.append(writing.submit(self._write, batch, self.done, mask, certain))
            self.done += len(batch)
            while len(behind) > AHEAD:
                behind.popleft().result()
            yield self.done
        for written in behind:
            written.result()

    def _read(self, batch: Sequence[int]) -> Tensor:
        return stack_blocks([self.reader.read(z) for z in batch])

    def _write(
        self, batch: Sequence[int], first: int, mask: Tensor, certain: Tensor | None
    ) -> None:
        classes = self.job.model.classes
        for place, z in enumerate(batch):
            plane: NDArray[np.uint8] = mask[place].numpy()
            outside = self._outside(z)
            if outside is not None:
                plane = np.where(outside, np.uint8(IGNORE), plane)
            self.counts.append(class_counts(plane, len(classes)))
            self.mask.write(first + place, classes.decode(plane))
            if self.confidence is not None and certain is not None:
                sure: NDArray[np.uint8] = certain[place].numpy()
                sure = sure if outside is None else np.where(outside, np.uint8(0), sure)
                self.confidence.write(first + place, sure)

    def _outside(self, z: int) -> NDArray[np.bool_] | None:
        """Where slice `z` is not to be predicted; None where it is everywhere."""
        inside = None if self.job.region is None else self.job.region.mask(z, self.shape)
        finite = self.reader.finite(z)
        if inside is None or finite is None:
            known = inside if finite is None else finite
            return None if known is None else ~known
        return ~(inside & finite)

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
        pixels = self.done * self.shape[0] * self.shape[1]
        shares = _shares(self.job.model.classes.names, self.total)
        return {
            "mpx_per_s": pixels / max(seconds, 1e-9) / 1e6,
            **{f"fraction.{name}": share for name, share in shares.items()},
        }


def _settle_intensity(job: PredictJob) -> tuple[Intensity, list[Message]]:
    """What normalises the images, and what the user should know about their grey values."""
    known = job.model.intensity
    step = max(1, len(job.slices) // SAMPLED)
    found = measure_intensity(job.images, job.slices[::step], job.region, skip_empty=True)
    if job.match_intensity:
        text = (
            f"{job.images.name}: grey values {found.low:.5g} to {found.high:.5g} are mapped onto "
            f"{known.low:.5g} to {known.high:.5g} of the training images."
        )
        return known.matched(found), [Message(text)]
    warning = known.far_off(found)
    messages = [] if warning is None else [Message(f"{job.images.name}: {warning}", "warning")]
    if job.model.config.context and not job.images.has_neighbours:
        text = f"{job.images.name}: no neighbouring slices are known, each slice stands for them."
        messages.append(Message(text))
    return known, messages


def _sidecar_text(
    job: PredictJob, work: _Work, predictor: Predictor, figures: dict[str, float]
) -> str:
    classes, predicted = job.model.classes, job.slices[: work.done]
    rows = [
        {"z": z, **_shares(classes.names, counts)}
        for z, counts in zip(predicted, work.counts, strict=True)
    ]
    content = {
        "model": job.model.identity,
        "model_file": str(job.model.path),
        "input": work.reader.sha256(predicted),
        "images": job.images.uri,
        "slices": list(predicted),
        "complete": work.done == len(job.slices),
        "classes": classes.to_dict(),
        "settings": {
            "match_intensity": job.match_intensity,
            "intensity": work.intensity.to_dict(),
            "region": None if job.region is None else job.region.text,
            "device": str(predictor.device),
            "precision": predictor.precision,
        },
        "figures": figures,
        "fractions": {
            "pooled": {name: figures[f"fraction.{name}"] for name in classes.names},
            "slices": rows,
        },
        "pixels": {
            **dict(zip(classes.names, map(int, work.total), strict=True)),
            "unlabelled": len(job.slices) * work.shape[0] * work.shape[1] - int(work.total.sum()),
        },
        "command": job.command,
        "confidence": None if job.confidence is None else str(job.confidence),
    }
    return json_text(content, indent=1) + "\n"


def _shares(names: Sequence[str], counts: NDArray[np.int64]) -> dict[str, float]:
    return {name: float(share) for name, share in zip(names, fractions(counts), strict=True)}

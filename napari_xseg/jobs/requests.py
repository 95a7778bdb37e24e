"""What is asked of a job: frozen, without torch, and JSON all through."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast
from uuid import uuid4

from pydantic import Field

from napari_xseg.config import Precision, Settings, TrainConfig
from napari_xseg.data.region import parse_region
from napari_xseg.data.writing import atomic_path
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Crops, Devices, Event, Message, Started
from napari_xseg.jobs.sources import Source
from napari_xseg.jobs.splits import Labelled, Slices, SplitWish, named_slices, open_labelled
from napari_xseg.jobs.wire import encode_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_xseg.data.volume import Volume
    from napari_xseg.prediction.volume import PredictJob
    from napari_xseg.training.job import TrainJob

Threads = Annotated[int, Field(ge=1)]
# By shape of the network and device: timed once in the life of a process.
_FASTER: dict[tuple[str, str], Precision] = {}


class Request(Settings):
    """A job as a value. A new kind is a new class: the engine finds it by its name."""

    @abstractmethod
    def run(self, control: Control | None = None) -> Iterator[Event]:
        """Do the job in this process and say how it goes."""

    def plain(self, control: Control | None = None) -> Iterator[dict[str, Any]]:
        """Do the job in this process; its events as JSON values."""
        for event in self.run(control):
            yield encode_event(event)

    @classmethod
    def address(cls) -> str:
        """Where the class is found: "module:name"."""
        return f"{cls.__module__}:{cls.__qualname__}"


class LabelledRequest(Request):
    """What is learnt from, and how.

    Attributes
    ----------
    images, labels : FileSource or ArrayFile
        What is learnt from.
    config : TrainConfig
        The recipe.
    classes : dict, optional
        The class table as `ClassTable.to_dict` gives it; without it the label
        values are the classes.
    unlabelled : int or "none", optional
        The label value that means not labelled.
    label_of : dict of int to int, optional
        Label z by image z; without it `pairing` says how they are found.
    split : dict, optional
        The split as `Split.to_dict` gives it; without it, `wish` says how to split.
    region : str
        As `parse_region` takes it; empty for everything.
    seed : int
        Of all that is drawn at random.
    """

    images: Source
    labels: Source
    config: TrainConfig
    classes: dict[str, Any] | None = None
    unlabelled: int | Literal["none"] | None = None
    pairing: str = "auto"
    label_of: dict[int, int] | None = None
    split: dict[str, Any] | None = None
    wish: SplitWish = SplitWish()
    region: str = ""
    seed: int = 0

    def job_on(self, data: Labelled, out: Path, **settings: Any) -> TrainJob:
        """A training on the opened data; `settings` are further fields of TrainJob."""
        from napari_xseg.training.job import TrainJob

        return TrainJob(
            images=data.images,
            labels=data.labels,
            label_of=data.pairing.label_of,
            split=data.split,
            config=self.config,
            out=out,
            region=data.region,
            seed=self.seed,
            **settings,
        )


class TrainRequest(LabelledRequest):
    """A training.

    Attributes
    ----------
    out : Path
        The run folder.
    steps, time_limit, device, precision, threads, resume, overwrite, command, parent
    match_intensity, origins
        As TrainJob has them.
    """

    out: Path
    steps: Annotated[int, Field(ge=1)] | None = None
    time_limit: Annotated[float, Field(gt=0)] | None = None
    device: str = "auto"
    precision: Precision = "auto"
    threads: Threads | None = None
    resume: bool = False
    overwrite: bool = False
    command: str = ""
    parent: Path | None = None
    match_intensity: bool = False
    origins: dict[str, int] = Field(default_factory=dict)

    def job(self, data: Labelled) -> TrainJob:
        """The job on the opened data."""
        own = set(TrainRequest.model_fields) - set(LabelledRequest.model_fields)
        settings = {name: getattr(self, name) for name in own}
        return self.job_on(data, **settings, open_images=_open_images)

    def run(self, control: Control | None = None) -> Iterator[Event]:
        """Train in this process; events and errors as `training.loop.train`."""
        from napari_xseg.training.loop import train

        data = open_labelled(self)
        yield from data.messages()
        with _threads_kept():
            yield from train(self.job(data), control)


class AugmentationRequest(LabelledRequest):
    """Crops as a training would see them, varied and with noise, to be looked at.

    Attributes
    ----------
    folder : Path
        Where the file of crops is written.
    count : int
        How many; another `seed` gives others.
    """

    folder: Path
    count: Annotated[int, Field(ge=1, le=64)] = 9

    def run(self, control: Control | None = None) -> Iterator[Event]:
        """Say one Crops.

        Raises
        ------
        XsegError
            Data that cannot be trained on; a folder that cannot be written.
        """
        from napari_xseg.training.crops import draw_crops

        del control
        data = open_labelled(self)
        images, labels = draw_crops(self.job_on(data, self.folder, steps=1), self.count)
        path = self.folder / f"crops-{uuid4().hex}.raw"
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            file.write(images.astype("<f4").tobytes())
            file.write(labels.tobytes())
        count, height, width = labels.shape
        yield Crops(path, (count, height, width))


class PredictRequest(Request):
    """A prediction.

    Attributes
    ----------
    model : Path
        A run folder, or a model file.
    images : FileSource or ArrayFile
        What is predicted.
    out : Path
        The mask, .tif or .zarr.
    slices : tuple of int or str, optional
        z, or text such as "160:200"; without it, all.
    region : str
        As `parse_region` takes it; empty for everything.
    confidence, match_intensity, device, precision, threads, overwrite, command, rest_of
        As PredictJob has them.
    """

    model: Path
    images: Source
    out: Path
    slices: Slices | None = None
    confidence: Path | None = None
    match_intensity: bool = False
    region: str = ""
    device: str = "auto"
    precision: Precision = "auto"
    threads: Threads | None = None
    overwrite: bool = False
    command: str = ""
    rest_of: Path | None = None

    def job(self) -> PredictJob:
        """Open what is named; XsegError for all that cannot be read or does not fit."""
        from napari_xseg.model.checkpoint import load_model
        from napari_xseg.prediction.volume import PredictJob

        if self.confidence is not None and self.confidence.absolute() == self.out.absolute():
            raise XsegError(f"{self.out}: is named for mask and confidence; give two files.")
        region = parse_region(self.region)
        images = self.images.open()
        chosen = named_slices(self.slices, len(images), "slices")
        return PredictJob(
            model=load_model(self.model),
            images=images,
            slices=tuple(range(len(images))) if chosen is None else chosen,
            out=self.out,
            confidence=self.confidence,
            match_intensity=self.match_intensity,
            region=region,
            device=self.device,
            precision=self.precision,
            threads=self.threads,
            overwrite=self.overwrite,
            command=self.command,
            rest_of=self.rest_of,
        )

    def run(self, control: Control | None = None) -> Iterator[Event]:
        """Predict in this process; events and errors as `prediction.volume.predict`."""
        from napari_xseg.prediction.volume import predict

        job = self.job()
        yield from (Message(text, "warning") for text in job.images.warnings)
        kind = (job.model.config.model_dump_json(), self.device)
        if self.precision == "auto" and kind in _FASTER:
            job = replace(job, precision=_FASTER[kind])
        with _threads_kept():
            for event in predict(job, control):
                if self.precision == "auto" and isinstance(event, Started):
                    _FASTER[kind] = cast("Precision", event.precision)
                yield event


class WarmUp(Request):
    """Load all that jobs need, so that the first one starts at once."""

    def run(self, control: Control | None = None) -> Iterator[Event]:
        """Import torch and the rooms that compute; says the Devices that are here."""
        from napari_xseg.model.device import describe_device, find_device, list_devices
        from napari_xseg.prediction import volume
        from napari_xseg.training import learner, loop

        del volume, loop, control
        names = tuple(list_devices())
        yield Devices(names, tuple(describe_device(find_device(name)) for name in names))
        learner.warm_up()


class _Shown(Settings):
    images: Source


def _open_images(values: dict[str, Any]) -> Volume:
    return _Shown.from_dict({"images": values}, "images looked at").images.open()


@contextmanager
def _threads_kept() -> Iterator[None]:
    """A job's number of threads is not that of the next one in the same process."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)

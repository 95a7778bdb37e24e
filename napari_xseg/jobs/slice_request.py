"""One slice predicted at once, for whoever looks at it; model and images are kept for the next."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, Self, TypeVar

from pydantic import Field

from napari_xseg.config import Precision
from napari_xseg.data.formats.atomic import writing_to
from napari_xseg.data.formats.opening import split_path
from napari_xseg.data.region import parse_region
from napari_xseg.errors import XsegError
from napari_xseg.events import Box, Control, Event, Message, Preview
from napari_xseg.jobs import requests
from napari_xseg.jobs.requests import Request, Threads
from napari_xseg.jobs.sources import FileSource, Source
from napari_xseg.model.metadata import find_model

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from napari_xseg.data.intensity import Intensity
    from napari_xseg.data.planes import ContextReader
    from napari_xseg.data.region import Region
    from napari_xseg.data.volume import Volume
    from napari_xseg.jobs.sources import ArrayFile
    from napari_xseg.model.checkpoint import SavedModel
    from napari_xseg.prediction.predictor import Predictor
    from napari_xseg.prediction.slices import SlicePredictor

Kept = TypeVar("Kept")
# Bytes of normalised slices kept for each of the volumes looked at last.
PLANES = 256 << 20


class Shelf(Generic[Kept]):
    """The `size` things asked for last, by key; others are made again."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: OrderedDict[Hashable, Kept] = OrderedDict()

    def take(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """What is kept for `key`, made where it is not."""
        if key not in self._held:
            self._held[key] = make()
        self._held.move_to_end(key)
        while len(self._held) > self._size:
            self._held.popitem(last=False)
        return self._held[key]

    def clear(self) -> None:
        """Keep nothing."""
        self._held.clear()


class Told:
    """What has been said already."""

    def __init__(self) -> None:
        self._keys: set[Hashable] = set()

    def first_time(self, key: Hashable, what: Sequence[Any]) -> Sequence[Any]:
        """`what` where `key` is new, else nothing."""
        if key in self._keys:
            return ()
        self._keys.add(key)
        return what


class SliceRequest(Request):
    """One slice, or a part of it, predicted as a prediction of the volume would.

    Attributes
    ----------
    model : Path
        A run folder, or a model file.
    images : FileSource or ArrayFile
        What is predicted. Files are kept open for the next request, arrays are not.
    z : int
        The slice.
    box : (int, int, int, int), optional
        Top, bottom, left and right of the part wanted, half open; what reaches
        outside is left out. Without it, all of the slice.
    folder : Path
        Where the raw file goes; who asks for it owns it.
    match_intensity : bool
        As PredictJob has it. Of a file, some slices of the whole volume are
        measured, of an array that is there in parts, the planes given first.
    region : str
        As `parse_region` takes it; empty for everything.
    confidence : bool
        Whether to write the probabilities too: a second raw file of uint8, 255 for
        certain, beside the first with ".confidence" added to its name.
    device, precision, threads
        As PredictJob has them.
    """

    model: Path
    images: Source
    z: Annotated[int, Field(ge=0)]
    box: tuple[int, int, int, int] | None = None
    folder: Path
    match_intensity: bool = False
    region: str = ""
    device: str = "auto"
    precision: Precision = "auto"
    threads: Threads | None = None
    confidence: bool = False

    def run(self, control: Control | None = None) -> Iterator[Event]:
        """Predict in this process.

        Yields
        ------
        Event
            One Preview of the box, of step 0; none where nothing of the slice lies
            in the box, or a stop came first. Messages about images and their grey
            values, once for each model and images.

        Raises
        ------
        XsegError
            A model or image that cannot be read, images that do not fit the model,
            a slice that is not there, a full disk.
        """
        from napari_xseg.prediction.predictor import Stopped

        control = control or Control()
        start = time.perf_counter()
        with requests._threads_kept():
            ready = _Ready.of(self)
            box = ready.inside(self.z, self.box)
            if box is None or control.stopped:
                return
            messages = ready.messages()
            if self.match_intensity:
                yield from messages
            try:
                path = self._written(ready, box, control)
            except Stopped:
                return
            yield Preview(self.z, box, path, 0, time.perf_counter() - start)
            # Measuring takes longer than predicting, so it comes after.
            yield from messages

    def _written(self, ready: _Ready, box: Box, control: Control) -> Path:
        """Predict the box and write it to a fresh file."""
        mask, certain = ready.predictor().predict(
            self.z, box, confidence=self.confidence, control=control
        )
        path = self.folder / f"slice-{self.z}-{secrets.token_hex(4)}"
        with writing_to(path):
            path.write_bytes(mask.data)
            if certain is not None:
                path.with_name(f"{path.name}.confidence").write_bytes(certain.data)
        return path


@dataclass(frozen=True, eq=False)
class _Ready:
    """A request with its model and images, as they were kept or are opened here."""

    asked: SliceRequest
    model: SavedModel
    fast: Predictor
    images: Volume
    region: Region
    key: tuple[Hashable, ...]

    @classmethod
    def of(cls, asked: SliceRequest) -> Self:
        import torch

        if asked.threads:
            torch.set_num_threads(asked.threads)
        model_key = _model_key(asked)
        model, fast = _MODELS.take(model_key, lambda: _open_model(asked))
        images_key = _images_key(asked.images)
        images = (
            _VOLUMES.take(images_key, asked.images.open)
            if isinstance(asked.images, FileSource)
            else asked.images.open()
        )
        region = parse_region(asked.region)
        return cls(asked, model, fast, images, region, (model_key, images_key))

    def inside(self, z: int, box: Box | None) -> Box | None:
        """The part of the box that the slice has; XsegError where slice or model do not fit."""
        from napari_xseg.prediction.slices import check_fits

        depth, height, width = self.images.shape
        if z >= depth:
            raise XsegError(
                f"{self.images.name}: has the slices 0 to {depth - 1}, slice {z} is not among "
                "them; choose another."
            )
        check_fits(self.model, self.images, self.region)
        top, bottom, left, right = box or (0, height, 0, width)
        top, bottom = max(top, 0), min(bottom, height)
        left, right = max(left, 0), min(right, width)
        return (top, bottom, left, right) if top < bottom and left < right else None

    def predictor(self) -> SlicePredictor:
        """What predicts slices of these images, with the planes that it has read."""
        from napari_xseg.prediction.slices import SlicePredictor

        intensity = self.settled()[0] if self.asked.match_intensity else self.model.intensity
        if isinstance(self.asked.images, FileSource):
            reader = _READERS.take((self.key, intensity), lambda: self._reader(intensity))
        else:
            reader = self._reader(intensity)
        return SlicePredictor(self.fast, reader, self.region)

    def messages(self) -> Iterator[Message]:
        """What the user should know of these images, said the first time alone."""
        for text in _TOLD.first_time((self.key, "images"), self.images.warnings):
            yield Message(text, "warning")
        if _TOLD.first_time((self.key, self.asked.match_intensity), (True,)):
            yield from self.settled()[1]

    def settled(self) -> tuple[Intensity, list[Message]]:
        """The grey values of some slices, measured once."""
        from napari_xseg.prediction.slices import settle_intensity

        asked = self.asked
        planes = None if isinstance(asked.images, FileSource) else asked.images.planes
        slices = range(len(self.images)) if planes is None else planes
        return _INTENSITIES.take(
            (self.key, asked.match_intensity, asked.region),
            lambda: settle_intensity(
                self.model, self.images, slices, self.region, match=asked.match_intensity
            ),
        )

    def _reader(self, intensity: Intensity) -> ContextReader:
        from napari_xseg.prediction.slices import open_reader

        _, height, width = self.images.shape
        one = 8 * height * width  # the slice as blocks, its edges mirrored
        limit = max(PLANES, (2 * self.model.config.context + 2) * one)
        return open_reader(self.model, self.images, intensity, limit, digests=False)


def _model_key(asked: SliceRequest) -> tuple[Hashable, ...]:
    path = find_model(asked.model).resolve()
    return (path, *_stamp(path), asked.device, asked.precision)


def _images_key(source: FileSource | ArrayFile) -> tuple[Hashable, ...]:
    if isinstance(source, FileSource):
        return (source, *_stamp(split_path(source.path)[0]))
    # The file of an array is another for each request; its name tells whose planes these are.
    return (source.file.parent, source.name, source.shape, source.dtype, source.neighbours)


def _stamp(path: Path) -> tuple[int, int]:
    """What changes with the file: its time and size."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _open_model(asked: SliceRequest) -> tuple[SavedModel, Predictor]:
    from napari_xseg.model.checkpoint import load_model
    from napari_xseg.model.device import find_device
    from napari_xseg.prediction.predictor import Predictor

    model = load_model(asked.model)
    device = find_device(asked.device)
    kind = (model.config.model_dump_json(), asked.device)
    precision = asked.precision
    if precision == "auto":
        precision = requests._FASTER.get(kind, precision)
    predictor = Predictor(model.network(), device, precision)
    if asked.precision == "auto":  # masks of slices and of volumes are the same
        requests._FASTER[kind] = predictor.precision
    return model, predictor


_MODELS: Shelf[tuple[SavedModel, Predictor]] = Shelf(2)
_VOLUMES: Shelf[Volume] = Shelf(2)
_READERS: Shelf[ContextReader] = Shelf(2)
_INTENSITIES: Shelf[tuple[Intensity, list[Message]]] = Shelf(16)
_TOLD = Told()

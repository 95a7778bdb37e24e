"""A prediction: what is asked for, and the mask that appears while it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_xseg.data.runs_list import split_name
from napari_xseg.events import Finished, Message, Progress, SlicesDone
from napari_xseg.gui.predict.kept_masks import (
    CONFIDENCE,
    SECOND,
    kept_mask,
    mask_title,
    model_label,
)
from napari_xseg.gui.predict.mask_layers import FilePlanes, layers_on
from napari_xseg.gui.telling import FLAG
from napari_xseg.jobs import EngineDied, PredictRequest
from napari_xseg.model.metadata import MODEL_FILE, ModelInfo

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Image, Labels, Layer

    from napari_xseg.events import Event
    from napari_xseg.gui.images import Images
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Job

COMMAND = "napari-xseg, Predict dock"


@dataclass(frozen=True)
class PredictOptions:
    """How slices are predicted.

    Attributes
    ----------
    confidence : bool
        Whether the probability of each pixel's class is kept too.
    match_intensity : bool
        Map the grey values onto those of the training images.
    region : str
        As `parse_region` takes it; empty for everything.
    device : str
        "auto", or a name such as "cuda:0".
    """

    confidence: bool = False
    match_intensity: bool = False
    region: str = ""
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class PredictPlan:
    """One prediction as it was asked for; later changes of the session do not touch it.

    Attributes
    ----------
    model : Path
        A run folder or a model file.
    info : ModelInfo
        What it says of itself.
    images : Images
        What is predicted.
    slices : tuple of int
        z, in the order of the mask's pages.
    out : Path
        The mask, .tif or .zarr.
    options : PredictOptions
    folder : Path
        The engine's, for slices that lie in memory.
    overwrite : bool
        Whether an older mask may be replaced.
    rest_of : Path, optional
        A mask that was cut short, whose done slices are taken over.
    """

    model: Path
    info: ModelInfo
    images: Images
    slices: tuple[int, ...]
    out: Path
    options: PredictOptions
    folder: Path
    overwrite: bool = False
    rest_of: Path | None = None

    @property
    def title(self) -> str:
        """What people call the mask."""
        images = self.images
        return mask_title(model_label(self.info.path), images.name, self.slices, images.shape[0])

    @property
    def confidence(self) -> Path | None:
        """Where the confidences go; None where none are wanted."""
        if not self.options.confidence:
            return None
        return self.out.with_name(f"{self.out.stem}{CONFIDENCE}{self.out.suffix}")

    def request(self) -> PredictRequest:
        """Copy slices that lie in memory and give the request; call it in a background thread.

        Raises
        ------
        XsegError
            Slices that cannot be read; a full disk.
        """
        import zarr  # the window reads the unfinished mask: loaded here, it does not wait for it

        del zarr
        return PredictRequest(
            model=self.model,
            images=self.images.for_job(self.slices, self.info.context, self.folder),
            out=self.out,
            slices=self.slices,
            confidence=self.confidence,
            match_intensity=self.options.match_intensity,
            region=self.options.region,
            device=self.options.device,
            overwrite=self.overwrite,
            command=COMMAND,
            rest_of=self.rest_of,
        )


class Prediction:
    """A prediction under way, or over: how far it is, and its layers.

    Attributes
    ----------
    plan : PredictPlan
    job : Job
    image : Image or None
        The layer that is predicted, where one is.
    layer : Labels or None
        The mask, from its first slice on.
    done, kept : int
        Slices predicted; slices of the mask that are written, with those that were before.
    seconds : float
        Since the first was read.
    off_grey_values : str
        The engine's warning where the grey values are far off; empty otherwise.
    """

    changed = Signal()

    def __init__(self, session: Session, plan: PredictPlan, image: Image | None) -> None:
        self.plan = plan
        self.layer: Labels | None = None
        self.confidence: Layer | None = None
        self.done = 0
        self.kept = 0
        self.seconds = 0.0
        self.off_grey_values = ""
        self._session = session
        self.image = image
        self._shown = False
        self._left = False
        self._planes = self._file_planes(plan.out, classes=True)
        self._sure = None if plan.confidence is None else self._file_planes(plan.confidence)
        self.job: Job = session.jobs.run(f"Predicting {plan.images.name}", plan.request)
        # The job holds this object by these: a dock may be closed meanwhile.
        self.job.events.connect(lambda events: self._hear(events))
        self.job.ended.connect(lambda: self._end())
        session.closed.connect(self._leave)

    @property
    def megapixels_per_second(self) -> float:
        """Speed so far; 0 before the first slice."""
        _, height, width = self.plan.images.shape
        return self.done * height * width / 1e6 / self.seconds if self.seconds > 0 else 0.0

    @property
    def path(self) -> Path:
        """Where the mask is: under a hidden name until its end, and where it has none."""
        return self._planes.path

    @property
    def fractions(self) -> dict[str, float]:
        """Share of the predicted pixels by class name, once it is over."""
        finished = self.job.finished
        figures = {} if finished is None else finished.figures
        names = self.plan.info.classes.names
        return {
            name: figures[f"fraction.{name}"] for name in names if f"fraction.{name}" in figures
        }

    def _file_planes(self, path: Path, *, classes: bool = False) -> FilePlanes:
        return FilePlanes(
            self.plan.images.shape,
            self.plan.slices,
            path,
            classes=self.plan.info.classes if classes else None,
            written=False,
            on_fault=self._session.show_error,
        )

    def _leave(self) -> None:
        """The window is closing: its layers are no more to be touched."""
        self._left = True

    def _hear(self, events: list[Event]) -> None:
        if self._left:
            return
        for event in events:
            match event:
                case Progress(what="predict", done=done, seconds=seconds):
                    self.done, self.seconds = done, seconds
                case SlicesDone():
                    self._take(event)
                case Message(text=text, level="warning"):
                    self._warn(text)
        self.changed.emit()

    def _warn(self, text: str) -> None:
        if FLAG in text:
            self.off_grey_values = text.replace(FLAG, "")
        else:
            self._session.warn(text)

    def _take(self, event: SlicesDone) -> None:
        self._planes.add(event.slices, event.path)
        self.kept = len(self._planes.known)
        if self._sure is not None and event.confidence is not None:
            self._sure.add(event.slices, event.confidence)
        if not self._shown:
            self._show()
        else:
            self._refresh(set(event.slices))

    def _show(self) -> None:
        """Add the layers, once: the user may take them away again."""
        session, plan = self._session, self.plan
        self._shown = True
        if plan.rest_of is not None:
            session.layers.remove(*layers_on(session, kept_mask(plan.rest_of)))
        if self.image not in session.layers:
            return
        if self._sure is not None:
            name, path = layer_name(session, "confidence", plan.title), str(plan.confidence)
            self.confidence = add_confidence(session, self._sure, name, self.image, path=path)
        self.layer = session.layers.add_classes(
            self._planes,
            plan.info.classes,
            kind="mask",
            name=layer_name(session, "mask", plan.title, plan.out),
            image=self.image,
            path=str(plan.out),
            model=plan.info.identity,
        )

    def _refresh(self, slices: set[int] | None = None) -> None:
        """Draw the layers anew where the slice in view is among `slices`; None for any."""
        for layer in (self.layer, self.confidence):
            if layer in self._session.layers and layer is not None:
                z = self._session.slice_of(layer)
                if slices is None or z in slices:
                    self._session.layers.refresh(layer)

    def _end(self) -> None:
        error = self.job.error
        if self._left:
            return
        if self.job.finished is not None:
            self._finish(self.job.finished)
        elif isinstance(error, EngineDied) and self._planes.known and self._planes.path.exists():
            self._refresh()  # what is written can still be looked at
        else:
            self._session.layers.remove(self.layer, self.confidence)
        if isinstance(error, EngineDied) and error.asked:
            self._session.notify(str(error))
        elif error is not None:
            self._session.show_error(error)
        self.changed.emit()

    def _finish(self, finished: Finished) -> None:
        self._planes.finish()
        if self._sure is not None:
            self._sure.finish()
        if not self._shown and finished.reason == "done":
            self._show()  # a TIFF, which cannot be read before its end
        self._refresh()


def layer_name(session: Session, kind: str, title: str, path: Path | None = None) -> str:
    """A name for the layer of a mask file: with the time of the mask where it is taken already."""
    name = f"{kind} {title}"
    if path is not None and any(layer.name == name for layer in session.viewer.layers):
        return f"{name} {kept_mask(path).made:{SECOND}}"
    return name


def model_name(info: ModelInfo) -> str:
    """What the user calls a model."""
    return split_name(info.path.parent)[1] if info.path.name == MODEL_FILE else info.name


def add_confidence(
    session: Session, planes: Any, name: str, image: Image | None, **metadata: Any
) -> Image:
    """Add a layer of probabilities (z, y, x) uint8, 255 for certain.

    It is hidden: it would lie over image and masks. `metadata` is what it says of itself.
    """
    return session.layers.add_image(
        planes,
        kind="confidence",
        name=name,
        image=image,
        colormap="magma",
        contrast_limits=(0, 255),
        visible=False,
        metadata=metadata,
    )

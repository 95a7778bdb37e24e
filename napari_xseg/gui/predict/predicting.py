"""The predictions of a viewer: one of a volume at a time, and slices one by one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_xseg.data.slices import format_slices
from napari_xseg.errors import XsegError
from napari_xseg.events import Message, Preview
from napari_xseg.gui.layers import KEY, Kind
from napari_xseg.gui.live import read_preview
from napari_xseg.gui.planes import PreviewPlanes
from napari_xseg.gui.predict.kept_masks import (
    CONFIDENCE,
    KeptMask,
    kept_masks,
    mask_title,
    model_label,
)
from napari_xseg.gui.predict.mask_layers import planes_kept
from napari_xseg.gui.predict.prediction import (
    Prediction,
    PredictOptions,
    PredictPlan,
    add_confidence,
    model_name,
)
from napari_xseg.gui.predict.recent_models import remember_model
from napari_xseg.gui.predict.rest import rest_plan
from napari_xseg.gui.telling import FLAG
from napari_xseg.jobs.slice_request import SliceRequest
from napari_xseg.metrics import class_counts
from napari_xseg.model.metadata import ModelInfo, read_model_info
from napari_xseg.prediction import account

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Image

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.project import Project
    from napari_xseg.events import Event
    from napari_xseg.gui.images import Images
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Job


@dataclass(frozen=True)
class SliceShares:
    """The shares of the classes in one slice, and which slice that is in words."""

    of: str
    classes: ClassTable
    shares: dict[str, float]


class Predictions:
    """The predictions of a session: one of a volume at a time, and single slices."""

    changed = Signal()
    finished = Signal()  # one of a volume is over
    slice_shown = Signal()  # that was asked for, with its shares

    def __init__(self, session: Session) -> None:
        self._session = session
        self.current: Prediction | None = None
        self.last: Prediction | None = None
        self.looking: Job | None = None
        self.looking_at = 0
        self.slice_note = ""
        self.slice_shares: SliceShares | None = None
        self._told_of: set[Path] = set()  # projects whose masks that are not whole were told of
        self.off_grey_values = ""
        self._notes_slice = False  # whether the slice under way is still what was asked for last
        session.image_changed.connect(self._forget_slice)
        session.model_changed.connect(self._forget_slice)
        session.project_changed.connect(self._tell_of_rests)
        self._tell_of_rests()

    # -- volumes ------------------------------------------------------------

    def start(
        self,
        slices: tuple[int, ...],
        options: PredictOptions,
        *,
        layer: Image | None = None,
        images: Images | None = None,
        out: Path | None = None,
        overwrite: bool = False,
    ) -> Prediction:
        """Predict slices into a mask on disk, shown while it is made.

        Parameters
        ----------
        slices : tuple of int
            z of the images.
        layer : Image, optional
            What is predicted; the session's image without it.
        images : Images, optional
            Its slices, or slices that no layer shows.
        out : Path, optional
            The mask; a new one of the project without it.

        Raises
        ------
        XsegError
            No image, no model, or one that cannot be read; one is under way.
        """
        session = self._session
        if self.current is not None:
            raise XsegError("A prediction is under way: wait for its end, or press Cancel.")
        model, info = require_model(session)
        if images is None:
            images, layer = session.require_images(), session.image
        if not slices:
            raise XsegError(f"{images.name}: no slice is named; give z such as 13,39 or 160:200.")
        if out is None:
            out = _project(session, model).new_mask(model_name(info), _what(images, slices))
        plan = PredictPlan(
            model, info, images, slices, out, options, session.jobs.engine.folder, overwrite
        )
        return self._begin(plan, layer)

    def go_on(self, mask: KeptMask) -> Prediction:
        """Predict the missing slices of a mask, as it was begun.

        Raises
        ------
        XsegError
            As `rest_plan` says; one is under way.
        """
        if self.current is not None:
            raise XsegError("A prediction is under way: wait for its end, or press Cancel.")
        plan, layer = rest_plan(self._session, mask)
        return self._begin(plan, layer)

    def _begin(self, plan: PredictPlan, layer: Image | None) -> Prediction:
        self.current = self.last = prediction = Prediction(self._session, plan, layer)
        prediction.changed.connect(self.changed.emit)
        prediction.job.ended.connect(partial(self._on_end, prediction))
        self._forget_slice()
        return prediction

    def cancel(self) -> None:
        """Stop the prediction, and a slice that waits; what is done is kept."""
        if self.current is not None:
            self.current.job.stop()
        if self.looking is not None:
            self.looking.stop()

    def _tell_of_rests(self) -> None:
        """Say once of each project which masks can be gone on with, and how."""
        project = self._session.project
        if project is None or project.folder in self._told_of:
            return
        self._told_of.add(project.folder)
        rests = [mask for mask in kept_masks(project) if mask.can_be_gone_on_with]
        if rests:
            names = ", ".join(f"{mask.title} ({mask.slices_words} slices)" for mask in rests[:3])
            more = f" and {len(rests) - 3} more" if len(rests) > 3 else ""
            self._session.notify(
                f"Not predicted to the end: {names}{more}. Select it under Masks in the Predict "
                "dock and press Predict the rest."
            )

    def _on_end(self, prediction: Prediction) -> None:
        self.current = None
        remember_model(prediction.plan.model)
        self.changed.emit()
        self.finished.emit()

    # -- one slice ----------------------------------------------------------

    def look(self, options: PredictOptions) -> None:
        """Predict the slice in view into a layer in memory.

        Raises
        ------
        XsegError
            No image, no model, or no slice in view.
        """
        session = self._session
        if self.looking is not None:
            return
        images, image, z = session.require_images(), session.image, session.z
        model, info = require_model(session)
        if z is None or image is None:
            raise XsegError("No slice is in view: show the image in 2D, seen along z.")
        folder = session.jobs.engine.folder

        def prepare() -> SliceRequest:
            source = images.for_job([z], info.context, folder)
            return SliceRequest(
                model=model,
                images=source,
                z=z,
                folder=folder,
                confidence=options.confidence,
                match_intensity=options.match_intensity,
                region=options.region,
                device=options.device,
            )

        self._forget_slice()
        self._notes_slice, self.looking_at = True, z
        job = self.looking = session.jobs.run(f"Predicting slice {z}", prepare, worth_asking=False)
        job.events.connect(lambda events: self._hear_slice(events, images, image, info))
        job.ended.connect(lambda: self._on_looked(job, model))
        self.changed.emit()

    def _hear_slice(
        self, events: list[Event], images: Images, image: Image, info: ModelInfo
    ) -> None:
        for event in events:
            if isinstance(event, Preview):
                self._show_slice(event, images, image, info)
            elif isinstance(event, Message) and event.level == "warning":
                if FLAG not in event.text:
                    self._session.warn(event.text)
                elif self._notes_slice:
                    self.off_grey_values = event.text.replace(FLAG, "")
        self.changed.emit()

    def _show_slice(self, event: Preview, images: Images, image: Image, info: ModelInfo) -> None:
        index, sure = read_preview(event), read_preview(event, CONFIDENCE)
        if index is None or image not in self._session.layers:
            return
        session, values = self._session, info.classes.to_layer(index)
        if sure is not None:
            found = _slices_layer(session, images, image, info, "confidence")
            found.data.put(event.z, event.box, sure)
            session.layers.refresh(found)
        layer = _slices_layer(session, images, image, info, "mask")
        layer.data.put(event.z, event.box, values)
        session.layers.refresh(layer)
        if self._notes_slice:
            names = info.classes.names
            shares = account.shares(names, class_counts(index, len(names)))
            self.slice_note = f"Slice {event.z} is predicted: {_seconds(event.seconds)}"
            of = f"Fractions in {mask_title(model_label(info.path), images.name, ())}".strip()
            self.slice_shares = SliceShares(f"{of}, slice {event.z}", info.classes, shares)
            self.slice_shown.emit()

    def _forget_slice(self) -> None:
        """Say no more of a slice: its image or model is another one, or a volume came after."""
        self._notes_slice = False
        self.off_grey_values = self.slice_note = ""
        self.slice_shares = None
        self.changed.emit()

    def _on_looked(self, job: Job, model: Path) -> None:
        self.looking = None
        if job.error is not None:
            if self._notes_slice:
                self.slice_note = f"Slice {self.looking_at} is not predicted."
            self._session.show_error(job.error)
        else:
            remember_model(model)
        self.changed.emit()


def predictions_of(session: Session) -> Predictions:
    """The predictions of a session, whichever dock asks."""
    found = _PREDICTIONS.get(session)
    if found is None:
        found = _PREDICTIONS[session] = Predictions(session)
        session.closed.connect(lambda: _PREDICTIONS.pop(session, None))
    return found


_PREDICTIONS: dict[Session, Predictions] = {}


def _project(session: Session, model: Path) -> Project:
    """The project, made where there is none; the chosen model stays the chosen one."""
    project = session.require_project()
    if session.model != model:
        session.set_model(model)
    return project


def _slices_layer(
    session: Session, images: Images, image: Image, info: ModelInfo, kind: Kind
) -> Any:
    """The layer in memory with the slices that one model predicted of an image."""
    key = [info.identity, images.name, list(images.shape)]
    for layer in session.layers.of_kind(kind):
        if layer.metadata[KEY].get("slices_of") == key:
            return layer
    planes = PreviewPlanes(images.shape, planes_kept(images.shape))
    name = f"{kind} {mask_title(model_label(info.path), images.name, ())} (slices)"
    if kind == "mask":
        return session.layers.add_classes(
            planes, info.classes, kind="mask", name=name, image=image, slices_of=key
        )
    return add_confidence(session, planes, name, image, slices_of=key)


def _what(images: Images, slices: tuple[int, ...]) -> str:
    """What is predicted, in the name of its mask."""
    name = images.name[:40]
    if len(slices) == images.shape[0]:
        return name
    return f"{name}-z{format_slices(slices).replace(':', 'to')}"[:80]


def _seconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def require_model(session: Session) -> tuple[Path, ModelInfo]:
    """The chosen model and what it says of itself; XsegError without one."""
    if session.model is None:
        raise XsegError("There is no model: train one, or choose a model file.")
    return session.model, read_model_info(session.model)

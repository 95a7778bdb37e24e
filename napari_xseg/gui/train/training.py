"""The trainings of a viewer: started, followed and brought to their end, with or without a dock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_xseg.config import TrainConfig
from napari_xseg.errors import XsegError
from napari_xseg.events import Crops, Event, Message, Progress, Started, StepDone
from napari_xseg.gui.train.plan import TrainPlan, forget_pending, plan_training, resume_plan
from napari_xseg.gui.train.train_curves import TrainCurves
from napari_xseg.jobs import AugmentationRequest, EngineDied, LabelledRequest
from napari_xseg.model.metadata import read_model_info

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Job
    from napari_xseg.jobs import Request, SplitWish

_NUMBERS = count(1)
# Pixels between two crops that are shown side by side.
GAP = 4
# Crops that are shown, and whole slices where the recipe cuts none.
SHOWN, SHOWN_WHOLE = 9, 4


@dataclass(eq=False)
class Training:
    """One training that was started in this window.

    Attributes
    ----------
    job : Job
    run : Path
        The run folder.
    classes : ClassTable
        Those that it learns.
    curves : TrainCurves
        What it has said so far.
    """

    job: Job
    run: Path
    classes: ClassTable
    curves: TrainCurves = field(default_factory=TrainCurves)
    _last: dict[type[Event], Event] = field(default_factory=dict)

    def hear(self, events: list[Event]) -> None:
        """Take in what the job says."""
        self.curves.hear(events)
        for event in events:
            if isinstance(event, Started | StepDone | Progress | Message):
                self._last.pop(type(event), None)  # the order is that of the latest ones
                self._last[type(event)] = event

    @property
    def heard(self) -> list[Event]:
        """The last of each kind that tells how far it is."""
        return list(self._last.values())


class Trainings:
    """The trainings of a session: one at a time.

    Attributes
    ----------
    current : Training or None
        The one under way, or the last one.
    """

    changed = Signal()  # one began, or ended

    def __init__(self, session: Session) -> None:
        self._session = session
        self.current: Training | None = None

    @property
    def running(self) -> bool:
        """Whether one is under way."""
        return self.current is not None and not self.current.job.over

    # -- beginning ----------------------------------------------------------

    def start(
        self,
        config: TrainConfig,
        *,
        wish: SplitWish,
        device: str = "auto",
        region: str = "",
        parent: Path | None = None,
    ) -> Training:
        """Train on the labels of today; with `parent`, from that run or model file.

        Where the session matches grey values, those of its image are mapped onto those
        that the parent knows.

        Raises
        ------
        XsegError
            What `plan_training` says; a training under way.
        """
        self._check_free()
        plan = plan_training(
            self._session,
            config,
            wish=wish,
            parent=parent,
            name=config.name if parent is None else f"{config.name}-continued",
            device=device,
            region=region,
            match_intensity=parent is not None and self._session.match_intensity,
        )
        context = config.model.context if parent is None else read_model_info(parent).context
        return self._run(plan.request, plan.run, plan.pending, context)

    def resume(self, run: Path) -> Training:
        """Go on with a run that was cut short, exactly as it was begun; XsegError as `start`."""
        self._check_free()
        plan = resume_plan(self._session, run)
        settings = run / "config.toml"
        # A run that was cut short while it read its slices has no settings yet.
        context = TrainConfig.from_toml(settings).model.context if settings.exists() else 0
        return self._run(plan.request, plan.run, plan.pending, context)

    def _check_free(self) -> None:
        if self.running:
            raise XsegError("A training is under way: stop it first, or wait for its end.")

    def _run(
        self, request: Callable[[], Request], run: Path, pending: Path, context: int
    ) -> Training:
        session = self._session
        images, classes = session.require_images(), session.classes
        job = session.jobs.run(f"Training {run.name}", request)
        training = self.current = Training(job, run, classes)
        job.events.connect(training.hear)
        job.events.connect(self._session.warn_of)
        job.ended.connect(partial(self._on_end, training, pending))
        session.live.watch(job, images, classes, context)
        session.set_training(job)
        self.changed.emit()
        return training

    # -- the end ------------------------------------------------------------

    def _on_end(self, training: Training, pending: Path) -> None:
        session, job, run = self._session, training.job, training.run
        model = run / "model.safetensors"
        if not _may_go_on(training):
            forget_pending(pending)
        project = session.project
        if project is not None and run.parent.parent == project.folder:
            session.runs_changed.emit()
            if model.is_file() and job.error is None:
                session.set_model(run)
        if isinstance(job.error, EngineDied):
            kept = "its last saved model stands" if model.is_file() else "it had saved no model yet"
            how = "was stopped at once" if job.error.asked else "ended unexpectedly"
            session.warn(
                f"{run.name}: the training {how}; {kept}. Resume goes on with it. Labels and all "
                "else are as they were."
            )
        elif job.error is not None:
            session.show_error(job.error)
        self.changed.emit()

    # -- crops --------------------------------------------------------------

    def preview_crops(self, config: TrainConfig, *, wish: SplitWish, region: str = "") -> Job:
        """Show some crops as a training would see them; another call shows others.

        XsegError as `start`.
        """
        session = self._session
        image, classes = session.image, session.classes
        plan = plan_training(session, config, wish=wish, region=region)
        forget_pending(plan.pending)
        number = next(_NUMBERS)
        folder = session.jobs.engine.folder / f"augmentation-{number}"
        plan = replace(plan, pending=folder)
        job = session.jobs.run(
            "Augmentation", partial(crops_request, plan, folder, number), worth_asking=False
        )

        def show(events: list[Event]) -> None:
            for event in events:
                if isinstance(event, Crops) and image is not None and image in session.layers:
                    values, index = read_crops(event)
                    session.layers.show_crops(
                        montage(values, float(image.contrast_limits[0])),
                        montage(classes.to_layer(index), 0),
                        classes=classes,
                        image=image,
                    )
                    session.viewer.reset_view()

        def end() -> None:
            forget_pending(folder)
            if job.error is not None:
                session.show_error(job.error)

        job.events.connect(show)
        job.ended.connect(end)
        return job


def _may_go_on(training: Training) -> bool:
    """Whether `resume` could go on with what is left of a training that is over."""
    finished, error = training.job.finished, training.job.error
    if finished is not None:
        return finished.reason == "stopped"
    return isinstance(error, EngineDied) or (training.run / "resume.pt").is_file()


def crops_request(plan: TrainPlan, folder: Path, seed: int) -> AugmentationRequest:
    """The plan's data and settings, for crops to look at; call it in a background thread."""
    training = plan.request()
    shared: dict[str, Any] = {
        name: getattr(training, name) for name in LabelledRequest.model_fields
    }
    several = SHOWN if plan.config.crop is not None else SHOWN_WHOLE
    return AugmentationRequest(**(shared | {"seed": seed}), folder=folder, count=several)


def read_crops(crops: Crops) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Grey values and class indices (n, y, x) of crops; their file is deleted."""
    size = int(np.prod(crops.shape))
    values = np.fromfile(crops.path, "<f4", size).reshape(crops.shape)
    index = np.fromfile(crops.path, np.uint8, offset=4 * size).reshape(crops.shape)
    crops.path.unlink(missing_ok=True)
    return values, index


def montage(crops: NDArray[Any], between: float) -> NDArray[Any]:
    """Crops (n, y, x) side by side in rows, (y, x), with gaps of the value `between`."""
    number, height, width = crops.shape
    columns = int(np.ceil(np.sqrt(number)))
    rows = -(-number // columns)
    size = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP)
    whole = np.full(size, between, crops.dtype)
    for place, crop in enumerate(crops):
        y, x = (place // columns) * (height + GAP), (place % columns) * (width + GAP)
        whole[y : y + height, x : x + width] = crop
    return whole


_TRAININGS: dict[Session, Trainings] = {}


def trainings_of(session: Session) -> Trainings:
    """The trainings of a session, whichever dock asks."""
    found = _TRAININGS.get(session)
    if found is None:
        found = _TRAININGS[session] = Trainings(session)
        session.closed.connect(lambda: _TRAININGS.pop(session, None))
    return found

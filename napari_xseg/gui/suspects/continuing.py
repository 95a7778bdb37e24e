"""Continue training with what was mended, then see what has become better, and what worse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from psygnal import Signal

from napari_xseg.errors import XsegError
from napari_xseg.gui.label.prefill import class_translation
from napari_xseg.gui.layers import classes_of
from napari_xseg.gui.predict.predicting import predictions_of
from napari_xseg.gui.predict.prediction import PredictOptions
from napari_xseg.gui.suspects.search import slices_of
from napari_xseg.gui.train.kept_choices import kept_choices
from napari_xseg.gui.train.plan import check_labels
from napari_xseg.gui.train.training import trainings_of
from napari_xseg.model.metadata import read_model_info
from napari_xseg.review.progress import Spot, progress_text, slice_changes, spot_changes

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.label_store import LabelStore
    from napari_xseg.gui.images import Images
    from napari_xseg.gui.predict.prediction import Prediction
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.suspects.search import SearchOptions, SuspectSearch
    from napari_xseg.gui.worker import Call, Job
    from napari_xseg.review.suspects.table import Suspect, Suspects

Phase = Literal["", "training", "predicting", "looking", "comparing"]


@dataclass(frozen=True, eq=False)
class _Planes:
    """A mask's planes as class indices of the labels, 255 for nothing; from any thread."""

    data: Any
    table: NDArray[np.uint8]

    def read(self, z: int) -> NDArray[np.uint8]:
        plane = np.asarray(self.data[z] if self.data.ndim == 3 else self.data)
        return np.subtract(self.table[plane.astype(np.uint8)], 1, dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class _Before:
    images: Images | None
    mask: Labels
    suspects: Suspects | None
    slices: tuple[int, ...]
    options: SearchOptions


class Continuing:
    """Trains on, predicts the same slices, looks for suspects again, and compares.

    Attributes
    ----------
    phase : str
        Empty while nothing goes on.
    job : Job or None
        The one under way.
    words : str
        What came of it.
    gone : tuple of Suspect
        Those that went away.
    """

    changed = Signal()

    def __init__(self, session: Session, search: SuspectSearch) -> None:
        self._session = session
        self._search = search
        self.phase: Phase = ""
        self.job: Job | None = None
        self.words = ""
        self.gone: tuple[Suspect, ...] = ()
        self._before: _Before | None = None
        self._call: Call[Any] | None = None
        # Class names by model: its file is not read at each stroke.
        self._known: dict[Path, ClassTable] = {}
        search.found.connect(self._on_found)
        search.chosen.connect(self._on_chosen)

    def close(self) -> None:
        """Go on no more; the job under way comes to its own end."""
        self._search.found.disconnect(self._on_found)
        self._search.chosen.disconnect(self._on_chosen)
        self.phase, self.job, self._before = "", None, None
        if self._call is not None:
            self._call.cancel()

    def why_not(self) -> str:
        """Why it cannot begin, in a sentence; empty where it can."""
        try:
            self._check()
        except XsegError as error:
            return str(error)
        return ""

    def start(self, options: SearchOptions) -> None:
        """Continue the training of the model in use; suspects are looked for with `options` then.

        The model may lie outside the project, where it is a run or a file: what comes
        of it is a run of the project.

        Raises
        ------
        XsegError
            No mask, no labels, no model to go on from or one of other classes, a
            training under way.
        """
        self._known.clear()
        model, mask = self._check()
        choices, wish = kept_choices(self._session, model)
        training = trainings_of(self._session).start(
            choices.config, wish=wish, device=choices.device, region=choices.region, parent=model
        )
        suspects = self._search.suspects
        self._before = _Before(self._session.images, mask, suspects, slices_of(mask), options)
        self.words, self.gone = "", ()
        job = training.job
        job.ended.connect(lambda: self._on_trained(job, training.run))
        self._enter("training", job)

    # -- one step after the other -------------------------------------------

    def _check(self) -> tuple[Path, Labels]:
        session, mask = self._session, self._search.mask
        session.require_images()
        if mask is None or mask not in session.layers:
            raise XsegError(
                "There is no mask: predict the volume, or show one in the Predict dock."
            )
        if session.store is None:
            raise XsegError("There are no labels: mend something, or accept a slice.")
        check_labels(session.store, session.classes)
        model = session.model
        if model is None:
            raise XsegError(
                "There is no model to go on from: choose one in the Predict dock, or train one "
                "first."
            )
        self._check_classes(model)
        if self.phase:
            raise XsegError("It goes on already: wait for its end, or press Stop.")
        return model, mask

    def _check_classes(self, model: Path) -> None:
        if model not in self._known:
            self._known[model] = read_model_info(model).classes
        other = self._session.classes.why_not_as(self._known[model])
        if other:
            raise XsegError(
                f"{model.name} {other}: give the labels the same values in the same order in the "
                "Train dock, or train a new model."
            )

    def _enter(self, phase: Phase, job: Job | None) -> None:
        self.phase, self.job = phase, job
        self.changed.emit()

    def _end(self, words: str) -> None:
        self.words, self._before = words, None
        self._enter("", None)

    def _on_trained(self, job: Job, run: Path) -> None:
        if self.phase != "training" or job is not self.job or self._before is None:
            return
        if job.error is not None or job.finished is None:
            self._end("The training has not come to its end: nothing was compared.")
            return
        if job.finished.reason == "stopped":
            self._end(f"The training was stopped; {run.name} keeps what it had learnt.")
            return
        if self._session.images is not self._before.images:
            self._end(f"Another image was chosen: nothing was compared; {run.name} is trained.")
            return
        options = PredictOptions(match_intensity=self._before.options.match_intensity)
        try:
            prediction = predictions_of(self._session).start(self._before.slices, options)
        except XsegError as error:
            self._end(str(error))
            return
        prediction.job.ended.connect(lambda: self._on_predicted(prediction))
        self._enter("predicting", prediction.job)

    def _on_predicted(self, prediction: Prediction) -> None:
        if self.phase != "predicting" or prediction.job is not self.job or self._before is None:
            return
        finished, layer = prediction.job.finished, prediction.layer
        if finished is None or finished.reason != "done" or layer not in self._session.layers:
            self._end("The mask was not predicted to its end: nothing was compared.")
            return
        self._search.choose(layer)
        if self._before.suspects is None:
            self._compare(None)
            return
        try:
            job = self._search.find(self._before.options)
        except XsegError as error:
            self._end(str(error))
            return
        job.ended.connect(lambda: self._on_looked(job))
        self._enter("looking", job)

    def _on_looked(self, job: Job) -> None:
        stopped = job.finished is None or job.finished.reason != "done"
        if self.phase == "looking" and job is self.job and stopped:
            self._end("The search for suspects was stopped: nothing was compared.")

    def _on_chosen(self) -> None:
        if self.phase == "looking":
            self._end("Another mask was chosen: nothing was compared.")

    def _on_found(self) -> None:
        if self.phase == "looking":
            self._compare(self._search.suspects)

    # -- what has changed ---------------------------------------------------

    def _compare(self, after: Suspects | None) -> None:
        before, mask, store = self._before, self._search.mask, self._session.store
        if before is None or mask is None or store is None:
            self._end("")
            return
        try:
            masks = self._planes(before.mask), self._planes(mask)
        except XsegError as error:
            self._end(str(error))
            return
        labelled = tuple(z for z in store.labelled if z in set(before.slices))
        slices = self._session.origins.accepted(labelled) or labelled
        classes = len(self._session.classes)
        self._call = self._session.jobs.call(
            lambda: _compared(before.suspects, after, store, masks, slices, classes)
        )
        self._call.returned.connect(self._take)
        self._call.failed.connect(lambda error: self._end(str(error)))
        self._enter("comparing", None)

    def _take(self, found: tuple[str, tuple[Suspect, ...]]) -> None:
        words, self.gone = found
        self._end(words)

    def _planes(self, mask: Labels) -> _Planes:
        theirs, name = classes_of(mask), f"layer {mask.name!r}"
        if theirs is None:
            raise XsegError(f"{name}: says not which classes its values are.")
        return _Planes(mask.data, class_translation(theirs, self._session.classes, name))


def _compared(
    before: Suspects | None,
    after: Suspects | None,
    store: LabelStore,
    masks: tuple[_Planes, _Planes],
    slices: tuple[int, ...],
    classes: int,
) -> tuple[str, tuple[Suspect, ...]]:
    def truth(z: int) -> NDArray[np.uint8]:
        return np.subtract(store.read(z), 1, dtype=np.uint8)  # 0 wraps to 255

    changes = list(slice_changes(slices, truth, masks[0].read, masks[1].read, classes))
    if before is None or after is None:
        return progress_text(changes, None), ()
    spots = spot_changes(_spots(before), _spots(after))
    return progress_text(changes, spots), tuple(before[index] for index in spots.gone)


def _spots(suspects: Suspects) -> list[Spot]:
    return [Spot(one.z, (*one.y_range, *one.x_range), one.kind, one.strength) for one in suspects]

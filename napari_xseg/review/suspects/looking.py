"""One slice after the other with all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.metrics import IGNORE
from napari_xseg.review.suspects.drift import drift_of, usual_grey
from napari_xseg.review.suspects.finders import Seen
from napari_xseg.review.suspects.masks import doubt_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.intensity import Intensity
    from napari_xseg.events import Control, Message
    from napari_xseg.model.checkpoint import SavedModel
    from napari_xseg.prediction.uncertainty import Uncertainty, UncertaintyPredictor
    from napari_xseg.review.matching import IndexMap
    from napari_xseg.review.suspects.job import SuspectsJob


class Halted(Exception):
    """A search was ended, as its control asked."""


@dataclass(frozen=True, eq=False)
class Looker:
    """What reads and predicts the slices of one job.

    Attributes
    ----------
    job : SuspectsJob
        What is asked for.
    first, second : UncertaintyPredictor, optional
        The models made fast.
    usual : Intensity, optional
        Grey values of the volume, where drift is looked for.
    device, precision : str
        What computes, in words.
    blank : list of int
        z of the slices seen that have no finite pixel.
    """

    job: SuspectsJob
    first: UncertaintyPredictor | None
    second: UncertaintyPredictor | None
    usual: Intensity | None
    device: str
    precision: str
    blank: list[int] = field(default_factory=list)

    def mask(self, z: int, control: Control | None = None) -> IndexMap:
        """Class indices (y, x) of slice `z`, 255 where nothing is looked at."""
        if self.job.mask is None:
            assert self.first is not None  # the job was checked
            return _look(self.first, z, control).mask
        mask = self.job.mask.read(z)
        known = self._known(z, self.job.images.read(z))
        return mask if known is None else np.where(known, mask, np.uint8(IGNORE))

    def see(self, z: int, control: Control | None = None) -> Seen:
        """All that is known of slice `z`; errors as reading and predicting have."""
        given = None if self.job.mask is None else self.mask(z)
        mask, doubt, share = given, None, None
        wanted = self.job.wanted
        if self.first is not None and (given is None or {"confidence", "flips"} & set(wanted)):
            flips = self.job.flips if "flips" in wanted else 0
            found = _look(self.first, z, control, self._coded(given), flips)
            mask = found.mask if given is None else given
            doubt, share = found.doubt, found.disagreement
        assert mask is not None
        if (mask == IGNORE).all() and not np.isfinite(self.job.images.read(z)).any():
            self.blank.append(z)
        if self.job.confidence is not None and self.job.mask is not None and self.first is None:
            doubt = doubt_of(self.job.confidence.read(self.job.mask.page_of[z]), mask)
        doubt = doubt if "confidence" in wanted else None
        return Seen(z, mask, doubt, share, self._second(z, control), self._drift(z))

    def _coded(self, mask: IndexMap | None) -> IndexMap | None:
        """The mask in the class indices of the model."""
        if mask is None or self.job.mask is None or self.job.model is None:
            return mask
        return _recoded(mask, self.job.mask.classes, self.job.model.classes)

    def _second(self, z: int, control: Control | None) -> IndexMap | None:
        job = self.job
        if "models" not in job.wanted:
            return None
        if job.second_mask is not None:
            return _recoded(job.second_mask.read(z), job.second_mask.classes, job.classes)
        assert self.second is not None
        assert job.second_model is not None
        other = _look(self.second, z, control).mask
        return _recoded(other, job.second_model.classes, job.classes)

    def _drift(self, z: int) -> float:
        if self.usual is None:
            return 0.0
        inside = self._inside(z)
        return drift_of(self.job.images.read(z), inside, self.usual)

    def _inside(self, z: int) -> NDArray[np.bool_] | None:
        shape = (self.job.images.shape[1], self.job.images.shape[2])
        return None if self.job.region is None else self.job.region.mask(z, shape)

    def _known(self, z: int, plane: NDArray[np.generic]) -> NDArray[np.bool_] | None:
        inside = self._inside(z)
        if plane.dtype.kind != "f":
            return inside
        finite: NDArray[np.bool_] = np.isfinite(plane)
        return finite if inside is None else finite & inside


def open_looker(job: SuspectsJob) -> tuple[Looker, list[Message]]:
    """Make the models of a job fast; also what the user should know of the grey values."""
    messages: list[Message] = []
    device = "the processor"
    precision = "float32"
    first = second = None
    if job.model is not None:
        first, said = _open_model(job.model, job)
        messages += said
        device, precision = _described(first)
    if job.second_model is not None and "models" in job.wanted:
        second, _ = _open_model(job.second_model, job)
    usual = usual_grey(job.images, job.slices, job.region) if "drift" in job.wanted else None
    return Looker(job, first, second, usual, device, precision), messages


def _open_model(model: SavedModel, job: SuspectsJob) -> tuple[UncertaintyPredictor, list[Message]]:
    from napari_xseg.model.device import find_device
    from napari_xseg.prediction.predictor import Predictor
    from napari_xseg.prediction.slices import check_fits, settle_intensity
    from napari_xseg.prediction.uncertainty import UncertaintyPredictor, plane_reader

    check_fits(model, job.images, job.region)
    intensity, messages = settle_intensity(
        model, job.images, job.slices, job.region, match=job.match_intensity
    )
    predictor = Predictor(model.network(), find_device(job.device), job.precision)
    reader = plane_reader(job.images, intensity, model.config.context)
    return UncertaintyPredictor(predictor, reader, job.region), messages


def _look(
    predictor: UncertaintyPredictor,
    z: int,
    control: Control | None,
    mask: IndexMap | None = None,
    flips: int = 0,
) -> Uncertainty:
    """What the model says of a slice; Halted where the control asked for it between two tiles."""
    from napari_xseg.prediction.predictor import Stopped
    from napari_xseg.prediction.uncertainty import FLIPS

    try:
        return predictor.look(z, mask, flips=FLIPS[:flips], control=control)
    except Stopped as error:
        raise Halted from error


def _described(first: UncertaintyPredictor) -> tuple[str, str]:
    from napari_xseg.model.device import describe_device

    return describe_device(first.predictor.device), first.predictor.precision


def _recoded(mask: IndexMap, own: ClassTable, wanted: ClassTable) -> IndexMap:
    """Indices of one class table as those of another with the same file values."""
    if own.values == wanted.values:
        return mask
    codes = np.full(256, IGNORE, np.uint8)
    codes[: len(own)] = [wanted.values.index(value) for value in own.values]
    return codes[mask]

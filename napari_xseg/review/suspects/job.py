"""What a search for suspects needs, settled before it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_xseg.data.writing import check_output
from napari_xseg.errors import XsegError
from napari_xseg.review.suspects.masks import confidence_doubt
from napari_xseg.review.suspects.table import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from napari_xseg.config import Precision
    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.region import Region
    from napari_xseg.data.volume import Volume
    from napari_xseg.model.checkpoint import SavedModel
    from napari_xseg.review.suspects.masks import OpenMask
    from napari_xseg.review.suspects.table import Kind

_NEEDS: dict[Kind, str] = {
    "confidence": "a model, or a mask with its confidence",
    "flips": "a model",
    "models": "a second model or mask",
}
SHEET = 100


@dataclass(frozen=True)
class Targets:
    """Where suspects are written; None is not written.

    Attributes
    ----------
    kept : Path, optional
        All of them with their origin, as JSON: `suspects_path(mask)` is its place.
    csv : Path, optional
        One row each.
    sheet : Path, optional
        One HTML page with pictures.
    top : int, optional
        So many at most in the CSV and on the page; without it, all in the CSV and
        100 on the page.
    overwrite : bool
        Replace what is there; otherwise it raises XsegError before work starts.
    """

    kept: Path | None = None
    csv: Path | None = None
    sheet: Path | None = None
    top: int | None = None
    overwrite: bool = False

    @property
    def paths(self) -> tuple[Path, ...]:
        """All that are asked for, the list first."""
        wanted = (self.kept, self.csv, self.sheet)
        return tuple(path for path in wanted if path is not None)

    def check(self, inputs: Iterator[Path]) -> None:
        """Raise XsegError where something stands and may not be replaced, or cannot be written."""
        known = tuple(inputs)
        if not self.paths:
            raise XsegError("suspects: no file to write them to; name one.")
        if len({path.absolute() for path in self.paths}) < len(self.paths):
            raise XsegError(f"{self.paths[0]}: is named for two outputs; give two files.")
        for path in self.paths:
            check_output(path, overwrite=self.overwrite, inputs=known)


@dataclass(frozen=True, eq=False)
class SuspectsJob:
    """A search for suspects in a mask, or in what a model makes of images.

    Attributes
    ----------
    images : Volume
        The slices.
    slices : tuple of int
        z to look at, rising.
    targets : Targets
        What is written.
    model : SavedModel, optional
        Says how sure it is; without `mask`, its own mask is looked at.
    mask : OpenMask, optional
        What is looked at.
    confidence : Volume, optional
        Of the mask, uint8 with 255 for certain: for where there is no model.
    second_model, second_mask : optional
        A second opinion, one of them; its classes have the same file values.
    kinds : tuple of str, optional
        What to look for; without it, all that can be found with what is given.
    flips : int
        Ways of turning a slice that are compared, 2 to 8, the slice as it is included.
    limits : mapping of int to int
        Pixels by class index below which a piece is too small; for other classes it
        is learnt from the mask.
    keep : int
        Suspects kept at most, those with most to mend.
    match_intensity, region, device, precision, threads
        As a prediction has them.
    command : str
        What asked for it.
    """

    images: Volume
    slices: tuple[int, ...]
    targets: Targets
    model: SavedModel | None = None
    mask: OpenMask | None = None
    confidence: Volume | None = None
    second_model: SavedModel | None = None
    second_mask: OpenMask | None = None
    kinds: tuple[Kind, ...] | None = None
    flips: int = 8
    limits: Mapping[int, int] = field(default_factory=dict)
    keep: int = 2000
    match_intensity: bool = False
    region: Region | None = None
    device: str = "auto"
    precision: Precision = "auto"
    threads: int | None = None
    command: str = ""

    @property
    def classes(self) -> ClassTable:
        """The classes of the mask that is looked at."""
        if self.mask is not None:
            return self.mask.classes
        if self.model is not None:
            return self.model.classes
        raise XsegError("suspects: neither a mask nor a model was given; give one of them.")

    @property
    def possible(self) -> tuple[Kind, ...]:
        """Kinds that can be found with what is given."""
        has = {
            "confidence": self.model is not None or self.confidence is not None,
            "flips": self.model is not None,
            "models": self.second_model is not None or self.second_mask is not None,
            "neighbours": self.images.has_neighbours,
        }
        return tuple(kind for kind in KINDS if has.get(kind, True))

    @property
    def wanted(self) -> tuple[Kind, ...]:
        """Kinds that are looked for."""
        return self.possible if self.kinds is None else self.kinds

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know of the images and of how mask and models belong together."""
        doubts: list[str | None] = []
        if self.mask is not None and self.confidence is not None:
            doubts.append(confidence_doubt(self.confidence.path, self.mask))
        return *self.images.warnings, *(text for text in doubts if text is not None)

    def check(self) -> None:
        """Raise XsegError where the job cannot be done, before anything is written."""
        values = set(self.classes.values)
        for other in (self.model, self.second_model, self.second_mask):
            if other is not None and set(other.classes.values) != values:
                raise XsegError(
                    f"{other.path}: holds the classes {sorted(other.classes.values)}, "
                    f"{sorted(values)} are expected; give models and masks of the same classes."
                )
        self._check_kinds()
        self._check_slices()
        if self.region is not None:
            self.region.check(self.images.shape)
        if not 2 <= self.flips <= 8 or self.keep < 1:
            raise XsegError("suspects: 2 to 8 flips and 1 or more to keep are expected.")
        self.targets.check(self._inputs())

    def _check_kinds(self) -> None:
        if not self.wanted:
            raise XsegError("suspects: no kind to look for; name one or more.")
        for kind in self.wanted:
            if kind not in KINDS:
                raise XsegError(
                    f"suspects: {kind!r} is no kind of them; expected {', '.join(KINDS)}."
                )
            if kind not in self.possible:
                needs = _NEEDS.get(kind, f"slices of {self.images.name} known to be neighbours")
                raise XsegError(f"suspects: to look for {kind!r} takes {needs}; leave it out.")

    def _check_slices(self) -> None:
        if not self.slices:
            raise XsegError(f"{self.images.name}: no slice to look at; choose some.")
        for z in self.slices:
            if not 0 <= z < len(self.images):
                raise XsegError(
                    f"{self.images.name}: has the slices 0 to {len(self.images) - 1}, slice {z} "
                    "is not among them; choose others."
                )
            for mask in (self.mask, self.second_mask):
                if mask is not None and z not in mask.page_of:
                    raise XsegError(
                        f"{mask.path}: has no mask of slice {z}; predict it, or leave it out."
                    )

    def _inputs(self) -> Iterator[Path]:
        yield from self.images.files
        for model in (self.model, self.second_model):
            yield from () if model is None else (model.path,)
        for mask in (self.mask, self.second_mask):
            yield from () if mask is None else mask.labels.volume.files
        yield from () if self.confidence is None else self.confidence.files

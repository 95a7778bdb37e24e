"""Masks that were cut short: the slices that are done, to be taken over as they are."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.volume import open_label_volume, open_volume
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Progress
from napari_xseg.prediction.sidecar import confidences_of, read_sidecar, wanted_slices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_xseg.data.planes import ContextReader
    from napari_xseg.prediction.volume import PredictJob

Pages = tuple["NDArray[Any]", "NDArray[np.uint8] | None"]


class Left(Exception):
    """A stop came while slices were taken over: the mask stays as it was."""


@dataclass(frozen=True)
class Rest:
    """A mask that is not whole.

    Attributes
    ----------
    path : Path
        The mask, under its own name or that of one whose writer was killed.
    told : dict
        What the file beside it says.
    """

    path: Path
    told: dict[str, Any]

    @property
    def done(self) -> tuple[int, ...]:
        """Z of the slices that are done: its first pages."""
        return tuple(self.told["slices"])

    @property
    def confidence(self) -> Path | None:
        """Where the confidences of these slices are."""
        found = confidences_of(self.path, self.told)
        return next((path for path in found if path.exists()), None)

    def check_images(self, reader: ContextReader, control: Control) -> Iterator[Progress]:
        """Read the images of what is done; XsegError where they are others than then."""
        start = time.perf_counter()
        known = "input" in self.told
        slices = self.done if known else wanted_slices(self.told)[:1]
        for count, z in enumerate(slices, 1):
            reader.sha256((z,))
            if control.stopped:
                raise Left
            yield Progress("read", count, len(slices), time.perf_counter() - start)
        if reader.sha256(slices) != self.told["input" if known else "first"]:
            raise XsegError(
                f"{self.path}: the images {reader.images.name} are not those that it was predicted "
                "from; predict all of it anew."
            )

    def pages(self, sure: bool) -> Iterator[Pages]:
        """Planes of the mask in file values, and of its confidences; until one cannot be read."""
        mask = open_label_volume(self.path)
        place = self.confidence if sure else None
        certain = None if place is None else open_volume(place)
        for page in range(len(self.done)):
            try:
                plane = mask.read(page)
                yield plane, None if certain is None else np.asarray(certain.read(page), np.uint8)
            except XsegError:  # its writer was killed, or the power failed
                return


def open_rest(job: PredictJob) -> Rest | None:
    """What `job.rest_of` has; XsegError where `job` does not go on with it."""
    path = job.rest_of
    if path is None:
        return None
    told = read_sidecar(path)
    wanted = {path.suffix, job.out.suffix} == {".zarr"} and told and wanted_slices(told)
    if not told or not wanted:
        raise XsegError(
            f"{path}: says not which slices it lacks, as a .zarr that was cut short does; predict "
            "all of it anew."
        )
    if told.get("model") != job.model.identity:
        raise XsegError(
            f"{path}: was predicted with another model than {job.model.path}; give that one, or "
            "predict all of it anew."
        )
    if wanted != job.slices:
        raise XsegError(f"{path}: is of other slices than those asked for; ask for the same.")
    rest = Rest(path, told)
    if job.confidence is not None and rest.confidence is None:
        raise XsegError(f"{path}: its confidences are gone; predict all of it anew.")
    size = open_label_volume(path).shape[1:]
    if size != job.images.shape[1:]:
        raise XsegError(
            f"{path}: its slices are {size[0]} x {size[1]} pixels, those of {job.images.name} "
            f"{job.images.shape[1]} x {job.images.shape[2]}; choose the images that it is of."
        )
    return rest

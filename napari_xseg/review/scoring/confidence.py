"""How sure the models were of the slices that were scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.data.volume import open_volume
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_xseg.events import Control
    from napari_xseg.review.scoring.reading import Row
    from napari_xseg.review.scoring.values import MaskRef


def slice_confidence(
    rows: Iterable[Row], control: Control | None = None
) -> tuple[dict[tuple[str, int], float], tuple[str, ...]]:
    """Read the mean confidence of each scored slice, where a mask has a confidence file.

    Parameters
    ----------
    rows : iterable of Row
        Scores; of each mask the slices that were scored are read, and no others.
    control : Control, optional
        Looked at between two slices; a stop raises InterruptedError.

    Returns
    -------
    dict
        Mean over the predicted pixels, 0 to 1, by SHA-256 of the mask and z.
    tuple of str
        A sentence on each confidence file that cannot be used.
    """
    wanted: dict[str, tuple[MaskRef, set[int]]] = {}
    for row in rows:
        mask = row.session.masks[row.item.mask]
        if mask.confidence:
            wanted.setdefault(mask.sha256, (mask, set()))[1].add(row.item.z)
    found: dict[tuple[str, int], float] = {}
    faults = []
    for sha256, (mask, slices) in wanted.items():
        try:
            means = _means(mask, sorted(slices), control)
        except XsegError as error:
            faults.append(str(error))
            continue
        found.update({(sha256, z): value for z, value in means.items()})
    return found, tuple(faults)


def _means(mask: MaskRef, slices: Sequence[int], control: Control | None) -> dict[int, float]:
    volume = open_volume(mask.confidence)
    if len(volume) < len(mask.slices):
        raise XsegError(
            f"{mask.confidence}: has {len(volume)} slices, expected the {len(mask.slices)} of "
            f"{mask.name}; predict the confidence again."
        )
    page_of = {z: page for page, z in enumerate(mask.slices)}
    means = {}
    for z in slices:
        if control is not None and control.stopped:
            raise InterruptedError
        plane = volume.read(page_of[z])
        # 0 is written where nothing was predicted; of a class it cannot be.
        known = np.count_nonzero(plane)
        if known:
            most = np.iinfo(plane.dtype).max if plane.dtype.kind in "ui" else 1.0
            means[z] = float(plane.sum(dtype=np.float64) / known / most)
    return means

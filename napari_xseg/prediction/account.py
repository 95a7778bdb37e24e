"""What the file beside a mask says: when the mask is begun, and when it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_xseg.data.jsontext import json_text
from napari_xseg.data.slices import format_slices
from napari_xseg.metrics import fractions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_xseg.data.intensity import Intensity
    from napari_xseg.data.planes import ContextReader
    from napari_xseg.prediction.predictor import Predictor
    from napari_xseg.prediction.volume import PredictJob

# Bytes of the file at most: as such, and for each slice and class.
SIDECAR, SIDECAR_ROW, SIDECAR_VALUE = 8192, 64, 64


def room(job: PredictJob) -> int:
    """How many bytes the file has at the end, at most."""
    names = job.model.classes.names
    row = SIDECAR_ROW + sum(SIDECAR_VALUE + 2 * len(name.encode()) for name in names)
    return SIDECAR + row * (len(job.slices) + 2)


def begun(
    job: PredictJob,
    reader: ContextReader,
    intensity: Intensity,
    predictor: Predictor,
    places: Sequence[Path | None],
) -> bytes:
    """What is settled when the first slice is not written yet, as long as the file will be.

    Its room is taken, should the disk be full at the end; and should the process be
    killed, the rest can be predicted as this says. `places` are the temporary ones of
    mask and confidence.
    """
    mask, sure = (None if place is None else place.name for place in places)
    content = {
        **_settled(job, intensity, predictor),
        "slices": [],
        "complete": False,
        "first": reader.sha256(job.slices[:1]),
        "out": job.out.name,
        "unfinished": mask,
        "unfinished_confidence": sure,
    }
    return json_text(content).encode().ljust(room(job))


def whole(
    job: PredictJob,
    reader: ContextReader,
    intensity: Intensity,
    predictor: Predictor,
    counts: Sequence[NDArray[np.int64]],
    figures: dict[str, float],
) -> bytes:
    """What is known at the end; `counts` are the pixels by class of each predicted slice."""
    names, predicted = job.model.classes.names, job.slices[: len(counts)]
    rows = [{"z": z, **shares(names, count)} for z, count in zip(predicted, counts, strict=True)]
    total = [int(sum(count[index] for count in counts)) for index in range(len(names))]
    pixels = len(job.slices) * job.images.shape[1] * job.images.shape[2]
    content = {
        **_settled(job, intensity, predictor),
        "input": reader.sha256(predicted),
        "slices": list(predicted),
        "complete": len(predicted) == len(job.slices),
        "figures": figures,
        "fractions": {
            "pooled": {name: figures[f"fraction.{name}"] for name in names},
            "slices": rows,
        },
        "pixels": {**dict(zip(names, total, strict=True)), "unlabelled": pixels - sum(total)},
    }
    return (json_text(content, indent=1) + "\n").encode()


def shares(names: Sequence[str], counts: NDArray[np.int64]) -> dict[str, float]:
    """Share of the counted pixels by class name."""
    return {name: float(share) for name, share in zip(names, fractions(counts), strict=True)}


def _settled(job: PredictJob, intensity: Intensity, predictor: Predictor) -> dict[str, Any]:
    return {
        "model": job.model.identity,
        "model_file": str(job.model.path),
        "images": job.images.uri,
        "depth": job.images.shape[0],
        "wanted": format_slices(job.slices),
        "classes": job.model.classes.to_dict(),
        "settings": {
            "match_intensity": job.match_intensity,
            "intensity": intensity.to_dict(),
            "region": None if job.region is None else job.region.text,
            "device": str(predictor.device),
            "precision": predictor.precision,
        },
        "command": job.command,
        "confidence": None if job.confidence is None else str(job.confidence),
    }

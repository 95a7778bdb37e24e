"""Segment X-ray slices and volumes from a few labelled slices.

The names below are read from their modules when they are first used, so that
`import napari_xseg` costs nothing and brings in no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_xseg.data.labels import open_labels
    from napari_xseg.data.volume import open_volume
    from napari_xseg.errors import XsegError
    from napari_xseg.prediction.volume import predict
    from napari_xseg.review.evaluation import evaluate_volumes as evaluate
    from napari_xseg.training.loop import train

__version__ = "0.1.0"
__all__ = ["XsegError", "evaluate", "open_labels", "open_volume", "predict", "train"]

_HOMES = {
    "XsegError": ("napari_xseg.errors", "XsegError"),
    "evaluate": ("napari_xseg.review.evaluation", "evaluate_volumes"),
    "open_labels": ("napari_xseg.data.labels", "open_labels"),
    "open_volume": ("napari_xseg.data.volume", "open_volume"),
    "predict": ("napari_xseg.prediction.volume", "predict"),
    "train": ("napari_xseg.training.loop", "train"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

"""A job here or in the engine process: the same request, the same events either way.

A request is a frozen value of paths and settings. `request.run(control)` does the
job in this process; `Engine().submit(request)` has it done in a process of its
own, with its own torch: this one imports none. It gives a `Running`: the events,
and orders for that job.
"""

from napari_xseg.jobs.client import Engine
from napari_xseg.jobs.next_slice import NextSliceRequest
from napari_xseg.jobs.process import EngineBug, EngineDied
from napari_xseg.jobs.requests import (
    AugmentationRequest,
    LabelledRequest,
    PredictRequest,
    Request,
    TrainRequest,
    WarmUp,
)
from napari_xseg.jobs.running import Running
from napari_xseg.jobs.slice_request import SliceRequest
from napari_xseg.jobs.sources import ArrayFile, FileSource, Source, share_planes
from napari_xseg.jobs.splits import SplitWish
from napari_xseg.jobs.suspects_request import SuspectsRequest
from napari_xseg.jobs.wire import decode_event, encode_event

__all__ = [
    "ArrayFile",
    "AugmentationRequest",
    "Engine",
    "EngineBug",
    "EngineDied",
    "FileSource",
    "LabelledRequest",
    "NextSliceRequest",
    "PredictRequest",
    "Request",
    "Running",
    "SliceRequest",
    "Source",
    "SplitWish",
    "SuspectsRequest",
    "TrainRequest",
    "WarmUp",
    "decode_event",
    "encode_event",
    "share_planes",
]

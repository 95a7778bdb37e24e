from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_xseg import events
from napari_xseg.events import Event, Finished, Message, Started, StepDone, Validated
from napari_xseg.jobs import (
    decode_event,
    encode_event,
)


@pytest.mark.parametrize(
    "event",
    [
        Message("a sentence", "warning"),
        Started("train", 3, "cpu", "float32"),
        events.Progress("validate", 1, 2, 0.25),
        StepDone(1, 2, 0.1 + 0.2, 1e-300, 3.0),
        Validated(1, 2.0, 0.5, 0.25, 0.125, (0.5, 0.75), True),
        events.Preview(3, (0, 4, 1, 5), Path("a") / "raw", 7, 0.125),
        events.Devices(("cpu", "cuda:0"), ("a processor", "a GPU")),
        events.Crops(Path("crops"), (9, 64, 64)),
        events.SlicesDone((3, 4), Path("mask.zarr"), 1),
        events.NextSlices((7, 3), (0.5, 0.25), (-1, 7), (1.5, 1.0), (0, 4), (0.1, 0.2), 25.0),
        events.TrialDone(Path("a") / "run", "5 slices", "failed", 1.0, 2, 9, 3.5, "no disk"),
        Finished(Path("a") / "run", "stopped", 1.0, {"dice_foreground": 0.5, "path": 1.0}),
    ],
)
def test_events_cross_as_json_unchanged(event: Event) -> None:
    assert decode_event(json.loads(json.dumps(encode_event(event)))) == event


def test_numbers_that_are_none_cross_too() -> None:
    event = Validated(1, 2.0, float("nan"), float("inf"), 0.0, (float("nan"),), False)
    assert str(decode_event(json.loads(json.dumps(encode_event(event))))) == str(event)


@pytest.mark.parametrize("kind", ["Control", "Path", "nothing", None])
def test_what_is_no_event_is_refused(kind: object) -> None:
    with pytest.raises(ValueError, match="no event"):
        decode_event({"event": kind})


def test_every_kind_of_event_is_tested_above() -> None:
    kinds = {item for item in vars(events).values() if isinstance(item, type)}
    kinds = {item for item in kinds if issubclass(item, Event) and item is not Event}
    known = {Message, Started, events.Progress, StepDone, Validated, Finished}
    known |= {events.Preview, events.Devices, events.Crops, events.SlicesDone}
    known |= {events.NextSlices, events.TrialDone}
    assert kinds == known

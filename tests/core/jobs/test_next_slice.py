"""Which slice to label next, as a job: with a model, without one, stopped, and refused."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Message, NextSlices, Progress
from napari_xseg.jobs import Engine, FileSource, NextSliceRequest, share_planes
from napari_xseg.jobs import slice_request as kept
from napari_xseg.review.suggest import suggest_slices, suggestions_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_xseg.jobs import TrainRequest

Files = tuple[FileSource, FileSource]


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for shelf in (kept._MODELS, kept._VOLUMES, kept._READERS, kept._INTENSITIES):
        shelf.clear()
    monkeypatch.setattr(kept, "_TOLD", kept.Told())


@pytest.fixture
def asked(files: Files, trained: Path) -> Callable[..., NextSliceRequest]:
    def make(**given: Any) -> NextSliceRequest:
        values: dict[str, Any] = {
            "model": trained,
            "images": files[0],
            "labelled": (1, 5),
            "device": "cpu",
            "precision": "float32",
            "threads": 1,
            **given,
        }
        return NextSliceRequest(**values)

    return make


def answer(events: list[Event]) -> NextSlices:
    (found,) = [event for event in events if isinstance(event, NextSlices)]
    assert events[-1] == found
    return found


def progress(events: list[Event]) -> list[tuple[int, int]]:
    return [(event.done, event.total) for event in events if isinstance(event, Progress)]


def test_slices_are_measured_and_suggested(asked: Callable[..., NextSliceRequest]) -> None:
    events = list(asked(count=2).run())
    found = answer(events)
    assert progress(events) == [(done, 8) for done in range(1, 9)]
    assert found.measured == tuple(range(8))
    assert all(0 < value < 1 for value in found.values)
    measured = dict(zip(found.measured, found.values, strict=True))
    wanted = suggest_slices(8, (1, 5), 2, uncertainty=measured, length=found.length)
    assert suggestions_of(found) == wanted
    assert len(wanted) == 2


def test_the_figure_is_the_mean_doubt_of_the_pixels(
    asked: Callable[..., NextSliceRequest], files: Files, trained: Path, tmp_path: Path
) -> None:
    found = answer(list(asked(region="circle").run()))
    slice_asked = kept.SliceRequest(
        model=trained,
        images=files[0],
        z=3,
        folder=tmp_path,
        region="circle",
        device="cpu",
        precision="float32",
        confidence=True,
    )
    list(slice_asked.run())
    (sure,) = tmp_path.glob("*.confidence")
    (mask,) = set(tmp_path.glob("slice-*")) - {sure}
    inside = np.fromfile(mask, np.uint8) != 255
    doubt = 1 - np.fromfile(sure, np.uint8)[inside].mean() / 255
    assert found.values[found.measured.index(3)] == pytest.approx(doubt)


def test_some_slices_are_enough(asked: Callable[..., NextSliceRequest]) -> None:
    found = answer(list(asked(every=3).run()))
    assert found.measured == (0, 3, 6, 7)
    found = answer(list(asked(slices="2:7", every=3, count=9).run()))
    assert found.measured == (2, 5, 6)
    assert set(found.slices) == {2, 3, 4, 6}


def test_without_a_model_grey_values_speak(
    files: Files, tmp_path: Path, scan: tuple[np.ndarray, np.ndarray]
) -> None:
    images = scan[0].copy()
    images[6] //= 2
    np.save(tmp_path / "odd.npy", images)
    request = NextSliceRequest(
        images=FileSource(path=str(tmp_path / "odd.npy")), labelled=(1,), count=1
    )
    found = answer(list(request.run()))
    assert dict(zip(found.measured, found.values, strict=True))[6] == max(found.values)
    assert (found.slices, found.by) == ((6,), "grey")
    assert "times as unlike the labelled ones in its grey values" in suggestions_of(found)[0].why


def test_without_labels_and_model_they_are_spread(files: Files) -> None:
    found = answer(list(NextSliceRequest(images=files[0], count=3).run()))
    assert found.nearest[0] == -1
    assert all(math.isnan(value) for value in found.uncertainties)
    assert len(set(found.slices)) == 3


@pytest.mark.parametrize("with_model", [True, False])
def test_slices_that_show_nothing_come_last_and_are_named(
    asked: Callable[..., NextSliceRequest],
    scan: tuple[np.ndarray, np.ndarray],
    tmp_path: Path,
    *,
    with_model: bool,
) -> None:
    images = scan[0].astype(np.float32)
    images[3:5], images[7] = np.nan, 7
    np.save(tmp_path / "blank.npy", images)
    source = FileSource(path=str(tmp_path / "blank.npy"))
    model = {} if with_model else {"model": None}
    events = list(asked(images=source, labelled=(), count=8, every=4, **model).run())
    found = answer(events)
    assert (set(found.slices[:5]), set(found.slices[5:])) == ({0, 1, 2, 5, 6}, {3, 4, 7})
    said = [one.text for one in events if isinstance(one, Message)]
    assert "blank: slices 3,4,7 have no finite pixel, or one value alone, and come last." in said


def test_where_all_slices_show_nothing_none_is_suggested(
    asked: Callable[..., NextSliceRequest], tmp_path: Path
) -> None:
    np.save(tmp_path / "nothing.npy", np.full((30, 20, 20), np.nan, np.float32))
    source = FileSource(path=str(tmp_path / "nothing.npy"))
    with pytest.raises(XsegError, match="all 30 slices are without a finite pixel"):
        list(asked(images=source, model=None, labelled=(), every=10).run())


def test_planes_of_another_process_are_those_considered(
    asked: Callable[..., NextSliceRequest], scan: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    planes = {z: scan[0][z] for z in range(2, 7)}
    some = share_planes(tmp_path / "planes.raw", planes, len(scan[0]))
    plain = answer(list(asked(images=some, model=None, labelled=()).run()))
    assert set(plain.slices) <= set(planes)
    with pytest.raises(XsegError, match="slice 1 is not among the 5 slices"):
        list(asked(images=some, slices=(1, 2)).run())


@pytest.mark.parametrize("with_model", [True, False])
def test_a_stop_ends_it_without_an_answer(
    asked: Callable[..., NextSliceRequest], *, with_model: bool
) -> None:
    control = Control()
    events: list[Event] = []
    for event in asked(**({} if with_model else {"model": None})).run(control):
        events.append(event)
        if isinstance(event, Progress):
            control.stop()
    assert progress(events)[-1][0] == 1
    assert not any(isinstance(event, NextSlices) for event in events)


def test_it_is_the_same_in_the_engine(
    asked: Callable[..., NextSliceRequest], shared_engine: Engine
) -> None:
    there = answer(list(shared_engine.submit(asked())))
    here = answer(list(asked().run()))
    assert there.slices == here.slices
    assert there.values == pytest.approx(here.values)


def test_what_does_not_fit_is_said(asked: Callable[..., NextSliceRequest], tmp_path: Path) -> None:
    with pytest.raises(XsegError, match="gone"):
        list(asked(model=tmp_path / "gone").run())
    with pytest.raises(XsegError):
        list(asked(slices="5:99").run())
    with pytest.raises(XsegError):
        list(asked(images=FileSource(path=str(tmp_path / "no.npy"))).run())


def test_a_training_says_where_its_labels_came_from(
    training: Callable[..., TrainRequest],
) -> None:
    request = training(origins={"painted": 1, "accepted": 2}, steps=1)
    list(request.run())
    told = json.loads((request.out / "provenance.json").read_text(encoding="utf-8"))
    assert told["label_origins"] == {"painted": 1, "accepted": 2}


def test_where_that_is_not_known_it_says_nothing(training: Callable[..., TrainRequest]) -> None:
    request = training(steps=1)
    list(request.run())
    told = json.loads((request.out / "provenance.json").read_text(encoding="utf-8"))
    assert told["label_origins"] is None

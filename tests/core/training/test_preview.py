"""Masks of what is looked at, made while a training runs."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_xseg.config import ModelConfig
from napari_xseg.data.planes import ContextReader
from napari_xseg.data.region import parse_region
from napari_xseg.data.volume import volume_from_array
from napari_xseg.errors import XsegError
from napari_xseg.events import (
    Control,
    Event,
    Finished,
    Message,
    Preview,
    StepDone,
    Validated,
    View,
)
from napari_xseg.model.checkpoint import load_model
from napari_xseg.model.unet import UNet
from napari_xseg.prediction.predictor import Predictor, blocks_of, stack_blocks
from napari_xseg.training import preview
from napari_xseg.training.loop import train
from napari_xseg.training.preview import Budget, Previewer
from napari_xseg.training.scene import SceneReader, window_around, window_input

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.config import TrainConfig

MakeJob = Any
WHOLE = (0, 40, 0, 36)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a preview after each step, whatever it costs."""
    for name, value in {
        "FIRST": 0.0,
        "FIRST_STEPS": 1,
        "INTERVAL": 0.0,
        "SHARE": 1e9,
        "SAVED_UP": 1e9,
        "WHOLE": 1e9,
    }.items():
        monkeypatch.setattr(preview, name, value)


def watched(job: Any, *views: View | None) -> list[Event]:
    """Train with each view in turn, one a step, and to the end with the last."""
    control, left = Control(), list(views)
    found = []
    control.look_at(left.pop(0))
    for event in train(job, control):
        found.append(event)
        if isinstance(event, StepDone) and event.step > 1 and left:
            control.look_at(left.pop(0))
    assert isinstance(found[-1], Finished)
    return found


def previews(events: list[Event]) -> list[Preview]:
    return [event for event in events if isinstance(event, Preview)]


def warnings(events: list[Event]) -> list[str]:
    return [
        event.text for event in events if isinstance(event, Message) and "preview" in event.text
    ]


def mask_of(event: Preview) -> np.ndarray:
    y0, y1, x0, x1 = event.box
    return np.fromfile(event.path, np.uint8).reshape(y1 - y0, x1 - x0)


def predicted(job: Any, z: int, images: Any = None) -> np.ndarray:
    """What the saved model makes of a whole slice."""
    saved = load_model(job.out)
    reader = ContextReader(images or job.images, saved.intensity, saved.config.context, 1 << 20)
    x = stack_blocks([[blocks_of(plane, saved.config) for plane in reader.read(z)]])
    predictor = Predictor(saved.network(), torch.device("cpu"), "float32")
    mask: np.ndarray = predictor.predict(x, WHOLE[1::2])[0][0].numpy()  # type: ignore[arg-type]
    return mask


@pytest.mark.parametrize("which", ["quick", "poster"])
def test_previews_leave_the_training_as_it_is(
    request: pytest.FixtureRequest, make_job: MakeJob, tmp_path: Path, which: str, eager: None
) -> None:
    config = request.getfixturevalue(which)
    seen, unseen = (make_job(config, out=tmp_path / name) for name in ("seen", "unseen"))
    view = View(4, WHOLE, tmp_path)
    found = watched(seen, view, replace(view, z=9), replace(view, z=0), view)
    steps = sum(isinstance(event, StepDone) for event in found)
    assert len(previews(found)) == steps
    watched(unseen, None)
    ours, theirs = load_model(seen.out), load_model(unseen.out)
    assert ours.identity == theirs.identity
    assert all(torch.equal(value, theirs.tensors[name]) for name, value in ours.tensors.items())


def test_a_mask_is_shown_before_the_step_is_validated(
    poster: TrainConfig, make_job: MakeJob, tmp_path: Path, eager: None
) -> None:
    found = watched(make_job(poster), View(4, WHOLE, tmp_path))
    said = [(event.step, type(event)) for event in found if isinstance(event, (Preview, Validated))]
    judged = [step for step, kind in said if kind is Validated]
    assert len(judged) > 1
    for step in judged[:-1]:  # the last is the end's
        assert said.index((step, Preview)) < said.index((step, Validated))


@pytest.mark.parametrize("which", ["quick", "poster"])
def test_a_preview_is_the_mask_of_the_averaged_model(
    request: pytest.FixtureRequest, make_job: MakeJob, tmp_path: Path, which: str, eager: None
) -> None:
    config = request.getfixturevalue(which).replace(keep="last", ema=0.9)
    job = make_job(config)
    last = previews(watched(job, View(9, (0, 5, 0, 5), tmp_path)))[-1]
    assert last.box == WHOLE
    assert last.z == 9
    assert last.step == load_model(job.out).metadata["training"]["steps"]
    assert last.seconds > 0
    assert last.path.parent == tmp_path
    np.testing.assert_array_equal(mask_of(last), predicted(job, 9))


@pytest.mark.parametrize("which", ["quick", "poster"])
def test_a_slow_model_previews_what_is_seen(
    request: pytest.FixtureRequest,
    make_job: MakeJob,
    tmp_path: Path,
    which: str,
    eager: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preview, "WHOLE", 0.0)
    monkeypatch.setattr(preview, "PART", 1e9)
    job = make_job(request.getfixturevalue(which).replace(keep="last"))
    last = previews(watched(job, View(2, (7, 90, -3, 25), tmp_path)))[-1]
    assert last.box == (7, 40, 0, 25)
    whole = predicted(job, 2)[7:40, 0:25]
    assert np.mean(mask_of(last) == whole) > 0.995  # sums in another order


def test_a_very_slow_model_previews_the_middle_of_what_is_seen(
    make_job: MakeJob, tmp_path: Path, eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "WHOLE", 0.0)
    monkeypatch.setattr(preview, "PART", 0.0)
    monkeypatch.setattr("napari_xseg.training.scene.SMALLEST", 10)
    found = previews(watched(make_job(), View(2, WHOLE, tmp_path)))
    y0, y1, x0, x1 = found[-1].box
    assert y0 > 10
    assert x0 > 8
    assert abs((y0 + y1) - 40) <= 1
    assert abs((x0 + x1) - 36) <= 1


def test_what_is_seen_beside_the_slice_is_no_failure(
    make_job: MakeJob, tmp_path: Path, eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "WHOLE", 0.0)
    found = watched(make_job(), View(2, (50, 90, 0, 36), tmp_path))
    assert not previews(found)
    assert not warnings(found)


def test_pixels_outside_the_region_or_without_a_value_are_not_predicted(
    make_job: MakeJob, scan: tuple[np.ndarray, np.ndarray], tmp_path: Path, eager: None
) -> None:
    images = scan[0].astype(np.float32)
    images[:, :7] = np.nan
    job = make_job(images=images, region=parse_region("3:30,2:38"))
    mask = mask_of(previews(watched(job, View(2, WHOLE, tmp_path)))[-1])
    hidden = np.ones((40, 36), bool)
    hidden[7:38, 3:30] = False
    np.testing.assert_array_equal(mask == 255, hidden)


def test_images_that_the_view_brings_are_normalised_as_the_training_s(
    make_job: MakeJob, scan: tuple[np.ndarray, np.ndarray], tmp_path: Path, eager: None
) -> None:
    other = volume_from_array(np.ascontiguousarray(scan[0][::-1]))
    opened = []

    def open_images(values: dict[str, Any]) -> Any:
        opened.append(values)
        return other

    job = make_job(open_images=open_images)
    found = watched(job, View(1, WHOLE, tmp_path, {"file": "there"}))
    np.testing.assert_array_equal(mask_of(previews(found)[-1]), predicted(job, 1, other))
    assert opened == [{"file": "there"}]


def unreadable(values: dict[str, Any]) -> Any:
    raise XsegError(f"{values['file']}: is not there.")


@pytest.mark.parametrize("fault", ["folder", "slice", "source", "no opener"])
def test_a_preview_that_fails_is_told_once_and_the_training_goes_on(
    make_job: MakeJob, tmp_path: Path, fault: str, eager: None
) -> None:
    good = View(3, WHOLE, tmp_path)
    bad = {
        "folder": replace(good, folder=tmp_path / "gone"),
        "slice": replace(good, z=10),
        "source": replace(good, images={"file": "there"}),
        "no opener": replace(good, images={"file": "there"}),
    }[fault]
    job = make_job(open_images=unreadable if fault == "source" else None)
    found = watched(job, bad, bad, bad, bad, good)
    (said,) = warnings(found)
    assert {"folder": "gone", "slice": "no slice 10", "source": "there"}.get(fault, "") in said
    assert "\n" not in said
    assert previews(found)[0].step > 4
    assert found[-1].reason == "done"  # type: ignore[attr-defined]


def test_a_full_disk_leaves_no_half_preview(
    make_job: MakeJob, tmp_path: Path, eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, mode: str) -> None:
        os.close(handle)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(preview.os, "fdopen", full)
    folder = tmp_path / "previews"
    folder.mkdir()
    views = [View(z, WHOLE, folder) for z in (1, 2, 3)]
    (said,) = warnings(watched(make_job(), *views))
    assert "No space left" in said
    assert list(folder.iterdir()) == []


@pytest.fixture
def previewer(make_job: MakeJob, quick: TrainConfig) -> Previewer:
    job = make_job()
    scenes = SceneReader(job.images, job.check(), None, quick.model)
    return Previewer(scenes, quick.model, torch.device("cpu"), "float32")


def network_of(config: TrainConfig) -> Any:
    return UNet(config.model)


def test_the_same_view_waits_and_another_is_shown_at_once(
    previewer: Previewer,
    quick: TrainConfig,
    tmp_path: Path,
    eager: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preview, "INTERVAL", 1e9)
    network, step = network_of(quick), 0

    def shown(view: View | None) -> list[int]:
        nonlocal step
        step += 1
        return [event.step for event in previewer.after_step(view, network, step, step)]  # type: ignore[attr-defined]

    view = View(3, (0, 9, 0, 9), tmp_path)
    assert shown(view) == [1]
    assert shown(view) == []
    assert shown(None) == []
    assert shown(replace(view, box=(5, 20, 5, 20))) == []  # the whole slice is there already
    assert shown(replace(view, z=4)) == [5]
    monkeypatch.setattr(preview, "WHOLE", 0.0)
    monkeypatch.setattr(preview, "PART", 1e9)
    assert shown(view) == [6]
    assert shown(replace(view, box=(5, 20, 5, 20))) == [7]
    assert shown(replace(view, box=(5, 20, 5, 20))) == []


def test_the_first_one_waits_for_the_first_steps(
    previewer: Previewer, quick: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "SHARE", 1e9)
    monkeypatch.setattr(preview, "SAVED_UP", 1e9)
    network, view = network_of(quick), View(3, WHOLE, tmp_path)
    for steps, seconds in [(1000, 0.4), (19, 0.6), (2, 2.9)]:
        assert not list(previewer.after_step(view, network, steps, seconds))
    assert list(previewer.after_step(view, network, 2, 3.1))


def test_a_preview_waits_until_it_can_be_afforded(
    previewer: Previewer, quick: TrainConfig, tmp_path: Path
) -> None:
    previewer.budget.spent = 2.0
    network, view = network_of(quick), View(3, WHOLE, tmp_path)
    assert not list(previewer.after_step(view, network, 100, 9.9))
    (event,) = previewer.after_step(view, network, 101, 1000.0)
    assert previewer.budget.spent - 2.0 == pytest.approx(event.seconds)  # type: ignore[attr-defined]


def test_the_first_one_is_paid_back_before_the_next(
    previewer: Previewer, quick: TrainConfig, tmp_path: Path
) -> None:
    network = network_of(quick)
    first, second = (View(z, WHOLE, tmp_path) for z in (3, 4))
    previewer._extra = 0.6
    assert not list(previewer.after_step(first, network, 30, 0.9))
    assert list(previewer.after_step(first, network, 31, 1.1))
    previewer.budget.spent = previewer._extra = 0.6
    assert not list(previewer.after_step(second, network, 40, 3.0))
    previewer._extra = 0.6
    assert list(previewer.after_step(second, network, 400, 60.0))


def test_a_slow_first_one_is_saved_up_for(
    previewer: Previewer, quick: TrainConfig, tmp_path: Path
) -> None:
    network, view = network_of(quick), View(3, WHOLE, tmp_path)
    previewer._extra = 1.5
    assert not list(previewer.after_step(view, network, 30, 5.0))
    assert list(previewer.after_step(view, network, 30, 60.0))


def test_a_fifth_of_the_training_may_be_spent_and_little_of_it_saved_up() -> None:
    budget = Budget()
    assert budget.left(2.0) == pytest.approx(0.36)
    budget.spent = 0.3
    assert budget.left(2.0) == pytest.approx(0.06)
    assert budget.left(100.0) == 1.0
    assert budget.left(101.0) == 1.0
    budget.spent += 1.0
    assert budget.left(101.0) == pytest.approx(0.0)
    assert budget.left(102.0) == pytest.approx(0.18)


def test_what_costs_more_is_saved_up_for() -> None:
    budget = Budget()
    assert [budget.left(seconds, 3.0) for seconds in (5.0, 10.0, 20.0)] == pytest.approx(
        [0.9, 1.8, 3.0]
    )


def test_without_time_of_its_own_there_is_no_preview(
    make_job: MakeJob, tmp_path: Path, eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "SHARE", 0.0)
    assert not previews(watched(make_job(), View(3, WHOLE, tmp_path)))


def test_a_resumed_run_has_the_time_of_its_own_steps(
    make_job: MakeJob, half_way: Any, tmp_path: Path
) -> None:
    from napari_xseg.training.run import Run

    half_way(make_job())
    run = Run(make_job(resume=True))
    list(run.begin())
    run.seconds = run.begun_at + 0.4
    assert run.begun_at > 0
    control = Control()
    control.look_at(View(3, WHOLE, tmp_path))
    assert not list(run.preview(control))
    run.seconds = run.begun_at + 60
    assert list(run.preview(control))
    control.look_at(View(4, WHOLE, tmp_path))
    control.stop()
    assert not list(run.preview(control))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
@pytest.mark.parametrize("box", [(0, 90, 0, 70), (30, 52, 41, 70), (3, 9, 0, 8)])
def test_a_window_gives_what_the_whole_slice_gives(
    padding: Any, upsampling: Any, box: tuple[int, int, int, int]
) -> None:
    config = ModelConfig(width=3, depth=3, padding=padding, upsampling=upsampling)
    torch.manual_seed(0)
    predictor = Predictor(UNet(config).eval(), torch.device("cpu"), "float32")
    plane = np.random.default_rng(0).normal(size=(90, 70)).astype(np.float32)
    whole = predictor.logits(stack_blocks([[blocks_of(plane, config)]]), (90, 70))[0]
    window = window_around(box, (90, 70), config)
    size = (window[1] - window[0], window[3] - window[2])
    part = predictor.logits(window_input([plane], window, config), size)[0]
    y, x = box[0] - window[0], box[2] - window[2]
    part = part[:, y : y + box[1] - box[0], x : x + box[3] - box[2]]
    torch.testing.assert_close(part, whole[:, box[0] : box[1], box[2] : box[3]])

"""What a training says and leaves, in its ordinary ways to go."""

from __future__ import annotations

import csv
import json
import math
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.config import TrainConfig
from napari_xseg.data.intensity import measure_intensity
from napari_xseg.data.partition import Split
from napari_xseg.data.region import parse_region
from napari_xseg.data.volume import volume_from_array
from napari_xseg.events import (
    Control,
    Event,
    Finished,
    Message,
    Progress,
    Started,
    StepDone,
    Validated,
)
from napari_xseg.model.checkpoint import load_model
from napari_xseg.training.loop import train
from napari_xseg.training.run import Run

if TYPE_CHECKING:
    from pathlib import Path


MakeJob = Any
ALONE = Split((1, 5, 8), (), kind="none")


def told(events: list[Event], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("which", ["quick", "poster"])
def test_a_run_says_what_it_does_in_order(
    request: pytest.FixtureRequest, make_job: MakeJob, run: Any, which: str, look_often: None
) -> None:
    job = make_job(request.getfixturevalue(which))
    events = run(job)
    started = told(events, Started)
    steps = told(events, StepDone)
    assert events[0] == started[0]
    assert (started[0].what, started[0].total) == ("train", len(steps))
    assert started[0].precision == "float32"
    assert [step.step for step in steps] == list(range(1, len(steps) + 1))
    assert {step.steps for step in steps} == {len(steps)}
    assert all(math.isfinite(step.loss) for step in steps)
    seconds = [step.seconds for step in steps]
    assert seconds == sorted(seconds)
    finished = events[-1]
    assert (finished.path, finished.reason) == (job.out, "done")
    assert len(told(events, Finished)) == 1
    looks = told(events, Validated)
    assert looks[-1].step == len(steps)
    assert all(0 <= look.dice_foreground <= 1 and len(look.dice) == 3 for look in looks)
    saved = load_model(job.out)
    assert saved.metadata["figures"]["dice_foreground"] == finished.figures["dice_foreground"]
    if which == "poster":
        assert finished.figures["dice_foreground"] == max(
            look.dice_foreground for look in looks if look.step % 6 == 0
        )
    else:
        assert finished.figures["dice_foreground"] == looks[-1].dice_foreground
        assert [event.done for event in told(events, Progress)] == [1, 2]


def test_a_run_folder_holds_what_it_promises(make_job: MakeJob, run: Any, quick: Any) -> None:
    job = make_job(seed=5, command="napari-xseg train ...", region=parse_region("2:30,3:38"))
    events = run(job)
    names = {path.name for path in job.out.iterdir()}
    assert names == {
        "config.toml",
        "model.safetensors",
        "resume.pt",
        "history.csv",
        "provenance.json",
    }
    assert TrainConfig.from_toml(job.out / "config.toml") == job.recipe()
    provenance = json.loads((job.out / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["seed"] == 5
    assert provenance["command"] == "napari-xseg train ..."
    assert provenance["split"] == job.split.to_dict()
    assert provenance["pairs"] == {"1": 1, "3": 3, "5": 5, "6": 6, "8": 8}
    assert provenance["region"] == "2:30,3:38"
    assert provenance["classes"] == job.labels.classes.to_dict()
    assert provenance["precision"] == "float32"
    assert provenance["steps"] == 24
    assert provenance["figures"] == events[-1].figures
    for part in ("train", "val"):
        assert {len(text) for text in provenance["sha256"][part].values()} == {64}
    assert set(provenance["versions"]) >= {"napari-xseg", "torch", "numpy"}
    rows = rows_of(job.out)
    assert list(rows[0]) == [
        "step", "seconds", "learning_rate", "loss", "dice_all", "dice_foreground",
        "dice_class 0", "dice_class 1", "dice_class 2",
    ]  # fmt: skip
    assert rows[-1]["step"] == "24"
    assert float(rows[-1]["dice_foreground"]) == pytest.approx(
        events[-1].figures["dice_foreground"]
    )
    model = load_model(job.out)
    assert model.config == quick.model
    assert model.intensity == measure_intensity(job.images, (1, 5, 8), job.region)
    assert model.metadata["training"]["steps"] == 24
    assert model.metadata["training"]["seed"] == 5


def test_training_learns(make_job: MakeJob, run: Any, quick: TrainConfig) -> None:
    config = quick.replace(model=quick.model.replace(width=4).model_dump(), steps=150)
    config = config.replace(noise=config.noise.replace(enabled=False).model_dump())
    assert run(make_job(config))[-1].figures["dice_foreground"] > 0.9


def test_the_learning_rate_is_that_of_the_schedule(
    make_job: MakeJob, run: Any, quick: TrainConfig, poster: TrainConfig, tmp_path: Path
) -> None:
    rates = [step.learning_rate for step in told(run(make_job(quick)), StepDone)]
    assert rates[:4] == pytest.approx([0.0025, 0.005, 0.0075, 0.01])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert 0 < rates[-1] < 0.0002
    still = poster.replace(learning_rate=1e-30, clip_norm=1e-30, epochs=5)
    rates = [
        step.learning_rate for step in told(run(make_job(still, out=tmp_path / "p")), StepDone)
    ]
    # no better Dice, patience 0: a tenth after each epoch of six but the first
    expected = [1e-30 * 0.1 ** max(0, step // 6 - 1) for step in range(30)]
    assert rates == pytest.approx(expected, rel=1e-6)


def test_the_seed_of_the_first_weights_leaves_torch_s_own_alone(make_job: MakeJob) -> None:
    import torch

    torch.manual_seed(1)
    before = torch.get_rng_state()
    Run(make_job())
    assert torch.equal(torch.get_rng_state(), before)


def test_without_validation_the_last_averaged_model_stands(
    make_job: MakeJob, run: Any, quick: TrainConfig, poster: TrainConfig, tmp_path: Path
) -> None:
    for name, config in {"quick": quick, "poster": poster.replace(ema=0.5, epochs=2)}.items():
        job = make_job(config, split=ALONE, out=tmp_path / name)
        events = run(job)
        assert not told(events, Validated)
        assert events[-1].figures == {}
        live = Run(make_job(config, split=ALONE, out=tmp_path / name, resume=True))
        list(live.begin())
        saved = load_model(job.out).tensors
        for key, value in live.learner.average.state_dict().items():
            assert value.equal(saved[key]), key
        assert list(rows_of(job.out)[-1]) == ["step", "seconds", "learning_rate", "loss"]


def test_a_stop_without_validation_keeps_the_model_of_that_step(
    make_job: MakeJob, look_often: None
) -> None:
    job, control = make_job(split=ALONE), Control()
    for event in train(job, control):
        if isinstance(event, StepDone) and event.step == 9:
            control.stop()
    assert load_model(job.out).metadata["training"]["steps"] == 9


def test_a_band_gives_a_rough_figure(make_job: MakeJob, run: Any) -> None:
    split = Split((2,), (2,), kind="band", rough=True, band=(8, 16), margin=2)
    job = make_job(split=split)
    events = run(job)
    assert 0 <= events[-1].figures["dice_foreground"] <= 1
    metadata = load_model(job.out).metadata
    assert metadata["rough"] is True
    assert "rough" in metadata["split"]


def test_one_slice_is_enough(make_job: MakeJob, run: Any) -> None:
    job = make_job(split=Split((4,), (), kind="none"))
    run(job)
    load_model(job.out)


@pytest.mark.parametrize("which", ["quick", "poster"])
def test_strokes_are_enough(
    request: pytest.FixtureRequest,
    make_job: MakeJob,
    run: Any,
    scan: tuple[np.ndarray, np.ndarray],
    which: str,
) -> None:
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(scan[1].shape) < 0.03, scan[1], np.uint8(7))
    events = run(make_job(request.getfixturevalue(which), labels=labels))
    assert all(math.isfinite(step.loss) for step in told(events, StepDone))


def test_images_without_a_value_everywhere_train(
    make_job: MakeJob, run: Any, scan: tuple[np.ndarray, np.ndarray]
) -> None:
    images = scan[0].astype(np.float32)
    y, x = np.ogrid[:40, :36]
    images[:, (y - 20) ** 2 + (x - 18) ** 2 > 18**2] = np.nan
    job = make_job(images=images)
    events = run(job)
    assert all(math.isfinite(step.loss) for step in told(events, StepDone))
    assert math.isfinite(load_model(job.out).intensity.mean)


@pytest.mark.parametrize("which", ["quick", "poster"])
@pytest.mark.parametrize("size", [(1, 2), (3, 40), (9, 5)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_slices_smaller_than_a_crop_train(
    request: pytest.FixtureRequest,
    make_job: MakeJob,
    run: Any,
    which: str,
    size: tuple[int, int],
    padding: str,
) -> None:
    config = request.getfixturevalue(which).with_budget(steps=4)
    config = config.replace(model=config.model.replace(depth=3, padding=padding).model_dump())
    rng = np.random.default_rng(0)
    labels = rng.choice(np.array([0, 128, 255], np.uint8), (10, *size))
    labels[:, 0, 0] = np.resize([0, 128, 255], 10)
    images = rng.integers(0, 60_000, (10, *size)).astype(np.uint16)
    events = run(make_job(config, images=images, labels=labels))
    assert events[-1].reason == "done"


def test_epochs_count_whole_slices_and_their_copies(
    make_job: MakeJob, run: Any, poster: TrainConfig, tmp_path: Path
) -> None:
    plain = poster.replace(noise=poster.noise.replace(enabled=False).model_dump(), epochs=4)
    assert len(told(run(make_job(plain)), StepDone)) == 12
    assert len(told(run(make_job(poster.replace(epochs=4), out=tmp_path / "b")), StepDone)) == 24


def test_a_run_stops_early_where_it_gets_no_better(
    make_job: MakeJob, run: Any, poster: TrainConfig
) -> None:
    config = poster.replace(learning_rate=1e-30, clip_norm=1e-30, early_stop=2, epochs=50)
    events = run(make_job(config))
    assert events[-1].reason == "early"
    judged = [look.step for look in told(events, Validated) if look.step % 6 == 0]
    assert judged == [6, 12, 18]
    assert [look.best for look in told(events, Validated)] == [True, False, False]


def test_a_pause_holds_the_run(make_job: MakeJob) -> None:
    job, control = make_job(), Control()
    seen: list[int] = []

    def work() -> None:
        for event in train(job, control):
            if isinstance(event, StepDone):
                seen.append(event.step)
                if event.step == 5:
                    control.pause()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while 5 not in seen and thread.is_alive():
        time.sleep(0.005)
    time.sleep(0.15)
    assert seen[-1] == 5
    control.go_on()
    thread.join(60)
    assert seen[-1] == 24


def test_a_paused_run_can_be_stopped(make_job: MakeJob) -> None:
    job, control = make_job(), Control()
    control.pause()
    threading.Timer(0.1, control.stop).start()
    events = list(train(job, control))
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "stopped"
    load_model(job.out)


class Slow:
    """A clock by which each step takes so long, the first ones longer, and looks nothing."""

    def __init__(self, pace: float) -> None:
        self.pace, self.now = pace, 0.0

    def __call__(self) -> float:
        self.now += self.pace / 2  # a step looks twice
        return self.now


@pytest.mark.parametrize("limit", [1.0, 3.0, 30.0])
def test_a_time_limit_is_kept(
    make_job: MakeJob, run: Any, monkeypatch: pytest.MonkeyPatch, limit: float
) -> None:
    job = make_job(time_limit=limit, precision="float32")
    monkeypatch.setattr(time, "perf_counter", Slow(limit / 60))
    events = run(job)
    steps = told(events, StepDone)
    known = [step.steps for step in steps if step.steps]
    assert len(set(known)) == 1, "fixed once"
    assert steps[-1].step == known[0]
    assert events[-1].seconds <= limit
    assert events[-1].seconds >= 0.85 * limit
    assert steps[-1].learning_rate < 0.02 * max(step.learning_rate for step in steps)
    assert told(events, Started)[0].total == 0


def test_in_real_time_a_limit_ends_the_training(make_job: MakeJob, run: Any) -> None:
    """How well is a matter of the machine: here, that the limit ends it at all."""
    events = run(make_job(time_limit=0.5, precision="float32"))
    assert told(events, StepDone)
    assert events[-1].reason == "done"


def test_the_first_figure_comes_within_five_seconds(
    make_job: MakeJob, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(time_limit=60.0, precision="float32")
    monkeypatch.setattr(time, "perf_counter", Slow(0.5))
    looks = told(run(job), Validated)
    assert looks[0].seconds <= 5
    assert len(looks) > 3


def test_a_long_validation_at_the_end_can_be_stopped(make_job: MakeJob) -> None:
    job, control = make_job(split=Split((1, 5), (2, 3, 4, 6, 7, 8))), Control()
    for event in train(job, control):
        if isinstance(event, Progress) and event.done == 2:
            control.stop()
    assert isinstance(event, Finished)
    model = load_model(job.out)
    assert model.metadata["training"]["steps"] == 24
    assert model.metadata["figures"] == {}


def test_classes_are_as_many_as_the_labels_have(
    make_job: MakeJob, run: Any, scan: tuple[np.ndarray, np.ndarray]
) -> None:
    from napari_xseg.data.classes import ClassTable

    labels = np.where(scan[1] == 128, 255, scan[1])
    job = make_job(labels=labels, classes=ClassTable.from_values([0, 255]))
    run(job)
    assert load_model(job.out).config.classes == 2


def test_unordered_images_repeat_the_slice(
    make_job: MakeJob, run: Any, scan: tuple[np.ndarray, np.ndarray]
) -> None:
    run(make_job(images=volume_from_array(scan[0], neighbours=False)))


def test_a_message_says_that_a_run_goes_on(make_job: MakeJob, run: Any) -> None:
    control = Control()
    job = make_job()
    for event in train(job, control):
        if isinstance(event, StepDone) and event.step == 4:
            control.stop()
    events = run(make_job(resume=True))
    assert isinstance(events[0], Message)
    assert "goes on from step 4" in events[0].text
    assert told(events, StepDone)[0].step == 5

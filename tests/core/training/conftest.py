"""Trainings that take a fraction of a second: tiny networks on a tiny phantom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import torch

from napari_xseg.config import AugmentConfig, ModelConfig, NoiseConfig, TrainConfig
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.labels import LabelVolume
from napari_xseg.data.partition import Split
from napari_xseg.data.phantom import phantom
from napari_xseg.data.volume import volume_from_array
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Finished, StepDone
from napari_xseg.training.job import TrainJob
from napari_xseg.training.loop import train

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

MakeJob = Callable[..., TrainJob]

QUICK = TrainConfig(
    name="tiny quick",
    model=ModelConfig(width=2, depth=2, context=1, patch=2),
    loss="ce",
    crop=16,
    batch=3,
    balance=0.2,
    learning_rate=0.01,
    weight_decay=0.01,
    warmup_steps=4,
    ema=0.9,
    steps=24,
    keep="last",
    augment=AugmentConfig(context_drop=0.2, gain=0.05, offset=0.05),
    noise=NoiseConfig(enabled=True, std=3000),
)
POSTER = TrainConfig(
    name="tiny poster",
    model=ModelConfig(width=2, depth=2, padding="valid"),
    loss="ce+dl2",
    optimiser="rmsprop",
    learning_rate=1e-3,
    weight_decay=1e-8,
    momentum=0.9,
    clip_norm=1.0,
    schedule="plateau",
    patience=0,
    epochs=6,
    keep="best",
    augment=AugmentConfig(turns=False, reverse_context=False),
    noise=NoiseConfig(enabled=True, std=3000, copies=True),
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def scan() -> tuple[np.ndarray, np.ndarray]:
    """Images and label values (10, 40, 36) of a phantom."""
    return phantom((10, 40, 36), seed=1)


@pytest.fixture(scope="session")
def quick() -> TrainConfig:
    return QUICK


@pytest.fixture(scope="session")
def poster() -> TrainConfig:
    return POSTER


@pytest.fixture
def make_job(scan: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> MakeJob:
    """Make a job on the phantom; images, labels and anything else may be given instead."""

    def make(config: TrainConfig = QUICK, **given: Any) -> TrainJob:
        images, labels = given.pop("images", scan[0]), given.pop("labels", scan[1])
        classes = given.pop("classes", None) or ClassTable.from_values([0, 128, 255], unlabelled=7)
        split = given.pop("split", None) or Split((1, 5, 8), (3, 6))
        # one file a slice could hold any of these; an array stands for it
        return TrainJob(
            images=images if hasattr(images, "read") else volume_from_array(images),
            labels=LabelVolume(volume_from_array(labels, meaning="labels"), classes),
            label_of=given.pop("label_of", None) or {z: z for z in range(len(labels))},
            split=split,
            config=config,
            out=given.pop("out", tmp_path / "run"),
            device="cpu",
            **given,
        )

    return make


@pytest.fixture(scope="session")
def run() -> Callable[..., list[Event]]:
    """Train to the end and give all events; the last one is Finished."""

    def to_the_end(job: TrainJob, *control: Any) -> list[Event]:
        events = list(train(job, *control))
        assert isinstance(events[-1], Finished)
        return events

    return to_the_end


@pytest.fixture
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validate and save after each step, where a recipe looks from time to time."""
    monkeypatch.setattr("napari_xseg.training.run.FIRST_LOOK", 0.0)
    monkeypatch.setattr("napari_xseg.training.run.LOOK_SHARE", float("inf"))


@pytest.fixture(scope="session")
def refused() -> Callable[[TrainJob], str]:
    """Train where that cannot be done, and give the one sentence that says why."""

    def sentence(job: TrainJob) -> str:
        with pytest.raises(XsegError) as caught:
            list(train(job))
        said = str(caught.value)
        assert "\n" not in said
        assert said.endswith(".")
        return said

    return sentence


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, bytes]]:
    """All files of a folder by name."""
    return lambda folder: {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="session")
def half_way() -> Callable[[TrainJob], None]:
    """Train for nine steps and stop."""

    def stopped(job: TrainJob) -> None:
        control = Control()
        for event in train(job, control):
            if isinstance(event, StepDone) and event.step == 9:
                control.stop()

    return stopped

"""The same job here and in a real engine, with a tiny network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_xseg.errors import XsegError
from napari_xseg.events import (
    Control,
    Crops,
    Devices,
    Event,
    Finished,
    Message,
    Preview,
    Started,
    StepDone,
    Validated,
    View,
)
from napari_xseg.jobs import (
    ArrayFile,
    AugmentationRequest,
    Engine,
    EngineDied,
    FileSource,
    PredictRequest,
    SplitWish,
    TrainRequest,
    WarmUp,
    encode_event,
    share_planes,
)
from napari_xseg.model.checkpoint import load_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from napari_xseg.config import TrainConfig

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


PARENT = """
import sys
from pathlib import Path
from napari_xseg.jobs import Engine, TrainRequest
request = TrainRequest.from_dict({request!r})
engine = Engine()
events = engine.submit(request)
for event in events:
    if type(event).__name__ == "StepDone":
        break
print(engine.pid, engine.folder, "torch" in sys.modules, flush=True)
for event in events:
    pass
"""


def timeless(found: list[Event], **paths: Path) -> list[str]:
    """Events without what no two runs have in common."""
    fields = ("seconds",)
    shown = []
    for event in found:
        values = {key: item for key, item in encode_event(event).items() if key not in fields}
        if isinstance(event, Finished):
            values["figures"]["items"].pop("mpx_per_s", None)
            values.pop("path")
        shown.append(json.dumps(values))
    return shown


def test_a_request_crosses_as_json_unchanged(training: Callable[..., TrainRequest]) -> None:
    request = training(
        label_of={3: 0, 5: 1},
        images=ArrayFile(file="a.raw", dtype="<u2", shape=(3, 4, 5), planes=(0, 2)),
        split={"train": [3], "val": [5]},
    )
    values = json.loads(json.dumps(request.model_dump(mode="json")))
    assert TrainRequest.from_dict(values) == request


def test_a_training_is_the_same_here_and_in_the_engine(
    shared_engine: Engine, training: Callable[..., TrainRequest], tmp_path: Path
) -> None:
    here = list(training(out=tmp_path / "here").run())
    there = list(shared_engine.submit(training(out=tmp_path / "there")))
    assert timeless(here) == timeless(there)
    assert sum(isinstance(event, StepDone) for event in there) == 12
    assert there[-1].path == tmp_path / "there"  # type: ignore[attr-defined]
    ours, theirs = load_model(tmp_path / "here"), load_model(tmp_path / "there")
    assert ours.identity == theirs.identity


def test_a_prediction_is_the_same_here_and_in_the_engine(
    shared_engine: Engine, files: tuple[FileSource, FileSource], trained: Path, tmp_path: Path
) -> None:
    def request(name: str) -> PredictRequest:
        return PredictRequest(
            model=trained,
            images=files[0],
            out=tmp_path / name,
            slices="2:5",
            device="cpu",
            precision="float32",
            threads=1,
        )

    here = list(request("here.tif").run())
    there = list(shared_engine.submit(request("there.tif")))
    assert timeless(here) == timeless(there)
    masks = [FileSource(path=str(tmp_path / f"{name}.tif")).open() for name in ("here", "there")]
    assert masks[0].shape == (3, 32, 32)
    np.testing.assert_array_equal(masks[0][:], masks[1][:])


def test_arrays_of_the_viewer_give_the_same_model_as_files(
    shared_engine: Engine,
    scan: tuple[np.ndarray, np.ndarray],
    training: Callable[..., TrainRequest],
    tmp_path: Path,
) -> None:
    list(training(out=tmp_path / "files").run())
    images, labels = scan
    near = (0, 1, 2, 3, 4, 5, 6)
    request = training(
        images=share_planes(shared_engine.folder / "i.raw", {z: images[z] for z in near}, 8),
        labels=share_planes(shared_engine.folder / "l.raw", {z: labels[z] for z in (1, 3, 5)}, 8),
        out=tmp_path / "arrays",
    )
    assert isinstance(list(shared_engine.submit(request))[-1], Finished)
    first, second = load_model(tmp_path / "files"), load_model(tmp_path / "arrays")
    assert first.identity == second.identity


def test_a_settled_split_is_taken_as_it_is(training: Callable[..., TrainRequest]) -> None:
    split = {"train": [1, 5], "val": [2], "guard": [3], "kind": "blocked", "guard_distance": 1}
    request = training(split=split, wish=SplitWish(), steps=1)
    assert isinstance(list(request.run())[-1], Finished)
    told = json.loads((request.out / "provenance.json").read_text(encoding="utf-8"))
    assert (told["split"]["guard"], told["split"]["kind"]) == ([3], "blocked")


def test_doubtful_pairs_and_splits_are_said(training: Callable[..., TrainRequest]) -> None:
    found = list(training(wish=SplitWish(train="1,5", val="2")).run())
    texts = [event.text for event in found if isinstance(event, Message)]
    assert any(text.startswith("Split: 2 slices") for text in texts)


@pytest.mark.parametrize(
    "wish",
    [
        {"val": "3", "validation": False},
        {"kind": "random", "train": "1"},
        {"train": "1,99"},
        {"train": "1", "val": "1"},
    ],
)
def test_a_split_that_contradicts_itself_is_refused(
    training: Callable[..., TrainRequest], wish: dict[str, Any]
) -> None:
    request = training(wish=SplitWish(**wish))
    with pytest.raises(XsegError):
        list(request.run())
    assert not request.out.exists()


def test_the_second_job_finds_torch_loaded(shared_engine: Engine, pretend: ModuleType) -> None:
    list(shared_engine.submit(WarmUp()))
    pid = shared_engine.pid
    (said,) = shared_engine.submit(pretend.Loaded())
    assert said == Message("torch")
    assert shared_engine.pid == pid


def test_control_here_and_stop_there_end_a_training_alike(
    tiny: TrainConfig, shared_engine: Engine, training: Callable[..., TrainRequest], tmp_path: Path
) -> None:
    long = training(config=tiny.replace(steps=100_000), out=tmp_path / "there")
    control = Control()
    here = []
    for event in long.replace(out=tmp_path / "here").run(control):
        here.append(event)
        if isinstance(event, StepDone) and event.step == 3:
            control.stop()
    job = shared_engine.submit(long)
    there = []
    for event in job:
        there.append(event)
        if isinstance(event, StepDone) and event.step == 3:
            shared_engine.stop()
    for found in (here, there):
        assert isinstance(found[-1], Finished)
        assert found[-1].reason == "stopped"
        assert load_model(found[-1].path).classes.values == (0, 128, 255)


def test_what_the_user_can_mend_is_raised_as_such(
    shared_engine: Engine, training: Callable[..., TrainRequest], tmp_path: Path
) -> None:
    shared_engine.start()
    pid = shared_engine.pid
    assert pid is not None
    request = training(images=FileSource(path=str(tmp_path / "nowhere.tif")))
    with pytest.raises(XsegError) as here:
        list(request.run())
    with pytest.raises(XsegError) as there:
        list(shared_engine.submit(request))
    assert str(here.value) == str(there.value)
    assert shared_engine.pid == pid
    assert not request.out.exists()


@posix
def test_killing_the_viewer_leaves_a_model_and_no_process(
    tiny: TrainConfig,
    lives: Callable[[int], bool],
    wait_for: Callable[..., None],
    training: Callable[..., TrainRequest],
    pretend: ModuleType,
) -> None:
    request = training(config=tiny.replace(steps=1_000_000))
    code = PARENT.format(request=request.model_dump(mode="json"))
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout as lines:
        pid, folder, torch_loaded = lines.readline().split()
        parent.kill()
        parent.wait()
    assert torch_loaded == "False"
    assert lives(int(pid)) or not Path(folder).exists()
    wait_for(lambda: not lives(int(pid)))
    assert not Path(folder).exists()
    assert load_model(request.out).config.width == 2
    told = json.loads((request.out / "provenance.json").read_text(encoding="utf-8"))
    assert "finished" in told


def test_precisions_are_timed_once(
    files: tuple[FileSource, FileSource],
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timed: list[object] = []

    def fastest(run: object) -> tuple[float, float]:
        timed.append(run)
        return 2.0, 1.0

    monkeypatch.setattr("napari_xseg.model.device._fastest", fastest)
    monkeypatch.setattr("napari_xseg.jobs.requests._FASTER", {})
    for name in ("first.tif", "second.tif"):
        request = PredictRequest(
            model=trained, images=files[0], out=tmp_path / name, slices=(2,), device="cpu"
        )
        started = [event for event in request.run() if isinstance(event, Started)]
        assert [event.precision for event in started] == ["bfloat16"]
    assert len(timed) == 1


def test_the_threads_of_a_job_are_not_those_of_the_next(
    training: Callable[..., TrainRequest],
) -> None:
    torch.set_num_threads(2)
    try:
        list(training(threads=1, steps=1).run())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_nothing_here_knows_torch() -> None:
    code = "import sys, napari_xseg.jobs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_stop_now_leaves_the_last_saved_model(
    tiny: TrainConfig, shared_engine: Engine, training: Callable[..., TrainRequest]
) -> None:
    request = training(config=tiny.replace(steps=4000, keep="best"))
    job = shared_engine.submit(request)
    for event in job:
        if isinstance(event, Validated):
            break
    shared_engine.kill()
    with pytest.raises(EngineDied, match="at once") as died:
        list(job)
    assert died.value.asked
    assert load_model(request.out).config.width == 2


def test_a_warm_engine_has_told_what_it_computes_on(shared_engine: Engine) -> None:
    (devices,) = shared_engine.submit(WarmUp())
    assert isinstance(devices, Devices)
    assert devices.names[0] == "cpu"
    assert len(devices.names) == len(devices.descriptions)
    assert "threads" in devices.descriptions[0]


def test_a_training_in_the_engine_shows_what_is_looked_at(
    tiny: TrainConfig,
    scan: tuple[np.ndarray, np.ndarray],
    shared_engine: Engine,
    training: Callable[..., TrainRequest],
) -> None:
    folder = shared_engine.folder
    shared = share_planes(folder / "seen.raw", {z: scan[0][z] for z in (3, 4, 5)}, 8)
    job = shared_engine.submit(training(config=tiny.replace(steps=1_000_000)))
    own = View(6, (0, 32, 0, 32), folder)
    job.look_at(own)
    shown = []
    for event in job:
        if isinstance(event, Preview):
            pixels = np.fromfile(event.path, np.uint8)
            event.path.unlink()
            assert pixels.size == 32 * 32
            assert pixels.max() <= 2
            shown.append(event.z)
            job.look_at(View(4, own.box, folder, shared.model_dump(mode="json")))
            if event.z == 4:
                job.stop()
    assert shown == [6, 4]


def test_a_continued_training_names_its_parent(
    trained: Path, shared_engine: Engine, training: Callable[..., TrainRequest]
) -> None:
    request = training(parent=trained)
    list(shared_engine.submit(request))
    assert load_model(request.out).metadata["parent"]["identity"] == load_model(trained).identity


def test_augmented_crops_are_the_same_here_and_in_the_engine(
    tiny: TrainConfig,
    files: tuple[FileSource, FileSource],
    shared_engine: Engine,
    tmp_path: Path,
) -> None:
    request = AugmentationRequest(
        images=files[0],
        labels=files[1],
        config=tiny,
        wish=SplitWish(train="1,5", val=(3,)),
        folder=tmp_path,
        count=3,
    )
    assert AugmentationRequest.from_dict(request.model_dump(mode="json")) == request
    found = []
    for events in (request.run(), shared_engine.submit(request)):
        (crops,) = events
        assert isinstance(crops, Crops)
        assert crops.shape == (3, 16, 16)
        found.append(crops.path.read_bytes())
        crops.path.unlink()
    assert found[0] == found[1]
    assert len(found[0]) == 3 * 16 * 16 * 5
    labels = np.frombuffer(found[0], np.uint8, offset=3 * 16 * 16 * 4)
    assert set(np.unique(labels)) <= {0, 1, 2}
    assert list(tmp_path.iterdir()) == []

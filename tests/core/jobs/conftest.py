"""Engines, jobs that only pretend, and trainings that take a moment."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_xseg.config import ModelConfig, TrainConfig
from napari_xseg.data.phantom import phantom
from napari_xseg.events import Finished
from napari_xseg.jobs import (
    Engine,
    FileSource,
    SplitWish,
    TrainRequest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

TINY = TrainConfig(
    name="tiny",
    model=ModelConfig(width=2, depth=2, context=1),
    crop=16,
    batch=2,
    learning_rate=0.01,
    ema=0.9,
    steps=12,
    keep="last",
)
PRETENDERS = """
import sys, time
from pathlib import Path
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Finished, Message, Started, StepDone
from napari_xseg.jobs import Request

class Steps(Request):
    count: int = 3
    seconds: float = 0.0
    saved: Path | None = None
    gate: Path | None = None  # no step ends before it is there

    def wait(self):
        time.sleep(self.seconds)
        end = time.monotonic() + 300
        while self.gate is not None and not self.gate.exists() and time.monotonic() < end:
            time.sleep(0.01)

    def run(self, control=None):
        control = control or Control()
        yield Started("train", self.count, "nowhere", "float32")
        for step in range(self.count):
            if control.paused:
                yield Message("pauses")
            control.wait_if_paused()
            if control.stopped:
                break
            yield StepDone(step + 1, self.count, 0.5, 1e-3, 0.0)
            self.wait()
        reason = "stopped" if control.stopped else "done"
        if self.saved is not None:
            self.saved.write_text(reason)
        yield Finished(Path("run"), reason, 1.0, {"dice_foreground": float("nan")})

class Loaded(Request):
    def run(self, control=None):
        yield Message(" ".join(name for name in ("torch", "napari") if name in sys.modules))

class Looks(Request):
    def run(self, control=None):
        while control.view is None or control.view.images is None:
            time.sleep(0.01)
        yield Message(f"{control.view} {control.threads} {control._rests_until > 0}")
        while control.view is not None:
            time.sleep(0.01)
        yield Message("None")

class Mends(Request):
    def run(self, control=None):
        yield Message("before")
        raise XsegError("this: mend it")

class Breaks(Request):
    def run(self, control=None):
        print("some last words", file=sys.stderr)
        yield Message("before")
        raise ZeroDivisionError("oh")
"""


@pytest.fixture(scope="session")
def tiny() -> TrainConfig:
    return TINY


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., None]:
    """Wait until something is so; fail where it takes too long."""

    def wait(ready: Callable[[], object], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < end, "it took too long"
            time.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def lives() -> Callable[[int], bool]:
    """Whether a process runs; one that has ended and waits to be fetched does not."""

    def alive(pid: int) -> bool:
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
        except OSError:
            return False
        return state.split()[0] != "Z"

    return alive


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pretend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Jobs without a network, in a module that engines find too."""
    folder = tmp_path_factory.mktemp("pretenders")
    (folder / "pretenders.py").write_text(PRETENDERS, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        known = os.environ.get("PYTHONPATH", "")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(folder), known])))
        import pretenders

        yield pretenders
    del sys.modules["pretenders"]


@pytest.fixture(scope="module")
def shared_engine(pretend: ModuleType) -> Iterator[Engine]:
    """One warm engine for the tests that leave it well."""
    with Engine() as engine:
        yield engine


@pytest.fixture
def engine(pretend: ModuleType) -> Iterator[Engine]:
    """An engine of the test's own; nothing of it is left behind."""
    before = set(threading.enumerate())
    with Engine() as engine:
        yield engine
        folder = engine.folder
    assert engine.state == "off"
    assert not folder.exists()
    assert set(threading.enumerate()) <= before


@pytest.fixture(scope="session")
def scan() -> tuple[np.ndarray, np.ndarray]:
    return phantom((8, 32, 32), seed=1)


@pytest.fixture(scope="module")
def files(
    scan: tuple[np.ndarray, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> tuple[FileSource, FileSource]:
    folder = tmp_path_factory.mktemp("scan")
    for name, array in zip(("images", "labels"), scan, strict=True):
        np.save(folder / f"{name}.npy", array)
    return FileSource(path=str(folder / "images.npy")), FileSource(path=str(folder / "labels.npy"))


@pytest.fixture
def training(files: tuple[FileSource, FileSource], tmp_path: Path) -> Callable[..., TrainRequest]:
    def make(**changes: Any) -> TrainRequest:
        values: dict[str, Any] = {
            "images": files[0],
            "labels": files[1],
            "out": tmp_path / "run",
            "config": TINY,
            "wish": SplitWish(train="1,5", val=(3,)),
            "device": "cpu",
            "threads": 1,
            **changes,
        }
        return TrainRequest(**values)

    return make


@pytest.fixture(scope="module")
def trained(files: tuple[FileSource, FileSource], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained here."""
    out = tmp_path_factory.mktemp("trained") / "run"
    request = TrainRequest(
        images=files[0],
        labels=files[1],
        out=out,
        config=TINY,
        wish=SplitWish(train="1,5", val=(3,)),
        device="cpu",
        threads=1,
    )
    assert isinstance(list(request.run())[-1], Finished)
    return out

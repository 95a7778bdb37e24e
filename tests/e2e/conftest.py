from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import napari_xseg
from napari_xseg.cli import main
from napari_xseg.data.sample import SamplePaths, write_sample

ROOT = Path(napari_xseg.__file__).parent.parent
TINY_SHAPE = (12, 48, 48)
TRAINED = "1,4,7,10"
RECIPE = """
name = "tiny"
crop = 32
batch = 2
learning_rate = 0.01
ema = 0.9
steps = 30
keep = "last"

[model]
width = 4
depth = 2
context = 1
"""


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str


Xseg = Callable[..., Said]
Start = Callable[..., subprocess.Popen[str]]
Finish = Callable[[subprocess.Popen[str]], Said]


@pytest.fixture
def xseg(capsys: pytest.CaptureFixture[str]) -> Xseg:
    """Run a command line in this process."""

    def run(*words: object) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture
def refused(xseg: Xseg) -> Callable[..., str]:
    """Run a command line that must fail with exit code 2 and one line on stderr; give the line."""

    def run(*words: object) -> str:
        said = xseg(*words)
        assert said.code == 2, said
        assert said.err.startswith("napari-xseg: ")
        assert said.err.count("\n") == 1
        return said.err

    return run


@pytest.fixture(scope="session")
def surroundings() -> dict[str, str]:
    """The environment of a process that runs this checkout with one thread."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def start(surroundings: dict[str, str]) -> Iterator[Start]:
    """Run a command line in a process of its own; what still runs at the end is killed."""
    begun: list[subprocess.Popen[str]] = []

    def run(*words: object, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "napari_xseg.cli", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env={**surroundings, **variables},
        )
        begun.append(process)
        return process

    yield run
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def finish() -> Finish:
    """Wait for a process and give what it left behind."""

    def wait(process: subprocess.Popen[str]) -> Said:
        out, err = process.communicate(timeout=300)
        return Said(process.returncode, out, err)

    return wait


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SamplePaths:
    """A volume small enough to train on within a second."""
    folder = tmp_path_factory.mktemp("tiny")
    return write_sample(folder, shape=TINY_SHAPE, lis_like_shape=(2, 48, 48))


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained(tiny: SamplePaths, recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of a tiny model."""
    out = tmp_path_factory.mktemp("trained") / "run"
    words = ["train", "--images", tiny.images, "--labels", tiny.labels, "--recipe", recipe]
    words += ["--train-slices", TRAINED, "--out", out, "--threads", 1, "--quiet"]
    assert main([str(word) for word in words]) == 0
    return out


@pytest.fixture(scope="session")
def mask(tiny: SamplePaths, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's mask of the whole volume."""
    out = tmp_path_factory.mktemp("mask") / "mask.tif"
    words = ["predict", "--model", trained, "--images", tiny.images, "--out", out, "--quiet"]
    words += ["--precision", "float32"]  # auto is a timing, which may differ
    assert main([str(word) for word in words]) == 0
    return out

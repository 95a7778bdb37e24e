"""A search for suspects as a request: here and in the engine process, the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.errors import XsegError
from napari_xseg.events import Finished, Message, Progress
from napari_xseg.jobs import Engine, FileSource, PredictRequest, SuspectsRequest, share_planes
from napari_xseg.review.suspects.kept import read_suspects, suspects_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Files = tuple[FileSource, FileSource]


@pytest.fixture(scope="module")
def mask(files: Files, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mask of slices 2 to 7, with its confidence."""
    out = tmp_path_factory.mktemp("mask") / "mask.tif"
    request = PredictRequest(
        model=trained,
        images=files[0],
        out=out,
        confidence=out.with_name("sure.tif"),
        slices="2:8",
        device="cpu",
        precision="float32",
        threads=1,
    )
    assert isinstance(list(request.run())[-1], Finished)
    return out


@pytest.fixture
def ask(files: Files, mask: Path, tmp_path: Path) -> Callable[..., SuspectsRequest]:
    def make(**given: Any) -> SuspectsRequest:
        values: dict[str, Any] = {
            "images": files[0],
            "mask": mask,
            "kept": tmp_path / "s.json",
            "device": "cpu",
            "precision": "float32",
            "threads": 1,
            **given,
        }
        return SuspectsRequest(**values)

    return make


def test_a_mask_with_its_model(ask: Any, trained: Path, mask: Path) -> None:
    events = list(ask(model=trained, kept=None).run())
    kept = read_suspects(suspects_path(mask))
    suspects_path(mask).unlink()
    assert isinstance(events[-1], Finished)
    assert events[-1].path == suspects_path(mask)
    assert kept.origin.slices == (2, 3, 4, 5, 6, 7)
    assert len(kept.suspects) == events[-1].figures["suspects"] > 0


def test_a_request_crosses_as_json(ask: Any) -> None:
    request = ask(limits={128: 4}, kinds=("hole",), slices="3:5")
    assert SuspectsRequest.from_dict(request.model_dump(mode="json")) == request


def test_limits_are_by_file_value(ask: Any) -> None:
    assert ask(limits={128: 4}).job().limits == {1: 4}
    with pytest.raises(XsegError, match="7 is no value of a class"):
        ask(limits={7: 4}).job()


def test_confidence_needs_its_mask_and_stands_for_a_model(
    ask: Any, mask: Path, trained: Path, tmp_path: Path
) -> None:
    sure = mask.with_name("sure.tif")
    assert "confidence" in ask(confidence=sure).job().possible
    with pytest.raises(XsegError, match="of no use without its mask"):
        ask(confidence=sure, mask=None, model=trained).job()
    with pytest.raises(XsegError, match="neither a mask nor a model"):
        ask(mask=None).job()


def test_a_confidence_of_another_name_is_doubted(ask: Any, mask: Path, tmp_path: Path) -> None:
    sure = tmp_path / "renamed.tif"
    shutil.copy(mask.with_name("sure.tif"), sure)
    own = tmp_path / "mask.tif"
    shutil.copy(mask, own)
    told = json.loads(mask.with_name("mask.tif.json").read_text(encoding="utf-8"))
    told["confidence"] = str(tmp_path / "sure.tif")
    own.with_name("mask.tif.json").write_text(json.dumps(told), encoding="utf-8")
    said = [event for event in ask(mask=own, confidence=sure).run() if isinstance(event, Message)]
    assert [event.level for event in said] == ["warning"]
    assert "renamed.tif: may be of another mask" in said[0].text


@pytest.mark.parametrize("kind", ["model", "run", "mask"])
def test_a_second_opinion_is_a_model_or_a_mask(
    ask: Any, mask: Path, trained: Path, kind: str
) -> None:
    second = {"model": trained / "model.safetensors", "run": trained, "mask": mask}[kind]
    job = ask(second=second).job()
    assert (job.second_model is None) == (kind == "mask")
    assert (job.second_mask is None) == (kind != "mask")


def test_the_same_in_the_engine(ask: Any, trained: Path, shared_engine: Engine) -> None:
    here = list(ask(model=trained).run())
    assert isinstance(here[-1], Finished)
    first = read_suspects(here[-1].path).suspects.rows
    there = list(shared_engine.submit(ask(model=trained, overwrite=True)))
    assert isinstance(there[-1], Finished)
    assert np.array_equal(read_suspects(there[-1].path).suspects.rows, first)
    assert len([event for event in there if isinstance(event, Progress)]) == 6


def test_planes_of_a_layer(ask: Any, scan: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    shared = share_planes(tmp_path / "planes.raw", dict(enumerate(scan[0])), 8, name="layer")
    events = list(ask(images=shared).run())
    assert isinstance(events[-1], Finished)
    assert not [event for event in events if isinstance(event, Message)]


def test_asking_and_reading_load_no_torch(ask: Any, tmp_path: Path) -> None:
    list(ask().run())
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from napari_xseg.jobs import SuspectsRequest\n"
        "from napari_xseg.review.suspects.kept import read_suspects\n"
        "from napari_xseg.review.suspects.thumbnails import thumbnail\n"
        f"read_suspects(Path({str(tmp_path / 's.json')!r}))\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""A search as a job: its events, its end, what it holds and what it leaves behind."""

from __future__ import annotations

import errno
import json
import os
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import torch

from napari_xseg.config import ModelConfig
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.intensity import measure_intensity
from napari_xseg.data.phantom import phantom
from napari_xseg.data.volume import volume_from_array
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Finished, Message, Progress, Started
from napari_xseg.model.checkpoint import SavedModel, load_model, save_model
from napari_xseg.model.unet import UNet
from napari_xseg.prediction.predictor import Predictor
from napari_xseg.review.suspects.job import SuspectsJob, Targets
from napari_xseg.review.suspects.kept import read_suspects
from napari_xseg.review.suspects.masks import (
    OpenMask,
    confidence_doubt,
    open_confidence,
    open_mask,
)
from napari_xseg.review.suspects.run import find_suspects
from napari_xseg.review.suspects.table import Suspects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def make_model(
    scan: tuple[np.ndarray, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., SavedModel]:
    """A model of the phantom that nobody trained."""

    def make(values: tuple[int, ...] = (0, 128, 255), seed: int = 0) -> SavedModel:
        config = ModelConfig(width=3, depth=2, context=1)
        path = tmp_path_factory.mktemp("model") / "model.safetensors"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = UNet(config)
        intensity = measure_intensity(volume_from_array(scan[0]), [3])
        table = ClassTable.from_values(list(values))
        save_model(path, network.state_dict(), config, table, intensity)
        return load_model(path)

    return make


def test_events_and_files(planted: Any, job_of: Any, tmp_path: Path, finish: Any) -> None:
    targets = Targets(tmp_path / "s.json", tmp_path / "s.csv", tmp_path / "s.html", top=2)
    planted[1][3, 30:33, 30:33] = 255 - planted[1][3, 30:33, 30:33]
    suspects, events = finish(find_suspects(job_of(*planted, targets=targets)))
    assert events[0] == Started("suspects", 7, "the processor", "float32")
    progress = [event for event in events if isinstance(event, Progress)]
    assert [(event.what, event.done, event.total) for event in progress] == [
        ("suspects", done, 7) for done in range(1, 8)
    ]
    end = events[-1]
    assert isinstance(end, Finished)
    assert (end.path, end.reason) == (tmp_path / "s.json", "done")
    assert end.figures["suspects"] == len(suspects) > 2
    assert np.array_equal(read_suspects(tmp_path / "s.json").suspects.rows, suspects.rows)
    assert (tmp_path / "s.csv").read_text(encoding="utf-8").count("\n") == 3
    assert (tmp_path / "s.html").read_text(encoding="utf-8").count("<figure>") == 2


def test_slices_without_a_finite_pixel_are_named(planted: Any, job_of: Any, finish: Any) -> None:
    images = planted[0].astype(np.float32)
    images[[1, 4]] = np.nan
    _, events = finish(find_suspects(job_of(images, planted[1])))
    said = [event for event in events if isinstance(event, Message)]
    text = "scan: 2 of 7 slices have no finite pixel, and nothing was looked at there: 1,4."
    assert said == [Message(text, "warning")]


def test_images_without_a_finite_pixel_are_refused(
    planted: Any, job_of: Any, tmp_path: Path
) -> None:
    images = np.full(planted[0].shape, np.nan, np.float32)
    with pytest.raises(XsegError, match="none of the 7 slices has a finite pixel"):
        list(find_suspects(job_of(images, planted[1])))
    assert not (tmp_path / "mask.tif.suspects.json").exists()


def test_a_part_looked_at_anew_leaves_the_suspects_of_other_slices(
    planted: Any, job_of: Any, finish: Any, tmp_path: Path
) -> None:
    path = tmp_path / "mask.tif.suspects.json"
    for z in (2, 3, 5):
        planted[1][z, 30:33, 30:33] = 255 - planted[1][z, 30:33, 30:33]
    whole, _ = finish(find_suspects(job_of(*planted, command="first")))
    part, events = finish(find_suspects(job_of(*planted, slices=(3, 4), kinds=("drift",))))
    kept = read_suspects(path)
    others = whole.rows[(whole.rows["z"] < 3) | (whole.rows["z"] > 4)]
    assert set(others["z"]) >= {2, 5}
    assert np.array_equal(kept.suspects.rows[~np.isin(kept.suspects.rows["z"], (3, 4))], others)
    assert len(kept.suspects) == len(others) + len(part)
    assert kept.origin.slices == tuple(range(7))
    assert kept.origin.kinds == job_of(*planted).wanted
    (earlier,) = kept.origin.settings["earlier"]
    assert earlier["slices"] == [0, 1, 2, 5, 6]
    assert earlier["settings"]["command"] == "first"
    (text,) = (event.text for event in events if isinstance(event, Message))
    assert text == (
        f"mask.tif.suspects.json: {len(others)} suspects found before in slices 0:3,5,6 stay in "
        "the list."
    )
    finish(find_suspects(job_of(*planted, slices=(2, 5))))
    earlier = read_suspects(path).origin.settings["earlier"]
    assert [one["slices"] for one in earlier] == [[0, 1, 6], [3, 4]]


def test_the_list_of_another_mask_is_replaced(
    planted: Any, job_of: Any, finish: Any, tmp_path: Path
) -> None:
    finish(find_suspects(job_of(*planted)))
    planted[1][0, 0, 0] = 255 - planted[1][0, 0, 0]
    part, events = finish(find_suspects(job_of(*planted, slices=(3, 4))))
    kept = read_suspects(tmp_path / "mask.tif.suspects.json")
    assert np.array_equal(kept.suspects.rows, part.rows)
    assert kept.origin.slices == (3, 4)
    assert not [event for event in events if isinstance(event, Message)]


@pytest.mark.parametrize("after", [0, 3])
def test_a_stop_leaves_the_older_files(
    planted: Any, job_of: Any, tmp_path: Path, after: int
) -> None:
    before = tmp_path / "s.json"
    before.write_text("older", encoding="utf-8")
    targets = Targets(before, tmp_path / "s.csv", overwrite=True)
    control = Control()
    events = []
    if not after:
        control.stop()
    for event in find_suspects(job_of(*planted, targets=targets), control):
        events.append(event)
        if isinstance(event, Progress) and event.done == after:
            control.stop()
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "stopped"
    assert before.read_text(encoding="utf-8") == "older"
    assert not (tmp_path / "s.csv").exists()


def test_a_stop_in_the_middle_of_a_slice_is_answered(
    planted: Any, make_model: Any, job_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = Control()
    inner = Predictor.map_logits

    def stopping(*args: Any, **kwargs: Any) -> Any:
        control.stop()
        return inner(*args, **kwargs)

    monkeypatch.setattr(Predictor, "map_logits", stopping)
    job = job_of(*planted, model=make_model(), precision="float32", device="cpu")
    events = list(find_suspects(job, control))
    assert events[-1].reason == "stopped"  # type: ignore[attr-defined]


def test_a_full_disk_leaves_the_older_list(
    planted: Any, job_of: Any, finish: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(*planted)
    finish(find_suspects(job))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(XsegError, match="the disk is full"):
        finish(find_suspects(job))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_memory_is_that_of_a_few_slices_and_of_those_kept(
    job_of: Any, finish: Any, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    peaks = []
    for depth in (8, 48):
        values = random.integers(0, 3, (depth, 128, 128)).astype(np.uint8)
        images = np.broadcast_to(random.integers(0, 999, (1, 128, 128)), values.shape)
        job = job_of(images.astype(np.uint16), values, keep=50, limits={0: 9, 1: 9, 2: 9})
        tracemalloc.start()
        suspects, events = finish(find_suspects(job))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert 0 < len(suspects) <= 50
        assert any(isinstance(event, Message) and "left out" in event.text for event in events)
    assert peaks[1] < 1.3 * peaks[0]


def test_a_shorter_list_is_the_beginning_of_a_longer_one(
    job_of: Any, finish: Any, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    values = random.integers(0, 3, (5, 64, 64)).astype(np.uint8)
    images = random.integers(0, 999, values.shape).astype(np.uint16)
    kept = tmp_path / "s.json"
    few, many = (
        finish(
            find_suspects(
                job_of(
                    images,
                    values,
                    keep=keep,
                    limits={0: 9, 1: 9, 2: 9},
                    targets=Targets(kept, overwrite=True),
                )
            )
        )[0]
        for keep in (9, 100_000)
    )
    assert len(few) == 9 < len(many)
    assert np.array_equal(few.rows, many.rows[:9])
    assert read_suspects(kept).origin.settings["left_out"] == {}


def test_what_was_left_out_is_kept_by_kind(job_of: Any, finish: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = random.integers(0, 3, (5, 64, 64)).astype(np.uint8)
    images = random.integers(0, 999, values.shape).astype(np.uint16)
    targets = Targets(tmp_path / "s.json")
    limits = {0: 9, 1: 9, 2: 9}
    full, _ = finish(find_suspects(job_of(images, values, limits=limits)))
    finish(find_suspects(job_of(images, values, keep=9, limits=limits, targets=targets)))
    left_out = read_suspects(tmp_path / "s.json").origin.settings["left_out"]
    rest = Suspects(full.classes, full.rows[9:])
    assert left_out == {kind: len(rest.of_kinds([kind])) for kind in left_out}
    assert left_out["fragment"] > 0


def test_a_model_alone_looks_at_its_own_mask(
    planted: Any, make_model: Any, job_of: Any, finish: Any
) -> None:
    images = planted[0][:, :60, :44]
    settings = {"model": make_model(), "precision": "float32", "device": "cpu"}
    alone = job_of(images, planted[1][:, :60, :44], mask=None, **settings)
    suspects, events = finish(find_suspects(alone))
    assert alone.possible == tuple(
        kind for kind in ("confidence", "flips", "neighbours", "fragment", "hole", "drift")
    )
    assert {"confidence", "flips"} <= {kind for one in suspects for kind in one.kinds}
    assert suspects.rows["y1"].max() <= 60
    assert suspects.rows["x1"].max() <= 44
    assert read_suspects(events[-1].path).origin.model == make_model().identity


def test_a_model_doubts_a_mask_of_others(
    planted: Any, make_model: Any, job_of: Any, finish: Any
) -> None:
    model = make_model()
    settings = {"model": model, "precision": "float32", "device": "cpu", "kinds": ("confidence",)}
    own, _ = finish(find_suspects(job_of(*planted, **{**settings, "mask": None})))
    other, _ = finish(find_suspects(job_of(*planted, **settings)))
    assert own.rows["strength"].max() <= 0.5
    assert other.rows["strength"].max() > 0.5


def test_two_models_are_compared_by_the_values_of_their_classes(
    planted: Any, make_model: Any, job_of: Any, finish: Any
) -> None:
    settings = {"mask": None, "precision": "float32", "device": "cpu", "kinds": ("models",)}
    first = make_model()
    same, _ = finish(find_suspects(job_of(*planted, model=first, second_model=first, **settings)))
    other = make_model(seed=1)
    differ, _ = finish(find_suspects(job_of(*planted, model=first, second_model=other, **settings)))
    assert len(same) == 0
    assert len(differ) > 0
    assert (differ.rows["found"] != differ.rows["other"]).all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"slices": ()}, "no slice to look at"),
        ({"slices": (0, 9)}, "slice 9 is not among them"),
        ({"kinds": ()}, "no kind to look for"),
        ({"kinds": ("holes",)}, "'holes' is no kind"),
        ({"kinds": ("flips",)}, "takes a model"),
        ({"kinds": ("models",)}, "takes a second model or mask"),
        ({"kinds": ("confidence",)}, "takes a model, or a mask with its confidence"),
        ({"kinds": ("neighbours",), "neighbours": False}, "known to be neighbours"),
        ({"targets": Targets()}, "no file to write them to"),
        ({"flips": 1}, "2 to 8 flips"),
        ({"mask": None}, "neither a mask nor a model"),
    ],
)
def test_what_cannot_be_done_is_said_before_work_starts(
    planted: Any, job_of: Any, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(XsegError, match=said):
        next(find_suspects(job_of(*planted, **changes)))


def test_outputs_replace_nothing_unasked_and_no_input(
    planted: Any, job_of: Any, tmp_path: Path
) -> None:
    (tmp_path / "s.csv").write_text("older", encoding="utf-8")
    with pytest.raises(XsegError, match="is there already"):
        job_of(*planted, targets=Targets(csv=tmp_path / "s.csv")).check()
    mask = Targets(csv=tmp_path / "mask.tif", overwrite=True)
    with pytest.raises(XsegError, match="is an input"):
        job_of(*planted, targets=mask).check()
    twice = Targets(csv=tmp_path / "s.html", sheet=tmp_path / "s.html")
    with pytest.raises(XsegError, match="two outputs"):
        job_of(*planted, targets=twice).check()


def test_models_and_masks_of_other_classes(planted: Any, make_model: Any, job_of: Any) -> None:
    with pytest.raises(XsegError, match="of the same classes"):
        job_of(*planted, model=make_model((0, 1, 2))).check()


@pytest.mark.parametrize("shape", [(7, 50, 80), (6, 96, 80)])
def test_a_mask_that_does_not_fit_its_images(
    scan: tuple[np.ndarray, np.ndarray], tmp_path: Path, shape: tuple[int, int, int]
) -> None:
    path = tmp_path / "other.tif"
    tifffile.imwrite(path, phantom(shape)[1], photometric="minisblack")
    with pytest.raises(XsegError, match=r"other\.tif: (its slices are|has 6 slices)"):
        open_mask(path, volume_from_array(scan[0]))


def test_a_confidence_that_does_not_fit_its_mask(planted: Any, job_of: Any, tmp_path: Path) -> None:
    job = job_of(*planted)
    np.save(tmp_path / "c.npy", np.zeros((7, 96, 80), np.float32))
    with pytest.raises(XsegError, match="expected 7 x 96 x 80 uint8"):
        open_confidence(tmp_path / "c.npy", job.mask)


@pytest.fixture
def sure_of(planted: Any, tmp_path: Path) -> Callable[..., tuple[Path, OpenMask]]:
    """A confidence of 200 everywhere but for what a test says, and its mask."""

    def make(named: str | None = "c.npy", **spoilt: int) -> tuple[Path, OpenMask]:
        path = tmp_path / "mask.tif"
        tifffile.imwrite(path, planted[1], photometric="minisblack")
        classes = ClassTable.from_values([0, 128, 255]).to_dict()
        beside = {"slices": list(range(7)), "classes": classes, "confidence": named}
        path.with_name("mask.tif.json").write_text(json.dumps(beside), encoding="utf-8")
        sure = np.full((7, 96, 80), 200, np.uint8)
        sure[:, : spoilt.get("rows", 0)] = spoilt.get("value", 200)
        np.save(tmp_path / "c.npy", sure)
        return tmp_path / "c.npy", open_mask(path, volume_from_array(planted[0]))

    return make


def test_a_confidence_of_its_mask(sure_of: Any) -> None:
    path, mask = sure_of()
    assert open_confidence(path, mask).shape == (7, 96, 80)
    assert confidence_doubt(path, mask) is None


@pytest.mark.parametrize("value", [0, 60])
def test_what_cannot_be_the_confidence_of_the_mask(sure_of: Any, value: int) -> None:
    """The most probable of three classes has a third: 85 of 255."""
    with pytest.raises(XsegError, match=r"c\.npy: is below 84 of 255 at \d+ of \d+ labelled"):
        open_confidence(*sure_of(rows=20, value=value))


def test_the_confidence_of_another_mask(sure_of: Any, tmp_path: Path) -> None:
    path, mask = sure_of("gone/own.npy")
    assert "may be of another mask, since the confidence of mask.tif was written to own.npy" in str(
        confidence_doubt(path, mask)
    )
    open_confidence(path, mask)
    np.save(tmp_path / "own.npy", np.full((7, 96, 80), 200, np.uint8))
    with pytest.raises(XsegError, match=r"is not the confidence of mask\.tif, which is .*own\.npy"):
        open_confidence(path, mask)
    path, mask = sure_of(None)
    assert "mask.tif was predicted without its confidence" in str(confidence_doubt(path, mask))


def test_pages_of_a_mask_are_those_that_the_file_beside_it_says(
    planted: Any, tmp_path: Path
) -> None:
    images = volume_from_array(planted[0])
    path = tmp_path / "part.tif"
    tifffile.imwrite(path, planted[1][[5, 2]], photometric="minisblack")
    classes = ClassTable.from_values([0, 128, 255]).to_dict()
    beside = {"slices": [5, 2], "classes": classes}
    path.with_name("part.tif.json").write_text(json.dumps(beside), encoding="utf-8")
    mask = open_mask(path, images)
    assert mask.page_of == {5: 0, 2: 1}
    assert np.array_equal(mask.read(2), np.searchsorted([0, 128, 255], planted[1][2]))
    with pytest.raises(XsegError, match="has no mask of slice 0"):
        SuspectsJob(images, (0,), Targets(csv=tmp_path / "s.csv"), mask=mask).check()

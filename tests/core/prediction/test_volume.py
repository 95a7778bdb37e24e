"""Masks of volumes: what is written, in its ordinary ways."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import torch

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.intensity import measure_intensity
from napari_xseg.data.region import Circle
from napari_xseg.data.volume import VoxelSize, hash_source, open_volume, volume_from_array
from napari_xseg.events import Control, Event, Finished, Message, Progress, SlicesDone, Started
from napari_xseg.metrics import fractions
from napari_xseg.prediction.predictor import Predictor, blocks_of, stack_blocks
from napari_xseg.prediction.sidecar import read_sidecar, sidecar_path
from napari_xseg.prediction.volume import PredictJob, predict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_xseg.model.checkpoint import SavedModel

Scan = tuple[np.ndarray, np.ndarray]
VALUES = np.array([0, 128, 255], np.uint8)


def job_of(model: SavedModel, images: Any, out: Path, **given: Any) -> PredictJob:
    volume = images if hasattr(images, "read") else volume_from_array(images)
    given.setdefault("slices", tuple(range(len(volume))))
    given.setdefault("precision", "float32")
    return PredictJob(model=model, images=volume, out=out, device="cpu", **given)


def run(job: PredictJob, control: Control | None = None) -> list[Event]:
    events = list(predict(job, control))
    assert isinstance(events[-1], Finished)
    return events


def mask_of(job: PredictJob) -> np.ndarray:
    run(job)
    return open_volume(job.out)[:]


def by_hand(model: SavedModel, images: np.ndarray, z: int, intensity: Any = None) -> np.ndarray:
    """The mask of slice z from the network itself."""
    config, normal = model.config, intensity or model.intensity
    reach = range(-config.context, config.context + 1)
    near = [min(max(z + offset, 0), len(images) - 1) for offset in reach]
    channels = [blocks_of(normal.normalise(images[index]), config) for index in near]
    x = stack_blocks([channels]).permute(0, 3, 1, 2)
    network = model.network()
    with torch.inference_mode():
        logits = torch.pixel_shuffle(network.block_logits(x), config.patch)
    height, width = images.shape[1:]
    return VALUES[logits[0, :, :height, :width].argmax(0).numpy()]


def agree(one: np.ndarray, other: np.ndarray) -> bool:
    """But for a pixel or two whose logits are equal within rounding."""
    return float(np.mean(one != other)) < 2e-3


@pytest.mark.parametrize("name", ["mask.tif", "mask.zarr"])
@pytest.mark.parametrize("context", [0, 1, 2])
def test_a_mask_is_what_the_network_says(
    make_model: Callable[..., SavedModel], scan: Scan, tmp_path: Path, name: str, context: int
) -> None:
    model = make_model(context=context)
    mask = mask_of(job_of(model, scan[0], tmp_path / name))
    assert mask.dtype == np.uint8
    assert len(np.unique(mask)) == 3
    for z in range(9):
        assert agree(mask[z], by_hand(model, scan[0], z))


def test_what_happens_is_told_in_order(model: SavedModel, scan: Scan, tmp_path: Path) -> None:
    job = job_of(model, scan[0], tmp_path / "mask.tif")
    events = run(job)
    started, *progress = events[:-1]
    assert started == Started("predict", 9, started.device, "float32")  # type: ignore[attr-defined]
    assert all(isinstance(event, Progress) for event in progress)
    done = [event.done for event in progress]  # type: ignore[attr-defined]
    assert done == sorted(set(done))
    assert done[-1] == 9
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert (finished.path, finished.reason) == (job.out, "done")
    assert finished.figures["mpx_per_s"] == pytest.approx(9 * 40 * 36 / finished.seconds / 1e6)
    shares = [finished.figures[f"fraction.class {index}"] for index in range(3)]
    mask = open_volume(job.out)[:]
    assert shares == pytest.approx([(mask == value).mean() for value in VALUES])


def test_a_sidecar_says_how_the_mask_came_to_be(
    model: SavedModel, scan: Scan, tmp_path: Path
) -> None:
    (tmp_path / "scan").mkdir()
    for z, plane in enumerate(scan[0]):
        tifffile.imwrite(tmp_path / "scan" / f"s{z:03d}.tif", plane)
    images = open_volume(tmp_path / "scan")
    job = job_of(model, images, tmp_path / "mask.tif", slices=(2, 3, 7), command="do it")
    events = run(job)
    assert sidecar_path(job.out).name == "mask.tif.json"
    told = read_sidecar(job.out)
    assert told is not None
    assert told["model"] == model.identity
    assert told["slices"] == [2, 3, 7]
    assert told["complete"] is True
    assert told["images"] == str(tmp_path / "scan")
    assert told["classes"] == model.classes.to_dict()
    assert told["figures"] == events[-1].figures  # type: ignore[attr-defined]
    assert told["settings"]["intensity"] == model.intensity.to_dict()
    assert told["settings"]["match_intensity"] is False
    assert told["settings"]["precision"] == "float32"
    assert told["command"] == "do it"
    mask = open_volume(job.out)[:]
    for row, plane in zip(told["fractions"]["slices"], mask, strict=True):
        counts = np.array([(plane == value).sum() for value in VALUES])
        shares = [row[f"class {index}"] for index in range(3)]
        assert shares == pytest.approx(fractions(counts))
    assert [row["z"] for row in told["fractions"]["slices"]] == [2, 3, 7]
    assert told["pixels"] == {
        **{f"class {k}": int((mask == value).sum()) for k, value in enumerate(VALUES)},
        "unlabelled": 0,
    }
    # of the pixels alone: the same from another kind of file
    again = job_of(model, scan[0], tmp_path / "other.tif", slices=(2, 3, 7))
    run(again)
    other = read_sidecar(again.out)
    assert other is not None
    assert other["input"] == told["input"]
    assert len(told["input"]) == 64
    assert hash_source(images) != told["input"]


def test_a_sidecar_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert read_sidecar(tmp_path / "mask.tif") is None
    for content in (b"", b"{", b"[1]", b"\xff\xfe"):
        sidecar_path(tmp_path / "mask.tif").write_bytes(content)
        assert read_sidecar(tmp_path / "mask.tif") is None


def test_slices_come_as_asked(model: SavedModel, scan: Scan, tmp_path: Path) -> None:
    whole = mask_of(job_of(model, scan[0], tmp_path / "whole.tif"))
    some = mask_of(job_of(model, scan[0], tmp_path / "some.tif", slices=(7, 2, 3)))
    np.testing.assert_array_equal(some, whole[[7, 2, 3]])


def test_a_slice_and_a_stack_are_seen_alike(
    make_model: Callable[..., SavedModel], scan: Scan, tmp_path: Path
) -> None:
    """Grey values come from the training data, not from what is predicted."""
    model = make_model(context=0)
    whole = mask_of(job_of(model, scan[0], tmp_path / "whole.tif"))
    for z in (0, 4):
        alone = mask_of(job_of(model, scan[0][z], tmp_path / f"{z}.tif"))
        np.testing.assert_array_equal(alone[0], whole[z])


def test_a_single_image_stands_for_its_neighbours(
    model: SavedModel, scan: Scan, tmp_path: Path
) -> None:
    job = job_of(model, scan[0][4], tmp_path / "mask.tif")
    events = run(job)
    messages = [event for event in events if isinstance(event, Message)]
    assert "no neighbouring slices are known" in messages[0].text
    expected = by_hand(model, np.stack([scan[0][4]] * 3), 1)
    assert agree(open_volume(job.out)[0], expected)


def test_at_gaps_the_slice_repeats(model: SavedModel, scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "scan").mkdir()
    numbers = (1, 2, 3, 7, 8)  # three are missing
    for z, number in enumerate(numbers):
        tifffile.imwrite(tmp_path / "scan" / f"s{number}.tif", scan[0][z])
    job = job_of(model, open_volume(tmp_path / "scan"), tmp_path / "mask.tif")
    mask = mask_of(job)
    for z, near in {0: (0, 0, 1), 2: (1, 2, 2), 3: (3, 3, 4), 4: (3, 4, 4)}.items():
        assert agree(mask[z], by_hand(model, scan[0][list(near)], 1))


def test_pixels_outside_come_out_unlabelled(model: SavedModel, scan: Scan, tmp_path: Path) -> None:
    images = scan[0].astype(np.float32)
    images[3, 10:14, 5:9] = np.nan
    images[5] = np.inf
    plain = mask_of(job_of(model, scan[0].astype(np.float32), tmp_path / "plain.tif"))
    job = job_of(
        model,
        images,
        tmp_path / "mask.tif",
        region=Circle(),
        confidence=tmp_path / "confidence.tif",
    )
    mask = mask_of(job)
    assert model.classes.unlabelled == 1
    inside = Circle().mask(0, (40, 36))
    assert (mask[:, ~inside] == 1).all()
    assert (mask[3, 10:14, 5:9] == 1).all()
    assert (mask[5] == 1).all()
    np.testing.assert_array_equal(mask[0][inside], plain[0][inside])
    sure = open_volume(tmp_path / "confidence.tif")[:]
    np.testing.assert_array_equal(sure == 0, mask == 1)
    told = read_sidecar(job.out)
    assert told is not None
    assert told["settings"]["region"] == "circle"
    assert told["pixels"]["unlabelled"] == (mask == 1).sum()
    assert told["fractions"]["slices"][5] == {
        "z": 5, "class 0": None, "class 1": None, "class 2": None,
    }  # fmt: skip
    counts = np.array([(mask == value).sum() for value in VALUES])
    assert list(told["fractions"]["pooled"].values()) == pytest.approx(fractions(counts))


@pytest.mark.parametrize("name", ["confidence.tif", "confidence.zarr"])
def test_a_confidence_is_a_probability(
    model: SavedModel, scan: Scan, tmp_path: Path, name: str
) -> None:
    job = job_of(model, scan[0], tmp_path / "mask.tif", confidence=tmp_path / name)
    run(job)
    found = open_volume(tmp_path / name)[:]
    assert found.dtype == np.uint8
    assert found.shape == scan[0].shape
    assert found.min() >= 85  # the best of three
    predictor = Predictor(model.network(), torch.device("cpu"), "float32")
    channels = [blocks_of(model.intensity.normalise(scan[0][z]), model.config) for z in (3, 4, 5)]
    logits = predictor.logits(stack_blocks([channels]), (40, 36))
    expected = 255 * logits.softmax(1).amax(1)[0].numpy()
    assert np.abs(found[4] - expected).max() < 0.52


def test_classes_keep_their_values_voxels_and_colours(
    make_model: Callable[..., SavedModel], scan: Scan, tmp_path: Path
) -> None:
    classes = ClassTable.from_values([7, 300, 70_000], unlabelled=5)
    job = job_of(
        make_model(classes),
        volume_from_array(scan[0], voxel_size=VoxelSize(2.0, 0.5, 0.25, "um")),
        tmp_path / "mask.tif",
        region=Circle(),
    )
    mask = mask_of(job)
    assert mask.dtype == np.uint32
    assert set(np.unique(mask)) == {5, 7, 300, 70_000}
    size = open_volume(job.out).voxel_size
    assert size is not None
    assert (size.z, size.y, size.x, size.unit) == pytest.approx((2.0, 0.5, 0.25, "um"))
    eight = mask_of(job_of(make_model(), scan[0], tmp_path / "eight.tif"))
    with tifffile.TiffFile(tmp_path / "eight.tif") as file:
        table = file.pages[0].colormap
    assert eight.dtype == np.uint8
    assert [tuple(table[:, value] // 257) for value in VALUES] == list(
        ClassTable.from_values([0, 128, 255]).colours
    )


def test_images_unlike_those_of_the_training_get_a_warning_or_are_matched(
    make_model: Callable[..., SavedModel], scan: Scan, tmp_path: Path
) -> None:
    model = make_model(context=0)
    usual = mask_of(job_of(model, scan[0], tmp_path / "usual.tif"))
    scaled = (scan[0].astype(np.float64) - 30_000) / 1e6
    job = job_of(model, scaled.astype(np.float32), tmp_path / "warned.tif")
    told = [event for event in run(job) if isinstance(event, Message)]
    assert [event.level for event in told] == ["warning"]
    assert "--match-intensity" in told[0].text
    job = replace(job, out=tmp_path / "matched.tif", match_intensity=True)
    told = [event for event in run(job) if isinstance(event, Message)]
    assert [event.level for event in told] == ["info"]
    matched = open_volume(job.out)[:]
    assert (matched == usual).mean() > 0.98
    sidecar = read_sidecar(job.out)
    assert sidecar is not None
    assert sidecar["settings"]["match_intensity"] is True
    found = measure_intensity(volume_from_array(scaled.astype(np.float32)), range(9))
    used = model.intensity.matched(found)
    assert sidecar["settings"]["intensity"]["mean"] == pytest.approx(used.mean)
    assert sidecar["settings"]["intensity"]["std"] == pytest.approx(used.std)


@pytest.mark.parametrize("empty", [(0, 1, 8), (0, 2, 4, 6, 8)])
def test_empty_slices_in_a_volume_do_no_harm(
    model: SavedModel, scan: Scan, tmp_path: Path, empty: tuple[int, ...]
) -> None:
    images = scan[0].copy()
    images[list(empty)] = 0
    mask = mask_of(job_of(model, images, tmp_path / "mask.tif"))
    assert mask.shape == images.shape


def test_memory_does_not_grow_with_the_number_of_slices(
    model: SavedModel, scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Predictor, "batch_size", lambda *_: 2)

    class Endless:
        """A stack that makes its planes when asked."""

        dtype = np.dtype(np.uint16)

        def __init__(self, count: int) -> None:
            self.shape = (count, 80, 72)

        def __getitem__(self, z: int) -> np.ndarray:
            return np.tile(scan[0][z % 9], (2, 2))

    peaks = []
    for count in (30, 240):
        job = job_of(model, Endless(count), tmp_path / f"{count}.tif")
        tracemalloc.start()
        for _ in predict(job):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    plane = 80 * 72 * 4
    assert peaks[1] - peaks[0] < 12 * plane, "of 210 more planes"


def test_the_next_slices_are_read_while_the_network_runs(
    model: SavedModel, scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    monkeypatch.setattr(Predictor, "batch_size", lambda *_: 1)
    volume = volume_from_array(scan[0])
    read, threads = volume.read, set()

    def noted(z: int) -> np.ndarray:
        threads.add(threading.current_thread().name)
        return read(z)

    monkeypatch.setattr(volume, "read", noted)
    events = predict(job_of(model, volume, tmp_path / "mask.tif"))
    for event in events:
        if isinstance(event, Started):
            threads.clear()
    assert threads
    assert threading.main_thread().name not in threads
    assert json.loads(sidecar_path(tmp_path / "mask.tif").read_text(encoding="utf-8"))


READ = """
import sys, numpy as np, zarr
for line in sys.stdin:
    path, page = line.rstrip("\\n").rsplit(" ", 1)
    print(zarr.open(path, mode="r")["0"][int(page)].tobytes().hex(), flush=True)
"""


def test_slices_can_be_read_by_others_as_they_are_made(
    model: SavedModel, scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Predictor, "batch_size", lambda *_: 2)
    slices = (7, 2, 3, 8, 0)
    job = job_of(
        model, scan[0], tmp_path / "m.zarr", slices=slices, confidence=tmp_path / "sure.zarr"
    )
    seen: dict[int, tuple[int, bytes]] = {}
    with subprocess.Popen(
        [sys.executable, "-c", READ], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        for event in predict(job):
            if isinstance(event, SlicesDone):
                assert event.path.parent == tmp_path
                assert not job.out.exists()
                for page, z in enumerate(event.slices, event.first):
                    other.stdin.write(f"{event.path} {page}\n")
                    other.stdin.flush()
                    seen[page] = z, bytes.fromhex(other.stdout.readline())
                assert event.confidence is not None
        other.stdin.close()
    mask = open_volume(job.out)[:]
    assert [seen[page][0] for page in range(5)] == list(slices)
    for page in range(5):
        assert seen[page][1] == mask[page].tobytes()


def test_a_tiff_cannot_be_read_before_its_end(
    model: SavedModel, scan: Scan, tmp_path: Path
) -> None:
    events = run(job_of(model, scan[0], tmp_path / "m.tif"))
    assert not any(isinstance(event, SlicesDone) for event in events)

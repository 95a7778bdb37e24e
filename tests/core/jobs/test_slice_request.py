"""One slice at once: the same as in a mask of the volume, and nothing opened twice."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.intensity import Intensity
from napari_xseg.data.volume import open_volume
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Message, Preview
from napari_xseg.jobs import Engine, FileSource, PredictRequest, SliceRequest, share_planes
from napari_xseg.jobs import slice_request as module
from napari_xseg.model import checkpoint
from napari_xseg.prediction import predictor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Files = tuple[FileSource, FileSource]


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for shelf in (module._MODELS, module._VOLUMES, module._READERS, module._INTENSITIES):
        shelf.clear()
    monkeypatch.setattr(module, "_TOLD", module.Told())


@pytest.fixture
def ask(files: Files, trained: Path, tmp_path: Path) -> Callable[..., list[Event]]:
    def run(control: Control | None = None, **given: Any) -> list[Event]:
        values: dict[str, Any] = {
            "model": trained,
            "images": files[0],
            "z": 3,
            "folder": tmp_path,
            "device": "cpu",
            "precision": "float32",
            "threads": 1,
            **given,
        }
        return list(SliceRequest(**values).run(control))

    return run


def preview_of(events: list[Event]) -> Preview:
    (preview,) = [event for event in events if isinstance(event, Preview)]
    return preview


def pixels(preview: Preview, suffix: str = "") -> np.ndarray:
    y0, y1, x0, x1 = preview.box
    path = preview.path.with_name(preview.path.name + suffix)
    return np.fromfile(path, np.uint8).reshape(y1 - y0, x1 - x0)


def volume_mask(trained: Path, images: Any, out: Path, **given: Any) -> np.ndarray:
    """Indices (z, y, x), and 255, from a mask of the volume."""
    request = PredictRequest(
        model=trained, images=images, out=out, device="cpu", precision="float32", **given
    )
    list(request.run())
    classes = checkpoint.load_model(trained).classes
    return np.stack([classes.encode(plane) for plane in open_volume(out)[:]])


@pytest.mark.parametrize("workspace", [None, 40_000])
@pytest.mark.parametrize("region", ["", "circle"])
def test_a_slice_is_that_of_the_volume(
    ask: Callable[..., list[Event]],
    files: Files,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workspace: int | None,
    region: str,
) -> None:
    if workspace is not None:  # several tiles
        monkeypatch.setattr(predictor, "_workspace", lambda *_: workspace)
    sure = tmp_path / "sure.zarr"
    expected = volume_mask(trained, files[0], tmp_path / "m.tif", confidence=sure, region=region)
    certain = open_volume(sure)[:]
    for z in (3, 0, 7, 3):
        preview = preview_of(ask(z=z, region=region, confidence=True))
        assert (preview.z, preview.box, preview.step) == (z, (0, 32, 0, 32), 0)
        np.testing.assert_array_equal(pixels(preview), expected[z])
        np.testing.assert_array_equal(pixels(preview, ".confidence"), certain[z])
    part = preview_of(ask(z=2, box=(5, 20, -3, 17), region=region))
    assert part.box == (5, 20, 0, 17)
    np.testing.assert_array_equal(pixels(part), expected[2, 5:20, :17])
    assert not part.path.with_name(f"{part.path.name}.confidence").exists()


def test_grey_values_are_matched_as_for_the_volume(
    ask: Callable[..., list[Event]], scan: tuple[np.ndarray, np.ndarray], trained: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    np.save(tmp_path / "dim.npy", scan[0] // 7)
    images = FileSource(path=str(tmp_path / "dim.npy"))
    warned = ask(images=images)
    assert isinstance(warned[0], Preview)
    assert any(isinstance(event, Message) and event.level == "warning" for event in warned)
    assert not any(isinstance(event, Message) for event in ask(images=images, z=4))
    expected = volume_mask(trained, images, tmp_path / "m.tif", match_intensity=True)
    events = ask(images=images, match_intensity=True)
    assert [type(event) for event in events] == [Message, Preview]
    np.testing.assert_array_equal(pixels(preview_of(events)), expected[3])
    assert [type(event) for event in ask(images=images, match_intensity=True)] == [Preview]


def test_planes_of_an_array_do(
    ask: Callable[..., list[Event]], scan: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    whole = preview_of(ask(z=4))
    planes = {z: scan[0][z] for z in (3, 4, 5)}
    images = share_planes(tmp_path / "planes", planes, 8, name="layer")
    np.testing.assert_array_equal(pixels(preview_of(ask(images=images, z=4))), pixels(whole))
    other = share_planes(tmp_path / "more", {z: scan[0][z] + 900 for z in planes}, 8, name="layer")
    assert (pixels(preview_of(ask(images=other, z=4))) != pixels(whole)).any()
    with pytest.raises(XsegError, match="slice 2 was not given"):
        ask(images=images, z=3)


def test_what_is_kept_is_not_read_again(
    ask: Callable[..., list[Event]], trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loaded: list[object] = []
    normalised: list[object] = []
    load, normalise = checkpoint.load_model, Intensity.normalise

    def counted(path: Path) -> Any:
        loaded.append(path)
        return load(path)

    def noted(self: Intensity, plane: np.ndarray) -> np.ndarray:
        normalised.append(plane)
        return normalise(self, plane)

    monkeypatch.setattr(checkpoint, "load_model", counted)
    monkeypatch.setattr(Intensity, "normalise", noted)
    model = tmp_path / "own.safetensors"
    shutil.copy(trained / "model.safetensors", model)
    for z in (3, 4, 3):
        ask(z=z, model=model)
    assert (len(loaded), len(normalised)) == (1, 4)
    os.utime(model, ns=(1, 1))  # another model in the same place
    ask(model=model)
    assert (len(loaded), len(normalised)) == (2, 7)


def test_a_shelf_keeps_the_last() -> None:
    shelf: module.Shelf[int] = module.Shelf(2)
    made: list[int] = []
    for key in (1, 2, 1, 3, 1, 2):
        shelf.take(key, lambda key=key: made.append(key) or key)  # type: ignore[misc]
    assert made == [1, 2, 3, 2]


def test_nothing_is_said_of_nothing(ask: Callable[..., list[Event]], tmp_path: Path) -> None:
    assert ask(box=(40, 50, 0, 9)) == []
    stopped = Control()
    stopped.stop()
    assert ask(stopped) == []
    assert list(tmp_path.iterdir()) == []


def test_a_stop_comes_between_tiles(
    ask: Callable[..., list[Event]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    control, seen = Control(), []
    best_class = predictor.best_class

    def stop(logits: Any) -> Any:
        seen.append(control.stop())
        return best_class(logits)

    monkeypatch.setattr(predictor, "_workspace", lambda *_: 40_000)
    monkeypatch.setattr(predictor, "best_class", stop)
    assert ask(control) == []
    assert len(seen) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"z": 8}, "slice 8 is not among them"),
        ({"device": "cuda:77"}, "--device"),
        ({"region": "0:99,0:5"}, "not inside"),
    ],
)
def test_what_cannot_be_done_is_refused(
    ask: Callable[..., list[Event]], wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(XsegError, match=said):
        ask(**wrong)


def test_the_engine_does_it_too(
    ask: Callable[..., list[Event]], shared_engine: Engine, files: Files, trained: Path
) -> None:
    request = SliceRequest(
        model=trained, images=files[0], z=3, folder=shared_engine.folder, device="cpu",
        precision="float32", threads=1,
    )  # fmt: skip
    preview = preview_of(list(shared_engine.submit(request)))
    assert preview.path.parent == shared_engine.folder
    np.testing.assert_array_equal(pixels(preview), pixels(preview_of(ask())))

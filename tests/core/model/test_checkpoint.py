from __future__ import annotations

import errno
import json
import pickle
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as dump_tensors

from napari_xseg.config import ModelConfig
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.intensity import Intensity
from napari_xseg.data.jsontext import json_text
from napari_xseg.errors import XsegError
from napari_xseg.model.checkpoint import (
    KEY,
    MODEL_FILE,
    VERSION,
    SavedModel,
    certify_noise,
    find_model,
    load_model,
    model_identity,
    read_metadata,
    save_model,
)
from napari_xseg.model.metadata import read_model_info
from napari_xseg.model.unet import UNet

CONFIG = ModelConfig(width=3, depth=2, context=1)
CLASSES = ClassTable.from_values([0, 128, 255])
INTENSITY = Intensity(30_000.1, 7000.7, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), "uint16", 99)


def network(seed: int = 0, config: ModelConfig = CONFIG) -> UNet:
    torch.manual_seed(seed)
    return UNet(config).eval()


def saved(path: Path, **metadata: Any) -> Path:
    save_model(path, network().state_dict(), CONFIG, CLASSES, INTENSITY, **metadata)
    return path


def header_of(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    found: dict[str, Any] = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    return found


def rewritten(path: Path, change: Any) -> Path:
    """The same file with its metadata changed by hand."""
    described = json.loads(header_of(path)["__metadata__"][KEY])
    described = change(described)
    path.write_bytes(dump_tensors(parse_tensors(path.read_bytes()), {KEY: json.dumps(described)}))
    return path


def refused(path: Path) -> str:
    with pytest.raises(XsegError) as caught:
        load_model(path)
    said = str(caught.value)
    assert str(path) in said
    assert "\n" not in said
    assert said.endswith(".")
    return said


def tried(path: Path) -> SavedModel | XsegError:
    try:
        return load_model(path)
    except XsegError as error:
        return error


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    first = network()
    identity = save_model(
        tmp_path / "new" / "m.safetensors",
        first.state_dict(),
        CONFIG,
        CLASSES,
        INTENSITY,
        figures={"dice_foreground": 0.5, "dice": [float("nan"), 1.0]},
        training={"steps": 3},
    )
    model = load_model(tmp_path / "new" / "m.safetensors")
    assert (model.config, model.classes, model.intensity) == (CONFIG, CLASSES, INTENSITY)
    assert model.identity == identity
    assert model.metadata["figures"] == {"dice_foreground": 0.5, "dice": [None, 1.0]}
    assert model.metadata["training"] == {"steps": 3}
    assert read_metadata(model.path) == model.metadata
    again = model.network()
    assert not again.training
    x = torch.randn(1, 3, 8, 8)
    assert torch.equal(again(x), first(x))
    assert list(tmp_path.joinpath("new").iterdir()) == [tmp_path / "new" / "m.safetensors"]


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(width=1, depth=1),
        ModelConfig(widths=(5, 2, 7), depth=3, patch=4, classes=2, upsampling="bilinear"),
        ModelConfig(width=2, depth=3, padding="valid", context=2),
    ],
)
def test_networks_of_all_kinds_are_kept(tmp_path: Path, config: ModelConfig) -> None:
    classes = ClassTable.from_values(range(config.classes))
    path = tmp_path / MODEL_FILE
    save_model(path, network(1, config).state_dict(), config, classes, INTENSITY)
    assert load_model(tmp_path).config == config


def test_weights_in_any_memory_order_are_kept(tmp_path: Path) -> None:
    first = network()
    usual = save_model(tmp_path / "a", first.state_dict(), CONFIG, CLASSES, INTENSITY)
    turned = first.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert save_model(tmp_path / "b", turned.state_dict(), CONFIG, CLASSES, INTENSITY) == usual
    for value in load_model(tmp_path / "b").tensors.values():
        assert value.is_contiguous()


def test_the_identity_is_that_of_weights_and_settings(tmp_path: Path) -> None:
    def identity(seed: int = 0, **metadata: Any) -> str:
        path = tmp_path / "m.safetensors"
        parts = {"config": CONFIG, "classes": CLASSES, "intensity": INTENSITY, **metadata}
        return save_model(path, network(seed).state_dict(), **parts)

    first = identity()
    assert len(first) == 64
    # safetensors writes its metadata in random order: files differ, the model is the same
    assert {identity() for _ in range(8)} == {first}
    assert identity(noise_certificate={"std": 5000}) == first
    assert identity(figures={"dice_foreground": 0.9}) == first
    others = [
        identity(1),
        identity(intensity=Intensity(30_000.2, *list(vars(INTENSITY).values())[1:])),
        identity(classes=ClassTable.from_values([0, 1, 255])),
        identity(classes=CLASSES.with_colours([(1, 2, 3), (4, 5, 6), (7, 8, 9)])),
    ]
    assert len({first, *others}) == 5
    tensors = {name: value.clone() for name, value in network().state_dict().items()}
    tensors["head.bias"][0] += 1e-7
    path = tmp_path / "m.safetensors"
    assert save_model(path, tensors, CONFIG, CLASSES, INTENSITY) != first


def test_the_identity_tells_names_and_shapes_apart() -> None:
    one = model_identity({"a": torch.zeros(2, 3)}, {})
    assert model_identity({"b": torch.zeros(2, 3)}, {}) != one
    assert model_identity({"a": torch.zeros(3, 2)}, {}) != one
    assert model_identity({"a": torch.zeros(2, 3, dtype=torch.int32)}, {}) != one
    assert model_identity({"a": torch.zeros(2, 3)}, {"x": 1}) != one


def test_a_noise_certificate_is_no_part_of_the_identity(tmp_path: Path) -> None:
    path = saved(tmp_path / MODEL_FILE, figures={"dice_foreground": 0.9}, split="held out")
    before, info = load_model(path), read_model_info(path)
    assert info.noise == {}
    for dice in (0.5, 0.6):
        told = {"dice_foreground": {"0": 0.99, "5000": dice}, "slices": [3]}
        assert certify_noise(tmp_path, told) == before.identity
    after = load_model(path)
    assert after.identity == before.identity
    assert all(torch.equal(value, after.tensors[name]) for name, value in before.tensors.items())
    assert after.metadata["figures"] == before.metadata["figures"]
    found = read_model_info(path)
    assert found.noise == {0.0: 0.99, 5000.0: 0.6}
    assert (found.figures, found.split) == (info.figures, info.split)


def test_a_damaged_certificate_is_none(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.safetensors", noise={"dice_foreground": {"loud": 1}})
    assert read_model_info(path).noise == {}


def test_a_run_folder_or_its_file_is_given(tmp_path: Path) -> None:
    path = saved(tmp_path / MODEL_FILE)
    assert find_model(tmp_path) == find_model(str(path)) == path
    assert load_model(tmp_path).path == path
    with pytest.raises(XsegError, match="holds no model"):
        load_model(tmp_path.parent)
    with pytest.raises(XsegError, match="is not there"):
        load_model(tmp_path / "none.safetensors")


def test_a_model_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole").read_bytes()
    path = tmp_path / "cut.safetensors"
    lengths = {*range(40), *range(40, len(whole), len(whole) // 120), len(whole) - 1}
    for length in sorted(lengths):
        path.write_bytes(whole[:length])
        refused(path)


def test_a_model_with_a_wrong_byte_is_refused(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole", figures={}).read_bytes()
    path = tmp_path / "wrong.safetensors"
    chance = random.Random(0)
    start = 8 + struct.unpack("<Q", whole[:8])[0]
    for place in [*chance.sample(range(start), 250), *chance.sample(range(start, len(whole)), 30)]:
        data = bytearray(whole)
        data[place] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        model = tried(path)
        if isinstance(model, XsegError):
            assert str(path) in str(model)
        else:  # a note beside the model, such as its figures
            assert place < start
            assert model.identity == load_model(tmp_path / "whole").identity


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"\0" * 5000,
        b"\xff" * 5000,
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        b"II*\0" + bytes(200),
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 4) + b"null",
        struct.pack("<Q", 4) + b"[1] ",
        struct.pack("<Q", 60_000) + b"[" * 60_000,
        struct.pack("<Q", 24) + b'{"__metadata__": "text"}',
    ],
)
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert "is not a model of napari-xseg" in refused(path)


def test_metadata_of_endless_depth_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(dump_tensors({"weight": torch.zeros(3)}, {KEY: "[" * 100_000}))
    assert "is not a model of napari-xseg" in refused(path)


def test_somebody_else_s_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(dump_tensors({"weight": torch.zeros(3)}))
    assert "is not a model of napari-xseg" in refused(path)
    path.write_bytes(dump_tensors({"weight": torch.zeros(3)}, {"format": "pt"}))
    assert "is not a model of napari-xseg" in refused(path)


class Trap:
    """Code that runs when it is unpickled."""

    sprung = False

    def __reduce__(self) -> Any:
        return spring, ()


def spring() -> dict[str, Any]:
    Trap.sprung = True
    return {}


@pytest.mark.parametrize("writer", ["pickle", "torch", "old torch"])
def test_a_pickle_is_never_run(tmp_path: Path, writer: str) -> None:
    path = tmp_path / "model.safetensors"
    if writer == "pickle":
        path.write_bytes(pickle.dumps(Trap()))
    else:
        torch.save(Trap(), path, _use_new_zipfile_serialization=writer == "torch")
    assert "is not a model of napari-xseg" in refused(path)
    assert not Trap.sprung
    pickle.loads(pickle.dumps(Trap()))
    assert Trap.sprung, "the trap would not have told"
    Trap.sprung = False


@pytest.mark.parametrize("version", [0, VERSION + 1, 99])
def test_another_version_is_refused(tmp_path: Path, version: int) -> None:
    path = rewritten(saved(tmp_path / "m"), lambda told: {**told, "version": version})
    assert f"version {version}" in refused(path)


@pytest.mark.parametrize("key", ["version", "identity", "model", "classes", "intensity"])
@pytest.mark.parametrize("value", ["gone", None, 3, "text", [], {}, [1, 2]])
def test_metadata_that_is_not_ours_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    def change(told: dict[str, Any]) -> dict[str, Any]:
        rest = {name: item for name, item in told.items() if name != key}
        return rest if value == "gone" else {**rest, key: value}

    refused(rewritten(saved(tmp_path / "m.safetensors"), change))


@pytest.mark.parametrize("told", [None, 3, "text", [], {}])
def test_metadata_that_is_no_table_is_refused(tmp_path: Path, told: Any) -> None:
    refused(rewritten(saved(tmp_path / "m.safetensors"), lambda _: told))


def signed(
    path: Path, tensors: dict[str, torch.Tensor], config: ModelConfig, classes: ClassTable
) -> Path:
    """A file that is whole, though what it says does not fit together."""
    save_model(path, tensors, config, classes, INTENSITY)
    return path


def test_a_class_table_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = signed(tmp_path / "m", network().state_dict(), CONFIG, ClassTable.from_values([0, 1]))
    assert "names 2 classes for a network of 3" in refused(path)


@pytest.mark.parametrize("fault", ["missing", "more", "shape", "dtype"])
def test_tensors_that_do_not_fit_are_refused(tmp_path: Path, fault: str) -> None:
    tensors = network().state_dict()
    if fault == "missing":
        del tensors["head.bias"]
    elif fault == "more":
        tensors["tail.bias"] = torch.zeros(3)
    elif fault == "shape":
        tensors["head.bias"] = torch.zeros(4)
    else:
        tensors["head.bias"] = torch.zeros(3, dtype=torch.int32)
    name = "tail.bias" if fault == "more" else "head.bias"
    path = signed(tmp_path / "m", tensors, CONFIG, CLASSES)
    assert f"tensor {name!r} does not fit" in refused(path)


def test_settings_changed_by_hand_are_refused(tmp_path: Path) -> None:
    def change(told: dict[str, Any]) -> dict[str, Any]:
        told["intensity"]["mean"] += 1000
        return told

    assert "damaged" in refused(rewritten(saved(tmp_path / "m"), change))


def test_a_note_added_later_does_no_harm(tmp_path: Path) -> None:
    path = saved(tmp_path / "m")
    before = load_model(path)
    rewritten(path, lambda told: {**told, "noise_certificate": {"std": 5000.0}})
    after = load_model(path)
    assert after.identity == before.identity
    assert after.metadata["noise_certificate"] == {"std": 5000.0}


def test_a_full_disk_leaves_the_old_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "m.safetensors")
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(XsegError, match="disk is full"):
        saved(path, figures={"dice_foreground": 1.0})
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_metadata_is_canonical_json(tmp_path: Path) -> None:
    path = saved(tmp_path / "m", figures={"b": np.nan, "a": 1})
    text = header_of(path)["__metadata__"][KEY]
    assert text == json_text(json.loads(text))
    assert set(header_of(path)["__metadata__"]) == {KEY}

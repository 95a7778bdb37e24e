from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import napari_xseg
from napari_xseg.gui import sample_data

MANIFEST = (Path(napari_xseg.__file__).parent / "napari.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", re.findall(r"python_name: (\S+)", MANIFEST))
def test_commands_of_the_manifest_exist(name: str) -> None:
    module, _, attribute = name.partition(":")
    assert callable(getattr(import_module(module), attribute))


def test_contributions_name_commands_of_the_manifest() -> None:
    known = set(re.findall(r"- id: (\S+)", MANIFEST))
    used = set(re.findall(r"^ +command: (\S+)", MANIFEST, re.MULTILINE))
    assert used
    assert used <= known


def test_labels_of_the_phantom_hold_class_k_as_k_plus_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_data, "SHAPE", (2, 64, 64))
    (image, _, kind), (labels, _, label_kind) = sample_data.labelled_phantom()
    assert (kind, label_kind) == ("image", "labels")
    assert image.shape == labels.shape == (2, 64, 64)
    greys = [image[labels == value].mean() for value in (1, 2, 3)]
    assert set(np.unique(labels)) == {1, 2, 3}
    assert greys == sorted(greys)


def test_unlabelled_phantom_is_one_image() -> None:
    ((image, _, kind),) = sample_data.unlabelled_phantom()
    assert kind == "image"
    assert image.dtype == np.float32

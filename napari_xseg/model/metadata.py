"""What a model file says of itself, read from its header alone: no tensors, no torch."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_xseg.config import ModelConfig
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.intensity import Intensity
from napari_xseg.errors import XsegError
from napari_xseg.model import geometry

KEY = "napari_xseg"
VERSION = 1
MODEL_FILE = "model.safetensors"
SETTINGS = ("model", "classes", "intensity")
CERTIFICATE = "noise"  # how well the model does under noise; no part of its identity
_LONGEST_HEADER = 100_000_000
# Batch norm's statistics and counters lie among the tensors and are not learnt.
_NOT_LEARNT = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class ModelInfo:
    """A model as a chooser shows it.

    Attributes
    ----------
    path : Path
        The model file.
    name : str
        That of its run folder, or the file's without suffix.
    identity : str
        SHA-256 over the tensors and the settings that give them a meaning.
    config : ModelConfig
        Shape of the network.
    classes : ClassTable
        Its classes.
    intensity : Intensity
        Grey values of its training data.
    radius : int
        Farthest pixel, along one axis, that a pixel of the mask looks at.
    figures : dict
        Of the validation: `dice_all`, `dice_foreground` and `dice.<class name>`,
        fractions 0 to 1; what was not measured is missing.
    split : str
        How training and validation were split, in words; may be empty.
    rough : bool
        Whether the figures come from the training slices themselves.
    recipe : str
        Name of the recipe; may be empty.
    steps : int or None
        Optimiser steps.
    seconds : float or None
        Of training.
    parent : str or None
        What it was continued from.
    parameters : int
        Values learnt.
    noise : dict of float to float
        Foreground Dice, fractions, by the sd of the noise in counts, where that was
        measured (`certify_noise`).
    """

    path: Path
    name: str
    identity: str
    config: ModelConfig
    classes: ClassTable
    intensity: Intensity
    radius: int
    figures: dict[str, float] = field(default_factory=dict)
    split: str = ""
    rough: bool = False
    recipe: str = ""
    steps: int | None = None
    seconds: float | None = None
    parent: str | None = None
    parameters: int = 0
    noise: dict[float, float] = field(default_factory=dict)

    @property
    def context(self) -> int:
        """Neighbouring slices looked at on each side."""
        return self.config.context


def find_model(path: str | Path) -> Path:
    """The model file of a run folder, or `path` itself where it is a file."""
    path = Path(path).expanduser()
    if path.is_dir():
        model = path / MODEL_FILE
        if not model.is_file():
            raise XsegError(f"{path}: holds no {MODEL_FILE}; give a run folder or a model file.")
        return model
    if not path.is_file():
        raise XsegError(f"{path}: is not there; give a run folder or a model file.")
    return path


def read_metadata(path: str | Path) -> dict[str, Any]:
    """What a model file, or that of a run folder, says of itself; its tensors are not read.

    Raises
    ------
    XsegError
        No such file, another kind of file, or a model of another format version.
    """
    path = find_model(path)
    return _described(path, _header(path))


def read_model_info(path: str | Path) -> ModelInfo:
    """Describe a model file, or that of a run folder; its tensors are not read.

    Raises
    ------
    XsegError
        As `read_metadata` does, or where its settings cannot be read.
    """
    path = find_model(path)
    header = _header(path)
    metadata = _described(path, header)
    config, classes, intensity = parse_settings(path, metadata)
    training = metadata.get("training")
    training = training if isinstance(training, dict) else {}
    return ModelInfo(
        path=path,
        name=path.absolute().parent.name if path.name == MODEL_FILE else path.stem,
        identity=metadata["identity"],
        config=config,
        classes=classes,
        intensity=intensity,
        radius=geometry.radius(config),
        figures=_figures(metadata.get("figures"), classes),
        split=_text(metadata.get("split")),
        rough=bool(metadata.get("rough")),
        recipe=_text(training.get("recipe")),
        steps=None if (steps := _number(training.get("steps"))) is None else int(steps),
        seconds=_number(training.get("seconds")),
        parent=_text(metadata.get("parent") or training.get("parent")) or None,
        parameters=_parameters(header),
        noise=_certificate(metadata.get(CERTIFICATE)),
    )


def parse_settings(
    path: Path, metadata: dict[str, Any]
) -> tuple[ModelConfig, ClassTable, Intensity]:
    """Network, classes and grey values of what `read_metadata` gave; XsegError where damaged."""
    source = f"{path}: model settings"
    config = ModelConfig.from_dict(metadata["model"], source)
    classes = ClassTable.from_dict(metadata["classes"], source)
    if len(classes) != config.classes:
        raise XsegError(
            f"{path}: names {len(classes)} classes for a network of {config.classes}; train anew."
        )
    try:
        return config, classes, Intensity.from_dict(metadata["intensity"])
    except XsegError as error:
        raise XsegError(f"{source}: {error}") from error


def _header(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(_LONGEST_HEADER, path.stat().st_size):
                raise _not_a_model(path)
            header = json.loads(file.read(length))
            _check_length(path, header, 8 + length)
            return header
    except OSError as error:
        raise XsegError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise _not_a_model(path) from error


def _check_length(path: Path, header: Any, start: int) -> None:
    """Raise XsegError where the file ends before the tensors that its header names."""
    entries = header.values() if isinstance(header, dict) else ()
    places = [entry.get("data_offsets") for entry in entries if isinstance(entry, dict)]
    ends = [place[1] for place in places if isinstance(place, list) and len(place) == 2]
    if not all(isinstance(end, int) for end in ends):
        raise _not_a_model(path)
    expected, found = start + max(ends, default=0), path.stat().st_size
    if found < expected:
        raise XsegError(
            f"{path}: is cut short, {found:,} of {expected:,} bytes are there; copy it anew from "
            "where it came, or train anew."
        )


def _described(path: Path, header: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(header["__metadata__"][KEY])
        version = int(found["version"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _not_a_model(path) from error
    if version != VERSION:
        raise XsegError(
            f"{path}: is a model of format version {version}, this napari-xseg reads version "
            f"{VERSION}; use the release that wrote it, or train anew."
        )
    tables = all(isinstance(found.get(key), dict) for key in SETTINGS)
    if not tables or not isinstance(found.get("identity"), str):
        raise _not_a_model(path)
    return found


def _figures(found: Any, classes: ClassTable) -> dict[str, float]:
    if not isinstance(found, dict):
        return {}
    scores = found.get("dice")
    each = scores if isinstance(scores, list) else []
    named = {f"dice.{name}": score for name, score in zip(classes.names, each, strict=False)}
    values = {**found, **named}
    numbers = {key: _number(value) for key, value in values.items()}
    return {key: value for key, value in numbers.items() if value is not None}


def _certificate(found: Any) -> dict[float, float]:
    dice = found.get("dice_foreground") if isinstance(found, dict) else None
    if not isinstance(dice, dict):
        return {}
    try:
        return {float(std): float(value) for std, value in dice.items()}
    except (TypeError, ValueError):
        return {}


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _parameters(header: dict[str, Any]) -> int:
    shapes = [
        entry.get("shape")
        for name, entry in header.items()
        if isinstance(entry, dict) and name.rpartition(".")[2] not in (*_NOT_LEARNT, KEY)
    ]
    return sum(math.prod(map(int, shape)) for shape in shapes if isinstance(shape, list))


def _not_a_model(path: Path) -> XsegError:
    return XsegError(
        f"{path}: is not a model of napari-xseg (expected a .safetensors file that it wrote); "
        "give a run folder or its model.safetensors."
    )

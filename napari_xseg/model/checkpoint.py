"""Model files: safetensors with everything needed to use them in their metadata.

The metadata is one JSON value under `napari_xseg`. A pickle is never opened.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as dump_tensors

from napari_xseg.config import ModelConfig
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.intensity import Intensity
from napari_xseg.data.jsontext import json_text
from napari_xseg.data.writing import write_atomic
from napari_xseg.errors import XsegError
from napari_xseg.model.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

KEY = "napari_xseg"
VERSION = 1
MODEL_FILE = "model.safetensors"
SETTINGS = ("model", "classes", "intensity")
_LONGEST_HEADER = 100_000_000


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A model file, read whole.

    Attributes
    ----------
    path : Path
        The file.
    config, classes, intensity
        Shape of the network, its classes, grey values of its training data.
    identity : str
        SHA-256 over the tensors and the settings that give them a meaning.
    metadata : dict
        All that the file says of itself, `figures` and `training` included.
    tensors : dict
        Weights and running statistics by name, float32 on the CPU.
    """

    path: Path
    config: ModelConfig
    classes: ClassTable
    intensity: Intensity
    identity: str
    metadata: dict[str, Any]
    tensors: dict[str, Tensor]

    def network(self) -> UNet:
        """A UNet with these weights, in evaluation mode on the CPU."""
        network = UNet(self.config)
        network.load_state_dict(self.tensors)
        return network.eval()


def save_model(
    path: Path,
    tensors: Mapping[str, Tensor],
    config: ModelConfig,
    classes: ClassTable,
    intensity: Intensity,
    **metadata: Any,
) -> str:
    """Write a model file whole or not at all, and give its identity.

    Parameters
    ----------
    path : Path
        The file; an older one is replaced.
    tensors : mapping of str to Tensor
        The network's state dict.
    config, classes, intensity
        What a prediction needs besides.
    **metadata
        Further JSON values, such as `figures` and `training`.

    Raises
    ------
    XsegError
        A folder that cannot be written, a full disk.
    """
    whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    settings = {
        "model": config.model_dump(mode="json"),
        "classes": classes.to_dict(),
        "intensity": intensity.to_dict(),
    }
    identity = model_identity(whole, settings)
    described = {"version": VERSION, "identity": identity, **settings, **metadata}
    write_atomic(path, dump_tensors(whole, {KEY: json_text(described)}))
    return identity


def model_identity(tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over all tensors in the order of their names and the settings as JSON."""
    digest = hashlib.sha256(json_text(settings).encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


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
    """What a model file says of itself; the tensors are not read.

    Raises
    ------
    XsegError
        Another kind of file, a truncated one, or one of another version.
    """
    path = find_model(path)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(_LONGEST_HEADER, path.stat().st_size):
                raise _not_a_model(path)
            header = json.loads(file.read(length))
    except OSError as error:
        raise XsegError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise _not_a_model(path) from error
    return _described(path, header)


def load_model(path: str | Path) -> SavedModel:
    """Read a model file, or that of a run folder, whole.

    Raises
    ------
    XsegError
        No such file, another kind of file (a pickle included, which is never
        opened), a truncated or damaged one, one of another version, or one whose
        tensors do not fit its settings.
    """
    path = find_model(path)
    metadata = read_metadata(path)
    config, classes, intensity = _settings(path, metadata)
    try:
        tensors = parse_tensors(path.read_bytes())
    except OSError as error:
        raise XsegError(f"{path}: cannot be read ({error.strerror}).") from error
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error
    _check_tensors(path, config, classes, tensors)
    identity = model_identity(tensors, {key: metadata[key] for key in SETTINGS})
    if identity != metadata["identity"]:
        raise _damaged(path, "its content is not what was written")
    return SavedModel(path, config, classes, intensity, identity, metadata, tensors)


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


def _settings(path: Path, metadata: dict[str, Any]) -> tuple[ModelConfig, ClassTable, Intensity]:
    source = f"{path}: model settings"
    config = ModelConfig.from_dict(metadata["model"], source)
    classes = ClassTable.from_dict(metadata["classes"], source)
    try:
        return config, classes, Intensity.from_dict(metadata["intensity"])
    except XsegError as error:
        raise XsegError(f"{source}: {error}") from error


def _check_tensors(
    path: Path, config: ModelConfig, classes: ClassTable, tensors: Mapping[str, Tensor]
) -> None:
    if len(classes) != config.classes:
        raise XsegError(
            f"{path}: names {len(classes)} classes for a network of {config.classes}; train anew."
        )
    with torch.device("meta"):
        expected = _kinds(UNet(config).state_dict())
    found = _kinds(tensors)
    if found != expected:
        wrong = min(name for name, _ in found.items() ^ expected.items())
        raise XsegError(
            f"{path}: the tensor {wrong!r} does not fit the settings in the file; train anew."
        )


def _kinds(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (value.dtype, value.shape) for name, value in tensors.items()}


def _damaged(path: Path, reason: str) -> XsegError:
    return XsegError(f"{path}: is damaged or truncated ({reason}); copy it again or train anew.")


def _not_a_model(path: Path) -> XsegError:
    return XsegError(
        f"{path}: is not a model of napari-xseg (expected a .safetensors file that it wrote); "
        "give a run folder or its model.safetensors."
    )

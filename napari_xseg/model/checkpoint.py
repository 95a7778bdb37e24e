"""Model files: safetensors with everything needed to use them in their metadata.

The metadata is one JSON value under `napari_xseg`. A pickle is never opened.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as dump_tensors

from napari_xseg.data.jsontext import json_text
from napari_xseg.data.writing import write_atomic
from napari_xseg.errors import XsegError
from napari_xseg.model.metadata import (
    CERTIFICATE,
    KEY,
    MODEL_FILE,
    SETTINGS,
    VERSION,
    find_model,
    parse_settings,
    read_metadata,
)
from napari_xseg.model.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from napari_xseg.config import ModelConfig
    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.intensity import Intensity

__all__ = [
    "KEY",
    "MODEL_FILE",
    "SETTINGS",
    "VERSION",
    "SavedModel",
    "certify_noise",
    "find_model",
    "load_model",
    "model_identity",
    "read_metadata",
    "save_model",
]


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


def certify_noise(path: str | Path, certificate: Mapping[str, Any]) -> str:
    """Keep in a model file how well the model does under noise; gives its identity, as before.

    Parameters
    ----------
    path : str or Path
        A model file, or a run folder.
    certificate : mapping
        JSON values; `dice_foreground` holds the Dice (fractions) by the noise's sd in
        counts, as text. One that is there is replaced.
    """
    model = load_model(path)
    known = {"version", "identity", CERTIFICATE, *SETTINGS}
    others = {key: value for key, value in model.metadata.items() if key not in known}
    others[CERTIFICATE] = dict(certificate)
    return save_model(
        model.path, model.tensors, model.config, model.classes, model.intensity, **others
    )


def model_identity(tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over all tensors in the order of their names and the settings as JSON."""
    digest = hashlib.sha256(json_text(settings).encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


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
    config, classes, intensity = parse_settings(path, metadata)
    try:
        tensors = parse_tensors(path.read_bytes())
    except OSError as error:
        raise XsegError(f"{path}: cannot be read ({error.strerror}).") from error
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error
    _check_tensors(path, config, tensors)
    identity = model_identity(tensors, {key: metadata[key] for key in SETTINGS})
    if identity != metadata["identity"]:
        raise _damaged(path, "its content is not what was written")
    return SavedModel(path, config, classes, intensity, identity, metadata, tensors)


def _check_tensors(path: Path, config: ModelConfig, tensors: Mapping[str, Tensor]) -> None:
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

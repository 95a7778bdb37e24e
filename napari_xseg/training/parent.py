"""The model that a training goes on from as a new run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_xseg.config import TrainConfig
from napari_xseg.data.intensity import Intensity
from napari_xseg.errors import XsegError
from napari_xseg.model.checkpoint import load_model
from napari_xseg.training.run_folder import CONFIG, PROVENANCE, RESUME, RunFolder

if TYPE_CHECKING:
    from torch import Tensor

    from napari_xseg.config import ModelConfig
    from napari_xseg.data.classes import ClassTable


@dataclass(frozen=True, eq=False)
class Parent:
    """What a run has from its parent.

    Attributes
    ----------
    path : str
        The model file.
    identity : str
        Of the model.
    config, intensity
        Shape of the network and grey values that normalise, kept by the new run.
    tensors : dict
        The first weights; empty where the run has gone on from them already.
    """

    path: str
    identity: str
    config: ModelConfig
    intensity: Intensity
    tensors: dict[str, Tensor]

    def told(self) -> dict[str, str]:
        """Which model it is, as JSON values."""
        return {"path": self.path, "identity": self.identity}


def open_parent(path: Path, out: Path, classes: ClassTable) -> Parent:
    """The model at `path` as parent of a run in `out`.

    Raises
    ------
    XsegError
        As `load_model`; classes that do not agree, see `ClassTable.why_not_as`; a run
        that would replace it.
    """
    saved = load_model(path)
    if saved.path.resolve().parent == out.resolve():
        raise XsegError(
            f"{out}: holds the model to continue, which would be lost; give another --out."
        )
    other = classes.why_not_as(saved.classes)
    if other:
        raise XsegError(
            f"{saved.path}: {other}; give them the same file values in the same order, or train a "
            "new model."
        )
    known = str(saved.path.absolute())
    return Parent(known, saved.identity, saved.config, saved.intensity, saved.tensors)


def remembered_parent(out: Path, classes: ClassTable) -> Parent | None:
    """The parent of the run in `out`, which is to go on; None where it has none.

    Raises
    ------
    XsegError
        Files of the run that cannot be read; a parent that is needed and gone.
    """
    told = RunFolder(out).read_provenance()
    parent = told.get("parent")
    if not parent:
        return None
    if not (out / RESUME).exists():  # ended before its first save: it begins again
        return open_parent(Path(parent["path"]), out, classes)
    try:
        path, identity, values = parent["path"], parent["identity"], told["intensity"]
    except (KeyError, TypeError) as error:
        raise XsegError(
            f"{out / PROVENANCE}: does not say which model the run continues; start anew with "
            "--overwrite."
        ) from error
    config = TrainConfig.from_toml(out / CONFIG).model
    return Parent(path, identity, config, Intensity.from_dict(values), {})

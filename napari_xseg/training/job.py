"""What a training needs, settled before it starts."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING, Any

from napari_xseg.data.augment import noise_std
from napari_xseg.data.intensity import Intensity, measure_intensity
from napari_xseg.data.labels import check_trainable
from napari_xseg.errors import XsegError
from napari_xseg.model.device import find_device
from napari_xseg.training.parent import open_parent, remembered_parent
from napari_xseg.training.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_xseg.config import Precision, TrainConfig
    from napari_xseg.data.labels import LabelVolume, Masked
    from napari_xseg.data.partition import Split
    from napari_xseg.data.region import Region
    from napari_xseg.data.volume import Volume
    from napari_xseg.training.parent import Parent
    from napari_xseg.training.scene import OpenImages

_TOLD = ("napari-xseg", "torch", "numpy", "tifffile", "safetensors")


@dataclass(frozen=True)
class Within:
    """Pixels that lie in the region and in one part of the split."""

    split: Split
    part: str
    region: Region | None

    def mask(self, z: int, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
        """Give True (y, x) where a pixel of slice `z` counts; None where all do."""
        choose = self.split.train_region if self.part == "train" else self.split.val_region
        of_split = choose(z, shape)
        inside = None if self.region is None else self.region.mask(z, shape)
        if of_split is None or inside is None:
            return inside if of_split is None else of_split
        return of_split & inside


@dataclass(frozen=True, eq=False)
class TrainJob:
    """All that a training needs.

    Attributes
    ----------
    images, labels : Volume, LabelVolume
        What is learnt from.
    label_of : mapping of int to int
        Label z by image z.
    split : Split
        z of images that train and that validate.
    config : TrainConfig
        The recipe; its length holds where neither `steps` nor `time_limit` is given.
    out : Path
        The run folder.
    region : Region, optional
        Pixels outside take no part.
    seed : int
        Of the weights and of everything random.
    steps, time_limit : int, float, optional
        Optimiser steps, or seconds of training, validation and reading apart.
    resume : bool
        Go on with the run in `out`, exactly.
    parent : Path, optional
        A run folder or model file whose weights, shape and intensity statistics a
        new run begins with, on a fresh schedule.
    match_intensity : bool
        Normalise the images so that they look to a parent's weights like the images it
        was trained on; the statistics that do so are the new run's.
    open_images : callable, optional
        Opens the images of a view that names its own, for previews.
    origins : mapping of str to int
        How many of the labelled slices have labels of which origin, as
        `data.label_origins.Origins.counts` says it; empty where that is not known.
    """

    images: Volume
    labels: LabelVolume
    label_of: Mapping[int, int]
    split: Split
    config: TrainConfig
    out: Path
    region: Region | None = None
    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    steps: int | None = None
    time_limit: float | None = None
    threads: int | None = None
    resume: bool = False
    overwrite: bool = False
    command: str = ""
    parent: Path | None = None
    match_intensity: bool = False
    open_images: OpenImages | None = None
    origins: Mapping[str, int] = field(default_factory=dict)

    def recipe(self) -> TrainConfig:
        """The recipe with the length asked for and as many classes as the labels have."""
        config = self.config.with_budget(steps=self.steps, time_limit=self.time_limit)
        if max(config.epochs or 0, config.steps or 0, config.time_limit or 0) <= 0:
            raise XsegError(
                f"recipe {config.name}: says not how long; give --steps or --time-limit."
            )
        model = config.model.replace(classes=len(self.labels.classes))
        if self.inherited is not None:
            model = self.inherited.config
        return config.replace(model=model.model_dump())

    @cached_property
    def inherited(self) -> Parent | None:
        """What the run has from its parent, also where it was begun from one and goes on."""
        classes = self.labels.classes
        if self.parent is not None:
            return open_parent(self.parent, self.out, classes)
        return remembered_parent(self.out, classes) if self.resume else None

    @cached_property
    def measured(self) -> Intensity:
        """Grey values of the training images; XsegError as `measure_intensity` says."""
        return measure_intensity(self.images, self.split.train, self.region)

    def within(self, part: str) -> Masked:
        """Where the labels of `part`, "train" or "val", count."""
        return Within(self.split, part, self.region)

    def check(self) -> Intensity:
        """Grey values that normalise the images; XsegError where the job cannot be done.

        Nothing is written before this has passed.
        """
        if self.resume and self.parent is not None:
            raise XsegError(
                f"{self.out}: is either resumed or begun as the continuation of {self.parent}; "
                "choose one."
            )
        if self.match_intensity and not self.resume and self.parent is None:
            raise XsegError(
                f"{self.out}: no model is given whose grey values could be matched; give --parent, "
                "or leave --match-intensity out."
            )
        RunFolder(self.out).check(resume=self.resume, overwrite=self.overwrite)
        find_device(self.device)
        return self.check_data()

    def check_data(self) -> Intensity:
        """The same for the data and the recipe alone."""
        self._check_sizes()
        if self.region is not None:
            self.region.check(self.images.shape)
        check_trainable(self.labels, self.split.train, self.within("train"), self.label_of)
        intensity = self._settled_intensity()
        config = self.recipe()
        if config.noise.enabled:
            noise_std(config.noise, intensity)
        return intensity

    def _settled_intensity(self) -> Intensity:
        inherited = self.inherited
        if inherited is None:
            return self.measured
        # A run that has gone on from its parent already keeps what it was begun with.
        if self.match_intensity and inherited.tensors:
            return inherited.intensity.matched(self.measured)
        return inherited.intensity

    def _check_sizes(self) -> None:
        for z in (*self.split.train, *self.split.val):
            if not 0 <= z < len(self.images):
                raise XsegError(
                    f"{self.images.name}: has the slices 0 to {len(self.images) - 1}, slice {z} is "
                    "not among them; give other slices."
                )
            if z not in self.label_of:
                raise XsegError(
                    f"{self.images.name}: slice {z} has no labels; "
                    "give a label slice or leave it out."
                )
        if self.images.shape[1:] != self.labels.shape[1:]:
            (_, *image), (_, *label) = self.images.shape, self.labels.shape
            raise XsegError(
                f"{self.labels.name}: labels of {label[0]} x {label[1]} pixels do not fit the "
                f"images of {image[0]} x {image[1]}; give labels of the same size."
            )

    def fingerprint(self, intensity: Intensity) -> dict[str, Any]:
        """What must be the same for a run to go on, the pixels apart."""
        return {
            "recipe": self.recipe().model_dump(mode="json"),
            "split": self.split.to_dict(),
            "classes": self.labels.classes.to_dict(),
            "intensity": intensity.to_dict(),
            "seed": self.seed,
            "parent": None if self.inherited is None else self.inherited.identity,
        }

    def provenance(self, intensity: Intensity, hashes: Mapping[str, Any]) -> dict[str, Any]:
        """How the model comes to be: inputs, split, settings, versions, machine."""
        return {
            "command": self.command,
            "parent": None if self.inherited is None else self.inherited.told(),
            "images": self.images.uri,
            "labels": self.labels.volume.uri,
            "label_origins": dict(self.origins) or None,
            "region": None if self.region is None else self.region.text,
            "pairs": {str(z): self.label_of[z] for z in (*self.split.train, *self.split.val)},
            "split": self.split.to_dict(),
            "sha256": dict(hashes),
            "classes": self.labels.classes.to_dict(),
            "intensity": intensity.to_dict(),
            "seed": self.seed,
            "versions": {name: _version(name) for name in _TOLD},
            "python": platform.python_version(),
            "machine": platform.platform(),
        }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"

"""The labelled slices that an experiment works on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from napari_xseg.config import Settings
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.labels import check_fits, label_volume, parse_unlabelled
from napari_xseg.data.pairing import pair
from napari_xseg.data.region import parse_region
from napari_xseg.data.volume import RawSpec, open_label_volume, open_volume
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_xseg.data.labels import LabelVolume
    from napari_xseg.data.region import Region
    from napari_xseg.data.volume import Volume


class Source(Settings):
    """Where images and labels are, in words that travel to other machines.

    Attributes
    ----------
    images, labels : str
        Paths as `open_volume` and `open_label_volume` take them.
    pairing : str
        As `pair` takes it.
    classes : str, optional
        TOML file of the class table.
    unlabelled : str, optional
        The file value that means not labelled, or "none".
    roi : str, optional
        As `parse_region` takes it.
    raw, labels_raw : str, optional
        Shape and dtype of raw binaries.
    """

    images: str
    labels: str
    pairing: str = "auto"
    classes: str | None = None
    unlabelled: str | None = None
    roi: str | None = None
    raw: str | None = None
    labels_raw: str | None = None

    def open(self) -> Material:
        """Open, pair and check; XsegError where the two do not fit or hold too little."""
        table = None if self.classes is None else ClassTable.from_toml(Path(self.classes))
        meaning = None if self.unlabelled is None else parse_unlabelled(self.unlabelled)
        region = None if self.roi is None else parse_region(self.roi)
        images = open_volume(self.images, raw=_raw(self.raw))
        values = open_label_volume(self.labels, raw=_raw(self.labels_raw))
        pairing = pair(images, values, self.pairing)
        check_fits(images, values, pairing)
        if region is not None:
            region.check(images.shape)
        labels = label_volume(values, classes=table, unlabelled=meaning)
        material = Material(images, labels, pairing.label_of, region)
        if len(material.usable) < 2:
            raise XsegError(
                f"{labels.name}: {len(material.usable)} labelled slices; an experiment wants two "
                "or more, one to learn from and one to score."
            )
        return material


@dataclass(frozen=True, eq=False)
class Material:
    """Images with labels, opened and paired.

    Attributes
    ----------
    images, labels : Volume, LabelVolume
        (z, y, x).
    label_of : mapping of int to int
        Label z by image z.
    region : Region, optional
        Pixels outside take no part.
    """

    images: Volume
    labels: LabelVolume
    label_of: Mapping[int, int]
    region: Region | None = None

    @cached_property
    def usable(self) -> tuple[int, ...]:
        """Z of the images with labels, rising."""
        labelled = set(self.labels.labelled_among(self.label_of.values()))
        return tuple(sorted(z for z, label in self.label_of.items() if label in labelled))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 (hex) over the labelled slices and their labels; reads them all once."""
        digest = hashlib.sha256(str(self.labels.classes.to_dict()).encode())
        shape = self.images.shape[1:]
        for z in self.usable:
            digest.update(f"{z}".encode())
            digest.update(self.images.read(z).tobytes())
            digest.update(self.labels.read(self.label_of[z]).tobytes())
            inside = None if self.region is None else self.region.mask(z, shape)
            digest.update(b"" if inside is None else inside.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Remembered:
    """What an experiment keeps of its data: enough to say what it is to do, not to do it."""

    usable: tuple[int, ...]
    sha256: str = ""


def _raw(text: str | None) -> RawSpec | None:
    return None if text is None else RawSpec.parse(text)

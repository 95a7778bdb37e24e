"""The masks of a project as the files beside them tell: which are whole, and how to name them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_xseg.data.runs_list import split_name
from napari_xseg.data.slices import format_slices
from napari_xseg.model.metadata import MODEL_FILE
from napari_xseg.prediction.sidecar import (
    confidences_of,
    is_unfinished,
    read_sidecar,
    sidecar_path,
    unfinished_masks,
    wanted_slices,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from napari_xseg.data.project import Project

# What the file of a mask's confidences is called, behind the mask's name.
CONFIDENCE = ".confidence"
# Longest name of an image in the name of a layer.
LONGEST = 40
DAY, SECOND = "%d %b %H:%M", "%d %b %H:%M:%S"


@dataclass(frozen=True)
class KeptMask:
    """A mask of the project.

    Attributes
    ----------
    path : Path
        The mask; under a hidden name where its writer was killed.
    told : bool
        Whether the file beside it says what it is.
    model : str
        Identity of the model.
    model_file : Path or None
        Where it lay.
    images : str
        Where the images lie.
    done, wanted : tuple of int
        z of its slices that are predicted, and of all its pages where that is known.
    depth : int or None
        Slices of the images, where that is known.
    match_intensity, region
        How it was predicted.
    confidence : Path or None
        Of its confidences, where there are any.
    files : frozenset of Path
        Where it and its confidences may lie.
    target : Path
        Where it is to lie when it is whole.
    """

    path: Path
    told: bool = False
    model: str = ""
    model_file: Path | None = None
    images: str = ""
    done: tuple[int, ...] = ()
    wanted: tuple[int, ...] = ()
    depth: int | None = None
    match_intensity: bool = False
    region: str = ""
    confidence: Path | None = None
    files: frozenset[Path] = frozenset()
    target: Path = Path()

    @property
    def whole(self) -> bool:
        """Whether no slice is missing."""
        return self.told and len(self.done) >= len(self.wanted)

    @property
    def can_be_gone_on_with(self) -> bool:
        """Whether slices are missing, and it is known which and how to predict them."""
        return self.told and not self.whole and self.path.suffix == ".zarr"

    @property
    def title(self) -> str:
        """Model and image, and which slices where it is of some: what people call it."""
        if self.model_file is None:
            return self.file_name
        image, slices = Path(self.images).stem or "image", self.wanted or self.done
        return mask_title(model_label(self.model_file), image, slices, self.depth)

    @property
    def file_name(self) -> str:
        """The name of the file without its date."""
        return split_name(self.target.with_name(self.target.stem.removeprefix(".")))[1]

    @property
    def made(self) -> datetime:
        """When it was begun."""
        return split_name(self.path.with_name(self.path.stem.removeprefix(".")))[0]

    @property
    def slices_words(self) -> str:
        """How many slices it has, and of how many where some are missing."""
        if not self.told:
            return "unfinished" if is_unfinished(self.path) else ""
        count = len(self.done)
        return f"{count:,}" if self.whole else f"{count:,} of {len(self.wanted):,}"


def kept_masks(project: Project) -> list[KeptMask]:
    """All masks of a project, newest first, then those whose writers were killed."""
    paths = [path for path in project.masks() if not path.stem.endswith(CONFIDENCE)]
    left = unfinished_masks(project.folder / "masks")
    paths += [path for path in left if f"{CONFIDENCE}." not in path.name]
    return [kept_mask(path) for path in paths]


def kept_mask(path: Path) -> KeptMask:
    """What is known of one mask."""
    return _kept_mask(path, _stamp(path), _stamp(sidecar_path(path)))


@lru_cache(maxsize=512)  # their files hold a row for each slice
def _kept_mask(path: Path, *_: int) -> KeptMask:
    told = read_sidecar(path)
    if told is None:
        return KeptMask(path, files=frozenset((path,)), target=path)
    found = told.get("settings")
    settings: dict[str, Any] = found if isinstance(found, dict) else {}
    model, out = told.get("model_file"), told.get("out")
    return KeptMask(
        path,
        told=True,
        model=str(told.get("model") or ""),
        model_file=Path(model) if isinstance(model, str) else None,
        images=str(told.get("images") or ""),
        done=_numbers(told.get("slices")),
        wanted=wanted_slices(told),
        depth=told["depth"] if isinstance(told.get("depth"), int) else None,
        match_intensity=bool(settings.get("match_intensity")),
        region=str(settings.get("region") or ""),
        confidence=next((one for one in confidences_of(path, told) if one.exists()), None),
        files=frozenset((path, *confidences_of(path, told))),
        target=path.with_name(out) if isinstance(out, str) and is_unfinished(path) else path,
    )


def dates(masks: Iterable[KeptMask]) -> list[str]:
    """When each was made: to the minute, and to the second where that would not tell them apart."""
    every = list(masks)
    alike = Counter((mask.title, f"{mask.made:{DAY}}") for mask in every)
    return [
        f"{mask.made:{SECOND if alike[mask.title, f'{mask.made:{DAY}}'] > 1 else DAY}}"
        for mask in every
    ]


def mask_title(model: str, image: str, slices: tuple[int, ...], depth: int | None = None) -> str:
    """What people call a mask: "quick of scan", and of which slices where it is not of all."""
    words = f"{model} of {image[:LONGEST]}"
    whole = slices == tuple(range(depth if depth is not None else len(slices)))
    return words if whole else f"{words} z {format_slices(slices)}"[:100]


def model_label(model: Path) -> str:
    """What people call a model file: its run's name, with its date where others share it."""
    if model.name != MODEL_FILE:
        return split_name(model.with_name(model.stem))[1]
    date, name = split_name(model.parent)
    try:
        beside = [one for one in model.parent.parent.iterdir() if one.name.endswith(name)]
    except OSError:
        beside = []
    alike = sum(one.is_dir() and split_name(one)[1] == name for one in beside)
    return f"{name} {date:{DAY}}" if alike > 1 else name


def _numbers(found: Any) -> tuple[int, ...]:
    return tuple(z for z in found if isinstance(z, int)) if isinstance(found, list) else ()


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0

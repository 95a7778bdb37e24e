"""The volume without labels: what its mask holds, and where to look at it first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.coding import IGNORE
from napari_xseg.data.volume import open_volume
from napari_xseg.experiments.after import mask_path
from napari_xseg.experiments.report.shown import Shown
from napari_xseg.prediction.sidecar import read_sidecar
from napari_xseg.review.figures import SliceView, fractions_along_z, overview
from napari_xseg.review.suspects.kept import read_suspects, suspects_path
from napari_xseg.review.suspects.masks import open_mask
from napari_xseg.review.suspects.table import KIND_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_xseg.data.volume import Volume
    from napari_xseg.experiments.report.shown import Cell
    from napari_xseg.experiments.suite import Suite
    from napari_xseg.review.suspects.masks import OpenMask
    from napari_xseg.review.suspects.table import Suspects

_FEWEST = 2  # slices that make a curve


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """Sentences and figures."""

    words: list[str]
    shown: list[Shown]


def unlabelled_part(suite: Suite) -> Unlabelled | None:
    """What became of a suite's volume without labels; None where there is no mask of it.

    XsegError where images, mask or suspects cannot be read.
    """
    path = mask_path(suite)
    if suite.unlabelled is None or not path.exists():
        return None
    images = open_volume(suite.unlabelled)
    mask = open_mask(path, images)
    kept = suspects_path(path)
    suspects = read_suspects(kept).suspects if kept.exists() else None
    told = read_sidecar(path) or {}
    words = [*_about(suite, path, images, told)]
    if suspects is not None:
        words.append(_found(suspects))
    return Unlabelled(words, [*_slices(images, mask, suspects), *_fractions(told, mask)])


def _about(suite: Suite, mask: Path, images: Volume, told: dict[str, Any]) -> Iterator[str]:
    yield (
        "There is no truth for this volume: nothing here says how much of its mask is right. "
        "That is for people to see."
    )
    settings = told.get("settings")
    matching = isinstance(settings, dict) and settings.get("match_intensity")
    matched = ", grey values matched to those of training" if matching else ""
    shape = " x ".join(map(str, images.shape))
    name = mask.relative_to(suite.folder).as_posix()
    yield f"{images.name}, {shape} (z, y, x) {images.dtype}, predicted{matched}. Mask: {name}."
    yield (
        f"To score it: napari-xseg review new --images IMAGES --mask {name}, or "
        "Open the predicted volume in the Experiments dock, then the pages Suspects and Score of "
        "the Review dock."
    )


def _found(suspects: Suspects) -> str:
    counts = Counter(suspect.kind for suspect in suspects)
    kinds = ", ".join(f"{count} {KIND_WORDS[kind]}" for kind, count in counts.most_common())
    wrong = sum(suspect.strength * suspect.pixels for suspect in suspects)
    return (
        f"{len(suspects)} places are listed as suspicious{f' ({kinds})' * bool(kinds)}; they hold "
        f"about {wrong:,.0f} pixels that are probably wrong, which is the model's own estimate."
    )


def _slices(images: Volume, mask: OpenMask, suspects: Suspects | None) -> Iterator[Shown]:
    """The slice in the middle, and the one with most that is suspicious."""
    chosen = {sorted(mask.page_of)[len(mask.page_of) // 2]: "Slice in the middle"}
    if suspects is not None and len(suspects):
        weight = np.bincount(
            suspects.rows["z"], suspects.rows["strength"] * suspects.rows["pixels"]
        )
        chosen.setdefault(int(np.argmax(weight)), "Slice with most that is suspicious")
    for z, words in chosen.items():
        plane = mask.read(z)
        view = SliceView(z, prediction=plane, image=images.read(z))
        counts = np.bincount(plane.ravel(), minlength=IGNORE + 1)
        rows: list[tuple[Cell, ...]] = [
            (z, name, int(counts[index])) for index, name in enumerate(mask.classes.names)
        ]
        yield Shown(
            f"unlabelled-{z}",
            f"{words} of the volume without labels, z = {z}; there is no truth",
            overview(view, mask.classes),
            ("z", "predicted class", "pixels"),
            rows,
        )


def _fractions(told: dict[str, Any], mask: OpenMask) -> Iterator[Shown]:
    """Phase fractions along z, as the file beside the mask has them."""
    names = mask.classes.names
    try:
        rows = told["fractions"]["slices"]
        z = [int(row["z"]) for row in rows]
        shares = np.array([[float(row[name]) for name in names] for row in rows])
    except (KeyError, TypeError, ValueError):  # written by another program
        return
    if len(z) < _FEWEST:
        return
    yield Shown(
        "unlabelled-fractions",
        "Predicted phase fractions of the volume without labels",
        fractions_along_z(z, shares, mask.classes),
        ("z", *(f"{name} %" for name in names)),
        [(at, *(100 * share).tolist()) for at, share in zip(z, shares, strict=True)],
    )

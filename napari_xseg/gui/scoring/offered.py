"""Masks that can be scored: those with a file, shown as layers or kept in the project."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_xseg.gui.layers import KEY
from napari_xseg.gui.predict.kept_masks import CONFIDENCE, DAY, kept_mask
from napari_xseg.review.suspects.kept import suspects_path

if TYPE_CHECKING:
    from napari_xseg.gui.session import Session


@dataclass(frozen=True)
class Offered:
    """A mask that can be scored.

    Attributes
    ----------
    path : Path
        Its file.
    name : str
        What it is called.
    """

    path: Path
    name: str

    @property
    def suspects(self) -> Path | None:
        """The file with its suspects; None where nobody has looked for any."""
        path = suspects_path(self.path)
        return path if path.exists() else None


def offered_masks(session: Session) -> tuple[Offered, ...]:
    """The masks of the viewer that have a file, top first, then the others of the project."""
    found: dict[Path, Offered] = {}
    for layer in session.layers.of_kind("mask"):
        told = layer.metadata[KEY].get("path")
        if isinstance(told, str) and Path(told).exists():
            found.setdefault(Path(told), Offered(Path(told), layer.name))
    for path in _kept(session):
        found.setdefault(path, Offered(path, _words(path)))
    return tuple(found.values())


def _kept(session: Session) -> list[Path]:
    if session.project is not None:
        with suppress(OSError):  # the project's folder may have gone
            masks = session.project.masks()
            return [path for path in masks if not path.stem.endswith(CONFIDENCE)]
    return []


def _words(path: Path) -> str:
    mask = kept_mask(path)
    words = f"{mask.title}, {mask.made:{DAY}}"
    return words if mask.whole or not mask.told else f"{words}, {mask.slices_words} slices"

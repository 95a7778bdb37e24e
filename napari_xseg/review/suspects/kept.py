"""Suspects kept beside their mask, with what they were found in; read without torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.jsontext import json_text
from napari_xseg.data.volume import hash_source, open_label_volume
from napari_xseg.data.writing import write_atomic
from napari_xseg.errors import XsegError
from napari_xseg.review.suspects.table import KINDS, ROW, Suspects

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION = 1


@dataclass(frozen=True)
class Origin:
    """What suspects were found in, and how.

    Attributes
    ----------
    mask, mask_sha256 : str
        The mask file and the hash of its content; empty where the model's own mask
        was looked at without being written.
    model, second : str
        Identity of the model, and of the second model or hash of the second mask.
    images : str
        Where the images lay.
    kinds : tuple of str
        What was looked for.
    slices : tuple of int
        z that were looked at.
    settings : dict
        The rest, as JSON values.
    """

    mask: str = ""
    mask_sha256: str = ""
    model: str = ""
    second: str = ""
    images: str = ""
    kinds: tuple[str, ...] = ()
    slices: tuple[int, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Kept:
    """What a file of suspects holds."""

    suspects: Suspects
    origin: Origin


def suspects_path(mask: str | Path) -> Path:
    """The file beside a mask that keeps its suspects."""
    mask = Path(mask)
    return mask.with_name(mask.name + ".suspects.json")


def write_suspects(path: Path, suspects: Suspects, origin: Origin) -> None:
    """Write suspects and their origin, whole or not at all; XsegError where that cannot be."""
    rows = suspects.rows
    content = {
        "version": VERSION,
        "origin": asdict(origin),
        "classes": suspects.classes.to_dict(),
        # The names too, so that other programs need not know their order.
        "kinds": list(KINDS),
        "suspects": {name: rows[name].tolist() for name in ROW.names or ()},
    }
    write_atomic(path, json_text(content) + "\n")


def read_suspects(path: Path) -> Kept:
    """Read what `write_suspects` wrote.

    Raises
    ------
    XsegError
        No such file, or one that is damaged or from another version.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["version"] != VERSION:
            raise XsegError(
                f"{path}: holds suspects of version {found['version']}, {VERSION} is expected; "
                "look for them again."
            )
        origin = dict(found["origin"])
        origin |= {name: tuple(origin[name]) for name in ("kinds", "slices")}
        classes = ClassTable.from_dict(found["classes"], str(path))
        return Kept(Suspects(classes, _rows(found["suspects"], len(classes))), Origin(**origin))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise XsegError(f"{path}: cannot be read ({reason}); look for suspects again.") from error
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise XsegError(f"{path}: is damaged ({error!r}); look for suspects again.") from error


def staleness(origin: Origin, mask: Path) -> str | None:
    """Say so where the mask is not the one that the suspects were found in; hashes its file.

    Raises
    ------
    XsegError
        A mask that cannot be read.
    """
    if hash_source(open_label_volume(mask)) == origin.mask_sha256:
        return None
    return (
        f"{mask}: has changed since its suspects were found, so they may lie elsewhere; "
        "look for them again."
    )


def _rows(columns: dict[str, list[float]], classes: int) -> NDArray[np.void]:
    names = ROW.names or ()
    rows = np.zeros(len(columns["z"]), ROW)
    for name in names:
        rows[name] = columns[name]
    if rows["kind"].max(initial=0) >= len(KINDS):
        raise ValueError("a kind that is not known")
    for name in ("found", "other"):
        if ((rows[name] >= classes) & (rows[name] != 255)).any():
            raise ValueError(f"{name}: a class that is not in the table")
    return rows

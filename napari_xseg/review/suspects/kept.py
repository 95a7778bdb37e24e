"""Suspects kept beside their mask, with what they were found in; read without torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.jsontext import json_text
from napari_xseg.data.slices import format_slices
from napari_xseg.data.volume import hash_source, open_label_volume
from napari_xseg.data.writing import write_atomic
from napari_xseg.errors import XsegError
from napari_xseg.review.suspects.ranking import Strongest
from napari_xseg.review.suspects.table import KINDS, ROW, Suspects

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        for one in origin["settings"].get("earlier", ()):
            one["slices"] = list(one["slices"])
        left_out = [int(one) for one in origin["settings"].get("left_out", {}).values()]
        if min(left_out, default=0) < 0:
            raise ValueError("fewer than none left out")
        classes = ClassTable.from_dict(found["classes"], str(path))
        return Kept(Suspects(classes, _rows(found["suspects"], len(classes))), Origin(**origin))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise XsegError(f"{path}: cannot be read ({reason}); look for suspects again.") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise XsegError(f"{path}: is damaged ({error!r}); look for suspects again.") from error


def with_other_slices(found: Kept, older: Path, keep: int) -> tuple[Kept, tuple[str, ...]]:
    """Add what an older list of the very same mask says of slices that were not looked at.

    Parameters
    ----------
    found : Kept
        What a search has found.
    older : Path
        A file that `write_suspects` wrote.
    keep : int
        Suspects kept at most, those with most to mend.

    Returns
    -------
    Kept
        All of them, ranked anew, with the older searches under `earlier` of the settings;
        `found` where the list is of another mask or classes, or cannot be read.
    tuple of str
        What was kept, as a sentence, where anything was.
    """
    try:
        kept = read_suspects(older)
    except XsegError:
        return found, ()
    new, old = found.origin, kept.origin
    others = sorted(set(old.slices) - set(new.slices))
    same = new.mask_sha256 != "" and old.mask_sha256 == new.mask_sha256
    if not others or not same or kept.suspects.classes != found.suspects.classes:
        return found, ()
    strongest = Strongest(keep)
    strongest.add(found.suspects.rows)
    strongest.add(kept.suspects.rows[np.isin(kept.suspects.rows["z"], others)])
    rows = strongest.ranked()
    origin = replace(
        new,
        kinds=tuple(kind for kind in KINDS if kind in {*new.kinds, *old.kinds}),
        slices=tuple(sorted({*new.slices, *others})),
        settings={**new.settings, "earlier": _earlier(old, new.slices)},
    )
    stayed = int(np.isin(rows["z"], others).sum())
    text = (
        f"{older.name}: {stayed} suspects found before in slices {format_slices(others)} stay in "
        "the list."
    )
    return Kept(Suspects(found.suspects.classes, rows), origin), (text,)


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


def _earlier(old: Origin, slices: Sequence[int]) -> list[dict[str, Any]]:
    """Searches whose suspects are left in the list, oldest first, each with its slices."""
    before = old.settings.get("earlier", [])
    taken = {z for one in before for z in one["slices"]}
    last = {
        "slices": [z for z in old.slices if z not in taken],
        **{"kinds": old.kinds, "model": old.model, "second": old.second},
        "settings": {name: value for name, value in old.settings.items() if name != "earlier"},
    }
    left = [
        {**one, "slices": [z for z in one["slices"] if z not in slices]} for one in [*before, last]
    ]
    return [one for one in left if one["slices"]]


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

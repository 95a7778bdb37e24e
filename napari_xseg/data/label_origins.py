"""Where the labels of each slice came from: painted, accepted from a model, corrected, ...

Kept in one JSON file beside the labels in the project, written whole at each change.
The labels themselves do not depend on it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from napari_xseg.data.formats.atomic import rename, write_atomic, writing_to
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from napari_xseg.events import Box

Kind = Literal["painted", "prefilled", "accepted", "corrected", "copied", "imported"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ORIGINS_FILE = "label-origins.json"
VERSION = 1
_SHOWN = 8  # digits of a hash that people read
_WORDS: dict[Kind, str] = {
    "painted": "painted",
    "prefilled": "pre-filled from grey values",
    "accepted": "accepted from a mask",
    "corrected": "corrected",
    "copied": "copied",
    "imported": "from a file",
}


@dataclass(frozen=True)
class Origin:
    """One way in which a slice got labels.

    Attributes
    ----------
    kind : str
        "painted" by hand; "prefilled" from grey values; "accepted" from a model's
        mask; "corrected" at a place of a mask; "copied" from another slice;
        "imported" from a file.
    date : str
        ISO 8601 with the offset from UTC; `Origins.add` fills it in.
    model, mask : str
        Their hashes, of what was accepted or corrected.
    at : str
        What led to a correction: "suspect", "mistake" or "score".
    box : (int, int, int, int), optional
        Where it was, (y0, y1, x0, x1).
    source : str
        The file, or the slice copied from.
    """

    kind: Kind
    date: str = ""
    model: str = ""
    mask: str = ""
    at: str = ""
    box: Box | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no origin; one of {', '.join(KINDS)}")

    @property
    def text(self) -> str:
        """It in words, with the day."""
        hashes = (("model", self.model), ("mask", self.mask))
        parts = [
            _WORDS[self.kind],
            *(f"{what} {value[:_SHOWN]}" for what, value in hashes if value),
        ]
        if self.at:
            parts.append(f"at a {self.at}")
        if self.source:
            parts.append(self.source)
        return ", ".join([*parts, self.date[:10]] if self.date else parts)

    def like(self, other: Origin) -> bool:
        """Whether both are the same but for the time of the day."""
        return replace(self, date=self.date[:10]) == replace(other, date=other.date[:10])


class Origins:
    """The origins of all labelled slices of a project; any thread may ask and add.

    Use `Origins.open`.
    """

    def __init__(self, path: Path, known: dict[int, tuple[Origin, ...]], read_only: bool) -> None:
        self.path = path
        self.read_only = read_only
        self._of = known
        self._lock = Lock()

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        read_only: bool = False,
        on_error: Callable[[XsegError], None] | None = None,
    ) -> Self:
        """Read the origins of the project in `folder`; there may be none yet.

        Parameters
        ----------
        folder : Path
            Of the project.
        read_only : bool
            Another process labels here: changes are refused.
        on_error : callable, optional
            Gets what is wrong with a damaged file. It is set aside under another name
            where it may be, and no origin is known.

        Raises
        ------
        XsegError
            A damaged file, without `on_error`. Labels are not touched.
        """
        path = folder / ORIGINS_FILE
        try:
            return cls(path, _read(path), read_only)
        except XsegError as error:
            if on_error is None:
                raise
            told = error if read_only else _set_aside(path, error)
        on_error(told)
        return cls(path, {}, read_only)

    @property
    def gone(self) -> bool:
        """Whether the project's folder is not there; it is not made anew."""
        return not self.path.parent.is_dir()

    @property
    def slices(self) -> tuple[int, ...]:
        """Each z that has an origin."""
        with self._lock:
            return tuple(sorted(self._of))

    def of(self, z: int) -> tuple[Origin, ...]:
        """The origins of slice z, oldest first."""
        with self._lock:
            return self._of.get(z, ())

    def add(self, z: int, origin: Origin) -> None:
        """Add an origin to slice z; it is on disk when this returns.

        Without a date it is of this moment. One like the latest of the slice, on the
        same day, is not repeated: a slice is painted in many strokes.

        Raises
        ------
        XsegError
            Where it cannot be written; then it is not kept.
        """
        dated = origin if origin.date else replace(origin, date=_this_moment())
        with self._lock:
            latest = self._of.get(z, ())
            if not (latest and latest[-1].like(dated)):
                self._write({**self._of, z: (*latest, dated)})

    def forget(self, z: int) -> None:
        """Drop the origins of slice z, whose labels were removed; errors as `add`."""
        with self._lock:
            if z in self._of:
                self._write({other: kept for other, kept in self._of.items() if other != z})

    def counts(self, slices: Iterable[int] | None = None) -> dict[str, int]:
        """How many slices have labels of each kind, of all or of some.

        A slice of several kinds counts for each; one without origin as "unknown" where
        it is named.
        """
        with self._lock:
            chosen = list(self._of if slices is None else slices)
            kinds = [{one.kind for one in self._of.get(z, ())} for z in chosen]
        found = Counter[str](kind for of_slice in kinds for kind in of_slice or ("unknown",))
        return {kind: found[kind] for kind in (*KINDS, "unknown") if found[kind]}

    def _write(self, fresh: dict[int, tuple[Origin, ...]]) -> None:
        if self.read_only:
            raise XsegError(
                f"{self.path}: is open in another window; close it there, and label here."
            )
        if self.gone:
            raise XsegError(
                f"{self.path.parent}: this project was moved or deleted meanwhile; put it back."
            )
        rows = {str(z): [_row(one) for one in fresh[z]] for z in sorted(fresh)}
        write_atomic(self.path, json.dumps({"version": VERSION, "slices": rows}, indent=1) + "\n")
        self._of = fresh


def _this_moment() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _row(origin: Origin) -> dict[str, Any]:
    return {name: value for name, value in asdict(origin).items() if value}


def _read(path: Path) -> dict[int, tuple[Origin, ...]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["version"] != VERSION:
            raise ValueError(f"it is of version {found['version']}, this program reads {VERSION}")
        return {int(z): tuple(map(_origin, rows)) for z, rows in found["slices"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise XsegError(
            f"{path}: where labels came from cannot be read ({reason}); the labels are "
            "untouched: restore this file from a copy of the project, or remove it."
        ) from error


def _origin(row: dict[str, Any]) -> Origin:
    texts = {name: str(row.get(name, "")) for name in ("date", "model", "mask", "at", "source")}
    box = row.get("box")
    if box is not None:
        y0, y1, x0, x1 = map(int, box)
        box = (y0, y1, x0, x1)
    return Origin(kind=row["kind"], box=box, **texts)


def _set_aside(path: Path, error: XsegError) -> XsegError:
    """Give the damaged file another name, so that it is not written over; what to tell."""
    kept = path.with_name(f"{path.stem}.damaged-{datetime.now():%Y%m%d-%H%M%S-%f}{path.suffix}")
    with writing_to(kept):
        rename(path, kept)
    return XsegError(f"{error} It was set aside as {kept.name}.")

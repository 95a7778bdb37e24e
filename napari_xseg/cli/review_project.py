"""What the commands of `review` work on: a project folder, a reviewer, a session."""

from __future__ import annotations

import csv
import getpass
import math
from pathlib import Path
from typing import TYPE_CHECKING

from napari_xseg.data.project_file import PROJECT_FILE, is_project, read_project, resolved
from napari_xseg.data.volume import RawSpec, open_volume
from napari_xseg.errors import XsegError
from napari_xseg.review.scoring.names import file_name, tidy_name
from napari_xseg.review.scoring.reading import AllScores, read_scores
from napari_xseg.review.scoring.store import ScoreFile
from napari_xseg.review.scoring.values import Mark, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_xseg.cli.console import Console
    from napari_xseg.data.volume import Volume
    from napari_xseg.review.scoring.faults import FaultKind
    from napari_xseg.review.scoring.values import Item, Session

REVIEWS = "reviews"
_EDGES = ("y_start", "y_stop", "x_start", "x_stop")
_SHOWN = 150


def reviews_folder(project: Path, *, make: bool = False) -> Path:
    """Where the scores of a project lie; XsegError where there is neither project nor scores."""
    folder = project.expanduser().absolute()
    folder = folder.parent if folder.name == PROJECT_FILE else folder
    if not folder.is_dir():
        raise XsegError(f"{folder}: is no folder; give that of the project with --project.")
    reviews = folder / REVIEWS
    if not make and not reviews.is_dir():
        raise XsegError(
            f"{folder}: holds no scores yet; begin with `napari-xseg review new`, or give another "
            "--project."
        )
    return reviews


def all_scores(project: Path, console: Console) -> AllScores:
    """Read all reviewers' scores, and warn of files that cannot be read."""
    found = read_scores(reviews_folder(project))
    for fault in found.faults:
        console.warn(fault)
    return found


def open_images(project: Path, images: str | None, raw: str | None) -> Volume:
    """Open the volume that is scored: the one named, else that of the project."""
    if images is not None:
        return open_volume(images, raw=None if raw is None else RawSpec.parse(raw))
    folder = project.expanduser().absolute()
    folder = folder.parent if folder.name == PROJECT_FILE else folder
    if not is_project(folder):
        raise XsegError(
            f"{folder}: is no project, so nothing says which images are scored; give --images, or "
            "another --project."
        )
    source = resolved(read_project(folder / PROJECT_FILE)["image"], folder)
    if "path" not in source:
        raise XsegError(
            f"{folder}: its image lay in memory and is not on disk; save it and give --images."
        )
    spec = source.get("raw")
    return open_volume(
        source["path"],
        raw=RawSpec.parse(spec) if isinstance(spec, str) else None,
        dataset=source.get("dataset"),
    )


def open_scores(project: Path, reviewer: str | None, *, make: bool = False) -> ScoreFile:
    """Open a reviewer's file: of the one named, else of the only one there, else one's own."""
    folder = reviews_folder(project, make=make)
    if reviewer is not None and make:
        return ScoreFile.open(folder, reviewer)
    found = read_scores(folder) if folder.is_dir() else AllScores(())
    there = [file.reviewer for file in found.files]
    name = _default(there, found.faults, make=make) if reviewer is None else tidy_name(reviewer)
    # A file that cannot be read is there all the same: opening it says what is wrong with it.
    if not make and name not in there and not (folder / file_name(name)).exists():
        raise XsegError(
            f"{folder}: has no scores of {name}, but of {', '.join(there) or 'nobody'}; give "
            f"--reviewer, or begin with `napari-xseg review new`.{_unread(found.faults)}"
        )
    return ScoreFile.open(folder, name)


def pick_session(file: ScoreFile, uid: str | None) -> Session:
    """Give the session named, else the latest that is not finished, else the latest."""
    if uid is not None:
        return file.session(uid)
    session = file.unfinished() or next(reversed(file.sessions()), None)
    if session is None:
        raise XsegError(f"{file.reviewer}: has no session; begin with `napari-xseg review new`.")
    return session


def pick_sessions(scores: AllScores, wanted: Sequence[str] | None) -> set[str] | None:
    """Give the uids of `--session`, all reviewers' sessions being known; None for all."""
    if not wanted:
        return None
    uids = {session.uid for session in scores.sessions()}
    chosen = set()
    for begun in wanted:
        found = [uid for uid in uids if begun and uid.startswith(begun.casefold())]
        if len(found) != 1:
            have = ", ".join(sorted(uid[:8] for uid in uids)) or "none"
            raise XsegError(f"--session {begun}: {len(found)} have that id; choose of {have}.")
        chosen.add(found[0])
    return chosen


def last_session(file: ScoreFile, uid: str | None) -> Session:
    """Give the session named, else that of the latest score among those that have not ended."""
    if uid is not None:
        return file.session(uid)
    latest = {
        max((one.change for one in file.kept(session.uid).values()), default=0): session
        for session in file.sessions()
        if session.closed is None
    }
    return latest[max(latest)] if latest else pick_session(file, None)


def read_places(path: Path) -> tuple[Place, ...]:
    """Read suspects from a CSV file, strongest first as they stand.

    Columns z, y and x; where they are there, kind, strength, and y_start, y_stop,
    x_start, x_stop of a box, half open. XsegError where one is missing or is no number.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            rows, columns = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise XsegError(f"{path}: cannot be read as a list of suspects ({error}).") from error
    if not {"z", "y", "x"} <= set(columns):
        found = ",".join(columns)[:_SHOWN] or "nothing"
        raise XsegError(
            f"{path}: its first line is {found}, expected the names of columns with commas "
            "between, z, y and x among them."
        )
    return tuple(_read_place(row, f"{path}, line {line}") for line, row in enumerate(rows, 2))


def parse_faults(text: str | None) -> tuple[FaultKind, ...] | None:
    """Read `--faults`: `m=missed phase,w=wrong phase`."""
    from napari_xseg.review.scoring.faults import FaultKind, check_faults

    if text is None:
        return None
    kinds = []
    for part in text.split(","):
        key, equals, name = part.partition("=")
        if not equals:
            raise XsegError(
                f"--faults {text}: found {part.strip()!r}, expected KEY=NAME with commas between, "
                "such as m=missed phase,w=wrong phase."
            )
        kinds.append(FaultKind(name.strip(), key.strip()))
    check_faults(kinds)
    return tuple(kinds)


def parse_mark(point: str | None, box: str | None) -> Mark | None:
    """Read `--point Z,Y,X` or `--box Z,Y0,Y1,X0,X1`."""
    if point is not None and box is not None:
        raise XsegError("--point, --box: a score has one mark; give one of them.")
    if point is not None:
        z, y, x = _numbers(point, 3, "--point")
        return Mark(int(z), y, x)
    if box is None:
        return None
    z, top, bottom, left, right = _numbers(box, 5, "--box")
    if bottom <= top or right <= left:
        raise XsegError(f"--box {box}: is empty; give Z,Y0,Y1,X0,X1 with Y0 < Y1 and X0 < X1.")
    return Mark(int(z), top, left, bottom - top, right - left)


def check_mark(mark: Mark | None, session: Session) -> None:
    """Raise XsegError where a mark does not lie on the session's volume."""
    if mark is None:
        return
    y, x = (mark.y, mark.y + mark.height), (mark.x, mark.x + mark.width)
    if not session.volume.holds(mark.z, y, x):
        raise XsegError(
            f"--point, --box: z = {mark.z}, y = {mark.y:g}, x = {mark.x:g} lies outside of "
            f"{session.volume.name}, {session.volume.size} (z, y, x), or goes beyond it."
        )


def pick_item(file: ScoreFile, session: Session, text: str) -> Item:
    """Give the item of that number, or the next one for the word `next`."""
    if text.casefold() == "next":
        item = file.next(session.uid)
        if item is None:
            raise XsegError(f"session {session.uid[:8]}: all items are scored; give a number.")
        return item
    if not text.isascii() or not text.isdigit():
        raise XsegError(f"item {text!r}: expected a number from `review next`, or next.")
    return session.item(int(text))


def _default(there: Sequence[str], faults: Sequence[str], *, make: bool) -> str:
    own = _login()
    if make or own in there:
        if own is None:
            raise XsegError("--reviewer: this system names no user; say whose scores they are.")
        return own
    if len(there) == 1 and not faults:
        return there[0]
    raise XsegError(
        f"--reviewer: there are scores of {', '.join(there) or 'nobody'}; say whose are meant."
        f"{_unread(faults)}"
    )


def _unread(faults: Sequence[str]) -> str:
    return "".join(f" {fault}" for fault in faults)


def _login() -> str | None:
    try:
        return tidy_name(getpass.getuser())
    except (OSError, KeyError, ImportError, XsegError):
        return None


def _read_place(row: dict[str, str], where: str) -> Place:
    try:
        return _place(row)
    except (ValueError, OverflowError, TypeError, XsegError) as error:
        told = ", ".join(f"{name} {row.get(name)}" for name in ("z", "y", "x", "strength", *_EDGES))
        raise XsegError(
            f"{where}: found {told[:_SHOWN]}, expected numbers with a decimal point, and whole "
            "ones for z and the box."
        ) from error


def _place(row: dict[str, str]) -> Place:
    box = None
    edges = [row.get(name) for name in _EDGES]
    if all(edges):
        y0, y1, x0, x1 = (_whole(edge or "") for edge in edges)
        box = (y0, y1, x0, x1)
    strength = float(row.get("strength") or math.nan)
    kind = (row.get("kind") or "").strip()
    return Place(_whole(row["z"]), float(row["y"]), float(row["x"]), box, kind, strength)


def _whole(text: str) -> int:
    value = float(text)
    if value != int(value):
        raise ValueError(text)
    return int(value)


def _numbers(text: str, count: int, option: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) != count or not all(map(math.isfinite, found)) or found[0] != int(found[0]):
        raise XsegError(f"{option} {text}: expected {count} numbers with commas between, z first.")
    return found

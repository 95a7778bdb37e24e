"""What a scoring session is made of: frozen values, checked when they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from napari_xseg.events import Box
    from napari_xseg.review.scoring.faults import FaultKind
    from napari_xseg.review.scoring.plan import Plan

SCORES = (1, 2, 3, 4, 5)
GOOD = 4
_LONGEST_NOTE = 10_000


@dataclass(frozen=True)
class Mark:
    """A point on the image, or a box with its top left corner there; pixels."""

    z: int
    y: float
    x: float
    height: float = 0.0
    width: float = 0.0

    def __post_init__(self) -> None:
        sizes = (self.y, self.x, self.height, self.width)
        if not all(map(math.isfinite, sizes)) or min(self.z, self.height, self.width) < 0:
            raise XsegError(
                f"mark {(self.z, *sizes)}: expected z, y, x and, for a box, its height and width "
                "as numbers; mark the place again."
            )

    @property
    def is_point(self) -> bool:
        """Whether it has no size."""
        return self.height == 0 and self.width == 0


@dataclass(frozen=True)
class Place:
    """A place to be looked at, as a list of suspects hands it in.

    Attributes
    ----------
    z : int
        Slice of the volume.
    y, x : float
        Where to fly to, in pixels.
    box : (int, int, int, int), optional
        Top, bottom, left and right, half open.
    kind : str
        Why it is suspected.
    strength : float
        How strongly; nan where unknown.

    Raises
    ------
    XsegError
        A place that is none: not finite, or with an empty box.
    """

    z: int
    y: float
    x: float
    box: Box | None = None
    kind: str = ""
    strength: float = math.nan

    def __post_init__(self) -> None:
        top, bottom, left, right = self.box or (0, 1, 0, 1)
        finite = math.isfinite(self.y) and math.isfinite(self.x)
        if not finite or math.isinf(self.strength) or bottom <= top or right <= left:
            raise XsegError(
                f"place {(self.z, self.y, self.x, self.box, self.strength)}: expected finite z, y, "
                "x and strength and, if any, a box that is not empty; find suspects again."
            )

    @property
    def key(self) -> str:
        """Text that says which place it is, the same for everyone."""
        where = self.box or (round(self.y), round(self.x))
        return f"{self.kind}@{','.join(map(str, where))}"


@dataclass(frozen=True)
class VolumeRef:
    """A volume: where it lay, its name, its (z, y, x), and a hash of its size and some slices."""

    path: str
    name: str
    shape: tuple[int, int, int]
    fingerprint: str

    @property
    def size(self) -> str:
        """Its slices, rows and columns, in words."""
        return " x ".join(map(str, self.shape))

    def holds(self, z: int, y: tuple[float, float], x: tuple[float, float]) -> bool:
        """Whether a box from `y[0]` to `y[1]` and `x[0]` to `x[1]` of slice `z` lies in it."""
        _, rows, columns = self.shape
        return (
            0 <= z < self.shape[0]
            and -0.5 <= y[0] <= y[1] <= rows
            and -0.5 <= x[0] <= x[1] <= columns
        )


@dataclass(frozen=True)
class MaskRef:
    """A mask of a volume.

    Attributes
    ----------
    path, name : str
        Where it lies, and what it is called.
    sha256 : str
        Hash of its index maps and the z they belong to.
    slices : tuple of int
        z of the image of each page.
    model : str
        Identity of the model that made it; empty where unknown.
    confidence : str
        File with the probability of each pixel's class; empty where there is none.
    classes : str
        The class table as JSON, where no file beside the mask says it.
    """

    path: str
    name: str
    sha256: str
    slices: tuple[int, ...]
    model: str = ""
    confidence: str = ""
    classes: str = ""


@dataclass(frozen=True)
class Item:
    """One thing to score: a slice, or a place in it, of one mask.

    Attributes
    ----------
    number : int
        From 1, in the order of the session.
    z : int
        Slice of the volume.
    mask : int
        Which of the session's masks, from 0.
    place : Place, optional
        Where to look; without it, at all of the slice.
    repeat_of : int, optional
        Number of the item that is asked a second time.
    """

    number: int
    z: int
    mask: int = 0
    place: Place | None = None
    repeat_of: int | None = None


@dataclass(frozen=True)
class Score:
    """What a reviewer says of an item: 1 (useless) to 5 (nothing to mend), and why.

    Parameters
    ----------
    score : int
        1 to 5.
    faults : tuple of str
        Names of the kinds of fault seen.
    note : str
        Free text.
    mark : Mark, optional
        Where on the image.
    seconds : float, optional
        Time that it took.

    Raises
    ------
    XsegError
        A score that is not 1 to 5, or a time that is no time.
    """

    score: int
    faults: tuple[str, ...] = ()
    note: str = ""
    mark: Mark | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if type(self.score) is not int or self.score not in SCORES:
            raise XsegError(f"score {self.score!r}: expected 1, 2, 3, 4 or 5.")
        if self.seconds is not None and not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise XsegError(f"seconds {self.seconds!r}: expected a time of 0 or more.")
        if len(self.note) > _LONGEST_NOTE:
            raise XsegError(
                f"note: has {len(self.note):,} letters, expected {_LONGEST_NOTE:,} at most; "
                "shorten it."
            )
        object.__setattr__(self, "faults", tuple(dict.fromkeys(self.faults)))

    @property
    def said(self) -> tuple[object, ...]:
        """What two reviewers may differ in: all but the time it took."""
        return (self.score, frozenset(self.faults), self.note.strip(), self.mark)


@dataclass(frozen=True)
class Kept:
    """A score on disk: the number of the change, its item, and when it was made (ISO, UTC)."""

    change: int
    item: int
    score: Score
    made: str


@dataclass(frozen=True)
class Progress:
    """How far a session is: items scored and in all, seconds in all and for one item."""

    done: int
    total: int
    seconds: float
    mean_seconds: float


@dataclass(frozen=True)
class Session:
    """A reviewer's work on one volume; its items never change.

    Attributes
    ----------
    uid : str
        Unlike that of any other session, wherever it was made.
    closed : str or None
        When it was ended (ISO, UTC).
    """

    uid: str
    title: str
    reviewer: str
    created: str
    volume: VolumeRef
    masks: tuple[MaskRef, ...]
    plan: Plan
    faults: tuple[FaultKind, ...]
    items: tuple[Item, ...]
    closed: str | None = None

    @property
    def blind(self) -> bool:
        """Whether the masks go by neutral names until it has ended."""
        return self.plan.blind

    def item(self, number: int) -> Item:
        """Give an item; XsegError where there is none of that number."""
        if not 1 <= number <= len(self.items):
            raise XsegError(
                f"session {self.uid[:8]}: has the items 1 to {len(self.items)}, found {number}; "
                "give one of them."
            )
        return self.items[number - 1]

    def page(self, item: Item) -> int:
        """Which page of its mask shows an item."""
        return self.masks[item.mask].slices.index(item.z)

    def mask_name(self, mask: int, *, reveal: bool = False) -> str:
        """What to call a mask: A, B, ... in a blind session that has not ended."""
        hidden = self.blind and not (reveal or self.closed)
        return letter(mask) if hidden else self.masks[mask].name


def letter(place: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    text = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        text = chr(ord("A") + rest) + text
    return text

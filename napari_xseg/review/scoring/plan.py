"""Which slices or places are scored, in which order, and which of them twice."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from napari_xseg.errors import XsegError
from napari_xseg.review.scoring.values import Item

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_xseg.review.scoring.values import Place

Kind = Literal["every", "nth", "random", "suspects"]
KINDS: tuple[Kind, ...] = ("every", "nth", "random", "suspects")
_MOST_REPEATS = 1.0


@dataclass(frozen=True)
class Plan:
    """What is asked in a session.

    Parameters
    ----------
    kind : str
        `every` slice, each `nth`, a `random` sample, or the top `suspects`.
    step : int
        Of `nth`: 1 is every slice.
    count : int
        Of `random` and `suspects`: how many, at most.
    seed : int
        Of all random choices.
    blind : bool
        Masks in random order under neutral names.
    repeats : float
        Share of the items that is asked a second time, 0 to 1.
    apart : int
        A repeat comes at least so many items after its first.
    shuffled : bool
        Items in random order in place of that of z or rank.

    Raises
    ------
    XsegError
        A value that makes no sense.
    """

    kind: Kind = "every"
    step: int = 1
    count: int = 20
    seed: int = 0
    blind: bool = False
    repeats: float = 0.0
    apart: int = 5
    shuffled: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise XsegError(f"plan {self.kind!r}: expected one of {', '.join(KINDS)}.")
        for name, least in (("step", 1), ("count", 1), ("seed", 0), ("apart", 1)):
            if type(getattr(self, name)) is not int or getattr(self, name) < least:
                raise XsegError(
                    f"plan: found {name} {getattr(self, name)!r}, expected a whole number of "
                    f"{least} or more."
                )
        if not 0 <= self.repeats <= _MOST_REPEATS:
            raise XsegError(
                f"plan: found repeats {self.repeats!r}, expected a share of the items, 0 to 1."
            )

    def words(self) -> str:
        """Say it in one line."""
        what = {
            "every": "every slice",
            "nth": f"every slice of step {self.step}",
            "random": f"a random sample of {self.count} slices (seed {self.seed})",
            "suspects": f"the top {self.count} suspects",
        }[self.kind]
        more = [", in random order"] if self.shuffled else []
        more += [", blind"] if self.blind else []
        if self.repeats:
            more += [f", {100 * self.repeats:.0f} % asked twice, {self.apart} items apart or more"]
        return what + "".join(more)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Plan:
        """Read what `to_dict` gave; what is missing has its default."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in found.items() if name in known})


def make_items(
    plan: Plan, slices: Sequence[int], masks: int, places: Sequence[Place] = ()
) -> tuple[Item, ...]:
    """Lay out the items of a session; the same arguments give the same items.

    Parameters
    ----------
    plan : Plan
        What is asked.
    slices : sequence of int
        z that all masks hold, rising.
    masks : int
        How many masks there are.
    places : sequence of Place
        Of the plan `suspects`: strongest first; those on other slices are left out,
        and of several in one place, whatever their kinds, the first one is asked.

    Raises
    ------
    XsegError
        Nothing is left to score.
    """
    rng = random.Random(plan.seed)
    asked = _asked(plan, slices, places, rng)
    if not asked:
        raise XsegError(
            "plan: there is no suspect on the slices of the masks; find suspects first, or choose "
            "another plan."
            if plan.kind == "suspects"
            else "plan: the masks have no slice in common; choose masks of the same slices."
        )
    if plan.shuffled:
        rng.shuffle(asked)
    base = [
        Item(0, z, mask, place)
        for z, place in asked
        for mask in _order(masks, blind=plan.blind, rng=rng)
    ]
    return _numbered(base, _with_repeats(len(base), plan, rng))


def _asked(
    plan: Plan, slices: Sequence[int], places: Sequence[Place], rng: random.Random
) -> list[tuple[int, Place | None]]:
    if plan.kind == "suspects":
        there = set(slices)
        once: dict[object, Place] = {}
        for place in places:
            once.setdefault((place.z, place.box or (round(place.y), round(place.x))), place)
        top = [place for place in once.values() if place.z in there][: plan.count]
        return [(place.z, place) for place in top]
    if plan.kind == "random":
        chosen = sorted(rng.sample(slices, min(plan.count, len(slices))))
    else:
        chosen = list(slices[:: plan.step if plan.kind == "nth" else 1])
    return [(z, None) for z in chosen]


def _order(masks: int, *, blind: bool, rng: random.Random) -> list[int]:
    order = list(range(masks))
    if blind:
        rng.shuffle(order)
    return order


def _with_repeats(count: int, plan: Plan, rng: random.Random) -> list[tuple[int, bool]]:
    """Places in the list without repeats, in the order asked; True where it is a repeat."""
    order = [(index, False) for index in range(count)]
    waiting = rng.sample(range(count), count)
    # An insertion only moves others further apart, so that each pair stays as far as it was put.
    while len(order) < count + round(plan.repeats * count):
        index = next((one for one in waiting if _first_place(order, one, plan) <= len(order)), None)
        if index is None:
            break
        waiting.remove(index)
        order.insert(rng.randint(_first_place(order, index, plan), len(order)), (index, True))
    return order


def _first_place(order: list[tuple[int, bool]], index: int, plan: Plan) -> int:
    return order.index((index, False)) + plan.apart


def _numbered(base: list[Item], order: list[tuple[int, bool]]) -> tuple[Item, ...]:
    number_of = {index: number for number, (index, again) in enumerate(order, 1) if not again}
    return tuple(
        replace(base[index], number=number, repeat_of=number_of[index] if again else None)
        for number, (index, again) in enumerate(order, 1)
    )

"""What the commands of `review` say of sessions and items, as words and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.review.scoring.values import Item, Progress, Session


def counted(number: int, what: str) -> str:
    """Say how many: `1 score`, `2 scores`."""
    return f"{number} {what}{'s'[: number != 1]}"


def missing_repeats(session: Session) -> str:
    """Say that fewer items are asked twice than was wanted; empty where none is missing."""
    asked = _repeats(session)
    base = len(session.items) - asked
    wanted = round(session.plan.repeats * base)
    if asked >= wanted:
        return ""
    return (
        f"only {asked} of {wanted} items are asked a second time: {base} are too few for repeats "
        f"that come {session.plan.apart} items later or more; give a smaller --apart."
    )


def item_words(session: Session, item: Item) -> str:
    """Say what is to be looked at."""
    place = item.place
    where = ""
    if place is not None:
        where = f", y = {place.y:.0f}, x = {place.x:.0f}"
        where += f", {place.kind}" if place.kind else ""
    return (
        f"item {item.number} of {len(session.items)}: z = {item.z}{where}, mask "
        f"{session.mask_name(item.mask)}"
    )


def session_words(session: Session, path: Path) -> str:
    """Say what was begun, and in which file it is kept."""
    return (
        f"session {session.uid[:8]}: {counted(len(session.items), 'item')}, "
        f"{session.plan.words()}; kept in {path}"
    )


def session_json(session: Session, path: Path) -> str:
    """Say the same as JSON."""
    return _json(
        {
            "session": session.uid,
            "items": len(session.items),
            "repeats": _repeats(session),
            "reviewer": session.reviewer,
            "plan": session.plan.words(),
            "file": str(path),
            "faults": {kind.key: kind.name for kind in session.faults},
        }
    )


def item_json(session: Session, item: Item | None, progress: Progress) -> str:
    """Say what comes next and how far the session is; the item is null where none is left."""
    facts: dict[str, Any] = {"session": session.uid, "item": None}
    facts |= {"done": progress.done, "total": progress.total}
    return _json(facts if item is None else {**facts, **_item_facts(session, item)})


def _repeats(session: Session) -> int:
    return sum(item.repeat_of is not None for item in session.items)


def _item_facts(session: Session, item: Item) -> dict[str, Any]:
    hidden = session.blind and session.closed is None
    place = item.place
    facts: dict[str, Any] = {
        "item": item.number,
        "z": item.z,
        "mask": session.mask_name(item.mask),
        "mask_path": None if hidden else session.masks[item.mask].path,
        "page": session.page(item),
        "images": session.volume.path,
        "place": None,
    }
    if place is not None:
        facts["place"] = {"y": place.y, "x": place.x, "box": place.box, "kind": place.kind}
    return facts


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)

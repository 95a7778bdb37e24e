"""What a session may be, what may be scored in it, and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_xseg.errors import XsegError
from napari_xseg.review.scoring.plan import make_items
from napari_xseg.review.scoring.subject import shared_slices

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from napari_xseg.review.scoring.plan import Plan
    from napari_xseg.review.scoring.values import (
        Item,
        MaskRef,
        Place,
        Score,
        Session,
        VolumeRef,
    )


def next_item(session: Session, kept: Container[int], after: int = 0) -> Item | None:
    """Give the first item of `session` that is not in `kept` behind `after`, round the end."""
    order = [*session.items[after:], *session.items[:after]]
    return next((item for item in order if item.number not in kept), None)


def check_session(
    volume: VolumeRef, masks: Sequence[MaskRef], plan: Plan, places: Sequence[Place] = ()
) -> None:
    """Raise XsegError where a session of these would have no sense: no file is needed for it."""
    _check_masks(masks, blind=plan.blind)
    _check_places(volume, places)
    make_items(plan, shared_slices(masks), len(masks), places)


def check_open(session: Session) -> None:
    """Raise XsegError where a session has ended."""
    if session.closed is not None:
        raise XsegError(
            f"session {session.uid[:8]}: was ended on {session.closed[:10]}, its scores stand; "
            "begin another session."
        )


def check_faults_known(session: Session, score: Score) -> None:
    """Raise XsegError where a score names a fault that the session does not know."""
    known = [kind.name for kind in session.faults]
    for fault in score.faults:
        if fault not in known:
            raise XsegError(
                f"fault {fault!r}: is none of the session's kinds ({', '.join(known)}); choose one "
                "of them, or add it to the session."
            )


def _check_places(volume: VolumeRef, places: Sequence[Place]) -> None:
    for place in places:
        top, bottom, left, right = place.box or (place.y, place.y, place.x, place.x)
        if not volume.holds(place.z, (top, bottom), (left, right)):
            raise XsegError(
                f"suspects: the place z = {place.z}, y = {place.y:g}, x = {place.x:g} lies outside "
                f"of {volume.name}, {volume.size} (z, y, x); give the list of this volume."
            )


def _check_masks(masks: Sequence[MaskRef], *, blind: bool) -> None:
    if not masks:
        raise XsegError("session: there is no mask to score; choose one or more.")
    hashes = [mask.sha256 for mask in masks]
    for mask in masks:
        if hashes.count(mask.sha256) > 1:
            raise XsegError(
                f"{mask.name}: is given twice, or equals another of the masks; choose masks that "
                "differ."
            )
    if blind and len(masks) < 2:
        raise XsegError(
            f"{masks[0].name}: is the only mask, but a blind session compares two or more; choose "
            "another mask too, or score openly."
        )

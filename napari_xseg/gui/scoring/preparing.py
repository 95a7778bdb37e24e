"""What a session of scores needs before its first item: read in the background."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.errors import XsegError
from napari_xseg.gui.planes import LazyPlanes
from napari_xseg.review.scoring.store import ScoreFile
from napari_xseg.review.scoring.subject import (
    check_same_mask,
    mask_ref,
    open_mask,
    stamp_of,
    volume_ref,
)
from napari_xseg.review.scoring.values import Place
from napari_xseg.review.suspects.kept import read_suspects, staleness, suspects_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.labels import LabelVolume
    from napari_xseg.data.volume import Volume
    from napari_xseg.events import Control
    from napari_xseg.gui.scoring.offered import Offered
    from napari_xseg.review.scoring.faults import FaultKind
    from napari_xseg.review.scoring.plan import Plan
    from napari_xseg.review.scoring.subject import Stamp
    from napari_xseg.review.scoring.values import Item, Kept, MaskRef, Score, Session, VolumeRef

# Planes of a mask that stay in memory: back and forth costs no reading.
_KEPT = 8


class Stopped(XsegError):
    """The user thought better of it."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """A session as it was asked for; later changes of the form do not touch it."""

    folder: Path
    reviewer: str
    volume: Volume
    masks: tuple[Offered, ...]
    plan: Plan
    faults: tuple[FaultKind, ...]


@dataclass(eq=False)
class Opened:
    """A session that can be scored: its file, what is kept already, and its masks to look at.

    Attributes
    ----------
    planes : tuple of MaskPlanes
        By mask of the session.
    warning : str
        What to beware of; may be empty.
    """

    file: ScoreFile
    session: Session
    kept: dict[int, Kept]
    planes: tuple[MaskPlanes, ...]
    warning: str = ""

    def keep(self, item: Item, score: Score) -> dict[int, Kept]:
        """Keep a score, unless the mask is not what it was; call it in the background.

        Returns
        -------
        dict
            What is kept of the session, by item; what another window scored, too.

        Raises
        ------
        XsegError
            Not kept.
        """
        uid = self.session.uid
        try:
            self.planes[item.mask].check(self.session.masks[item.mask], self.session.volume)
        except XsegError as error:
            raise self.without_name(error, item.mask) from error
        kept = self.file.keep(uid, item.number, score)
        try:
            return self.file.kept(uid)
        except XsegError:  # it is on the disk all the same
            return {**self.kept, item.number: kept}

    def without_name(self, error: XsegError, mask: int) -> XsegError:
        """The same said without a file's name where the session is blind."""
        if not self.session.blind:
            return error
        return XsegError(
            f"mask {self.session.mask_name(mask)}: its file is gone, cannot be read, or has "
            "changed since the session began; put it back as it was, or begin another session."
        )


class MaskPlanes(LazyPlanes):
    """A mask as a layer shows it, each page at its z; blank where it has none.

    Parameters
    ----------
    mask : LabelVolume
    slices : tuple of int
        z of each page.
    volume : VolumeRef
        What it is a mask of.
    path : Path
        Its file, watched for changes.
    stamp : Stamp, optional
        That of the file when it was known to be the session's.
    """

    def __init__(
        self,
        mask: LabelVolume,
        slices: tuple[int, ...],
        volume: VolumeRef,
        path: Path,
        stamp: Stamp | None,
    ) -> None:
        super().__init__(volume.shape, self._read, _KEPT)
        self.classes: ClassTable = mask.classes
        self.on_fault: Callable[[XsegError], None] | None = None
        self._mask = mask
        self._page = {z: page for page, z in enumerate(slices)}
        self._path = path
        self._stamp = stamp

    def check(self, ref: MaskRef, volume: VolumeRef) -> None:
        """Raise XsegError where the file has changed since; hashes it where it looks so."""
        stamp = stamp_of(self._path)
        if stamp is None or stamp != self._stamp:
            check_same_mask(ref, volume)
            self._stamp = stamp

    def _read(self, z: int) -> NDArray[np.uint8]:
        if z not in self._page:
            return np.zeros(self.shape[1:], np.uint8)
        try:
            return self.classes.to_layer(self._mask.read(self._page[z]))
        except XsegError as error:
            if self.on_fault is not None:
                self.on_fault(error)
            return np.zeros(self.shape[1:], np.uint8)


def begin(wanted: Wanted, control: Control) -> Opened:
    """Hash volume and masks and begin a session; call it in the background.

    Raises
    ------
    Stopped
        A stop was asked of `control`.
    XsegError
        A mask that does not fit; suspects that cannot be read; a file that cannot be
        written.
    """
    with _stopping():
        volume = volume_ref(wanted.volume)
        stamps = _stamps(mask.path for mask in wanted.masks)
        refs = [
            mask_ref(mask.path, volume, name=mask.name, control=control) for mask in wanted.masks
        ]
        suspects = wanted.plan.kind == "suspects"
        places, warning = _suspects(wanted.masks[0].path) if suspects else ((), "")
    file = ScoreFile.open(wanted.folder, wanted.reviewer)
    try:
        session = file.new_session(volume, refs, wanted.plan, faults=wanted.faults, places=places)
        return Opened(file, session, {}, _planes(session, stamps), warning)
    except BaseException:
        file.close()
        raise


def go_on(folder: Path, reviewer: str, uid: str, images: Volume, control: Control) -> Opened:
    """Take up a session again; call it in the background.

    Raises
    ------
    Stopped
        A stop was asked of `control`.
    XsegError
        It scores another volume; a mask has gone or changed; the file cannot be written.
    """
    file = ScoreFile.open(folder, reviewer)
    try:
        session = file.session(uid)
        with _stopping():
            _check_volume(session, images)
            stamps = _stamps(mask.path for mask in session.masks)
            for mask in session.masks:
                check_same_mask(mask, session.volume, control=control)
        return Opened(file, session, file.kept(uid), _planes(session, stamps))
    except BaseException:
        file.close()
        raise


def _check_volume(session: Session, images: Volume) -> None:
    here = volume_ref(images)
    if here.fingerprint != session.volume.fingerprint:
        raise XsegError(
            f"{images.name}: is not the image of this session, which scores masks of "
            f"{session.volume.name}; choose that image, or begin another session."
        )


def _stamps(masks: Iterable[str | Path]) -> dict[str, Stamp | None]:
    """Stamps by path, taken before the masks are read: what changes meanwhile is seen."""
    paths = [Path(mask).expanduser().absolute() for mask in masks]
    return {str(path): stamp_of(path) for path in paths}


def _planes(session: Session, stamps: Mapping[str, Stamp | None]) -> tuple[MaskPlanes, ...]:
    made = []
    for mask in session.masks:
        volume, slices = open_mask(mask.path, session.volume)
        stamp = stamps[mask.path]
        made.append(MaskPlanes(volume, slices, session.volume, Path(mask.path), stamp))
    return tuple(made)


def _suspects(mask: Path) -> tuple[tuple[Place, ...], str]:
    path = suspects_path(mask)
    if not path.exists():
        raise XsegError(
            f"{mask}: nobody has looked for suspects in this mask yet; press Find suspects on the "
            "page Suspects, or choose other items."
        )
    kept = read_suspects(path)
    places = tuple(
        Place(one.z, one.y, one.x, (*one.y_range, *one.x_range), one.kind, one.strength)
        for one in kept.suspects
    )
    return places, staleness(kept.origin, mask) or ""


@contextmanager
def _stopping() -> Iterator[None]:
    try:
        yield
    except InterruptedError as stop:
        raise Stopped("Nothing was begun.") from stop

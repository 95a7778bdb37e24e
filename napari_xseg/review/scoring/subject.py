"""What is scored: a volume and its masks, known again by their hashes."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.labels import label_volume
from napari_xseg.data.volume import open_label_volume
from napari_xseg.errors import XsegError
from napari_xseg.prediction.sidecar import read_sidecar, sidecar_path
from napari_xseg.review.scoring.values import MaskRef, VolumeRef

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_xseg.data.labels import LabelVolume
    from napari_xseg.data.volume import Volume
    from napari_xseg.events import Control
    from napari_xseg.review.scoring.values import Item, Session


class Stamp(NamedTuple):
    """What is another one after any change of a file or folder; `newest` is in ns since 1970."""

    files: int
    bytes: int
    times: int
    newest: int


# So many slices tell one volume from another without reading all of it.
_LOOKED_AT = 8


def volume_ref(volume: Volume) -> VolumeRef:
    """Say which volume it is; reads eight of its slices.

    XsegError where they cannot be read.
    """
    digest = hashlib.sha256(f"{volume.dtype.name} {volume.shape}\n".encode())
    for z in np.unique(np.linspace(0, len(volume) - 1, _LOOKED_AT).round().astype(int)):
        digest.update(np.ascontiguousarray(volume.read(int(z))).data)
    return VolumeRef(volume.uri, volume.name, volume.shape, digest.hexdigest())


def open_mask(
    path: str | Path, volume: VolumeRef, classes: ClassTable | None = None
) -> tuple[LabelVolume, tuple[int, ...]]:
    """Open a mask as class indices, with the z of the volume that each page shows.

    Parameters
    ----------
    path : str or Path
        In any format; what the file beside it says is heeded.
    volume : VolumeRef
        What it is a mask of.
    classes : ClassTable, optional
        What its values mean, where no file beside it says so.

    Raises
    ------
    XsegError
        It cannot be read, or does not fit the volume.
    """
    mask = open_label_volume(path)
    facts = read_sidecar(path) or {}
    slices = _slices(facts, mask, volume)
    _check_size(mask, slices, volume)
    table = _table(facts, path) if classes is None else classes
    if table is None:
        # All slices: a class may stand in one of them alone.
        return label_volume(mask, unlabelled="none", slices=range(len(mask))), slices
    return label_volume(mask, classes=table, masks=True), slices


def mask_ref(
    path: str | Path,
    volume: VolumeRef,
    *,
    name: str | None = None,
    classes: ClassTable | None = None,
    control: Control | None = None,
) -> MaskRef:
    """Say which mask it is; reads all of it, a slice at a time.

    Parameters as for `open_mask`; `name` is what reviewers call it, by default that
    of the file. A stop asked of `control` raises InterruptedError.

    Raises
    ------
    XsegError
        As `open_mask` does.
    """
    mask, slices = open_mask(path, volume, classes)
    facts = read_sidecar(path) or {}
    return MaskRef(
        str(Path(path).expanduser().absolute()),
        name or mask.name,
        hash_mask(mask, slices, control),
        slices,
        str(facts.get("model") or ""),
        _confidence(facts, Path(path)),
        "" if classes is None else json.dumps(classes.to_dict()),
    )


def hash_mask(mask: Any, slices: Sequence[int], control: Control | None = None) -> str:
    """Give the SHA-256 of a mask: its size, the z of its pages, and each index map.

    Parameters
    ----------
    mask
        With `shape` (z, y, x) and `read(page)`, uint8 (y, x), as `LabelVolume` has them.
    slices : sequence of int
        z of each page.
    control : Control, optional
        Looked at between two pages; a stop raises InterruptedError.
    """
    rows, columns = mask.shape[1:]
    digest = hashlib.sha256(f"{rows} {columns} {','.join(map(str, slices))}\n".encode())
    for page in range(len(slices)):
        if control is not None and control.stopped:
            raise InterruptedError
        plane: NDArray[np.uint8] = mask.read(page)
        digest.update(np.ascontiguousarray(plane, np.uint8).data)
    return digest.hexdigest()


def check_same_mask(ref: MaskRef, volume: VolumeRef, *, control: Control | None = None) -> None:
    """Raise XsegError where the mask of a session is gone, or has changed since it began."""
    classes = ClassTable.from_dict(json.loads(ref.classes), ref.path) if ref.classes else None
    found = mask_ref(ref.path, volume, classes=classes, control=control)
    if found.sha256 != ref.sha256:
        raise XsegError(
            f"{ref.path}: has changed since the session began (SHA-256 {found.sha256[:12]}, "
            f"expected {ref.sha256[:12]}); put the mask back, or begin another session."
        )


def check_item_mask(session: Session, item: Item) -> None:
    """The same for the mask of an item, which is read only where a file of it is younger.

    In a blind session no file is named.
    """
    ref = session.masks[item.mask]
    begun = datetime.fromisoformat(session.created).timestamp()
    try:
        stamp = stamp_of(Path(ref.path))
        if stamp is None:
            raise XsegError(
                f"{ref.path}: is not there any more; put the mask back, or begin another session."
            )
        if stamp.newest >= 1e9 * begun:
            check_same_mask(ref, session.volume)
    except XsegError:
        if not session.blind:
            raise
        raise XsegError(
            f"mask {session.mask_name(item.mask)}: is gone or has changed since the session "
            "began; put it back, or begin another session."
        ) from None


def stamp_of(mask: Path) -> Stamp | None:
    """The stamp of a mask and the file beside it; None where it is gone.

    No file is opened: it costs a few microseconds for each chunk of a Zarr mask.
    """
    try:
        found = [mask.stat()]
        if mask.is_dir():
            found += _stats_within(mask)
    except OSError:
        return None
    with suppress(OSError):  # a mask from elsewhere has none
        found.append(sidecar_path(mask).stat())
    return Stamp(
        len(found),
        sum(one.st_size for one in found),
        sum(one.st_mtime_ns for one in found),
        # A file that is put in place of another keeps its own older date of change.
        max(max(one.st_mtime_ns, one.st_ctime_ns) for one in found),
    )


def _stats_within(folder: str | Path) -> list[os.stat_result]:
    found: list[os.stat_result] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            found.append(entry.stat())
            if entry.is_dir():
                found += _stats_within(entry.path)
    return found


def shared_slices(masks: Sequence[MaskRef]) -> tuple[int, ...]:
    """The z that all masks hold, rising."""
    held = [set(mask.slices) for mask in masks]
    return tuple(sorted(set.intersection(*held))) if held else ()


def _slices(facts: dict[str, Any], mask: Volume, volume: VolumeRef) -> tuple[int, ...]:
    told = facts.get("slices")
    if isinstance(told, list) and all(type(z) is int for z in told):
        # Of a mask that was stopped the pages not reached hold nothing.
        return tuple(told)
    if len(mask) != volume.shape[0]:
        raise XsegError(
            f"{mask.path}: holds {len(mask)} slices and no file beside it says of which, expected "
            f"{volume.shape[0]} as {volume.name} has; choose the mask of this volume."
        )
    return tuple(range(len(mask)))


def _check_size(mask: Volume, slices: Sequence[int], volume: VolumeRef) -> None:
    if mask.shape[1:] != volume.shape[1:]:
        raise XsegError(
            f"{mask.path}: its slices have {_size(mask.shape[1:])} pixels, those of {volume.name} "
            f"{_size(volume.shape[1:])}; choose the mask of this volume."
        )
    outside = [z for z in slices if not 0 <= z < volume.shape[0]]
    if outside or len(slices) > len(mask) or not slices or len(set(slices)) < len(slices):
        what = f"slice {outside[0]}" if outside else f"{len(slices)} slices in {len(mask)} pages"
        raise XsegError(
            f"{mask.path}: {sidecar_path(mask.path).name} names {what}, which does not fit "
            f"{volume.name} with its {volume.shape[0]} slices; choose the mask of this volume."
        )


def _table(facts: dict[str, Any], path: str | Path) -> ClassTable | None:
    if not isinstance(facts.get("classes"), dict):
        return None
    return ClassTable.from_dict(facts["classes"], str(sidecar_path(path)))


def _confidence(facts: dict[str, Any], mask: Path) -> str:
    told = facts.get("confidence")
    if not isinstance(told, str):
        return ""
    beside = mask.expanduser().absolute().with_name(Path(told).name)
    return str(beside if beside.exists() else Path(told))


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))

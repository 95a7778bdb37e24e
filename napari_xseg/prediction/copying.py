"""Masks saved once more, elsewhere or as another kind of file."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.formats.atomic import remove
from napari_xseg.data.jsontext import json_text
from napari_xseg.data.volume import open_label_volume
from napari_xseg.data.writing import atomic_path, create_writer
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Finished, Progress
from napari_xseg.prediction.sidecar import read_sidecar, sidecar_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_xseg.data.colours import Colour
    from napari_xseg.data.volume import Volume


class _Stopped(Exception):
    """Leaves the writer without a file."""


def copy_mask(
    source: Path, target: Path, *, overwrite: bool = False, control: Control | None = None
) -> Iterator[Event]:
    """Save a mask in another place, as a TIFF or an OME-Zarr, one slice at a time.

    Values, colours, voxel size and the sidecar are kept. Both appear whole at the
    end or not at all; an older mask's sidecar never stays beside a new mask.

    Parameters
    ----------
    source : Path
        A TIFF, a Zarr, or whatever `open_label_volume` takes.
    target : Path
        Ending in .tif, .tiff or .zarr.
    overwrite : bool
        Whether an older file may be replaced; never the source.
    control : Control, optional
        A stop leaves nothing.

    Yields
    ------
    Event
        Progress after each slice, and Finished with `target`.

    Raises
    ------
    XsegError
        A mask that cannot be read, a name taken or that cannot be written, a full disk.
    """
    control = control or Control()
    mask = open_label_volume(source)
    start = time.perf_counter()
    try:
        with ExitStack() as outputs:
            for done in _copied(mask, source, target, overwrite, outputs):
                yield Progress("save", done, len(mask), time.perf_counter() - start)
                control.wait_if_paused()
                if control.stopped and done < len(mask):
                    raise _Stopped
    except _Stopped:
        yield Finished(target, "stopped", time.perf_counter() - start)
        return
    finally:
        mask.close()
    yield Finished(target, "done", time.perf_counter() - start)


def _copied(
    mask: Volume, source: Path, target: Path, overwrite: bool, outputs: ExitStack
) -> Iterator[int]:
    """Write slice after slice; both files take their places when `outputs` closes."""
    writer = create_writer(
        target,
        (mask.shape[0], mask.shape[1], mask.shape[2]),
        mask.dtype,
        voxel_size=mask.voxel_size,
        colours=_colours(mask, source),
        overwrite=overwrite,
        inputs=mask.files,
    )
    told = read_sidecar(source)
    if told is not None:
        beside = outputs.enter_context(atomic_path(sidecar_path(target)))
        beside.write_bytes((json_text(told, indent=1) + "\n").encode())
    else:
        outputs.push(lambda kind, _error, _trace: _forget(target) if kind is None else None)
    outputs.enter_context(writer)
    for z in range(len(mask)):
        writer.write(z, mask.read(z))
        yield z + 1


def _forget(target: Path) -> None:
    remove(sidecar_path(target))


def _colours(mask: Volume, source: Path) -> dict[int, Colour] | None:
    """Those of the sidecar's classes, else of the file."""
    try:
        classes = ClassTable.from_dict((read_sidecar(source) or {}).get("classes") or {}, "")
    except XsegError:
        return mask.palette
    return dict(zip(classes.values, classes.colours, strict=True))

"""Look for suspects slice by slice, and keep what was found."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.data.slices import format_slices
from napari_xseg.data.volume import hash_source
from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Finished, Message, Progress, Started
from napari_xseg.review.suspects.finders import (
    Alone,
    Confidence,
    Drift,
    Finder,
    Flips,
    Models,
    SmallPieces,
)
from napari_xseg.review.suspects.job import SHEET, SuspectsJob
from napari_xseg.review.suspects.kept import Kept, Origin, with_other_slices, write_suspects
from napari_xseg.review.suspects.looking import Halted, Looker, open_looker
from napari_xseg.review.suspects.ranking import Strongest, expected_wrong
from napari_xseg.review.suspects.sizes import learn_sizes
from napari_xseg.review.suspects.table import KINDS, ROW, Suspects
from napari_xseg.review.suspects.thumbnails import write_sheet

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

    from napari_xseg.review.suspects.finders import Seen

# Slices whose pieces say how large those of a class are.
SAMPLED = 16


def find_suspects(
    job: SuspectsJob, control: Control | None = None
) -> Generator[Event, None, Suspects]:
    """Look at `job.slices` one after the other and write what is suspicious.

    Memory does not grow with their number: three slices and the `job.keep`
    suspects with most to mend are held. Stopped early, nothing is written.

    Yields
    ------
    Event
        Message, Started, Progress after each slice, Finished with the first file
        written and the number of suspects, of all and of each kind.

    Returns
    -------
    Suspects
        Ranked; empty after a stop.

    Raises
    ------
    XsegError
        As `SuspectsJob.check` says; damaged images, or images without a finite pixel; a
        full disk. Older files stay then.
    """
    control = control or Control()
    start = time.perf_counter()
    job.check()
    if job.threads and (job.model or job.second_model):
        import torch

        torch.set_num_threads(job.threads)
    looker, messages = open_looker(job)
    yield from messages
    yield Started("suspects", len(job.slices), looker.device, looker.precision)
    strongest = Strongest(job.keep)
    try:
        finders = _finders(job, looker, control)
        for done, (below, seen, above) in enumerate(_triples(job, looker, control), 1):
            found = [finder.find(seen, below, above) for finder in finders]
            strongest.add(np.concatenate(found))
            yield Progress("suspects", done, len(job.slices), time.perf_counter() - start)
    except Halted:
        seconds = time.perf_counter() - start
        yield Finished(job.targets.paths[0], "stopped", seconds)
        return Suspects(job.classes, np.empty(0, ROW))
    yield from _blank(job, looker.blank)
    suspects = Suspects(job.classes, strongest.ranked())
    if strongest.dropped:
        yield Message(f"{strongest.dropped} suspects with less to mend were left out.")
    yield from _write(job, suspects, looker, _left_out(strongest))
    seconds = time.perf_counter() - start
    yield Finished(job.targets.paths[0], "done", seconds, _figures(suspects))
    return suspects


def _blank(job: SuspectsJob, blank: list[int]) -> Iterator[Message]:
    """Say which slices show nothing; an empty list of suspects would praise them."""
    count, name = len(blank), job.images.name
    if count == len(job.slices):
        raise XsegError(
            f"{name}: none of the {count} slices has a finite pixel, so there is nothing to look "
            "at; check the files."
        )
    if count:
        yield Message(
            f"{name}: {count} of {len(job.slices)} slices {'have' if count > 1 else 'has'} no "
            f"finite pixel, and nothing was looked at there: {format_slices(blank)}.",
            "warning",
        )


def _finders(job: SuspectsJob, looker: Looker, control: Control) -> list[Finder]:
    wanted = job.wanted
    plain: tuple[tuple[str, type[Finder]], ...] = (
        *(("confidence", Confidence), ("flips", Flips), ("models", Models)),
        *(("neighbours", Alone), ("drift", Drift)),
    )
    finders = [finder() for kind, finder in plain if kind in wanted]
    small = [kind for kind in wanted if kind in ("fragment", "hole")]
    if small:
        step = max(1, len(job.slices) // SAMPLED)
        sample = (_masked(looker, z, control) for z in job.slices[::step])
        limits = learn_sizes(sample, len(job.classes))
        for index, pixels in job.limits.items():
            limits[index] = pixels
        finders.append(SmallPieces(small, limits))
    return finders


def _triples(
    job: SuspectsJob, looker: Looker, control: Control
) -> Iterator[tuple[Seen | None, Seen, Seen | None]]:
    """Each slice with those beside it, where the images say that they are neighbours."""
    below: Seen | None = None
    now: Seen | None = None
    for z in job.slices:
        following = _seen(looker, z, control)
        if now is not None:
            beside = z == now.z + 1 and job.images.neighbour(now.z, 1) == z
            yield below, now, following if beside else None
            below = now if beside else None
        now = following
    if now is not None:
        yield below, now, None


def _seen(looker: Looker, z: int, control: Control) -> Seen:
    _halt_if_stopped(control)
    return looker.see(z, control)


def _masked(looker: Looker, z: int, control: Control) -> NDArray[np.uint8]:
    _halt_if_stopped(control)
    return looker.mask(z, control)


def _halt_if_stopped(control: Control) -> None:
    control.wait_if_paused()
    if control.stopped:
        raise Halted


def _write(
    job: SuspectsJob, suspects: Suspects, looker: Looker, left_out: dict[str, int]
) -> Iterator[Message]:
    """The page and the CSV first: the list beside the mask says that all is there."""
    targets = job.targets
    shown = suspects if targets.top is None else suspects.top(targets.top)
    if targets.sheet is not None:
        page = shown.top(SHEET if targets.top is None else targets.top)
        write_sheet(targets.sheet, page, lambda z: (job.images.read(z), looker.mask(z)))
    if targets.csv is not None:
        shown.write_csv(targets.csv)
    if targets.kept is not None:
        kept = Kept(suspects, _origin(job, left_out))
        if targets.kept.exists():
            kept, said = with_other_slices(kept, targets.kept, job.keep)
            yield from (Message(text) for text in said)
        write_suspects(targets.kept, kept.suspects, kept.origin)


def _left_out(strongest: Strongest) -> dict[str, int]:
    """By kind, places that it named and that had less to mend than all that are kept."""
    counts = strongest.dropped_of.tolist()
    return {kind: count for kind, count in zip(KINDS, counts, strict=True) if count}


def _origin(job: SuspectsJob, left_out: dict[str, int]) -> Origin:
    second = "" if job.second_model is None else job.second_model.identity
    if job.second_mask is not None:
        second = hash_source(job.second_mask.labels.volume)
    return Origin(
        mask="" if job.mask is None else str(job.mask.path),
        mask_sha256="" if job.mask is None else hash_source(job.mask.labels.volume),
        model="" if job.model is None else job.model.identity,
        second=second,
        images=job.images.uri,
        kinds=job.wanted,
        slices=job.slices,
        settings={
            "flips": job.flips,
            "limits": {str(index): pixels for index, pixels in job.limits.items()},
            "keep": job.keep,
            "left_out": left_out,
            "match_intensity": job.match_intensity,
            "region": None if job.region is None else job.region.text,
            "command": job.command,
        },
    )


def _figures(suspects: Suspects) -> dict[str, float]:
    kinds = suspects.rows["kind"]
    counts = {kind: float((kinds == place).sum()) for place, kind in enumerate(KINDS)}
    return {
        "suspects": float(len(suspects)),
        "expected_wrong": float(expected_wrong(suspects.rows).sum()),
        **{kind: count for kind, count in counts.items() if count},
    }

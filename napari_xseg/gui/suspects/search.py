"""Suspects of a mask as they are looked for, kept and ticked; without widgets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_xseg.errors import XsegError
from napari_xseg.gui.layers import KEY, kind_of
from napari_xseg.gui.predict.kept_masks import CONFIDENCE
from napari_xseg.gui.review.tick_keeper import TickKeeper
from napari_xseg.jobs import SuspectsRequest
from napari_xseg.model.metadata import read_model_info
from napari_xseg.review.mistakes import Mistakes
from napari_xseg.review.suspects.kept import read_suspects, staleness, suspects_path
from napari_xseg.review.ticks import Ticks

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_xseg.data.project import Project
    from napari_xseg.gui.images import Images
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Call, Job
    from napari_xseg.review.suspects.kept import Kept
    from napari_xseg.review.suspects.table import Kind, Suspects

COMMAND = "napari-xseg, Review dock"
# Suspects kept without another wish.
KEEP = 500


@dataclass(frozen=True)
class SearchOptions:
    """What is looked for, and with whose help.

    Attributes
    ----------
    kinds : tuple of str, optional
        None for all that can be found.
    ask_model : bool
        Whether the model says how sure it is, which takes a pass over the slices.
    second : Path, optional
        A second model, or another mask.
    keep : int
        Suspects kept at most.
    match_intensity : bool
        Map the grey values onto those that the model knows.
    """

    kinds: tuple[Kind, ...] | None = None
    ask_model: bool = True
    second: Path | None = None
    keep: int = KEEP
    match_intensity: bool = False


class SuspectSearch:
    """The suspects of one mask at a time: those kept beside it, or those that are found.

    Attributes
    ----------
    mask : Labels or None
        A layer with a file behind it.
    suspects : Suspects or None
        None where nobody has looked yet.
    ticked : bool array
        One for each.
    left_out : mapping of str to int
        By kind, places with less to mend that are not in the list.
    note : str
        What is to be known of the list, such as that it is stale.
    job : Job or None
        The search under way.
    options : SearchOptions
        Of the last search.
    """

    chosen = Signal()  # another mask
    changed = Signal()  # other suspects, ticks or words
    job_changed = Signal()
    found = Signal()  # a search has come to its end

    def __init__(self, session: Session) -> None:
        self._session = session
        self.mask: Labels | None = None
        self.suspects: Suspects | None = None
        self.ticked: NDArray[np.bool_] = np.zeros(0, bool)
        self.left_out: dict[str, int] = {}
        self.note = ""
        self.job: Job | None = None
        self.options = SearchOptions()
        self._keeper = TickKeeper(session)
        self._calls: list[Call[Any]] = []

    @property
    def path(self) -> Path | None:
        """The file of the mask."""
        return None if self.mask is None else mask_path(self.mask)

    def close(self) -> None:
        """Want no answer any more; a search that runs goes on."""
        self._drop()
        self.mask = self.suspects = None

    def choose(self, mask: Labels | None) -> None:
        """Show the suspects kept beside another mask."""
        self._drop()
        self.mask, self.suspects, self.left_out, self.note = mask, None, {}, ""
        self.ticked = np.zeros(0, bool)
        self.chosen.emit()
        self.changed.emit()
        path = self.path
        if path is not None:
            self._call(lambda: _read_kept(path, self._ticks_of(path)), self._on_kept)

    def tick(self, place: int, ticked: bool) -> None:
        """Remember that the suspect at a place of the list was seen, or was not."""
        if self.suspects is None:
            return
        self.ticked[place] = ticked
        self._keeper.tick(_as_mistakes(self.suspects, place), ticked)

    # -- searching ----------------------------------------------------------

    def find(self, options: SearchOptions) -> Job:
        """Look for suspects in the chosen mask.

        Raises
        ------
        XsegError
            No image, no mask, one without a finished file, or a search under way.
        """
        session, path, mask = self._session, self.path, self.mask
        images = session.require_images()
        if mask is None or path is None:
            raise XsegError(
                "There is no mask: predict the volume, or show one in the Predict dock."
            )
        if not path.exists():
            raise XsegError(f"{path}: is not finished yet; wait for the end of the prediction.")
        if self.job is not None:
            raise XsegError("A search is under way: wait for its end, or press Stop.")
        self.options = options
        plan = SearchPlan(
            images=images,
            mask=path,
            slices=slices_of(mask),
            model=session.model,
            identity=str(mask.metadata[KEY].get("model") or ""),
            project=session.project,
            options=options,
            folder=session.jobs.engine.folder,
        )
        job = self.job = session.jobs.run(f"Suspects of {mask.name}", plan.request)
        job.events.connect(session.warn_of)
        job.ended.connect(lambda: self._on_end(job, path))
        self.job_changed.emit()
        return job

    def _on_end(self, job: Job, path: Path) -> None:
        self.job = None
        self.job_changed.emit()
        if job.error is not None:
            self._session.show_error(job.error)
        elif job.finished is not None and job.finished.reason == "done" and path == self.path:
            read = self._call(lambda: _read_kept(path, self._ticks_of(path)), self._on_found)
            read.failed.connect(lambda _: self.found.emit())

    # -- inside -------------------------------------------------------------

    def _drop(self) -> None:
        for call in self._calls:
            call.cancel()
        self._calls.clear()

    def _call(self, work: Callable[[], Any], take: Callable[[Any], None]) -> Call[Any]:
        call = self._session.jobs.call(work)
        self._calls = [one for one in self._calls if not one.over]
        self._calls.append(call)
        call.returned.connect(take)
        call.failed.connect(self._on_failed)
        return call

    def _ticks_of(self, path: Path) -> Callable[[], Ticks]:
        names, folder = ("suspects", path.name), self._keeper.folder
        return lambda: Ticks(*names) if folder is None else Ticks.load(folder, *names)

    def _on_kept(self, read: tuple[Kept | None, Ticks]) -> None:
        kept, path = read[0], self.path
        self._take(read)
        if kept is not None and path is not None:
            origin = kept.origin
            self._call(lambda: staleness(origin, path), self._on_staleness)

    def _on_found(self, read: tuple[Kept | None, Ticks]) -> None:
        self._take(read)
        self.found.emit()

    def _take(self, read: tuple[Kept | None, Ticks]) -> None:
        kept, ticks = read
        self._keeper.ticks = ticks
        self.suspects, self.left_out, self.note = None, {}, ""
        if kept is not None:
            self.suspects = kept.suspects
            self.left_out = dict(kept.origin.settings.get("left_out", {}))
        if self.suspects is not None:
            self.ticked = ticks.of(_as_mistakes(self.suspects))
        self.changed.emit()

    def _on_staleness(self, words: str | None) -> None:
        self.note = words or ""
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self.note = str(error)
        self.changed.emit()


@dataclass(frozen=True, eq=False)
class SearchPlan:
    """A search as it was asked for; later changes of the session do not touch it."""

    images: Images
    mask: Path
    slices: tuple[int, ...]
    model: Path | None
    identity: str
    project: Project | None
    options: SearchOptions
    folder: Path

    def request(self) -> SuspectsRequest:
        """Copy slices that lie in memory and give the request; call it in a background thread."""
        options = self.options
        model = self._model() if options.ask_model else None
        context = max((read_model_info(one).context for one in self._models(model)), default=0)
        sure = self.mask.with_name(f"{self.mask.stem}{CONFIDENCE}{self.mask.suffix}")
        return SuspectsRequest(
            images=self.images.for_job(self.slices, max(context, 1), self.folder),
            model=model,
            mask=self.mask,
            confidence=sure if model is None and sure.exists() else None,
            second=options.second,
            kinds=options.kinds,
            keep=options.keep,
            match_intensity=options.match_intensity,
            overwrite=True,
            command=COMMAND,
        )

    def _model(self) -> Path | None:
        """The run that made the mask, where it is known; else the chosen model."""
        runs = [] if self.project is None else [run for run in self.project.runs() if run.usable]
        for run in runs:
            if self.identity and read_model_info(run.path).identity == self.identity:
                return run.path
        return self.model

    def _models(self, model: Path | None) -> list[Path]:
        second = self.options.second
        is_model = second is not None and (second / "model.safetensors").is_file()
        return [one for one in (model, second if is_model else None) if one is not None]


def mask_path(layer: Labels) -> Path | None:
    """The file behind a mask of ours; None where there is none."""
    found = layer.metadata.get(KEY, {}).get("path") if kind_of(layer) == "mask" else None
    return None if found is None else Path(found)


def masks_of(session: Session) -> list[Labels]:
    """The masks on disk of the session's image that are shown as layers, top first."""
    images = session.images
    return [
        layer
        for layer in session.layers.labels()
        if images is not None
        and mask_path(layer) is not None
        and (1, *layer.data.shape)[-3:] == images.shape
    ]


def slices_of(mask: Labels) -> tuple[int, ...]:
    """Each z that a mask has."""
    known = getattr(mask.data, "known", None)
    return tuple(range(len(mask.data))) if known is None else tuple(sorted(known))


def _read_kept(path: Path, load_ticks: Callable[[], Ticks]) -> tuple[Kept | None, Ticks]:
    kept = suspects_path(path)
    return (read_suspects(kept) if kept.exists() else None), load_ticks()


def _as_mistakes(suspects: Suspects, place: int | None = None) -> Mistakes:
    """Suspects as ticks know places: by slice, box and the class that was found."""
    rows = suspects.rows if place is None else suspects.rows[place : place + 1]
    names = ("z", "y0", "y1", "x0", "x1")
    made = np.zeros(len(rows), [*((name, np.int32) for name in names), *_CLASSES])
    for name in names:
        made[name] = rows[name]
    made["predicted"] = np.where(rows["found"] < len(suspects.classes), rows["found"], 0)
    return Mistakes(suspects.classes, made)


_CLASSES = (("true", np.uint8), ("predicted", np.uint8))

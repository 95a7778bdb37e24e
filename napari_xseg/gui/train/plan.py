"""What the user wants trained, settled before it starts: images, labels, split and settings."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.formats.atomic import writing_to
from napari_xseg.data.split import make_split
from napari_xseg.data.writing import write_atomic
from napari_xseg.errors import XsegError
from napari_xseg.jobs import SplitWish, TrainRequest, share_planes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_xseg.config import TrainConfig
    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.label_store import LabelStore
    from napari_xseg.data.partition import Split
    from napari_xseg.gui.images import Images
    from napari_xseg.gui.session import Session

REQUEST = "request.json"


@dataclass(frozen=True, eq=False)
class TrainPlan:
    """One training as it was asked for; later changes of the session do not touch it.

    Attributes
    ----------
    images : Images
    store : LabelStore
        Its labels are copied when `request` is called.
    classes : ClassTable
    wish : SplitWish
        How to split.
    config : TrainConfig
        The recipe, its noise and context as chosen.
    run : Path
        The run folder.
    pending : Path
        Gets what going on with the run needs: the request, labels, images in memory.
    parent : Path, optional
        The run whose model this one goes on from, with the labels of today.
    more : dict
        Further fields of TrainRequest: steps, time_limit, device, region, ...
    """

    images: Images
    store: LabelStore
    classes: ClassTable
    wish: SplitWish
    config: TrainConfig
    run: Path
    pending: Path
    parent: Path | None
    more: dict[str, Any]

    def request(self) -> TrainRequest:
        """Copy the labels of today and give the request; call it in a background thread.

        Raises
        ------
        XsegError
            Labels that cannot train or be split; a full disk.
        """
        split = choose_split(self.images, self.store, self.classes, self.wish)
        used = sorted({*split.train, *split.val})
        with writing_to(self.pending):  # in a folder that is there: one that has gone stays so
            self.pending.mkdir(exist_ok=True)
        labels = share_planes(
            self.pending / "labels.raw",
            FilePlanes(self.store, self.classes, used),
            len(self.store),
            name="labels",
        )
        images = self.images.for_job(used, self._context(), self.pending)
        request = TrainRequest(
            images=images,
            labels=labels,
            out=self.run,
            config=self.config,
            classes=self.classes.to_dict(),
            # What is painted may be unlabelled where the files it began with never were.
            unlabelled=self.classes.unlabelled,
            label_of={z: z for z in used},
            split=split.to_dict(),
            parent=self.parent,
            command="napari-xseg, Train dock",
            **self.more,
        )
        write_atomic(self.pending / REQUEST, request.model_dump_json(indent=1))
        return request

    def _context(self) -> int:
        if self.parent is None:
            return self.config.model.context
        from napari_xseg.model.metadata import read_model_info

        return read_model_info(self.parent).context


@dataclass(frozen=True, eq=False)
class ResumePlan:
    """Going on with a run that was stopped or ended by force, exactly as it was begun."""

    run: Path
    pending: Path

    def request(self) -> TrainRequest:
        """Read what the run was begun with; XsegError where that is gone."""
        try:
            values = json.loads((self.pending / REQUEST).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise XsegError(
                f"{self.run}: what it was begun with cannot be read ({error}); press Continue to "
                "go on from its model with the labels of today."
            ) from error
        begun = (self.run / "config.toml").exists()
        request = TrainRequest.from_dict(values, str(self.pending / REQUEST))
        # A run that has begun remembers its parent itself.
        parent = None if begun else request.parent
        return request.replace(out=self.run, resume=begun, parent=parent, overwrite=False)


def plan_training(
    session: Session,
    config: TrainConfig,
    *,
    wish: SplitWish | None = None,
    parent: Path | None = None,
    name: str = "",
    **more: Any,
) -> TrainPlan:
    """Settle a training on the session's image and labels as they are.

    Parameters
    ----------
    session : Session
    config : TrainConfig
        The recipe; its own length holds where neither `steps` nor `time_limit` is given.
    wish : SplitWish, optional
        How to split.
    parent : Path, optional
        The run to go on from.
    name : str
        Of the run; by default the recipe's.
    **more
        steps, time_limit, device, precision, region, seed, threads.

    Raises
    ------
    XsegError
        No image, no labels, fewer than two classes with labels.
    """
    images = session.require_images()
    if session.store is None:
        raise XsegError("There are no labels: press New labels and paint, or open label files.")
    check_labels(session.store, session.classes)
    project = session.require_project()
    run = project.new_run(name or config.name)
    return TrainPlan(
        images=images,
        store=session.store,
        classes=session.classes,
        wish=wish or SplitWish(),
        config=config,
        run=run,
        pending=project.pending_folder(run),
        parent=parent,
        more={"origins": session.origins.counts(session.store.labelled), **more},
    )


def resume_plan(session: Session, run: Path) -> ResumePlan:
    """Settle going on with a run of the session's project."""
    return ResumePlan(run, session.require_project().pending_folder(run))


def forget_pending(pending: Path) -> None:
    """Drop what going on with a run needs, once it is over."""
    shutil.rmtree(pending, ignore_errors=True)


def check_labels(store: LabelStore, classes: ClassTable) -> None:
    """XsegError unless pixels of two classes or more are labelled, and there; says what to do."""
    if not store.path.is_dir():
        raise XsegError(
            f"{store.path}: the project's labels are gone; bring this folder back to where it was. "
            "What was painted since is in memory."
        )
    totals = store.totals()[1 : len(classes) + 1]
    found = [name for name, count in zip(classes.names, totals, strict=True) if count]
    if not found:
        raise XsegError("Nothing is labelled yet: paint some pixels of each class.")
    if len(found) < 2:
        raise XsegError(f"Only {found[0]!r} is labelled: paint some pixels of another class too.")


def choose_split(images: Images, store: LabelStore, classes: ClassTable, wish: SplitWish) -> Split:
    """Split the labelled slices as `wish` says; XsegError where that cannot be.

    Slices of the label planes are read only where a band of rows validates.
    """

    def row_counts(slices: Sequence[int]) -> NDArray[np.int64]:
        total = np.zeros((store.shape[1], len(classes)), np.int64)
        for z in slices:
            plane = store.read(z)
            for index in range(len(classes)):
                total[:, index] += np.count_nonzero(plane == index + 1, axis=1)
        return total

    return make_split(
        store.labelled,
        ordered=images.volume.has_neighbours,
        row_counts=row_counts,
        **wish.choices(len(store)),
    )


class FilePlanes:
    """The painted planes of some z in the values that files hold, one by one."""

    def __init__(self, store: LabelStore, classes: ClassTable, slices: Sequence[int]) -> None:
        self._store, self._classes, self._slices = store, classes, slices

    def __iter__(self) -> Iterator[int]:
        return iter(self._slices)

    def __len__(self) -> int:
        return len(self._slices)

    def __getitem__(self, z: int) -> NDArray[Any]:
        index_map = self._classes.from_layer(self._store.read(z), f"labels, slice {z}")
        return self._classes.decode(index_map)

"""An experiment as it was asked for, and its data as files that outlive the window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_xseg.config import Settings
from napari_xseg.data.slices import format_slices
from napari_xseg.data.writing import create_writer, save_volume, write_atomic
from napari_xseg.errors import XsegError
from napari_xseg.experiments.glance import SUITE, Glance
from napari_xseg.experiments.material import Remembered, Source
from napari_xseg.experiments.plan import Budget, Plan, load_plans, with_changes
from napari_xseg.experiments.suite import Suite
from napari_xseg.gui.train.plan import FilePlanes, check_labels
from napari_xseg.jobs import FileSource

if TYPE_CHECKING:
    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.label_store import LabelStore
    from napari_xseg.gui.images import Images
    from napari_xseg.gui.session import Session

# Where a project keeps its experiments, and where one of them keeps its data.
EXPERIMENTS, DATA = "experiments", "data"
FEWEST = 2


class ExperimentChoices(Settings):
    """What the user chose.

    Attributes
    ----------
    plan : str
        Name of a plan of the package, "poster" for all, or a TOML file.
    budget : str
        "cpu", "gpu" or "full".
    repeats, seconds, steps : optional
        Instead of the plan's: repeats of each point, and the length of each training.
    device : str
        "auto", or a name such as "cuda:0".
    unlabelled : str
        A volume without labels; empty for none.
    """

    plan: str = "baseline"
    budget: Budget = "cpu"
    repeats: int | None = None
    seconds: float | None = None
    steps: int | None = None
    device: str = "auto"
    unlabelled: str = ""

    @property
    def name(self) -> str:
        """The plan's, for folders and titles."""
        return Path(self.plan).stem

    def plans(self) -> tuple[Plan, ...]:
        """The plans with what was changed of them; XsegError where one cannot be read."""
        changes = {"repeats": self.repeats, "seconds": self.seconds, "steps": self.steps}
        return tuple(with_changes(one, self.budget, **changes) for one in load_plans(self.plan))


@dataclass(frozen=True, eq=False)
class ExperimentPlan:
    """One experiment as it was asked for; later changes of the session do not touch it.

    Attributes
    ----------
    images : Images
    store : LabelStore
        Its labels are copied when `write` is called.
    classes : ClassTable
    choices : ExperimentChoices
    folder : Path
        For all of it.
    """

    images: Images
    store: LabelStore
    classes: ClassTable
    choices: ExperimentChoices
    folder: Path

    def glance(self) -> Glance:
        """What will be run, from the number of labelled slices alone.

        XsegError where they are too few, or the plan cannot be read.
        """
        labelled = check_count(self.store)
        plans, budget = self.choices.plans(), self.choices.budget
        return Glance.of(self.folder, plans, Remembered(labelled), budget)

    def write(self) -> Suite:
        """Write data and plans into the folder; call it in a background thread.

        Raises
        ------
        XsegError
            Labels that are too few; a folder that holds an experiment already, or cannot
            be written.
        """
        if (self.folder / SUITE).exists():
            raise XsegError(
                f"{self.folder}: holds an experiment already; go on with it in the list, or choose "
                "another folder."
            )
        unlabelled = self.choices.unlabelled or None
        suite = Suite.make(
            self.folder,
            self.choices.plans(),
            self._source(),
            self.choices.budget,
            unlabelled=unlabelled,
        )
        suite.write()
        return suite

    def _source(self) -> Source:
        data, labelled = self.folder / DATA, check_count(self.store)
        labels, classes = data / "labels.tif", data / "classes.toml"
        data.mkdir(parents=True, exist_ok=True)
        planes = FilePlanes(self.store, self.classes, labelled)
        shape = (len(labelled), *self.store.shape[1:])
        with create_writer(labels, shape, self.classes.file_dtype, overwrite=True) as writer:
            for page, z in enumerate(planes):
                writer.write(page, planes[z].astype(self.classes.file_dtype))
        write_atomic(classes, self.classes.to_toml())
        images, raw = self._images(data)
        return Source(
            images=images,
            labels=str(labels.absolute()),
            pairing=format_slices(labelled),
            classes=str(classes.absolute()),
            unlabelled=str(self.classes.unlabelled),
            raw=raw,
        )

    def _images(self, data: Path) -> tuple[str, str | None]:
        """Where the images are; those that lie in memory are written."""
        source = self.images.source
        if isinstance(source, FileSource):
            path = str(Path(source.path).expanduser().absolute())
            inner = "" if source.dataset is None else f":/{source.dataset.lstrip('/')}"
            return path + inner, source.raw
        path = str((data / "images.tif").absolute())
        save_volume(path, self.images.volume, overwrite=True)
        return path, None


def plan_experiment(
    session: Session, choices: ExperimentChoices, folder: Path | None = None
) -> ExperimentPlan:
    """Settle an experiment on the session's image and labels as they are.

    Raises
    ------
    XsegError
        No image, no labels, or too few of them.
    """
    images = session.require_images()
    if session.store is None:
        raise XsegError("There are no labels: paint in the Label dock, or open label files.")
    check_labels(session.store, session.classes)
    check_count(session.store)
    where = folder or experiments_folder(session) / choices.name
    return ExperimentPlan(images, session.store, session.classes, choices, where)


def experiments_folder(session: Session) -> Path:
    """Where the project keeps experiments; XsegError without an image."""
    folder = session.project_folder
    return (folder or session.require_project().folder) / EXPERIMENTS


def check_count(store: LabelStore) -> tuple[int, ...]:
    """Z of the labelled slices; XsegError where they are too few."""
    labelled = tuple(sorted(store.labelled))
    if len(labelled) < FEWEST:
        raise XsegError(
            f"{len(labelled)} labelled slices: an experiment wants two or more, one to learn from "
            "and one to score."
        )
    return labelled

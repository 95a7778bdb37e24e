"""A project: the folder that keeps labels, trainings, masks and reviews of one image."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.formats.atomic import remove, temporary_beside, writing_to
from napari_xseg.data.label_base import PairedLabels, open_base
from napari_xseg.data.label_store import LabelStore
from napari_xseg.data.locking import is_locked, lock_folder, unlock
from napari_xseg.data.project_file import (
    FOLDERS,
    LABELS,
    PROJECT_FILE,
    VERSION,
    check_name,
    default_folder,
    harmless_name,
    is_project,
    read_project,
    resolved,
    stored,
    without_none,
    write_project,
)
from napari_xseg.data.runs_list import RunInfo, list_runs, split_name, stamp_of
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from napari_xseg.data.label_base import LabelBase

__all__ = ["ImageMoved", "Project", "check_name", "default_folder", "is_project"]


class ImageMoved(XsegError):
    """The image of a project is not where it was; `path` is where it was looked for."""

    def __init__(self, folder: Path, path: Path) -> None:
        self.folder, self.path = folder, path
        super().__init__(
            f"{folder}: its image {path} is not there any more; choose where it is, or put it back."
        )


class Project:
    """An open project folder.

    Use `Project.create` or `Project.open`, and `close` at the end.

    Attributes
    ----------
    folder : Path
        Where it is.
    owned : bool
        False where the project is open elsewhere too: labels are read only here.
    """

    def __init__(self, folder: Path, content: dict[str, Any]) -> None:
        self.folder = folder
        self._content = content
        self._classes = ClassTable.from_dict(content["classes"], str(folder / PROJECT_FILE))
        self._given: set[Path] = set()
        with writing_to(folder):
            for name in FOLDERS:
                (folder / name).mkdir(exist_ok=True)
            self._lock = lock_folder(folder)
        self.owned = self._lock is not None

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        image: dict[str, Any],
        shape: tuple[int, int, int],
        classes: ClassTable,
        labels: dict[str, Any] | None = None,
    ) -> Project:
        """Make a project.

        Parameters
        ----------
        folder : Path
            Made where it is missing.
        image : dict
            How to open the image again: `path` and, where needed, `dataset` and
            `raw`; or `name` alone, of a layer that lies in memory.
        shape : (int, int, int)
            (z, y, x) of the image.
        classes : ClassTable
            Of the labels.
        labels : dict, optional
            Label files to begin with, as `PairedLabels.describe` gives them.

        Raises
        ------
        XsegError
            A project is there already, or the folder cannot be written.
        """
        folder = Path(folder).expanduser().absolute()
        if is_project(folder):
            raise XsegError(
                f"{folder}: holds a project already; open it, or choose another folder."
            )
        content: dict[str, Any] = {"version": VERSION, "shape": list(shape)}
        content["image"] = stored(image, folder)
        if labels is not None:
            content["labels"] = stored(labels, folder)
        content["classes"] = classes.to_dict()
        with writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_project(folder, content)
        return cls(folder, content)

    @classmethod
    def open(cls, folder: Path, *, image: Path | None = None) -> Project:
        """Open a project.

        Parameters
        ----------
        folder : Path
            The folder, or its project.toml.
        image : Path, optional
            Where the image is, if it has moved; the project keeps that.

        Raises
        ------
        ImageMoved
            The image is not there.
        XsegError
            No project, or a damaged one.
        """
        folder = Path(folder).expanduser().absolute()
        folder = folder.parent if folder.name == PROJECT_FILE else folder
        if not is_project(folder):
            raise XsegError(
                f"{folder}: is no project of napari-xseg ({PROJECT_FILE} is missing); choose the "
                "folder that ends in -xseg."
            )
        project = cls(folder, read_project(folder / PROJECT_FILE))
        try:
            if image is not None:
                given = {**project.image, "path": str(Path(image).absolute())}
                project._save(image=stored(given, folder))
            path = project.image_path
            if path is not None and not path.exists():
                raise ImageMoved(folder, path)
        except XsegError:
            project.close()
            raise
        return project

    def close(self) -> None:
        """Let others work in the project."""
        if self._lock is not None:
            unlock(self._lock)
            self._lock = None
            self.owned = False

    # -- what it was made from ----------------------------------------------

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x) of the image."""
        z, y, x = self._content["shape"]
        return z, y, x

    @property
    def image(self) -> dict[str, Any]:
        """How to open the image: `path`, `dataset`, `raw`; or `name` of a layer in memory."""
        return resolved(self._content["image"], self.folder)

    @property
    def image_path(self) -> Path | None:
        """File or folder of the image; None where it lay in memory."""
        path = self.image.get("path")
        return None if path is None else Path(path)

    @property
    def image_name(self) -> str:
        """What the image is called."""
        path = self.image_path
        return str(self.image.get("name") or (path.stem if path else "image"))

    @property
    def classes(self) -> ClassTable:
        """The classes of the labels."""
        return self._classes

    def set_classes(self, classes: ClassTable) -> None:
        """Keep another class table; the labels' own values are for `LabelStore.recode`."""
        self._save(classes=classes.to_dict())
        self._classes = classes

    @property
    def settings(self) -> dict[str, Any]:
        """What the user chose in the docks."""
        return dict(self._content.get("settings", {}))

    def save_settings(self, settings: dict[str, Any]) -> None:
        """Keep what the user chose; values that TOML can hold, None is left out.

        Where the project is open elsewhere, what is chosen there is kept.
        """
        if not self.owned:
            return
        self._save(settings=without_none(settings))

    # -- labels -------------------------------------------------------------

    @property
    def has_labels(self) -> bool:
        """Whether there is anything labelled, or label files to begin with."""
        return (self.folder / LABELS).exists() or "labels" in self._content

    def set_base(self, source: dict[str, Any]) -> None:
        """Show other label files where nothing was painted; see `PairedLabels.describe`."""
        self._save(labels=stored(source, self.folder))

    def base(self) -> PairedLabels | None:
        """Open the label files; XsegError where they cannot be read or have changed their size."""
        source = self._content.get("labels")
        return None if source is None else open_base(resolved(source, self.folder), self.shape)

    def labels(self, base: LabelBase | None = None) -> LabelStore:
        """Open the labels, made where there are none; read only where the project is not owned.

        Parameters
        ----------
        base : LabelBase, optional
            Shown where nothing was painted; by default the project's label files.

        Raises
        ------
        XsegError
            They are damaged, or cannot be made.
        """
        shown = self.base() if base is None else base
        path = self.folder / LABELS
        if not path.exists():
            return LabelStore.create(path, self.shape, shown)
        store = LabelStore.open(path, shown, read_only=not self.owned)
        if store.shape != self.shape:
            raise XsegError(
                f"{path}: labels of {_size(store.shape)} pixels do not fit the image of "
                f"{_size(self.shape)}; restore the project's folder."
            )
        return store

    # -- runs and masks -----------------------------------------------------

    def runs(self) -> list[RunInfo]:
        """All trainings, newest first; a broken one says its fault."""
        return list_runs(self.folder / "runs")

    def new_run(self, name: str) -> Path:
        """A folder for a training that is not there yet, and was not given before.

        XsegError where the project's folder has gone.
        """
        self._check_there()
        stem = f"{stamp_of(datetime.now())}-{harmless_name(name) or 'run'}"
        return self._unused(self.folder / "runs", stem, "")

    def rename_run(self, run: Path | RunInfo, name: str) -> Path:
        """Give a training another name; its date stays. Gives its new folder.

        Raises
        ------
        XsegError
            A name that folders cannot have, or that is taken; a training under way.
        """
        path = _path_of(run)
        check_name(name)
        self._check_idle(path)
        date, _ = split_name(path)
        target = path.with_name(f"{stamp_of(date)}-{name.strip()}")
        if target == path:
            return path
        if target.exists():
            raise XsegError(f"{target.name}: there is such a run already; choose another name.")
        with writing_to(target):
            path.rename(target)
            if self._pending(path).exists():
                self._pending(path).rename(self._pending(target))
        return target

    def delete_run(self, run: Path | RunInfo) -> None:
        """Remove a training with its model; XsegError while it is under way."""
        path = _path_of(run)
        self._check_there()
        self._check_idle(path)
        hidden = temporary_beside(path)
        with writing_to(path):
            path.rename(hidden)
        shutil.rmtree(hidden, ignore_errors=True)
        remove(self._pending(path))

    def new_mask(self, model_name: str, what: str) -> Path:
        """A path for a mask of `what` by a model, that is not there yet.

        XsegError where the project's folder has gone.
        """
        self._check_there()
        parts = [stamp_of(datetime.now()), harmless_name(model_name), harmless_name(what)]
        return self._unused(self.folder / "masks", "-".join(filter(None, parts)), ".zarr")

    def masks(self) -> list[Path]:
        """All masks, newest first."""
        folder = self.folder / "masks"
        found = [
            path
            for path in (folder.iterdir() if folder.is_dir() else ())
            if path.suffix in (".zarr", ".tif", ".tiff") and not path.name.startswith(".")
        ]
        return sorted(found, key=lambda path: path.name, reverse=True)

    def pending_folder(self, run: Path | RunInfo) -> Path:
        """A folder for what a training needs to go on after a crash; made where it is missing.

        XsegError where the project's folder has gone.
        """
        self._check_there()
        folder = self._pending(_path_of(run))
        with writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def clear_pending(self, run: Path | RunInfo) -> None:
        """Forget what a training needs to go on."""
        remove(self._pending(_path_of(run)))

    def unfinished(self) -> list[RunInfo]:
        """Trainings that were cut short: something is pending, and none is under way."""
        return [run for run in self.runs() if not run.running and self._is_pending(run.path)]

    # -- inside -------------------------------------------------------------

    def _pending(self, run: Path) -> Path:
        return self.folder / "pending" / run.name

    def _is_pending(self, run: Path) -> bool:
        folder = self._pending(run)
        return folder.is_dir() and any(folder.iterdir())

    def _check_there(self) -> None:
        """A project that has gone is not made anew, lest what is there is in its way back."""
        if not is_project(self.folder):
            raise XsegError(
                f"{self.folder}: this project was moved or deleted meanwhile; put its folder back, "
                "or choose another folder for the project."
            )

    def _check_idle(self, run: Path) -> None:
        if is_locked(run):
            raise XsegError(f"{run.name}: its training is under way; stop it first.")

    def _unused(self, folder: Path, stem: str, suffix: str) -> Path:
        number = 1
        while True:
            path = folder / f"{stem}{f'-{number}' if number > 1 else ''}{suffix}"
            if not path.exists() and path not in self._given:
                self._given.add(path)
                return path
            number += 1

    def _save(self, **changes: Any) -> None:
        if not self.owned:
            raise XsegError(
                f"This project is open elsewhere and cannot be changed here; close it there: "
                f"{self.folder}"
            )
        self._check_there()
        content = {**self._content, **changes}
        write_project(self.folder, content)
        self._content = content


def _path_of(run: Path | RunInfo) -> Path:
    return run.path if isinstance(run, RunInfo) else run


def _size(shape: tuple[int, int, int]) -> str:
    return " x ".join(map(str, shape))

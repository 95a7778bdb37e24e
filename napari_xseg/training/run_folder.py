"""The folder of one training: everything in it is whole at any moment."""

from __future__ import annotations

import csv
import io
import json
import pickle
import zipfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import torch

from napari_xseg.data.formats.atomic import writing_to
from napari_xseg.data.jsontext import json_text
from napari_xseg.data.locking import lock_folder, unlock
from napari_xseg.data.writing import atomic_path, check_output, write_atomic
from napari_xseg.errors import XsegError
from napari_xseg.model.checkpoint import MODEL_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_xseg.config import TrainConfig

CONFIG, RESUME, HISTORY, PROVENANCE = "config.toml", "resume.pt", "history.csv", "provenance.json"
FILES = (CONFIG, MODEL_FILE, RESUME, HISTORY, PROVENANCE)
STATE_VERSION = 1
_DAMAGE = (
    zipfile.BadZipFile,
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)


class RunFolder:
    """Names, reads and writes the files of a training.

    Each file is written under a temporary name, synced and renamed. A folder that has
    gone since `locked` is not made anew: what is written then raises XsegError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._locked = False

    @property
    def model(self) -> Path:
        """The best model so far."""
        return self.path / MODEL_FILE

    def check(self, *, resume: bool, overwrite: bool) -> None:
        """Raise XsegError where a training may not start here, before anything is written."""
        with writing_to(self.path):
            self._check_content(resume=resume, overwrite=overwrite)
            made = [at for at in (self.path, *self.path.parents) if not at.exists()]
        check_output(self.path / PROVENANCE, overwrite=True)
        with suppress(OSError):  # the check made what was missing, the job may yet be refused
            for folder in made:
                folder.rmdir()

    def _check_content(self, *, resume: bool, overwrite: bool) -> None:
        if self.path.is_file():
            raise XsegError(f"{self.path}: is a file; give a folder for --out.")
        there = [item.name for item in self.path.iterdir()] if self.path.is_dir() else []
        there = sorted(name for name in there if not name.startswith("."))
        if resume:
            if CONFIG not in there:
                raise XsegError(f"{self.path}: holds no training to resume; leave out --resume.")
        elif there and CONFIG not in there:
            raise XsegError(
                f"{self.path}: is a folder with other files ({there[0]}); give a new one for --out."
            )
        elif there and not overwrite:
            raise XsegError(
                f"{self.path}: holds a training already; give another --out, --resume to go on "
                "with it, or --overwrite."
            )

    def check_there(self) -> None:
        """Raise XsegError where the folder, which `locked` has made, is gone.

        It is not made anew: whoever has moved it away could not put it back then.
        """
        if self._locked and not self.path.is_dir():
            raise XsegError(
                f"{self.path}: this folder has gone while the training ran, which ends here. Put "
                "it back where it was: what was saved is in it, and the run can be resumed."
            )

    def start(self, config: TrainConfig, provenance: dict[str, Any]) -> None:
        """Begin a run: an older one here is removed, settings and provenance are written."""
        self.check_there()
        with writing_to(self.path / RESUME):
            # Its state must not go on under new settings; its model stands while there is no room.
            (self.path / RESUME).unlink(missing_ok=True)
        write_atomic(self.path / CONFIG, config.to_toml())
        self.write_provenance(provenance)
        for name in (MODEL_FILE, HISTORY):
            with writing_to(self.path / name):
                (self.path / name).unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other trainings out; the system lifts the lock however this one ends.

        Raises
        ------
        XsegError
            Where a training is running here.
        """
        with writing_to(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            handle = lock_folder(self.path)
        if handle is None:
            raise XsegError(
                f"{self.path}: a training is running here; wait for its end, or give another --out."
            )
        self._locked = True
        try:
            yield
        finally:
            self._locked = False
            unlock(handle)

    def write_provenance(self, provenance: dict[str, Any]) -> None:
        """Write how the model came to be."""
        self.check_there()
        write_atomic(self.path / PROVENANCE, json_text(provenance, indent=1) + "\n")

    def read_provenance(self) -> dict[str, Any]:
        """What `write_provenance` wrote; empty where it cannot be read."""
        try:
            found = json.loads((self.path / PROVENANCE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write_history(self, columns: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
        """Write the curves: one row a validation."""
        self.check_there()
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([[f"{value:.9g}" for value in row] for row in rows])
        write_atomic(self.path / HISTORY, text.getvalue())

    def write_state(self, state: dict[str, Any]) -> None:
        """Write everything that the training goes on from."""
        self.check_there()
        content = io.BytesIO()
        # Not straight into the file: on a full disk torch raises no OSError.
        torch.save({"version": STATE_VERSION, **state}, content)
        with atomic_path(self.path / RESUME) as temporary:
            temporary.write_bytes(content.getbuffer())

    def read_state(self) -> dict[str, Any] | None:
        """What `write_state` wrote; None before the first save.

        Raises
        ------
        XsegError
            A damaged file, one of another version, or one with anything but
            tensors and numbers in it, which is never run.
        """
        path = self.path / RESUME
        if not path.is_file():
            return None
        try:
            with zipfile.ZipFile(path) as archive:
                wrong = archive.testzip()
            if wrong is not None:
                raise zipfile.BadZipFile(f"{wrong} is damaged")
            state = torch.load(path, map_location="cpu", weights_only=True)
        except _DAMAGE as error:
            reason = (str(error) or type(error).__name__).splitlines()[0][:120]
            raise XsegError(
                f"{path}: cannot be read ({reason}); start the training anew with --overwrite."
            ) from error
        if not isinstance(state, dict) or state.get("version") != STATE_VERSION:
            raise XsegError(f"{path}: is of another version; start anew with --overwrite.")
        return state

"""The folder of one training: everything in it is whole at any moment."""

from __future__ import annotations

import csv
import io
import json
import pickle
from typing import TYPE_CHECKING, Any

import torch

from napari_xseg.data.jsontext import json_text
from napari_xseg.data.writing import atomic_path, check_output, write_atomic
from napari_xseg.errors import XsegError
from napari_xseg.model.checkpoint import MODEL_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_xseg.config import TrainConfig

CONFIG, RESUME, HISTORY, PROVENANCE = "config.toml", "resume.pt", "history.csv", "provenance.json"
FILES = (CONFIG, MODEL_FILE, RESUME, HISTORY, PROVENANCE)
STATE_VERSION = 1


class RunFolder:
    """Names, reads and writes the files of a training.

    Each file is written under a temporary name, synced and renamed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def model(self) -> Path:
        """The best model so far."""
        return self.path / MODEL_FILE

    def check(self, *, resume: bool, overwrite: bool) -> None:
        """Raise XsegError where a training may not start here, before anything is written."""
        if self.path.is_file():
            raise XsegError(f"{self.path}: is a file; give a folder for --out.")
        there = sorted(item.name for item in self.path.iterdir()) if self.path.is_dir() else []
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
        check_output(self.path / PROVENANCE, overwrite=True)

    def start(self, config: TrainConfig, provenance: dict[str, Any]) -> None:
        """Begin a run: an older one here is removed, settings and provenance are written."""
        for name in FILES:
            (self.path / name).unlink(missing_ok=True)
        write_atomic(self.path / CONFIG, config.to_toml())
        self.write_provenance(provenance)

    def write_provenance(self, provenance: dict[str, Any]) -> None:
        """Write how the model came to be."""
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
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([[f"{value:.9g}" for value in row] for row in rows])
        write_atomic(self.path / HISTORY, text.getvalue())

    def write_state(self, state: dict[str, Any]) -> None:
        """Write everything that the training goes on from."""
        with atomic_path(self.path / RESUME) as temporary:
            torch.save({"version": STATE_VERSION, **state}, temporary)

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
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (
            pickle.UnpicklingError,
            RuntimeError,
            EOFError,
            OSError,
            ValueError,
            KeyError,
        ) as error:
            raise XsegError(
                f"{path}: cannot be read ({str(error).splitlines()[0][:120]}); "
                "start the training anew with --overwrite."
            ) from error
        if not isinstance(state, dict) or state.get("version") != STATE_VERSION:
            raise XsegError(f"{path}: is of another version; start anew with --overwrite.")
        return state

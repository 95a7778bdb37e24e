"""What run folders say of their trainings: read without torch, and never refused."""

from __future__ import annotations

import csv
import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.config import read_toml
from napari_xseg.data.locking import is_locked
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

MODEL, HISTORY, PROVENANCE, CONFIG = (
    "model.safetensors",
    "history.csv",
    "provenance.json",
    "config.toml",
)
_FOLDER_NAME = re.compile(r"(\d{8}-\d{6})(?:-(.*))?", re.DOTALL)
_STAMP = "%Y%m%d-%H%M%S"


@dataclass(frozen=True)
class RunInfo:
    """A training, as its folder tells.

    Attributes
    ----------
    path : Path
        The run folder.
    name : str
        What the user calls it.
    date : datetime
        When it was begun, local time.
    dice_foreground : float or None
        Validation Dice of the model that is kept; None unless it was validated.
    dice : mapping of str to float
        The same for each class by name; empty unless it was validated.
    slices, val_slices : tuple of int
        z of the images that trained, and that validated.
    steps : int
        Optimiser steps done.
    seconds : float
        Time trained.
    recipe : str
        Name of its settings.
    finished : bool
        Whether it came to its end, or was stopped, in good order.
    running : bool
        Whether it is under way in any process.
    parent : str or None
        The model it goes on from.
    fault : str
        Why the folder cannot be read; empty where it can.
    """

    path: Path
    name: str
    date: datetime
    dice_foreground: float | None = None
    dice: Mapping[str, float] = field(default_factory=dict)
    slices: tuple[int, ...] = ()
    val_slices: tuple[int, ...] = ()
    steps: int = 0
    seconds: float = 0.0
    recipe: str = ""
    finished: bool = False
    running: bool = False
    parent: str | None = None
    fault: str = ""

    @property
    def model(self) -> Path:
        """The model file, which may not be there yet."""
        return self.path / MODEL

    @property
    def usable(self) -> bool:
        """Whether it has a model to predict with."""
        return self.model.is_file()

    @property
    def how_it_ended(self) -> str:
        """How a run ended that can be resumed: by an order, or by a crash."""
        return "stopped" if self.finished else "cut short"


def stamp_of(date: datetime) -> str:
    """The date as folder names begin with it."""
    return date.strftime(_STAMP)


def split_name(folder: Path) -> tuple[datetime, str]:
    """Date and name of a run by its folder; of its last change where the name says no date."""
    match = _FOLDER_NAME.fullmatch(folder.name)
    if match:
        with suppress(ValueError):
            return datetime.strptime(match[1], _STAMP), match[2] or match[1]
    with suppress(OSError):
        return datetime.fromtimestamp(folder.stat().st_mtime), folder.name
    return datetime.fromtimestamp(0), folder.name


def list_runs(folder: Path) -> list[RunInfo]:
    """Every run in `folder`, newest first; empty folders and hidden ones are none."""
    if not folder.is_dir():
        return []
    there = [run for run in folder.iterdir() if run.is_dir() and not run.name.startswith(".")]
    runs = [read_run(run) for run in there if any(run.iterdir())]
    return sorted(runs, key=lambda run: (run.date, run.path.name), reverse=True)


def read_run(folder: Path) -> RunInfo:
    """What the run in `folder` says; where it cannot be read, `fault` says why."""
    date, name = split_name(folder)
    running = is_locked(folder)
    try:
        return RunInfo(folder, name, date, running=running, **_told(folder))
    except XsegError as error:
        return RunInfo(folder, name, date, running=running, fault=str(error))


def read_history(run: Path | RunInfo) -> dict[str, NDArray[np.float64]]:
    """The curves of a run: one array a column, one value a validation.

    Returns
    -------
    dict of str to ndarray
        `step`, `seconds`, `learning_rate`, `loss`; where there is a validation,
        `dice_all`, `dice_foreground` and `dice_NAME` of each class. Empty before
        the first row.

    Raises
    ------
    XsegError
        A damaged file.
    """
    path = (run.path if isinstance(run, RunInfo) else run) / HISTORY
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        if len(rows) < 2:
            return {}
        values = np.array([[float(cell) for cell in row] for row in rows[1:]], np.float64)
        columns = values.reshape(len(rows) - 1, len(rows[0])).T
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, csv.Error) as error:
        raise XsegError(
            f"{path}: the curves cannot be read ({str(error)[:120]}); the model is not concerned."
        ) from error
    return dict(zip(rows[0], columns, strict=True))


def _told(folder: Path) -> dict[str, Any]:
    if not (folder / CONFIG).exists():
        raise XsegError(f"{folder}: holds no training ({CONFIG} is missing); it can be deleted.")
    recipe = str(read_toml(folder / CONFIG).get("name", ""))
    told = _read_json(folder / PROVENANCE)
    history = read_history(folder)
    try:
        split = told.get("split", {})
        best, dice = _figures(told, history)
        return {
            "recipe": recipe,
            "slices": tuple(map(int, split.get("train", ()))),
            "val_slices": tuple(map(int, split.get("val", ()))),
            "steps": int(told.get("steps", _last(history, "step"))),
            "seconds": float(told.get("seconds", _last(history, "seconds"))),
            "finished": "finished" in told,
            "parent": _parent(told.get("parent")),
            "dice_foreground": best,
            "dice": dice,
        }
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise XsegError(
            f"{folder / PROVENANCE}: is damaged ({str(error)[:120]}); the model is not concerned."
        ) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise XsegError(
            f"{path}: cannot be read ({str(error)[:120]}); the model is not concerned."
        ) from error
    return found if isinstance(found, dict) else {}


def _figures(
    told: dict[str, Any], history: dict[str, NDArray[np.float64]]
) -> tuple[float | None, dict[str, float]]:
    """Dice of the model that is kept, and of each class."""
    scores = history.get("dice_foreground", np.empty(0))
    best = told.get("figures", {}).get("dice_foreground")
    if best is None and np.isfinite(scores).any():
        best = float(np.nanmax(scores))
    if best is None:
        return None, {}
    if not np.isfinite(scores).any():
        return float(best), {}
    row = int(np.nanargmin(np.abs(scores - best)))
    pooled = ("dice_all", "dice_foreground")
    classes = [name for name in history if name.startswith("dice_") and name not in pooled]
    return float(best), {name.removeprefix("dice_"): float(history[name][row]) for name in classes}


def _last(history: dict[str, NDArray[np.float64]], column: str) -> float:
    return float(history[column][-1]) if column in history else 0.0


def _parent(told: Any) -> str | None:
    return str(told["path"]) if isinstance(told, dict) and "path" in told else None

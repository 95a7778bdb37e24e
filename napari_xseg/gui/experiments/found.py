"""The experiments that a project holds, as their folders tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_xseg.errors import XsegError
from napari_xseg.experiments.glance import RUNS, SUITE, Glance
from napari_xseg.experiments.report.page import PAGE
from napari_xseg.experiments.running import SCORES

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Found:
    """An experiment on disk.

    Attributes
    ----------
    folder : Path
    plans : tuple of str
        Names of its plans.
    budget : str
    done, total : int
        Trainings that are over, and all.
    changed : float
        When it was begun, or gone on with: seconds as `time.time`.
    fault : str
        Why it cannot be read; empty where it can.
    """

    folder: Path
    plans: tuple[str, ...] = ()
    budget: str = ""
    done: int = 0
    total: int = 0
    changed: float = 0.0
    fault: str = ""

    @property
    def complete(self) -> bool:
        """Whether nothing is left to train."""
        return not self.fault and self.done == self.total


def find_experiments(folder: Path) -> list[Found]:
    """All experiments within a folder, by name; a broken one says its fault."""
    if not folder.is_dir():
        return []
    places = sorted(path for path in folder.iterdir() if (path / SUITE).is_file())
    return [found_in(path) for path in places]


def found_in(folder: Path) -> Found:
    """What a folder says of its experiment."""
    try:
        glance = Glance.open(folder)
    except XsegError as error:
        return Found(folder, fault=str(error))
    tasks = glance.tasks
    names = tuple(plan.name for plan in glance.plans)
    done, changed = sum(map(glance.is_done, tasks)), (folder / SUITE).stat().st_mtime
    return Found(folder, names, glance.budget, done, len(tasks), changed)


def fresh_report(folder: Path) -> Path | None:
    """The report's page, where nothing was scored since it was written."""
    page = folder / PAGE
    if not page.is_file():
        return None
    written = page.stat().st_mtime
    scores = (folder / RUNS).glob(f"*/{SCORES}")
    newest = max((path.stat().st_mtime for path in scores), default=0.0)
    return page if newest <= written else None

"""Scores summed up in the background: tables, and plots as pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_xseg.review.scoring import plots
from napari_xseg.review.scoring.confidence import slice_confidence
from napari_xseg.review.scoring.page import write_score_report
from napari_xseg.review.scoring.reading import AllScores, read_scores, write_rows
from napari_xseg.review.scoring.summary import summarise
from napari_xseg.review.scoring.tables import headline, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from matplotlib.figure import Figure

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Call
    from napari_xseg.review.scoring.reading import Row
    from napari_xseg.review.scoring.summary import Summary
    from napari_xseg.review.scoring.tables import Table

# By table: the figure that goes with it.
_FIGURES: dict[str, Callable[[Summary], Figure | None]] = {
    "masks": plots.score_counts,
    "along_z": plots.along_z,
    "faults": plots.fault_counts,
    "models": plots.differences,
    "confidence": plots.confidence_scatter,
}
# Inches at which the letters of a figure can be read in a dock.
_WIDTH = 4.2
# Pixels of a picture for one of the screen, each way.
_SHARPER = 2


@dataclass(frozen=True, eq=False)
class Summed:
    """What scores say.

    Attributes
    ----------
    scores : AllScores
        All files of the project.
    rows : tuple of Row
        The scores that take part.
    headlines : tuple of str
        A line for each mask.
    tables : mapping
        By name.
    pictures : mapping
        PNGs by the name of their table, `_SHARPER` times as large as they are shown; none
        until they are drawn.
    """

    scores: AllScores
    rows: tuple[Row, ...]
    summary: Summary
    headlines: tuple[str, ...]
    tables: Mapping[str, Table]
    pictures: Mapping[str, bytes]
    faults: tuple[str, ...]

    @property
    def sharpness(self) -> int:
        """How many pixels of a picture one of the screen is."""
        return _SHARPER


def sum_up(folder: Path | None, only: str = "") -> Summed:
    """Read the scores of a project and sum them up, without pictures; `only` names a session."""
    scores = _all_scores(folder)
    rows = _chosen(scores, only)
    confidence, faults = slice_confidence(rows)
    summary = summarise(rows, confidence=confidence)
    return Summed(
        scores,
        rows,
        summary,
        tuple(map(headline, summary.masks)),
        tables(summary),
        {},
        (*scores.faults, *faults),
    )


def with_pictures(summed: Summed) -> Summed:
    """Draw the figures, which takes a second or two."""
    drawn = {
        name: _picture(_FIGURES[name], summed.summary) for name in summed.tables if name in _FIGURES
    }
    pictures = {name: picture for name, picture in drawn.items() if picture is not None}
    return replace(summed, pictures=pictures)


def _all_scores(folder: Path | None) -> AllScores:
    return AllScores(()) if folder is None or not folder.is_dir() else read_scores(folder)


def _chosen(scores: AllScores, only: str) -> tuple[Row, ...]:
    """The scores of one session; of all where there is no such session."""
    known = {session.uid for session in scores.sessions()}
    return scores.rows({only} if only in known else None)


def _picture(draw: Callable[[Summary], Figure | None], summary: Summary) -> bytes | None:
    from napari_xseg.review.canvas import figure_bytes

    figure = draw(summary)
    if figure is None:
        return None
    figure.set_size_inches(_WIDTH, max(0.8 * figure.get_figheight(), 1.6))
    return figure_bytes(figure)


class Summing:
    """Sums up the scores of the session's project, and writes what is asked.

    Attributes
    ----------
    summed : Summed or None
        The latest.
    """

    changed = Signal()
    written = Signal(object)  # the Path of a file that was asked for

    def __init__(self, session: Session) -> None:
        self._session = session
        self.summed: Summed | None = None
        self.only = ""
        self._call: Call[Summed] | None = None
        self._again = False

    @property
    def folder(self) -> Path | None:
        """Where the files of scores lie, or will; None without an image."""
        folder = self._session.project_folder
        return None if folder is None else folder / "reviews"

    def refresh(self) -> None:
        """Sum up anew, once more where that is under way."""
        if self._call is not None:
            self._again = True
            return
        folder, only = self.folder, self.only
        self._start(lambda: sum_up(folder, only), self._on_summed)

    def choose(self, uid: str) -> None:
        """Sum up one session alone; empty for all."""
        if uid != self.only:
            self.only = uid
            self.refresh()

    def write_csv(self, path: Path) -> None:
        """Write the scores that take part as CSV."""
        folder, only = self.folder, self.only

        def work() -> Path:
            # Read anew: what is shown may be older than what was scored or imported last.
            write_rows(_chosen(_all_scores(folder), only), path)
            return path

        self._write(work)

    def write_report(self, folder: Path) -> None:
        """Write the report with its tables into a folder."""
        scores, only = self.folder, self.only
        shown = self.summed if self._call is None else None

        def work() -> Path:
            summed = shown or sum_up(scores, only)
            warnings = summed.faults
            return write_score_report(summed.rows, summed.summary, folder, warnings=warnings)[0]

        self._write(work)

    def let_go(self) -> None:
        """Hear of nothing any more."""
        self._again = False
        if self._call is not None:
            self._call.cancel()

    # -- inside -------------------------------------------------------------

    def _start(self, work: Callable[[], Summed], take: Callable[[Summed], None]) -> None:
        call = self._call = self._session.jobs.call(work)
        call.returned.connect(take)
        call.failed.connect(self._on_failed)

    def _write(self, work: Callable[[], Path]) -> None:
        call = self._session.jobs.call(work)
        call.returned.connect(lambda path: self.written.emit(path))
        call.failed.connect(self._session.show_error)

    def _on_summed(self, summed: Summed) -> None:
        """Show tables and sessions at once, and pictures when they are drawn."""
        self._take(summed)
        if not self._again:
            self._start(lambda: with_pictures(summed), self._on_drawn)
        self._once_more()

    def _on_drawn(self, summed: Summed) -> None:
        self._take(summed)
        self._once_more()

    def _take(self, summed: Summed) -> None:
        self._call = None
        self.summed = summed
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self._call = None
        self._session.show_error(error)
        self._once_more()

    def _once_more(self) -> None:
        if self._again:
            self._again = False
            self.refresh()

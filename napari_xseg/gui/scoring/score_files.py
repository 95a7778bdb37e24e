"""Files of scores in and out: the report, the CSV, and those of another reviewer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_xseg.errors import XsegError
from napari_xseg.gui.scoring.conflict_dialog import ask_conflicts
from napari_xseg.review.scoring.importing import ConflictsFound, Imported, import_scores
from napari_xseg.review.scoring.names import SUFFIX
from napari_xseg.review.scoring.reading import read_score_file, read_scores
from napari_xseg.review.scoring.subject import mask_ref

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_xseg.gui.scoring.offered import Offered
    from napari_xseg.gui.scoring.summing import Summing
    from napari_xseg.gui.session import Session
    from napari_xseg.review.scoring.importing import Resolve


class ScoreFiles:
    """Asks where files are, and has them written or read in the background.

    Parameters
    ----------
    session : Session
    summing : Summing
        Has the scores, and sums up anew after an import.
    parent : QWidget
        Of the dialogs.
    """

    def __init__(self, session: Session, summing: Summing, parent: QWidget) -> None:
        self._session = session
        self._summing = summing
        self._parent = parent
        self.report: Path | None = None
        summing.written.connect(self._on_written)

    def write_report(self) -> None:
        """Ask for a folder, and write the report there."""
        folder = QFileDialog.getExistingDirectory(
            self._parent, "Folder for the report", str(self._summing.folder or Path.home())
        )
        if folder:
            self._summing.write_report(Path(folder))

    def open_report(self) -> None:
        """Open the report that was written last."""
        if self.report is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.report)))

    def export(self) -> None:
        """Ask for a name, and write all scores as CSV."""
        default = (self._summing.folder or Path.home()) / "scores.csv"
        name, _ = QFileDialog.getSaveFileName(
            self._parent, "Export the scores", str(default), "CSV (*.csv)"
        )
        if name:
            path = Path(name)
            self._summing.write_csv(path if path.suffix else path.with_suffix(".csv"))

    def take_over(self, masks: Sequence[Offered]) -> None:
        """Ask for another reviewer's file, and import it; `masks` are those of the project."""
        name, _ = QFileDialog.getOpenFileName(
            self._parent, "Another reviewer's file", str(Path.home()), f"Scores (*{SUFFIX})"
        )
        if name:
            self._import(Path(name), tuple(masks), None)

    # -- inside -------------------------------------------------------------

    def _import(self, file: Path, masks: tuple[Offered, ...], resolve: Resolve | None) -> None:
        try:
            folder = self._session.require_project().folder / "reviews"
        except XsegError as error:
            self._session.show_error(error)
            return

        def work() -> Imported:
            return import_scores(folder, file, resolve, masks=_hashes(folder, file, masks))

        call = self._session.jobs.call(work)
        call.returned.connect(self._on_imported)
        call.failed.connect(lambda error: self._on_failed(error, file, masks))

    def _on_imported(self, done: Imported) -> None:
        words = f"{done.reviewer}: nothing came in that was not here before."
        if done.scores or done.sessions:
            words = f"{done.reviewer}: {done.scores} score{'s'[: done.scores != 1]} came in"
            if done.sessions:
                one = f" of {done.sessions} session{'s'[: done.sessions != 1]}"
                words += f"{one} not known here before"
            words += "."
        if done.ended:
            words += (
                f" {done.ended} session{'s were' if done.ended > 1 else ' was'} ended here, as the "
                "file says."
            )
        self._session.notify(words)
        self._summing.refresh()

    def _on_failed(self, error: Exception, file: Path, masks: tuple[Offered, ...]) -> None:
        if not isinstance(error, ConflictsFound):
            self._session.show_error(error)
            return
        answer = ask_conflicts(error.conflicts, self._parent)
        if answer is not None:
            self._import(file, masks, answer)

    def _on_written(self, path: Path) -> None:
        self._session.notify(f"Saved {path}.")
        if path.suffix == ".html":
            self.report = path


def _hashes(folder: Path, file: Path, masks: Sequence[Offered]) -> tuple[str, ...] | None:
    """Hashes of the project's masks that the file scores and no session here does; read anew."""
    here = {mask.sha256 for one in read_scores(folder).sessions() for mask in one.masks}
    if not here:
        return None
    found = []
    for session in read_score_file(file).sessions:
        wanted = {mask.sha256 for mask in session.masks} - here
        for mask in masks if wanted else ():
            try:
                known = mask_ref(mask.path, session.volume).sha256
            except XsegError:  # one that does not fit is none of that session's
                continue
            if known in wanted:
                found.append(known)
    return tuple(found)

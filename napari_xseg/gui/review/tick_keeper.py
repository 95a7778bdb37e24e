"""Ticks on mistakes, written to the project as they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_xseg.errors import XsegError
from napari_xseg.review.ticks import Ticks, save_ticks

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Call
    from napari_xseg.review.mistakes import Mistakes

FOLDER = "reviews"


class TickKeeper:
    """Keeps the ticks of one truth and prediction at a time.

    Parameters
    ----------
    session : Session
        Its project's folder `reviews` gets a file; a first tick makes the project.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.ticks: Ticks | None = None
        self._saving: Call[None] | None = None
        self._unsaved = False
        self._told = False

    @property
    def folder(self) -> Path | None:
        """Where the files lie; None without a project."""
        project = self._session.project
        return None if project is None else project.folder / FOLDER

    def tick(self, mistakes: Mistakes, ticked: bool) -> None:
        """Remember that these mistakes were seen, or that they were not."""
        if self.ticks is not None:
            self.ticks.set(mistakes, ticked)
            self._save()

    def _save(self) -> None:
        if self.ticks is None:
            return
        if self._saving is not None:
            self._unsaved = True
            return
        try:
            folder = self._session.require_project().folder / FOLDER
        except XsegError as error:
            if not self._told:
                self._session.warn(f"Ticks are kept until this window closes. {error}")
            self._told = True
            return
        self._unsaved = False
        text, path = self.ticks.to_json(), folder / self.ticks.file_name
        self._saving = self._session.jobs.call(lambda: save_ticks(text, path))
        self._saving.returned.connect(self._on_saved)
        self._saving.failed.connect(self._on_failed)

    def _on_saved(self, _: object = None) -> None:
        self._saving = None
        if self._unsaved:
            self._save()

    def _on_failed(self, error: Exception) -> None:
        self._saving = None
        self._session.show_error(error)

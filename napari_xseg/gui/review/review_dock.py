"""The Review dock: what is wrong with a mask, with and without truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QTabWidget, QVBoxLayout

from napari_xseg.gui.dock import Dock
from napari_xseg.gui.in_front import Retreat
from napari_xseg.gui.open_files import Opener
from napari_xseg.gui.review.compare_page import ComparePage
from napari_xseg.gui.scoring.score_page import ScorePage
from napari_xseg.gui.suspects.suspects_page import SuspectsPage

if TYPE_CHECKING:
    import napari


class ReviewDock(Dock):
    """Pages for the ways to review a mask.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        session = self.session
        self.compare = ComparePage(session)
        self.suspects = SuspectsPage(session)
        self.score = ScorePage(session)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for page, name, tip in (
            (self.compare, "Comp&are", "A mask against the truth, or two masks."),
            (
                self.suspects,
                "S&uspects",
                "Places of a mask that are probably wrong, without truth.",
            ),
            (self.score, "S&core", "A mask scored by eye, item by item, with or without truth."),
        ):
            self.tabs.setTabToolTip(self.tabs.addTab(page, name), tip)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tabs)
        Retreat(self.tabs)
        Opener(session, self).take_drops(self)
        self.setMinimumWidth(340)

    def take_away(self) -> None:
        """Close the pages, which let go of the session."""
        for page in (self.compare, self.suspects, self.score):
            page.end()

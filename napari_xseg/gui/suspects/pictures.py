"""Small pictures of suspects, made in the background: slice by slice, those that are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_xseg.data.coding import as_integers
from napari_xseg.gui.label.prefill import Latest
from napari_xseg.gui.suspects.suspect_list import PICTURE
from napari_xseg.gui.suspects.suspects_form import LARGE
from napari_xseg.review.suspects.thumbnails import thumbnail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.suspects.search import SuspectSearch
    from napari_xseg.gui.suspects.suspects_form import SuspectsForm
    from napari_xseg.review.suspects.table import Suspect, Suspects

Picture = Any  # ndarray (y, x, 3) of uint8
# Milliseconds without a further scroll before the rows in sight get pictures.
_CALM = 80


class Pictures:
    """Has pictures of suspects made; only what was asked for last comes.

    Parameters
    ----------
    session : Session
    """

    made = Signal(dict)  # picture by rank

    def __init__(self, session: Session) -> None:
        self._session = session
        self._latest = Latest(session, self.made.emit, lambda _: None)

    def ask(self, wanted: Sequence[Suspect], suspects: Suspects, mask: Labels, size: int) -> None:
        """Have pictures (size, size, 3) made; slices that cannot be read have none."""
        images, data, classes = self._session.images, mask.data, suspects.classes
        if images is None or not wanted:
            return

        def work() -> dict[int, Picture]:
            found: dict[int, Picture] = {}
            for z in sorted({one.z for one in wanted}):
                image, index = images.volume.read(z), _index_map(data, z, classes)
                for one in wanted:
                    if one.z == z:
                        found[one.rank] = thumbnail(image, index, one, classes, size)
            return found

        self._latest.ask(work)

    def close(self) -> None:
        """Want none any more."""
        self._latest.drop()


class ShownPictures:
    """The small pictures of the rows that are seen, and the larger one of the row that is chosen.

    Parameters
    ----------
    session : Session
    search : SuspectSearch
        Whose suspects are listed.
    form : SuspectsForm
        Shows them.
    """

    def __init__(self, session: Session, search: SuspectSearch, form: SuspectsForm) -> None:
        self._search = search
        self._form = form
        self._rows, self._chosen = Pictures(session), Pictures(session)
        self.calm = QTimer(form)
        self.calm.setSingleShot(True)
        self.calm.setInterval(_CALM)
        self.calm.timeout.connect(self._ask_rows)
        form.table.scrolled.connect(self.calm.start)
        form.chosen.connect(self._ask_chosen)
        self._rows.made.connect(self._on_rows)
        self._chosen.made.connect(self._on_chosen)

    def close(self) -> None:
        """Want none any more."""
        self.calm.stop()
        self._rows.close()
        self._chosen.close()

    def _ask_rows(self) -> None:
        mask, suspects, table = self._search.mask, self._search.suspects, self._form.table
        if mask is not None and suspects is not None and table.isVisible():
            wanted = table.suspects.without_picture(*table.rows_seen())
            self._rows.ask(wanted, suspects, mask, PICTURE)

    def _ask_chosen(self, suspect: Suspect) -> None:
        mask, suspects = self._search.mask, self._search.suspects
        if mask is not None and suspects is not None:
            self._chosen.ask([suspect], suspects, mask, LARGE)

    def _on_rows(self, pictures: dict[int, Picture]) -> None:
        for rank, picture in pictures.items():
            self._form.table.suspects.add_picture(rank - 1, picture)

    def _on_chosen(self, pictures: dict[int, Picture]) -> None:
        shown = self._form.table.value()
        if shown is not None and shown.rank in pictures:
            self._form.show_picture(pictures[shown.rank])


def _index_map(data: Any, z: int, classes: ClassTable) -> NDArray[np.uint8]:
    plane = np.asarray(data[z] if data.ndim == 3 else data)
    return classes.from_layer(as_integers(plane, "mask"), "mask")

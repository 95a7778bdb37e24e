"""Where the labels of each slice came from, noted in the project while they are made."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_xseg.data.label_origins import Origin, Origins

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari.layers import Labels

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Call

PAINTED = Origin("painted")


class OriginKeeper:
    """Notes origins in the session's project, in the background; strokes are noted by themselves.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._origins: Origins | None = None
        self._layer: Labels | None = None
        self._latest: dict[int, Origin | None] = {}
        self._waiting: list[tuple[Origins, int, Origin | None]] = []
        self._writing: Call[None] | None = None
        self._quiet = False
        session.project_changed.connect(self._on_project)
        session.labels_changed.connect(self._on_labels)
        session.slices_changed.connect(self._write)

    def close(self) -> None:
        """Listen no more."""
        self._session.project_changed.disconnect(self._on_project)
        self._session.labels_changed.disconnect(self._on_labels)
        self._session.slices_changed.disconnect(self._write)
        self._watch(None)

    def of(self, z: int) -> tuple[Origin, ...]:
        """The origins of slice z that are on disk, oldest first."""
        return () if self._origins is None else self._origins.of(z)

    def counts(self, slices: Iterable[int]) -> dict[str, int]:
        """How many of these slices have labels of each kind."""
        return {} if self._origins is None else self._origins.counts(slices)

    def accepted(self, slices: Iterable[int]) -> tuple[int, ...]:
        """Those of the slices with labels that were accepted or corrected."""
        wanted = ("accepted", "corrected")
        return tuple(z for z in slices if any(one.kind in wanted for one in self.of(z)))

    @contextmanager
    def noting(self, z: int, origin: Origin | None) -> Iterator[None]:
        """What is labelled in slice z meanwhile has this origin; None: its labels are removed."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before
        self.note(z, origin)

    def note(self, z: int, origin: Origin | None) -> None:
        """Note an origin of slice z, or that it has no labels any more.

        One like the latest is not noted again: a slice is painted in many strokes.
        """
        if z in self._latest and self._latest[z] == origin:
            return
        if self._origins is None:
            self._on_project()
        origins = self._origins
        if origins is not None and not origins.read_only:
            self._latest[z] = origin
            self._waiting.append((origins, z, origin))
            self._write()

    # -- inside -------------------------------------------------------------

    def _write(self, _: object = None) -> None:
        """Write what waits, in its order.

        What belongs to a project whose folder has gone waits for it to come back, as the
        labels do, which say so.
        """
        if not self._waiting or (self._writing is not None and not self._writing.over):
            return
        if self._waiting[0][0].gone:
            return
        waiting, self._waiting = self._waiting, []

        def write() -> None:
            for origins, z, origin in waiting:
                if origin is None:
                    origins.forget(z)
                else:
                    origins.add(z, origin)

        self._writing = self._session.jobs.call(write)
        self._writing.returned.connect(lambda _: self._write())
        self._writing.failed.connect(self._session.show_error)

    def _on_project(self) -> None:
        project = self._session.project
        if project is None:
            self._origins = None
        elif self._origins is None or self._origins.path.parent != project.folder:
            self._origins = Origins.open(
                project.folder, read_only=not project.owned, on_error=self._session.show_error
            )
        else:
            return
        self._latest.clear()

    def _on_labels(self) -> None:
        self._watch(self._session.labels)

    def _watch(self, layer: Labels | None) -> None:
        if layer is self._layer:
            return
        if self._layer is not None:
            self._layer.events.paint.disconnect(self._on_stroke)
        self._layer = layer
        if layer is not None:
            layer.events.paint.connect(self._on_stroke)

    def _on_stroke(self, _: object = None) -> None:
        z = self._session.z
        if not self._quiet and z is not None:
            self.note(z, PAINTED)

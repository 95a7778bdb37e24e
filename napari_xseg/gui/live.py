"""The mask of the slice that is looked at: of the model in training, or of a finished one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_xseg.events import Preview, View
from napari_xseg.gui.drawing import Drawing
from napari_xseg.jobs import SliceRequest

if TYPE_CHECKING:
    from napari_xseg.data.classes import ClassTable
    from napari_xseg.events import Event
    from napari_xseg.gui.images import Images
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Job

# Milliseconds between two looks at what the user sees, while it changes.
PACE = 80
# Milliseconds without a move after which the window counts as idle.
CALM = 1500


def spare_threads() -> int:
    """Threads for a training beside a window that is being used: a core stays free."""
    return max(1, (os.cpu_count() or 2) - 1)


class LivePreview:
    """Asks for masks of what is in view, and shows them in the preview layer.

    Attributes
    ----------
    on : bool
        While a training runs, show its model's mask.
    follow : bool
        With a finished model, predict each slice that is looked at.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._on = True
        self._follow = False
        self._training: Job | None = None
        self._context = 0
        self._looking: Job | None = None
        self._wanted: tuple[Any, ...] | None = None
        self._held: set[int] = set()
        self._moved = QTimer()
        self._moved.setSingleShot(True)
        self._moved.setInterval(PACE)
        self._moved.timeout.connect(self._look)
        self._calm = QTimer()
        self._calm.setSingleShot(True)
        self._calm.setInterval(CALM)
        self._calm.timeout.connect(self._rest)
        dims, camera = session.viewer.dims.events, session.camera.events
        self._sources = (dims.current_step, dims.ndisplay, dims.order, camera.zoom, camera.center)
        for event in self._sources:
            event.connect(self._on_move)
        self._drawing = Drawing(session.viewer)
        self._drawing.slow.connect(self._make_room)
        session.image_changed.connect(self._on_move)
        session.model_changed.connect(self._on_move)

    @property
    def on(self) -> bool:
        """Whether the mask of the model in training is shown."""
        return self._on

    @on.setter
    def on(self, on: bool) -> None:
        self._on = on
        self._ask()
        self.changed.emit()

    @property
    def follow(self) -> bool:
        """Whether each slice that is looked at is predicted with the chosen model."""
        return self._follow

    @follow.setter
    def follow(self, follow: bool) -> None:
        self._follow = follow
        self._ask()
        self.changed.emit()

    def watch(self, job: Job, images: Images, classes: ClassTable, context: int) -> None:
        """Show the masks that a training makes of `images` while it runs.

        `context` is the number of neighbours that its model sees on each side.
        """
        self._training = job
        self._context = context
        if self._on:
            self._session.layers.show_only("preview")
        job.events.connect(lambda events: self._show_all(events, images, classes))
        job.ended.connect(self._on_training_over)
        self._ask()

    def hold(self, z: int) -> None:
        """Leave slice z of the preview layer to who shows something else there."""
        if z not in self._held:
            self._held.add(z)
            self._look()

    def release(self) -> None:
        """Show masks of all slices again."""
        if self._held:
            self._held.clear()
            self._ask()

    def close(self) -> None:
        """Ask for nothing more."""
        for event in self._sources:
            event.disconnect(self._on_move)
        self._drawing.close()
        self._moved.stop()
        self._calm.stop()
        self._training = None

    # -- what is looked at --------------------------------------------------

    def _on_move(self, _: object = None) -> None:
        if self._training is not None:
            # The window draws while it is moved: a core of its own keeps both fast.
            self._training.use_threads(spare_threads())
            self._calm.start()
        if not self._moved.isActive():
            self._moved.start()

    def _rest(self) -> None:
        if self._training is not None:
            self._training.use_threads(None)

    def _make_room(self, seconds: float) -> None:
        if self._training is not None:
            self._training.rest(seconds)

    def _ask(self) -> None:
        self._wanted = None
        self._look()

    def _look(self) -> None:
        session, images = self._session, self._session.images
        z, box = session.z, session.box
        if images is None or z is None or box is None or z in self._held:
            self._tell_training(None)
            return
        if self._training is not None:
            self._tell_training((images, z, box) if self._on else None)
        elif self._follow and session.model is not None and self._looking is None:
            wanted = (images, z, session.model)
            if wanted != self._wanted:
                self._wanted = wanted
                self._predict(images, z, session.model)

    def _tell_training(self, wanted: tuple[Images, int, tuple[int, int, int, int]] | None) -> None:
        job = self._training
        if job is None or (wanted == self._wanted and wanted is not None):
            return
        self._wanted = wanted
        if wanted is None:
            job.look_at(None)
            return
        images, z, box = wanted
        folder = self._session.jobs.engine.folder
        if images.source is not None:
            job.look_at(View(z, box, folder))
            return
        # Slices in memory are copied for the engine in a background thread.
        context = self._context
        call = self._session.jobs.call(lambda: images.for_job([z], context, folder))
        call.returned.connect(
            lambda source: (
                job.look_at(View(z, box, folder, source.model_dump(mode="json")))
                if self._wanted == wanted
                else None
            )
        )

    # -- masks --------------------------------------------------------------

    def _predict(self, images: Images, z: int, model: Path) -> None:
        from napari_xseg.model.metadata import read_model_info

        folder = self._session.jobs.engine.folder
        info, match = read_model_info(model), self._session.match_intensity

        def prepare() -> SliceRequest:
            source = images.for_job([z], info.context, folder)
            return SliceRequest(
                model=model, images=source, z=z, folder=folder, match_intensity=match
            )

        job = self._looking = self._session.jobs.run(
            "Predicting the slice in view", prepare, worth_asking=False
        )
        job.events.connect(lambda events: self._show_all(events, images, info.classes))
        job.events.connect(self._session.warn_of)
        job.ended.connect(self._on_looked)

    def _on_looked(self) -> None:
        job, self._looking = self._looking, None
        if job is not None and job.error is not None:
            self._follow = False
            self.changed.emit()
            self._session.show_error(job.error)
            return
        self._look()  # the user may have gone on meanwhile

    def _on_training_over(self) -> None:
        self._training = None
        self._wanted = None
        self._calm.stop()
        self._look()

    def _show_all(self, events: list[Event], images: Images, classes: ClassTable) -> None:
        previews = [event for event in events if isinstance(event, Preview)]
        for preview in previews[:-1]:
            preview.path.unlink(missing_ok=True)
        if previews:
            self._show(previews[-1], images, classes)

    def _show(self, preview: Preview, images: Images, classes: ClassTable) -> None:
        values = read_preview(preview)
        session = self._session
        if values is None or session.image is None or session.images is not images:
            return  # another image has been chosen meanwhile
        if preview.z in self._held:
            return
        session.layers.show_preview(
            preview.z,
            preview.box,
            classes.to_layer(values),
            classes=classes,
            shape=images.shape,
            image=session.image,
            seen=preview.z == session.z,
        )


def read_preview(preview: Preview, suffix: str = "") -> np.ndarray[Any, np.dtype[np.uint8]] | None:
    """Class indices (y, x) of a preview, 255 where there are none; its file is deleted.

    None where the file is gone, as after the engine's end.
    """
    y0, y1, x0, x1 = preview.box
    path = Path(f"{preview.path}{suffix}")
    try:
        values = np.fromfile(path, np.uint8)
    except OSError:
        return None
    path.unlink(missing_ok=True)
    if values.size != (y1 - y0) * (x1 - x0):
        return None
    return values.reshape(y1 - y0, x1 - x0)

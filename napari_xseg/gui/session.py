"""What one viewer works on, who computes for it, and how it speaks to the user.

The docks show a session and ask it for changes; they hold no state of their own.
Signals are emitted in the main thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils import notifications
from psygnal import Signal

from napari_xseg.errors import XsegError
from napari_xseg.events import Devices, Message
from napari_xseg.gui.canvas_context import CanvasContext
from napari_xseg.gui.data_watch import DataWatch
from napari_xseg.gui.layers import Layers
from napari_xseg.gui.live import LivePreview
from napari_xseg.gui.origin_keeper import OriginKeeper
from napari_xseg.gui.project_state import ProjectState
from napari_xseg.gui.solid import SolidView
from napari_xseg.gui.stroke_keeper import StrokeKeeper
from napari_xseg.gui.telling import FLAG, Telling
from napari_xseg.gui.window import CloseGuard
from napari_xseg.gui.worker import SHARED_ENGINE, WARMING, Jobs
from napari_xseg.jobs import EngineBug, WarmUp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari import Viewer
    from napari.layers import Layer

    from napari_xseg.events import Event
    from napari_xseg.gui.worker import Job, TakesJobs


class Session(ProjectState):
    """The state of napari-xseg in one viewer.

    Attributes
    ----------
    viewer : napari.Viewer
    jobs : Jobs
        What computes; `jobs.run(title, prepare)`.
    layers : Layers
        What adds and changes layers.
    live : LivePreview
        The mask of what is looked at.
    strokes : StrokeKeeper
        What syncs painted labels.
    origins : OriginKeeper
        What notes where labels came from.
    training : Job or None
        The training under way or the last one, so that a reopened dock finds it.
    match_intensity : bool
        Whether grey values of the image are mapped onto those that the model knows.
    devices : Devices or None
        What there is to compute on, once the engine has said it.
    """

    training_changed = Signal()
    devices_changed = Signal()
    layers_changed = Signal()  # any layer came, went, or got another name
    closed = Signal()

    def __init__(self, viewer: Viewer, engine: TakesJobs) -> None:
        self.viewer = viewer
        self.jobs = Jobs(engine)
        super().__init__(Layers(viewer))
        self.devices: Devices | None = None
        self.training: Job | None = None
        self.match_intensity = False
        self.image_changed.connect(self._match_no_more)  # before what shows it
        self._open = True
        self._telling = Telling()
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        self.live = LivePreview(self)
        self.strokes = StrokeKeeper(self)
        self.origins = OriginKeeper(self)
        self._solid = SolidView(self)
        self._watch = DataWatch(self)
        self._context = CanvasContext(viewer)
        self._guard = CloseGuard(self, viewer.window._qt_window)

    # -- what is looked at --------------------------------------------------

    @property
    def flat(self) -> bool:
        """Whether single slices are seen, along z."""
        dims = self.viewer.dims
        return bool(dims.ndisplay == 2 and tuple(dims.order) == tuple(range(dims.ndim)))

    def flatten(self) -> None:
        """Leave 3D and views from the side."""
        if not self.flat:
            dims = self.viewer.dims
            dims.ndisplay, dims.order = 2, tuple(range(dims.ndim))

    @property
    def z(self) -> int | None:
        """The slice in view, by z of the image; None without one, in 3D or seen from the side."""
        if self.image is None or self.images is None or not self.flat:
            return None
        if self.image.ndim == 2:
            return 0
        at = int(np.round(self.image.world_to_data(self.viewer.dims.point)[-3]))
        return min(max(at, 0), self.images.shape[0] - 1)

    def slice_of(self, layer: Layer | None) -> int | None:
        """The slice of a layer in view; None where `z` is, beside the layer, or without it."""
        if layer is None or layer not in self.layers or not self.flat:
            return None
        if layer.ndim == 2:
            return 0
        at = int(np.round(layer.world_to_data(self.viewer.dims.point)[-3]))
        return at if 0 <= at < layer.data.shape[-3] else None

    @property
    def camera(self) -> Any:
        """The viewer's camera, where this version of napari has it."""
        return getattr(self.viewer, "scene", self.viewer).camera

    def go_to(self, z: int) -> None:
        """Show slice z of the image."""
        if self.image is None or self.image.ndim == 2 or self.viewer.dims.ndim < 3:
            return
        at = [0.0] * self.image.ndim
        at[-3] = float(z)
        self.viewer.dims.set_point(self.viewer.dims.ndim - 3, self.image.data_to_world(at)[-3])

    @property
    def box(self) -> tuple[int, int, int, int] | None:
        """The part (y0, y1, x0, x1) of the slice that is seen, half open, within the image."""
        if self.image is None or self.images is None:
            return None
        (y0, x0), (y1, x1) = np.asarray(self.image.corner_pixels)[:, -2:].tolist()
        height, width = self.images.shape[1:]
        top, bottom = max(int(y0), 0), min(int(y1) + 1, height)
        left, right = max(int(x0), 0), min(int(x1) + 1, width)
        if top >= bottom or left >= right:
            return (0, height, 0, width)
        return (top, bottom, left, right)

    # -- who computes -------------------------------------------------------

    def set_model(self, path: Path | None) -> None:
        """Use another model: a run folder or a model file."""
        self.model = path
        self.model_changed.emit()

    def set_training(self, job: Job | None) -> None:
        """Remember the training under way."""
        self.training = job
        self.training_changed.emit()

    def warm_up(self) -> None:
        """Start the engine and load what it needs, so that the first job starts at once."""
        if self.devices is not None or self.jobs.warming:
            return
        job = self.jobs.run(WARMING, WarmUp, worth_asking=False)
        job.events.connect(self._on_devices)

    # -- words to the user --------------------------------------------------

    def notify(self, text: str) -> None:
        """Tell the user something that needs no answer."""
        self._telling.say(notifications.show_info, text)

    def warn(self, text: str) -> None:
        """Tell the user of something doubtful."""
        self._telling.say(notifications.show_warning, text)

    def warn_of(self, events: list[Event]) -> None:
        """Tell what a job warns of; of grey values that the window can match, how."""
        for event in events:
            if isinstance(event, Message) and event.level == "warning":
                self.warn(
                    event.text.replace(FLAG, "; Match intensity in the Predict dock maps them")
                )

    def show_error(self, error: Exception) -> None:
        """Show what the user can mend as a sentence, and a bug with its traceback."""
        if isinstance(error, XsegError):
            self._telling.say(notifications.show_error, str(error))
        elif isinstance(error, EngineBug):
            notifications.notification_manager.receive_error(
                type(error), error, error.__traceback__
            )
        else:
            raise error

    # -- the end ------------------------------------------------------------

    def close(self, timeout: float = 10.0) -> None:
        """Stop the jobs cleanly and let go of project, engine and viewer. Nothing is lost."""
        if not self._open:
            return
        self._open = False
        self.closed.emit()
        self.jobs.stop()
        self.live.close()
        self.strokes.close()
        self.origins.close()
        self._solid.close()
        self._watch.close()
        self._context.close()
        self._guard.close()
        # They hold the window, which must not outlive its closing.
        del self._guard, self._context
        layers = self.viewer.layers
        layers.events.inserted.disconnect(self._on_inserted)
        layers.events.removed.disconnect(self._on_removed)
        for layer in layers:
            layer.events.name.disconnect(self._on_layers)
        self._leave_project()
        if SHARED_ENGINE.is_(self.jobs.engine):
            SHARED_ENGINE.give_back(timeout)

    # -- inside -------------------------------------------------------------

    def _match_no_more(self) -> None:
        self.match_intensity = False  # chosen for the grey values of another image

    def _on_layers(self, _: object = None) -> None:
        self.layers_changed.emit()

    def _on_inserted(self, event: Any) -> None:
        event.value.events.name.connect(self._on_layers)
        self.layers_changed.emit()

    def _on_removed(self, event: Any) -> None:
        event.value.events.name.disconnect(self._on_layers)
        if event.value is self.labels:
            self.labels = None
            self.labels_changed.emit()
        elif event.value is self.image:
            self.set_image(None)
        self.layers_changed.emit()

    def _on_devices(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, Devices):
                self.devices = event
                self.devices_changed.emit()


_SESSIONS: dict[int, Session] = {}


def session_of(viewer: Viewer, engine: TakesJobs | None = None) -> Session:
    """The session of a viewer: made with the first dock that asks, closed with the window.

    `engine` is taken where the session is made; without it, the one that all viewers
    of this process share.
    """
    viewer = getattr(viewer, "__wrapped__", viewer)
    found = _SESSIONS.get(id(viewer))
    if found is None:
        found = _SESSIONS[id(viewer)] = Session(viewer, engine or SHARED_ENGINE.take())
        found.closed.connect(lambda: _SESSIONS.pop(id(viewer), None))
    return found


def sessions() -> Iterator[Session]:
    """The sessions of all open viewers."""
    yield from tuple(_SESSIONS.values())

"""Image and labels whose arrays are replaced by others while they are worked on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_xseg.errors import XsegError
from napari_xseg.gui.images import images_of

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_xseg.gui.session import Session


class DataWatch:
    """Keeps a session in step with the arrays of its image layer and its labels layer.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._image: Layer | None = None
        self._labels: Layer | None = None
        session.image_changed.connect(self._watch)
        session.labels_changed.connect(self._watch)
        self._watch()

    def close(self) -> None:
        """Watch no more."""
        self._session.image_changed.disconnect(self._watch)
        self._session.labels_changed.disconnect(self._watch)
        self._follow(None, None)

    def _watch(self) -> None:
        self._follow(self._session.image, self._session.labels)

    def _follow(self, image: Layer | None, labels: Layer | None) -> None:
        for layer, answer in ((self._image, self._on_image), (self._labels, self._on_labels)):
            if layer is not None:
                layer.events.data.disconnect(answer)
        self._image, self._labels = image, labels
        for layer, answer in ((image, self._on_image), (labels, self._on_labels)):
            if layer is not None:
                layer.events.data.connect(answer)

    def _on_image(self, _: Any = None) -> None:
        session, layer = self._session, self._session.image
        if layer is None or session.images is None:
            return
        before = session.images.shape
        try:
            images = images_of(layer)
        except XsegError as error:
            session.set_image(None)
            session.show_error(error)
            return
        if images.shape == before:
            session.images = images
            session.image_changed.emit()
            return
        # Labels and masks of the old size lie on another grid: its project is left.
        session.set_image(None)
        session.set_image(layer)

    def _on_labels(self, _: Any = None) -> None:
        session, layer = self._session, self._session.labels
        if layer is None or session.store is None or layer.data is session.store:
            return
        session.layers.replace_data(layer, session.store)
        session.show_error(
            XsegError(
                f"layer {layer.name!r}: its array was replaced, but it shows the labels of the "
                "project, which are back; add yours as a layer of their own, and choose it as "
                "labels."
            )
        )

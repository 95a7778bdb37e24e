"""What the viewer shows while masks are scored: one mask at a time, and where to look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Labels

from napari_xseg.gui.layers import kind_of
from napari_xseg.gui.review.flying import around, look_at, outline, rectangle

if TYPE_CHECKING:
    from napari.layers import Image, Layer

    from napari_xseg.errors import XsegError
    from napari_xseg.gui.scoring.preparing import Opened
    from napari_xseg.gui.session import Session
    from napari_xseg.review.scoring.values import Item, Mark, Place

# Pixels around a place that are seen in any case.
_LEAST_SEEN = 64
# Pixels on each side of a point that was marked.
_POINT = 3
# The mode in which the mouse moves the picture.
PAN = "pan_zoom"
_COVERING = ("confidence", "crops", "outline")
# Layers that other pages bring up, and that tell of the mask or cover it.
_TELLING = ("mask", "confidence", "preview", "mistakes")


class ScoringView:
    """Hides what would tell or cover, shows the mask of an item, and brings all back.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._opened: Opened | None = None
        self._layers: dict[int, Labels] = {}
        self._seen: list[Layer] = []
        # With the mode that each had.
        self._hidden: list[tuple[Layer, str]] = []
        # Layers whose names were hidden, with their own name and the one that stands for it.
        self._named: list[tuple[Layer, str, str]] = []
        self._active: Layer | None = None
        self._image: Image | None = None
        self._mask = 0
        self._zoomed = False

    def begin(self, opened: Opened) -> None:
        """Take the viewer over for a session."""
        self._opened = opened
        self._image = self._session.image
        self._active = self._session.viewer.layers.selection.active
        self._zoomed = True
        for mask, planes in enumerate(opened.planes):
            planes.on_fault = lambda error, mask=mask: self._say(error, mask)
        self._cover()
        self._session.layers_changed.connect(self._cover)

    @property
    def shows(self) -> bool:
        """Whether the mask that was shown is still there, or none is to be shown."""
        shown = self._layers.get(self._mask)
        return self._opened is None or shown is None or shown in self._session.layers

    def show(self, item: Item, mark: Mark | None) -> None:
        """Show the mask of an item, and fly to it."""
        if self._opened is None or self._image not in self._session.layers:
            return
        self._session.flatten()
        self.cover_again()
        self._mask = item.mask
        for mask, layer in self._layers.items():
            if mask != item.mask:  # before the slice changes: none flashes up at another place
                self._session.layers.set_visible(layer, False)
        self._session.go_to(item.z)
        shown = self._layer(item.mask)
        self._session.layers.set_visible(shown, True)
        self._session.layers.select(shown)
        self._fly(item.place)
        self.outline(item, mark)

    def cover_again(self) -> None:
        """Hide the masks that another page has brought up since; layers of the user's own stay."""
        for layer in self._seen if self._opened is not None else ():
            if kind_of(layer) in _TELLING:
                self._session.layers.set_visible(layer, False)

    def outline(self, item: Item, mark: Mark | None) -> None:
        """Outline the place of an item, and what the reviewer has marked."""
        corners = []
        if item.place is not None and item.place.box is not None:
            corners.append(rectangle(item.z, around(item.place.box)))
        if mark is not None:
            grow = _POINT if mark.is_point else 0
            ends = (mark.y - grow, mark.y + mark.height + grow)
            sides = (mark.x - grow, mark.x + mark.width + grow)
            corners.append(rectangle(mark.z, (*ends, *sides)))
        layers, image = self._session.layers, self._image
        if image is None or image not in layers:
            return
        if not corners:
            layers.remove(*layers.of_kind("outline"))
            return
        outline(self._session, image, corners, "place")

    def end(self) -> None:
        """Give the viewer back as it was; layers that have gone stay away."""
        if self._opened is None:
            return
        self._session.layers_changed.disconnect(self._cover, missing_ok=True)
        self._opened = None
        layers, viewer = self._session.layers, self._session.viewer
        selected = viewer.layers.selection.active
        ours = selected is None or selected in self._layers.values()
        layers.remove(*self._layers.values(), *layers.of_kind("outline"))
        for layer, name, hidden in self._named:
            if layer.name == hidden:
                layers.rename(layer, name)
        for layer, mode in self._hidden:
            layers.set_visible(layer, True, "" if layer.mode != PAN else mode)
        if ours and self._active in layers and self._active is not None:
            layers.select(self._active)
        self._layers, self._hidden, self._named = {}, [], []
        self._seen.clear()
        self._active = self._image = None

    # -- inside -------------------------------------------------------------

    def _layer(self, mask: int) -> Labels:
        """The layer of a mask, made where it is missing or was deleted."""
        assert self._opened is not None
        found = self._layers.get(mask)
        if found is None or found not in self._session.layers:
            session, planes = self._opened.session, self._opened.planes[mask]
            name = session.mask_name(mask)
            found = self._layers[mask] = self._session.layers.add_classes(
                planes,
                planes.classes,
                kind="scored",
                name=f"mask {name}" if session.blind else f"{name}, scored",
                image=self._image,
            )
        return found

    def _cover(self) -> None:
        """Hide what would cover the mask, layers that came meanwhile too; and their names."""
        if self._opened is None:
            return
        for layer in tuple(self._session.viewer.layers):
            if layer in self._seen or kind_of(layer) in ("scored", "outline"):
                continue
            self._seen.append(layer)
            if not isinstance(layer, Labels) and kind_of(layer) not in _COVERING:
                continue
            if layer.visible:
                self._hidden.append((layer, str(layer.mode)))
                self._session.layers.set_visible(layer, False)
            if self._opened.session.blind and kind_of(layer) in ("mask", "confidence", "preview"):
                name = layer.name
                self._session.layers.rename(layer, f"hidden {len(self._named) + 1}")
                self._named.append((layer, name, layer.name))

    def _fly(self, place: Place | None) -> None:
        """Bring a place to the middle at a size to be seen; whole slices are seen whole."""
        image = self._image
        assert image is not None
        if place is None:
            if self._zoomed:
                self._session.viewer.reset_view()
            self._zoomed = False
            return
        self._zoomed = True
        box = place.box or (place.y, place.y + 1, place.x, place.x + 1)
        look_at(self._session, image, place.z, box, _LEAST_SEEN)

    def _say(self, error: XsegError, mask: int) -> None:
        if self._opened is not None:
            self._session.show_error(self._opened.without_name(error, mask))

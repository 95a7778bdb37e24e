"""What a review shows in the viewer: the overlay of what differs, and the mistake looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_xseg.errors import XsegError
from napari_xseg.gui.planes import LazyPlanes
from napari_xseg.gui.review.comparison import TRUTH_WORDS
from napari_xseg.gui.review.flying import fly_to
from napari_xseg.review.selection import ANY_PAIR, ClassPair

if TYPE_CHECKING:
    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_xseg.data.plane_index import Box
    from napari_xseg.gui.review.comparison import Comparison
    from napari_xseg.gui.session import Session
    from napari_xseg.review.matching import IndexMap
    from napari_xseg.review.mistakes import Mistake

_REMEMBERED = 3


class _FlatPlanes(LazyPlanes):
    """Planes to be looked at one by one: blank where many are asked for at once.

    napari asks for all when it turns to 3D, before it says so to anyone.
    """

    def _stack(self, box: Box) -> NDArray[Any]:
        return super()._stack(box) if len(box.z) == 1 else np.zeros(box.full_shape, self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        whole = np.stack([self.plane(z) for z in range(len(self))])
        return whole if dtype is None else whole.astype(dtype)


class ReviewView:
    """The layers of a review, and where the camera looks.

    Parameters
    ----------
    session : Session
    """

    failed = Signal(XsegError)  # a slice cannot be compared

    def __init__(self, session: Session) -> None:
        self._session = session
        self._comparison: Comparison | None = None
        self._base: Labels | None = None
        self._planes: LazyPlanes | None = None
        self._overlay: Labels | None = None
        self._pair: ClassPair = ANY_PAIR
        self._by_prediction = False
        self._hidden = False
        # What the last overlays were made of, by z.
        self._made: dict[int, tuple[IndexMap, IndexMap]] = {}
        self._words = TRUTH_WORDS
        dims = session.viewer.dims.events
        dims.ndisplay.connect(self._on_dims)
        dims.order.connect(self._on_dims)

    @property
    def overlay(self) -> Labels | None:
        """The layer of what differs; None where there is none, or the user took it away."""
        return self._overlay if self._overlay in self._session.layers else None

    def show(self, comparison: Comparison, base: Labels, words: tuple[str, str]) -> None:
        """Lay what differs over the viewer; `base` is the layer of the truth."""
        self.clear()
        self._comparison, self._base, self._words = comparison, base, words
        self._add()

    def clear(self) -> None:
        """Take overlay and outline away."""
        layers = self._session.layers
        layers.remove(self._overlay, *layers.of_kind("outline"))
        self._comparison = self._base = self._planes = self._overlay = None
        self._made.clear()

    def close(self) -> None:
        """Let go of the viewer."""
        dims = self._session.viewer.dims.events
        dims.ndisplay.disconnect(self._on_dims)
        dims.order.disconnect(self._on_dims)
        self.clear()

    def set_pair(self, pair: ClassPair, *, by_prediction: bool) -> None:
        """Show one pair of classes, or all, in the colour of either class."""
        self._pair, self._by_prediction = pair, by_prediction
        if self._comparison is not None and self.overlay is None:
            self._add()
        self.refresh()

    def refresh(self, *slices: int) -> None:
        """Compare these slices anew, or all."""
        if self._planes is None or self.overlay is None:
            return
        self._planes.forget(*slices)
        if not slices or self._z() in slices:
            self.overlay.refresh(extent=False, thumbnail=False)

    def is_stale(self, z: int) -> bool:
        """Whether slice z of either layer has changed since its overlay was made."""
        if self._comparison is None or z not in self._made:
            return self.overlay is None
        try:
            read = self._comparison.read(z)
        except XsegError:
            return True
        return not all(map(np.array_equal, self._made[z], read))

    def leave_mistake(self) -> None:
        """Take the outline away."""
        self._session.layers.remove(*self._session.layers.of_kind("outline"))

    def fly_to(self, mistake: Mistake) -> None:
        """Bring a mistake to the middle of the canvas, at a size to be seen, and outline it."""
        if self._base is not None and self._base in self._session.layers:
            fly_to(self._session, self._base, mistake, "mistake")

    def _add(self) -> None:
        assert self._comparison is not None
        if self._base is None or self._base not in self._session.layers:
            return
        self._hidden = not self._session.flat
        if self._hidden:  # added when slices are looked at again
            return
        first, second = self._words
        words = "misclassified" if self._words == TRUTH_WORDS else f"{first} / {second} differ"
        self._planes = _FlatPlanes(self._comparison.shape, self._plane, kept=1)
        self._overlay = self._session.layers.add_classes(
            self._planes,
            self._comparison.classes,
            kind="mistakes",
            name=words,
            image=self._base,
        )

    def _plane(self, z: int) -> NDArray[np.uint8]:
        assert self._comparison is not None
        try:
            truth, prediction = self._comparison.read(z)
        except XsegError as error:
            self._made.pop(z, None)
            self.failed.emit(error)
            return np.zeros(self._comparison.shape[1:], np.uint8)
        self._made.pop(z, None)
        self._made[z] = truth.copy(), prediction.copy()
        if len(self._made) > _REMEMBERED:
            del self._made[next(iter(self._made))]
        return self._comparison.overlay(
            truth, prediction, self._pair, by_prediction=self._by_prediction
        )

    def _z(self) -> int | None:
        return self._session.slice_of(self._base)

    def _on_dims(self, _: Any = None) -> None:
        overlay, flat = self.overlay, self._session.flat
        if flat and self._hidden:
            self._hidden = False
            if overlay is not None:
                self._session.layers.set_visible(overlay, True)
            elif self._comparison is not None and self._overlay is None:
                self._add()
        elif not flat and overlay is not None and overlay.visible:
            self._hidden = True
            self._session.layers.set_visible(overlay, False)

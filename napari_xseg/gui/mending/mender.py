"""What is mended at the moment: a mask, a place of it, and a tool; without widgets."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from psygnal import Signal

from napari_xseg.data.label_origins import Origin
from napari_xseg.errors import XsegError
from napari_xseg.gui.label.prefill import class_translation
from napari_xseg.gui.label.slice_edits import accept_mask, mask_origin, slice_in_view
from napari_xseg.gui.layers import classes_of
from napari_xseg.gui.mending import mask_edits
from napari_xseg.gui.project_state import FIRST_CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.label_store import LabelStore
    from napari_xseg.data.mending import Point
    from napari_xseg.events import Box
    from napari_xseg.gui.mending.mask_edits import Plane
    from napari_xseg.gui.review.flying import Place
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Call

Tool = Literal["piece", "place", "holes", "grow", "shrink"]
TOOLS: tuple[Tool, ...] = get_args(Tool)
# Pixels around a place that are taken over with it.
MARGIN = 16


@dataclass(frozen=True, eq=False)
class Target:
    """A place to be mended.

    Attributes
    ----------
    place : Place
    at : str
        What led there: "suspect" or "mistake".
    wrong, right : int
        The label that the mask has there, and the one that it should have; 0 where
        nothing tells.
    """

    place: Place
    at: str
    wrong: int = 0
    right: int = 0

    @property
    def box(self) -> Box:
        """(y0, y1, x0, x1), half open."""
        return (*self.place.y_range, *self.place.x_range)


@dataclass(frozen=True, eq=False)
class _MaskPlanes:
    """The planes of a mask as our labels, from any thread."""

    data: Any
    table: NDArray[np.uint8]

    def read(self, z: int) -> Plane:
        plane = np.asarray(self.data[z] if self.data.ndim == 3 else self.data)
        return self.table[plane.astype(np.uint8)]


@dataclass(frozen=True, eq=False)
class _Order:
    """An edit that waits for those before it."""

    z: int
    change: Callable[[Plane, Plane | None], Plane]
    words: str
    origin: Origin
    mask: _MaskPlanes | None


class Mender:
    """Edits the labels of the session, with what a mask has where there are none.

    Attributes
    ----------
    mask : Labels or None
        The layer whose pieces are taken where nothing is labelled.
    target : Target or None
        The place that is looked at.
    tool : str
        What a click in the picture does; empty for nothing.
    value : int
        The label that pieces are given.
    reach : int
        Pixels that pieces grow or shrink by.
    """

    aimed = Signal()  # another mask, place or label
    tool_changed = Signal()
    done = Signal(str)  # what was done, in words

    def __init__(self, session: Session) -> None:
        self.session = session
        self.mask: Labels | None = None
        self.target: Target | None = None
        self.tool: Tool | Literal[""] = ""
        self.value = 1
        self.reach = 1
        self._orders: deque[_Order] = deque()
        self._call: Call[Any] | None = None
        self._taken: ClassTable | None = None

    # -- what is mended, and how --------------------------------------------

    def aim(self, mask: Labels | None, target: Target | None) -> None:
        """Mend another mask, or at another place.

        Labels that nobody has begun, in classes that nobody has chosen, get those of the
        mask: its model can learn from them then.
        """
        self.mask, self.target = mask, target
        self._take_classes()
        if target is not None and target.right:
            self.value = target.right
        self.aimed.emit()

    def set_value(self, value: int) -> None:
        """Give pieces another label."""
        if 1 <= value <= len(self.session.classes) and value != self.value:
            self.value = value
            self.aimed.emit()

    def set_tool(self, tool: Tool | Literal[""]) -> None:
        """Have clicks in the picture do something else; empty: nothing."""
        if tool != self.tool:
            self.tool = tool
            self.tool_changed.emit()

    # -- edits --------------------------------------------------------------

    def paint(self) -> None:
        """Take up the brush in the session's labels, with the label that is right.

        Raises
        ------
        XsegError
            There is no image.
        """
        session = self.session
        self.set_tool("")
        labels = session.labels if session.labels in session.layers else None
        right = self.target.right if self.target is not None else 0
        session.layers.paint_with(labels or session.new_labels(), right or self.value)

    def act(self, point: Point) -> None:
        """Do at a point (y, x) of the slice in view what the tool does; XsegError as the edits."""
        match self.tool:
            case "piece":
                self.make(point, self.value)
            case "place":
                self.fill(point)
            case "grow" | "shrink" | "holes" as tool:
                self._reshape(point, tool)

    def make(self, point: Point, value: int) -> None:
        """Give the connected piece under a point of the slice in view a label.

        Raises
        ------
        XsegError
            No single slice in view; a mask of other classes. What is found out later,
            such as a point outside, is shown to the user.
        """
        if not 1 <= value <= len(self.session.classes):
            return
        name = self.session.classes.names[value - 1]
        self._order(
            lambda labels, mask: mask_edits.piece_becomes(labels, mask, point, value),
            f"the piece is {name}",
        )

    def fill(self, point: Point) -> None:
        """Fill the place that is looked at with the class under a point; errors as `make`."""
        target, z = self.target, slice_in_view(self.session)
        if target is None or not target.place.z_range[0] <= z < target.place.z_range[1]:
            raise XsegError("There is no place to fill in this slice: choose one in the list.")

        def change(labels: Plane, mask: Plane | None) -> Plane:
            value = mask_edits.value_seen(labels, mask, point)
            return mask_edits.place_becomes(labels, mask, target.box, target.wrong, value)

        self._order(change, f"the {target.at} is filled")

    def take_over(self) -> None:
        """Take the mask around the place that is looked at into the labels; errors as `make`."""
        target, box = self.target, self._around()
        if target is None or box is None or self.mask is None:
            raise XsegError("There is no place of a mask to take over: choose one in the list.")
        self._order(
            lambda labels, mask: mask_edits.taken_over(labels, _need(mask), box),
            "the mask is taken over",
            replace(mask_origin(self.mask), at=target.at, box=box),
            target.place.z,
        )

    def accept(self) -> None:
        """Take the mask's slice in view into all that is not labelled; errors as `make`."""
        z, planes = slice_in_view(self.session), self._planes()
        if planes is None or self.mask is None:
            raise XsegError(f"Slice {z}: there is no mask that could be accepted; choose one.")
        plane = planes.read(z)
        if not plane.any():
            raise XsegError(f"Slice {z}: the mask has nothing here that could be accepted.")
        words = accept_mask(self.session, z, plane, mask_origin(self.mask))
        self._show_labels()
        self.done.emit(words)

    def undo(self) -> None:
        """Take back the last edit or stroke of the labels."""
        labels = self.session.labels
        if labels is None or labels not in self.session.layers or not labels._undo_history:
            self.done.emit("There is nothing to take back.")
            return
        labels.undo()
        self.done.emit("What was last done to the labels is taken back.")

    def close(self) -> None:
        """Let go of the picture, and want nothing any more."""
        self.set_tool("")
        self._orders.clear()
        if self._call is not None:
            self._call.cancel()
        self.mask = self.target = None

    # -- inside -------------------------------------------------------------

    def _take_classes(self) -> None:
        session = self.session
        theirs = None if self.mask is None else classes_of(self.mask)
        begun = session.store is not None and bool(session.store.labelled)
        chosen = session.classes not in (FIRST_CLASSES, self._taken)
        if theirs is None or begun or chosen or theirs.names == session.classes.names:
            return
        with suppress(XsegError):  # a project that cannot be written: an edit will say so
            session.set_classes(theirs)
            self._taken = theirs

    def _reshape(self, point: Point, tool: Literal["grow", "shrink", "holes"]) -> None:
        reach = self.reach

        def change(labels: Plane, mask: Plane | None) -> Plane:
            if tool == "holes":
                return mask_edits.holes_filled(labels, mask, point)
            reshaped = mask_edits.piece_grown if tool == "grow" else mask_edits.piece_shrunk
            return reshaped(labels, mask, point, reach)

        words = {"grow": "the piece grew", "shrink": "the piece shrank", "holes": "holes filled"}
        self._order(change, words[tool])

    def _around(self) -> Box | None:
        if self.target is None:
            return None
        y0, y1, x0, x1 = self.target.box
        return y0 - MARGIN, y1 + MARGIN, x0 - MARGIN, x1 + MARGIN

    def _origin(self, z: int) -> Origin:
        known = Origin("corrected") if self.mask is None else mask_origin(self.mask)
        target = self.target
        if target is None or not target.place.z_range[0] <= z < target.place.z_range[1]:
            return replace(known, kind="corrected")
        return replace(known, kind="corrected", at=target.at, box=target.box)

    def _planes(self) -> _MaskPlanes | None:
        layer, session = self.mask, self.session
        if layer is None or layer not in session.layers or layer is session.labels:
            return None
        theirs, images = classes_of(layer), session.require_images()
        if theirs is None or (1, *layer.data.shape)[-3:] != images.shape:
            raise XsegError(
                f"layer {layer.name!r}: is no mask of {images.name!r}; choose the image that it "
                "was made from."
            )
        table = class_translation(theirs, session.classes, f"layer {layer.name!r}")
        return _MaskPlanes(layer.data, table)

    def _order(
        self,
        change: Callable[[Plane, Plane | None], Plane],
        words: str,
        origin: Origin | None = None,
        z: int | None = None,
    ) -> None:
        """Have an edit made in the background, after those before it."""
        z = slice_in_view(self.session) if z is None else z
        if self.session.store is None or self.session.labels not in self.session.layers:
            self.session.new_labels()
        self._orders.append(_Order(z, change, words, origin or self._origin(z), self._planes()))
        if self._call is None:
            self._next()

    def _next(self) -> None:
        store = self.session.store
        if not self._orders or store is None:
            self._call = None
            return
        order = self._orders[0]
        version = store.version(order.z)

        def work() -> Plane:
            mask = None if order.mask is None else order.mask.read(order.z)
            return order.change(store.read(order.z), mask)

        self._call = self.session.jobs.call(work)
        self._call.returned.connect(lambda plane: self._take(order, store, version, plane))
        self._call.failed.connect(self._on_failed)

    def _take(self, order: _Order, store: LabelStore, version: int, plane: Plane) -> None:
        session, labels = self.session, self.session.labels
        if store is not session.store:  # another image or project: none of this is of it
            self._orders.clear()
        elif labels is not None and labels in session.layers:
            if store.version(order.z) != version:  # painted meanwhile: the edit is made anew
                self._next()
                return
            with session.origins.noting(order.z, order.origin):
                pixels = session.layers.edit_slice(labels, order.z, plane)
            self._show_labels()
            many = f"{pixels:,} pixels of labels changed" if pixels else "nothing changed"
            self.done.emit(f"Slice {order.z}: {order.words}; {many}.")
        if self._orders:
            self._orders.popleft()
        self._next()

    def _show_labels(self) -> None:
        """Let what was mended be seen, over the mask."""
        layers, labels = self.session.layers, self.session.labels
        if labels is not None:
            layers.set_visible(labels, True)
            if self.mask is not None:
                layers.put_over(labels, self.mask)
            for outline in layers.of_kind("outline"):
                layers.put_over(outline, labels)

    def _on_failed(self, error: Exception) -> None:
        self._orders.popleft()
        self._next()
        self.session.show_error(error)


def _need(mask: Plane | None) -> Plane:
    if mask is None:
        raise XsegError("The mask is not there any more; choose another one.")
    return mask

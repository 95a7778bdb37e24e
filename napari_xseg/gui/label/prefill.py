"""Pre-filling the slice in view: its grey values or a model's mask, shown before they are taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_xseg.data.label_origins import Origin
from napari_xseg.data.prefill import (
    GreyHistogram,
    cut_slice,
    fill_unlabelled,
    grey_histogram,
    region_mask,
)
from napari_xseg.errors import XsegError
from napari_xseg.gui.label.region_shapes import outlines_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Image, Shapes
    from numpy.typing import NDArray

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.gui.images import Images
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Call, Job
    from napari_xseg.jobs import SliceRequest


@dataclass(frozen=True, eq=False)
class Look:
    """A slice as it is to be pre-filled: its pixels, and those of the region.

    Attributes
    ----------
    z : int
    images : Images
        The volume of which it is a slice.
    plane : ndarray (y, x)
        Grey values.
    within : ndarray (y, x) of bool, optional
        The region; all pixels without it.
    histogram : GreyHistogram, optional
        Of the pixels within; None where there are none.
    """

    z: int
    images: Images
    plane: NDArray[Any]
    within: NDArray[np.bool_] | None
    histogram: GreyHistogram | None


class Latest:
    """Has only the latest wish computed, one at a time, in a background thread.

    Parameters
    ----------
    session : Session
    returned, failed : callable
        Get the result, or the XsegError, in the main thread; only of the latest wish.
    """

    def __init__(
        self,
        session: Session,
        returned: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._session = session
        self._returned = returned
        self._failed = failed
        self._wish: Callable[[], Any] | None = None
        self._call: Call[Any] | None = None

    @property
    def busy(self) -> bool:
        """Whether a result is to come."""
        return self._call is not None

    def ask(self, wish: Callable[[], Any]) -> None:
        """Have `wish` computed; what was asked for before is dropped."""
        self._wish = wish
        if self._call is None:
            self._start()

    def drop(self) -> None:
        """Ask for nothing any more."""
        self._wish = None
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _start(self) -> None:
        wish, self._wish = self._wish, None
        if wish is None:
            return
        self._call = self._session.jobs.call(wish)
        self._call.returned.connect(self._on_returned)
        self._call.failed.connect(self._on_failed)

    def _on_returned(self, result: Any) -> None:
        self._end(lambda: self._returned(result))

    def _on_failed(self, error: Exception) -> None:
        self._end(lambda: self._failed(error))

    def _end(self, tell: Callable[[], None]) -> None:
        self._call = None
        if self._wish is None:
            tell()
        else:
            self._start()


class Prefill:
    """Masks for the slice in view that are shown as a preview, and taken by `apply`.

    Attributes
    ----------
    region : Shapes or None
        The layer within whose areas it works; the whole slice without one.
    preview : bool
        Whether masks are shown before they are taken.
    look : Look or None
        The slice that was read last.
    origin : Origin
        What is said of labels that are taken from the mask.
    """

    looked = Signal()  # `look` is another slice, or the same within another region
    changed = Signal()  # there is, or is no more, a mask to take
    failed = Signal(Exception)

    def __init__(self, session: Session) -> None:
        self._session = session
        self.region: Shapes | None = None
        self.preview = True
        self.look: Look | None = None
        self.origin = Origin("prefilled")
        self._reading = Latest(session, self._on_look, self._on_failed)
        self._cutting = Latest(session, self._on_mask, self._on_failed)
        self._job: Job | None = None
        self._mask: tuple[int, NDArray[np.uint8]] | None = None
        self._shown: set[int] = set()
        self._apply_next = False

    # -- the slice ----------------------------------------------------------

    def read(self) -> None:
        """Read the slice in view, and the region on it; `looked` follows.

        Raises
        ------
        XsegError
            No image, no slice in view, or a region with nothing on this slice.
        """
        images, image, z = self._in_view()
        outlines = None if self.region is None else outlines_on(self.region, image, z)

        def look() -> Look:
            plane = images.volume.read(z)
            within = None if outlines is None else region_mask(outlines, plane.shape)
            return Look(z, images, plane, within, grey_histogram(plane, within))

        self._reading.ask(look)

    def mask_at(self, z: int | None) -> NDArray[np.uint8] | None:
        """The mask (y, x) that is shown on slice z, as labels; None where there is none."""
        return self._mask[1] if self._mask is not None and self._mask[0] == z else None

    # -- the mask -----------------------------------------------------------

    def cut(self, cuts: tuple[float, ...], order: tuple[int, ...]) -> None:
        """Show the slice parted by grey values; see `cut_slice`."""
        look = self.look
        if look is None:
            return
        self.origin = Origin("prefilled")
        self._cutting.ask(lambda: (look.z, cut_slice(look.plane, cuts, order, look.within)))

    def predict(self) -> None:
        """Show the mask that the chosen model gives this slice.

        Raises
        ------
        XsegError
            No image or no model chosen, or one with other classes.
        """
        from napari_xseg.model.metadata import read_model_info

        images, image, z = self._in_view()
        model = self._session.model
        if model is None:
            raise XsegError("There is no model yet: train one, or choose one in the Predict dock.")
        outlines = None if self.region is None else outlines_on(self.region, image, z)
        info = read_model_info(model)
        table = class_translation(info.classes, self._session.classes, str(model))
        self.origin = Origin("accepted", model=info.identity)
        folder, match = self._session.jobs.engine.folder, self._session.match_intensity

        def prepare() -> SliceRequest:
            from napari_xseg.jobs import SliceRequest

            source = images.for_job([z], info.context, folder)
            return SliceRequest(
                model=model, images=source, z=z, folder=folder, match_intensity=match
            )

        self._cutting.drop()
        job = self._job = self._session.jobs.run(
            f"Predicting slice {z}", prepare, worth_asking=False
        )
        job.events.connect(lambda events: self._on_events(job, events, images, outlines, table))
        job.events.connect(self._session.warn_of)
        job.ended.connect(lambda: self._on_ended(job))

    def apply(self) -> bool:
        """Take the mask into the labels, where nothing is labelled; one step to undo.

        Where the mask of the slice in view is not there yet, False is returned, and
        it is taken as soon as it comes.
        """
        if self._cutting.busy or self._mask is None or self._mask[0] != self._session.z:
            self._apply_next = True
            return False
        z, mask = self._mask
        self.hide()
        with self._session.origins.noting(z, self.origin):
            gained = take_mask(self._session, z, mask)
        if not gained:
            self._session.notify(self._why_nothing(z))
        return True

    def _why_nothing(self, z: int) -> str:
        store = self._session.store
        if store is not None and store[z].all():
            return f"Slice {z}: all of it is labelled already; nothing was changed."
        return f"Slice {z}: the mask says nothing where labels are missing; nothing was changed."

    @property
    def waiting(self) -> bool:
        """Whether the next mask is to be taken as soon as it comes."""
        return self._apply_next

    def hide(self) -> None:
        """Take the mask away."""
        self._cutting.drop()
        self._session.layers.hide_preview(*self._shown)
        self._shown.clear()
        self._session.live.release()
        self._mask = None
        self._job = None
        self._apply_next = False
        self.changed.emit()

    def redraw(self) -> None:
        """Show the mask where nothing is labelled, as the labels are."""
        session, images = self._session, self._session.images
        if not self.preview or self._mask is None or images is None or session.image is None:
            return
        z, mask = self._mask
        if session.store is not None:
            mask = np.where(session.store[z] == 0, mask, np.uint8(0))
        height, width = mask.shape
        session.live.hold(z)
        session.layers.show_preview(
            z,
            (0, height, 0, width),
            mask,
            classes=session.classes,
            shape=images.shape,
            image=session.image,
        )
        self._shown.add(z)

    def close(self) -> None:
        """Want nothing any more."""
        self._reading.drop()
        self._cutting.drop()
        self._session.live.release()
        self._job = None
        self.look = None

    # -- inside -------------------------------------------------------------

    def _in_view(self) -> tuple[Images, Image, int]:
        images, image, z = self._session.require_images(), self._session.image, self._session.z
        if z is None or image is None:
            raise XsegError("No single slice is in view: leave the 3D display, and look along z.")
        return images, image, z

    def _on_look(self, look: Look) -> None:
        if look.images is self._session.images:
            self.look = look
            self.looked.emit()

    def _on_mask(self, found: tuple[int, NDArray[np.uint8]]) -> None:
        images = self._session.images
        if images is None or found[1].shape != images.shape[1:] or found[0] != self._session.z:
            return  # the user has gone on meanwhile
        self._mask = found
        self.redraw()
        self.changed.emit()
        if self._apply_next:
            self.apply()

    def _on_failed(self, error: Exception) -> None:
        self._apply_next = False
        self.failed.emit(error)

    def _on_events(
        self,
        job: Job,
        events: list[Any],
        images: Images,
        outlines: list[NDArray[np.float64]] | None,
        table: NDArray[np.uint8],
    ) -> None:
        from napari_xseg.events import Preview
        from napari_xseg.gui.live import read_preview

        for preview in (event for event in events if isinstance(event, Preview)):
            indices = read_preview(preview)
            if indices is None or job is not self._job or images is not self._session.images:
                continue
            y0, y1, x0, x1 = preview.box
            mask = np.zeros(images.shape[1:], np.uint8)
            # 255, no class, wraps to 0
            mask[y0:y1, x0:x1] = table[np.add(indices, 1, dtype=np.uint8)]
            if outlines is not None:
                mask[~region_mask(outlines, mask.shape)] = 0
            self._on_mask((preview.z, mask))

    def _on_ended(self, job: Job) -> None:
        if job.error is not None:
            self.failed.emit(job.error)


def take_mask(session: Session, z: int, mask: NDArray[np.uint8]) -> int:
    """Take the labels of `mask` (y, x) into slice z where nothing is labelled; can be undone.

    The project is made, and its labels shown, where that was not done yet. Returns
    the number of pixels that were labelled.
    """
    layer = session.labels if session.labels in session.layers else None
    layer = layer or session.new_labels()
    return session.layers.edit_slice(layer, z, fill_unlabelled(np.asarray(layer.data[z]), mask))


def class_translation(theirs: ClassTable, ours: ClassTable, source: str) -> NDArray[np.uint8]:
    """Our label (256,) by the label of another class table: by name, or by place.

    XsegError, naming `source`, where neither the names nor the number of classes fit.
    """
    table = np.zeros(256, np.uint8)
    if set(theirs.names) <= set(ours.names):
        table[1 : len(theirs) + 1] = [ours.names.index(name) + 1 for name in theirs.names]
    elif len(theirs) == len(ours):
        table[1 : len(theirs) + 1] = range(1, len(ours) + 1)
    else:
        raise XsegError(
            f"{source}: has the classes {', '.join(theirs.names)}, the labels have "
            f"{', '.join(ours.names)}; choose a model of the same classes, or train one."
        )
    return table

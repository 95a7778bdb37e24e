"""What is done with the labels of a whole slice: accept, copy, clear. Each is one step to undo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.label_origins import Origin
from napari_xseg.errors import XsegError
from napari_xseg.gui.label.prefill import class_translation, take_mask
from napari_xseg.gui.layers import KEY, classes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Labels, Layer
    from numpy.typing import NDArray

    from napari_xseg.gui.label.prefill import Prefill
    from napari_xseg.gui.session import Session


def accept_slice(session: Session, prefill: Prefill) -> str:
    """Take the mask that is shown into the unlabelled pixels of the slice in view.

    The pre-filled mask comes first, then the preview of a model, then a predicted
    mask that is visible.

    Returns
    -------
    str
        What was done, for the user.

    Raises
    ------
    XsegError
        No mask is shown, or it is one of other classes.
    """
    z = slice_in_view(session)
    mask, origin = prefill.mask_at(z), prefill.origin
    if mask is None:
        mask, origin = shown_mask(session, z)
    if mask is None:
        if session.store is not None and session.store[z].all():
            return f"Slice {z} is labelled already, all of it."
        raise XsegError(
            f"Slice {z}: no mask is shown that could be accepted; pre-fill the slice, or show the "
            "mask of a model."
        )
    prefill.hide()
    return accept_mask(session, z, mask, origin)


def accept_mask(session: Session, z: int, mask: NDArray[np.uint8], origin: Origin) -> str:
    """Take a mask (y, x), our labels, into slice z where nothing is labelled; says what it did."""
    with session.origins.noting(z, origin):
        gained = take_mask(session, z, mask)
    left = 0 if session.store is None else int(np.count_nonzero(session.store[z] == 0))
    rest = f"{left:,} pixels stay not labelled" if left else "all of it is labelled"
    return f"Slice {z}: {gained:,} pixels were labelled; {rest}."


def shown_mask(session: Session, z: int) -> tuple[NDArray[np.uint8] | None, Origin]:
    """The mask (y, x) that a preview or a predicted mask shows on slice z, as our labels."""
    for kind in ("preview", "mask"):
        for layer in session.layers.of_kind(kind):  # type: ignore[arg-type]
            plane = plane_of(layer, z, session) if layer.visible else None  # type: ignore[arg-type]
            if plane is not None:
                return plane, mask_origin(layer)
    return None, Origin("accepted")


def copy_slice(session: Session, step: int) -> None:
    """Copy the labels of the slice in view to its neighbour, where that has none, and go there.

    Raises
    ------
    XsegError
        No labels here, or no neighbour on that side.
    """
    z = slice_in_view(session)
    there = z + step
    if session.store is None or not session.store[z].any():
        raise XsegError(f"Slice {z}: has no labels that could be copied; label it first.")
    if not 0 <= there < session.store.shape[0]:
        side = "last" if step > 0 else "first"
        raise XsegError(f"Slice {z}: is the {side} one; there is none to copy its labels to.")
    with session.origins.noting(there, Origin("copied", source=f"slice {z}")):
        take_mask(session, there, session.store[z])
    session.go_to(there)


def clear_slice(session: Session, agreed: Callable[[int, int], bool]) -> None:
    """Remove all labels of the slice in view.

    Parameters
    ----------
    agreed : callable
        Gets z and the number of labelled pixels; False keeps them.
    """
    z = slice_in_view(session)
    if session.store is None:
        return
    pixels = int(np.count_nonzero(session.store[z]))
    if pixels and agreed(z, pixels):
        layer = session.labels if session.labels in session.layers else None
        empty = np.zeros(session.store.shape[1:], np.uint8)
        with session.origins.noting(z, None):
            session.layers.edit_slice(layer or session.new_labels(), z, empty)


def slice_in_view(session: Session) -> int:
    """The z in view; XsegError in 3D, seen from the side, and without an image."""
    session.require_images()
    if session.z is None:
        raise XsegError("No single slice is in view: leave the 3D display, and look along z.")
    return session.z


def plane_of(layer: Labels, z: int, session: Session) -> NDArray[np.uint8] | None:
    """Slice z (y, x) of a mask as our labels; None where it has nothing there.

    XsegError where its classes are not those of the labels. May be called from any thread.
    """
    images, theirs = session.images, classes_of(layer)
    shape = (1, *layer.data.shape)[-3:]
    if images is None or theirs is None or shape != images.shape:
        return None
    plane = np.asarray(layer.data[z] if layer.data.ndim == 3 else layer.data).astype(np.uint8)
    if not plane.any():
        return None
    mask: NDArray[np.uint8] = class_translation(theirs, session.classes, f"layer {layer.name!r}")[
        plane
    ]
    return mask


def mask_origin(layer: Layer, **more: Any) -> Origin:
    """What is said of labels that are accepted from a mask: its model, and its file."""
    known = layer.metadata.get(KEY, {})
    path, model = known.get("path"), known.get("model")
    return Origin(
        "accepted", model=str(model or ""), mask="" if path is None else Path(path).name, **more
    )

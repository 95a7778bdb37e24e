"""The volume without labels that the best model under noise predicted, and its mask, as layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_xseg.errors import XsegError
from napari_xseg.gui.images import images_of
from napari_xseg.gui.opening import image_layer_data, open_path
from napari_xseg.gui.predict.mask_layers import MaskFile, open_mask
from napari_xseg.gui.predict.mask_list import show_mask

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Image

    from napari_xseg.gui.opening import LayerData
    from napari_xseg.gui.session import Session


@dataclass(frozen=True, eq=False)
class PredictedVolume:
    """A mask, and the data of an Image layer with what it was made from."""

    mask: MaskFile
    image: LayerData
    uri: str


def read_predicted(mask: Path, images: str) -> PredictedVolume:
    """Open both; call it in a background thread.

    XsegError where one of them cannot be read.
    """
    opened = open_path(images).images
    if opened is None:
        raise XsegError(f"{images}: holds no image; the mask {mask} was made from one.")
    return PredictedVolume(open_mask(mask), image_layer_data(opened), opened.uri)


def show_predicted(session: Session, found: PredictedVolume) -> None:
    """Work on the volume, with its mask over it, so that Review finds both."""
    layer: Any = _layer_of(session, found.uri) or session.layers.add(*found.image)
    session.set_image(layer)
    if session.slice_of(layer) is None:  # the view is beside the volume, or shows no single slice
        session.flatten()
        session.go_to(session.require_images().shape[0] // 2)
    show_mask(session, found.mask)


def _layer_of(session: Session, uri: str) -> Image | None:
    for layer in session.layers.images():
        try:
            if images_of(layer).volume.uri == uri:
                return layer
        except XsegError:  # such as a colour image
            continue
    return None

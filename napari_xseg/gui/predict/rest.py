"""How a mask that was cut short is gone on with: its model, its image, its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_xseg.errors import XsegError
from napari_xseg.gui.images import images_of
from napari_xseg.gui.predict.kept_masks import LONGEST
from napari_xseg.gui.predict.prediction import PredictOptions, PredictPlan, model_name
from napari_xseg.model.metadata import ModelInfo, read_model_info

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari.layers import Image

    from napari_xseg.gui.images import Images
    from napari_xseg.gui.predict.kept_masks import KeptMask
    from napari_xseg.gui.session import Session


def rest_plan(session: Session, mask: KeptMask) -> tuple[PredictPlan, Image]:
    """Plan the missing slices of a mask as it was begun.

    Returns
    -------
    PredictPlan, Image
        The prediction, and the layer with the images. The engine looks whether they are
        those that the mask was begun from.

    Raises
    ------
    XsegError
        Nothing is missing; the model or the image is not at hand.
    """
    if not mask.can_be_gone_on_with:
        raise XsegError(f"{mask.path.name}: nothing is known to be missing; predict it anew.")
    model, info = _model(session, mask)
    layer, images = _images(session, mask)
    out = mask.target
    if out != mask.path and out.exists():
        out = session.require_project().new_mask(model_name(info), images.name[:LONGEST])
    options = PredictOptions(mask.confidence is not None, mask.match_intensity, mask.region)
    folder, overwrite = session.jobs.engine.folder, out == mask.path
    plan = PredictPlan(
        model, info, images, mask.wanted, out, options, folder, overwrite, rest_of=mask.path
    )
    return plan, layer


def _model(session: Session, mask: KeptMask) -> tuple[Path, ModelInfo]:
    """The file with the identity that the mask names, wherever it is now."""
    for path in _candidates(session, mask):
        try:
            info = read_model_info(path)
        except XsegError:
            continue
        if info.identity == mask.model:
            return path, info
    raise XsegError(
        f"{mask.path.name}: its model is not at {mask.model_file} any more; choose it under Model."
    )


def _candidates(session: Session, mask: KeptMask) -> Iterator[Path]:
    if mask.model_file is not None:
        yield mask.model_file
    if session.model is not None:
        yield session.model
    if session.project is not None:
        yield from (run.path for run in session.project.runs() if run.usable)


def _images(session: Session, mask: KeptMask) -> tuple[Image, Images]:
    """The layer that the mask was made from; else the chosen one, which may have moved."""
    for layer in session.layers.images():
        try:
            images = images_of(layer)
        except XsegError:  # such as a colour image
            continue
        if images.volume.uri == mask.images and max(mask.wanted) < images.shape[0]:
            return layer, images
    image, chosen = session.image, session.images
    if image is None or chosen is None or max(mask.wanted) >= chosen.shape[0]:
        raise XsegError(f"{mask.path.name}: its image {mask.images} is not open; open it.")
    return image, chosen

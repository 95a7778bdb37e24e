"""Labels copied into a store: those of another program, or those that lost their project."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.project import Project, default_folder

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.label_store import LabelStore


def copy_labels(data: Any, store: LabelStore, classes: ClassTable | None, name: str) -> None:
    """Copy label planes into a store: layer values as they are, or encoded by `classes`."""
    for z in range(store.shape[0]):
        plane = np.asarray(data[z] if data.ndim == 3 else data)
        if classes is not None:
            plane = classes.to_layer(classes.encode(plane, source=f"{name}, slice {z}"))
        if plane.any():
            store.write(z, plane.astype(np.uint8))


def rescue_labels(store: LabelStore, project: Project) -> Path:
    """Write the labels of a project that cannot be written into a new one in the documents.

    Gives its folder; XsegError where that cannot be written either.
    """
    name = f"{project.image_name}-rescued-{time.strftime('%Y%m%d-%H%M%S')}"
    folder = default_folder(None, name)
    rescued = Project.create(
        folder, image=project.image, shape=project.shape, classes=project.classes
    )
    try:
        kept = rescued.labels()
        copy_labels(store, kept, None, name)
        kept.close()
    finally:
        rescued.close()
    return folder

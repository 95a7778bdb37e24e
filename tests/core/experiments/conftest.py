from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_xseg.data.phantom import phantom
from napari_xseg.data.volume import volume_from_array
from napari_xseg.data.writing import save_volume
from napari_xseg.experiments.material import Source

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.experiments.material import Material


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A phantom of 24 labelled slices in files."""
    folder: Path = tmp_path_factory.mktemp("phantom")
    images, labels = phantom((24, 96, 96), seed=1)
    save_volume(folder / "images.tif", volume_from_array(images))
    save_volume(folder / "labels.tif", volume_from_array(labels, meaning="labels"))
    return Source(
        images=str(folder / "images.tif"), labels=str(folder / "labels.tif"), unlabelled="none"
    )


@pytest.fixture(scope="session")
def material(source: Source) -> Material:
    return source.open()

"""A phantom whose mask is right but for what a test plants in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import tifffile

from napari_xseg.data.phantom import phantom
from napari_xseg.data.volume import volume_from_array
from napari_xseg.review.suspects.job import SuspectsJob, Targets
from napari_xseg.review.suspects.masks import open_mask
from napari_xseg.review.suspects.run import find_suspects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

    from napari_xseg.review.suspects.table import Suspects

DEPTH = 7


@pytest.fixture(scope="session")
def scan() -> tuple[np.ndarray, np.ndarray]:
    """Images and label values (7, 96, 80) of a phantom."""
    return phantom((DEPTH, 96, 80), seed=4)


@pytest.fixture
def planted(scan: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Images, and label values to plant faults in."""
    return scan[0].copy(), scan[1].copy()


@pytest.fixture
def inner(scan: tuple[np.ndarray, np.ndarray]) -> Callable[[int], tuple[int, int, int]]:
    """The middle of a square of one class that slices z - 1 to z + 1 share; and its value."""

    def find(z: int, side: int = 15) -> tuple[int, int, int]:
        near = scan[1][max(0, z - 1) : z + 2]
        half = side // 2
        for y in range(half + 1, near.shape[1] - half - 1):
            for x in range(half + 1, near.shape[2] - half - 1):
                square = near[:, y - half : y + half + 1, x - half : x + half + 1]
                if square.min() == square.max():
                    return y, x, int(square.flat[0])
        raise LookupError(f"no square of one class in slice {z}")

    return find


@pytest.fixture
def job_of(tmp_path: Path) -> Callable[..., SuspectsJob]:
    """A job on arrays; the mask is written to a TIFF."""

    def make(
        images: np.ndarray, values: np.ndarray, *, neighbours: bool = True, **more: Any
    ) -> SuspectsJob:
        volume = volume_from_array(images, "scan", neighbours=neighbours)
        path = tmp_path / "mask.tif"
        tifffile.imwrite(path, values, photometric="minisblack")
        settings: dict[str, Any] = {
            "slices": tuple(range(len(volume))),
            "targets": Targets(kept=tmp_path / "mask.tif.suspects.json", overwrite=True),
            "mask": open_mask(path, volume),
            **more,
        }
        return SuspectsJob(images=volume, **settings)

    return make


@pytest.fixture
def look(job_of: Callable[..., SuspectsJob], finish: Any) -> Callable[..., Suspects]:
    """Suspects of arrays."""

    def run(*arrays: Any, **more: Any) -> Suspects:
        found: Suspects = finish(find_suspects(job_of(*arrays, **more)))[0]
        return found

    return run

"""The sample data: small synthetic volumes as folders of TIFF files."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tifffile

from napari_xseg.data.lis_like import lis_like_slices
from napari_xseg.data.phantom import phantom_slices
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPE = (40, 256, 256)
LIS_LIKE_SHAPE = (6, 256, 256)
SEED = 0


@dataclass(frozen=True, slots=True)
class SamplePaths:
    """Folders of one-slice files, each with the slice's z in its name."""

    images: Path
    labels: Path
    lis_like: Path


def write_sample(
    directory: str | Path,
    *,
    shape: tuple[int, int, int] = SHAPE,
    lis_like_shape: tuple[int, int, int] = LIS_LIKE_SHAPE,
    seed: int = SEED,
    overwrite: bool = False,
) -> SamplePaths:
    """Make the sample volumes and write them below `directory`.

    Parameters
    ----------
    directory
        Made where it is missing; what else it holds is left alone.
    shape, lis_like_shape
        (z, y, x) of the labelled volume and of the one without labels.
    seed
        0 or more; the same seed gives the same pixels.
    overwrite
        Replace the folders `images`, `labels` and `lis_like` where they exist.

    Returns
    -------
    SamplePaths
        `images` holds uint16 slices, `labels` uint8 ones with the values 0, 128
        and 255, `lis_like` float32 ones; all are zlib-compressed TIFF.

    Raises
    ------
    XsegError
        Where one of the folders exists and `overwrite` is not set, or where
        nothing can be written there. Nothing half-written remains.
    """
    root = Path(directory)
    paths = SamplePaths(root / "images", root / "labels", root / "lis_like")
    targets = (paths.images, paths.labels, paths.lis_like)
    taken = next((path for path in targets if path.exists()), None)
    if taken and not overwrite:
        raise XsegError(f"{taken}: exists already; choose another folder or use --overwrite.")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".sample-") as name:
            made = [Path(name) / path.name for path in targets]
            _write_phantom(made[0], made[1], shape, seed)
            _write_lis_like(made[2], lis_like_shape, seed)
            for folder, target in zip(made, targets, strict=True):
                if target.exists():
                    shutil.rmtree(target)
                folder.rename(target)
    except OSError as error:
        raise XsegError(
            f"{root}: the sample cannot be written there ({error.strerror}); "
            "choose a folder on a disk with room where you may write."
        ) from error
    return paths


def _write_phantom(images: Path, labels: Path, shape: tuple[int, int, int], seed: int) -> None:
    images.mkdir()
    labels.mkdir()
    for z, (image, label) in enumerate(phantom_slices(shape, seed)):
        _write(images / f"image_{z:03d}.tif", image)
        _write(labels / f"label_{z:03d}.tif", label)


def _write_lis_like(folder: Path, shape: tuple[int, int, int], seed: int) -> None:
    folder.mkdir()
    for z, image in enumerate(lis_like_slices(shape, seed)):
        _write(folder / f"lis_like_{z:03d}.tif", image)


def _write(path: Path, plane: NDArray[Any]) -> None:
    tifffile.imwrite(path, plane, compression="zlib", predictor=True, metadata=None)

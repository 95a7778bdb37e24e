"""Volumes out: slice by slice into a TIFF or an OME-Zarr that appears when it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_xseg.data.formats.atomic import (
    atomic_path,
    remove,
    temporary_beside,
    write_atomic,
    writing_to,
)
from napari_xseg.data.formats.slice_writer import Compression, SliceWriter
from napari_xseg.data.formats.source import check_numeric
from napari_xseg.data.formats.tiff_writer import TiffWriter
from napari_xseg.data.formats.zarr_store import is_zarr
from napari_xseg.data.formats.zarr_writer import ZarrWriter
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_xseg.data.formats.source import VoxelSize
    from napari_xseg.data.volume import ArrayLike, Volume

__all__ = [
    "SliceWriter",
    "atomic_path",
    "check_output",
    "create_writer",
    "save_volume",
    "write_atomic",
]

_TIFF_SUFFIXES = (".tif", ".tiff")


def check_output(path: str | Path, *, overwrite: bool = False, inputs: Iterable[Path] = ()) -> Path:
    """Check, before work starts, that an output may be written to `path`.

    Parameters
    ----------
    path
        Where the output shall be. Missing folders are made.
    overwrite
        Whether an older output may be replaced.
    inputs
        Files that the output is made from, which it may not replace.

    Returns
    -------
    Path
        `path` with home and links resolved.

    Raises
    ------
    XsegError
        Where something is there and `overwrite` is not set, or is not what an
        output could replace, or is an input, or the folder takes no files.
    """
    target = Path(path).expanduser()
    with writing_to(target):
        target = target.resolve() if target.is_symlink() else target
        there = target.exists()
    if there:
        _check_replaceable(target, overwrite, inputs)
    probe = temporary_beside(target)
    with writing_to(target):
        probe.touch()
    remove(probe)
    return target


def _check_replaceable(target: Path, overwrite: bool, inputs: Iterable[Path]) -> None:
    if not overwrite:
        raise XsegError(f"{target}: is there already; choose another name, or --overwrite.")
    is_zarr_output = target.suffix.casefold() == ".zarr" and is_zarr(target)
    if target.is_dir() and not is_zarr_output:
        raise XsegError(f"{target}: is a folder and no such output; choose another name.")
    real = target.resolve()
    if any(real == one or real in one.parents for one in map(Path.resolve, inputs)):
        raise XsegError(f"{target}: is an input of this work; choose another name.")


def create_writer(
    path: str | Path,
    shape: tuple[int, int, int],
    dtype: npt.DTypeLike,
    *,
    voxel_size: VoxelSize | None = None,
    colours: Mapping[int, tuple[int, int, int]] | None = None,
    compression: Compression = "auto",
    overwrite: bool = False,
    inputs: Iterable[Path] = (),
) -> SliceWriter:
    """Make a writer of slices into one multi-page TIFF or one OME-Zarr 0.5.

    Parameters
    ----------
    path
        Ending in .tif, .tiff or .zarr.
    shape
        (z, y, x).
    dtype
        Of the planes.
    voxel_size
        Kept in ImageJ's tags (TIFF) or the scale (Zarr).
    colours
        (r, g, b) of values: a palette in an 8-bit TIFF, label colours in a Zarr.
    compression
        `auto` is PackBits for 8-bit TIFFs (labels shrink to a tenth at 0.5 ms a
        megapixel), zlib for others, zstd for Zarr; all are lossless.
    overwrite
        Whether an older output may be replaced; it stays until the new one is whole.
    inputs
        Files that the output is made from, which it may not replace.

    Returns
    -------
    SliceWriter
        To be used in a `with` statement.

    Raises
    ------
    XsegError
        Where the path cannot be written or ends in something else.
    """
    values = np.dtype(dtype)
    check_numeric(values, str(path))
    kind = Path(path).suffix.casefold()
    if kind not in (*_TIFF_SUFFIXES, ".zarr"):
        raise XsegError(f"{path}: outputs end in .tif, .tiff or .zarr; give such a name.")
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"a volume has the shape (z, y, x), not {shape}")
    target = check_output(path, overwrite=overwrite, inputs=inputs)
    writer = ZarrWriter if kind == ".zarr" else TiffWriter
    return writer(target, shape, values, voxel_size, colours, compression)


def save_volume(
    path: str | Path,
    slices: Volume | ArrayLike,
    *,
    voxel_size: VoxelSize | None = None,
    colours: Mapping[int, tuple[int, int, int]] | None = None,
    compression: Compression = "auto",
    overwrite: bool = False,
) -> None:
    """Write a whole volume or array (z, y, x) or (y, x), one plane at a time.

    Parameters as for `create_writer`; the voxel size is by default the volume's own.

    Raises
    ------
    XsegError
        As `create_writer` and the reading of `slices` do.
    """
    flat = len(slices.shape) == 2
    shape = (1, *slices.shape) if flat else slices.shape
    depth, height, width = shape
    with create_writer(
        path,
        (depth, height, width),
        slices.dtype,
        voxel_size=voxel_size or getattr(slices, "voxel_size", None),
        colours=colours,
        compression=compression,
        overwrite=overwrite,
        inputs=getattr(slices, "files", ()),
    ) as writer:
        for z in range(depth):
            writer.write(z, np.asarray(slices[:] if flat else slices[z]))

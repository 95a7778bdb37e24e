"""Volumes made of another one, a slice at a time: noisy copies, and two in one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.formats.source import stack_source
from napari_xseg.data.volume import Volume
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike, NDArray


def noisy_volume(images: Volume, std: float, seed: int = 0) -> Volume:
    """The images with Gaussian noise, clipped and rounded to their dtype.

    Parameters
    ----------
    images : Volume
        (z, y, x).
    std : float
        Standard deviation in the images' counts; 0 gives the images as they are.
    seed : int
        The same slice has the same noise each time, whatever is read before it.
    """
    if std < 0:
        raise XsegError(f"noise of sd {std:g}: give 0 or more, in the images' counts.")
    if std == 0:
        return images

    def read(z: int) -> NDArray[Any]:
        plane = images.read(z)
        return add_noise(plane, std, np.random.default_rng([seed, z]))

    return _volume(images, images.shape, read, f"{images.name} + noise {std:g}")


def add_noise(plane: NDArray[Any], std: float, rng: np.random.Generator) -> NDArray[Any]:
    """A plane with Gaussian noise of sd `std` counts, clipped and rounded to its dtype."""
    return as_dtype(plane + rng.normal(0.0, std, plane.shape), plane.dtype)


def as_dtype(counts: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """Counts clipped and rounded to `dtype`; floats are only cast."""
    kind = np.dtype(dtype)
    if kind.kind not in "iu":
        return counts.astype(kind)
    limits = np.iinfo(kind)
    # The largest float below the limit, since 2**64 - 1 rounds up.
    top = float(limits.max) if limits.bits <= 32 else np.nextafter(float(limits.max), 0.0)
    whole: NDArray[Any] = np.clip(np.rint(counts), float(limits.min), top).astype(kind)
    return whole


def joined_volume(first: Volume, second: Volume) -> Volume:
    """The slices of `first`, then those of `second`; the two are no neighbours.

    XsegError where their slices differ in size or dtype.
    """
    if first.shape[1:] != second.shape[1:] or first.dtype != second.dtype:
        raise XsegError(f"{second.name}: its slices are not like those of {first.name}.")
    depth = len(first)

    def read(z: int) -> NDArray[Any]:
        return first.read(z) if z < depth else second.read(z - depth)

    shape = (depth + len(second), *first.shape[1:])
    return _volume(
        first, shape, read, f"{first.name}, {second.name}", runs=(*first.runs, *second.runs)
    )


def _volume(
    like: Volume,
    shape: tuple[int, int, int],
    read: Callable[[int], NDArray[Any]],
    name: str,
    *,
    runs: tuple[int, ...] | None = None,
) -> Volume:
    source = stack_source(
        Path(name),
        shape,
        like.dtype,
        read,
        name=name,
        list_files=lambda: like.files,
        voxel_size=like.voxel_size,
    )
    return Volume(replace(source, runs=like.runs if runs is None else runs))

"""The slices of an image layer, as the engine takes them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.volume import Volume, volume_from_array
from napari_xseg.errors import XsegError
from napari_xseg.gui.lazy import LazyImage
from napari_xseg.jobs import ArrayFile, FileSource, Source, share_planes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from napari.layers import Image
    from numpy.typing import NDArray

_FILE_NUMBERS = count(1)


@dataclass(frozen=True, eq=False)
class Images:
    """A volume, and how a job in another process comes to it.

    Attributes
    ----------
    name : str
        The layer's, for messages.
    volume : Volume
        (z, y, x), lazy.
    source : FileSource or ArrayFile, optional
        Where the job opens the slices itself. Without it they are in this
        process's memory, or wherever another reader gets them from.
    """

    name: str
    volume: Volume
    source: Source | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x) in pixels."""
        return self.volume.shape

    @property
    def address(self) -> dict[str, Any]:
        """How a project opens the image again: its path, or the layer's name."""
        if isinstance(self.source, FileSource):
            return self.source.model_dump(exclude_none=True)
        return {"name": self.name}

    def for_job(self, slices: Iterable[int], context: int, folder: Path) -> Source:
        """What a job is given so that it can read `slices`, with `context` neighbours each side.

        Slices that lie in memory are written to a new file in `folder`: these alone,
        one at a time. Call it in a background thread.

        Raises
        ------
        XsegError
            A full disk; slices that cannot be read.
        """
        if self.source is not None:
            return self.source
        wanted = {
            min(max(z + offset, 0), len(self.volume) - 1)
            for z in slices
            for offset in range(-context, context + 1)
        }
        return share_planes(
            folder / f"planes-{next(_FILE_NUMBERS)}.raw",
            _Planes(self.volume, sorted(wanted)),
            len(self.volume),
            name=self.name,
            voxel_size=self.volume.voxel_size,
        )


class _Planes:
    """The planes of some z, read one by one when asked for."""

    def __init__(self, volume: Volume, slices: list[int]) -> None:
        self._volume = volume
        self._slices = slices

    def __iter__(self) -> Iterator[int]:
        return iter(self._slices)

    def __len__(self) -> int:
        return len(self._slices)

    def __getitem__(self, z: int) -> NDArray[Any]:
        return self._volume.read(z)


def images_of(layer: Image) -> Images:
    """Take the slices of an image layer, whoever opened it.

    Raises
    ------
    XsegError
        A colour image, or one with more than three axes.
    """
    data = layer.data[0] if layer.multiscale else layer.data
    if layer.rgb:
        raise XsegError(
            f"layer {layer.name!r}: is a colour image; grey slices are expected: split it into "
            "its channels and choose one."
        )
    if data.ndim not in (2, 3):
        raise XsegError(
            f"layer {layer.name!r}: has {data.ndim} axes; (z, y, x) or (y, x) is expected: "
            "choose one channel and one time."
        )
    if isinstance(data, LazyImage):
        return Images(layer.name, data.volume, data.source)
    volume = volume_from_array(data, layer.name)
    return Images(layer.name, volume, _mapped(data, layer.name))


def _mapped(data: Any, name: str) -> ArrayFile | None:
    """The file behind a whole numpy.memmap, which a job maps again without a copy."""
    whole = isinstance(data, np.memmap) and type(data.base).__name__ == "mmap"
    if not whole or data.mode == "c" or data.filename is None or data.dtype.kind not in "buif":
        return None
    depth, height, width = data.shape if data.ndim == 3 else (1, *data.shape)
    values = {
        "file": data.filename,
        "dtype": data.dtype.str,
        "shape": (depth, height, width),
        "offset": data.offset,
        "name": name,
    }
    return ArrayFile.from_dict(values, name)

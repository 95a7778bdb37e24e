"""Where a job's slices come from: files, or arrays of another process in memory-mapped files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import Field, model_validator

from napari_xseg.config import Settings
from napari_xseg.data.formats.source import VoxelSize
from napari_xseg.data.volume import RawSpec, open_label_volume, open_volume, volume_from_array
from napari_xseg.data.writing import atomic_path
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from numpy.typing import NDArray

    from napari_xseg.data.volume import Volume

Meaning = Literal["image", "labels"]
Size = Annotated[int, Field(ge=1)]


class FileSource(Settings):
    """A file or folder, as `open_volume` takes it."""

    path: str
    dataset: str | None = None
    raw: str | None = None

    def open(self, meaning: Meaning = "image") -> Volume:
        """Open the slices; XsegError as `open_volume` and `open_label_volume` say."""
        opener = open_volume if meaning == "image" else open_label_volume
        raw = None if self.raw is None else RawSpec.parse(self.raw)
        return opener(self.path, raw=raw, dataset=self.dataset)


class ArrayFile(Settings):
    """Planes that another process holds, or has written, as raw bytes in a file.

    Attributes
    ----------
    file : Path
        Read through a memory map and never written.
    dtype : str
        As numpy writes it, "<u2".
    shape : (int, int, int)
        (z, y, x) of the whole array.
    planes : tuple of int, optional
        The z whose planes lie in the file, one after the other; without it, all.
    offset : int
        Bytes before the first plane.
    name : str
        What messages call it: the layer's name.
    voxel_size : (float, float, float, str), optional
        z, y, x and their unit.
    neighbours : bool
        Whether successive planes lie beside each other.
    """

    file: Path
    dtype: str
    shape: tuple[Size, Size, Size]
    planes: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    offset: Annotated[int, Field(ge=0)] = 0
    name: str = "array"
    voxel_size: tuple[float, float, float, str] | None = None
    neighbours: bool = True

    @model_validator(mode="after")
    def _plain_numbers(self) -> Self:
        try:
            kind = np.dtype(self.dtype).kind
        except TypeError as error:
            raise ValueError(f"{self.dtype!r} is no dtype") from error
        if kind not in "buif":
            raise ValueError(f"{self.dtype!r} is no dtype of plain numbers")
        return self

    def open(self, meaning: Meaning = "image") -> Volume:
        """Map the file; XsegError where it is not there or too short."""
        rows = self.shape[0] if self.planes is None else len(self.planes)
        shape = (rows, *self.shape[1:])
        try:
            held = np.memmap(self.file, np.dtype(self.dtype), "r", self.offset, shape)
        except (OSError, ValueError) as error:
            raise XsegError(
                f"{self.name}: its pixels cannot be read from {self.file} ({error}); "
                "start the job again."
            ) from error
        array: Any = held if self.planes is None else _SomePlanes(held, self)
        voxel_size = None if self.voxel_size is None else VoxelSize(*self.voxel_size)
        return volume_from_array(
            array, self.name, voxel_size, meaning=meaning, neighbours=self.neighbours
        )


Source = FileSource | ArrayFile


class _SomePlanes:
    """An array (z, y, x) of which some planes are there."""

    def __init__(self, held: NDArray[Any], source: ArrayFile) -> None:
        self.shape = source.shape
        self.dtype = held.dtype
        self._held = held
        self._name = source.name
        self._row = {z: row for row, z in enumerate(source.planes or ())}

    def __getitem__(self, z: int) -> NDArray[Any]:
        if z not in self._row:
            raise XsegError(
                f"{self._name}: slice {z} was not given to the job; name it among the slices, "
                "or open the volume from its file."
            )
        plane: NDArray[Any] = self._held[self._row[z]]
        return plane


class Planes(Protocol):
    """Planes (y, x) by their z: a dict, or what makes each one when it is asked for."""

    def __iter__(self) -> Iterator[int]:
        """Go through the z."""

    def __getitem__(self, z: int, /) -> NDArray[Any]:
        """Give plane z."""


def share_planes(
    file: Path,
    planes: Planes,
    depth: int,
    *,
    name: str = "array",
    voxel_size: VoxelSize | None = None,
    neighbours: bool = True,
) -> ArrayFile:
    """Write planes (y, x) of an array by their z, one at a time, for another process to read.

    Parameters
    ----------
    file : Path
        Where; in the folder of the engine that shall read it.
    planes : Planes
        The planes the job needs, neighbours included; all of one shape and dtype.
        A lazy mapping is asked for one plane at a time.
    depth : int
        Planes of the whole array.

    Raises
    ------
    XsegError
        No plane, planes that differ, a type that is no number, or a full disk.
    """
    first: NDArray[Any] | None = None
    with atomic_path(file) as temporary, temporary.open("wb") as target:
        for z in planes:
            plane = np.ascontiguousarray(planes[z])
            first = plane if first is None else first
            if plane.shape != first.shape or plane.dtype != first.dtype:
                raise XsegError(
                    f"{name}: slice {z} is {plane.shape} {plane.dtype}, the others are "
                    f"{first.shape} {first.dtype}; give slices of one kind."
                )
            target.write(plane.data)
        if first is None:
            raise XsegError(f"{name}: no slice was given to the job; choose one or more.")
    size = None
    if voxel_size is not None:
        size = (voxel_size.z, voxel_size.y, voxel_size.x, voxel_size.unit)
    values = {
        "file": file,
        "dtype": first.dtype.str,
        "shape": (depth, *first.shape),
        "planes": tuple(planes),
        "name": name,
        "voxel_size": size,
        "neighbours": neighbours,
    }
    return ArrayFile.from_dict(values, name)

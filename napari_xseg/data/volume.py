"""Everything opened is one lazy (z, y, x) array with a way back to where it came from."""

from __future__ import annotations

import operator
import weakref
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from napari_xseg.data.formats import colour
from napari_xseg.data.formats.flat import RawSpec
from napari_xseg.data.formats.hashing import hash_source
from napari_xseg.data.formats.opening import list_datasets, open_source
from napari_xseg.data.formats.source import Array, DType, Source, VoxelSize, stack_source
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "RawSpec",
    "Volume",
    "VoxelSize",
    "hash_source",
    "list_datasets",
    "open_label_volume",
    "open_volume",
    "volume_from_array",
]

Meaning = Literal["image", "labels"]


class ArrayLike(Protocol):
    """An array that gives its planes when indexed: numpy, dask, zarr, a memmap."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""

    @property
    def dtype(self) -> Any:
        """Type of the values."""

    def __getitem__(self, key: Any) -> Any:
        """Give a part."""


class Volume:
    """A lazy (z, y, x) array of image or label slices.

    Nothing is kept in memory: each read goes to the file. Reading is thread safe.

    Parameters
    ----------
    source
        The slices as their file format gives them.
    meaning
        `image`: grey copies of RGB become grey, real colour raises. `labels`: RGB
        becomes uint32 values r << 16 | g << 8 | b, whole-number floats int32.

    Attributes
    ----------
    name : str
        Short name of the file, folder or dataset.
    path : Path
        File or folder; `uri` adds the dataset within it.
    shape : tuple of int
        (z, y, x); a single image has z = 1.
    dtype : numpy.dtype
        Of what `read` returns: native byte order; bool is given as uint8 0 and 1.
    voxel_size : VoxelSize or None
        Where the file gives one.
    numbers : tuple of (int or None)
        The number in each file's name, or the page index in a stack.
    slice_names : tuple of str
        File names, or `name[z]` in a stack.
    colours : bool
        Labels alone: the values are packed RGB colours.
    palette : dict or None
        Labels alone: colours (r, g, b) that the file gives its values.
    chunk_depth : int
        Slices in one stored chunk; `volume[a:a + chunk_depth]` reads each chunk once.
    warnings : tuple of str
        What the user should know about how the files were understood.
    """

    ndim = 3

    def __init__(self, source: Source, meaning: Meaning = "image") -> None:
        self._source = source
        self._meaning = meaning
        self.name = source.name
        self.path = source.path
        self.dataset = source.dataset
        self.shape = source.shape
        self.voxel_size = source.voxel_size
        self.numbers = source.numbers
        self.slice_names = source.slice_names
        self.chunk_depth = source.chunk_depth
        self.warnings = source.warnings
        self.colours = source.colour and meaning == "labels"
        self.palette = _palette(source) if meaning == "labels" else None
        self.dtype = _dtype(source, meaning)
        self._run_of = np.repeat(np.arange(len(source.runs)), source.runs)
        self._run_ends = np.cumsum(source.runs)
        self._closing = weakref.finalize(self, source.close)

    def __len__(self) -> int:
        """Count the slices."""
        return self.shape[0]

    def __repr__(self) -> str:
        """Describe the volume in one line."""
        z, y, x = self.shape
        return f"<Volume {self.uri}: {z} x {y} x {x} {self.dtype}>"

    @property
    def uri(self) -> str:
        """What `open_volume` takes to open this again."""
        return f"{self.path}:{self.dataset}" if self.dataset else str(self.path)

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that hold the content, in order; empty for an array in memory."""
        return self._source.list_files()

    @property
    def has_neighbours(self) -> bool:
        """Whether any two slices are known to lie beside each other."""
        return any(length > 1 for length in self._source.runs)

    @property
    def runs(self) -> tuple[int, ...]:
        """Lengths of the stretches of slices known to lie beside each other, summing to z."""
        return self._source.runs

    def read(self, z: int) -> Array:
        """Read slice z from its file.

        Parameters
        ----------
        z
            0-based; negative counts from the end.

        Returns
        -------
        ndarray
            (y, x) of `dtype`, contiguous, the caller's own.

        Raises
        ------
        XsegError
            Where the file is damaged or does not fit the others, or the slice is
            colour where grey is expected.
        IndexError
            Where z is outside the volume.
        """
        z = self._inside(z)
        return self._converted(self._source.read(z), z)

    def neighbour(self, z: int, offset: int) -> int:
        """Give the slice `offset` away from z, as far as the source knows neighbours.

        At the ends, and where numbers are missing, the outermost known neighbour
        stands in for those beyond it.
        """
        z = self._inside(z)
        run = int(self._run_of[z])
        end = int(self._run_ends[run])
        start = end - self._source.runs[run]
        return min(max(z + offset, start), end - 1)

    def where(self, z: int) -> str:
        """Name slice z as messages do: its file, or its stack and index."""
        return self._source.where(self._inside(z))

    def check(self) -> None:
        """Look at every file's header, about 0.5 ms each.

        Raises
        ------
        XsegError
            Naming the first file whose size, type or length does not fit.
        """
        self._source.check()

    def close(self) -> None:
        """Give back what reading took, as an unpacked copy; nothing else stays open."""
        self._closing()

    def __getitem__(self, key: Any) -> Array:
        """Read a part by numpy's basic indexing; only the slices needed are read."""
        z_key, *rest = _three_keys(key)
        if not isinstance(z_key, slice):
            part: Array = self.read(operator.index(z_key))[tuple(rest)]
            return part
        wanted = range(*z_key.indices(len(self)))
        if not wanted:
            empty: Array = np.empty((0, *self.shape[1:]), self.dtype)[(slice(None), *rest)]
            return empty
        planes = self._block(wanted) if wanted.step == 1 else map(self.read, wanted)
        return np.stack([plane[tuple(rest)] for plane in planes])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Read everything into memory."""
        if copy is False:
            raise ValueError("a volume on disk cannot be an array without a copy")
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)

    def _block(self, wanted: range) -> Iterator[Array]:
        if self._source.read_block is None:
            yield from map(self.read, wanted)
            return
        # Whole chunks at a time: memory stays bounded whatever was asked for.
        depth = self.chunk_depth
        for start in range(wanted.start - wanted.start % depth, wanted.stop, depth):
            low, high = max(start, wanted.start), min(start + depth, wanted.stop)
            for z, plane in zip(range(low, high), self._source.read_block(low, high), strict=True):
                yield self._converted(plane, z)

    def _inside(self, z: int) -> int:
        z = operator.index(z)
        if not -len(self) <= z < len(self):
            raise IndexError(f"slice {z} is outside {self.name}, which has {len(self)}")
        return z % len(self)

    def _converted(self, plane: Array, z: int) -> Array:
        if plane.ndim == 3:
            to_values = colour.pack_rgb if self._meaning == "labels" else colour.grey
            plane = to_values(plane, self._source.where(z))
        elif self._meaning == "labels" and plane.dtype.kind == "f":
            plane = colour.whole_numbers(plane, self._source.where(z))
        return np.array(plane, dtype=self.dtype, order="C")


def open_volume(
    path: str | Path, *, raw: RawSpec | None = None, dataset: str | None = None
) -> Volume:
    """Open grey images as one lazy volume.

    Parameters
    ----------
    path
        A folder of single-slice files, a TIFF, a PNG, JPEG or BMP, a Zarr store,
        an HDF5 or NeXus file, .npy, NRRD, MetaImage or raw binary; `file.h5:/data`
        names a dataset.
    raw
        Shape and dtype of raw binary.
    dataset
        Path within an HDF5 file or a Zarr store.

    Returns
    -------
    Volume
        With slices read when used.

    Raises
    ------
    XsegError
        Where nothing readable is there, or the images are colour. The first,
        middle and last slice are looked at; the others when they are read.
    """
    volume = Volume(open_source(path, raw=raw, dataset=dataset, indexed=False))
    if volume._source.colour:
        for z in sorted({0, len(volume) // 2, len(volume) - 1}):
            volume.read(z)
    return volume


def open_label_volume(
    path: str | Path, *, raw: RawSpec | None = None, dataset: str | None = None
) -> Volume:
    """Open label images as one lazy volume of integers.

    Colour images give packed values r << 16 | g << 8 | b and have `colours` set;
    palette images give their indices and have `palette` set; bool and 1-bit give
    0 and 1; floats must be whole numbers. Parameters as for `open_volume`.

    Raises
    ------
    XsegError
        Where nothing readable is there, or a value is not a whole number.
    """
    volume = Volume(open_source(path, raw=raw, dataset=dataset, indexed=True), "labels")
    if volume.colours or volume._source.dtype.kind == "f":
        volume.read(0)
    return volume


def volume_from_array(
    array: ArrayLike,
    name: str = "array",
    voxel_size: VoxelSize | None = None,
    *,
    meaning: Meaning = "image",
    neighbours: bool = True,
) -> Volume:
    """Make a volume of an array in memory or of a lazy one, read a plane at a time.

    Parameters
    ----------
    array
        (z, y, x) or (y, x); numpy, dask, zarr or alike.
    name
        Name in messages.
    voxel_size
        Where it is known.
    meaning
        Whether its values are grey or labels.
    neighbours
        Whether successive planes lie beside each other.

    Raises
    ------
    XsegError
        Where it has another number of dimensions, is empty or holds no numbers.
    """
    shape = tuple(map(int, array.shape))
    if len(shape) not in (2, 3):
        raise XsegError(f"{name}: has the shape {shape}; (z, y, x) or (y, x) is expected.")
    depth, height, width = shape if len(shape) == 3 else (1, *shape)
    source = stack_source(
        Path(name),
        (depth, height, width),
        np.dtype(array.dtype),
        lambda z: np.asarray(array[z] if len(shape) == 3 else array[:]),
        name=name,
        list_files=lambda: (),
        voxel_size=voxel_size,
    )
    if not neighbours:
        source = replace(source, runs=(1,) * depth)
    return Volume(source, meaning)


def _palette(source: Source) -> dict[int, tuple[int, int, int]] | None:
    if source.palette is None:
        return None
    table = source.palette
    return {
        value: (int(table[value, 0]), int(table[value, 1]), int(table[value, 2]))
        for value in range(len(table))
    }


def _dtype(source: Source, meaning: Meaning) -> DType:
    if meaning == "labels" and source.colour:
        return np.dtype(np.uint32)
    if meaning == "labels" and source.dtype.kind == "f":
        return np.dtype(np.int32)
    if source.dtype.kind == "b":
        return np.dtype(np.uint8)
    return source.dtype.newbyteorder("=")


def _three_keys(key: Any) -> tuple[Any, Any, Any]:
    """Bring a basic index into one entry an axis."""
    keys = list(key) if isinstance(key, tuple) else [key]
    ellipses = [place for place, part in enumerate(keys) if part is Ellipsis]
    if ellipses:
        keys[ellipses[0] : ellipses[0] + 1] = [slice(None)] * (4 - len(keys))
    if len(keys) > 3 or len(ellipses) > 1:
        raise IndexError(f"too many indices for a volume: {key}")
    keys += [slice(None)] * (3 - len(keys))
    return keys[0], keys[1], keys[2]

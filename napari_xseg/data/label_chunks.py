"""The label store on disk: a zarr 3 array whose chunks are read and written one by one.

The zarr package takes ten times as long for one chunk as coding and writing it
does, and a brush stroke writes a chunk at every move of the mouse.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.formats.atomic import sync_file
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

CHUNK = 512
ARRAY_FILE = "zarr.json"
CHUNKS = "c"
Place = tuple[int, int]
# On Windows a virus scanner may hold a file for a moment.
_RETRY_SECONDS = (0.002, 0.01, 0.05, 0.2)


@dataclass(frozen=True)
class LabelChunks:
    """Chunks of one slice each, 512 x 512 pixels, zstd; an absent chunk is not labelled.

    Attributes
    ----------
    folder : Path
        The zarr array.
    shape : (int, int, int)
        (z, y, x) in pixels.
    """

    folder: Path
    shape: tuple[int, int, int]

    @classmethod
    def create(cls, folder: Path, shape: tuple[int, int, int]) -> LabelChunks:
        """Make an empty array; OSError where it cannot be written."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CHUNKS).mkdir(exist_ok=True)
        put_file(folder / ARRAY_FILE, json.dumps(_description(shape), indent=1).encode())
        return cls(folder, shape)

    @classmethod
    def open(cls, folder: Path) -> LabelChunks:
        """Open what `create` made; XsegError where it is no such array."""
        try:
            found = json.loads((folder / ARRAY_FILE).read_text(encoding="utf-8"))
            z, y, x = (int(length) for length in found["shape"])
            ours = found == _description((z, y, x))
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise XsegError(
                f"{folder}: the labels cannot be read ({_short(error)}); restore the folder, or "
                "start a new project."
            ) from error
        if not ours:
            raise XsegError(
                f"{folder}: is no label store of napari-xseg; open it as labels instead."
            )
        return cls(folder, (z, y, x))

    @property
    def places(self) -> Iterator[Place]:
        """Row and column of each chunk of a slice."""
        rows, columns = (-(-length // CHUNK) for length in self.shape[1:])
        return ((row, column) for row in range(rows) for column in range(columns))

    def read(self, z: int) -> NDArray[np.uint8]:
        """Decode slice z, (y, x) uint8; XsegError where a chunk is damaged."""
        plane: NDArray[np.uint8] = np.zeros(self.shape[1:], np.uint8)
        if not (self.folder / CHUNKS / str(z)).is_dir():
            return plane
        for place in self.places:
            chunk = self._read_chunk(z, place)
            if chunk is not None:
                part = plane[_within(place)]
                part[...] = chunk[: part.shape[0], : part.shape[1]]
        return plane

    def write(self, z: int, place: Place, plane: NDArray[np.uint8]) -> None:
        """Write one chunk of slice z, whole or not at all; OSError where that fails."""
        import imagecodecs

        path = self._path(z, place)
        part = plane[_within(place)]
        if not part.any():
            path.unlink(missing_ok=True)
            return
        chunk = np.zeros((CHUNK, CHUNK), np.uint8)
        chunk[: part.shape[0], : part.shape[1]] = part
        # Not the parents beyond: a disk that is gone must not be made anew as a folder.
        path.parent.parent.mkdir(exist_ok=True)
        path.parent.mkdir(exist_ok=True)
        put_file(path, bytes(imagecodecs.zstd_encode(chunk.tobytes(), level=1)))

    def sync(self, z: int, place: Place) -> None:
        """Have the system put a chunk on the disk, where it is there."""
        path = self._path(z, place)
        if path.exists():
            sync_file(path)

    def slices(self) -> Iterator[int]:
        """Each z of which there is a chunk."""
        for entry in os.scandir(self.folder / CHUNKS):
            if entry.name.isdigit() and self.holds(int(entry.name)):
                yield int(entry.name)

    def holds(self, z: int) -> bool:
        """Whether any chunk of slice z is there: any pixel is labelled."""
        return any(self._path(z, place).exists() for place in self.places)

    def stamp(self, z: int) -> int:
        """Time of the last change of slice z in ns; 0 where there was none."""
        folder = self.folder / CHUNKS / str(z)
        # A file that is put into or taken from a folder changes the folder's time.
        rows = [folder / str(row) for row in range(-(-self.shape[1] // CHUNK))]
        return max(map(_changed, (folder, *rows)))

    def _path(self, z: int, place: Place) -> Path:
        return self.folder / CHUNKS / str(z) / str(place[0]) / str(place[1])

    def _read_chunk(self, z: int, place: Place) -> NDArray[np.uint8] | None:
        import imagecodecs

        path = self._path(z, place)
        try:
            data = path.read_bytes()
            flat = np.frombuffer(imagecodecs.zstd_decode(data), np.uint8)
            return flat.reshape(CHUNK, CHUNK)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, imagecodecs.ZstdError) as error:
            reason = _short(error) if isinstance(error, OSError) else "the file is damaged"
            raise XsegError(
                f"{path}: a part of the labels of slice {z} cannot be read ({reason}); restore "
                "this file, or delete it and label that part again."
            ) from error


def put_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, as far as the process may be killed; OSError.

    Not synced: a machine that loses its power is for `sync_file`.
    """
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_bytes(data)
    for seconds in _RETRY_SECONDS:
        try:
            temporary.replace(path)
            return
        except PermissionError:
            time.sleep(seconds)
    temporary.replace(path)


def chunks_of(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> set[Place]:
    """The chunks that hold the pixels of some rows and columns."""
    return {
        (row, column)
        for row in np.unique(rows // CHUNK).tolist()
        for column in np.unique(columns // CHUNK).tolist()
    }


def _within(place: Place) -> tuple[slice, slice]:
    row, column = place
    return (
        slice(row * CHUNK, (row + 1) * CHUNK),
        slice(column * CHUNK, (column + 1) * CHUNK),
    )


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]


def _description(shape: tuple[int, int, int]) -> dict[str, Any]:
    grid = {"name": "regular", "configuration": {"chunk_shape": [1, CHUNK, CHUNK]}}
    zstd = {"name": "zstd", "configuration": {"level": 1, "checksum": False}}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": "uint8",
        "chunk_grid": grid,
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [{"name": "bytes"}, zstd],
        "attributes": {"napari_xseg": {"coding": "class k is k + 1, 0 is not labelled"}},
        "storage_transformers": [],
        "dimension_names": ["z", "y", "x"],
    }

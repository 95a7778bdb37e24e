"""What takes the slices of a volume one by one and leaves it whole or not at all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from napari_xseg.data.formats.atomic import remove, temporary_beside, write_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from napari_xseg.data.formats.source import Array, DType

Compression = Literal["auto", "none", "packbits", "zlib", "zstd"]


class SliceWriter(ABC):
    """Takes the slices of a volume one by one; use it in a `with` statement.

    The output appears under its name when the block ends well, whole and synced.
    However else it ends, nothing new is left, and an older output stays.

    Parameters
    ----------
    path
        Where the output shall be.
    shape
        (z, y, x).
    dtype
        Of the planes; bool is written as uint8 0 and 1.

    Attributes
    ----------
    fill_value : int
        What an unfinished Zarr gives for slices not written; set it before use.
    """

    fill_value = 0

    def __init__(self, path: Path, shape: tuple[int, int, int], dtype: DType) -> None:
        self.path = path
        self.shape = shape
        self.dtype = np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")
        self._written = np.zeros(shape[0], bool)
        self._temporary: Path | None = None

    def __enter__(self) -> Self:
        temporary = self._temporary = temporary_beside(self.path)
        with self._or_nothing():
            self._open(temporary)
        return self

    @property
    def readable(self) -> Path | None:
        """Where slices can be read before the end; None where they cannot."""
        return None

    def write(self, z: int, plane: Array) -> None:
        """Write slice z.

        Parameters
        ----------
        z
            0-based. A TIFF takes its slices in order, a Zarr in any.
        plane
            (y, x), of a dtype that casts safely to the writer's.

        Raises
        ------
        XsegError
            Where the disk is full or cannot be written. A Zarr goes on after it:
            other slices can be written, and the fill value for those that could not.
        ValueError
            Where the plane or its place is not what was announced.
        """
        if self._temporary is None:
            raise ValueError("a SliceWriter writes within its with statement alone")
        if plane.shape != self.shape[1:] or not 0 <= z < self.shape[0]:
            raise ValueError(f"slice {z} of shape {plane.shape} does not fit into {self.shape}")
        with self._while_writing():
            self._write(z, plane.astype(self.dtype, casting="safe", copy=False))
        self._written[z] = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._abandon()
        if self._temporary is None:
            return
        with self._or_nothing():
            missing = np.flatnonzero(~self._written)
            if len(missing):
                raise ValueError(f"{len(missing)} slices were not written, first {missing[0]}")
            self._close()
            self._publish(self._temporary)
        self._temporary = None

    def _while_writing(self) -> AbstractContextManager[None]:
        """What becomes of a slice that cannot be written: here, all of it is given up."""
        return self._or_nothing()

    @contextmanager
    def _or_nothing(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._abandon()
            if isinstance(error, OSError):
                raise write_error(self.path, error) from error
            raise

    def _abandon(self) -> None:
        temporary, self._temporary = self._temporary, None
        if temporary is None:
            return
        # A full disk fails the closing too; what was written goes anyway.
        with suppress(OSError, ValueError):
            self._close()
        remove(temporary)

    @abstractmethod
    def _open(self, temporary: Path) -> None: ...

    @abstractmethod
    def _write(self, z: int, plane: Array) -> None: ...

    @abstractmethod
    def _close(self) -> None: ...

    @abstractmethod
    def _publish(self, temporary: Path) -> None: ...

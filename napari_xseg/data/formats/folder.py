"""A folder of single-slice files."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from napari_xseg.data.formats.colour import check_same_palette
from napari_xseg.data.formats.naming import (
    Naming,
    Series,
    repeated_number,
    shared_numbers,
    trailing_number,
    understand,
)
from napari_xseg.data.formats.source import (
    Array,
    DType,
    Palette,
    Source,
    VoxelSize,
    reading,
    stack_source,
)
from napari_xseg.errors import XsegError

_IMAGES = {".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp"}
_RAWS = {".raw", ".bin", ".dat", ".img"}
_VOLUMES = {".h5", ".hdf5", ".hdf", ".nxs", ".nx", ".npy", ".nrrd", ".nhdr", ".mhd", ".mha"}
_IGNORED = {"thumbs.db", "desktop.ini"}


class ImageFile(Protocol):
    """One image file, as a number of planes of one size."""

    shape: tuple[int, int]
    dtype: DType
    colour: bool
    palette: Palette | None
    voxel_size: VoxelSize | None
    warnings: tuple[str, ...]

    @property
    def planes(self) -> int:
        """Number of planes in the file."""

    @property
    def stored_bytes(self) -> int | None:
        """Bytes of one plane in the file, where they are the same for each."""

    def read(self, z: int) -> Array:
        """Read plane z."""

    def files(self) -> tuple[Path, ...]:
        """List the files the planes lie in."""

    def close(self) -> None:
        """Close the file until the next read."""


Opener = Callable[[Path], ImageFile]


def open_file(path: Path, opener: Opener) -> Source:
    """Open one image file: a single slice, or a stack of pages.

    Raises
    ------
    XsegError
        As `opener` does.
    """
    image = opener(path)
    image.close()
    single: dict[str, Any] = {
        "numbers": (trailing_number(path.name),),
        "slice_names": (path.name,),
        "where": lambda _: str(path),
    }
    return stack_source(
        path,
        (image.planes, *image.shape),
        image.dtype,
        image.read,
        list_files=image.files,
        colour=image.colour,
        palette=image.palette,
        voxel_size=image.voxel_size,
        warnings=image.warnings,
        **(single if image.planes == 1 else {}),
    )


def open_folder(path: Path, opener: Opener, *, raw: bool) -> Source:
    """Open a folder of single-slice files.

    Hidden files and those that are no images are left alone, subfolders too. Only
    a few headers are read: the first of each series, the middle and the last, and
    those of the largest and the smallest file. The others are checked when their
    slice is read, or all at once by `Source.check`.

    Parameters
    ----------
    path
        The folder.
    opener
        Opens one image file.
    raw
        The files are raw binary.

    Raises
    ------
    XsegError
        Where the folder holds no images, more than one series with the same
        numbers, stacks instead of slices, or files that do not fit together.
    """
    sizes = _image_sizes(path, raw)
    if not sizes:
        raise _no_images(path)
    if len(sizes) == 1:
        return open_file(path / next(iter(sizes)), opener)
    naming = understand(list(sizes))
    _check_naming(path, naming)
    return Folder(path, naming, sizes, opener).source()


class Folder:
    """Single-slice files that make one volume."""

    def __init__(self, path: Path, naming: Naming, sizes: dict[str, int], opener: Opener) -> None:
        self._path = path
        self._naming = naming
        self._opener = opener
        self._names = tuple(name for one in naming.series for name in one.names)
        self._sizes = [sizes[name] for name in self._names]
        with closing(opener(self._file(0))) as first:
            self._first = first
            if first.planes > 1:
                raise self._holds_stacks(self._names[0], first.planes)
        for z in self._samples():
            self._check(z)

    def source(self) -> Source:
        """Make the source of the volume."""
        first = self._first
        return Source(
            path=self._path,
            name=self._path.resolve().name or str(self._path),
            shape=(len(self._names), *first.shape),
            dtype=first.dtype,
            read=self._read,
            where=lambda z: str(self._file(z)),
            list_files=lambda: tuple(map(self._file, range(len(self._names)))),
            runs=tuple(run for one in self._naming.series for run in one.runs),
            numbers=tuple(number for one in self._naming.series for number in one.numbers),
            slice_names=self._names,
            colour=first.colour,
            palette=first.palette,
            voxel_size=first.voxel_size,
            check=self._check_all,
            warnings=_warnings(self._path, self._naming),
        )

    def _file(self, z: int) -> Path:
        return self._path / self._names[z]

    def _samples(self) -> list[int]:
        """Choose the slices whose headers are worth a look before anything else."""
        count = len(self._names)
        starts, start = [], 0
        for one in self._naming.series:
            starts.append(start)
            start += len(one.names)
        by_size = sorted(range(count), key=self._sizes.__getitem__)
        few = {0, count // 2, count - 1, by_size[0], by_size[-1], *starts[:20]}
        stored = self._first.stored_bytes or 1
        short = [z for z in range(count) if self._sizes[z] < stored]
        return sorted(few | set(short[:20]))

    def _check_all(self) -> None:
        for z in range(len(self._names)):
            self._check(z)

    def _check(self, z: int) -> None:
        if self._sizes[z] == 0:
            raise XsegError(f"{self._file(z)}: is an empty file; copy or export it again.")
        with closing(self._opener(self._file(z))) as image:
            self._check_fits(z, image)

    def _check_fits(self, z: int, image: ImageFile) -> None:
        first = self._first
        if image.planes > 1:
            raise self._holds_stacks(self._names[z], image.planes)
        found = (image.shape, image.dtype, image.colour)
        expected = (first.shape, first.dtype, first.colour)
        if found != expected:
            raise XsegError(
                f"{self._file(z)}: is {_kind(image)}, but {self._names[0]} is {_kind(first)}; "
                "slices of one volume have one size and type: move it elsewhere or export it again."
            )

    def _read(self, z: int) -> Array:
        with closing(self._opener(self._file(z))) as image:
            self._check_fits(z, image)
            plane = image.read(0)
        first = self._first.palette
        if first is not None and image.palette is not None and (image.palette != first).any():
            check_same_palette(plane, image.palette, first, str(self._file(z)))
        return plane

    def _holds_stacks(self, name: str, planes: int) -> XsegError:
        return XsegError(
            f"{self._path}: holds stacks ({name} has {planes} pages) and {len(self._names)} files "
            "in all; single slices are expected in a folder: give one of the stacks."
        )


def _image_sizes(path: Path, raw: bool) -> dict[str, int]:
    wanted = _RAWS if raw else _IMAGES
    with reading(path, "folder"), os.scandir(path) as entries:
        return {
            entry.name: entry.stat().st_size
            for entry in entries
            if _is_visible(entry.name)
            and Path(entry.name).suffix.casefold() in wanted
            and entry.is_file()
        }


def _is_visible(name: str) -> bool:
    return not name.startswith((".", "~$")) and name.casefold() not in _IGNORED


def _no_images(path: Path) -> XsegError:
    with reading(path, "folder"):
        inside = sorted(child for child in path.iterdir() if _is_visible(child.name))
    folders = [child.name for child in inside if child.is_dir() and _has_images(child)]
    volumes = [child.name for child in inside if child.suffix.casefold() in _VOLUMES]
    if folders:
        return XsegError(f"{path}: holds no images, its subfolders do; give {_one_of(folders)}.")
    if volumes:
        return XsegError(f"{path}: holds no single-slice images; give {_one_of(volumes)} in it.")
    found = "is an empty folder" if not inside else f"holds no images (but {inside[0].name})"
    return XsegError(f"{path}: {found}; a folder of TIFF, PNG, JPEG or BMP slices is expected.")


def _has_images(folder: Path) -> bool:
    if folder.suffix.casefold() == ".zarr":
        return True
    try:
        inside = list(folder.iterdir())
    except OSError:
        return False
    return any(child.suffix.casefold() in _IMAGES | _VOLUMES for child in inside)


def _one_of(names: list[str]) -> str:
    shown = names[:5]
    if len(shown) == 1:
        return shown[0]
    more = f" ({len(names) - 5} more)" if len(names) > 5 else ""
    return f"one of {', '.join(shown)}{more}"


def _check_naming(path: Path, naming: Naming) -> None:
    clash = shared_numbers(naming)
    if clash:
        first, second = clash
        raise XsegError(
            f"{path}: holds two series with the same numbers, {_series_text(first)} and "
            f"{_series_text(second)}; one volume is expected: give each its own folder."
        )
    for series in naming.series:
        twins = repeated_number(series)
        if twins:
            raise XsegError(
                f"{path}: holds {twins[0]} and {twins[1]}, which have the same number; keep one "
                "of them."
            )


def _warnings(path: Path, naming: Naming) -> tuple[str, ...]:
    warnings = []
    long = [series for series in naming.series if len(series.names) > 1]
    if len(long) > 1:
        listed = ", ".join(map(_series_text, long[:4]))
        warnings.append(
            f"{path}: holds {len(long)} series ({listed}); slices of different series are not "
            "taken as neighbours."
        )
    if naming.strays:
        listed = ", ".join(naming.strays[:4])
        warnings.append(
            f"{path}: left out {len(naming.strays)} files that are not of the series "
            f"{naming.series[0].pattern}: {listed}."
        )
    return tuple(warnings)


def _series_text(series: Series) -> str:
    return f"{series.pattern} ({len(series.names)} files)"


def _kind(image: ImageFile) -> str:
    height, width = image.shape
    return f"{width} x {height} {image.dtype}{' in colour' if image.colour else ''}"

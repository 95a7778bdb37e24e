"""Which format a path is of, told by its content; the name only helps in messages."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from napari_xseg.data.formats.flat import RawImage, RawSpec, open_npy, open_raw
from napari_xseg.data.formats.folder import ImageFile, Opener, open_file, open_folder
from napari_xseg.data.formats.hdf5 import MAGIC as HDF5
from napari_xseg.data.formats.hdf5 import list_hdf5, open_hdf5
from napari_xseg.data.formats.nrrd_mhd import open_metaimage, open_nrrd
from napari_xseg.data.formats.pictures import BMP, JPEG, PNG, Picture
from napari_xseg.data.formats.source import Source, file_size, reading
from napari_xseg.data.formats.tiff import TiffImage
from napari_xseg.data.formats.zarr_store import is_zarr, list_zarr, open_zarr
from napari_xseg.errors import XsegError

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_HDF5_SUFFIXES = {".h5", ".hdf5", ".hdf", ".nxs", ".nx"}
_KNOWN = "TIFF, PNG, JPEG, BMP, HDF5/NeXus, Zarr, .npy, NRRD or MetaImage"


def split_path(path: str | Path) -> tuple[Path, str | None]:
    r"""Split `file.h5:/entry/data` into file and dataset.

    The part before the last colon must exist, and a drive letter is no file:
    `C:\x.h5:/entry` is split at its second colon.
    """
    text = str(path)
    whole = Path(text).expanduser()
    if whole.exists():
        return whole, None
    for match in reversed(list(re.finditer(":", text))):
        place = match.start()
        drive = place == 1 and text[0].isalpha()
        file = Path(text[:place]).expanduser()
        if place and not drive and file.exists():
            return file, text[place + 1 :] or None
    return whole, None


def open_source(
    path: str | Path, *, raw: RawSpec | None, dataset: str | None, indexed: bool
) -> Source:
    """Open whatever `path` is.

    Parameters
    ----------
    path
        File, folder or store, with `:/dataset` after it where it holds several.
    raw
        How to read raw binary.
    dataset
        Path within an HDF5 file or a Zarr store.
    indexed
        Labels: palette images give indices.

    Raises
    ------
    XsegError
        Where nothing readable is there.
    """
    with reading(path):
        file, inner = split_path(path)
    dataset = dataset or inner
    is_folder, is_store = _folder_or_store(file)
    if is_store:
        return open_zarr(file, dataset)
    kind = "folder" if is_folder else "raw" if raw else _kind(file)
    if kind == "hdf5":
        return open_hdf5(file, dataset)
    if dataset:
        raise XsegError(f"{file}: has no datasets to choose {dataset} from; give it alone.")
    if raw is not None:
        spec = raw
        opener: Opener = lambda one: RawImage(one, spec)  # noqa: E731
        return open_folder(file, opener, raw=True) if is_folder else open_raw(file, spec)
    opener = partial(open_image, indexed=indexed)
    if is_folder:
        return open_folder(file, opener, raw=False)
    if kind == "image":
        return open_file(file, opener)
    return {"npy": open_npy, "nrrd": open_nrrd, "metaimage": open_metaimage}[kind](file)


def open_image(path: Path, *, indexed: bool) -> ImageFile:
    """Open one TIFF, PNG, JPEG or BMP, whatever its name says.

    Raises
    ------
    XsegError
        Where it is none of these.
    """
    start = _start(path)
    if start.startswith(_TIFF):
        return TiffImage(path, indexed=indexed)
    if start.startswith((PNG, JPEG, BMP)):
        return Picture(path, indexed=indexed)
    raise XsegError(
        f"{path}: is no TIFF, PNG, JPEG or BMP (it starts with {start[:8]!r}), whatever its name "
        "says; it is damaged or renamed: export it again."
    )


def list_datasets(path: str | Path) -> tuple[str, ...]:
    """List what can be chosen in an HDF5 file or a Zarr store; empty for other paths.

    Raises
    ------
    XsegError
        Where the path cannot be read.
    """
    with reading(path):
        file, _ = split_path(path)
    is_folder, is_store = _folder_or_store(file)
    if is_folder:
        return list_zarr(file) if is_store else ()
    return list_hdf5(file) if _kind(file) == "hdf5" else ()


def _folder_or_store(path: Path) -> tuple[bool, bool]:
    with reading(path):
        path.stat()
        is_folder = path.is_dir()
        return is_folder, is_folder and is_zarr(path)


def _kind(path: Path) -> str:
    start = _start(path)
    if start.startswith((*_TIFF, PNG, JPEG, BMP)):
        return "image"
    if start.startswith(HDF5) or path.suffix.casefold() in _HDF5_SUFFIXES:
        return "hdf5"
    if start.startswith(b"\x93NUMPY"):
        return "npy"
    if start.startswith(b"NRRD"):
        return "nrrd"
    if re.search(rb"^\s*(ObjectType|NDims|DimSize)\s*=", start, re.MULTILINE):
        return "metaimage"
    raise XsegError(
        f"{path}: is of no known kind (it starts with {start[:8]!r}); {_KNOWN} are read, and raw "
        "binary with a description of its shape and dtype: convert it, or export it again."
    )


def _start(path: Path) -> bytes:
    file_size(path)
    with reading(path), path.open("rb") as file:
        return file.read(512)

"""The hash that says which input a model or a mask came from."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from napari_xseg.data.formats.source import reading

if TYPE_CHECKING:
    from napari_xseg.data.volume import Volume

_HASH_CHUNK = 1 << 20


def hash_source(volume: Volume) -> str:
    r"""Give the SHA-256 of a volume's files, as 64 hexadecimal digits.

    One file has its own hash, as `sha256sum` prints it. Several have the hash of
    the lines `<hash>  <path within the volume>\n` in the volume's order. An array
    in memory has the hash of its dtype, shape and bytes.

    Raises
    ------
    XsegError
        Where a file cannot be read.
    """
    files = volume.files
    if not files:
        return _hash_planes(volume)
    if len(files) == 1:
        return _hash_file(files[0])
    total = hashlib.sha256()
    for file in files:
        within = file.relative_to(volume.path) if file.is_relative_to(volume.path) else file.name
        name = within.as_posix() if isinstance(within, Path) else within
        total.update(f"{_hash_file(file)}  {name}\n".encode())
    return total.hexdigest()


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    with reading(path), path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _hash_planes(volume: Volume) -> str:
    digest = hashlib.sha256(f"{volume.dtype.name} {volume.shape}\n".encode())
    for z in range(len(volume)):
        digest.update(volume.read(z).tobytes())
    return digest.hexdigest()

"""NRRD and MetaImage (.mhd, .mha): a text header, then plain or gzip-packed numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.formats.flat import FlatFile, PackedFile
from napari_xseg.data.formats.layout import Layout
from napari_xseg.data.formats.source import (
    DType,
    Source,
    VoxelSize,
    broken_off,
    file_size,
    reading,
    stack_source,
    voxel_size,
)
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_HEADER_LIMIT = 1 << 16
_NRRD_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_NRRD_DTYPES = {name: code for code, names in _NRRD_TYPES.items() for name in names}
_META_DTYPES = {
    "met_char": "i1", "met_uchar": "u1", "met_short": "i2", "met_ushort": "u2", "met_int": "i4",
    "met_uint": "u4", "met_long": "i4", "met_ulong": "u4", "met_long_long": "i8",
    "met_ulong_long": "u8", "met_float": "f4", "met_double": "f8",
}  # fmt: skip


@dataclass(frozen=True)
class _Described:
    """What a header says: sizes and spacings as stored, fastest axis first."""

    sizes: tuple[int, ...]
    dtype: DType
    data: Path
    offset: int
    packed: bool
    spacings: tuple[float, ...]
    unit: str
    from_end: bool = False


def open_nrrd(path: Path) -> Source:
    """Open a NRRD file with attached or detached data, raw or gzip.

    The format is described at https://teem.sourceforge.net/nrrd/format.html.

    Raises
    ------
    XsegError
        Where the header lacks a field or the data are missing, broken off, or in
        an encoding other than raw and gzip.
    """
    text, end = _header(path, b"\n\n", b"\r\n\r\n")
    fields = _fields(text, ":")
    with reading(path, "NRRD"):
        described = _describe_nrrd(path, fields, end)
    return _open(path, described)


def open_metaimage(path: Path) -> Source:
    """Open a MetaImage with its data in the same or another file, raw or zlib.

    Raises
    ------
    XsegError
        As `open_nrrd` does.
    """
    text, end = _header(path, b"ElementDataFile")
    fields = _fields(text, "=")
    if fields.get("elementdatafile", "").upper() != "LOCAL":
        # The field should come last; without data behind it nothing enforces that.
        fields = _fields(_header(path)[0], "=")
    with reading(path, "MetaImage"):
        described = _describe_metaimage(path, fields, end)
    return _open(path, described)


def _open(path: Path, told: _Described) -> Source:
    layout = Layout.guess(told.sizes[::-1], np.dtype("f8"), str(path))
    shape = layout.shape(told.sizes[::-1])
    with reading(told.data):
        there = told.data.is_file()
    if not there:
        raise XsegError(f"{path}: its data file {told.data} is missing; put it there.")
    more: dict[str, Any] = {
        "voxel_size": _spacing(layout, told),
        "list_files": lambda: _files(path, told),
    }
    if told.packed:
        packed = PackedFile(told.data, told.offset, shape, told.dtype)
        return stack_source(path, shape, told.dtype, packed.read, close=packed.close, **more)
    flat = FlatFile(told.data, _raw_offset(told), shape, told.dtype)
    flat.check()
    return stack_source(path, shape, told.dtype, flat.read, read_block=flat.read_block, **more)


def _files(path: Path, told: _Described) -> tuple[Path, ...]:
    return (path,) if told.data == path else (path, told.data)


def _raw_offset(told: _Described) -> int:
    if not told.from_end:
        return told.offset
    size = file_size(told.data)
    needed = math.prod(told.sizes) * told.dtype.itemsize
    if size < needed:
        raise broken_off(told.data, size, needed)
    return size - needed


def _spacing(layout: Layout, told: _Described) -> VoxelSize | None:
    steps = told.spacings[::-1]
    if len(steps) != layout.rank:
        return None
    down = steps[layout.y]
    return voxel_size(
        down if layout.z is None else steps[layout.z], down, steps[layout.x], told.unit
    )


def _header(path: Path, *ends: bytes) -> tuple[str, int]:
    """Read the header's text and where it ends: after a mark, or after the mark's line."""
    file_size(path)
    with reading(path), path.open("rb") as file:
        head = file.read(_HEADER_LIMIT)
    found = [(head.find(end), end) for end in ends if end in head]
    if not found:
        return head.decode("latin-1"), len(head)
    start, mark = min(found)
    stop = start + len(mark)
    if not mark.endswith(b"\n"):
        stop = head.find(b"\n", start) + 1 or len(head)
    return head[:stop].decode("latin-1"), stop


def _fields(text: str, separator: str) -> dict[str, str]:
    fields = {}
    for line in text.splitlines():
        key, found, value = line.partition(separator)
        # NRRD's `key:=value` are the user's own notes.
        if found and not line.startswith("#") and not value.startswith("="):
            fields[key.strip().casefold()] = value.strip()
    return fields


def _field(fields: Mapping[str, str], path: Path, *names: str) -> str:
    for name in names:
        if name in fields:
            return fields[name]
    raise XsegError(f"{path}: its header lacks {names[0]!r}; export it again.")


def _describe_nrrd(path: Path, fields: Mapping[str, str], end: int) -> _Described:
    code = _NRRD_DTYPES.get(_field(fields, path, "type").casefold())
    encoding = _field(fields, path, "encoding").casefold()
    if code is None or encoding not in ("raw", "gzip", "gz"):
        raise XsegError(
            f"{path}: holds {fields['type']} in the encoding {encoding}; integers or floats, "
            "raw or gzip, are expected: export it so."
        )
    name = fields.get("data file") or fields.get("datafile")
    data, offset = (path.parent / name, 0) if name else (path, end)
    if name and (name.upper().startswith("LIST") or "%" in name):
        raise XsegError(f"{path}: spreads its data over several files; export it as one file.")
    line_skip, byte_skip = (
        int(fields.get(f"{kind} skip", fields.get(f"{kind}skip", "0"))) for kind in ("line", "byte")
    )
    if encoding == "raw":
        offset = _skip_lines(data, offset, line_skip) + max(byte_skip, 0)
    order = ">" if fields.get("endian", "little").casefold() == "big" else "<"
    return _Described(
        sizes=tuple(map(int, _field(fields, path, "sizes").split())),
        dtype=np.dtype(order + code),
        data=data,
        offset=offset,
        packed=encoding != "raw",
        spacings=_nrrd_spacings(fields),
        unit=_nrrd_unit(fields),
        from_end=byte_skip < 0,
    )


def _skip_lines(path: Path, offset: int, lines: int) -> int:
    if lines < 1:
        return offset
    with path.open("rb") as file:
        file.seek(offset)
        for _ in range(lines):
            file.readline(_HEADER_LIMIT)
        return file.tell()


def _nrrd_spacings(fields: Mapping[str, str]) -> tuple[float, ...]:
    if "spacings" in fields:
        return tuple(map(float, fields["spacings"].split()))
    vectors = fields.get("space directions", "").replace("none", "(nan)").split(")")
    lengths = []
    for vector in vectors:
        parts = vector.strip(" (").replace(",", " ").split()
        if parts:
            lengths.append(math.hypot(*map(float, parts)))
    return tuple(lengths)


def _nrrd_unit(fields: Mapping[str, str]) -> str:
    units = (fields.get("space units") or fields.get("units") or "").split('"')[1::2]
    anatomical = "space" in fields and "-" in fields["space"]
    # Anatomical spaces (left-posterior-superior ..) are in millimetres by convention.
    return units[-1] if units else "mm" if anatomical else ""


def _describe_metaimage(path: Path, fields: Mapping[str, str], end: int) -> _Described:
    code = _META_DTYPES.get(_field(fields, path, "elementtype").casefold())
    name = _field(fields, path, "elementdatafile")
    if code is None or int(fields.get("elementnumberofchannels", "1")) != 1:
        raise XsegError(
            f"{path}: holds {fields['elementtype']} in "
            f"{fields.get('elementnumberofchannels', '1')} channels; one channel of integers or "
            "floats is expected: export it so."
        )
    if name.upper().startswith("LIST") or "%" in name:
        raise XsegError(f"{path}: spreads its data over several files; export it as one file.")
    local = name.upper() == "LOCAL"
    skip = int(fields.get("headersize", "0"))
    big = fields.get("elementbyteordermsb", fields.get("binarydatabyteordermsb", "False"))
    spacings = fields.get("elementspacing") or fields.get("elementsize") or ""
    return _Described(
        sizes=tuple(map(int, _field(fields, path, "dimsize").split())),
        dtype=np.dtype((">" if big.casefold() == "true" else "<") + code),
        data=path if local else path.parent / name,
        offset=end if local else max(skip, 0),
        packed=fields.get("compresseddata", "False").casefold() == "true",
        spacings=tuple(map(float, spacings.split())),
        # MetaImage's lengths are in millimetres; ones are its default and say nothing.
        unit="mm" if spacings and set(map(float, spacings.split())) != {1.0} else "",
        from_end=skip == -1,
    )
